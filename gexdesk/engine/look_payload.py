"""Look at one payload: where it came from, its first bytes, every decision on it, and what became of it."""

import asyncio
from contextlib import suppress

from gexdesk.engine.beginning import beginning_of
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.keep import Keeper
from gexdesk.engine.look_dead import DeadLooks
from gexdesk.engine.look_source import decided
from gexdesk.model.errors import StoreError, UnknownTarget
from gexdesk.model.job import JobStatus
from gexdesk.model.look.source import DeadLook, PayloadLook, PayloadSeen
from gexdesk.model.payload import Payload, PayloadRef
from gexdesk.model.record_view import BeginningView, DecidedView, JobStands, KeptView
from gexdesk.model.text import printable
from gexdesk.queues.base import Queue
from gexdesk.stores.base import DecisionRecord, JobRecord
from gexdesk.stores.metadata import Metadata
from gexdesk.stores.spool import Spool, read_payload

DECISIONS = 20
SNAPSHOTS = 200
ENDED = (JobStatus.COMPLETED.value, JobStatus.DEAD.value, "DISCARDED")
REMEMBERED = 8
"""Payloads whose place in the spool is not searched for again: a page asks each second for the one it shows."""


class PayloadLooks:
    """Answer ``PayloadLook``."""

    def __init__(self, flights: Flights, queue: Queue, spool: Spool, keeper: Keeper, dead: DeadLooks) -> None:
        self._flights = flights
        self._queue = queue
        self._spool = spool
        self._keeper = keeper
        self._dead = dead
        self._found: dict[str, tuple[Payload, PayloadRef]] = {}

    async def payload(self, question: PayloadLook) -> PayloadSeen:
        """Return everything about a payload. Raises UnknownTarget, StoreError."""
        job_id = question.job_id
        flight = self._flights.get(job_id)
        place = await self._place(job_id, flight)
        # Nothing is decided before it came: what lies before is not read.
        since = place[0].received_at - 1.0 if place is not None else 0.0

        def recorded(metadata: Metadata) -> tuple[JobRecord | None, list[DecisionRecord], list[KeptView]]:
            kept = [KeptView(**row | {"flags": tuple(row["flags"])}) for row in metadata.kept(job_id, SNAPSHOTS)]
            return metadata.job(job_id), metadata.decisions(DECISIONS, job_id=job_id, since=since), kept

        record, decisions, snapshots = await self._keeper.reading(recorded)
        letters = await self._dead.dead(DeadLook(limit=1, job_id=job_id))
        if place is None and record is None:
            raise UnknownTarget(f"no payload {printable(job_id, 60)!r} is known; retention may have removed it")
        shown = None
        if question.bytes_wanted > 0:
            shown = await self._beginning(place, question.bytes_wanted)
        payload = place[0] if place is not None else None
        return PayloadSeen(
            job_id=job_id,
            source=payload.source if payload is not None else record.source if record is not None else "",
            name=printable(payload.name if payload is not None else record.payload_name if record is not None else "", 300),
            content_type=printable(payload.content_type) if payload is not None else "",
            received_at=payload.received_at if payload is not None else record.received_at if record is not None else None,
            size_bytes=payload.size_bytes if payload is not None else record.size_bytes if record is not None else 0,
            sha256=payload.sha256 if payload is not None else record.payload_sha256 if record is not None else "",
            time_shift_s=payload.time_shift_s if payload is not None else 0.0,
            asked_by=payload.asked.request_id if payload is not None and payload.asked is not None else "",
            stands=await self._stands(job_id, flight, record),
            beginning=shown,
            decisions=_with_newest(tuple(map(decided, decisions)), flight, job_id),
            letter=letters.letters[0] if letters.letters else None,
            snapshots=tuple(snapshots),
        )

    async def _place(self, job_id: str, flight: Flight | None) -> tuple[Payload, PayloadRef] | None:
        if flight is not None:
            return flight.payload, flight.ref
        found = self._found.get(job_id)
        if found is None:
            with suppress(StoreError):
                found = await asyncio.to_thread(self._spool.find, job_id)
                self._found[job_id] = found
                while len(self._found) > REMEMBERED:
                    del self._found[next(iter(self._found))]
        return found

    async def _beginning(self, place: tuple[Payload, PayloadRef] | None, wanted: int) -> BeginningView:
        if place is None:
            return BeginningView("text", "", (), 0, True, "its bytes are gone: retention removed them, its record stays")
        try:
            return await asyncio.to_thread(lambda: beginning_of(read_payload(place[1]), wanted))
        except StoreError as error:
            return BeginningView("text", "", (), 0, False, error.message)

    async def _stands(self, job_id: str, flight: Flight | None, record: JobRecord | None) -> JobStands:
        status = await self._queue.status(job_id)
        # The record is written before the queue is told of an end, and marked anew where a dead letter is tried again.
        if record is not None and (status is None or record.status in ENDED):
            return JobStands(
                status=record.status, level=record.level, received_at=record.received_at, decided_at=record.decided_at,
                started_at=record.started_at, available_at=record.available_at, completed_at=record.completed_at,
                attempts=record.attempts, records=record.records, note=record.note, error=record.error,
            )  # fmt: skip
        word = status.value if status is not None else "DECIDING" if flight is not None else ""
        if flight is None:
            return JobStands(word)
        level = flight.decision.level if flight.decision is not None else None
        return JobStands(
            word, level, flight.payload.received_at, flight.decided_at, flight.started_at,
            error=flight.refused.message if flight.refused is not None else "",
        )  # fmt: skip


def _with_newest(recorded: tuple[DecidedView, ...], flight: Flight | None, job_id: str) -> tuple[DecidedView, ...]:
    """Put the decision of a payload on its way before those that are stored, unless it is among them."""
    if flight is None or flight.decision is None or flight.decided_at is None or flight.triaged is None:
        return recorded
    at = flight.decided_at
    if any(abs(one.at - at) < 1e-3 for one in recorded):
        return recorded
    # What it rested on is stored within a moment; until then the decision stands alone.
    payload = flight.payload
    return (DecidedView(job_id, at, "", payload.source, {}, flight.decision), *recorded)
