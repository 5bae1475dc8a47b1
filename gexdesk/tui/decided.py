"""Write a decision: what it rested on, what matched, what made its score."""

from gexdesk.model.record_view import DecidedView, Plain
from gexdesk.tui import figures
from gexdesk.tui.ink import Run
from gexdesk.tui.widgets.lines import facts, labelled

PARTS = ("impact", "change", "freshness", "reliability", "urgency")
SHARES = frozenset({"gamma_change", "gamma_change_5m", "spot_move", "coverage", "zero_dte_share", "source_reliability"})
COUNTS = frozenset({"volume", "open_interest"})
WORDS = {
    "data_age_s": "data age", "source_reliability": "reliability", "open_interest": "open int.", "volume_from": "volume from",
    "minutes_since_changed": "unchanged min", "minutes_to_close": "min to close", "gamma_change_5m": "change in 5 m",
    "gamma_change": "gamma change", "zero_dte_share": "0DTE share", "volume_percentile": "volume pct.",
    "open_interest_percentile": "open int. pct.", "change_percentile": "change pct.", "expected_records": "expected",
    "priority_hint": "hint",
}  # fmt: skip
"""Features whose names are too long for a label, or need a person's word."""


def decided_lines(one: DecidedView, width: int, now: float) -> list[list[Run]]:
    """Write all of a decision, the most telling first."""
    decision = one.decision
    lines: list[list[Run]] = [
        [
            (f" {decision.level} {decision.score:.3f} ", "badge"),
            (f"  {one.symbol or 'several'}  decided {figures.age(now - one.at)} ago at {figures.time_of_day(int(one.at))}", ""),
            (f"  by {decision.guidelines_version}", "faint"),
        ]
    ]
    lines += facts([("because", decision.reason, "")], width)
    if decision.override is not None:
        o = decision.override
        words = f"{o.words} by {o.author}, {figures.until(o.until, now)}: {o.reason}"
        lines += facts([("override", words, "bold"), ("guidelines say", "{} {:.3f}".format(*decision.guidelines_say), "")], width)
    for index, match in enumerate(decision.matches):
        needs = "" if match.requires.name == "STALE" else f"  needs {match.requires.name.lower().replace('_', '-')}"
        label, ink = ("matches" if not index else "", "bold" if match.guideline == decision.winner else "")
        words = f"{match.guideline} {match.level} {match.score:.2f}"
        lines.append([(labelled(label), "faint"), (words, ink), (needs, "faint")])
    if not decision.matches:
        lines += facts([("matches", "no guideline: LOW", "bold")], width)
    lines += _parts(one, width)
    told = [(WORDS.get(name, name.replace("_", " ")), plain(name, value), "") for name, value in _told(one)]
    lines += facts(told, width, max(1, width // 38))
    return lines


def _told(one: DecidedView) -> list[tuple[str, Plain]]:
    """Return what it rested on, without what is said already or unknown."""
    return [(name, value) for name, value in one.features.items() if name not in ("symbol", "source") and value is not None]


def _parts(one: DecidedView, width: int) -> list[list[Run]]:
    parts = one.decision.parts
    if one.decision.override is not None or not parts.total:
        return []
    words = "  ".join(f"{name} {getattr(parts, name):.2f}" for name in PARTS)
    return facts([("score parts", f"{words}  = {parts.total:.2f} of the way up its band", "")], width)


def plain(name: str, value: Plain) -> str:
    """Write one feature."""
    match value:
        case None:
            return figures.UNKNOWN
        case bool():
            return "yes" if value else "no"
        case str():
            return value.replace("_", " ")
    if name in SHARES:
        return f"{value * 100:+.2f} %" if name == "spot_move" else f"{value * 100:.1f} %"
    if name in COUNTS:
        return figures.count(int(value))
    if name == "data_age_s":
        return figures.age(value) if value >= 0 else f"{value:.1f} s"
    return f"{value:,.1f}" if value != int(value) else f"{value:,.0f}"
