"""CRITICAL goes on while Redis is away, and both sides agree once it is back: nothing lost, nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import QueueAway
from gexdesk.model.job import Claim, Job, JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.queues.redis import RedisQueue
from gexdesk.queues.redis_bridge import BridgedQueue
from gexdesk.queues.redis_parcels import Parcels
from tests.contracts.queue_contract import QueueContract
from tests.contracts.queue_setting import ids, job
from tests.queues.redis_setting import LIBRARY, RedisSetting
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

C, H, M, L = LEVELS


class BridgedSetting(RedisSetting):
    def __init__(self, server: ValkeyServer, folder: Path) -> None:
        super().__init__(server)
        self.folder = folder

    async def open(self, engine: str = "one") -> BridgedQueue:  # type: ignore[override]
        self._set_clock()
        client = self.server.client()
        self._clients.append(client)
        far = RedisQueue(client, prefix=self.prefix, engine=engine, clock=self.clock, library=LIBRARY)
        near = EmbeddedQueue(self.folder / "bridge.sqlite", clock=self.clock)
        self.far = far
        queue = BridgedQueue(far, near, Parcels(self.folder / "parcels"))
        await queue.open()
        return queue

    async def state(self, queue: BridgedQueue):  # type: ignore[no-untyped-def, override]
        await self.far.refresh()
        return queue.state()


class TestBridgedQueue(QueueContract):
    @pytest.fixture
    async def setting(self, valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[BridgedSetting]:
        setting = BridgedSetting(valkey, tmp_path)
        yield setting
        await setting.end()


class Desk:
    """One engine's queue over a server that keeps everything, and what its worker has done."""

    def __init__(self, server: ValkeyServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.clients: list[Redis] = []
        self.done: list[str] = []
        self.endings: set[asyncio.Future[None]] = set()

    async def open(self) -> BridgedQueue:
        client = self.server.client()
        self.clients.append(client)
        self.far = RedisQueue(client, prefix="desk", engine="one", clock=SystemClock(), patience_s=3.0)
        self.near = EmbeddedQueue(self.folder / "bridge.sqlite", clock=SystemClock())
        self.queue = BridgedQueue(self.far, self.near, Parcels(self.folder / "parcels"))
        await self.queue.open()
        return self.queue

    async def work(self, levels: tuple[Level, ...] = LEVELS) -> None:
        while True:
            claim = await self.queue.claim("w", levels, 30.0)
            if claim is None:
                await self.queue.wait(levels, 0.05)
                continue
            await asyncio.sleep(0.002)
            ending = asyncio.ensure_future(self._end(claim))  # as the engine does: the slot is free before the job is COMPLETED
            self.endings.add(ending)
            ending.add_done_callback(self.endings.discard)

    async def _end(self, claim: Claim) -> None:
        while True:
            try:
                await self.queue.ack(claim)
                break
            except QueueAway:
                continue
        self.done.append(claim.job.job_id)


@pytest.fixture
def kept() -> Iterator[ValkeyServer]:
    server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.close()


@pytest.fixture
async def desk(kept: ValkeyServer, tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(kept, tmp_path)
    await desk.open()
    yield desk
    await desk.queue.close()
    for client in desk.clients:
        await client.aclose()


async def test_critical_is_taken_and_done_here_while_redis_is_away(desk: Desk) -> None:
    queue = desk.queue
    await queue.put([job("before", C), job("calm", M)])
    desk.server.kill()
    async with asyncio.timeout(1.0):
        await queue.put([job("urgent", C)], [b"its payload"])
    assert "1 CRITICAL jobs are kept" in queue.warning
    claim = await queue.claim("w", [C], 5.0, reserved=True)
    assert claim is not None
    assert claim.job.job_id == "urgent"
    assert await queue.parcel("urgent") == b"its payload"
    await queue.ack(claim)
    assert await queue.claim("w", LEVELS, 5.0) is None
    desk.server.start()
    await until(lambda: desk.queue.agreed)
    assert await desk.far.status("urgent") is JobStatus.COMPLETED
    assert ids(await queue.peek(9)) == ["before", "calm"]
    await queue.put([job("urgent", C)])
    assert ids(await queue.peek(9)) == ["before", "calm"]


async def test_what_is_not_critical_waits_for_redis_and_is_refused_in_plain_words(desk: Desk) -> None:
    desk.server.kill()
    putting = asyncio.ensure_future(desk.queue.put([job("calm", H)]))
    await asyncio.sleep(0.3)
    assert not putting.done()
    desk.server.start()
    await putting
    assert ids(await desk.queue.peek(9)) == ["calm"]
    desk.server.kill()
    with pytest.raises(QueueAway, match=r"^Redis at .* does not answer since [34] s: ConnectionError"):
        await desk.queue.put([job("later", H)])
    desk.server.start()


async def test_what_waits_here_is_handed_over_once_with_its_payload(desk: Desk) -> None:
    desk.server.kill()
    await desk.queue.put([job("a", C, 0.95), job("b", C, 0.99)], [b"pa", b"pb"])
    desk.server.start()
    await until(lambda: desk.queue.agreed)
    assert [(j.job_id, j.attempt) for j in await desk.far.peek(9)] == [("b", 0), ("a", 0)]
    assert await desk.far.parcel("a") == b"pa"
    assert await desk.near.peek(9) == []
    assert list((desk.folder / "parcels").iterdir()) == []


async def left_here(desk: Desk) -> list[str]:
    """Return what a new life of this host would find in its journal."""
    await desk.near.close()
    near = EmbeddedQueue(desk.folder / "bridge.sqlite", clock=SystemClock())
    await near.open()
    found = [j.job_id for source in near.state().by_source for j in await near.jobs_of(source)]
    await near.close()
    return found


async def test_what_waits_for_its_next_try_or_is_stopped_here_is_handed_over_too(desk: Desk) -> None:
    queue = desk.queue
    desk.server.kill()
    await queue.put([job("delayed", C, 0.99)])
    claim = await queue.claim("w", LEVELS, 30.0)
    assert claim is not None
    await queue.retry(claim, 600.0, "later")
    await queue.put([job("stopped", C)])
    await queue.stop_all(True)
    desk.server.start()
    await until(lambda: queue.agreed)
    assert await desk.far.statuses(["delayed", "stopped"]) == [JobStatus.QUEUED] * 2
    assert (await desk.near.status("delayed"), await desk.near.status("stopped")) == (None, None)
    assert await queue.claim("w", LEVELS, 30.0) is None
    await queue.stop_all(False)
    found = [one.job for one in [await queue.claim("w", LEVELS, 30.0), await queue.claim("w", LEVELS, 30.0)] if one is not None]
    assert sorted((j.job_id, j.attempt) for j in found) == [("delayed", 2), ("stopped", 1)]
    assert await left_here(desk) == []


async def test_what_a_crash_left_held_here_alone_is_seen_so_that_it_can_be_released(desk: Desk) -> None:
    await desk.near.pause("s")  # and here the engine was killed
    assert desk.queue.state().paused == {"s"}
    await desk.queue.resume("s")
    assert desk.queue.state().paused == set()


async def test_what_was_handed_over_and_then_lost_by_redis_is_not_taken_for_done(desk: Desk) -> None:
    desk.server.kill()
    await desk.queue.put([job("a", C)], [b"its payload"])
    desk.server.start()
    await until(lambda: desk.queue.agreed)
    desk.server.blunt().flushall()
    await until(lambda: desk.queue.losses == 1)
    assert await desk.queue.statuses(["a"]) == [None]
    await desk.queue.put([job("a", C)], [b"its payload"])
    assert ids(await desk.queue.peek(9)) == ["a"]
    assert await desk.queue.parcel("a") == b"its payload"


async def test_what_an_operator_does_in_the_middle_of_handing_over_is_not_undone_by_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.server.kill()
    await desk.queue.put([job("moved", C), job("cancelled", C)])
    withdraw = RedisQueue.withdraw

    async def and_an_operator_acts(self: RedisQueue, job_ids: Sequence[str]) -> Sequence[str]:
        taken = await withdraw(self, job_ids)
        await desk.near.relevel(["moved"], H, 0.5, None, "demoted")
        await desk.near.cancel(["cancelled"], "not wanted")
        return taken

    monkeypatch.setattr(RedisQueue, "withdraw", and_an_operator_acts)
    desk.server.start()
    await until(lambda: desk.queue.agreed)
    assert [(j.job_id, j.level) for j in await desk.far.peek(9)] == [("moved", H)]
    assert await desk.queue.status("cancelled") is JobStatus.DEAD


async def test_what_another_engine_works_on_meanwhile_is_forgotten_here_and_not_told_as_dead(desk: Desk) -> None:
    await until(lambda: desk.queue.agreed)
    heard: list[str] = []

    async def listen() -> None:
        async for event in desk.queue.events():
            heard.append(event.kind)

    listening = asyncio.ensure_future(listen())
    await desk.far.put([job("a", C)])
    claim = await desk.far.claim("of another engine", LEVELS, 30.0)
    assert claim is not None
    await desk.queue._keep([job("a", C)], [b"its payload"])  # the answer of its put was lost
    await until(lambda: desk.queue.agreed)
    assert await desk.queue.status("a") is JobStatus.PROCESSING
    assert await desk.near.status("a") is None
    assert list((desk.folder / "parcels").iterdir()) == []
    await desk.far.ack(claim)
    await until(lambda: "completed" in heard)
    assert "dead" not in heard
    listening.cancel()


async def test_a_crash_in_the_middle_of_handing_over_repeats_it_without_doubles(desk: Desk, tmp_path: Path) -> None:
    desk.server.kill()
    await desk.queue.put([job("a", C)])
    desk.server.start()
    for task in desk.queue._tasks:
        task.cancel()
    await until(lambda: not desk.far.away)
    await desk.far.put([job("a", C)])  # and here the engine dies: struck out there, not yet here
    await desk.near.close()
    await desk.far.close()
    queue = await desk.open()
    assert ids(await queue.peek(9)) == ["a"]
    assert await desk.near.peek(9) == []


async def test_a_put_whose_answer_was_lost_is_not_done_twice(desk: Desk) -> None:
    one = job("a", C)
    await until(lambda: desk.queue.agreed)
    desk.queue._tasks[0].cancel()  # both sides agree when this test says so
    await desk.far.put([one])  # it arrived
    await desk.queue._keep([one], [])
    claim = await desk.queue.claim("w", LEVELS, 30.0)
    assert claim is not None
    await desk.queue._agree()
    assert await desk.queue.claim("w", LEVELS, 30.0) is None
    await desk.queue.ack(claim)
    await desk.queue._agree()
    assert await desk.far.status("a") is JobStatus.COMPLETED


async def test_what_is_kept_here_while_both_sides_agree_is_not_left_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await until(lambda: desk.queue.agreed)
    keep = Parcels.keep

    async def slowly(parcels: Parcels, job_id: str, parcel: bytes) -> None:
        await keep(parcels, job_id, parcel)
        await desk.queue._agree()

    monkeypatch.setattr(Parcels, "keep", slowly)
    await desk.queue._keep([job("late", C)], [b"its payload"])
    await until(lambda: desk.queue.agreed and not desk.near.state().by_source)
    assert ids(await desk.far.peek(9)) == ["late"]


async def test_no_burst_is_lost_or_done_twice_when_the_server_dies_in_the_middle(desk: Desk) -> None:
    workers = [asyncio.ensure_future(desk.work()), asyncio.ensure_future(desk.work((C,)))]
    put: list[str] = []
    over = asyncio.Event()

    async def produce(name: str, level: Level) -> None:
        for at in count():
            if over.is_set():
                return
            made: Job = job(f"{name}{at:04d}", level)
            while True:
                try:
                    await desk.queue.put([made])
                    break
                except QueueAway:
                    continue
            put.append(made.job_id)
            await asyncio.sleep(0.003)

    producing = [asyncio.ensure_future(produce("c", C)), asyncio.ensure_future(produce("m", M))]
    for _ in range(2):
        await asyncio.sleep(0.15)
        desk.server.kill()
        await asyncio.sleep(0.25)
        before = len([name for name in desk.done if name.startswith("c")])
        await until(lambda before=before: len([n for n in desk.done if n.startswith("c")]) > before, 5.0)  # type: ignore[misc]
        desk.server.start()
    over.set()
    await asyncio.gather(*producing)
    await until(lambda: len(desk.done) >= len(put), 10.0)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(put) == sorted(desk.done)
