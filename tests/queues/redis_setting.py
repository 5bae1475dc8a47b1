"""Queues on a real server, whose clock a test moves: its library asks a key for the time where the shipped one asks TIME."""

import secrets

from redis.asyncio import Redis

from gexdesk.queues.base import QueueState
from gexdesk.queues.redis import RedisQueue
from gexdesk.queues.redis_library import Library, base, template
from tests.contracts.queue_setting import NOON
from tests.queues.valkey_server import ValkeyServer
from tests.virtual_clock import VirtualClock

_NOW = "local function now_us() local t = call('TIME') return t[1] * 1000000 + t[2] end"
assert _NOW in template()
LIBRARY = Library.of(template().replace(_NOW, "local function now_us() return tonumber(call('GET', P .. 'clock')) end"))


class RedisSetting:
    """Give queues under one prefix, one after the other, as one engine restarts, or side by side under several names."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.prefix = f"test-{secrets.token_hex(6)}"
        self.keys = base(self.prefix)
        self.clock = VirtualClock(NOON)
        self.blunt = server.blunt()
        self._now = NOON
        self._clients: list[Redis] = []

    async def open(self, engine: str = "one") -> RedisQueue:
        self._set_clock()
        client = self.server.client()
        queue = RedisQueue(client, prefix=self.prefix, engine=engine, clock=self.clock, library=LIBRARY)
        await queue.open()
        self._clients.append(client)
        return queue

    async def pass_time(self, seconds: float) -> None:
        self._now += seconds
        self._set_clock()
        await self.clock.advance(seconds)

    def step(self, seconds: float) -> None:
        """Set the server's clock, as whoever keeps its host's time does: nothing goes by."""
        self._now += seconds
        self._set_clock()

    def now(self) -> float:
        return self._now

    async def state(self, queue: RedisQueue) -> QueueState:
        await queue.refresh()
        return queue.state()

    def _set_clock(self) -> None:
        self.blunt.set(f"{self.keys}clock", round(self._now * 1e6))

    async def end(self) -> None:
        for client in self._clients:
            await client.aclose()
        self.blunt.close()
