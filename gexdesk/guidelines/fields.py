"""The fields a condition may name, their kinds, and how people are told of them."""

from gexdesk.guidelines.classes import CLASSES

NUMBERS = (
    "volume", "open_interest", "gamma_change", "data_age_s", "source_reliability", "coverage",
    "minutes_to_close", "zero_dte_share", "spot_move", "expected_records",
    "gamma_change_5m", "volume_percentile", "open_interest_percentile", "change_percentile", "minutes_since_changed",
)  # fmt: skip
TEXTS: dict[str, tuple[str, ...]] = {
    "symbol": (),
    "source": (),
    "data_type": ("real_time", "snapshot", "historical"),
    "session": ("pre", "regular", "post", "closed"),
    "volume_from": ("payload", "chain", "assumed", "none"),
}
"""Fields that are texts, with the words they may be; none listed where the words are not a closed set."""
HINTS: dict[str, tuple[str, ...]] = {
    "data_quality": ("low", "medium", "high"),
    "priority_hint": ("low", "normal", "high", "critical"),
}
"""Ordered words a request may bring along; not known where it brought none."""
ORDERED: dict[str, tuple[str, ...]] = {**CLASSES, **HINTS}
"""Fields that are classes, with their words from the least to the most; the position is the word's rank."""
FLAG = "clock_skew"
"""The one field that is true or false by itself."""
FIELDS: dict[str, str] = {
    **dict.fromkeys(NUMBERS, "number"),
    **{name: name for name in (*TEXTS, *ORDERED)},
    FLAG: "flag",
}
"""Every field and its kind. Only values of one kind compare."""
ALIASES = {"market_symbol": "symbol"}
RENAMED = {"age": "freshness"}
"""Words that meant a field once, or that people try, and are like no other."""

ALLOWED = (
    f"comparisons of {', '.join([name for name in FIELDS if name != FLAG] + list(ALIASES))} with numbers, classes or quoted texts; "
    f"{FLAG} alone; in [..], and, or, not, + - * /"
)
IS = {"number": "is a number", **dict.fromkeys(TEXTS, "is a text"), **dict.fromkeys(ORDERED, "is a class"), "flag": "is yes or no"}
WITH = {"number": "numbers", **{name: f"the {name}" for name in (*TEXTS, *ORDERED)}}


def values_of(kind: str) -> str:
    """Say what a field of this kind compares with."""
    if kind == "number":
        return "numbers and " + ", ".join(NUMBERS)
    if kind in ORDERED:
        return " < ".join(ORDERED[kind])
    if kind == "symbol":
        return "a symbol in capitals and quotes, such as 'SPX'"
    return ", ".join(f"'{word}'" for word in TEXTS[kind]) or "the name of a source in quotes"
