"""Check the level: net and gross GEX, flip and walls that moved further than the symbol's own history explains."""

import math

from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome, common, dollars, points, share
from gexdesk.gates.moves import beyond
from gexdesk.gates.shape import factor
from gexdesk.gates.traded import begins_anew
from gexdesk.model.market import session

GATE = "jump"
_USUAL = 10.0
_HOLD = 2.0
"""Held back from this multiple of the flag's bound on."""

_NET_HOLD = 1.2
_ALIKE = 0.3
_GROSS = 2.5
_NO_MARKET = 3.5
"""Nothing the clock or the spot explains changes the gross GEX of a table without open interest by such a factor ..."""

_MOST_WENT = math.log(2.0)
"""... and most of its strikes by twice or half."""

_SPOT_MOVED = 0.003
_LEVEL = 0.02
"""Share of spot a flip or wall may move between two snapshots without a word."""

_OPENS_S = 900.0
_ENDS_S = 1800.0
_LONG_S = 600.0


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return which sums jumped; where the clock explains it, that is named and nothing is held back."""
    before = known.before
    if before is None or facts.net_gex is None or before.net_gex is None or not before.gross_gex or facts.gross_gex is None:
        return []
    if before.shift_s != facts.shift_s:
        return []
    moved = abs(facts.net_gex - before.net_gex) / before.gross_gex
    grown = facts.gross_gex / before.gross_gex
    gross_jumped = not 1 / _GROSS < grown < _GROSS
    if moved <= limits.net_jump and not gross_jumped:
        return []
    usual = beyond(known.moves.net, _USUAL)
    bound = limits.net_jump if usual is None else max(limits.net_jump, usual)
    if moved <= bound and not gross_jumped:
        return []
    text = f"net GEX {dollars(facts.net_gex)}, {dollars(before.net_gex)} before: {moved:.0%} of gross, {bound:.0%} is explained"
    if gross_jumped:
        text = f"gross GEX {dollars(facts.gross_gex)}, {dollars(before.gross_gex)} before ({grown:.2g} times)"
    figures = (facts.gross_gex, before.gross_gex) if gross_jumped else (facts.net_gex, before.net_gex)
    why = _explained(facts, before, known)
    if why and not _no_market(facts, before, known, grown):
        return [Finding(GATE, Outcome.NOTE, "level_jumped", f"{text}; {why}", *figures)]
    # Strikes that keep their shape were moved by the market: what breaks a feed breaks the shape, or all of it by one factor.
    alike = known.shape.alike
    hold = gross_jumped or (moved > max(_HOLD * bound, _NET_HOLD) and (alike is None or alike < _ALIKE))
    return [Finding(GATE, Outcome.QUARANTINE if hold else Outcome.FLAG, "level_jumped", text, *figures)]


def check_levels(facts: Facts, before: Facts | None) -> list[Finding]:
    """Return which of flip and walls moved far; they leap between strikes by nature, so that it is a flag at most."""
    if before is None or not facts.spot or before.session != facts.session or before.shift_s != facts.shift_s:
        return []
    found = []
    for name, now, was in (
        ("flip", facts.flip, before.flip),
        ("call wall", facts.call_wall, before.call_wall),
        ("put wall", facts.put_wall, before.put_wall),
    ):
        follows = abs(share(facts.spot, before.spot) or 0.0)
        if now is not None and was is not None and abs(now - was) / facts.spot > _LEVEL + follows:
            word = f"{name.replace(' ', '_')}_moved"
            found.append(Finding(GATE, Outcome.FLAG, word, f"{name} {points(now)}, {points(was)} before", now, was))
    return found


def _no_market(facts: Facts, before: Facts, known: Known, grown: float) -> bool:
    """Say whether gross GEX went further than the clock and the spot take it, and most strikes went along.

    A chain's open interest is checked by itself: with that in place its gamma may grow without bound towards expiry. So may that
    of a table at the strikes next to the spot, and then the others stay.
    """
    boundless = facts.open_interest is not None or begins_anew(facts) or not known.same_session(facts)
    if boundless or 1 / _NO_MARKET < grown < _NO_MARKET or facts.evidence is None or before.evidence is None:
        return False
    went = factor(facts.evidence.ladder, before.evidence.ladder)
    return went is None or abs(went[0]) > _MOST_WENT


def _explained(facts: Facts, before: Facts, known: Known) -> str:
    """Name what makes levels jump by the clock; empty where nothing does."""
    if not known.same_session(facts):
        return "a new session begins"
    if begins_anew(facts):
        return "by volume, and little was traded yet"
    both = common(facts.evidence, before.evidence)
    if both is not None and both.expired:
        return "an expiry went"
    moved = share(facts.spot, before.spot)
    if moved is not None and abs(moved) > _SPOT_MOVED:
        return f"the spot moved by {moved:+.1%}"
    now = session(facts.market_at)
    if now.kind != "regular":
        return "outside of regular hours"
    if facts.market_at - now.opens_at < _OPENS_S:
        return "the session has just begun"
    if now.closes_at - facts.market_at < _ENDS_S:
        return "the day's last options expire"
    if facts.market_at - before.market_at > _LONG_S * max(1.0, math.log1p(len(known.moves.net))):
        return f"the last one is {(facts.market_at - before.market_at) / 60:.0f} minutes old"
    return ""
