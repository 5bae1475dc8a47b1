"""The queue in Redis against raw ZPOPMIN, one by one, on the same server; both on an event loop.

Z is measured again beside every round of a throughput, and the round with the median ratio counts: on a busy machine both are
slow together. The server keeps nothing on disk, as Z's does not.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gexdesk.model.clock import SystemClock
from gexdesk.model.job import Claim, Job
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level
from gexdesk.queues.redis import RedisQueue
from tests.bench import Row, rate, row
from tests.bench._valkey import server, zpopmin_per_s

SOURCES = 30
ROUND = 600
LEASE_S = 600.0
_made = 0


def rows() -> list[Row]:
    """Measure all."""
    with server() as port:
        return asyncio.run(_rows(port))


def alone(port: int) -> tuple[float, float]:
    """Return jobs a second put one by one, and ended and claimed one by one, without anything judged."""

    async def measure() -> tuple[float, float]:
        client = Redis(port=port, retry=Retry(NoBackoff(), 0))
        queue = RedisQueue(client, prefix="peers", engine="bench", clock=SystemClock())
        await queue.open()
        try:
            put = await _put(queue, 1)
            await _put(queue, 100)
            return put, await _work(queue, 1)
        finally:
            await queue.close()
            await client.aclose()

    return asyncio.run(measure())


async def _rows(port: int) -> list[Row]:
    client = Redis(port=port, retry=Retry(NoBackoff(), 0))
    queue = RedisQueue(client, prefix="bench", engine="bench", clock=SystemClock())
    await queue.open()
    found = [
        await _against_z("put, one by one", port, lambda: _put(queue, 1), 0.9),
        await _against_z("put, by 100", port, lambda: _put(queue, 100), 12.0),
        await _against_z("ack + claim in one call, one by one", port, lambda: _work(queue, 1), 0.8),
        await _against_z("ack + claim in one call, by 10", port, lambda: _work(queue, 10), 3.5),
    ]
    found += await _deep(queue, client)
    await queue.close()
    await client.aclose()
    return found


async def _against_z(name: str, port: int, measure: Callable[[], Awaitable[float]], target: float) -> Row:
    rounds = []
    for _ in range(5):
        z = await zpopmin_per_s(port, rounds=1)
        rounds.append((await measure(), z))
    value, z = sorted(rounds, key=lambda pair: pair[0] / pair[1])[2]
    return rate(f"Redis: {name}", value, "jobs/s", reference=z, target=target)


def jobs(count: int, levels: tuple[Level, ...] = LEVELS) -> list[Job]:
    """Make jobs of many sources, each with a symbol of its own."""
    global _made  # noqa: PLW0603
    made = []
    for _ in range(count):
        _made += 1
        level, now = levels[_made % len(levels)], time.time()
        promise = DEFAULT_PROMISE_S[level]
        deadline = None if promise is None else now + promise
        score = level.band[0] + _made % 97 / 1000
        made.append(Job(f"{_made:020x}", f"s{_made % SOURCES}", f"N{_made}", level, score, _made % 3, now, now, deadline))
    return made


async def _put(queue: RedisQueue, by: int) -> float:
    made = jobs(ROUND * (1 if by == 1 else 5))
    began = time.perf_counter()
    for at in range(0, len(made), by):
        await queue.put(made[at : at + by])
    return len(made) / (time.perf_counter() - began)


async def _work(queue: RedisQueue, by: int) -> float:
    held = [await _taken(queue) for _ in range(by)]
    began = time.perf_counter()
    for _ in range(ROUND // by):
        # Asked for at once they travel in one call: so the engine should end and begin.
        answers = await asyncio.gather(*(queue.ack(claim) for claim in held), *(_taken(queue) for _ in range(by)))
        held = [claim for claim in answers if claim is not None]
    per_s = ROUND / (time.perf_counter() - began)
    await asyncio.gather(*(queue.ack(claim) for claim in held))
    return per_s


async def _taken(queue: RedisQueue) -> Claim:
    claim = await queue.claim("w", LEVELS, LEASE_S)
    assert claim is not None
    return claim


async def _deep(queue: RedisQueue, client: Redis) -> list[Row]:
    """Measure beside few jobs and beside many."""
    while claim := await queue.claim("w", LEVELS, LEASE_S):
        await queue.ack(claim)
    low = (Level.LOW, Level.MEDIUM)
    used = (await client.info("memory"))["used_memory"]
    await _fill(queue, 1_000, low)
    shallow = await _cycle_s(queue)
    await _fill(queue, 99_000, low)
    size = ((await client.info("memory"))["used_memory"] - used) / 100_000
    raw, ours = [], []
    await client.zadd("raw", {f"{number:020x}": number for number in range(100_000)})
    for _ in range(7):
        raw.append(await _raw_critical_s(client))
        ours.append(await _critical_s(queue))
    deep = await _cycle_s(queue)
    mine, theirs = sorted(zip(ours, raw, strict=True), key=lambda pair: pair[0] / pair[1])[3]
    return [
        row("Redis: CRITICAL put + claim behind 100k / raw ZADD + ZPOPMIN", mine * 1e6, "us", reference=theirs * 1e6, target=1.2),
        row("Redis: a job's cost behind 100k / behind 1k", deep * 1e6, "us", reference=shallow * 1e6, target=1.3),
        row("Redis: memory of a queued job", size, "bytes"),
    ]  # fmt: skip


async def _fill(queue: RedisQueue, count: int, levels: tuple[Level, ...]) -> None:
    made = jobs(count, levels)
    for at in range(0, count, 500):
        await queue.put(made[at : at + 500])


async def _cycle_s(queue: RedisQueue) -> float:
    times = []
    for made in jobs(300, (Level.HIGH,)):
        began = time.perf_counter()
        await queue.put([made])
        await queue.ack(await _taken(queue))
        times.append(time.perf_counter() - began)
    return statistics.median(times)


async def _critical_s(queue: RedisQueue) -> float:
    times = []
    for made in jobs(150, (Level.CRITICAL,)):
        began = time.perf_counter()
        await queue.put([made])
        claim = await _taken(queue)
        times.append(time.perf_counter() - began)
        await queue.ack(claim)
    return statistics.median(times)


async def _raw_critical_s(client: Redis) -> float:
    times = []
    for at in range(150):
        began = time.perf_counter()
        await client.zadd("raw", {f"critical{at}": -1})
        await client.zpopmin("raw")
        times.append(time.perf_counter() - began)
    return statistics.median(times)
