"""kill -9 of an engine at every step of its queue in Redis, and of the server in the middle of a burst.

What was said to be put is there afterwards, what was said to be done is not done again, and no attempt is lost count of.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Sequence
from typing import Any, NamedTuple

from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import LeaseLost, QueueAway
from gexdesk.model.job import Claim, JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.redis import RedisQueue
from tests.contracts.queue_setting import job
from tests.queues.valkey_server import ValkeyServer

STEPS = ("put", "claim", "ack", "retry")
MOMENTS = ("before", "sent", "answered")
_FORK = multiprocessing.get_context("fork")


class Outcome(NamedTuple):
    """Count what happened; ``lost`` and ``twice`` are jobs."""

    engine_kills: int
    server_kills: int
    put: int
    done: int
    lost: int
    twice: int

    @property
    def sound(self) -> bool:
        """Say whether every promise held, on enough kills to say so."""
        return not (self.lost or self.twice) and self.engine_kills >= 5 * len(STEPS) and self.server_kills >= 3 and self.done > 0


def run(full: bool) -> Outcome:
    """Kill the engine 200 times a step, or 5; the server 30 times, or 3."""
    server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    try:
        rounds = [_engine_dies(server, step, MOMENTS[at % 3], f"{step}{at}") for step in STEPS for at in range(200 if full else 5)]
        bursts = [asyncio.run(_server_dies(server, f"burst{at}")) for at in range(30 if full else 3)]
    finally:
        server.close()
    totals = [sum(figures) for figures in zip(*rounds, *bursts, strict=True)]
    return Outcome(len(rounds), len(bursts), *totals)


# ---- the engine ----


def _engine_dies(server: ValkeyServer, step: str, moment: str, prefix: str) -> tuple[int, int, int, int]:
    heard, said = _FORK.Pipe(duplex=False)
    victim = _FORK.Process(target=_live, args=(server, step, moment, prefix, said))
    victim.start()
    said.close()
    words: list[tuple[str, str, int]] = []
    while True:
        try:
            words.append(heard.recv())
        except EOFError:
            break
    victim.join()
    assert victim.exitcode == -signal.SIGKILL, f"the engine did not die at {step} {moment}: {victim.exitcode}"
    return asyncio.run(_afterwards(server, prefix, words))


def _live(server: ValkeyServer, step: str, moment: str, prefix: str, said: Any) -> None:
    asyncio.run(_work_until_killed(server, step, moment, prefix, said))


async def _work_until_killed(server: ValkeyServer, step: str, moment: str, prefix: str, said: Any) -> None:
    queue = RedisQueue(server.client(), prefix=prefix, engine="victim", clock=SystemClock())
    await queue.open()
    for at in range(4):
        await queue.put([job(f"{prefix}-{at}")])
        said.send(("put", f"{prefix}-{at}", 0))
    _die_at(queue, step.encode(), moment)
    await queue.put([job(f"{prefix}-4")])
    said.send(("put", f"{prefix}-4", 0))
    for _ in range(2):
        claim = await queue.claim("w", LEVELS, 60.0)
        assert claim is not None
        said.send(("claim", claim.job.job_id, claim.job.attempt))
        if step == "retry":
            await queue.retry(claim, 0.0, "x")
        await queue.ack(claim)
        said.send(("done", claim.job.job_id, 0))


def _die_at(queue: RedisQueue, act: bytes, moment: str) -> None:
    line = queue._line
    exchange = line._exchange

    async def deadly(function: str, body: Sequence[bytes]) -> bytes:
        if act not in body[0]:
            return await exchange(function, body)
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if moment == "sent":
            read = line._connection.read_response

            async def never(*_: object, **__: object) -> object:
                os.kill(os.getpid(), signal.SIGKILL)
                return await read()

            line._connection.read_response = never
        await exchange(function, body)
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    line._exchange = deadly  # type: ignore[method-assign]


async def _afterwards(server: ValkeyServer, prefix: str, words: Sequence[tuple[str, str, int]]) -> tuple[int, int, int, int]:
    put = [job_id for verb, job_id, _ in words if verb == "put"]
    done = {job_id for verb, job_id, _ in words if verb == "done"}
    attempts = {job_id: attempt for verb, job_id, attempt in words if verb == "claim"}
    client = server.client()
    queue = RedisQueue(client, prefix=prefix, engine="victim", clock=SystemClock())
    await queue.open()
    assert queue.warning == ""  # nothing had to be mended
    again: list[str] = []
    while claim := await queue.claim("w", LEVELS, 60.0):
        assert claim.job.attempt > attempts.get(claim.job.job_id, 0), "an attempt was not counted"
        again.append(claim.job.job_id)
        await queue.ack(claim)
    ended = [job_id for job_id in put if await queue.status(job_id) is JobStatus.COMPLETED]
    await queue.close()
    await client.aclose()
    twice = len([job_id for job_id in again if job_id in done]) + len(again) - len(set(again))
    return len(put), len(done) + len(again), len(put) - len(ended), twice


# ---- the server ----


async def _server_dies(server: ValkeyServer, prefix: str) -> tuple[int, int, int, int]:
    client = server.client()
    queue = RedisQueue(client, prefix=prefix, engine="one", clock=SystemClock())
    await queue.open()
    put: list[str] = []
    done: list[str] = []
    over = asyncio.Event()

    async def produce(name: str) -> None:
        at = 0
        while not over.is_set():
            await queue.put([job(f"{prefix}-{name}{at}", Level.HIGH)])
            put.append(f"{prefix}-{name}{at}")
            at += 1

    async def work() -> None:
        while not over.is_set() or len(done) < len(put):
            try:
                claim = await queue.claim("w", LEVELS, 60.0)
                if claim is None:
                    await queue.wait(LEVELS, 0.05)
                    continue
            except QueueAway:
                continue
            if await _ended(queue, claim):
                done.append(claim.job.job_id)

    working = [asyncio.ensure_future(part) for part in (produce("a"), produce("b"), work(), work())]
    await asyncio.sleep(0.1)
    server.kill()
    await asyncio.sleep(0.05)
    server.start()
    await asyncio.sleep(0.1)
    over.set()
    async with asyncio.timeout(20):
        await asyncio.gather(*working)
    await queue.close()
    await client.aclose()
    return len(put), len(done), len(set(put) - set(done)), len(done) - len(set(done))


async def _ended(queue: RedisQueue, claim: Claim) -> bool:
    try:
        await queue.ack(claim)
    except LeaseLost:
        return False
    return True
