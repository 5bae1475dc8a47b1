"""Check open interest: the same all day, new each morning, never yesterday's again."""

from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome, share
from gexdesk.model.market import session

GATE = "open_interest"
_SAME = 0.001
_YESTERDAYS = 0.0005
_ROLL = (0.4, 2.5)
"""Where open interest may stand after a roll, as multiples of the last session's: an expiry of the quarter takes half of it."""

_ROLL_ENDS_S = 900.0
"""How long after the open the new open interest may still come in."""


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return what is wrong with open interest; a roll is named and no fault."""
    before = known.before
    change = share(facts.open_interest, before.open_interest) if before is not None else None
    if before is None or change is None or facts.open_interest is None or before.shift_s != facts.shift_s:
        return []
    same = known.same_session(facts)
    yesterdays = _yesterdays(facts, known)
    both = (facts.open_interest, before.open_interest)
    if not same:
        if yesterdays:
            held = session(facts.market_at).kind == "regular"
            text = f"open interest {facts.open_interest:,.0f} is the last session's to the contract: it has not rolled"
            return [Finding(GATE, Outcome.FLAG if held else Outcome.NOTE, "not_rolled", text, *both)]
        return [_roll(facts, before, change)]
    if abs(change) <= _SAME:
        return []
    figures = f"open interest {facts.open_interest:,.0f}, the last was {before.open_interest:,.0f} ({change:+.1%})"
    if yesterdays:
        text = f"{figures}: those are the last session's"
        return [Finding(GATE, Outcome.QUARANTINE, "yesterdays_interest", text, *both, wrong=True)]
    if _still_rolling(facts):
        return [_roll(facts, before, change)]
    # Contracts that are missing take theirs with them; that is said once, by the check of the strikes.
    if change < 0 and facts.contracts and before.contracts and facts.contracts < before.contracts * (1 - limits.strikes_lost):
        return []
    hold = abs(change) > limits.open_interest
    outcome = Outcome.QUARANTINE if hold else Outcome.FLAG
    return [Finding(GATE, outcome, "interest_changed", f"{figures} within a session", *both)]


def _roll(facts: Facts, before: Facts, change: float) -> Finding:
    low, high = _ROLL
    both = (facts.open_interest, before.open_interest)
    figures = f"{facts.open_interest or 0.0:,.0f}, before {before.open_interest or 0.0:,.0f} ({change:+.1%})"
    if low <= 1 + change <= high:
        return Finding(GATE, Outcome.NOTE, "interest_rolled", f"open interest rolled to {figures}", *both)
    return Finding(GATE, Outcome.QUARANTINE, "interest_changed", f"open interest {figures}: no roll does that", *both)


def _still_rolling(facts: Facts) -> bool:
    now = session(facts.market_at)
    return now.kind in ("pre", "closed") or (now.kind == "regular" and facts.market_at - now.opens_at < _ROLL_ENDS_S)


def _yesterdays(facts: Facts, known: Known) -> bool:
    """Say whether the open interest is the one that the session before ended with."""
    last = known.yesterday if known.same_session(facts) else known.before
    if last is None or facts.evidence is None or last.evidence is None:
        return False
    if facts.evidence.interest is not None and facts.evidence.interest == last.evidence.interest:
        return True
    sides = [
        share(facts.evidence.call_open_interest, last.evidence.call_open_interest),
        share(facts.evidence.put_open_interest, last.evidence.put_open_interest),
    ]
    # Series that expired are gone from today's chain, so that a sum may match where the rows do not.
    return known.same_session(facts) and all(side is not None and abs(side) <= _YESTERDAYS for side in sides)
