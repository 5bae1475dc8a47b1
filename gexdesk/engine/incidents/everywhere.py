"""What needs somebody anywhere in a fleet: the incidents of this engine, and those of the others."""

from collections.abc import Sequence

from gexdesk.engine.incidents.kind import OF_THE_FLEET
from gexdesk.model.view.incident import IncidentView


def twin(one: IncidentView, other: IncidentView) -> bool:
    """Say whether two engines tell the same of something that is the fleet's: the kill switch, the one queue's backlog."""
    return (one.kind, one.subject) == (other.kind, other.subject) and one.kind in OF_THE_FLEET


def akin(one: IncidentView, other: IncidentView) -> bool:
    """Say whether one page is enough for both: twins, and two engines' parts of what befell one vendor."""
    return twin(one, other) or bool(one.like and one.like == other.like)


def everywhere(own: Sequence[IncidentView], others: Sequence[IncidentView]) -> tuple[IncidentView, ...]:
    """Return the incidents of a fleet, this engine's first; of open twins the first alone, unless a later one is graver."""
    told = list(own)
    for incident in others:
        if incident.closed_at is not None or not any(
            twin(one, incident) and one.closed_at is None and one.severity >= incident.severity for one in told
        ):
            told.append(incident)
    return tuple(told)
