"""The metadata: each thing once, revisions, recovery from a full disk, a lock that holds, a copy that is whole."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars as pl
import pytest
from kept_samples import OPEN_AT, kept

from gexdesk.model.decision import Decision, Freshness, Match, Override
from gexdesk.model.errors import StoreError
from gexdesk.model.exposure import ExpiryGex
from gexdesk.model.features import Features
from gexdesk.model.level import Level
from gexdesk.stores.base import (
    Batch,
    DeadLetter,
    DecisionRecord,
    JobRecord,
    KeptSnapshot,
    OverrideRecord,
    SourceRecord,
    SymbolMinute,
)
from gexdesk.stores.metadata import Metadata

HOSTILE = ["'; DROP TABLE snapshots; --", 'SPX"', "%s$1?", "../../etc", "NULL", "", "ÄÖ\u202e\x1b[2J", "a\x00b", "x" * 5000]


@pytest.fixture
def metadata(tmp_path: Path) -> Iterator[Metadata]:
    store = Metadata(tmp_path / "state" / "metadata.duckdb")
    store.open()
    yield store
    store.close()


def ask(store: Metadata, sql: str) -> list[tuple[Any, ...]]:
    copy = store.path.with_name("asked.duckdb")
    store.copy_to(copy)
    with duckdb.connect(str(copy), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def job(job_id: str, status: str = "COMPLETED", **other: Any) -> JobRecord:
    times = {"received_at": OPEN_AT, "decided_at": OPEN_AT + 0.1, "started_at": None, "available_at": None, "completed_at": None}
    plain = {"attempts": 1, "records": 1, "size_bytes": 12, "payload_sha256": "ab", "payload_name": "f.json"}
    what = {"job_id": job_id, "source": "cboe", "symbol": "SPX", "level": Level.HIGH, "score": 0.8, "status": status}
    return JobRecord(**{**what, **times, **plain, **other})


def decision(job_id: str, at: float = OPEN_AT, override: Override | None = None) -> DecisionRecord:
    features = Features("SPX", "cboe", "snapshot", 60000.0, None, float("nan"), 1.2)
    matches = (Match("big", Level.HIGH, 0.8, Freshness.REAL_TIME), Match("any", Level.LOW, 0.1, Freshness.STALE))
    made = Decision(Level.HIGH, 0.8, Freshness.REAL_TIME, "big", matches, "v1", "big: impact high", override)
    return DecisionRecord(job_id, at, features, made)


def source(name: str, requests: int) -> SourceRecord:
    return SourceRecord(name, "http", ("SPX", "NDX"), "cboe_json", "auto", 900.0, False, requests, 1, None, "", OPEN_AT)


def dead(job_id: str, reason: str = "not JSON") -> DeadLetter:
    return DeadLetter(job_id, "cboe", "f.json", "ab", 12, OPEN_AT, OPEN_AT + 1, "triage", "malformed_payload", reason, 1)


def everything() -> Batch:
    override = Override(Level.CRITICAL, "jm", "fed", OPEN_AT, OPEN_AT + 900)
    return Batch(
        snapshots=(kept("j1"), kept("j2", symbol="NDX", body="other")),
        jobs=(job("j1"), job("j2")),
        decisions=(decision("j1"), decision("j2", override=override)),
        dead=(dead("j3"),),
        overrides=(OverrideRecord("source", "cboe", override),),
        sources=(source("cboe", 10),),
    )


TABLES = {"snapshots": 2, "jobs": 2, "decisions": 2, "dead_letters": 1, "overrides": 1, "sources": 1}


def test_a_batch_is_stored_once_however_often_it_is_written(metadata: Metadata) -> None:
    assert metadata.write(everything()) == 2
    assert metadata.write(everything()) == 0
    metadata.close()
    metadata.open()
    assert metadata.write(everything()) == 0
    for table, rows in TABLES.items():
        assert ask(metadata, f"SELECT count(*) FROM {table}") == [(rows,)], table


def test_an_empty_batch_is_fine(metadata: Metadata) -> None:
    assert metadata.write(Batch()) == 0


def test_a_snapshot_keeps_its_numbers_and_unknown_stays_null(metadata: Metadata) -> None:
    numbers = {"net_gex": 1.5e9, "gross_gex": 3e9, "call_wall": float("nan"), "contracts": 120, "warnings": ("a\x1b[2J", "b")}
    metadata.write(Batch(snapshots=(kept("j1", ordinal=3, as_of=OPEN_AT + 0.123457, **numbers),)))
    columns = "net_gex, gross_gex, call_wall, put_wall, contracts, warnings, zero_gamma, zero_gamma_status, ordinal, delay_s"
    derived = "strftime(as_of, '%Y-%m-%d %H:%M:%S.%f'), conventions->>'rate', flags, quarantined"
    plain = (1.5e9, 3e9, None, None, 120, ["a [2J", "b"], 4990.0, "found", 3, 900.0)
    [row] = ask(metadata, f"SELECT {columns}, {derived} FROM snapshots")
    assert row == (*plain, "2026-03-02 14:30:00.123457", "0.04", [], False)


def test_the_same_bytes_under_another_job_make_no_second_row(metadata: Metadata) -> None:
    assert metadata.write(Batch(snapshots=(kept("j1"),))) == 1
    assert metadata.write(Batch(snapshots=(kept("j2", received_at=OPEN_AT + 999),))) == 0
    assert metadata.write(Batch(snapshots=(kept("j3", body="new"), kept("j4", body="new", received_at=OPEN_AT + 9)))) == 1
    assert ask(metadata, "SELECT job_id, revision FROM snapshots ORDER BY revision") == [("j1", 1), ("j3", 2)]


def test_the_same_job_and_ordinal_is_stored_once_whatever_it_says_now(metadata: Metadata) -> None:
    assert metadata.write(Batch(snapshots=(kept("j1"),))) == 1
    assert metadata.write(Batch(snapshots=(kept("j1", as_of=OPEN_AT + 60, body="decoded otherwise"),))) == 0
    twice = (kept("j2", body="b"), kept("j2", body="c"))
    assert metadata.write(Batch(snapshots=twice)) == 1


@pytest.mark.parametrize("other", [{"symbol": "NDX"}, {"source": "gexbot"}, {"as_of": OPEN_AT + 1e-5}, {"ordinal": 1}])
def test_the_same_bytes_for_something_else_are_a_row_of_their_own(metadata: Metadata, other: dict[str, Any]) -> None:
    assert metadata.write(Batch(snapshots=(kept("j1"), kept("j2", **other)))) == 2


def test_revisions_count_the_documents_of_one_stamp(metadata: Metadata) -> None:
    metadata.write(Batch(snapshots=(kept("j1", body="a"), kept("j2", body="b"), kept("j3", body="c", symbol="NDX"))))
    later = kept("j7", body="f", as_of=OPEN_AT + 1)
    metadata.write(Batch(snapshots=(kept("j4", body="d"), kept("j5", body="a"), kept("j6", body="e"), later)))
    found = ask(metadata, "SELECT job_id, revision FROM snapshots ORDER BY job_id")
    assert found == [("j1", 1), ("j2", 2), ("j3", 1), ("j4", 3), ("j6", 4), ("j7", 1)]


def test_a_batch_that_spans_years_still_finds_its_twins(metadata: Metadata) -> None:
    day = 86_400.0

    def months(name: str, receipt: float) -> tuple[KeptSnapshot, ...]:
        return tuple(kept(f"{name}{i}", as_of=OPEN_AT - i * 30 * day, body=str(i), received_at=receipt + i) for i in range(50))

    assert metadata.write(Batch(snapshots=months("j", OPEN_AT))) == 50
    assert metadata.write(Batch(snapshots=(*months("k", OPEN_AT + 100), kept("new", body="new")))) == 1


def test_jobs_dead_letters_overrides_and_sources_show_their_last_record(metadata: Metadata) -> None:
    override = Override(Level.HIGH, "jm", "why", OPEN_AT)
    standing, ended = OverrideRecord("source", "a", override), OverrideRecord("source", "a", override, OPEN_AT + 5)
    metadata.write(Batch(jobs=(job("j1", "DEAD"),), dead=(dead("j1", "first"),), overrides=(standing,)))
    metadata.write(Batch(jobs=(job("j1", attempts=2),), overrides=(ended,)))
    metadata.write(Batch(dead=(dead("j1", "second"), dead("j1", "third"))))
    metadata.write(Batch(sources=(source("a", 1), source("b", 7), source("a", 2))))
    assert ask(metadata, "SELECT status, attempts, started_at FROM jobs") == [("COMPLETED", 2, None)]
    assert ask(metadata, "SELECT reason FROM dead_letters") == [("third",)]
    assert ask(metadata, "SELECT until, epoch(ended_at) FROM overrides") == [(None, OPEN_AT + 5)]
    carried = ["SPX", "NDX"]
    assert ask(metadata, "SELECT name, requests, symbols FROM sources ORDER BY name") == [("a", 2, carried), ("b", 7, carried)]


def test_a_decision_keeps_features_and_every_match(metadata: Metadata) -> None:
    override = Override(Level.CRITICAL, "jm", "fed", OPEN_AT, OPEN_AT + 900)
    metadata.write(Batch(decisions=(decision("j1", override=override), decision("j1", OPEN_AT + 1))))
    columns = "matches, volume, open_interest, gamma_change, freshness, override_level, override_author"
    row = ask(metadata, f"SELECT {columns} FROM decisions ORDER BY decided_at LIMIT 1")
    matches = [
        {"guideline": "big", "level": "HIGH", "score": 0.8, "requires": "REAL_TIME"},
        {"guideline": "any", "level": "LOW", "score": 0.1, "requires": "STALE"},
    ]
    assert row == [(matches, 60000.0, None, None, "REAL_TIME", "CRITICAL", "jm")]
    assert ask(metadata, "SELECT count(*), count(override_level) FROM decisions") == [(2, 1)]


def test_lists_of_any_length_stay_with_their_row(metadata: Metadata) -> None:
    some = []
    for number, n in enumerate((2, 0, 3, 0, 1)):
        expiries = tuple(ExpiryGex(f"2026-03-0{day + 1}", day, n) for day in range(n))
        some.append(kept(f"{number} {n}", body=str(number), top5_strikes=(100.0,) * n, gex_by_expiry=expiries))
    metadata.write(Batch(snapshots=tuple(some)))
    for job_id, top, expiries in ask(metadata, "SELECT job_id, top5_strikes, gex_by_expiry FROM snapshots"):
        n = int(job_id.split()[1])
        assert top == [100.0] * n
        found = [(row["expiry"].day, row["net_gex"], row["gross_gex"]) for row in expiries]
        assert found == [(day + 1, day, n) for day in range(n)]


def test_decisions_come_back_by_file_and_by_minute(metadata: Metadata, tmp_path: Path) -> None:
    changed = decision("j2", OPEN_AT + 1)
    changed = msgspec.structs.replace(changed, features=Features("SPX", "cboe", "snapshot", 7.0, 8.0, 0.5, 1.2))
    chained = msgspec.structs.replace(changed, at=OPEN_AT + 2, job_id="j3")
    chained = msgspec.structs.replace(chained, features=Features("SPX", "cboe", "snapshot", 9.0, 9.0, None, 1.2, "chain"))
    metadata.write(Batch(decisions=(decision("j1"), changed, chained, decision("j4", OPEN_AT + 60))))
    file = tmp_path / "it's decisions.parquet"
    metadata.write_decisions(2, file)
    frame = pl.read_parquet(file)
    assert frame["job_id"].to_list() == ["j3", "j4"]
    assert {*Features.__struct_fields__} <= {*frame.columns}
    minute = OPEN_AT // 60 * 60
    assert metadata.symbol_minutes(OPEN_AT) == [
        SymbolMinute("SPX", "cboe", minute, 7.0, 8.0, 0.5), SymbolMinute("SPX", "cboe", minute + 60, 60000.0, None, None),
    ]  # fmt: skip
    assert metadata.symbol_minutes(OPEN_AT + 61) == []


def test_hostile_names_are_values_and_nothing_else(metadata: Metadata) -> None:
    rows = tuple(kept(f"j{i}", symbol=text, source=text, body=text) for i, text in enumerate(HOSTILE))
    assert metadata.write(Batch(snapshots=rows)) == len(HOSTILE)
    assert metadata.write(Batch(snapshots=rows)) == 0
    assert ask(metadata, "SELECT symbol, source FROM snapshots ORDER BY job_id") == [(text, text) for text in HOSTILE]
    error = "x\x1b]52;c;AAAA\x07y\n'; DROP TABLE jobs"
    metadata.write(Batch(jobs=tuple(job(text or "e", error=error, payload_name="\ud800") for text in HOSTILE)))
    assert ask(metadata, "SELECT DISTINCT error, payload_name FROM jobs") == [("x ]52;c;AAAA y '; DROP TABLE jobs", "")]


@pytest.mark.parametrize("change", [{"as_of": float("nan")}, {"as_of": 1e18}, {"as_of": -1.0}, {"symbol": "\ud800"}])
def test_what_cannot_be_stored_is_refused_before_anything_is(metadata: Metadata, change: dict[str, Any]) -> None:
    with pytest.raises(StoreError) as refused:
        metadata.write(Batch(jobs=(job("j1"),), snapshots=(kept("j1"), kept("j2", body="b", **change))))
    assert "\n" not in refused.value.message
    assert ask(metadata, "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM snapshots)") == [(0, 0)]
    assert metadata.write(Batch(snapshots=(kept("j1"),))) == 1


def test_a_count_that_no_column_holds_is_unknown_and_its_row_stays(metadata: Metadata) -> None:
    metadata.write(Batch(snapshots=(kept("j1", contracts=7), kept("j2", body="b", contracts=2**80))))
    assert ask(metadata, "SELECT job_id, contracts IS NULL FROM snapshots ORDER BY job_id") == [("j1", False), ("j2", True)]


def test_a_batch_the_database_refuses_leaves_nothing(metadata: Metadata) -> None:
    broken = msgspec.structs.replace(job("j1"), attempts=None)
    with pytest.raises(StoreError, match="NOT NULL"):
        metadata.write(Batch(snapshots=(kept("j1"),), jobs=(broken,)))
    assert ask(metadata, "SELECT count(*) FROM snapshots") == [(0,)]
    assert metadata.write(Batch(snapshots=(kept("j1"),), jobs=(job("j1"),))) == 1


def test_files_are_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Metadata(tmp_path / "state" / "metadata.duckdb")
        store.open()
        store.write(everything())
        store.copy_to(tmp_path / "copies" / "copy.duckdb")
        store.write(Batch(snapshots=(kept("j9", body="9"),)))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
        store.close()
    finally:
        os.umask(before)
    folders = {"state": 0o700, "copies": 0o700}
    assert modes == folders | dict.fromkeys(("metadata.duckdb", "metadata.duckdb.wal", "copy.duckdb"), 0o600)


def test_a_copy_does_not_open_the_file_to_others(metadata: Metadata, tmp_path: Path) -> None:
    metadata.write(everything())
    metadata.copy_to(tmp_path / "copy.duckdb")
    program = "import sys, pathlib; from gexdesk.stores.metadata import Metadata; Metadata(pathlib.Path(sys.argv[1])).open()"
    done = subprocess.run([sys.executable, "-c", program, str(metadata.path)], capture_output=True, text=True, check=False)
    # A descriptor of the file closed anywhere in the holder's process would have dropped its lock, and this would have succeeded.
    assert "StoreError" in done.stderr
    assert "lock" in done.stderr


def test_a_copy_holds_all_and_does_not_move_with_later_writes(metadata: Metadata, tmp_path: Path) -> None:
    metadata.write(everything())
    metadata.copy_to(tmp_path / "copy.duckdb")
    assert metadata.write(Batch(snapshots=(kept("j9", body="9"),))) == 1
    with duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as copy:
        assert copy.execute("SELECT count(*) FROM snapshots").fetchall() == [(2,)]
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["copy.duckdb"]


def test_a_copy_that_fails_says_so_and_keeps_the_old_one(metadata: Metadata, tmp_path: Path) -> None:
    (tmp_path / "copy.duckdb").mkdir()
    with pytest.raises(StoreError, match="could not be copied"):
        metadata.copy_to(tmp_path / "copy.duckdb")
    assert not list(tmp_path.glob(".*"))
    assert metadata.write(everything()) == 2


def test_a_damaged_or_newer_file_is_refused_in_one_line(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.duckdb"
    damaged.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match=r"damaged\.duckdb cannot be opened"):
        Metadata(damaged).open()
    newer = Metadata(tmp_path / "newer.duckdb")
    newer.open()
    newer.close()
    with duckdb.connect(str(newer.path)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99, now())")
    with pytest.raises(StoreError, match=r"has schema 99, this gexdesk knows up to \d"):
        newer.open()
    # The refused file is released again.
    duckdb.connect(str(newer.path)).close()


def test_its_memory_is_bounded_and_what_needs_more_goes_by_the_disk(metadata: Metadata) -> None:
    connection = metadata._connection
    assert connection is not None
    assert connection.execute("SELECT current_setting('memory_limit')").fetchall() == [("244.1 MiB",)]
    connection.execute("SET memory_limit = '64MB'")
    words = "SELECT count(DISTINCT md5(range::VARCHAR)) FROM range(1_000_000)"
    assert connection.execute(words).fetchall() == [(1_000_000,)]
    connection.execute("SET max_temp_directory_size = '0MB'")
    with pytest.raises(duckdb.OutOfMemoryException):
        connection.execute(words)


def test_a_connection_that_broke_is_replaced_within_the_same_write(metadata: Metadata) -> None:
    metadata.write(everything())
    assert metadata._connection is not None
    metadata._connection.close()  # as a failed checkpoint leaves it: nothing works on it any more
    assert metadata.write(Batch(snapshots=(kept("j9", body="9"),))) == 1
    assert ask(metadata, "SELECT count(*) FROM snapshots") == [(3,)]


def test_a_full_disk_loses_nothing_acknowledged_and_space_heals_it(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kept_samples import kept
from gexdesk.model.errors import StoreError
from gexdesk.stores.base import Batch
from gexdesk.stores.metadata import Metadata
store = Metadata(Path(sys.argv[1])); store.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
row = lambda n, i: kept(f"{n:04d}-{i:04d}", body=f"{n} {i}", warnings=(f"{n * 7919 + i:x}" * 40,))
batch = lambda n: Batch(snapshots=tuple(row(n, i) for i in range(500)))
stored = 0
try:
    while stored < 200: store.write(batch(stored)); stored += 1
except StoreError as error: print(error)
for _ in range(3):
    try: store.write(batch(stored))
    except StoreError: pass
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for n in range(stored): assert store.write(batch(n)) == 0, n
assert store.write(batch(stored)) + store.write(batch(stored)) in (0, 500)
store.copy_to(Path(sys.argv[1] + ".copy"))
print(stored, (stored + 1) * 500)
"""
    path = tmp_path / "metadata.duckdb"
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", program, str(path), here], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    words, figures = done.stdout.strip().splitlines()
    assert "could not store a batch, twice" in words
    stored, rows = map(int, figures.split())
    assert 0 < stored < 200
    with duckdb.connect(str(path) + ".copy", read_only=True) as copy:
        assert copy.execute("SELECT count(*), count(DISTINCT job_id) FROM snapshots").fetchall() == [(rows, rows)]
