"""What cannot be stored: the machine's fault waits, the payload's own fault is told."""

import asyncio
import itertools
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

from gexdesk.engine import keep
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.keep import Keeper
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import StoreError
from gexdesk.model.exposure import Conventions, Exposure
from gexdesk.model.level import Level
from gexdesk.stores.base import Batch, JobRecord, KeptSnapshot, RequestRecord
from gexdesk.stores.lake import Lake, visible_files
from gexdesk.stores.metadata import Metadata
from gexdesk.stores.newest import Wanted
from tests.until import until
from tests.virtual_clock import VirtualClock

NOW = 1_772_463_600.0


def record(job_id: str, level: Level = Level.LOW) -> JobRecord:
    return JobRecord(job_id, "s", "SPX", level, 0.1, "COMPLETED", NOW, NOW, NOW, NOW, NOW, 1, 1, 10, "aa", "a.json")


def unstorable(job_id: str) -> tuple[KeptSnapshot, ...]:
    """Return a snapshot whose rows are no Arrow stream."""
    exposure = Exposure("gexbot", "SPX", NOW, 5000.0, Conventions())
    return (KeptSnapshot(job_id, 0, "s", "aa", NOW, 0.0, exposure, b"not arrow"),)


@pytest.fixture
async def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keep, "RETRY_S", 0.01)
    clock = SystemClock()
    keeper = Keeper(Lake(tmp_path / "lake"), Metadata(tmp_path / "m.duckdb"), Chronicle(clock), clock, tmp_path)
    await keeper.start()
    yield keeper
    await keeper.stop()


async def test_what_alone_cannot_be_stored_is_given_up_once_others_were(keeper: Keeper) -> None:
    bad = asyncio.create_task(keeper.store(record("bad"), unstorable("bad")))
    for number in range(20):
        await keeper.store(record(f"good-{number}"), ())
        if bad.done():
            break
    with pytest.raises(StoreError, match="cannot be stored"):
        await asyncio.wait_for(bad, 10)


async def test_a_full_disk_is_no_verdict_on_what_waits_for_it(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "ROOM_BYTES", 2**62)
    bad = asyncio.create_task(keeper.store(record("bad"), unstorable("bad")))
    for number in range(8):
        await asyncio.wait_for(keeper.store(record(f"good-{number}"), ()), 10)
    assert not bad.done()
    monkeypatch.setattr(keep, "ROOM_BYTES", 0)

    numbers = itertools.count()

    async def told() -> bool:
        await keeper.store(record(f"later-{next(numbers)}"), ())
        return bad.done()

    await until(told)
    assert isinstance(bad.exception(), StoreError)


@pytest.mark.parametrize("when", ["waits", "is written", "fails", "is stored"])
async def test_what_became_of_a_job_is_the_last_word_wherever_its_record_is(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    written, begun, go_on = Lake.write, threading.Event(), threading.Event()

    def slow(lake: Lake, snapshots: tuple[KeptSnapshot, ...]) -> None:
        first = not begun.is_set()
        begun.set()
        go_on.wait(10)
        if when == "fails" and first:
            raise StoreError("once")
        written(lake, snapshots)

    snapshots = (KeptSnapshot("j", 0, "s", "aa", NOW, 0.0, Exposure("gexbot", "SPX", NOW, 5000.0, Conventions()), b""),)
    if when in ("is written", "fails"):
        monkeypatch.setattr(Lake, "write", slow)
    storing = asyncio.create_task(keeper.store(record("j"), snapshots))
    await asyncio.sleep(0)
    if when == "is stored":
        await storing
    elif when != "waits":
        await until(begun.is_set)
    await keeper.amend("j", "DISCARDED", "not ours")
    go_on.set()
    await storing
    await keeper.store(record("later"), ())

    found = await keeper.reading(lambda metadata: metadata.job("j"))
    assert found is not None
    assert (found.status, found.note) == ("DISCARDED", "not ours")


@pytest.mark.parametrize("when", ["waits", "fails", "is stored"])
async def test_a_release_counts_wherever_the_snapshot_is(keeper: Keeper, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    written, begun, go_on = Lake.write, threading.Event(), threading.Event()

    def failing(lake: Lake, snapshots: tuple[KeptSnapshot, ...]) -> None:
        first = not begun.is_set()
        begun.set()
        go_on.wait(10)
        if first:
            raise StoreError("once")
        written(lake, snapshots)

    exposure = Exposure("gexbot", "SPX", NOW, 5000.0, Conventions())
    snapshots = (KeptSnapshot("j", 0, "s", "aa", NOW, 0.0, exposure, b"", ("spot_moved",), True),)
    if when == "fails":
        monkeypatch.setattr(Lake, "write", failing)
    storing = asyncio.create_task(keeper.store(record("j"), snapshots))
    await asyncio.sleep(0)
    if when == "is stored":
        await storing
    elif when == "fails":
        await until(begun.is_set)
    releasing = asyncio.create_task(keeper.release("j", 0, ("spot_moved", "released"), NOW))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(storing, releasing)
    [row] = await keeper.reading(lambda metadata: metadata.kept("j", 1))
    assert (row["quarantined"], list(row["flags"])) == (False, ["spot_moved", "released"])


async def test_a_job_that_was_done_again_before_its_rows_were_written_has_them_once(tmp_path: Path) -> None:
    clock = VirtualClock()
    keeper = Keeper(Lake(tmp_path / "lake"), Metadata(tmp_path / "m.duckdb"), Chronicle(clock), clock, tmp_path)
    exposure = Exposure("gexbot", "SPX", NOW, 5000.0, Conventions())
    table = np.ones((9, 2))
    table[0] = 4990.0, 5010.0
    kept = KeptSnapshot("again", 0, "s", "aa", NOW, 0.0, exposure, table.tobytes())
    await keeper.start()
    first = asyncio.create_task(keeper.store(replace(record("again"), attempts=1), (kept,)))
    second = asyncio.create_task(keeper.store(replace(record("again"), attempts=2), (kept,)))
    await asyncio.sleep(0)
    await keeper.stop()
    await asyncio.gather(first, second)
    [file] = visible_files(tmp_path / "lake")
    assert pl.read_parquet(file)["strike"].to_list() == [4990.0, 5010.0]
    metadata = Metadata(tmp_path / "m.duckdb")
    metadata.open()
    found = metadata.job("again")
    metadata.close()
    assert found is not None
    assert found.attempts == 2


async def test_critical_is_stored_before_what_waits_longer(keeper: Keeper) -> None:
    stored: list[str] = []

    async def store(job_id: str, level: Level) -> None:
        await keeper.store(record(job_id, level), ())
        stored.append(job_id)

    held, storing = threading.Event(), list[asyncio.Task[None]]()
    reading = asyncio.create_task(keeper.reading(lambda _: held.wait()))
    storing.append(asyncio.create_task(store("under way", Level.LOW)))
    await until(lambda: keeper.waiting == 1)
    await until(lambda: keeper.waiting == 0)  # its batch is made, and waits for the reader
    storing += [asyncio.create_task(store(f"low-{number}", Level.LOW)) for number in range(keep.ROOM_ITEMS)]
    storing.append(asyncio.create_task(store("critical", Level.CRITICAL)))
    await until(lambda: keeper.waiting >= keep.ROOM_ITEMS)
    held.set()
    await asyncio.gather(reading, *storing)
    assert stored[:2] == ["under way", "critical"]


async def test_while_much_comes_it_is_gathered_for_longer_but_not_where_critical_waits_or_nothing_comes_any_more(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "GATHERINGS", 100)
    batches: list[int] = []
    write = Metadata.write
    monkeypatch.setattr(Metadata, "write", lambda self, batch: (batches.append(len(batch.jobs)), write(self, batch))[1])

    def bring(count: int, level: Level = Level.LOW) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(keeper.store(record(f"{level}-{next(numbers)}", level), ())) for _ in range(count)]

    numbers = itertools.count()
    few = bring(keep.MANY_ITEMS - 1)
    await asyncio.gather(*few)
    assert batches == [keep.MANY_ITEMS - 1]
    many = bring(keep.MANY_ITEMS)
    for _ in range(8):
        await asyncio.sleep(keep.GATHER_S / 2)
        many += bring(10)
    assert len(batches) == 1, "more comes"
    [critical] = bring(1, Level.CRITICAL)
    await asyncio.wait_for(critical, 5.0)
    assert batches[1:] == [1], "CRITICAL goes at once, alone"
    many += bring(keep.BATCH_ITEMS - len(many))
    await asyncio.wait_for(asyncio.gather(*many), 5.0)
    assert batches[2:] == [keep.BATCH_ITEMS], "a full batch waits for nobody"
    last = bring(keep.MANY_ITEMS)
    await asyncio.wait_for(asyncio.gather(*last), 5.0)
    assert batches[3:] == [keep.MANY_ITEMS], "nobody waits for what does not come"


async def test_a_stream_of_critical_keeps_nothing_else_waiting_and_the_lag_is_that_of_the_oldest(tmp_path: Path) -> None:
    clock = VirtualClock()
    await clock.advance(0.0)
    keeper = Keeper(Lake(tmp_path / "lake"), Metadata(tmp_path / "m.duckdb"), Chronicle(clock), clock, tmp_path)
    await keeper.start()
    low, streamed, lags = asyncio.create_task(keeper.store(record("low"), ())), list[asyncio.Task[None]](), list[float]()
    while not low.done() and len(streamed) < 100:
        streamed.append(asyncio.create_task(keeper.store(record(f"critical-{len(streamed)}", Level.CRITICAL), ())))
        await clock.advance(0.1)
        if not low.done():
            lags.append(keeper.lag_s())
    assert low.done()
    assert lags == pytest.approx([0.1 * number for number in range(1, len(lags) + 1)])
    assert keep.OTHERS_WAIT_S < lags[-1] < keep.OTHERS_WAIT_S + 1.0
    assert sum(task.done() for task in streamed) >= len(streamed) - 5, "CRITICAL went before it meanwhile"
    await clock.advance(1.0)
    assert keeper.lag_s() == 0.0
    await keeper.stop()


class Panic(BaseException):
    """Stand for what a library's native code raises when it gives up: no ``Exception``."""


@pytest.mark.parametrize("fault", [RuntimeError("can't start new thread"), ValueError("could not append value"), Panic("overflow")])
async def test_whatever_a_batch_fails_of_it_is_tried_again(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    write, faults = Metadata.write, [fault]

    def failing(metadata: Metadata, batch: Batch) -> int:
        if faults:
            raise faults.pop()
        return write(metadata, batch)

    monkeypatch.setattr(Metadata, "write", failing)
    await asyncio.wait_for(keeper.store(record("a"), ()), 10)
    assert not faults


async def test_an_ending_that_was_cancelled_meanwhile_does_not_end_the_keeper(keeper: Keeper) -> None:
    bad = asyncio.create_task(keeper.store(record("bad"), unstorable("bad")))
    await until(lambda: any(item.failed_alone for item in keeper._items))
    bad.cancel()
    numbers = itertools.count()

    async def given_up() -> bool:
        await asyncio.wait_for(keeper.store(record(f"good-{next(numbers)}"), ()), 10)
        return keeper.waiting == 0

    await until(given_up)
    await asyncio.wait_for(keeper.store(record("later"), ()), 10)


async def test_a_record_that_no_store_takes_holds_up_nobody_and_is_told(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Metadata.write

    def picky(metadata: Metadata, batch: Batch) -> int:
        if any(note.request_id == "bad" for note in batch.requests):
            raise ValueError("could not append value")
        return write(metadata, batch)

    monkeypatch.setattr(Metadata, "write", picky)
    for request_id in ("before", "bad", "after"):
        keeper.note(RequestRecord(request_id, "https://x/a", "snapshot", "SPX", NOW, "jm", Level.LOW, None, "FAILED"))
    await asyncio.wait_for(keeper.store(record("a"), ()), 10)
    kept = await keeper.reading(lambda metadata: metadata.newest(Wanted("requests", 10)))
    assert sorted(row["request_id"] for row in kept) == ["after", "before"]
    assert any("1 records are left out, they cannot be stored" in line.text for line in keeper._chronicle.lines())


async def test_the_end_waits_for_the_batch_under_way_and_writes_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    keeper = Keeper(Lake(tmp_path / "lake"), Metadata(tmp_path / "m.duckdb"), Chronicle(clock), clock, tmp_path)
    await keeper.start()
    write, inside, most, begun = Metadata.write, 0, 0, threading.Event()

    def slow(metadata: Metadata, batch: Batch) -> int:
        nonlocal inside, most
        inside, most = inside + 1, max(most, inside + 1)
        begun.set()
        time.sleep(0.3)
        try:
            return write(metadata, batch)
        finally:
            inside -= 1

    monkeypatch.setattr(Metadata, "write", slow)
    first = asyncio.create_task(keeper.store(record("first"), ()))
    await until(begun.is_set)
    rest = [asyncio.create_task(keeper.store(record(level, level), ())) for level in (Level.LOW, Level.CRITICAL)]
    await asyncio.sleep(0)
    await keeper.stop()
    assert most == 1, "never two on one connection"
    await asyncio.wait_for(asyncio.gather(first, *rest), 1.0)


async def test_a_reader_who_leaves_lets_nobody_in_before_its_question_is_answered(keeper: Keeper) -> None:
    begun, go_on, order = threading.Event(), threading.Event(), list[str]()

    def question(_: Metadata) -> None:
        begun.set()
        go_on.wait(10)
        order.append("left")

    reading = asyncio.create_task(keeper.reading(question))
    await until(begun.is_set)
    reading.cancel()
    second = asyncio.create_task(keeper.reading(lambda _: order.append("second")))
    await asyncio.sleep(0.05)
    go_on.set()
    await second
    assert order == ["left", "second"]


async def test_a_lost_metadata_beside_a_lake_is_said_and_taken_back(tmp_path: Path) -> None:
    clock = SystemClock()
    exposure = Exposure("gexbot", "SPX", NOW, 5000.0, Conventions())
    row = np.array([5000.0, *[np.nan] * 6, 7.0, np.nan])

    def keeper_of(chronicle: Chronicle) -> Keeper:
        return Keeper(Lake(tmp_path / "lake"), Metadata(tmp_path / "m.duckdb"), chronicle, clock, tmp_path)

    first, quiet = keeper_of(chronicle := Chronicle(clock)), chronicle
    await first.start()
    await first.store(record("j1"), (KeptSnapshot("j1", 0, "s", "aa", NOW, 0.0, exposure, row.tobytes()),))
    await first.stop()
    assert quiet.lines() == ()
    (tmp_path / "m.duckdb").unlink()
    told = Chronicle(clock)
    second = keeper_of(told)
    await second.start()
    await second.stop()
    [line] = told.lines()
    assert line.grave
    assert line.text == (
        "m.duckdb was missing beside a lake of 1 files; 1 snapshot headers are rebuilt from it, jobs and decisions are lost"
    )


async def test_a_value_that_no_column_holds_costs_its_row_that_value_alone(keeper: Keeper) -> None:
    """Rows are stored many at once: one that could not be would keep all the others waiting, whatever their level."""
    asked = RequestRecord("r-1", "https://x/a", "snapshot", "SPX", NOW, "jm", Level.LOW, None, "FAILED", expected_records=2**63)
    keeper.note(asked)
    await asyncio.wait_for(keeper.store(record("good"), ()), 10)
    [row] = await keeper.reading(lambda metadata: metadata.newest(Wanted("requests", 10)))
    assert (row["request_id"], row["expected_records"]) == ("r-1", None)
