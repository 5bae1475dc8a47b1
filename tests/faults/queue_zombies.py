"""Stop worker processes past their leases and let them go on: what they then say about a job of somebody else is refused.

A worker is a process that answers each job; the desk's pool is like that. ``run(full=False)`` stops 20, ``run(full=True)`` 1,000.
"""

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import LeaseLost
from gexdesk.model.job import Claim, Job, JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.embedded import EmbeddedQueue

STOPPED = 20
FULL_STOPPED = 1000
LEASE_S = 0.1
_AT_ONCE = 10
_WORKER = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


class Outcome(NamedTuple):
    """Count what the stopped ones brought about.

    Attributes:
        refused: Late words that were refused.
        done_twice: Late words that were taken although another had the job.
        early: Jobs given to a second worker while the first one's lease still held.
        unfinished: Jobs that did not end as COMPLETED, once.
    """

    stopped: int
    refused: int
    done_twice: int
    early: int
    unfinished: int

    @property
    def sound(self) -> bool:
        """Say whether every late word was refused and every job done."""
        return self.refused == self.stopped and not (self.done_twice or self.early or self.unfinished)


def run(full: bool) -> Outcome:
    """Stop them, some at a time."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_stop(Path(folder), FULL_STOPPED if full else STOPPED))


async def _stop(folder: Path, count: int) -> Outcome:
    queue = EmbeddedQueue(folder / "queue.sqlite", clock=SystemClock())
    await queue.open()
    pipe = asyncio.subprocess.PIPE
    workers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _WORKER, stdin=pipe, stdout=pipe) for _ in range(_AT_ONCE)
    ]
    refused = twice = early = 0
    for start in range(0, count, _AT_ONCE):
        names = [f"{start + number:04d}" for number in range(_AT_ONCE)]
        await queue.put([Job(name, "s", "", Level.HIGH, 0.8, 1, 1_790_000_000.0, 0.0, None) for name in names])
        claims = [await _taken(queue, LEASE_S) for _ in workers]
        for worker, claim in zip(workers, claims, strict=True):
            os.kill(worker.pid, signal.SIGSTOP)
            assert worker.stdin is not None
            worker.stdin.write(f"{claim.job.job_id}\n".encode())
        early += len(await queue.rescue())
        await asyncio.sleep(LEASE_S)
        assert len(await queue.rescue()) == _AT_ONCE
        others = [await _taken(queue, 60.0) for _ in workers]
        for other in others[::2]:  # some are through before the late word comes, some are at it still
            await queue.ack(other)
        for worker, claim in zip(workers, claims, strict=True):
            os.kill(worker.pid, signal.SIGCONT)
            assert worker.stdout is not None
            assert (await worker.stdout.readline()).decode().strip() == claim.job.job_id
            try:
                await queue.ack(claim)
            except LeaseLost:
                refused += 1
            else:
                twice += 1
        for other in others[1::2]:
            await queue.ack(other)
    for worker in workers:
        worker.kill()
        await worker.wait()
    ends = [await queue.status(f"{number:04d}") for number in range(count)]
    await queue.close()
    return Outcome(count, refused, twice, early, sum(end is not JobStatus.COMPLETED for end in ends))


async def _taken(queue: EmbeddedQueue, lease_s: float) -> Claim:
    claim = await queue.claim("w", LEVELS, lease_s)
    assert claim is not None
    return claim
