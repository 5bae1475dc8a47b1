"""Kill a process at every step of what it does with the embedded queue, and look at what is left.

``run(full=False)`` kills each act five times, ``run(full=True)`` 200 times, spread over all of its steps.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import IO, NamedTuple

from gexdesk.model.clock import SystemClock
from gexdesk.model.job import Job, JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.embedded import EmbeddedQueue
from tests.faults.queue_victim import ACTS, NEVER, Case

KILLS = 5
FULL_KILLS = 200
_KILLED = 9


class Outcome(NamedTuple):
    """Count what was left.

    Attributes:
        kills: By act.
        steps: By act, how many places there are to die at.
        lost: Jobs that ``put`` had acknowledged and that are unknown now.
        done_twice: Jobs that were said to be finished and run again.
        half_done: Acts on several jobs of which only some were left.
        uncounted: Claims whose attempt is not known any more.
        untrue: Anything else that had been said and does not hold.
    """

    kills: dict[str, int]
    steps: dict[str, int]
    lost: int
    done_twice: int
    half_done: int
    uncounted: int
    untrue: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Say whether every promise held."""
        return not (self.lost or self.done_twice or self.half_done or self.uncounted or self.untrue)


def run(full: bool) -> Outcome:
    """Kill."""
    with tempfile.TemporaryDirectory() as folder:
        victims = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.queue_victim"],
            cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            return _kill(Path(folder), victims, FULL_KILLS if full else KILLS)
        finally:
            assert victims.stdin is not None
            victims.stdin.close()
            victims.wait()


def _kill(folder: Path, victims: "subprocess.Popen[str]", kills: int) -> Outcome:
    assert victims.stdin is not None
    assert victims.stdout is not None
    counts: Counter[str] = Counter()
    untrue: list[str] = []
    killed: dict[str, int] = {}
    steps: dict[str, int] = {}
    for act in ACTS:
        whole = Case(str(folder / act), "", act, NEVER, 0)
        steps[act] = int(next(words[1] for words in _live(victims.stdin, victims.stdout, whole)[1] if words[0] == "steps"))
        killed[act] = 0
        for number in range(kills):
            step = number * steps[act] // kills if kills < steps[act] else number % steps[act]
            case = Case(str(folder / f"{act}-{number}"), "", act, step, number)
            status, said = _live(victims.stdin, victims.stdout, case)
            killed[act] += status == _KILLED
            asyncio.run(_Look(case, said, counts, untrue).look())
    return Outcome(killed, steps, counts["lost"], counts["twice"], counts["half"], counts["uncounted"], tuple(untrue))


def _live(to: IO[str], answers: IO[str], case: Case) -> tuple[int, list[list[str]]]:
    said = Path(case.folder) / "said"
    said.parent.mkdir()
    to.write(json.dumps(case._replace(said=str(said))) + "\n")
    to.flush()
    status = int(answers.readline())
    return status, [line.split() for line in said.read_text(encoding="utf-8").splitlines()]


class _Look:
    """Open what a dead process left and hold it against what it had been told."""

    def __init__(self, case: Case, said: list[list[str]], counts: "Counter[str]", untrue: list[str]) -> None:
        self._case = case
        self._said = said
        self._counts = counts
        self._untrue = untrue

    async def look(self) -> None:
        queue = EmbeddedQueue(Path(self._case.folder) / "queue.sqlite", clock=SystemClock())
        await queue.open()
        if queue.warning:
            self._wrong(queue.warning)
        queued = {job.job_id: job for source in "xy" for job in await queue.jobs_of(source)}
        put = self._told("put")
        tried = self._told("trying")
        status = {job_id: await queue.status(job_id) for job_id in {*put, *tried}}
        self._counts["lost"] += sum(status[job_id] is None for job_id in put)
        for job_id, found in status.items():
            if (found is JobStatus.QUEUED) != (job_id in queued):
                self._wrong(f"{job_id} is {found}, and {'' if job_id in queued else 'not '}queued")
        self._half_done(tried, status, queued)
        self._ends(status, queued)
        for words in self._said:
            if words[0] == "claim" and words[1] in queued and self._case.act != "revive":
                self._counts["uncounted"] += queued[words[1]].attempt < int(words[2])
        for job_id in self._told("raised"):
            if queued[job_id].level is not Level.CRITICAL:
                self._wrong(f"{job_id} was raised and is {queued[job_id].level}")
        await self._drain(queue)
        await queue.close()

    def _half_done(self, tried: list[str], status: dict[str, JobStatus | None], queued: dict[str, Job]) -> None:
        match self._case.act:
            case "put":
                outcomes = {status[job_id] is None for job_id in tried}
            case "cancel":
                outcomes = {status[job_id] is JobStatus.DEAD for job_id in tried}
            case _:
                outcomes = {queued[job_id].note == "raised" for job_id in tried}
        self._counts["half"] += len(outcomes) > 1

    def _ends(self, status: dict[str, JobStatus | None], queued: dict[str, Job]) -> None:
        revived = self._told("revived")
        for verb in ("COMPLETED", "DEAD"):
            for job_id in self._told(verb):
                if verb == "DEAD" and self._case.act == "revive":
                    if job_id in revived and job_id not in queued:
                        self._wrong(f"{job_id} was revived and is {status[job_id]}")
                elif job_id in queued:
                    self._counts["twice"] += 1
                elif status[job_id] != verb:
                    self._wrong(f"{job_id} was {verb} and is {status[job_id]}")

    async def _drain(self, queue: EmbeddedQueue) -> None:
        order = [job.job_id for job in await queue.peek(99)]
        drained = []
        while claim := await queue.claim("w", LEVELS, 60.0):
            drained.append(claim.job.job_id)
            await queue.ack(claim)
        if drained != order:
            self._wrong(f"drained {drained}, shown {order}")

    def _told(self, verb: str) -> list[str]:
        return [job_id for words in self._said if words[0] == verb for job_id in words[1:]]

    def _wrong(self, words: str) -> None:
        self._untrue.append(f"{self._case.act}, step {self._case.step}, seed {self._case.seed}: {words}")
