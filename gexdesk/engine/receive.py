"""Receive: check, make room, keep, count, hand to triage. A source may forget its bytes once ``deliver`` returned."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.repeats import Repeats, repeats
from gexdesk.engine.triage import Triage
from gexdesk.model.clock import Clock
from gexdesk.model.errors import OversizePayload, StoreError
from gexdesk.model.level import Level
from gexdesk.model.payload import Arrival, Payload, PayloadRef
from gexdesk.stores.spool import Spool

T = TypeVar("T")


class Receive:
    """Turn arrivals into acknowledged payloads.

    Args:
        limit_bytes: Larger bodies are refused before they are kept.
        gate_bytes: Above this size triage leaves its columns in ``columns_folder`` for processing.
    """

    def __init__(
        self, spool: Spool, ledger: Ledger, flights: Flights, triage: Triage, clock: Clock, *, limit_bytes: int, gate_bytes: int,
        columns_folder: str,
    ) -> None:  # fmt: skip
        self._spool = spool
        self._ledger = ledger
        self._flights = flights
        self._triage = triage
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._gate_bytes = gate_bytes
        self._columns_folder = columns_folder
        self._repeats = Repeats()
        self.bytes_received = 0

    async def deliver(self, arrival: Arrival) -> None:
        """Acknowledge a payload: when this returns, it is synced and will end completed or as a dead letter.

        Raises:
            OversizePayload: It is larger than a payload may be; nothing was kept.
            StoreError: It cannot be kept now (disk full); the source tries again.
        """
        self._check(arrival)
        if await self._repeats.of(arrival) is not None or await self._repeats.was_left(arrival):
            self.count_repeat(arrival)
            return
        await self.deliver_asked(arrival, lambda _: None)

    async def deliver_together(self, arrivals: Sequence[Arrival]) -> None:
        """Acknowledge several small payloads of one source with one sync, in their order, all or none; errors as ``deliver``."""
        for arrival in arrivals:
            self._check(arrival)
        new: list[Arrival] = []
        for arrival in arrivals:
            again = repeats(arrival, new[-1]) if new else await self._repeats.of(arrival) is not None
            if not again and not await self._repeats.was_left(arrival):
                new.append(arrival)
        source = arrivals[0].source
        if new:
            await self._triage.room(source)
            for payload, ref in await self._kept(source, self._spool.keep_together(new)):
                self._repeats.remember(payload)
                self._count(payload)
                self.take_up(payload, ref, self._clock.monotonic())
        kept = {id(arrival) for arrival in new}
        for arrival in arrivals:
            if id(arrival) not in kept:
                self.count_repeat(arrival)

    async def deliver_asked(self, arrival: Arrival, kept: Callable[[Payload], None]) -> Payload:
        """Acknowledge a payload that a request brought; errors as ``deliver``.

        Args:
            kept: Told of the payload once it is synced, before triage can end it.

        Returns:
            The payload.
        """
        self._check(arrival)
        await self._triage.room(arrival.source)
        urgent = self._triage.turn(arrival.source) is Level.CRITICAL
        payload, ref = await self._kept(arrival.source, self._spool.keep(arrival, urgent=urgent))
        self._repeats.remember(payload)
        self._count(payload)
        kept(payload)
        self.take_up(payload, ref, self._clock.monotonic())
        return payload

    async def repeated(self, arrival: Arrival) -> Payload | None:
        """Return the payload that an arrival is again, byte for byte; None where it brings something else."""
        return await self._repeats.of(arrival)

    def count_repeat(self, arrival: Arrival) -> None:
        """Count a payload that brought nothing new: it is no job."""
        self._ledger.adopt(arrival.source).repeated(arrival.received_at)
        self.bytes_received += len(arrival.body)

    def remember(self, payload: Payload) -> None:
        """Know a payload of an earlier engine that is not dead: what repeats it, as a file that its folder had no time to note, is
        no second job."""
        self._repeats.remember(payload)

    def leave(self, payload: Payload) -> None:
        """Know a payload that an earlier engine kept just before its end, dead or not: its source may not have noted that."""
        self._repeats.leave(payload)

    def take_up(self, payload: Payload, ref: PayloadRef, kept_at: float | None = None) -> None:
        """Begin the way of a payload that is kept: a new one, synced just now, or one that a crash left untriaged."""
        flight = self.flight_of(payload, ref)
        flight.kept_at, flight.kept_wall_at = kept_at, self._clock.now()
        self._flights.add(flight)
        self._triage.take(flight)

    def flight_of(self, payload: Payload, ref: PayloadRef) -> Flight:
        """Return a new flight for a payload that is kept."""
        large = payload.size_bytes > self._gate_bytes
        return Flight(payload, ref, f"{self._columns_folder}/{payload.payload_id}.arrow" if large else None)

    async def _kept(self, source: str, keeping: Awaitable[T]) -> T:
        """Return what is kept. Raises StoreError, which is noted as this desk's fault and not the source's."""
        try:
            return await keeping
        except StoreError as error:
            self._ledger.adopt(source).store_refused(self._clock.now(), error.message)
            raise

    def _check(self, arrival: Arrival) -> None:
        if len(arrival.body) > self._limit_bytes:
            raise OversizePayload(
                f"{arrival.name or 'a payload'} has {len(arrival.body):,} bytes; at most {self._limit_bytes:,} are taken"
            )

    def _count(self, payload: Payload) -> None:
        self._ledger.adopt(payload.source).arrived(payload.received_at)
        self.bytes_received += payload.size_bytes
