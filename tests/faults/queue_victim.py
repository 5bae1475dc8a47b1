"""A process that works with an embedded queue and kills itself at one step of one act: see ``queue_steps``.

It reads cases, a line of JSON each, and forks for every one of them. The queue is the real one; the statements to SQLite, the
notes of attempts and the turn from the disk back to the caller are counted on their way, and the step that was asked for is
the last thing the process does. What it was told by the queue before that is in a file.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from gexdesk.model.clock import SystemClock
from gexdesk.model.job import Claim, Job
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.commit import Commit
from gexdesk.queues.embedded import EmbeddedQueue

ACTS = ("put", "claim", "ack", "retry", "bury", "cancel", "revive", "relevel")
NEVER = 1_000_000


class Case(NamedTuple):
    """Say what to do and when to die.

    Attributes:
        said: The file that takes what the queue promised.
        step: Which step of the act is the last; ``NEVER`` lets it end.
    """

    folder: str
    said: str
    act: str
    step: int
    seed: int


class _Steps:
    """Count steps once armed, and die at one."""

    def __init__(self, last: int) -> None:
        self.armed = False
        self.count = 0
        self._last = last

    def step(self) -> None:
        if self.armed:
            if self.count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
            self.count += 1

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function with a step before and one after it."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.step()
            result = function(*args, **kwargs)
            self.step()
            return result

        return counted


def live(case: Case) -> None:
    """Do one case to its end, which may be sooner."""
    steps = _Steps(case.step)
    said = os.open(case.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(*words: object) -> None:
        os.write(said, (" ".join(map(str, words)) + "\n").encode())

    class Counted(sqlite3.Connection):
        execute = steps.around(sqlite3.Connection.execute)

    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Counted, **kwargs)  # type: ignore[assignment]
    os.pwrite = steps.around(os.pwrite)
    Commit.settle = steps.around(Commit.settle)  # type: ignore[method-assign]
    asyncio.run(_live(case, steps, say))


async def _live(case: Case, steps: _Steps, say: Callable[..., None]) -> None:
    chance = random.Random(case.seed)
    queue = EmbeddedQueue(Path(case.folder) / "queue.sqlite", clock=SystemClock())
    await queue.open()
    first = _jobs(chance, "a", chance.randint(5, 9))
    await queue.put(first)
    say("put", *(job.job_id for job in first))
    done, held = [await _claimed(queue, say) for _ in range(2)]
    await queue.ack(done)
    say("COMPLETED", done.job.job_id)
    if case.act == "revive":
        await queue.bury(held, "x")
        say("DEAD", held.job.job_id)
    waiting = [job.job_id for job in await queue.peek(3)]
    steps.armed = True
    match case.act:
        case "put":
            more = _jobs(chance, "b", chance.randint(1, 4))
            say("trying", *(job.job_id for job in more))
            await queue.put(more)
            say("put", *(job.job_id for job in more))
        case "claim":
            await _claimed(queue, say)
        case "ack":
            await queue.ack(held)
            say("COMPLETED", held.job.job_id)
        case "retry":
            await queue.retry(held, chance.choice((0.0, 600.0)), "x")
            say("retried", held.job.job_id)
        case "bury":
            await queue.bury(held, "x")
            say("DEAD", held.job.job_id)
        case "cancel":
            say("trying", *waiting)
            await queue.cancel(waiting, "x")
            say("DEAD", *waiting)
        case "revive":
            await queue.revive([held.job.job_id])
            say("revived", held.job.job_id)
        case "relevel":
            say("trying", *waiting)
            await queue.relevel(waiting, Level.CRITICAL, 0.95, 30.0, "raised")
            say("raised", *waiting)
    steps.armed = False
    say("steps", steps.count)
    os._exit(0)


async def _claimed(queue: EmbeddedQueue, say: Callable[..., None]) -> Claim:
    claim = await queue.claim("w", LEVELS, 60.0)
    assert claim is not None
    say("claim", claim.job.job_id, claim.job.attempt)
    return claim


def _jobs(chance: random.Random, name: str, count: int) -> list[Job]:
    return [
        Job(
            f"{name}{number}", chance.choice("xy"), chance.choice(("", "SPX", "NDX")), chance.choice(LEVELS), chance.random(), 1,
            1_790_000_000.0, float(number), None,
        )
        for number in range(count)
    ]  # fmt: skip


def main() -> None:
    """Answer each case with how its process ended, as ``os.waitpid`` says it."""
    for line in sys.stdin:
        case = Case(*json.loads(line))
        child = os.fork()
        if not child:
            try:
                live(case)
            finally:
                os._exit(1)
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
