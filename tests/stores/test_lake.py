"""The lake: where strikes lie, that a repeat changes nothing, and that joining small files never shows a row twice."""

import os
import stat
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from kept_samples import OPEN_AT, kept, packed

from gexdesk.model.errors import StoreError
from gexdesk.stores import lake as lake_module
from gexdesk.stores.lake import STRIKE_COLUMNS, Lake, partition_of, strikes_key, visible_files


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))


def rows(folder: Path) -> int:
    return sum(pl.scan_parquet(file, hive_partitioning=False).select(pl.len()).collect().item() for file in visible_files(folder))


def test_strikes_lie_by_symbol_and_utc_day(tmp_path: Path) -> None:
    midnight = 1_772_496_000.0  # 2026-03-03T00:00:00Z, 19:00 of the day before in New York
    late, later = kept("j3", as_of=midnight - 1e-6), kept("j2", as_of=midnight)
    Lake(tmp_path).write([kept("j1"), kept("j1", ordinal=1, symbol="NDX"), later, late])
    folders = ["symbol=NDX/date=2026-03-02", "symbol=SPX/date=2026-03-02", "symbol=SPX/date=2026-03-03"]
    assert [str(Path(file).parent) for file in files(tmp_path / "strikes")] == folders
    assert len({Path(file).name for file in files(tmp_path)}) == 1


def test_columns_types_and_nulls(tmp_path: Path) -> None:
    Lake(tmp_path).write([kept("j1", ordinal=4)])
    frame = pl.read_parquet(visible_files(tmp_path), hive_partitioning=False)
    reals = dict.fromkeys(STRIKE_COLUMNS, pl.Float64)
    head = {"symbol": pl.String, "source": pl.String, "as_of": pl.Datetime("us", "UTC"), "job_id": pl.String, "ordinal": pl.Int64}
    assert dict(frame.schema) == {**head, "payload_sha256": pl.String, **reals, "strikes_key": pl.String}
    assert frame["strike"].to_list() == [5000.0, 5005.0, 5010.5]
    assert frame["net_gex"].to_list() == [1.5e9, -2.5e8, None]
    assert frame["call_volume"].null_count() == 3
    assert frame["as_of"][0].timestamp() == OPEN_AT
    assert frame.select("source", "job_id", "ordinal").row(0) == ("cboe", "j1", 4)


def test_it_is_zstd_and_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Lake(tmp_path / "lake").write([kept("j1")])
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "lake").rglob("*") if path.is_dir()}
    assert modes == {0o700}
    [file] = visible_files(tmp_path / "lake")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    raw = file.read_bytes()
    assert b"\x28\xb5\x2f\xfd" in raw  # the magic number of a zstd frame
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_repeat_overwrites_and_another_company_is_another_file(tmp_path: Path) -> None:
    lake, batch = Lake(tmp_path), [kept("j1"), kept("j2", body="b")]
    lake.write(batch)
    once = {file: file.read_bytes() for file in visible_files(tmp_path)}
    lake.write(batch)
    assert {file: file.read_bytes() for file in visible_files(tmp_path)} == once
    lake.write(batch[:1])
    assert len(visible_files(tmp_path)) == 2


def test_the_key_names_jobs_ordinals_and_their_order() -> None:
    one, two = kept("j1"), kept("j1", ordinal=1)
    assert strikes_key([one, two]) == strikes_key([kept("j1", body="whatever"), two])
    assert len({strikes_key(batch) for batch in ([one], [two], [one, two], [two, one], [])}) == 5
    assert strikes_key([kept("a\n1"), kept("b")]) != strikes_key([kept("a"), kept("1\nb")])


@pytest.mark.parametrize(
    ("symbol", "folder"),
    [
        ("^VIX", "symbol=%5EVIX"),
        ("BRK.B", "symbol=BRK%2EB"),
        ("..", "symbol=%2E%2E"),
        ("../../x", "symbol=%2E%2E%2F%2E%2E%2Fx"),
        ("a\x00\nb", "symbol=a%00%0Ab"),
        ("~x'\"=*", "symbol=%7Ex%27%22%3D%2A"),
        ("", "symbol="),
    ],
)
def test_no_symbol_leaves_its_folder(tmp_path: Path, symbol: str, folder: str) -> None:
    assert partition_of(symbol, OPEN_AT) == Path(folder, "date=2026-03-02")
    Lake(tmp_path / "lake").write([kept("../job\x00", symbol=symbol)])
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]
    assert [path.name for path in (tmp_path / "lake" / "strikes").iterdir()] == [folder]
    assert pl.read_parquet(visible_files(tmp_path / "lake"), hive_partitioning=False)["symbol"].unique().to_list() == [symbol]


def test_snapshots_without_strikes_leave_no_file(tmp_path: Path) -> None:
    Lake(tmp_path).write([kept("j1", strikes=packed({}))])
    Lake(tmp_path).write([])
    assert files(tmp_path) == []


@pytest.mark.parametrize("stream", [b"garbage", packed({1.0: 2.0})[:64], packed({1.0: 2.0}) + b"\0"])
def test_strikes_that_cannot_be_read_name_their_job(tmp_path: Path, stream: bytes) -> None:
    with pytest.raises(StoreError, match="the strikes of job j7"):
        Lake(tmp_path).write([kept("j1"), kept("j7", strikes=stream)])
    assert files(tmp_path) == []


def test_a_disk_that_refuses_says_so(tmp_path: Path) -> None:
    (tmp_path / "strikes").write_bytes(b"")
    with pytest.raises(StoreError, match="could not be written"):
        Lake(tmp_path).write([kept("j1")])


def written(tmp_path: Path, count: int) -> Lake:
    lake = Lake(tmp_path)
    for number in range(count):
        lake.write([kept(f"j{number:03d}", body=str(number), as_of=OPEN_AT + number)])
    return lake


def test_small_files_are_joined_and_every_row_stays(tmp_path: Path) -> None:
    lake = written(tmp_path, 12)
    before = pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in visible_files(tmp_path)])
    assert lake.compact(at_least=13) == 0
    assert lake.compact(at_least=12) == 12
    [joined] = visible_files(tmp_path)
    assert joined.stat().st_mode & 0o777 == 0o600
    order = ["as_of", "strike"]
    assert pl.read_parquet(joined, hive_partitioning=False).sort(order).equals(before.sort(order))
    assert lake.compact(at_least=2) == 0


def test_a_crash_between_joining_and_removing_shows_nothing_twice(tmp_path: Path) -> None:
    lake = written(tmp_path, 5)
    olds = {file: file.read_bytes() for file in visible_files(tmp_path)}
    lake.compact(at_least=2)
    for file, data in olds.items():
        file.write_bytes(data)
    assert len(files(tmp_path)) == 6
    assert rows(tmp_path) == 15
    # A second round on top of the first: what the first stood for stays replaced.
    lake.write([kept("j100", body="100")])
    lake.compact(at_least=2)
    next(iter(olds)).write_bytes(next(iter(olds.values())))
    assert rows(tmp_path) == 18
    lake.compact(at_least=2)
    assert rows(tmp_path) == 18
    assert len(files(tmp_path)) == 1


def test_a_repeated_write_after_joining_shows_nothing_twice(tmp_path: Path) -> None:
    lake = written(tmp_path, 4)
    lake.compact(at_least=2)
    lake.write([kept("j002", body="2", as_of=OPEN_AT + 2)])
    assert rows(tmp_path) == 12


def test_what_a_killed_writer_left_is_swept_and_never_read(tmp_path: Path) -> None:
    lake = written(tmp_path, 2)
    left = visible_files(tmp_path)[0].with_name(".j9.parquet.tmp")
    left.write_bytes(b"PAR1 half")
    assert rows(tmp_path) == 6
    lake.compact(at_least=2)
    assert not left.exists()


def test_a_damaged_file_stops_the_joining_and_loses_nothing(tmp_path: Path) -> None:
    lake = written(tmp_path, 3)
    before = files(tmp_path)
    visible_files(tmp_path)[1].write_bytes(b"PAR1 damaged")
    with pytest.raises(StoreError, match=r"symbol=SPX/date=2026-03-02 could not be compacted"):
        lake.compact(at_least=2)
    assert files(tmp_path) == before


def test_many_documents_in_one_call_share_a_file_a_day(tmp_path: Path) -> None:
    Lake(tmp_path).write([msgspec.structs.replace(kept("j1", as_of=OPEN_AT + n), ordinal=n) for n in range(200)])
    assert len(files(tmp_path)) == 1
    assert rows(tmp_path) == 600


def wide(random: np.random.Generator) -> bytes:
    """Return 400 strikes whose numbers do not compress."""
    return packed(dict(zip(range(1, 401), random.random(400).tolist(), strict=True)))


def test_a_busy_day_never_lies_in_many_files_and_no_row_is_joined_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_module, "_TIDY_AT", 8)
    monkeypatch.setattr(lake_module, "_GRAIN_BYTES", 0)
    random = np.random.default_rng(1)
    lake, most, written_bytes = Lake(tmp_path), 0, 0
    for number in range(200):
        lake.write([kept(f"j{number:03d}", body=str(number), as_of=OPEN_AT + number, strikes=wide(random))])
        before = set(visible_files(tmp_path))
        lake.tidy()
        after = visible_files(tmp_path)
        most, written_bytes = max(most, len(after)), written_bytes + sum(f.stat().st_size for f in after if f not in before)
    assert rows(tmp_path) == 200 * 400
    assert most < 8 * 3
    # Joined over and over, 25 growing files would have been written anew: thirteen times the whole.
    assert written_bytes < 6 * sum(file.stat().st_size for file in visible_files(tmp_path))


def test_only_what_was_written_lately_is_tidied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_module, "_TIDY_AT", 3)
    lake = written(tmp_path, 2)
    assert lake.tidy() == 0
    lake.write([kept("j002", body="2", as_of=OPEN_AT + 2), kept("n1", symbol="NDX")])
    assert lake.tidy() == 3
    assert lake.tidy() == 0
    assert sorted(Path(file).parent.parent.name for file in files(tmp_path)) == ["symbol=NDX", "symbol=SPX"]


def test_days_past_their_time_are_removed_whole(tmp_path: Path) -> None:
    day = 86_400.0
    lake = Lake(tmp_path)
    lake.write([kept("j1"), kept("j2", as_of=OPEN_AT - day), kept("j3", as_of=OPEN_AT - 2 * day, symbol="NDX")])
    assert lake.forget_before(date(2026, 2, 28)) == 0
    assert lake.forget_before(date(2026, 3, 2)) == 2
    assert [str(Path(file).parent) for file in files(tmp_path / "strikes")] == ["symbol=SPX/date=2026-03-02"]
    assert [path.name for path in (tmp_path / "strikes" / "symbol=SPX").iterdir()] == ["date=2026-03-02"]
    lake.write([kept("j4", as_of=OPEN_AT - day)])
    assert rows(tmp_path) == 6


def test_a_day_that_cannot_be_removed_says_so(tmp_path: Path) -> None:
    lake = written(tmp_path, 1)
    (tmp_path / "strikes" / "symbol=SPX" / "date=2026-03-02" / "folder").mkdir()
    with pytest.raises(StoreError, match=r"symbol=SPX/date=2026-03-02 could not be removed"):
        lake.forget_before(date(2027, 1, 1))


def test_many_symbols_in_one_call_each_find_their_own_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    some = [
        kept(f"j{n}", symbol=f"S{n % 30}", as_of=OPEN_AT + n * 3600.0, strikes=packed({100.0 + n: float(n), 101.0 + n: -float(n)}))
        for n in range(90)
    ]
    lake.write(some)
    for n, one in enumerate(some):
        folder = lake.strikes / partition_of(one.exposure.symbol, one.exposure.as_of)
        [file] = folder.glob("*.parquet")
        rows = pl.read_parquet(file, hive_partitioning=False)
        assert set(rows["symbol"]) == {one.exposure.symbol}
        assert set(rows["as_of"].dt.date()) == {date.fromisoformat(folder.name.removeprefix("date="))}
        own = rows.filter(job_id=one.job_id)
        assert (own["strike"].to_list(), own["net_gex"].to_list()) == ([100.0 + n, 101.0 + n], [float(n), -float(n)])
    assert sum(pl.read_parquet(file).height for file in visible_files(tmp_path)) == 180
