"""Tell whoever listens what happens in a queue; who reads too slowly loses the oldest, and the queue never waits."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from weakref import WeakSet

from msgspec.structs import replace

from gexdesk.model.event import EventKind, QueueEvent
from gexdesk.model.level import Level

KEPT = 1024
"""Events kept for each reader."""


class Events:
    """Fan events out to readers.

    Attributes:
        heard: Whether anybody may be listening, so that nothing is made for nobody.
    """

    def __init__(self) -> None:
        self.heard = False
        self._readers: WeakSet[_Reader] = WeakSet()  # a reader that nobody holds any more is gone
        self._ended = False

    def tell(self, kind: EventKind, at: float, job_id: str = "", source: str = "", level: Level | None = None) -> None:
        """Tell every reader."""
        event = QueueEvent(kind, job_id, source, level, at)
        for reader in self._readers:
            reader.hear(event)
        self.heard = bool(self._readers)

    def listen(self) -> AsyncIterator[QueueEvent]:
        """Return what happens from now on; ends with ``end``."""
        reader = _Reader(self._ended)
        self._readers.add(reader)
        self.heard = True
        return reader

    def end(self) -> None:
        """Let every reader come to its end once it has read what it holds."""
        self._ended = True
        for reader in self._readers:
            reader.end()


class _Reader:
    def __init__(self, ended: bool) -> None:
        self._events: deque[QueueEvent] = deque(maxlen=KEPT)
        self._missed = 0
        self._ended = ended
        self._news = asyncio.Event()

    def __aiter__(self) -> "_Reader":
        return self

    async def __anext__(self) -> QueueEvent:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        event = self._events.popleft()
        if self._missed:
            event, self._missed = replace(event, missed=self._missed), 0
        return event

    def hear(self, event: QueueEvent) -> None:
        self._missed += len(self._events) == KEPT
        self._events.append(event)
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()
