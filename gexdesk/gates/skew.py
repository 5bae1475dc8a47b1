"""Check the clock: a stamp in the future."""

from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome

GATE = "skew"
_ABSURD_S = 3600.0


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return whether the stamp lies further in the future than clocks differ; by an hour and more it is no stamp at all."""
    ahead_s = facts.as_of - facts.received_at
    if ahead_s <= limits.skew_s:
        return []
    absurd = ahead_s > _ABSURD_S
    text = f"its stamp lies {ahead_s:.1f} s in the future"
    outcome = Outcome.QUARANTINE if absurd else Outcome.FLAG
    return [Finding(GATE, outcome, "clock_skew", text, facts.as_of, facts.received_at, wrong=absurd)]
