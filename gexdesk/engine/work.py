"""Work: claim, process, publish, keep, complete. A slot has one job in hand; one slot serves CRITICAL alone.

From a shared queue a slot takes several jobs in one claim where their results are at hand, and does them one after the other.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path

from msgspec import Struct

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.columns import drop_columns
from gexdesk.engine.expectations import Expectations
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.keep import Keeper
from gexdesk.engine.leases import Leases
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.measure import Measure
from gexdesk.engine.open_letters import OpenLetters
from gexdesk.engine.parcel import drop, unwrap
from gexdesk.engine.pool import Pool
from gexdesk.engine.publish import Publish
from gexdesk.engine.requests import Requests
from gexdesk.engine.tasks import Computed, Processed, ProcessTask, Refused
from gexdesk.metrics.deviation import Deviation
from gexdesk.model.clock import Clock
from gexdesk.model.errors import DecoderDied, LeaseLost, QueueAway, QueueError, StoreError
from gexdesk.model.exposure import ConventionBook
from gexdesk.model.job import Claim, Job, JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.payload import Payload
from gexdesk.model.record_view import SlotView
from gexdesk.queues.base import Queue
from gexdesk.stores.base import DeadLetter, JobRecord, KeptSnapshot, OpenLetter
from gexdesk.stores.spool import Spool

ATTEMPTS_ALLOWED = 4
DEATHS_ALLOWED = 2
CLAIMS_ALLOWED = 8  # more than the attempts: an engine that is stopped in mid-job is not the payload's fault
BACKOFF_S = (1.0, 5.0, 25.0)
CRITICAL_BACKOFF_S = (0.5, 2.0, 8.0)
"""What fails for a while is tried ever later; CRITICAL so that all of its tries are within its promise."""
AWAY_S = 0.5
"""Between two tries to end a job while the queue is away or cannot write; its lease is renewed as soon as that can be."""

SAID_EVERY_S = 10.0
"""That ends cannot be written is said so often, however many wait for it."""

READY_AT_ONCE = 64
"""Jobs that a slot takes in one claim, where their results came with triage: a shared queue is a server's turn away."""
PUBLISHING = 64
"""Results on their way to readers at once; a slot that has one more waits with it."""


class Done(Struct, frozen=True, gc=False):
    """The payload was processed."""

    results: tuple[Computed, ...]


class Retry(Struct, frozen=True):
    """It failed in a way that may pass."""

    after_s: float
    error: str


class Bury(Struct, frozen=True):
    """It failed for good."""

    stage: str
    kind: str
    error: str


class Work:
    """Run the slots."""

    def __init__(
        self, *, queue: Queue, pool: Pool, flights: Flights, leases: Leases, publish: Publish, keeper: Keeper, spool: Spool,
        ledger: Ledger, deviation: Deviation, flow: Flow, chronicle: Chronicle, clock: Clock,
        requests: Requests, expectations: Expectations, workers: int, reserved: int, conventions: ConventionBook,
        names: Mapping[str, str], measure: Measure, parcels: Path, letters: OpenLetters,
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
        self._keeper = keeper
        self._spool = spool
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
        self._endings: set[asyncio.Task[None]] = set()
        self.completed = 0
        self.failed = 0
        self.dead = 0
        self._dead_here: set[str] = set()
        self._letters = letters
        self.elsewhere = 0
        self.for_others = 0
        self._parcels = parcels
        self._busy: set[str] = set()
        self._publishing = asyncio.Semaphore(PUBLISHING)
        self._in_hand: dict[str, tuple[Job, float]] = {}
        self._said_at: float | None = None

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
        if self._endings:
            await asyncio.wait(self._endings, timeout=drain_s)
        for ending in list(self._endings):
            ending.cancel()
        await asyncio.gather(*self._endings, return_exceptions=True)

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
        self._busy.add(claim.job.job_id)
        try:
            flight = self._flights.get(claim.job.job_id) or await self._from_elsewhere(claim)
        except QueueAway as away:
            self._end_later(claim, self._retry(claim, None, Retry(0.0, away.message)))
            return
        except (QueueError, StoreError) as fault:
            self._end_later(claim, self._bury(claim, None, Bury("process", fault.kind, fault.message)))
            return
        except Exception as error:  # the job's end, never the slot's
            self._end_later(claim, self._end(claim, None, _fault(claim.job, error)))
            return
        if flight is None:
            lost = "the queue knows this job but the spool has no payload for it"
            self._end_later(claim, self._bury(claim, None, Bury("process", "store_error", lost)))
            return
        flight.started_at = self._clock.now()
        self._requests.job_began(claim.job.job_id, claim.job.promised, flight.started_at)
        match await self._outcome(claim.job, flight):
            case Done(results=results):
                # The slot is free once the value is computed; publishing and storing go on behind it, under the same lease.
                await self._publishing.acquire()
                self._end_later(claim, self._finish(claim, flight, results))
            case outcome:
                self._end_later(claim, self._end(claim, flight, outcome))

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
            await self._end(claim, flight, _fault(job, error))
            return
        finally:
            self._publishing.release()
        if job.promised is Level.CRITICAL:
            self._measure.published(self._clock.monotonic() - began)
        started_at = flight.started_at if flight.started_at is not None else available_at
        self._flow.served(job.promised, available_at - started_at)
        self._expectations.available(job, started_at, available_at)
        await self._complete(claim, flight, results, available_at)

    async def _end(self, claim: Claim, flight: Flight | None, outcome: Retry | Bury) -> None:
        if isinstance(outcome, Bury):
            await self._bury(claim, flight, outcome)
            return
        self.failed += 1
        words = f"{claim.job.symbol} {claim.job.source}: {outcome.error}; again in {outcome.after_s:g} s"
        self._chronicle.tell("engine", words, grave=True, job=claim.job.job_id)
        await self._retry(claim, flight, outcome)

    def _end_later(self, claim: Claim, ending: Coroutine[None, None, None]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._busy.discard(claim.job.job_id)
            if task.cancelled() or task.exception() is not None:
                self._leases.release(claim)  # what nobody ends any more must run out

        self._later(ending).add_done_callback(ended)

    def _later(self, ending: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(ending)
        self._endings.add(task)
        task.add_done_callback(self._ended)
        return task

    async def _told(self, claim: Claim, flight: Flight | None, tell: Callable[[Claim], Awaitable[None]]) -> bool:
        """Tell the queue how a job ended, however long that takes: its lease is renewed meanwhile. False where the job is lost."""
        while True:
            try:
                await tell(self._leases.latest(claim))
            except QueueAway:
                await self._clock.sleep(AWAY_S)
                continue
            except StoreError as error:  # a full disk says nothing about the job
                self._leases.hold_on(claim)  # a renewal that met the end under way took it for lost
                self._say_refused(error)
                await self._clock.sleep(AWAY_S)
                continue
            except LeaseLost:
                self._leases.release(claim)
                if flight is not None and flight.foreign:
                    self._forget(claim.job.job_id, flight)
                return False
            self._leases.release(claim)
            return True

    def _say_refused(self, error: StoreError) -> None:
        now = self._clock.monotonic()
        if self._said_at is None or now - self._said_at >= SAID_EVERY_S:
            self._said_at = now
            self._chronicle.tell("engine", f"queue: {error.message}; jobs that are through wait for it", grave=True)

    async def _retry(self, claim: Claim, flight: Flight | None, retry: Retry) -> None:
        told = await self._told(claim, flight, lambda held: self._queue.retry(held, retry.after_s, retry.error))
        if told and flight is not None and flight.foreign:
            self._forget(claim.job.job_id, flight)  # whoever claims it next fetches it

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Say why an ending failed: its lease is no longer renewed, so a job that is still open is run again."""
        self._endings.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._chronicle.tell("engine", f"a job could not be ended: {error}; it is run again when its lease is over", grave=True)

    async def _complete(self, claim: Claim, flight: Flight, results: tuple[Computed, ...], available_at: float) -> None:
        account = self._ledger.adopt(claim.job.source)
        snapshots = tuple(
            KeptSnapshot(
                job_id=claim.job.job_id,
                ordinal=ordinal,
                source=claim.job.source,
                payload_sha256=flight.payload.sha256,
                received_at=flight.payload.received_at,
                delay_s=account.delay_of(computed.delay_s),
                exposure=computed.exposure,
                strikes=computed.strikes,
                flags=judged.verdict.flags,
                quarantined=judged.verdict.held,
            )
            for ordinal, (computed, judged) in enumerate(zip(results, flight.judged, strict=True))
        )
        record = self._record(claim.job, flight, "COMPLETED", available_at=available_at, records=len(results))
        try:
            await self._keeper.store(record, snapshots)
        except StoreError as error:
            await self._bury(claim, flight, Bury("store", error.kind, error.message))
            return
        self._publish.stored(flight, account)
        if not await self._told(claim, flight, self._ack):
            return  # somebody else has the job: their rows are ours to the byte, and they will ack
        self.completed += 1
        self._flights.end(claim.job.job_id)  # at once, so that it is never counted twice
        self.for_others += flight.foreign
        account.stored()
        await self._requests.job_ended(record, flight.judged)
        self._forget(claim.job.job_id, flight)

    async def _ack(self, claim: Claim) -> None:
        await self._queue.ack(claim)

    async def _bury(self, claim: Claim, flight: Flight | None, bury: Bury) -> None:
        job, now = claim.job, self._clock.now()
        account = self._ledger.adopt(job.source)
        payload = flight.payload if flight is not None else None
        letter = _letter(job, payload, bury, now)
        record = self._record(job, flight, "DEAD", error=bury.error)
        try:
            await self._keeper.store(record, (), letter)
        except StoreError as error:  # these rows alone are not taken: the queue still has its word that the job is dead
            self._chronicle.tell("engine", f"the record of a dead letter is lost: {error.message}", grave=True, job=job.job_id)
        if not await self._told(claim, flight, lambda held: self._queue.bury(held, bury.error)):
            return
        self.for_others += flight is not None and flight.foreign
        self._died(job.job_id)
        self._flights.end(job.job_id)
        account.refused(now, bury.error, job.job_id)
        self._letters.buried(OpenLetter(job.job_id, job.source, job.symbol, bury.error, now))
        await self._requests.job_ended(record)
        name = payload.name if payload else job.job_id
        self._chronicle.tell("dead", f"{job.source} dead letter: {name}: {bury.error}", grave=True, job=job.job_id)
        self._forget(job.job_id, flight, keep_bytes=True)

    def cancelled(self, job: Job, bury: Bury) -> None:
        """Record a job that an operator ended in the queue: a dead letter, and no fault of its source."""
        self._died(job.job_id)
        flight = self._flights.get(job.job_id)
        self._ledger.adopt(job.source).dead += 1
        self._forget(job.job_id, flight, keep_bytes=True)
        self._chronicle.tell("dead", f"{job.source} {job.symbol} {bury.error}", job=job.job_id)
        self._later(self._store_cancelled(job, flight, bury))

    async def ended_elsewhere(self, job_id: str, status: JobStatus) -> None:
        """Let go of a payload that this engine acknowledged and another one has completed or buried."""
        flight = self._flights.get(job_id)
        if flight is None or flight.foreign or job_id in self._busy:
            return
        self.elsewhere += 1
        self._forget(job_id, flight, keep_bytes=status is JobStatus.DEAD)
        await self._requests.job_ended_elsewhere(job_id, status)

    def revived(self, job_id: str, source: str) -> None:
        """Note that a dead letter waits again; ``source`` as in ``OpenLetters.settled``."""
        self._letters.settled(job_id, source)
        if job_id in self._dead_here:
            self._dead_here.discard(job_id)
            self.dead -= 1
            flight = self._flights.get(job_id)
            if flight is not None:
                self._ledger.adopt(flight.payload.source).dead -= 1

    def discarded(self, job_id: str, source: str) -> None:
        """Note that a dead letter was let go; ``source`` as in ``OpenLetters.settled``."""
        self._letters.settled(job_id, source)

    async def _store_cancelled(self, job: Job, flight: Flight | None, bury: Bury) -> None:
        record = self._record(job, flight, "DEAD", error=bury.error)
        letter = _letter(job, flight.payload if flight is not None else None, bury, self._clock.now())
        await self._keeper.store(record, (), letter)
        await self._requests.job_ended(record)

    def _died(self, job_id: str) -> None:
        self.dead += 1
        self._dead_here.add(job_id)

    def _record(
        self, job: Job, flight: Flight | None, status: str, *,
        available_at: float | None = None, records: int = 0, error: str = "",
    ) -> JobRecord:  # fmt: skip
        return JobRecord(
            job_id=job.job_id,
            source=job.source,
            symbol=job.symbol,
            level=job.promised,
            score=job.score,
            status=status,
            received_at=job.received_at,
            decided_at=flight.decided_at if flight else None,
            started_at=flight.started_at if flight else None,
            available_at=available_at,
            completed_at=self._clock.now(),
            attempts=job.attempt,
            records=records,
            size_bytes=flight.payload.size_bytes if flight else 0,
            payload_sha256=flight.payload.sha256 if flight else "",
            payload_name=flight.payload.name if flight else "",
            note=job.note,
            error=error,
        )

    def _forget(self, job_id: str, flight: Flight | None, *, keep_bytes: bool = False) -> None:
        self._flights.end(job_id)
        if flight is not None and flight.foreign:
            drop(flight)
            return
        if flight is not None and flight.columns_path is not None:
            drop_columns(Path(flight.columns_path))
        if not keep_bytes:
            self._spool.forget(job_id)


def _letter(job: Job, payload: Payload | None, bury: Bury, now: float) -> DeadLetter:
    return DeadLetter(
        job_id=job.job_id,
        source=job.source,
        payload_name=payload.name if payload else "",
        payload_sha256=payload.sha256 if payload else "",
        size_bytes=payload.size_bytes if payload else 0,
        received_at=job.received_at,
        buried_at=now,
        stage=bury.stage,
        kind=bury.kind,
        reason=bury.error,
        attempts=job.attempt,
    )


def _fault(job: Job, error: Exception) -> Retry | Bury:
    words = f"a fault of the desk: {type(error).__name__}: {error}"
    return Bury("process", "desk_fault", words) if job.attempt >= ATTEMPTS_ALLOWED else _again(job, words)


def _again(job: Job, error: str) -> Retry:
    """Return the next attempt, further off each time; half of it by chance, so that what failed together comes apart."""
    waits_s = CRITICAL_BACKOFF_S if job.promised is Level.CRITICAL else BACKOFF_S
    longest_s = waits_s[min(max(job.attempt, 1), len(waits_s)) - 1]
    return Retry(round(longest_s * random.uniform(0.5, 1.0), 3), error)  # noqa: S311
