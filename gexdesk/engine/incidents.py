"""Open an incident when something needs a person, join its like, close it when the cause has gone."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from gexdesk.engine.chronicle import Chronicle
from gexdesk.model.view import IncidentView

CLOSE_AFTER_S = 3.0
SHOWN_CLOSED_S = 60.0


class Condition(Struct, frozen=True):
    """State one thing that is wrong now; ``key`` joins it with itself over time."""

    key: str
    severity: int
    subject: str
    text: str
    do_first: str


@dataclass(slots=True)
class _Incident:
    number: int
    condition: Condition
    opened_at: float
    last_seen_at: float
    closed_at: float | None = None


class Incidents:
    """Hold open incidents and those closed within the last minute."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._incidents: dict[str, _Incident] = {}
        self._count = 0

    def look(self, conditions: Sequence[Condition], now: float) -> None:
        """Take what is wrong at this moment: open, refresh, close."""
        for condition in conditions:
            incident = self._incidents.get(condition.key)
            if incident is None or incident.closed_at is not None:
                self._count += 1
                self._incidents[condition.key] = _Incident(self._count, condition, now, now)
                self._chronicle.tell("incident", f"#{self._count} {condition.subject}: {condition.text}", grave=True)
            else:
                incident.condition = condition
                incident.last_seen_at = now
        for key, incident in list(self._incidents.items()):
            if incident.closed_at is None and now - incident.last_seen_at > CLOSE_AFTER_S:
                incident.closed_at = now
                self._chronicle.tell("incident", f"#{incident.number} {incident.condition.subject}: closed itself")
            elif incident.closed_at is not None and now - incident.closed_at > SHOWN_CLOSED_S:
                del self._incidents[key]

    def views(self) -> tuple[IncidentView, ...]:
        """Return them as drawn: open before closed, severe before mild, older first."""
        ordered = sorted(
            self._incidents.values(), key=lambda i: (i.closed_at is not None, -i.condition.severity, i.number)
        )
        return tuple(
            IncidentView(
                number=i.number,
                severity=i.condition.severity,
                subject=i.condition.subject,
                text=i.condition.text,
                opened_at=i.opened_at,
                closed_at=i.closed_at,
                do_first=i.condition.do_first,
            )
            for i in ordered
        )
