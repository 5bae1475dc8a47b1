"""Work: claim, process, publish, keep, complete. A slot has one job in hand; one slot serves CRITICAL alone.

From a shared queue a slot takes several jobs in one claim where their results are at hand, and does them one after the other.
"""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.endings import Bury, Endings, Retry
from gexdesk.engine.expectations import Expectations
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.leases import Leases
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.measure import Measure
from gexdesk.engine.parcel import unwrap
from gexdesk.engine.pool import Pool
from gexdesk.engine.publish import Publish
from gexdesk.engine.requests import Requests
from gexdesk.engine.tasks import Computed, Processed, ProcessTask, Refused
from gexdesk.metrics.deviation import Deviation
from gexdesk.model.clock import Clock
from gexdesk.model.errors import DecoderDied, QueueAway, QueueError, StoreError
from gexdesk.model.exposure import ConventionBook
from gexdesk.model.job import Claim, Job
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.record_view import SlotView
from gexdesk.queues.base import Queue

ATTEMPTS_ALLOWED = 4
DEATHS_ALLOWED = 2
CLAIMS_ALLOWED = 8  # more than the attempts: an engine that is stopped in mid-job is not the payload's fault
BACKOFF_S = (1.0, 5.0, 25.0)
CRITICAL_BACKOFF_S = (0.5, 2.0, 8.0)
"""What fails for a while is tried ever later; CRITICAL so that all of its tries are within its promise."""


READY_AT_ONCE = 64
"""Jobs that a slot takes in one claim, where their results came with triage: a shared queue is a server's turn away."""
PUBLISHING = 64
"""Results on their way to readers at once; a slot that has one more waits with it."""


class Done(Struct, frozen=True, gc=False):
    """The payload was processed."""

    results: tuple[Computed, ...]


class Work:
    """Run the slots."""

    def __init__(
        self, *, queue: Queue, pool: Pool, flights: Flights, leases: Leases, publish: Publish, endings: Endings, ledger: Ledger,
        deviation: Deviation, flow: Flow, chronicle: Chronicle, clock: Clock, requests: Requests, expectations: Expectations,
        workers: int, reserved: int, conventions: ConventionBook, names: Mapping[str, str], measure: Measure, parcels: Path,
    ) -> None:  # fmt: skip
        """Prepare the slots.

        Args:
            parcels: Folder for the bytes of other engines' payloads while they are worked on.
        """
        self._queue = queue
        self._pool = pool
        self._flights = flights
        self._leases = leases
        self._publish = publish
        self._endings = endings
        self._ledger = ledger
        self._deviation = deviation
        self._flow = flow
        self._chronicle = chronicle
        self._clock = clock
        self._requests = requests
        self._expectations = expectations
        self._slots = [False] * workers + [True] * reserved
        self._conventions = conventions
        self._names = dict(names)
        self._measure = measure
        self._tasks: list[asyncio.Task[None]] = []
        self._parcels = parcels
        self._publishing = asyncio.Semaphore(PUBLISHING)
        self._in_hand: dict[str, tuple[Job, float]] = {}

    @property
    def slots(self) -> int:
        """Return how many jobs can be processed at once, the reserve included."""
        return len(self._slots)

    @property
    def inside(self) -> tuple[SlotView, ...]:
        """Return every slot and the job it has in hand."""
        views = []
        for number, reserved in enumerate(self._slots):
            job, since = self._in_hand.get(f"slot-{number}", (None, None))
            what = f"{job.symbol or 'several'} {job.source} {job.level}" if job is not None else ""
            views.append(SlotView(f"slot-{number}", reserved, what, since))
        return tuple(views)

    def start(self) -> None:
        """Start every slot."""
        self._tasks = [
            asyncio.create_task(self._serve(f"slot-{number}", reserved), name=f"slot-{number}")
            for number, reserved in enumerate(self._slots)
        ]

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return tuple(self._tasks)

    async def stop(self, drain_s: float) -> None:
        """Stop claiming, give endings their time, leave the rest to the journal."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._endings.stop(drain_s)

    async def _serve(self, worker: str, reserved: bool) -> None:
        levels = (Level.CRITICAL,) if reserved else LEVELS
        while True:
            try:
                waiting = self._waiting()  # at the moment of choosing: what comes while the claim is synced was not passed over
                claims = await self._queue.claims(worker, levels, self._leases.lease_s, reserved=reserved, most=READY_AT_ONCE)
                if not claims:
                    await self._queue.wait(levels, timeout_s=1.0, reserved=reserved)
            except (QueueError, StoreError) as error:
                self._chronicle.tell("engine", f"queue: {error.message}; trying again", grave=True)
                await self._clock.sleep(1.0)
                continue
            for claim in claims:
                self._deviation.record(claim.job.level, waiting, claim.passed_over)
                self._flow.left(claim.job.level)
                self._leases.hold(claim)
            for claim in claims:
                began = self._clock.monotonic()
                self._in_hand[worker] = claim.job, self._clock.now()
                try:
                    await self._handle(claim)
                finally:
                    self._in_hand.pop(worker, None)
                self._measured(claim.job, reserved, began)

    def _measured(self, job: Job, reserved: bool, began: float) -> None:
        critical = job.promised is Level.CRITICAL
        flight = self._flights.get(job.job_id)
        asked_at = began if flight is None or flight.queued_at is None else flight.queued_at
        self._measure.worked([asked_at] if critical else [], 0 if critical else 1, reserved, self._clock.monotonic() - began)

    def _waiting(self) -> dict[Level, int]:
        return {level: depth.waiting for level, depth in self._queue.state().levels.items()}

    async def _handle(self, claim: Claim) -> None:
        self._endings.begun(claim)
        try:
            flight = self._flights.get(claim.job.job_id) or await self._from_elsewhere(claim)
        except QueueAway as away:
            self._endings.later(claim, self._endings.retry(claim, None, Retry(0.0, away.message)))
            return
        except (QueueError, StoreError) as fault:
            self._endings.later(claim, self._endings.end(claim, None, Bury("process", fault.kind, fault.message)))
            return
        except Exception as error:  # the job's end, never the slot's
            self._endings.later(claim, self._endings.end(claim, None, _fault(claim.job, error)))
            return
        if flight is None:
            lost = "the queue knows this job but the spool has no payload for it"
            self._endings.later(claim, self._endings.end(claim, None, Bury("process", "store_error", lost)))
            return
        flight.started_at = flight.now(self._clock)
        self._requests.job_began(claim.job.job_id, claim.job.promised, flight.started_at)
        match await self._outcome(claim.job, flight):
            case Done(results=results):
                # The slot is free once the value is computed; publishing and storing go on behind it, under the same lease.
                await self._publishing.acquire()
                self._endings.later(claim, self._finish(claim, flight, results))
            case outcome:
                self._endings.later(claim, self._endings.end(claim, flight, outcome))

    async def _from_elsewhere(self, claim: Claim) -> Flight | None:
        """Return the flight of a payload that another engine acknowledged; None where nothing travels with its job.

        Raises:
            QueueError: Its parcel is gone, or cannot be asked for now (QueueAway). StoreError: It cannot be read or kept here.
        """
        parcel = await self._queue.parcel(claim.job.job_id) if self._queue.shared else None
        if parcel is None:
            return None
        flight = await asyncio.to_thread(unwrap, claim.job.job_id, parcel, self._parcels)
        self._flights.add(flight)
        return flight

    async def _outcome(self, job: Job, flight: Flight) -> Done | Retry | Bury:
        """Process; whatever goes wrong is the payload's end, never the slot's."""
        if job.attempt > CLAIMS_ALLOWED:
            return Bury("process", "never_finished", f"it was begun {job.attempt - 1} times and never finished")
        try:
            return await self._process(job, flight)
        except Exception as error:
            return _fault(job, error)

    async def _process(self, job: Job, flight: Flight) -> Done | Retry | Bury:
        if flight.refused is not None and flight.refused.final:
            return Bury("triage", flight.refused.kind, flight.refused.message)
        if flight.results is not None:
            results, flight.results = flight.results, None  # a second attempt computes them again
            return Done(results)
        account = self._ledger.adopt(job.source)
        task = ProcessTask(
            ref=flight.ref,
            format=flight.triaged.format if flight.triaged is not None else account.format or None,
            time_shift_s=flight.payload.time_shift_s,
            conventions=self._conventions,
            columns_path=flight.columns_path,
            received_at=None if flight.historical(account) else flight.payload.received_at,
            delay_s=account.configured_delay_s,
            names=self._names,
            judged=bool(flight.judged),
        )
        while True:
            try:
                reply = await self._pool.run(task, job.promised)
                break
            except DecoderDied as error:
                flight.deaths += 1
                if flight.deaths >= DEATHS_ALLOWED:
                    return Bury("process", error.kind, f"{error.message}; it happened {flight.deaths} times")
                if not flight.foreign:
                    return Retry(0.0, error.message)
                # Here and now: whoever claimed it next would know of no death, and lose as many processes again.
        match reply:
            case Processed(results=results):
                return Done(results)
            case Refused(final=True) as refused:
                return Bury("process", refused.kind, refused.message)
            case Refused() as refused if job.attempt >= ATTEMPTS_ALLOWED:
                return Bury("process", refused.kind, f"{refused.message}; tried {job.attempt} times")
            case Refused() as refused:
                return _again(job, refused.message)
            case _:
                raise TypeError(f"a process task was answered by {type(reply).__name__}")

    async def _finish(self, claim: Claim, flight: Flight, results: tuple[Computed, ...]) -> None:
        """Publish, then store and complete; a fault on the way to readers is one of the payload's attempts."""
        job, began = claim.job, self._clock.monotonic()
        try:
            available_at = await self._publish.publish(job, flight, results)
        except Exception as error:
            await self._endings.end(claim, flight, _fault(job, error))
            return
        finally:
            self._publishing.release()
        if job.promised is Level.CRITICAL:
            self._measure.published(self._clock.monotonic() - began)
        started_at = flight.started_at if flight.started_at is not None else available_at
        self._flow.served(job.promised, available_at - started_at)
        self._expectations.available(job, started_at, available_at)
        await self._endings.complete(claim, flight, results, available_at)


def _fault(job: Job, error: Exception) -> Retry | Bury:
    words = f"a fault of the desk: {type(error).__name__}: {error}"
    return Bury("process", "desk_fault", words) if job.attempt >= ATTEMPTS_ALLOWED else _again(job, words)


def _again(job: Job, error: str) -> Retry:
    """Return the next attempt, further off each time; half of it by chance, so that what failed together comes apart."""
    waits_s = CRITICAL_BACKOFF_S if job.promised is Level.CRITICAL else BACKOFF_S
    longest_s = waits_s[min(max(job.attempt, 1), len(waits_s)) - 1]
    return Retry(round(longest_s * random.uniform(0.5, 1.0), 3), error)  # noqa: S311
