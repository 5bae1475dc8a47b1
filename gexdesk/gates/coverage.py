"""Check completeness: contracts and strikes that are missing, IVs that went away."""

from itertools import islice

from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome, common, points
from gexdesk.model.market import session

GATE = "coverage"
_FLAG_LOST = 0.02
_HEAVIEST = 8
_HEAVY_GONE = 3
_NARROWED = 0.8
_CUT = 0.6
_NEW_SESSION = 1.5
"""From one session to the next so many times more contracts may be gone: listings change over night."""

_ENDS_S = 900.0


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return what is missing against the snapshot before; what expired is missing from neither."""
    before = known.before
    if before is None or before.shift_s != facts.shift_s:
        return []
    lost = _contracts(facts, before, known, limits) or _cut(facts, before)
    found = [lost, _strikes(facts, before, known), _coverage(facts, before, known, limits)]
    return [finding for finding in found if finding is not None]


def _contracts(facts: Facts, before: Facts, known: Known, limits: Limits) -> Finding | None:
    if facts.contracts is None or not before.contracts:
        return None
    both = common(facts.evidence, before.evidence)
    there, were = (facts.contracts, before.contracts) if both is None else (both.contracts, both.contracts_before)
    lost = 1 - there / were
    if lost <= _FLAG_LOST:
        if both is not None and both.expired and facts.contracts < before.contracts:
            text = f"{facts.contracts:,} contracts, {before.contracts:,} before: an expiry went"
            return Finding(GATE, Outcome.NOTE, "fewer_contracts", text, float(facts.contracts), float(before.contracts))
        return None
    bound = limits.strikes_lost if known.same_session(facts) else min(0.9, _NEW_SESSION * limits.strikes_lost)
    text = f"{there:,} contracts, {were:,} before at the same expiries: {lost:.0%} are missing"
    outcome = Outcome.QUARANTINE if lost > bound else Outcome.FLAG
    return Finding(GATE, outcome, "contracts_missing", text, float(there), float(were))


def _cut(facts: Facts, before: Facts) -> Finding | None:
    """Find strikes that end before half of where they reached."""
    now, was = facts.evidence, before.evidence
    if now is None or was is None or facts.spot is None or before.spot is None:
        return None
    if now.low is None or now.high is None or was.low is None or was.high is None:
        return None
    follows = abs(facts.spot - before.spot)  # a table around the spot goes with it
    for name, shrank, reached, end, ended in (
        ("above", was.high - now.high, was.high - before.spot, now.high, was.high),
        ("below", now.low - was.low, before.spot - was.low, now.low, was.low),
    ):
        if reached > 0 and shrank - follows > _CUT * reached:
            text = f"the strikes {name} the spot are missing: they end at {points(end)}, before at {points(ended)}"
            return Finding(GATE, Outcome.QUARANTINE, "strikes_missing", text, end, ended)
    return None


def _strikes(facts: Facts, before: Facts, known: Known) -> Finding | None:
    """Find a given table that lost its heaviest strikes, or a fifth of them, while the spot stayed."""
    now, was = facts.evidence, before.evidence
    if now is None or was is None or not now.given or now.strikes >= was.strikes:
        return None
    gone = [strike for strike in islice(was.ladder, _HEAVIEST) if strike not in now.ladder]
    if len(gone) < _HEAVY_GONE and now.strikes >= was.strikes * _NARROWED:
        return None
    text = f"{now.strikes} strikes, {was.strikes} before"
    text += f"; the heavy ones {', '.join(f'{strike:g}' for strike in gone[:4])} are missing" if gone else ""
    outcome = Outcome.QUARANTINE if known.same_session(facts) or now.strikes < was.strikes * _NARROWED**2 else Outcome.FLAG
    return Finding(GATE, outcome, "strikes_missing", text, float(now.strikes), float(was.strikes))


def _coverage(facts: Facts, before: Facts, known: Known, limits: Limits) -> Finding | None:
    if facts.coverage is None or before.coverage is None:
        return None
    drop = before.coverage - facts.coverage
    if drop <= limits.coverage_drop / 3:
        return None
    text = f"coverage {facts.coverage:.0%}, {before.coverage:.0%} before"
    now = session(facts.market_at)
    quiet = now.kind != "regular" or now.closes_at - facts.market_at < _ENDS_S or not known.same_session(facts)
    outcome = Outcome.FLAG if quiet or drop <= limits.coverage_drop else Outcome.QUARANTINE
    return Finding(GATE, outcome, "coverage_fell", text, facts.coverage, before.coverage)
