"""Embedded queues over one journal, on a virtual clock."""

from pathlib import Path

from virtual_clock import VirtualClock

from gexdesk.queues.base import Queue, QueueState
from gexdesk.queues.embedded import EmbeddedQueue
from tests.contracts.queue_setting import NOON


class EmbeddedSetting:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "queue.sqlite"
        self.clock = VirtualClock(NOON)

    async def open(self) -> EmbeddedQueue:
        queue = EmbeddedQueue(self.path, clock=self.clock)
        await queue.open()
        return queue

    async def pass_time(self, seconds: float) -> None:
        await self.clock.advance(seconds)

    def now(self) -> float:
        return self.clock.now()

    async def state(self, queue: Queue) -> QueueState:
        return queue.state()
