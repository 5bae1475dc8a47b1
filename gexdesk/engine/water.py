"""High water: with too much under way LOW is set aside, then MEDIUM is held back, and HIGH and CRITICAL go on.

What is set aside is in the spool, synced, like everything acknowledged; it leaves the memory and is not queued. It comes back by
itself when the water has fallen, in order of arrival; after a restart it is sorted anew with the rest. Nothing is dropped.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.engine.admission import Admission
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.columns import drop_columns
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.parcel import wrap
from gexdesk.engine.standing import Standing
from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError
from gexdesk.model.job import Job
from gexdesk.model.level import Level
from gexdesk.queues.base import Queue

SHED_AT = 0.8
HOLD_AT = 0.9
BACK_AT = 0.5
EVERY_S = 0.25
BACK_AT_ONCE = 500
SHORT_S = 10.0
"""An incident is told for so long after the last payload was set aside or held back."""


class _Aside(Struct):
    job: Job
    flight: Flight


class Water:
    """Watch how much is under way, and let levels through accordingly.

    Args:
        promises_s: Seconds from receipt to available, by level; None is best effort.
        high_jobs, high_bytes: What counts as full: acknowledged payloads that have not ended, and their bytes.

    Attributes:
        shed: Payloads set aside since the engine started; ``aside`` are the ones that still are.
    """

    def __init__(
        self, queue: Queue, flights: Flights, flow: Flow, chronicle: Chronicle, clock: Clock, *, standing: Standing,
        escalate: Escalate, admission: Admission, promises_s: Mapping[Level, float | None], high_jobs: int, high_bytes: float,
    ) -> None:  # fmt: skip
        self._standing = standing
        self._escalate = escalate
        self._admission = admission
        self._promises_s = promises_s
        self._queue = queue
        self._flights = flights
        self._flow = flow
        self._chronicle = chronicle
        self._clock = clock
        self._high_jobs = high_jobs
        self._high_bytes = high_bytes
        self._aside: deque[_Aside] = deque()
        self._fell = asyncio.Event()
        self._held: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._told_at: float | None = None
        self.shed = 0

    @property
    def level(self) -> float:
        """Return how high the water stands, 1 at the mark."""
        return max(len(self._flights) / self._high_jobs, self._flights.size_bytes / self._high_bytes)

    @property
    def aside(self) -> int:
        """Return how many payloads are set aside now."""
        return len(self._aside)

    @property
    def held(self) -> tuple[str, ...]:
        """Return the sources whose payloads are held back now."""
        return tuple(sorted(self._held))

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="water")

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return () if self._task is None else (self._task,)

    async def stop(self) -> None:
        """Stop; what is set aside stays in the spool."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def room(self, source: str, level: Level) -> None:
        """Return when a payload of this level may come in: at once for HIGH and CRITICAL."""
        if level.rank < Level.MEDIUM.rank or self.level < HOLD_AT:
            return
        self._told_at = self._clock.monotonic()
        self._held[source] = self._held.get(source, 0) + 1
        try:
            while self.level >= HOLD_AT:
                self._fell.clear()
                await self._fell.wait()
        finally:
            self._held[source] -= 1
            if not self._held[source]:
                del self._held[source]

    def set_aside(self, job: Job, flight: Flight) -> bool:
        """Take a decided payload out of the way, or say no: the water is not so high, or it is not LOW."""
        if job.level is not Level.LOW or self.level < SHED_AT:
            return False
        if flight.columns_path is not None:
            drop_columns(Path(flight.columns_path))
        flight.results = None  # processing makes them again
        self._flights.end(job.job_id)
        self._aside.append(_Aside(job, flight))
        self.shed += 1
        self._told_at = self._clock.monotonic()
        if len(self._aside) == 1:
            self._chronicle.tell("engine", f"high water: LOW is set aside from now on, {job.source} first", grave=True)
        return True

    def words(self) -> str:
        """Say what is set aside or held back, empty while nothing is."""
        recent = self._told_at is not None and self._clock.monotonic() - self._told_at < SHORT_S
        if not (self._aside or self._held or recent):
            return ""
        megabytes = self._flights.size_bytes / 1e6
        full = f"{len(self._flights):,} payloads of {megabytes:,.0f} MB are under way, {self.level:.0%} of the mark"
        held = f"; held back: {', '.join(self.held)}" if self._held else ""
        return f"{full}; {self.aside:,} LOW are set aside, {self.shed:,} so far{held}"

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(EVERY_S)
            if self.level < HOLD_AT:
                self._fell.set()
            if self._aside and self.level < BACK_AT:
                await self._bring_back()

    async def _bring_back(self) -> None:
        """Queue what was set aside first, no more than the water has room for."""
        room = max(1, min(BACK_AT_ONCE, int((BACK_AT - self.level) * self._high_jobs)))
        some: list[_Aside] = []
        while self._aside and len(some) < room and self.level < BACK_AT:
            some.append(self._aside.popleft())
            self._flights.add(some[-1].flight)  # before the queue knows it: a worker looks for it
        try:
            parcels = [await asyncio.to_thread(wrap, one.flight) for one in some] if self._queue.shared else []
            jobs = [self._governed(one.job) for one in some]
            await self._queue.put(jobs, parcels)
        except GexdeskError as error:
            for one in reversed(some):
                self._flights.end(one.job.job_id)
                self._aside.appendleft(one)
            self._chronicle.tell("engine", f"queue: {error.message}; what is set aside waits on", grave=True)
            return
        for one, job in zip(some, jobs, strict=True):
            one.flight.queued_at = self._clock.monotonic()
            self._flow.entered(job.level)
            if job.level is Level.CRITICAL:
                self._admission.came(job.source)
            self._escalate.watch(job)
        if not self._aside:
            self._chronicle.tell("engine", "the water has fallen: all that was set aside is queued")

    def _governed(self, job: Job) -> Job:
        """Return a job as the overrides want it now: they may be others than when it was set aside."""
        level, score, note = job.level, job.score, job.note
        if job.decided is not None:
            level, score, note = job.decided, job.decided_score, ""
        override = self._standing.governing(job.job_id, job.symbol, job.source, self._clock.now())
        if override is not None and override.moves(level):
            level, score, note = override.level, override.level.band[1], f"override by {override.author}"
        if level is job.level:
            return job
        promise_s = self._promises_s[level]
        return replace(
            job, level=level, score=score, note=note, deadline_at=None if promise_s is None else job.received_at + promise_s
        )
