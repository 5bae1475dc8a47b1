"""Decide: features and a set of guidelines in, a level with its reason out. Pure: no clock, no state."""

from datetime import UTC, datetime
from math import isnan, nan

from gexdesk.guidelines.classes import CLASSES, Reading
from gexdesk.guidelines.rules import RuleSet
from gexdesk.model.decision import Decision, Freshness, Match, Override, ScoreParts
from gexdesk.model.features import Features
from gexdesk.model.level import Level
from gexdesk.model.text import printable

OVERRIDE = "override"
UNMATCHED = "unmatched"
URGENCY: dict[str | None, float] = {"low": 0.0, "normal": 1 / 3, "high": 2 / 3, "critical": 1.0}
"""What a request's ``priority_hint`` is worth; it moves the score inside its band and never the level."""

_FRESHNESS = tuple(reversed(Freshness))
_AGES = ("stale", "fresh", "real-time")
_FROM = {
    "chain": ", volume and open interest from the symbol's latest chain",
    "assumed": ", volume and open interest assumed by configuration",
}


def decide(features: Features, rules: RuleSet, override: Override | None = None, *, at: float | None = None) -> Decision:
    """Give a payload its level and score, with everything that matched and the reason in words.

    Args:
        features: Numbers that are None, NaN or infinite are not known: comparisons with them are false.
        override: The one in force now; who passes it has checked its end.
        at: The time of the decision, UTC seconds; without it no guideline has expired.

    Returns:
        The decision. Without an override the highest score wins; on equal scores the stricter freshness requirement, then the
        order of the file. Nothing matched: LOW, ``unmatched``. An override gives the top score of its level, and the matches
        are still recorded.
    """
    reading = rules.classes.read(features)
    parts = _parts(reading, rules, URGENCY.get(features.priority_hint, URGENCY["normal"]))
    lift = parts.total
    matches = []
    for position in rules.matcher(reading, features, nan if at is None else at):
        guideline = rules.active[position]
        matches.append(Match(guideline.name, guideline.level, _score(guideline.score, guideline.level, lift), guideline.requires))
    if len(matches) > 1:
        matches.sort(key=_order)
    if matches:
        winner, level, score = matches[0].guideline, matches[0].level, matches[0].score
    else:
        winner, level, score = UNMATCHED, Level.LOW, _score(Level.LOW.band[0], Level.LOW, lift)
    reason = f"{winner}: {_figures(reading)}{_FROM.get(features.volume_from, '')}"
    if override is not None:
        reason = f"{_in_force(override)}; the guidelines say {level} by {reason}"
        winner, level, score = OVERRIDE, override.level, override.level.band[1]
    return Decision(
        level=level,
        score=score,
        freshness=_FRESHNESS[int(reading.freshness)],
        winner=winner,
        matches=tuple(matches),
        guidelines_version=rules.version,
        reason=reason,
        override=override,
        parts=parts,
    )


def _order(match: Match) -> tuple[float, int]:
    return -match.score, match.requires


def _score(floor: float, level: Level, lift: float) -> float:
    top = level.band[1]
    return min(floor + (top - floor) * lift, top)


def _parts(reading: Reading, rules: RuleSet, urgency: float) -> ScoreParts:
    """Say what lifts a score inside its band, 0 to 1 together.

    Impact and change count half at the threshold of their highest class, x / (1 + x); age counts half at the real-time
    threshold, 1 / (1 + x). Each step is written so that rounding keeps it monotone, and so that NaN, which is not above
    zero, counts nothing; an unknown change counts as medium. Thresholds are multiplied by their reciprocals because Polars
    does so in ``batch.py``, and both must round alike.
    """
    classes, weights = rules.classes, rules.weights
    size = max(
        reading.volume * (1 / classes.volume_high_over) if reading.volume > 0 else 0.0,
        reading.open_interest * (1 / classes.open_interest_high_over) if reading.open_interest > 0 else 0.0,
    )
    move = classes.change_medium_from if isnan(reading.gamma_change) else max(reading.gamma_change, 0.0)
    age_s = max(reading.data_age_s, classes.real_time_under_s if reading.skewed else 0.0)
    return ScoreParts(
        weights.impact * (1 - 1 / (1 + size)),
        weights.change * (1 - 1 / (1 + move * (1 / classes.change_large_over))),
        0.0 if isnan(age_s) else weights.freshness / (1 + age_s * (1 / classes.real_time_under_s)),
        weights.source_reliability * (min(reading.source_reliability, 1.0) if reading.source_reliability > 0 else 0.0),
        weights.urgency * urgency,
    )


def _figures(reading: Reading) -> str:
    """Write what the decision rests on, in one line."""
    if isnan(reading.impact):
        size = "impact not known (no volume, no open interest), so that no comparison with it holds"
    else:
        impact = CLASSES["impact"][int(reading.impact)]
        size = f"impact {impact} (volume {_count(reading.volume)}, open interest {_count(reading.open_interest)})"
    if isnan(reading.gamma_change):
        move = "no previous snapshot in this session: change counts as medium"
    else:
        move = f"change {CLASSES['change'][int(reading.change)]} ({reading.gamma_change:.4g})"
    if isnan(reading.data_age_s):
        return f"{size}, {move}, age not known: counts as stale"
    skew = ", stamp in the future: clock skew, fresh at best" if reading.skewed else ""
    return f"{size}, {move}, age {reading.data_age_s:.4g} s ({_AGES[int(reading.freshness)]}){skew}"


def _count(contracts: float) -> str:
    return "not known" if isnan(contracts) else f"{contracts:,.0f}"


def _in_force(override: Override) -> str:
    until = "no end" if override.until is None else f"until {datetime.fromtimestamp(override.until, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"override: {override.level} by {printable(override.author, 40)}, {until}: {printable(override.reason, 120)}"
