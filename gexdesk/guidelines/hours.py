"""Where New York's trading day stands, as conditions name it."""

from gexdesk.model.market import session


def hours(at: float) -> tuple[str, float | None]:
    """Return ``Features.session`` and ``Features.minutes_to_close`` of a moment (UTC seconds); early closes count."""
    found = session(at)
    return found.kind, (found.closes_at - at) / 60 if found.kind == "regular" else None
