"""Check the spot: against what the chain's own quotes imply, the last value, another source and the strikes."""

import math

from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome, points, share
from gexdesk.gates.moves import beyond

GATE = "spot"
_AGREES = 0.005
"""Another source or the quotes confirm a move when they are this near to the new spot, a share."""

_USUAL = 12.0
"""A move is worth a flag from so many deviations of the symbol's own moves on."""

_NEAREST = 0.0025
"""A spot is never flagged for straying less from its quotes, a share: they are a tick or two wide themselves."""

_AT_ONCE_S = 5.0
_DENIED = 2 / 3
_SMALL = 0.01
_NO_STEP = 0.2
_HALVED = 0.5
_NEAR_STRIKES = 0.02


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return what is wrong with the spot."""
    if facts.spot is None:
        lost = known.same_session(facts) and known.before is not None and known.before.spot is not None
        return [Finding(GATE, Outcome.FLAG, "no_spot", "it carries no spot; the one before did")] if lost else []
    implied = _implied(facts, facts.spot, known, limits)
    if implied is not None and implied.outcome is Outcome.QUARANTINE:
        return [implied]
    moved = _moved(facts, facts.spot, known, limits)
    outside = _outside(facts, facts.spot, known)
    return [finding for finding in (implied, moved, outside) if finding is not None]


def confirmed(facts: Facts, known: Known) -> str:
    """Say what confirms a spot that moved; empty where nothing does."""
    quotes = facts.evidence.implied_spot if facts.evidence is not None else None
    if _near(facts.spot, quotes):
        return f"the chain's quotes say {points(quotes)}"
    if known.other is not None and _near(facts.spot, known.other.spot):
        return f"{known.other.source} says {points(known.other.spot)}"
    return ""


def _implied(facts: Facts, spot: float, known: Known, limits: Limits) -> Finding | None:
    implied = facts.evidence.implied_spot if facts.evidence is not None else None
    off = share(spot, implied)
    if off is None or implied is None:
        return None
    # Dividends and a delayed underlying put a symbol's spot a little off for good: what counts is how far it strays from that.
    usual = sorted(known.moves.implied)[len(known.moves.implied) // 2] if known.moves.implied else 0.0
    strays = abs(off - usual)
    if strays <= min(limits.spot_implied * _HALVED, _NEAREST):
        return None
    own = beyond(tuple(abs(one - usual) for one in known.moves.implied), _USUAL)
    if strays <= (limits.spot_implied * _HALVED if own is None else min(limits.spot_implied * _HALVED, max(own, _NEAREST))):
        return None
    hold = strays > limits.spot_implied
    text = f"spot {points(spot)}, but the chain's quotes imply {points(implied)} ({off:+.1%})"
    return Finding(GATE, Outcome.QUARANTINE if hold else Outcome.FLAG, "spot_off_quotes", text, spot, implied, wrong=hold)


def _moved(facts: Facts, spot: float, known: Known, limits: Limits) -> Finding | None:
    before = known.before
    change = share(spot, before.spot) if before is not None else None
    if before is None or change is None or before.shift_s != facts.shift_s:
        return None
    away = abs(math.log1p(change)) if change > -1 else math.inf
    same = known.same_session(facts)
    between_s = max(1.0, facts.market_at - before.market_at)
    hold_from = limits.spot_jump * max(1.0, math.sqrt(between_s / 900.0)) if same else limits.session_gap
    if away <= min(_SMALL, hold_from):
        return None
    usual = beyond(known.moves.spot, _USUAL)
    flag_from = _SMALL if usual is None else max(_SMALL, usual * math.sqrt(between_s))
    if away <= (min(flag_from, hold_from) if same else hold_from):
        return None
    since = f"{between_s:.0f} s ago" if same else "in the session before"
    text = f"spot {points(spot)}, {points(before.spot)} {since} ({change:+.1%})"
    by = confirmed(facts, known)
    if by:
        return Finding(GATE, Outcome.FLAG if same else Outcome.NOTE, "spot_moved", f"{text}; {by}", spot, before.spot)
    other = known.other
    denied = other is not None and abs(other.market_at - facts.market_at) < _AT_ONCE_S and _near(before.spot, other.spot)
    if denied and other is not None:
        text += f"; {other.source} says {points(other.spot)}"
        hold_from = min(hold_from, limits.spot_jump * _DENIED)
    hold = away > hold_from and not known.history
    # A table by strike has nothing of its own to confirm a spot: whether its strikes follow is seen when it goes on.
    tells = facts.evidence is None or not facts.evidence.given or denied or away > _NO_STEP
    outcome = Outcome.QUARANTINE if hold else Outcome.FLAG
    return Finding(GATE, outcome, "spot_moved", text, spot, before.spot, wrong=hold and tells)


def _outside(facts: Facts, spot: float, known: Known) -> Finding | None:
    """Find a spot that lies outside of all strikes where the one before did not."""
    now, before = facts.evidence, known.before
    if now is None or now.low is None or now.high is None:
        return None
    if now.low * (1 - _NEAR_STRIKES) <= spot <= now.high * (1 + _NEAR_STRIKES):
        return None
    text = f"spot {points(spot)} lies outside of the strikes {points(now.low)} to {points(now.high)}"
    was_inside = before is not None and before.evidence is not None and known.same_session(facts)
    outcome = Outcome.QUARANTINE if was_inside else Outcome.FLAG
    nearest = now.low if spot < now.low else now.high
    return Finding(GATE, outcome, "spot_outside_strikes", text, spot, nearest, wrong=was_inside)


def _near(spot: float | None, other: float | None) -> bool:
    off = share(spot, other)
    return off is not None and abs(off) <= _AGREES
