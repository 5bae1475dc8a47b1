"""The journal: what a damaged file, a full disk and a restart do to the embedded queue."""

import asyncio
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from virtual_clock import VirtualClock

from gexdesk.model.errors import LeaseLost, StoreError
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.commit import Commit
from gexdesk.queues.embedded import EmbeddedQueue
from tests.contracts.queue_setting import NOON, drain, ids, job, take
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
    assert await queue.peek(9) == []
    await queue.put(jobs)
    await queue.close()
    queue = await setting.open()
    assert queue.warning == ""
    assert ids(await queue.peek(99)) == ids(jobs)
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
    expected = await queue.peek(999)
    assert len(expected) == 198
    await queue.close()

    queue = await setting.open()
    assert queue.warning == ""
    assert await queue.peek(999) == expected
    assert queue.state().levels[H].delayed == 1
    assert queue.state().paused == {"yahoo"}
    assert await queue.status(busy.job.job_id) is JobStatus.COMPLETED
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
    assert await queue.known(["j0", "j1", "j2"]) == [True, False, True]
    await queue.put([job("j1")])
    assert await drain(queue) == ["j0", "j2", "j1"]
    await queue.close()


@pytest.mark.parametrize("word", [b"COMPLETEX", b"COMP\xff\xffTED"])
async def test_an_end_that_cannot_be_read_counts_as_never_seen(setting: EmbeddedSetting, word: bytes) -> None:
    queue = await setting.open()
    await queue.put([job("j0"), job("j1")])
    await queue.ack(await take(queue))
    await queue.close()
    data = setting.path.read_bytes()
    assert data.count(b"COMPLETED") == 1
    setting.path.write_bytes(data.replace(b"COMPLETED", word))
    queue = await setting.open()
    assert await queue.statuses(["j0", "j1"]) == [None, JobStatus.QUEUED]
    await queue.put([job("j0")])
    assert sorted(await drain(queue)) == ["j0", "j1"]
    await queue.close()


async def test_a_path_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    queue = EmbeddedQueue(tmp_path / "file" / "queue.sqlite", clock=VirtualClock())
    with pytest.raises(StoreError, match=r"queue\.sqlite"):
        await queue.open()


async def test_a_second_queue_on_one_journal_is_refused(setting: EmbeddedSetting, queue: EmbeddedQueue) -> None:
    await queue.put([job("j")])
    with pytest.raises(StoreError, match=r"queue\.sqlite is open in another process"):
        await setting.open()
    opener = (
        "import asyncio, sys; from pathlib import Path; from gexdesk.model.clock import SystemClock;"
        "from gexdesk.queues.embedded import EmbeddedQueue;"
        "asyncio.run(EmbeddedQueue(Path(sys.argv[1]), clock=SystemClock()).open())"
    )
    other = subprocess.run([sys.executable, "-c", opener, setting.path], capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "is open in another process" in other.stderr
    assert await drain(queue) == ["j"]
    await queue.close()
    again = await setting.open()
    assert await again.status("j") is JobStatus.COMPLETED
    await again.close()


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
    before, counts = await queue.peek(99), queue.state()
    many = [job(f"x{n}", C) for n in range(2000)]
    with pytest.raises(StoreError, match="nothing was changed"):
        await queue.put([*many, job("newer", H, 0.75, symbol="SPX", as_of=2.0)])
    await _use_up_the_reserve(queue)
    assert await queue.peek(99) == before
    assert queue.state() == counts
    for act in (
        lambda: queue.ack(acked),
        lambda: queue.bury(buried, "x"),
        lambda: queue.retry(retried, 0.0, "x"),
        lambda: queue.relevel(["spx"], C, 0.9, 30.0, "x"),
        lambda: queue.pause("cboe"),
        lambda: queue.stop_all(True),
    ):
        with pytest.raises(StoreError):
            await act()
        assert await queue.peek(99) == before
        assert queue.state() == counts
    assert await queue.known(["x0", "newer"]) == [False, False]

    make_space()
    await queue.ack(acked)
    await queue.bury(buried, "x")
    await queue.retry(retried, 0.0, "x")
    await queue.put([*many[:3], job("newer", H, 0.75, symbol="SPX", as_of=2.0)])
    order = await queue.peek(99)
    assert len(order) == 7
    await queue.close()
    queue = await setting.open()
    assert await queue.peek(99) == order
    assert (await queue.status("acked"), await queue.status("buried")) == (JobStatus.COMPLETED, JobStatus.DEAD)
    await queue.close()


async def test_a_job_that_ran_before_its_put_was_refused(
    full: tuple[EmbeddedSetting, Callable[[], None], Callable[[], None]],
) -> None:
    setting, fill, make_space = full
    queue = await setting.open()
    await queue.put([job("there", M, 0.5)])
    fill()
    await _use_up_the_reserve(queue)
    putting = asyncio.ensure_future(queue.put([job(f"c{n}", C) for n in range(3)]))
    moving = asyncio.ensure_future(queue.relevel(["there"], H, 0.8, 30.0, "x"))
    await asyncio.sleep(0)
    claims = [await take(queue, lease_s=1.0) for _ in range(4)]  # a claim waits for no sync, and works on a full disk
    assert [claim.job.level for claim in claims] == [C, C, C, H]
    for refused in (putting, moving):
        with pytest.raises(StoreError):
            await refused
    await queue.heartbeat(claims[0], 60.0)
    await setting.pass_time(2.0)
    back = await queue.rescue()
    assert [(j.job_id, j.level, j.score, j.attempt) for j in back] == [("there", M, 0.5, 1)]
    assert await queue.known(["c0", "c1", "c2"]) == [True, False, False]
    make_space()
    await queue.ack(claims[0])
    assert [depth.processing for depth in queue.state().levels.values()] == [0, 0, 0, 0]
    assert ids(await queue.peek(9)) == ["there"]
    await queue.close()
    queue = await setting.open()
    assert await queue.known(["there", "c0", "c1", "c2"]) == [True, True, False, False]
    assert await queue.status("c0") is JobStatus.COMPLETED
    await queue.close()


class _Refusing:
    """Hold back what the journal writes next, then refuse it."""

    def __init__(self, queue: EmbeddedQueue, monkeypatch: pytest.MonkeyPatch) -> None:
        self._go, self._journal, real = threading.Event(), queue._journal, queue._journal._commit

        def commit(group: Sequence[Commit]) -> StoreError | None:
            self._go.wait()
            monkeypatch.setattr(self._journal, "_commit", real)
            return StoreError("the disk refuses")

        monkeypatch.setattr(self._journal, "_commit", commit)

    def refuse(self) -> None:
        self._go.set()


async def test_what_rests_on_a_put_that_is_refused_is_refused_with_it(
    setting: EmbeddedSetting, queue: EmbeddedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _Refusing(queue, monkeypatch)
    putting = asyncio.ensure_future(queue.put([job("x", M)]))
    await asyncio.sleep(0.02)  # it is being written
    moving = asyncio.ensure_future(queue.relevel(["x"], H, 0.8, 30.0, "jm"))
    await asyncio.sleep(0.02)  # it waits behind it
    disk.refuse()
    assert [type(found) for found in await asyncio.gather(putting, moving, return_exceptions=True)] == [StoreError, StoreError]
    await queue.put([job("x", M)])  # as a source does
    await queue.ack(await take(queue))
    await queue.close()
    queue = await setting.open()
    assert await queue.peek(9) == []
    assert await queue.status("x") is JobStatus.COMPLETED
    await queue.close()


@pytest.mark.parametrize("ends", [False, True])
async def test_a_job_that_runs_already_is_kept_by_its_second_put(
    setting: EmbeddedSetting, queue: EmbeddedQueue, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    disk = _Refusing(queue, monkeypatch)
    putting = asyncio.ensure_future(queue.put([job("x", M)]))
    await asyncio.sleep(0.02)
    claim = await take(queue, lease_s=1.0)
    disk.refuse()
    with pytest.raises(StoreError):
        await putting
    if ends:  # its end is on its way to the disk, and will be refused, too
        disk = _Refusing(queue, monkeypatch)
        acking = asyncio.ensure_future(queue.ack(claim))
        await asyncio.sleep(0.02)
        again = asyncio.ensure_future(queue.put([job("x", M)]))
        await asyncio.sleep(0.02)
        disk.refuse()
        for refused in (acking, again):
            with pytest.raises(StoreError):
                await refused
    await queue.put([job("x", M)])
    await setting.pass_time(2.0)  # its worker is dead
    assert [back.job_id for back in await queue.rescue()] == ["x"]
    await queue.ack(await take(queue))
    await queue.close()


async def _use_up_the_reserve(queue: EmbeddedQueue) -> None:
    """Go on until even the smallest change finds no room in what SQLite has reserved."""
    while True:
        try:
            await queue.pause("yahoo")
            await queue.resume("yahoo")
        except StoreError:
            return


# ---- what else the file owes ----


async def test_attempts_are_counted_beyond_what_the_notes_hold(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job("long", C), job("rescued", H)])
    long = await take(queue, lease_s=1e9)
    await take(queue, lease_s=1.0)
    await setting.pass_time(2.0)
    await queue.rescue()
    await queue.pause("cboe")
    await queue.put([job("again", L, source="yahoo")])
    for attempt in range(1, 17_000):  # more than one round of slots
        claim = await take(queue, lease_s=0.0)
        assert claim.job.attempt == attempt
        await queue.rescue()
    await queue.close()
    queue = await setting.open()
    attempts = {j.job_id: j.attempt for source in ("cboe", "yahoo") for j in await queue.jobs_of(source)}
    assert attempts == {"long": 1, "rescued": 1, "again": 16_999}
    assert long.fence == 1
    await queue.close()


async def test_notes_of_an_earlier_life_do_not_count_for_new_jobs(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job("first")])
    await queue.ack(await take(queue))
    await queue.close()
    for name in ("second", "third"):  # the arrival number of the first is free again
        queue = await setting.open()
        await queue.put([job(name)])
        await queue.close()
    queue = await setting.open()
    assert [j.attempt for j in await queue.peek(9)] == [0, 0]
    await queue.close()


async def test_damaged_notes_count_for_nothing(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job(f"j{n}") for n in range(50)])
    await queue.close()
    notes = setting.path.with_name("queue.sqlite-claims")
    notes.write_bytes(b"".join(n.to_bytes(8, "little") + b"\x07\0\0\0garb" for n in range(100)) + b"torn")
    queue = await setting.open()
    assert {j.attempt for j in await queue.peek(99)} == {0}
    assert (await take(queue)).job.attempt == 1
    await queue.close()


async def test_a_finished_job_whose_row_is_still_there_stays_finished(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job(f"j{n}") for n in range(3)])
    await queue.ack(await take(queue))
    await queue.close()
    with sqlite3.connect(setting.path) as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (3,)  # rows go many at a time
    db.close()
    for _ in range(2):
        queue = await setting.open()
        assert ids(await queue.peek(9)) == ["j1", "j2"]
        await queue.close()
    queue = await setting.open()
    await setting.pass_time(1.0)
    await queue.ack(await take(queue))
    assert await queue.prune(NOON + 99.0) == 2
    await queue.close()
    queue = await setting.open()
    assert ids(await queue.peek(9)) == ["j2"]
    await queue.close()



async def test_claims_go_on_while_many_are_moved_and_what_ends_meanwhile_stays_ended(
    setting: EmbeddedSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def until_ended(_: float) -> None:
        await ended.wait()

    monkeypatch.setattr("gexdesk.queues.embedded.asyncio", SimpleNamespace(sleep=until_ended))  # between two slices
    queue = await setting.open()
    names = [f"j{n:05d}" for n in range(1200)]
    await queue.put([job(name, M) for name in names])
    moving = asyncio.ensure_future(queue.relevel(names, H, 0.8, 300.0, "x"))
    await asyncio.sleep(0)
    claim = await take(queue)
    assert claim.job.level is H
    await queue.ack(claim)
    await queue.prune(0.0)  # forgets nobody, and drops the rows of those that have ended
    ended.set()
    assert await moving == 1200
    await queue.close()
    with sqlite3.connect(setting.path) as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (1199,)
    db.close()
    queue = await setting.open()
    assert {j.level for j in await queue.peek(9999)} == {H}
    assert await queue.status(claim.job.job_id) is JobStatus.COMPLETED
    await queue.close()


async def test_many_moves_that_a_full_disk_refuses_did_not_happen(
    full: tuple[EmbeddedSetting, Callable[[], None], Callable[[], None]],
) -> None:
    setting, fill, make_space = full
    queue = await setting.open()
    names = [f"j{n:04d}" for n in range(1200)]
    await queue.put([job(name, M, symbol=f"N{n % 700}", as_of=float(n)) for n, name in enumerate(names)])
    before = await queue.peek(9999)
    fill()
    await _use_up_the_reserve(queue)
    with pytest.raises(StoreError):
        await queue.relevel(names, H, 0.8, 300.0, "x")
    assert await queue.peek(9999) == before
    with pytest.raises(StoreError):
        await queue.cancel([before[7].job_id], "x")
    assert await queue.peek(9999) == before
    one = [before[3].job_id]
    both = (queue.relevel(one, C, 0.9, 30.0, "x"), queue.relevel(one, H, 0.8, 300.0, "x"))
    assert all(isinstance(error, StoreError) for error in await asyncio.gather(*both, return_exceptions=True))
    assert await queue.peek(9999) == before
    with pytest.raises(StoreError):
        await queue.cancel(names, "x")
    assert await queue.peek(9999) == before
    make_space()
    assert await queue.cancel(names[:600], "x") == 600
    fill()
    await _use_up_the_reserve(queue)
    with pytest.raises(StoreError):
        await queue.revive(names[:600])
    assert len(await queue.peek(9999)) == 600
    make_space()
    assert await queue.revive(names) == 600
    await queue.close()
    queue = await setting.open()
    assert len(await queue.peek(9999)) == 1200
    await queue.close()


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
    assert await queue.status("j") is JobStatus.PROCESSING
    await queue.put([one])
    await acking
    await queue.close()
    queue = await setting.open()
    assert await queue.peek(9) == []
    assert await queue.status("j") is JobStatus.COMPLETED
    await queue.close()


async def test_finished_jobs_cost_no_memory_and_are_pruned_by_age(setting: EmbeddedSetting, queue: EmbeddedQueue) -> None:
    await queue.put([job(f"a{n:04d}") for n in range(2500)])
    await asyncio.gather(*[_work_off(queue) for _ in range(50)])
    await setting.pass_time(100.0)
    await queue.put([job("b")])
    await queue.ack(await take(queue))
    assert queue._entries == {}
    assert all(await queue.known([f"a{n:04d}" for n in range(2500)]))
    assert await queue.prune(NOON + 50.0) == 2500
    assert not any(await queue.known([f"a{n:04d}" for n in range(2500)]))
    assert await queue.status("b") is JobStatus.COMPLETED
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
    assert ids(await queue.peek(9)) == ["j"]
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


def commits_in(wal: Path) -> int:
    """Count the commits in a write-ahead log: a frame's header names the database's size where it ends a transaction."""
    data = wal.read_bytes()
    page_bytes = int.from_bytes(data[8:12], "big")
    starts = range(32, len(data) - 23, 24 + page_bytes)
    return sum(int.from_bytes(data[at + 4 : at + 8], "big") > 0 for at in starts)


async def test_many_changes_share_a_commit(setting: EmbeddedSetting, queue: EmbeddedQueue) -> None:
    wal = setting.path.with_name("queue.sqlite-wal")
    before = commits_in(wal)
    for n in range(64):
        await queue.put([job(f"a{n}", M)])
    one_by_one = commits_in(wal) - before
    await asyncio.gather(*(queue.put([job(f"b{n}", M)]) for n in range(64)))
    together = commits_in(wal) - before - one_by_one
    assert one_by_one == 64
    assert 1 <= together <= 16


async def test_a_closed_queue_refuses_and_keeps_nothing_half_done(setting: EmbeddedSetting) -> None:
    queue = await setting.open()
    await queue.put([job("j")])
    await queue.close()
    with pytest.raises(StoreError, match="closed"):
        await queue.put([job("k", Level.CRITICAL)])
    assert ids(await queue.peek(9)) == ["j"]


async def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    setting = EmbeddedSetting(tmp_path / "state")
    queue = await setting.open()
    await queue.put([job("j")])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in setting.path.parent.iterdir()}
    assert modes == dict.fromkeys(("queue.sqlite", "queue.sqlite-wal", "queue.sqlite-shm", "queue.sqlite-claims"), 0o600)
    assert stat.S_IMODE(setting.path.parent.stat().st_mode) == 0o700
    await queue.close()


async def test_where_many_jobs_stand_is_one_question_for_many(queue: EmbeddedQueue) -> None:
    names = [f"j{n:04d}" for n in range(1_200)]
    await queue.put([job(name, H) for name in names])
    await asyncio.gather(*[queue.ack(await take(queue)) for _ in range(1_100)])
    asked: list[str] = []
    assert queue._journal._reader is not None
    queue._journal._reader.set_trace_callback(asked.append)
    found = await queue.statuses([*names, "unknown"])
    queue._journal._reader.set_trace_callback(None)
    assert found == [JobStatus.COMPLETED] * 1_100 + [JobStatus.QUEUED] * 100 + [None]
    assert len(asked) < 20
