"""Check completeness: contracts and strikes that are missing, IVs that went away."""

from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome
from gexdesk.model.market import session

GATE = "coverage"
_FLAG_LOST = 0.02
_HEAVIEST = 8
_HEAVY_GONE = 3
_NARROWED = 0.8
_ENDS_S = 900.0


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return what is missing against the snapshot before; another session and an expiry are named and no fault."""
    before = known.before
    if before is None or before.shift_s != facts.shift_s:
        return []
    found = [_contracts(facts, before, known, limits), _strikes(facts, before, known), _coverage(facts, before, known, limits)]
    return [finding for finding in found if finding is not None]


def _contracts(facts: Facts, before: Facts, known: Known, limits: Limits) -> Finding | None:
    if facts.contracts is None or not before.contracts:
        return None
    lost = 1 - facts.contracts / before.contracts
    if lost <= _FLAG_LOST:
        return None
    text = f"{facts.contracts:,} contracts, {before.contracts:,} before: {lost:.0%} are missing"
    figures = (float(facts.contracts), float(before.contracts))
    expired = _expired(facts, before)
    if expired or not known.same_session(facts):
        why = "an expiry went" if expired else "a new session"
        if lost <= 0.5:
            return Finding(GATE, Outcome.NOTE, "fewer_contracts", f"{text} ({why})", *figures)
        return Finding(GATE, Outcome.QUARANTINE, "contracts_missing", f"{text}; {why} explains no such loss", *figures)
    outcome = Outcome.QUARANTINE if lost > limits.strikes_lost else Outcome.FLAG
    return Finding(GATE, outcome, "contracts_missing", text, *figures)


def _strikes(facts: Facts, before: Facts, known: Known) -> Finding | None:
    """Find a given table that lost its heaviest strikes, or a fifth of them, while the spot stayed."""
    now, was = facts.evidence, before.evidence
    if now is None or was is None or not now.given or not was.strikes or not known.same_session(facts):
        return None
    present = {strike for strike, _ in now.ladder}
    gone = [strike for strike, _ in was.ladder[:_HEAVIEST] if strike not in present]
    fewer = now.strikes < was.strikes
    if fewer and (len(gone) >= _HEAVY_GONE or now.strikes < was.strikes * _NARROWED):
        text = f"{now.strikes} strikes, {was.strikes} before"
        text += f"; the heavy ones {', '.join(f'{strike:g}' for strike in gone[:4])} are missing" if gone else ""
        return Finding(GATE, Outcome.QUARANTINE, "strikes_missing", text, float(now.strikes), float(was.strikes))
    return None


def _coverage(facts: Facts, before: Facts, known: Known, limits: Limits) -> Finding | None:
    if facts.coverage is None or before.coverage is None:
        return None
    drop = before.coverage - facts.coverage
    if drop <= limits.coverage_drop / 3:
        return None
    text = f"coverage {facts.coverage:.0%}, {before.coverage:.0%} before"
    now = session(facts.market_at)
    quiet = now.kind != "regular" or now.closes_at - facts.market_at < _ENDS_S or not known.same_session(facts)
    if quiet or drop <= limits.coverage_drop:
        return Finding(GATE, Outcome.FLAG, "coverage_fell", text, facts.coverage, before.coverage)
    return Finding(GATE, Outcome.QUARANTINE, "coverage_fell", text, facts.coverage, before.coverage)


def _expired(facts: Facts, before: Facts) -> bool:
    now, was = facts.evidence, before.evidence
    fronts = (now.front_expiry if now else None, was.front_expiry if was else None)
    return fronts[0] is not None and fronts[1] is not None and fronts[0] > fronts[1]
