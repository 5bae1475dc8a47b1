"""Follow each acknowledged payload from receipt to its end; what is not here is finished."""

from dataclasses import dataclass

from gexdesk.engine.gatekeeper import Judged, is_history
from gexdesk.engine.ledger import Account
from gexdesk.engine.tasks import Computed, Refused, Triaged
from gexdesk.model.clock import Clock
from gexdesk.model.decision import Decision
from gexdesk.model.payload import Payload, PayloadRef


@dataclass(slots=True)
class Flight:
    """Hold what the engine knows of one payload on its way.

    Attributes:
        triaged: What triage found; None before it, and after a restart (the queue then knows the level already).
        judged: What the checks said, one a snapshot in file order; empty before triage, and after a restart.
        refused: Why triage could not use it; its job is buried when claimed.
        results: What a small payload comes to, computed together with triage; None where processing has it to do.
        deaths: Pool processes that died with it.
        foreign: Another engine acknowledged it: its bytes came with the job and go with its end here.
        kept_at, queued_at: When it was synced and when it was queued, seconds of the monotonic clock; None where an earlier
            engine did that.
        kept_wall_at: When it was synced, UTC seconds.
    """

    payload: Payload
    ref: PayloadRef
    columns_path: str | None
    triaged: Triaged | None = None
    refused: Refused | None = None
    results: tuple[Computed, ...] | None = None
    decision: Decision | None = None
    decided_at: float | None = None
    started_at: float | None = None
    deaths: int = 0
    kept_at: float | None = None
    queued_at: float | None = None
    kept_wall_at: float = 0.0
    judged: tuple[Judged, ...] = ()
    foreign: bool = False

    def now(self, clock: Clock) -> float:
        """Return the time, UTC seconds, by the clock as it went when this was kept: one that is set on the way is no latency."""
        return clock.now() if self.kept_at is None else self.kept_wall_at + clock.monotonic() - self.kept_at

    def historical(self, account: Account) -> bool:
        """Say whether it is history, by its source or by the request that asked for it: never live."""
        return is_history(account, self.payload)


class Flights:
    """Hold every flight by job id.

    Attributes:
        size_bytes: Of all their payloads together, as received.
    """

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._flights)

    def add(self, flight: Flight) -> None:
        """Begin a flight."""
        job_id = flight.payload.payload_id
        if job_id in self._flights:
            self.end(job_id)
        self._flights[job_id] = flight
        self.size_bytes += flight.payload.size_bytes

    def get(self, job_id: str) -> Flight | None:
        """Return a flight, None when it has ended or never began here."""
        return self._flights.get(job_id)

    def own(self) -> list[Flight]:
        """Return the flights of payloads that this engine acknowledged, the oldest first."""
        return [flight for flight in self._flights.values() if not flight.foreign]

    def end(self, job_id: str) -> None:
        """Forget a flight that is stored or dead."""
        flight = self._flights.pop(job_id, None)
        if flight is not None:
            self.size_bytes -= flight.payload.size_bytes
