"""Keep CRITICAL going while Redis is away: such jobs are journalled on this host, done by this engine, and handed over later.

A CRITICAL put that Redis does not take goes into a synced journal here (an embedded queue), and this engine's workers get it
from there. All other puts wait: back pressure. When Redis answers again nothing is claimed from it before both sides agree:
what operators held or released meanwhile is told there, what is held here is taken out there (a put whose answer was lost may
have arrived), what was done here is noted there as done, and what still waits here is put there, then struck out here. A crash
in between repeats those steps, which then change nothing.

Where an answer was lost *and* another host takes the job before this one is back, both do it; so may they where this engine is
killed between a job's end here and its note there. Results are keyed on the job.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from gexdesk.model.errors import QueueAway, QueueError, StoreError
from gexdesk.model.event import EventKind, QueueEvent
from gexdesk.model.job import Claim, Job, JobStatus, LevelDepth, Place
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import QueueState
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.queues.redis import RedisQueue
from gexdesk.queues.redis_parcels import Parcels
from gexdesk.queues.roll import KILL_SWITCH

_LOOK_S = 0.1
_FIRST_LOOK_S = 2.0
_BLIND_WAIT_S = 0.25


class BridgedQueue:
    """Satisfy ``Queue`` with a shared queue and, behind it, one of this host for CRITICAL jobs."""

    def __init__(self, far: RedisQueue, near: EmbeddedQueue, parcels: Parcels) -> None:
        """Prepare.

        Args:
            near: Journal of this state folder, used for nothing else.
            parcels: Keeps what travels with the jobs in ``near``.
        """
        self._far = far
        self._near = near
        self._parcels = parcels
        self._held: dict[str, Claim] = {}  # claimed from the journal here
        self._done: list[str] = []  # ended here, not yet noted there
        self._untold: dict[str, bool] = {}  # sources held or released here, or the kill switch: not yet told there
        self._apart = True  # the two sides may disagree: nothing is claimed from Redis
        self._agreeing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    # ---- life ----

    @property
    def agreed(self) -> bool:
        """Say whether Redis knows all that happened here."""
        return not (self._apart or self._done or self._untold or self._agreeing.locked() or self._far.away)

    @property
    def warning(self) -> str:
        """Say what is wrong with either side, and how many CRITICAL jobs wait here for Redis."""
        kept = sum(self._near.state().by_source.values())
        words = f"{kept} CRITICAL jobs are kept and done on this host until Redis answers" if kept else ""
        return "; ".join(w for w in (self._far.warning, words, self._near.warning) if w)

    @property
    def shared(self) -> bool:
        """Say yes."""
        return True

    @property
    def away(self) -> bool:
        """Say whether Redis cannot be asked at present."""
        return self._far.away

    @property
    def losses(self) -> int:
        """Return how often Redis turned out to have lost everything."""
        return self._far.losses

    async def open(self) -> None:
        """Open both and agree, so that what a crash left here is in Redis once.

        Where Redis does not answer, CRITICAL is taken and done here from now on, and all else waits until it does.

        Raises:
            QueueError: Redis cannot be used as it is set up. StoreError: the journal here cannot be opened.
        """
        await self._near.open()
        try:
            await self._far.open(patience_s=_FIRST_LOOK_S)
            await self._agree()
        except QueueAway:
            pass
        except BaseException:
            await self._near.close()
            raise
        self._tasks = [
            asyncio.create_task(self._mind(), name="redis bridge"),
            asyncio.create_task(self._relay(self._near.events()), name="redis bridge events"),
        ]

    async def close(self) -> None:
        """Close both; what is still here stays in its journal."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._near.close()
        await self._far.close()

    # ---- jobs in ----

    async def put(self, jobs: Sequence[Job], parcels: Sequence[bytes] = (), *, ready: bool = False) -> None:
        """Add jobs: CRITICAL ones to Redis or, where it does not take them at once, here; the others wait for Redis.

        Raises:
            QueueError: As ``RedisQueue.put``; CRITICAL ones among the jobs are safe by then.
            StoreError: Redis is away and the journal here cannot be written.
        """
        known = await self._near.known([job.job_id for job in jobs])
        new = [at for at, is_known in enumerate(known) if not is_known]
        urgent = [at for at in new if jobs[at].level is Level.CRITICAL]
        calm = [at for at in new if jobs[at].level is not Level.CRITICAL]
        if urgent:
            try:
                await self._far.put(*_some(jobs, parcels, urgent), ready=ready, patience_s=0)
            except QueueAway:
                await self._keep(*_some(jobs, parcels, urgent))
        if calm:
            await self._far.put(*_some(jobs, parcels, calm), ready=ready)

    async def _keep(self, jobs: Sequence[Job], parcels: Sequence[bytes]) -> None:
        self._apart = True  # before the journal is written: from then on a worker may take one
        for job, parcel in zip(jobs, parcels, strict=bool(parcels)):
            await self._parcels.keep(job.job_id, parcel)
        await self._near.put(jobs)
        self._apart = True  # again: both sides may have agreed while this was written, and would not look here any more
        self._far.nudge()

    async def parcel(self, job_id: str) -> bytes | None:
        """Return what travels with a job, from here or from Redis."""
        kept = await asyncio.to_thread(self._parcels.read, job_id)
        return kept if kept is not None else await self._far.parcel(job_id)

    # ---- a worker's way ----

    async def claim(self, worker: str, levels: Sequence[Level], lease_s: float, *, reserved: bool = False) -> Claim | None:
        """Take the next job: from here where Redis is away or both sides may disagree, else from Redis."""
        claims = await self.claims(worker, levels, lease_s, reserved=reserved)
        return claims[0] if claims else None

    async def claims(
        self, worker: str, levels: Sequence[Level], lease_s: float, *, reserved: bool = False, most: int = 1
    ) -> Sequence[Claim]:
        """Take the next jobs as ``RedisQueue.claims``; from here one at a time."""
        if self._agreeing.locked():
            return []
        if not self._apart:
            try:
                return await self._far.claims(worker, levels, lease_s, reserved=reserved, most=most, patience_s=0)
            except QueueAway:
                pass  # what is here is the only work there is
            if self._agreeing.locked():
                return []
        waiting = self._near.state().levels
        claim = await self._near.claim(worker, levels, lease_s, reserved=reserved)
        if claim is None:
            return []
        self._held[claim.job.job_id] = claim
        self._tell("claimed", claim.job)
        over = any(waiting[level].waiting for level in LEVELS[: claim.job.level.rank])
        return [replace(claim, passed_over=over)]  # of what is here alone: the last look at Redis says nothing of now

    async def wait(self, levels: Sequence[Level], timeout_s: float, *, reserved: bool = False) -> None:
        """Return when such a claim may succeed, or after the timeout."""
        if self._agreeing.locked():
            await asyncio.sleep(min(timeout_s, _LOOK_S))
        elif not self._apart:
            await self._far.wait(levels, timeout_s, reserved=reserved)
        else:
            await self._near.wait(levels, min(timeout_s, _BLIND_WAIT_S), reserved=reserved)

    async def heartbeat(self, claim: Claim, lease_s: float) -> Claim:
        """Renew the lease where it was given. Raises LeaseLost, QueueAway."""
        return await self._side(claim).heartbeat(claim, lease_s)

    async def ack(self, claim: Claim) -> None:
        """Mark the job COMPLETED where it was claimed. Raises LeaseLost, QueueAway, StoreError."""
        side = self._side(claim)
        await side.ack(claim)
        if side is self._near:
            self._ended(claim.job)

    async def retry(self, claim: Claim, after_s: float, error: str) -> None:
        """Put the job back where it was claimed. Raises LeaseLost, QueueAway, StoreError."""
        side = self._side(claim)
        await side.retry(claim, after_s, error)
        if side is self._near:
            self._held.pop(claim.job.job_id, None)
            self._apart = True  # it waits here again

    async def bury(self, claim: Claim, error: str) -> None:
        """Mark the job DEAD where it was claimed. Raises LeaseLost, QueueAway, StoreError."""
        side = self._side(claim)
        await side.bury(claim, error)
        if side is self._near:
            self._held.pop(claim.job.job_id, None)

    async def rescue(self) -> Sequence[Job]:
        """Put back every job whose lease has run out, on either side. Raises QueueAway, and the jobs here are back all the same."""
        back = list(await self._near.rescue())
        for job in back:
            self._held.pop(job.job_id, None)
            self._apart = True
        return [*back, *await self._far.rescue()]

    # ---- an operator's way ----

    async def relevel(
        self, job_ids: Sequence[str], level: Level, score: float, deadline_after_s: float | None, note: str,
        *, place: Place = Place.OWN,
    ) -> int:  # fmt: skip
        """Give queued jobs of either side another level, place and score. Raises QueueError, StoreError."""
        here = await self._near.relevel(job_ids, level, score, deadline_after_s, note, place=place)
        return here + await self._far.relevel(job_ids, level, score, deadline_after_s, note, place=place)

    async def cancel(self, job_ids: Sequence[str], note: str) -> int:
        """Let queued jobs of either side become DEAD. Raises QueueError, StoreError."""
        return await self._near.cancel(job_ids, note) + await self._far.cancel(job_ids, note)

    async def revive(self, job_ids: Sequence[str]) -> int:
        """Let DEAD jobs of either side wait again. Raises QueueError, StoreError."""
        here = await self._near.revive(job_ids)
        self._apart = self._apart or here > 0
        return here + await self._far.revive(job_ids)

    async def pause(self, source: str) -> int:
        """Hold a source's jobs on both sides; where Redis is away it is told before anything is claimed from it again."""
        here = await self._near.pause(source)
        try:
            return here + await self._tell_far(source, True)
        except QueueError:
            await self._near.resume(source)
            raise

    async def resume(self, source: str) -> int:
        """Release a source's jobs on both sides; as ``pause``."""
        released = await self._tell_far(source, False)
        here = await self._near.resume(source)
        self._apart = self._apart or here > 0
        return released + here

    async def stop_all(self, stopped: bool) -> None:
        """Turn the kill switch on both sides; as ``pause``."""
        if stopped:
            await self._near.stop_all(True)
            try:
                await self._tell_far(KILL_SWITCH, True)
            except QueueError:
                await self._near.stop_all(False)
                raise
        else:
            await self._tell_far(KILL_SWITCH, False)
            await self._near.stop_all(False)

    async def _tell_far(self, source: str, held: bool) -> int:
        """Hold or release in Redis, at once or as soon as it answers; returns how many jobs of the source it has, as last seen."""
        self._untold[source] = held
        try:
            return await self._tell_hold(source, held)
        except QueueAway:
            self._apart = True  # nothing is claimed there before it knows
            return self._far.state().by_source.get(source, 0)
        except QueueError:
            self._untold.pop(source, None)
            raise

    async def _tell_hold(self, source: str, held: bool) -> int:
        count = 0
        if source == KILL_SWITCH:
            await self._far.stop_all(held, patience_s=0)
        else:
            count = await (self._far.pause if held else self._far.resume)(source, patience_s=0)
        if self._untold.get(source) == held:
            del self._untold[source]
        return count

    async def prune(self, before: float) -> int:
        """Forget finished jobs on both sides; returns how many."""
        return await self._near.prune(before) + await self._far.prune(before)

    # ---- looking ----

    def state(self) -> QueueState:
        """Return both sides together."""
        far, near = self._far.state(), self._near.state()
        released = {source for source, held in self._untold.items() if not held}
        paused = (far.paused - released) | near.paused  # what is held here alone is told there next, or a crash left it
        stopped = self._untold.get(KILL_SWITCH, far.stopped) or near.stopped
        conflated = far.conflated + near.conflated
        if not near.by_source and not any(depth.processing for depth in near.levels.values()):
            return QueueState(far.levels, far.by_source, paused, stopped, conflated)
        levels = {level: _both(far.levels[level], near.levels[level]) for level in LEVELS}
        names = {*far.by_source, *near.by_source}
        by_source = {name: far.by_source.get(name, 0) + near.by_source.get(name, 0) for name in names}
        return QueueState(levels, by_source, paused, stopped, conflated)

    async def peek(self, limit: int) -> Sequence[Job]:
        """Return the next jobs: those of this host, then those of Redis."""
        here = list(await self._near.peek(limit))
        return [*here, *await self._far.peek(limit - len(here))] if len(here) < limit else here

    async def position(self, job_id: str) -> int | None:
        """Return a job's number in the order of ``peek``."""
        here = await self._near.position(job_id)
        if here is not None:
            return here
        there = await self._far.position(job_id)
        waiting = sum(depth.waiting for depth in self._near.state().levels.values())
        return None if there is None else there + waiting

    async def jobs_of(self, source: str) -> Sequence[Job]:
        """Return a source's queued jobs, those of this host first."""
        return [*await self._near.jobs_of(source), *await self._far.jobs_of(source)]

    async def status(self, job_id: str) -> JobStatus | None:
        """Return where a job stands, here or in Redis."""
        here = await self._near.status(job_id)
        if here in (JobStatus.QUEUED, JobStatus.PROCESSING):
            return here
        return await self._far.status(job_id) or here

    async def statuses(self, job_ids: Sequence[str]) -> Sequence[JobStatus | None]:
        """Return where each of many jobs stands, here or in Redis."""
        here, there = await self._near.statuses(job_ids), await self._far.statuses(job_ids)
        open_here = (JobStatus.QUEUED, JobStatus.PROCESSING)
        return [near if near in open_here else far or near for near, far in zip(here, there, strict=True)]

    def events(self) -> AsyncIterator[QueueEvent]:
        """Return what happens on either side from now on."""
        return self._far.events()

    # ---- agreeing ----

    def _side(self, claim: Claim) -> EmbeddedQueue | RedisQueue:
        held = self._held.get(claim.job.job_id)
        return self._near if held is not None and held.fence == claim.fence else self._far

    def _ended(self, job: Job) -> None:
        self._held.pop(job.job_id, None)
        self._parcels.forget(job.job_id)
        self._done.append(job.job_id)
        self._tell("completed", job)

    async def _mind(self) -> None:
        """Agree as soon as Redis answers."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if not self._far.opened:
                with contextlib.suppress(QueueError):  # what is wrong stands in ``warning``
                    await self._far.open(patience_s=0)
                continue
            if (self._apart or self._done or self._untold) and not self._far.away:
                with contextlib.suppress(QueueError, StoreError):  # the next look finds the same
                    await self._agree()

    async def _agree(self) -> None:
        async with self._agreeing:
            self._apart = False  # whoever is kept here from now on says so again
            try:
                for source, held in list(self._untold.items()):
                    await self._tell_hold(source, held)
                waiting = [job.job_id for source in self._near.state().by_source for job in await self._near.jobs_of(source)]
                out = [*waiting, *self._held]
                taken = set(await self._far.withdraw(out)) if out else set()
                done, self._done = self._done, []
                if done:
                    try:
                        await self._far.settle(done)
                    except BaseException:
                        self._done = [*done, *self._done]
                        raise
                for job_id in waiting:
                    await self._hand_over(job_id, there=job_id in taken)
            except BaseException:
                self._apart = True
                raise

    async def _hand_over(self, job_id: str, *, there: bool) -> None:
        """Put a queued job there, held and delayed ones too, and forget it here: it did not end, and Redis may lose it.

        Args:
            there: Another engine works on it or has ended it.
        """
        parcel = None if there else await asyncio.to_thread(self._parcels.read, job_id)
        jobs = self._near.queued([job_id])  # as it is now: an operator may have moved or cancelled it since it was counted
        if not jobs:
            return
        if not there:
            await self._far.put(jobs, [parcel] if parcel is not None else (), patience_s=0)
        await self._near.withdraw([job_id])
        self._parcels.forget(job_id)

    async def _relay(self, events: AsyncIterator[QueueEvent]) -> None:
        async for event in events:
            # Levers are told by Redis; what is claimed and completed here is told by whoever does it.
            if event.job_id and event.kind not in ("claimed", "completed"):
                self._far.relay(event)

    def _tell(self, kind: EventKind, job: Job) -> None:
        self._far.relay(QueueEvent(kind, job.job_id, job.source, job.level, time.time()))


def _some(jobs: Sequence[Job], parcels: Sequence[bytes], at: Sequence[int]) -> tuple[list[Job], list[bytes]]:
    return [jobs[n] for n in at], [parcels[n] for n in at] if parcels else []


def _both(one: LevelDepth, other: LevelDepth) -> LevelDepth:
    known = [oldest for oldest in (one.oldest_received_at, other.oldest_received_at) if oldest is not None]
    return LevelDepth(
        one.waiting + other.waiting, one.paused + other.paused, one.delayed + other.delayed, one.processing + other.processing,
        min(known, default=None),
    )  # fmt: skip
