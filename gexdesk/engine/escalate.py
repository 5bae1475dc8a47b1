"""Escalate: raise a waiting job that can no longer keep its promise where it stands, one level, behind that level's own.

A job is looked at when half its promise is over, and from then on whenever it could have become late since: what is safe costs
nothing meanwhile, however many wait. Counts alone settle most; only where they do not is a job's position asked for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.flight import Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.standing import Standing
from gexdesk.model.clock import Clock
from gexdesk.model.decision import Bound
from gexdesk.model.errors import GexdeskError
from gexdesk.model.job import Job, Place
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import Queue, QueueState

EVERY_S = 1.0
FIRST_LOOK = 0.5
"""Share of its promise after which a job is looked at first."""
STUCK = 0.8
"""Share of its promise after which a job counts as late where nobody can predict: nothing was begun lately, or not enough."""
PLACES_COUNTED = 20_000
"""What one turn may cost, some ten milliseconds: as many jobs before those whose position is asked for."""
LOOK_COSTS = 4
"""Looking at one job costs as much as counting so many."""
AGAIN_S = 5.0
"""When a job is looked at again that is held, delayed, with a worker, or under an override that nothing may exceed."""
RAISED_KEPT = 10_000
"""Above so many raised jobs, those that have ended are forgotten."""
ONE_BY_ONE = 8
"""Up to so many jobs raised together have a reason each with their own figures."""


class _Risk(Struct, frozen=True, gc=False):
    """Say of a job that it would be late; ``wait_s`` is None where nobody can tell."""

    job: Job
    age_s: float
    wait_s: float | None

    def reason(self, level: Level, promise_s: float) -> str:
        """Return why it was moved, for its note."""
        more = "nobody can tell how long it would still wait" if self.wait_s is None else f"{self.wait_s:.0f} s more foreseen"
        act = "put at the head" if level is Level.CRITICAL else f"escalated from {level}"
        return f"{act}: waited {self.age_s:.0f} s, {more}, {promise_s:.0f} s promised"


class Escalate:
    """Watch what waits under a promise.

    Args:
        promises_s: Seconds from receipt to available, by level; None is best effort, which is never late.

    Attributes:
        count: Jobs raised a level, or put at CRITICAL's head, since the engine started.
    """

    def __init__(
        self, *, queue: Queue, flights: Flights, flow: Flow, standing: Standing, chronicle: Chronicle, clock: Clock,
        promises_s: Mapping[Level, float | None],
    ) -> None:  # fmt: skip
        self._queue = queue
        self._flights = flights
        self._flow = flow
        self._standing = standing
        self._chronicle = chronicle
        self._clock = clock
        self._promises_s = promises_s
        self._watched: dict[Level, list[tuple[float, float, int, Job]]] = {level: [] for level in LEVELS}
        self._count = 0
        self._newest: dict[tuple[str, str], float] = {}
        self._raised: set[str] = set()
        self._left_per_s = dict.fromkeys(LEVELS, 0.0)
        self._task: asyncio.Task[None] | None = None
        self.count = 0

    def start(self) -> None:
        """Begin to look, once a second."""
        self._task = asyncio.create_task(self._run(), name="escalate")

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return () if self._task is None else (self._task,)

    async def stop(self) -> None:
        """Stop; what is raised stays so."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def watch(self, job: Job) -> None:
        """Follow a job that was queued, for as long as it waits."""
        if job.symbol:
            place = (job.source, job.symbol)
            self._newest[place] = max(self._newest.get(place, -inf), _stamp(job))
        promise_s = self._promises_s[job.level]
        if promise_s is not None and job.place is Place.OWN and not job.superseded:
            self._put(job, job.received_at + FIRST_LOOK * promise_s)

    async def look(self) -> None:
        """Raise what is at risk now. Raises StoreError where the queue cannot write it down."""
        state, budget = self._queue.state(), PLACES_COUNTED
        if state.stopped:
            return
        rates = {level: self._flow.rates(level) for level in LEVELS}
        begun_per_s = sum(out for _, out in rates.values())
        for level in LEVELS:
            # What keeps coming above a level takes its share of what is begun first.
            self._left_per_s[level] = begun_per_s - sum(rates[x][0] for x in LEVELS[: level.rank])
            at_risk, budget = await self._at_risk(level, state, budget)
            if at_risk:
                await self._raise(level, at_risk)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(EVERY_S)
            try:
                await self.look()
            except Exception as error:
                words = error.message if isinstance(error, GexdeskError) else f"{type(error).__name__}: {error}"
                self._chronicle.tell("engine", f"jobs at risk could not be raised: {words}; trying again", grave=True)

    async def _at_risk(self, level: Level, state: QueueState, budget: int) -> tuple[list[_Risk], int]:
        """Return those of a level's due jobs that would be late, and what is left of the places to count."""
        watched, now, found = self._watched[level], self._clock.now(), list[_Risk]()
        promise_s = self._promises_s[level] or 0.0
        most = sum(state.levels[x].waiting for x in LEVELS[: level.rank + 1])
        while watched and watched[0][0] <= now and budget > 0:
            job = heappop(watched)[3]
            budget -= LOOK_COSTS
            if self._flights.get(job.job_id) is None:
                self._raised.discard(job.job_id)
                continue
            if job.job_id in self._raised or self._is_superseded(job) or not self._may_rise(job, now):
                continue
            age_s = now - job.received_at
            wait_s = self._wait_s(most, level)
            if self._late(wait_s, age_s, promise_s):
                try:
                    position = await self._queue.position(job.job_id)
                except GexdeskError:
                    for one in (job, *(risk.job for risk in found)):
                        self._put(one, now + EVERY_S)
                    raise
                budget -= position or 0
                if position is None:
                    self._put(job, now + AGAIN_S)
                    continue
                wait_s = self._wait_s(position, level)
                if self._late(wait_s, age_s, promise_s):
                    found.append(_Risk(job, age_s, wait_s))
                    continue
            left_s = promise_s - age_s - (wait_s or 0.0)
            self._put(job, now + max(EVERY_S, left_s / 2))
        return found, budget

    def _may_rise(self, job: Job, now: float) -> bool:
        """Say whether a job is where it was put; where an override moved it since, it is watched where that put it."""
        own = job.decided or job.level
        override = self._standing.governing(job.job_id, job.symbol, job.source, now)
        if override is not None and override.bound is not Bound.AT_LEAST:
            self._put(job, now + AGAIN_S)  # exactly, or at most, this level: nothing beats an operator
            return False
        level = override.level if override is not None and override.moves(own) else own
        if level is not job.level:
            self.watch(replace(job, level=level))
            return False
        return True

    async def _raise(self, level: Level, at_risk: Sequence[_Risk]) -> None:
        promise_s = self._promises_s[level] or 0.0
        to, place = (level, Place.HEAD) if level is Level.CRITICAL else (level.raised, Place.ESCALATED)
        groups = [(risk.reason(level, promise_s), [risk.job.job_id]) for risk in at_risk]
        if len(at_risk) > ONE_BY_ONE:
            act = "put at the head" if level is Level.CRITICAL else f"escalated from {level}"
            groups = [(f"{act}: {promise_s:.0f} s promised could not be kept", [risk.job.job_id for risk in at_risk])]
        moved = 0
        try:
            for note, job_ids in groups:
                moved += await self._queue.relevel(job_ids, to, to.band[0], promise_s, note, place=place)
        except GexdeskError:
            for risk in at_risk:
                self._put(risk.job, self._clock.now() + EVERY_S)
            raise
        finally:
            self.count += moved
        self._raised.update(risk.job.job_id for risk in at_risk)
        if len(self._raised) > RAISED_KEPT:
            self._raised = {job_id for job_id in self._raised if self._flights.get(job_id) is not None}
        if moved:
            first = at_risk[0]
            of = f"{first.job.symbol} {first.job.source}".strip()
            others = f" and {moved - 1} more" if moved > 1 else ""
            self._chronicle.tell("engine", f"{of}{others} {first.reason(level, promise_s)}", grave=True)

    def _wait_s(self, position: int, level: Level) -> float | None:
        """Estimate the seconds until a position is reached; None where nothing is left of what is begun, or nothing is."""
        left_per_s = self._left_per_s[level]
        return position / left_per_s if left_per_s > 0 else None

    def _late(self, wait_s: float | None, age_s: float, promise_s: float) -> bool:
        return age_s > STUCK * promise_s if wait_s is None else age_s + wait_s > promise_s

    def _is_superseded(self, job: Job) -> bool:
        return bool(job.symbol) and self._newest[job.source, job.symbol] > _stamp(job)

    def _put(self, job: Job, look_at: float) -> None:
        self._count += 1
        heappush(self._watched[job.level], (look_at, job.received_at, self._count, job))


def _stamp(job: Job) -> float:
    """Return the stamp of a job's snapshot; one in the future would make every later snapshot the older one."""
    return min(job.as_of, job.received_at)
