"""The embedded queue keeps every promise of a queue."""

from pathlib import Path

import pytest

from gexdesk.queues.embedded import EmbeddedQueue
from tests.contracts.queue_contract import QueueContract, VirtualClock


class EmbeddedSetting:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "queue.sqlite"
        self.clock = VirtualClock()

    async def open(self) -> EmbeddedQueue:
        queue = EmbeddedQueue(self.path, clock=self.clock)
        await queue.open()
        return queue

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestEmbeddedQueue(QueueContract):
    @pytest.fixture
    def setting(self, tmp_path: Path) -> EmbeddedSetting:
        return EmbeddedSetting(tmp_path)
