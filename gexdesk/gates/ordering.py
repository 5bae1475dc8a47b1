"""Check the order: stamps that go back, and other numbers under the same stamp."""

from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome

GATE = "ordering"
REVISED = "revised"
"""Noted, and no fault: feeds that stamp whole seconds revise themselves all the time."""


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return whether it is older than the one before; readers keep the newer one by the cache's own rule."""
    before = known.before
    if before is None or before.shift_s != facts.shift_s:
        return []
    back_s = before.stamped_at - facts.stamped_at
    if back_s > 0:
        text = f"its stamp is {back_s:.1f} s older than the one before"
        return [Finding(GATE, Outcome.FLAG, "reordered", text, facts.as_of, before.as_of)]
    now, was = facts.evidence, before.evidence
    if before.as_of == facts.as_of and now is not None and was is not None and now.inputs != was.inputs:
        text = "other numbers under the stamp of the one before"
        return [Finding(GATE, Outcome.FLAG, REVISED, text, facts.as_of, before.as_of)]
    return []
