"""What a queue owes those who listen to what happens in it."""

import asyncio
from collections.abc import AsyncIterator

from gexdesk.model.event import QueueEvent
from gexdesk.model.job import Place
from gexdesk.model.level import LEVELS
from gexdesk.queues.base import Queue
from tests.contracts.queue_setting import Setting, job, take

C, H, M, L = LEVELS


async def hear(events: AsyncIterator[QueueEvent], count: int) -> list[QueueEvent]:
    """Return the next events, lost ones counted."""
    heard: list[QueueEvent] = []
    async with asyncio.timeout(10):
        while len(heard) + sum(event.missed for event in heard) < count:
            heard.append(await anext(events))
    return heard


class Telling:
    """Part of ``QueueContract``."""

    async def test_a_listener_hears_a_job_s_whole_way(self, queue: Queue, setting: Setting) -> None:
        began, events = setting.now(), queue.events()
        await queue.put([job("j", M)])
        await queue.relevel(["j"], H, 0.8, 300.0, "x", place=Place.ESCALATED)
        await queue.retry(await take(queue), 5.0, "x")
        await setting.pass_time(6.0)
        await take(queue, lease_s=1.0)
        await setting.pass_time(2.0)
        await queue.rescue()
        await queue.bury(await take(queue), "x")
        await queue.revive(["j"])
        await queue.ack(await take(queue))
        heard = await hear(events, 11)
        assert [event.kind for event in heard] == [
            "queued", "moved", "claimed", "retried", "claimed", "rescued", "claimed", "dead", "queued", "claimed", "completed",
        ]  # fmt: skip
        assert {(event.job_id, event.source) for event in heard} == {("j", "cboe")}
        assert [event.level for event in heard] == [M] + [H] * 10
        assert [event.missed for event in heard] == [0] * 11
        times = [event.at for event in heard]
        assert times == sorted(times)
        assert began <= times[0] <= times[-1] <= setting.now()

    async def test_pauses_the_kill_switch_and_cancels_are_told(self, queue: Queue) -> None:
        await queue.put([job("before")])
        events = queue.events()
        await queue.pause("cboe")
        await queue.cancel(["before"], "x")
        await queue.resume("cboe")
        await queue.stop_all(True)
        await queue.stop_all(False)
        assert [(e.kind, e.source, e.job_id, e.level) for e in await hear(events, 5)] == [
            ("paused", "cboe", "", None),
            ("dead", "cboe", "before", M),
            ("resumed", "cboe", "", None),
            ("paused", "", "", None),
            ("resumed", "", "", None),
        ]

    async def test_a_superseded_job_is_told_as_moved(self, queue: Queue) -> None:
        events = queue.events()
        await queue.put([job("old", H, symbol="SPX", as_of=1.0)])
        await queue.put([job("new", H, symbol="SPX", as_of=2.0)])
        heard = {(event.kind, event.job_id, event.level) for event in await hear(events, 3)}
        assert heard == {("queued", "old", H), ("queued", "new", H), ("moved", "old", L)}

    async def test_every_listener_hears_all_and_only_from_its_call_on(self, queue: Queue) -> None:
        first = queue.events()
        await queue.put([job("a")])
        assert [event.job_id for event in await hear(first, 1)] == ["a"]
        second = queue.events()
        await queue.put([job("b")])
        assert [event.job_id for event in await hear(first, 1)] == ["b"]
        assert [event.job_id for event in await hear(second, 1)] == ["b"]

    async def test_a_slow_listener_loses_the_oldest_and_learns_how_many(self, queue: Queue) -> None:
        events = queue.events()
        for at in range(0, 4000, 500):
            await queue.put([job(f"j{at + n:04d}") for n in range(500)])
        heard = await hear(events, 4000)
        assert sum(1 + event.missed for event in heard) == 4000
        assert [event.job_id for event in heard] == [f"j{n:04d}" for n in range(4000 - len(heard), 4000)]
        assert len(heard) >= 1000
        await queue.put([job("next")])
        assert [(event.job_id, event.missed) for event in await hear(events, 1)] == [("next", 0)]

    async def test_listening_ends_with_the_queue(self, queue: Queue) -> None:
        events = queue.events()
        await queue.put([job("j")])
        await hear(events, 1)
        waiting = asyncio.ensure_future(anext(events, None))
        await asyncio.sleep(0)
        await queue.close()
        assert await asyncio.wait_for(waiting, 5) is None
