"""Endings: store and complete a job, bury it or put it back, however long the stores and the queue take for that."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from msgspec import Struct

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.columns import drop_columns
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.keep import Keeper
from gexdesk.engine.leases import Leases
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.open_letters import OpenLetters
from gexdesk.engine.parcel import drop
from gexdesk.engine.publish import Publish
from gexdesk.engine.requests import Requests
from gexdesk.engine.slices import in_slices
from gexdesk.engine.tasks import Computed
from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeaseLost, QueueAway, StoreError
from gexdesk.model.job import Claim, Job, JobStatus
from gexdesk.model.payload import Payload
from gexdesk.queues.base import Queue
from gexdesk.stores.base import DeadLetter, JobRecord, KeptSnapshot, OpenLetter
from gexdesk.stores.spool import Spool

AWAY_S = 0.5
"""Between two tries to end a job while the queue is away or cannot write; its lease is renewed as soon as that can be."""

SAID_EVERY_S = 10.0
"""That ends cannot be written is said so often, however many wait for it."""


class Retry(Struct, frozen=True):
    """It failed in a way that may pass."""

    after_s: float
    error: str


class Bury(Struct, frozen=True):
    """It failed for good."""

    stage: str
    kind: str
    error: str


class Endings:
    """End jobs behind the slots that worked on them, whose leases are renewed until then.

    Attributes:
        completed, failed, dead: Jobs that ended so here, and attempts that failed.
        elsewhere: Payloads acknowledged here that another engine ended; ``for_others`` the reverse.
    """

    def __init__(
        self, *, queue: Queue, flights: Flights, leases: Leases, publish: Publish, keeper: Keeper, spool: Spool, ledger: Ledger,
        letters: OpenLetters, requests: Requests, chronicle: Chronicle, clock: Clock,
    ) -> None:  # fmt: skip
        self._queue = queue
        self._flights = flights
        self._leases = leases
        self._publish = publish
        self._keeper = keeper
        self._spool = spool
        self._ledger = ledger
        self._letters = letters
        self._requests = requests
        self._chronicle = chronicle
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun: set[str] = set()
        self._dead_here: set[str] = set()
        self._said_at: float | None = None
        self.completed = 0
        self.failed = 0
        self.dead = 0
        self.elsewhere = 0
        self.for_others = 0

    async def stop(self, drain_s: float) -> None:
        """Give what is ending its time, leave the rest to the journal."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=drain_s)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def begun(self, claim: Claim) -> None:
        """Note that a slot has a job in hand: until it is ended here, no word of another engine ends it."""
        self._begun.add(claim.job.job_id)

    def later(self, claim: Claim, ending: Coroutine[None, None, None]) -> None:
        """End a job in the background; where that fails its claim is let go, so that it is run again."""

        def ended(task: asyncio.Task[None]) -> None:
            self._begun.discard(claim.job.job_id)
            if task.cancelled() or task.exception() is not None:
                self._leases.release(claim)  # what nobody ends any more must run out

        self._later(ending).add_done_callback(ended)

    async def complete(self, claim: Claim, flight: Flight, results: tuple[Computed, ...], available_at: float) -> None:
        """Store what readers have, then complete the job; rows that no store takes make it a dead letter."""
        account = self._ledger.adopt(claim.job.source)
        both = enumerate(zip(results, flight.judged, strict=True))
        snapshots = tuple([
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
            async for ordinal, (computed, judged) in in_slices(both)
        ])  # fmt: skip
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

    async def end(self, claim: Claim, flight: Flight | None, outcome: Retry | Bury) -> None:
        """Bury a job, or put it back and say why."""
        if isinstance(outcome, Bury):
            await self._bury(claim, flight, outcome)
            return
        self.failed += 1
        words = f"{claim.job.symbol} {claim.job.source}: {outcome.error}; again in {outcome.after_s:g} s"
        self._chronicle.tell("engine", words, grave=True, job=claim.job.job_id)
        await self.retry(claim, flight, outcome)

    async def retry(self, claim: Claim, flight: Flight | None, retry: Retry) -> None:
        """Put a job back without a word."""
        told = await self._told(claim, flight, lambda held: self._queue.retry(held, retry.after_s, retry.error))
        if told and flight is not None and flight.foreign:
            self._forget(claim.job.job_id, flight)  # whoever claims it next fetches it

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
        if flight is None or flight.foreign or job_id in self._begun:
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

    def _later(self, ending: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(ending)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Say why an ending failed: its lease is no longer renewed, so a job that is still open is run again."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._chronicle.tell("engine", f"a job could not be ended: {error}; it is run again when its lease is over", grave=True)

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
            completed_at=flight.now(self._clock) if flight else self._clock.now(),
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
