"""Know when exposure by volume, which begins at nothing each day and grows, may be compared with the one before."""

from gexdesk.gates.facts import Facts
from gexdesk.model.market import session

_GROWS_S = 3_600.0


def begins_anew(facts: Facts) -> bool:
    """Say whether exposure by volume may be any multiple of the last: outside of regular hours, and while little was traded."""
    if facts.evidence is None or not facts.evidence.by_volume:
        return False
    now = session(facts.market_at)
    return now.kind != "regular" or facts.market_at - now.opens_at < _GROWS_S


def goes_on(facts: Facts, before: Facts) -> bool:
    """Say whether exposure by volume goes on from before; a new day's begins at nothing, some time before its open."""
    now = session(facts.market_at)
    if now.kind == "regular":
        return before.market_at >= now.opens_at
    return now.kind == "post" and before.session == facts.session
