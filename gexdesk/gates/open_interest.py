"""Check open interest: the same all day, new each morning, never yesterday's again."""

from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome, common, share
from gexdesk.model.market import session

GATE = "open_interest"
_SAME = 0.001
_FEWEST_EXPIRIES = 2
_TO_THE_CONTRACT = 0.5
_ROLL = (0.4, 2.5)
"""Where open interest may stand after a roll, as multiples of the last session's: an expiry of the quarter takes half of it."""

_ROLL_ENDS_S = 900.0
"""How long after the open the new open interest may still come in."""


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return what is wrong with open interest; a roll is named and no fault."""
    before = known.before
    if before is None or facts.open_interest is None or not before.open_interest or before.shift_s != facts.shift_s:
        return []
    same = known.same_session(facts)
    if same and _interest(facts) is not None and _interest(facts) == _interest(before):
        return []
    yesterdays = _yesterdays(facts, known)
    listed = common(facts.evidence, before.evidence)
    both = (facts.open_interest, before.open_interest) if listed is None else (listed.interest, listed.interest_before)
    change = share(*both)
    if change is None:
        return []
    if not same:
        if yesterdays:
            held = session(facts.market_at).kind == "regular"
            text = f"open interest {both[0]:,.0f} is the last session's to the contract: it has not rolled"
            return [Finding(GATE, Outcome.FLAG if held else Outcome.NOTE, "not_rolled", text, *both)]
        return [_roll(both, change)]
    # Over a large chain ups and downs cancel each other out: a sum that stays is not yet the same open interest.
    yesterdays = yesterdays and not _yesterdays(before, known)
    if abs(change) <= _SAME and not yesterdays:
        return []
    figures = f"open interest {both[0]:,.0f}, the last was {both[1]:,.0f} ({change:+.1%})"
    if yesterdays:
        text = f"{figures}: those are the last session's"
        return [Finding(GATE, Outcome.QUARANTINE, "yesterdays_interest", text, *both, wrong=True)]
    if _still_rolling(facts, known):
        return [_roll(both, change)]
    # Contracts that are missing take theirs with them; that is said once, by the check of the strikes.
    if change < 0 and listed is not None and listed.contracts < listed.contracts_before * (1 - limits.strikes_lost):
        return []
    hold = abs(change) > limits.open_interest
    outcome = Outcome.QUARANTINE if hold else Outcome.FLAG
    return [Finding(GATE, outcome, "interest_changed", f"{figures} within a session", *both)]


def _interest(facts: Facts) -> int | None:
    return facts.evidence.interest if facts.evidence is not None else None


def _roll(both: tuple[float, float], change: float) -> Finding:
    low, high = _ROLL
    figures = f"{both[0]:,.0f}, before {both[1]:,.0f} ({change:+.1%})"
    if low <= 1 + change <= high:
        return Finding(GATE, Outcome.NOTE, "interest_rolled", f"open interest rolled to {figures}", *both)
    return Finding(GATE, Outcome.QUARANTINE, "interest_changed", f"open interest {figures}: no roll does that", *both)


def _still_rolling(facts: Facts, known: Known) -> bool:
    """Say whether new open interest may still come in: until a while after the open, and while the last session's stands."""
    now = session(facts.market_at)
    if now.kind in ("pre", "closed") or (now.kind == "regular" and facts.market_at - now.opens_at < _ROLL_ENDS_S):
        return True
    return known.before is not None and known.yesterday is not None and _same(known.before, known.yesterday)


def _yesterdays(facts: Facts, known: Known) -> bool:
    """Say whether the open interest is the one that the session before ended with."""
    last = known.yesterday if known.same_session(facts) else known.before
    return last is not None and _same(facts, last)


def _same(facts: Facts, last: Facts) -> bool:
    """Say whether two chains have the same open interest at every expiry that both list: what expired matters to neither."""
    now, was = facts.evidence, last.evidence
    if now is None or was is None:
        return False
    if now.interest is not None and now.interest == was.interest:
        return True
    held = {day: interest for day, _, interest in was.expiries}
    both = [(interest, held[day]) for day, _, interest in now.expiries if day in held]
    return len(both) >= _FEWEST_EXPIRIES and all(abs(left - right) <= _TO_THE_CONTRACT for left, right in both)
