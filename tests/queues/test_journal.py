"""The journal: what a damaged file, a full disk and a restart do to the embedded queue."""

import asyncio
import resource
import sqlite3
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from virtual_clock import VirtualClock

from gexdesk.model.errors import LeaseLost, StoreError
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.embedded import EmbeddedQueue
from tests.contracts.queue_contract import NOON, drain, ids, job, take
from tests.queues.embedded_setting import EmbeddedSetting

C, H, M, L = LEVELS
PAGE = 4096


@pytest.fixture
def setting(tmp_path: Path) -> EmbeddedSetting:
    return EmbeddedSetting(tmp_path)


@pytest.fixture
async def queue(setting: EmbeddedSetting) -> AsyncIterator[EmbeddedQueue]:
    queue = await setting.open()
    yield queue
    await queue.close()


# ---- damage ----


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"GET / HTTP/1.1\r\n" * 1000)


def _torn_page(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:PAGE] + b"\xa5" * (len(data) - PAGE))


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: PAGE + 7])


@pytest.mark.parametrize("damage", [_not_a_database, _torn_page, _cut_short])
async def test_a_damaged_file_is_put_aside_and_the_queue_starts_empty(
    setting: EmbeddedSetting, damage: Callable[[Path], None]
) -> None:
    queue = await setting.open()
    jobs = [job(f"j{n}", H) for n in range(50)]
    await queue.put(jobs)
    await queue.close()
    damage(setting.path)
    damaged = setting.path.read_bytes()

    queue = await setting.open()
    aside = setting.path.with_name(f"queue.sqlite.broken-{int(NOON)}")
    assert aside.name in queue.warning
    assert str(setting.path) in queue.warning
    assert aside.read_bytes() == damaged
    assert queue.peek(9) == []
    await queue.put(jobs)
    await queue.close()
    queue = await setting.open()
    assert queue.warning == ""
    assert ids(queue.peek(99)) == ids(jobs)
    await queue.close()


async def test_damage_while_running_costs_nothing_that_waits(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job(f"j{n}", H, 0.8) for n in range(200)])
    await queue.ack(await take(queue))
    await queue.retry(await take(queue), 60.0, "x")
    await queue.pause("yahoo")
    busy = await take(queue)
    for suffix in ("", "-wal"):
        path = setting.path.with_name(setting.path.name + suffix)
        path.write_bytes(b"\xff" * path.stat().st_size)
    await queue.put([job("after", L)])
    assert "put aside" in queue.warning
    await queue.ack(busy)
    expected = queue.peek(999)
    assert len(expected) == 198
    await queue.close()

    queue = await setting.open()
    assert queue.warning == ""
    assert queue.peek(999) == expected
    assert queue.state().levels[H].delayed == 1
    assert queue.state().paused == {"yahoo"}
    assert queue.status(busy.job.job_id) is JobStatus.COMPLETED
    await queue.close()


async def test_a_job_that_cannot_be_read_is_dropped_alone(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job(f"j{n}") for n in range(3)])
    await queue.close()
    with sqlite3.connect(setting.path) as db:
        db.execute("UPDATE jobs SET body = x'93a1' WHERE seq = 2")
    db.close()
    queue = await setting.open()
    assert "1 jobs" in queue.warning
    assert queue.known(["j0", "j1", "j2"]) == [True, False, True]
    await queue.put([job("j1")])
    assert await drain(queue) == ["j0", "j2", "j1"]
    await queue.close()


async def test_a_path_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    queue = EmbeddedQueue(tmp_path / "file" / "queue.sqlite", clock=VirtualClock())
    with pytest.raises(StoreError, match=r"queue\.sqlite"):
        await queue.open()


# ---- a full disk ----


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[EmbeddedSetting, Callable[[], None], Callable[[], None]]]:
    """Give a setting, a way to fill its disk and one to make space again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, check=False)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    filler = folder / "filler"

    def fill() -> None:
        try:
            with filler.open("wb", buffering=0) as file:
                while file.write(bytes(PAGE)):
                    pass
        except OSError:
            return

    if mounted.returncode == 0:
        yield EmbeddedSetting(folder), fill, filler.unlink
        subprocess.run(["umount", "-l", folder], check=True)
    else:
        setting = EmbeddedSetting(folder)
        yield (
            setting,
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE, limits[1])),
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits),
        )
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_what_a_full_disk_refuses_did_not_happen(
    full: tuple[EmbeddedSetting, Callable[[], None], Callable[[], None]],
) -> None:
    setting, fill, make_space = full
    queue = await setting.open()
    await queue.put([job("spx", H, 0.8, symbol="SPX", as_of=1.0), job("other", M)])
    await queue.put([job(name, C) for name in ("acked", "buried", "retried")])
    acked, buried, retried = [await take(queue) for _ in range(3)]
    fill()
    before, counts = queue.peek(99), queue.state()
    many = [job(f"x{n}", C) for n in range(2000)]
    with pytest.raises(StoreError, match="nothing was changed"):
        await queue.put([*many, job("newer", H, 0.75, symbol="SPX", as_of=2.0)])
    # Small changes may still find room in what SQLite has reserved: go on until even those are refused.
    while True:
        try:
            await queue.pause("cboe")
            await queue.resume("cboe")
        except StoreError:
            break
    assert queue.peek(99) == before
    assert queue.state() == counts
    for act in (
        lambda: queue.claim("w", LEVELS, 5.0),
        lambda: queue.ack(acked),
        lambda: queue.bury(buried, "x"),
        lambda: queue.retry(retried, 0.0, "x"),
        lambda: queue.relevel(["spx"], C, 0.9, 30.0, "x"),
        lambda: queue.pause("cboe"),
        lambda: queue.stop_all(True),
    ):
        with pytest.raises(StoreError):
            await act()
        assert queue.peek(99) == before
        assert queue.state() == counts
    assert queue.known(["x0", "newer"]) == [False, False]

    make_space()
    await queue.ack(acked)
    await queue.bury(buried, "x")
    await queue.retry(retried, 0.0, "x")
    await queue.put([*many[:3], job("newer", H, 0.75, symbol="SPX", as_of=2.0)])
    order = queue.peek(99)
    assert len(order) == 7
    await queue.close()
    queue = await setting.open()
    assert queue.peek(99) == order
    assert (queue.status("acked"), queue.status("buried")) == (JobStatus.COMPLETED, JobStatus.DEAD)
    await queue.close()


async def test_a_claim_in_flight_when_the_disk_fills_brings_nothing_back(
    full: tuple[EmbeddedSetting, Callable[[], None], Callable[[], None]],
) -> None:
    setting, fill, make_space = full
    queue = await setting.open()
    await queue.put([job("there", M)])
    before = queue.peek(9)
    fill()
    while True:  # until SQLite's own reserve is used up
        try:
            await queue.pause("yahoo")
            await queue.resume("yahoo")
        except StoreError:
            break
    many = [job(f"c{n}", C) for n in range(500)]
    for _ in range(10):  # which group a claim falls into is up to the thread
        putting = asyncio.ensure_future(queue.put(many))
        moving = asyncio.ensure_future(queue.relevel(["there"], C, 1.0, 30.0, "x"))
        await asyncio.sleep(0)
        while queue._journal._waiting:
            time.sleep(0)
        claims = [asyncio.ensure_future(queue.claim("w", LEVELS, 5.0)) for _ in range(3)]
        outcomes = await asyncio.gather(putting, moving, *claims, return_exceptions=True)
        assert all(isinstance(outcome, StoreError) for outcome in outcomes[:2])
        assert all(isinstance(outcome, StoreError) or outcome is None for outcome in outcomes[2:])
        assert queue.peek(9) == before
        assert queue.known(["there", "c0", "c499"]) == [True, False, False]
        assert [depth.processing for depth in queue.state().levels.values()] == [0, 0, 0, 0]
    make_space()
    assert await drain(queue) == ["there"]
    await queue.close()


# ---- what else the file owes ----


async def test_every_commit_is_synced(queue: EmbeddedQueue) -> None:
    writer = queue._journal._writer
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL; a power cut cannot be had in a test
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_job_offered_again_between_its_last_sync_and_the_word_of_it_stays_finished(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    one = job("j")
    await queue.put([one])
    acking = asyncio.ensure_future(queue.ack(await take(queue)))
    await asyncio.sleep(0)
    while not queue._journal.statuses(["j"]):  # on the disk, and the event loop does not know it yet
        time.sleep(0)
    assert queue.status("j") is JobStatus.PROCESSING
    await queue.put([one])
    await acking
    await queue.close()
    queue = await setting.open()
    assert queue.peek(9) == []
    assert queue.status("j") is JobStatus.COMPLETED
    await queue.close()


async def test_finished_jobs_cost_no_memory_and_are_pruned_by_age(setting: EmbeddedSetting, queue: EmbeddedQueue) -> None:
    await queue.put([job(f"a{n:04d}") for n in range(2500)])
    await asyncio.gather(*[_work_off(queue) for _ in range(50)])
    await setting.pass_time(100.0)
    await queue.put([job("b")])
    await queue.ack(await take(queue))
    assert queue._entries == {}
    assert all(queue.known([f"a{n:04d}" for n in range(2500)]))
    assert await queue.prune(NOON + 50.0) == 2500
    assert not any(queue.known([f"a{n:04d}" for n in range(2500)]))
    assert queue.status("b") is JobStatus.COMPLETED
    assert await queue.prune(NOON + 50.0) == 0


async def _work_off(queue: EmbeddedQueue) -> None:
    while claim := await queue.claim("w", LEVELS, 60.0):
        await queue.ack(claim)


async def test_a_retry_is_not_held_longer_by_a_clock_that_went_back(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job("j")])
    await queue.retry(await take(queue), 30.0, "x")
    await queue.close()
    setting.clock = VirtualClock(NOON - 3600.0)
    queue = await setting.open()
    assert queue.state().levels[M].delayed == 1
    await setting.pass_time(31.0)
    assert ids(queue.peek(9)) == ["j"]
    await queue.close()


async def test_a_lease_ends_by_the_monotonic_clock(setting: EmbeddedSetting) -> None:
    class Stepping(VirtualClock):
        step = 0.0

        def now(self) -> float:
            return super().now() + self.step

    setting.clock = clock = Stepping(NOON)
    queue = await setting.open()
    await queue.put([job("j")])
    claim = await take(queue, lease_s=5.0)
    clock.step = 3600.0
    assert await queue.rescue() == []
    clock.step = -3600.0
    await clock.advance(5.0)
    assert ids(await queue.rescue()) == ["j"]
    with pytest.raises(LeaseLost):
        await queue.ack(claim)
    await queue.close()


async def test_many_changes_share_a_commit(setting: EmbeddedSetting, queue: EmbeddedQueue) -> None:
    wal = setting.path.with_name("queue.sqlite-wal")

    async def bytes_for(puts: list[list[str]]) -> int:
        before = wal.stat().st_size
        await asyncio.gather(*(queue.put([job(name, M) for name in names]) for names in puts))
        return wal.stat().st_size - before

    one_by_one = 0
    for n in range(64):
        one_by_one += await bytes_for([[f"a{n}"]])
    together = await bytes_for([[f"b{n}"] for n in range(64)])
    assert together * 4 < one_by_one  # each commit writes whole pages


async def test_a_closed_queue_refuses_and_keeps_nothing_half_done(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job("j")])
    await queue.close()
    with pytest.raises(StoreError, match="closed"):
        await queue.put([job("k", Level.CRITICAL)])
    assert ids(queue.peek(9)) == ["j"]


async def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    setting = EmbeddedSetting(tmp_path / "state")
    queue = await setting.open()
    await queue.put([job("j")])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in setting.path.parent.iterdir()}
    assert modes == dict.fromkeys(("queue.sqlite", "queue.sqlite-wal", "queue.sqlite-shm"), 0o600)
    assert stat.S_IMODE(setting.path.parent.stat().st_mode) == 0o700
    await queue.close()
