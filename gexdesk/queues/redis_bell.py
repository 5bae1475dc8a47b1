"""Hear what other engines do to a shared queue: a bell that wakes sleepers, and events for those who listen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gexdesk.model.event import QueueEvent
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.events import Events
from gexdesk.queues.redis_wire import news_of

LISTENING_S = 30
"""Events are told as long as somebody has said within this time that it listens."""

_PAUSE_S = 0.5
_SUBSCRIBE_S = 1.0


class Bell:
    """Hold the subscription of one queue. While it is cut, ``heard`` is false and sleepers look for themselves."""

    def __init__(self, client: Redis, keys: str, ring: Callable[[Level, str], None]) -> None:
        """Prepare.

        Args:
            ring: Told the strictest level that came, and through which client; an empty name where that is not known.
        """
        self._client = client
        self._keys = keys
        self._ring = ring
        self._events = Events()
        self._task: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()
        self.heard = False

    async def start(self) -> None:
        """Hear from now on; a server that lets nobody subscribe is worked with all the same."""
        self._task = asyncio.create_task(self._listen(), name="redis bell")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SUBSCRIBE_S):
                await self._subscribed.wait()

    async def stop(self) -> None:
        """End every reader's events."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._events.end()

    def events(self) -> AsyncIterator[QueueEvent]:
        """Return what is heard from now on."""
        return self._events.listen()

    def relay(self, event: QueueEvent) -> None:
        """Tell readers what did not come through the server."""
        self._events.tell(event.kind, event.at, event.job_id, event.source, event.level)

    @property
    def listening(self) -> bool:
        """Say whether anybody reads events."""
        return self._events.heard

    async def _listen(self) -> None:
        while True:
            pubsub: Any = self._client.pubsub()
            try:
                async with asyncio.timeout(_SUBSCRIBE_S):
                    await pubsub.subscribe(f"{self._keys}bell", f"{self._keys}events")
                while True:
                    message = await pubsub.get_message(timeout=1.0)
                    if message is None:
                        continue
                    if message["type"] == "subscribe":
                        self.heard = True
                        self._subscribed.set()
                    elif message["type"] == "message":
                        self._take(message)
            except (RedisError, OSError, TimeoutError):
                self.heard = False
                self._ring(Level.CRITICAL, "")
            finally:
                self.heard = False
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    await pubsub.aclose()
            await asyncio.sleep(_PAUSE_S)

    def _take(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        if (channel.decode() if isinstance(channel, bytes) else channel).endswith("bell"):
            self._ring(*_told(message["data"]))
            return
        try:
            news = news_of(message["data"])
        except (msgspec.MsgspecError, TypeError):
            return  # somebody else writes to our channel
        for told in news.told:
            level = None if told.rank is False else LEVELS[told.rank]
            self._events.tell(told.kind, news.now_us / 1e6, told.job_id, told.source, level)


def _told(data: bytes | str) -> tuple[Level, str]:
    """Read what the bell says; one that another version rang says nothing."""
    rank, _, by = (data.decode(errors="replace") if isinstance(data, bytes) else data).partition(" ")
    return (LEVELS[int(rank)], by) if rank in ("0", "1", "2", "3") else (Level.CRITICAL, "")
