"""The embedded queue against raw ZPOPMIN, one by one, on a server of the same run.

Z is that reference, in jobs a second: redis-py on an event loop, as this queue is; without a loop the same client is faster,
and shown. Puts and completions are durable: each call is counted once its commit is synced. Z is measured again beside every
round of a throughput, and the best of each counts: on a busy machine both wait together.
"""

import asyncio
import gc
import heapq
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gexdesk.model.clock import SystemClock
from gexdesk.model.job import Claim, Job
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level
from gexdesk.queues.embedded import EmbeddedQueue
from tests.bench import Row, rate, row
from tests.bench._valkey import blocking_zpopmin_per_s, server, zpopmin_per_s

SOURCES = 30
LEASE_S = 300.0
GRACE_S = 0.005
ROUNDS = 7


def rows() -> list[Row]:
    """Measure all."""
    with server() as port, _folder() as folder:
        z = asyncio.run(zpopmin_per_s(port))
        return [
            rate("Z: raw ZPOPMIN, one by one", z, "jobs/s"),
            rate("the same without an event loop", blocking_zpopmin_per_s(port), "jobs/s", reference=z),
            rate("H: heapq.heappop", _heap_per_s(), "jobs/s", reference=z),
            *_run(_puts(folder, port)),
            *_run(_drain(folder, port)),
            *_run(_critical(folder)),
            *_run(_recovery(folder)),
            *_run(_relevel(folder)),
            *_run(_inversions(folder)),
            *_run(_depth(folder)),
        ]


# ---- throughput ----


async def _against_z(name: str, port: int, measure: Callable[[], Awaitable[float]], target: float | None = None) -> Row:
    """Judge the best of some rounds against the best Z in between."""
    value = z = 0.0
    for _ in range(ROUNDS):
        z = max(z, await zpopmin_per_s(port, rounds=1))
        value = max(value, await measure())
    return rate(name, value, "jobs/s", reference=z, target=target)


async def _puts(folder: Path, port: int) -> list[Row]:
    async def by_producers(producers: int, size: int, count: int) -> float:
        """Return the jobs a second of so many producers that put so many at once."""
        queue = await _open(folder)
        rounds = count // size // producers
        batches = [iter([_jobs(size) for _ in range(rounds)]) for _ in range(producers)]

        async def produce(mine: Iterator[list[Job]]) -> None:
            for jobs in mine:
                await queue.put(jobs)

        took = await _timed(lambda: asyncio.gather(*map(produce, batches)))
        await queue.close()
        return rounds * size * producers / took

    return [
        await _against_z("durable put, one producer, one by one", port, lambda: by_producers(1, 1, 1000)),
        await _against_z("durable put, 64 producers, one by one", port, lambda: by_producers(64, 1, 16_000), target=3.0),
        await _against_z("durable put, by 1,000", port, lambda: by_producers(1, 1000, 60_000), target=15.0),
    ]


async def _drain(folder: Path, port: int) -> list[Row]:
    async def by_slots(slots: int, count: int) -> float:
        """Return the no-op jobs a second of so many slots, each of which completes one before it claims the next."""
        queue = await _filled(folder, count)

        async def work() -> None:
            while claim := await queue.claim("w", LEVELS, LEASE_S):
                await queue.ack(claim)

        took = await _timed(lambda: asyncio.gather(*[work() for _ in range(slots)]))
        await queue.close()
        return count / took

    async def batched(count: int, size: int) -> float:
        """Return the no-op jobs a second of four slots that claim one by one and complete many together."""
        queue = await _filled(folder, count)

        async def work() -> None:
            ending: list[Awaitable[None]] = []
            while claim := await queue.claim("w", LEVELS, LEASE_S):
                ending.append(queue.ack(claim))
                if len(ending) == size:
                    await _all(ending)
                    ending = []
            await _all(ending)

        took = await _timed(lambda: asyncio.gather(*[work() for _ in range(4)]))
        await queue.close()
        return count / took

    return [
        await _against_z("drain, 4 slots, each completion awaited", port, lambda: by_slots(4, 4000)),
        await _against_z("drain, batched completions", port, lambda: batched(40_000, 1000), target=8.0),
    ]


# ---- latency behind a backlog ----


async def _critical(folder: Path) -> list[Row]:
    queue = await _filled(folder, 100_000, levels=LEVELS[1:])
    took: list[float] = []
    for one in _jobs(1000, (Level.CRITICAL,)):
        began = time.perf_counter()
        putting = asyncio.ensure_future(queue.put([one]))
        await asyncio.sleep(0)
        claim = await queue.claim("w", (Level.CRITICAL,), LEASE_S)
        took.append(time.perf_counter() - began)
        assert claim is not None
        assert claim.job.job_id == one.job_id
        await putting
        await queue.ack(claim)
    took.sort()
    pauses = []
    for _ in range(20):
        began = time.perf_counter()
        await queue.pause("s1")
        await queue.resume("s1")
        pauses.append(time.perf_counter() - began)
    await queue.close()
    return [
        row("CRITICAL put to claim behind 100k, median", 1e6 * took[500], "us", target=100.0),
        row("CRITICAL put to claim behind 100k, p99", 1e6 * took[990], "us", target=1000.0),
        row("pause and resume a source of a 100k backlog, durable", 1e3 * statistics.median(pauses), "ms"),
    ]


async def _recovery(folder: Path) -> list[Row]:
    path = folder / "recovery.sqlite"
    queue = EmbeddedQueue(path, clock=SystemClock())
    await queue.open()
    for _ in range(100):
        await queue.put(_jobs(1000))
    await queue.close()
    best = float("inf")
    for _ in range(5):
        gc.collect()
        queue = EmbeddedQueue(path, clock=SystemClock())
        took = await _timed(queue.open)
        assert sum(queue.state().by_source.values()) == 100_000
        best = min(best, took)
        await queue.close()
        del queue
    return [row("recovery of 100k jobs", best, "s", target=0.5)]


async def _relevel(folder: Path) -> list[Row]:
    queue = await _filled(folder, 50_000, levels=LEVELS[2:])
    names = [job.job_id for number in range(SOURCES) for job in await queue.jobs_of(f"s{number}")][:10_000]
    longest = 0.0
    watching = True

    async def watch() -> None:
        nonlocal longest
        seen = time.perf_counter()
        while watching:
            await asyncio.sleep(0)
            longest = max(longest, -seen + (seen := time.perf_counter()))

    gc.collect()
    watcher = asyncio.ensure_future(watch())
    await asyncio.sleep(0)
    began = time.perf_counter()
    for level, score in ((Level.HIGH, 0.8), (Level.LOW, 0.1)):
        assert await queue.relevel(names, level, score, DEFAULT_PROMISE_S[level], "bench") == 10_000
    took = (time.perf_counter() - began) / 2
    watching = False
    await watcher
    await queue.close()
    return [
        row("relevel of 10k jobs, durable", 1e3 * took, "ms"),
        row("relevel of 10k jobs, longest stop of the event loop", 1e3 * longest, "ms", target=50.0),
    ]


async def _inversions(folder: Path) -> list[Row]:
    """Count dispatches of a job while one of a stricter level was visible, for longer than the grace where it came live."""
    queue = await _filled(folder, 20_000)
    preloaded, rank = 0, 0
    while claim := await queue.claim("w", LEVELS, LEASE_S):
        preloaded += claim.job.level.rank < rank
        rank = max(rank, claim.job.level.rank)
    await queue.close()

    queue = await _open(folder)
    waiting: dict[str, tuple[int, float]] = {}
    count, live, dispatched = 20_000, 0, 0
    claimed: list[Claim] = []

    async def produce(number: int) -> None:
        chance = random.Random(number)
        for job in _jobs(count // 4):
            putting = queue.put([job])
            waiting[job.job_id] = job.level.rank, time.perf_counter()
            await putting
            await asyncio.sleep(chance.random() / 2000)

    async def work() -> None:
        nonlocal live, dispatched
        while dispatched < count // 4 * 4:
            claim = await queue.claim("w", LEVELS, LEASE_S)
            if claim is None:
                await queue.wait(LEVELS, 0.01)
                continue
            now, rank = time.perf_counter(), claim.job.level.rank
            live += any(other < rank and since < now - GRACE_S for other, since in waiting.values())
            waiting.pop(claim.job.job_id, None)
            dispatched += 1
            claimed.append(claim)
            if dispatched % 3 == 0:
                await asyncio.sleep(0.0002)

    await asyncio.gather(*[produce(number) for number in range(4)], *[work() for _ in range(4)])
    await queue.close()
    return [
        row("inversions, preloaded, of 20,000 dispatches", preloaded, "", target=0.0),
        row("inversions, live, at 5 ms grace", live, "", target=0.0),
    ]


async def _depth(folder: Path) -> list[Row]:
    """Compare put, claim and ack of a job where 1,000 wait and where a million do."""
    small, large = await _filled(folder, 1000), await _filled(folder, 1_000_000)
    gc.freeze()
    best = [float("inf"), float("inf")]
    for _ in range(12):
        for place, queue in enumerate((small, large)):
            jobs = _jobs(1000)
            began = time.perf_counter()
            await queue.put(jobs)
            await _all([queue.ack(await _claimed(queue)) for _ in jobs])
            best[place] = min(best[place], (time.perf_counter() - began) / len(jobs))
    await small.close()
    await large.close()
    gc.unfreeze()
    return [row("put, claim and ack of one job at 1M queued against 1k", 1e6 * best[1], "us", reference=1e6 * best[0], target=1.3)]


# ---- what they share ----


_made = 0


def _jobs(count: int, levels: tuple[Level, ...] = LEVELS) -> list[Job]:
    global _made  # noqa: PLW0603
    chance, now = random.Random(_made), time.time()
    jobs = []
    for _ in range(count):
        _made += 1
        level = chance.choice(levels)
        low, high = level.band
        promise = DEFAULT_PROMISE_S[level]
        score = round(chance.uniform(low, high), 4)
        deadline = None if promise is None else now + promise
        jobs.append(Job(f"{_made:020x}", f"s{_made % SOURCES}", f"N{_made}", level, score, _made % 3, now, now, deadline))
    return jobs


async def _open(folder: Path) -> EmbeddedQueue:
    queue = EmbeddedQueue(Path(tempfile.mkdtemp(dir=folder)) / "queue.sqlite", clock=SystemClock())
    await queue.open()
    return queue


async def _filled(folder: Path, count: int, levels: tuple[Level, ...] = LEVELS) -> EmbeddedQueue:
    queue = await _open(folder)
    for _ in range(count // 1000):
        await queue.put(_jobs(1000, levels))
    return queue


async def _claimed(queue: EmbeddedQueue) -> Claim:
    claim = await queue.claim("w", LEVELS, LEASE_S)
    assert claim is not None
    return claim


async def _all(ending: list[Awaitable[None]]) -> None:
    for one in ending:
        await one


async def _timed(act: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await act()
    return time.perf_counter() - began


def _run(measure: Awaitable[list[Row]]) -> list[Row]:
    async def wait() -> list[Row]:
        return await measure

    gc.collect()
    return asyncio.run(wait())


def _heap_per_s() -> float:
    best = 0.0
    for _ in range(3):
        heap = [(random.random(), number) for number in range(100_000)]
        heapq.heapify(heap)
        began = time.perf_counter()
        while heap:
            heapq.heappop(heap)
        best = max(best, 100_000 / (time.perf_counter() - began))
    return best


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-queue-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
