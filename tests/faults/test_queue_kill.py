"""kill -9 while jobs go through the queue: nothing acknowledged is lost, nothing finished comes back."""

import subprocess
import sys
from pathlib import Path

import pytest

from gexdesk.model.clock import SystemClock
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS
from gexdesk.queues.embedded import EmbeddedQueue

WORKER = """
import asyncio, random, sys, time
from pathlib import Path
from gexdesk.model.clock import SystemClock
from gexdesk.model.job import Job
from gexdesk.model.level import LEVELS
from gexdesk.queues.embedded import EmbeddedQueue

def say(*words):
    print(*words, flush=True)

async def produce(queue, name, rnd):
    at = 0
    while True:
        jobs = []
        for _ in range(rnd.choice((1, 1, 5))):
            at += 1
            now = time.time()
            symbol = rnd.choice(("", "SPX", "NDX"))
            job_id, level = f"{sys.argv[2]}-{name}-{at:06d}", rnd.choice(LEVELS)
            jobs.append(Job(job_id, f"s{name}", symbol, level, rnd.random(), 1, now, now, None))
        await queue.put(jobs)
        say("put", *(job.job_id for job in jobs))

async def work(queue, rnd):
    while True:
        claim = await queue.claim("w", LEVELS, 60.0)
        if claim is None:
            await queue.wait(LEVELS, 0.01)
            continue
        say("claim", claim.job.job_id, claim.job.attempt)
        fate = rnd.random()
        if fate < 0.7:
            await queue.ack(claim)
            say("COMPLETED", claim.job.job_id)
        elif fate < 0.8:
            await queue.bury(claim, "x")
            say("DEAD", claim.job.job_id)
        elif fate < 0.9:
            await queue.retry(claim, rnd.choice((0.0, 600.0)), "x")
            say("retry", claim.job.job_id)

async def main():
    queue = EmbeddedQueue(Path(sys.argv[1]), clock=SystemClock())
    await queue.open()
    producers = [produce(queue, n, random.Random(n)) for n in range(4)]
    await asyncio.gather(*producers, *(work(queue, random.Random(n)) for n in range(6)))

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [1, 60, 600])
async def test_what_was_said_is_true_afterwards(tmp_path: Path, after: int) -> None:
    path = tmp_path / "queue.sqlite"
    put: set[str] = set()
    attempts: dict[str, int] = {}
    ended: dict[str, str] = {}
    for life in ("1", "2"):
        worker = subprocess.Popen([sys.executable, "-c", WORKER, path, life], stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        lines = [worker.stdout.readline() for _ in range(after)]
        worker.kill()
        lines += worker.stdout.read().splitlines(keepends=True)
        worker.wait()
        for verb, *words in (line.split() for line in lines if line.endswith("\n")):
            if verb == "put":
                put.update(words)
            elif verb == "claim":
                assert words[0] not in ended, "a finished job was run again"
                assert int(words[1]) > attempts.get(words[0], 0), "an attempt was not counted"
                attempts[words[0]] = int(words[1])
            elif verb in ("COMPLETED", "DEAD"):
                assert words[0] not in ended
                ended[words[0]] = verb
    assert put or attempts

    queue = EmbeddedQueue(path, clock=SystemClock())
    await queue.open()
    assert queue.warning == ""
    assert all(await queue.known(sorted(put)))
    assert {job_id: str(await queue.status(job_id)) for job_id in ended} == ended
    unfinished = {job_id for job_id in put if await queue.status(job_id) is JobStatus.QUEUED}
    queued = {job.job_id: job for source in queue.state().by_source for job in await queue.jobs_of(source)}
    assert unfinished <= queued.keys()
    assert all(queued[job_id].attempt >= attempts.get(job_id, 0) for job_id in unfinished)
    order = [job.job_id for job in await queue.peek(10**6)]
    drained = []
    while claim := await queue.claim("w", LEVELS, 60.0):
        drained.append(claim.job.job_id)
        await queue.ack(claim)
    assert drained == order
    assert len(set(drained)) == len(drained)
    assert not set(drained) & ended.keys()
    await queue.close()
