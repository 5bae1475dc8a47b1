"""Decide many at once: conditions as Polars expressions, with the same answers as ``decide`` gives one by one.

Polars is loaded by the first call, so that a screen or ``--help`` never pays for it. Inside, a value that is not known is null
(never NaN, which Polars takes for the greatest number); a comparison with it is null, which counts as false, and below a
``not`` is made false before it is turned round.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING

from gexdesk.guidelines.classes import SKEW_S, Classes
from gexdesk.guidelines.decide import UNMATCHED, URGENCY
from gexdesk.guidelines.fields import FLAG, HINTS, NUMBERS, TEXTS
from gexdesk.guidelines.tree import (
    All,
    Among,
    AnyOf,
    Compare,
    Field,
    Flag,
    Minus,
    Not,
    Operand,
    Reckon,
    Test,
    Until,
    Value,
    fields_of,
)
from gexdesk.model.errors import GuidelineError
from gexdesk.model.features import Features
from gexdesk.model.level import LEVELS, Level

if TYPE_CHECKING:
    import polars as pl

    from gexdesk.guidelines.rules import RuleSet

AT = "decided_at"
"""Column with the time of each decision, a Datetime in UTC or seconds; without it no guideline has expired."""

_SIGNS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_LIFT = "lift"
_NEEDED = ("volume", "open_interest", "gamma_change", "data_age_s", "source_reliability")
_DEFAULTS = dict(
    zip(Features.__struct_fields__[-len(Features.__struct_defaults__) :], Features.__struct_defaults__, strict=True)
)


def decide_batch(frame: pl.DataFrame, rules: RuleSet) -> pl.DataFrame:
    """Decide every row of a frame as ``decide`` does without an override.

    Args:
        frame: A column for each field of ``Features``; those with a default may be missing, and null is not known (for a
            text: the default). Where it has a column ``decided_at``, guidelines expire by it.

    Returns:
        One row for each, in order: ``winner`` (String), ``level`` (Enum of the four), ``score`` (Float64).

    Raises:
        GuidelineError: A column is missing or is not of its kind.
    """
    import polars as pl

    # On equal scores the stricter freshness, then the order of the file. Levels lie apart, so the higher one always wins.
    order = sorted(range(len(rules.active)), key=lambda n: (rules.active[n].level.rank, rules.active[n].requires, n))
    active = [rules.active[n] for n in order]
    floors = {level: {guideline.score for guideline in active if guideline.level is level} for level in LEVELS}
    tests = [expression(rules.tests[n]) for n in order]
    places = []
    for place, (guideline, test) in enumerate(zip(active, tests, strict=True)):
        held = test
        if len(floors[guideline.level]) > 1:
            # Guidelines of this level begin at different scores: the highest of those that hold is to be met.
            scores = [
                pl.when(other_test).then(_score(pl.lit(other.score), other.level.band[1]))
                for other, other_test in zip(active, tests, strict=True)
                if other.level is guideline.level
            ]
            held = test & (_score(pl.lit(guideline.score), guideline.level.band[1]) == pl.max_horizontal(scores))
        places.append(pl.when(held).then(pl.lit(place, dtype=pl.Int16)))
    found = pl.coalesce(*places, pl.lit(len(active), dtype=pl.Int16))
    used = {*_NEEDED, "priority_hint", FLAG}.union(*map(fields_of, rules.tests))
    try:
        reading = _read(frame, rules.classes, used).with_columns(_lift(rules).alias(_LIFT))
        decided = reading.select(found.alias("place"), _LIFT).collect()
    except pl.exceptions.PolarsError as error:
        raise GuidelineError(f"the recorded features cannot be decided: {str(error).partition(chr(10))[0]}") from error
    won = decided["place"]
    ends = [(guideline.score, guideline.level.band[1]) for guideline in active] + [Level.LOW.band]
    levels = [str(guideline.level) for guideline in active] + [str(Level.LOW)]
    chosen = pl.DataFrame(
        {
            "winner": pl.Series([guideline.name for guideline in active] + [UNMATCHED], dtype=pl.String).gather(won),
            "level": pl.Series(levels, dtype=pl.Enum([str(level) for level in LEVELS])).gather(won),
            "floor": pl.Series([floor for floor, _ in ends]).gather(won),
            "top": pl.Series([top for _, top in ends]).gather(won),
            _LIFT: decided[_LIFT],
        }
    )
    return chosen.select("winner", "level", _score(pl.col("floor"), pl.col("top")).alias("score"))


def expression(test: Test) -> pl.Expr:
    """Return a condition as one expression over the columns ``_read`` gives: true where it holds, else false or null."""
    return _test(test, exact=False)


def _test(test: Test, *, exact: bool) -> pl.Expr:
    """Return the expression; ``exact`` asks for false where a value is not known, as a ``not`` around it needs."""
    import polars as pl

    match test:
        case All(parts):
            return pl.all_horizontal([_test(part, exact=exact) for part in parts])
        case AnyOf(parts):
            return pl.any_horizontal([_test(part, exact=exact) for part in parts])
        case Not(part):
            return _test(part, exact=True).not_()
        case Flag(name):
            return pl.col(name)
        case Until(at):
            return (pl.col(AT) >= at).fill_null(value=False).not_()
        case Among(operand, values, negated):
            found = _operand(operand).is_in([value.value for value in values])
            found = found.not_() if negated else found
        case Compare(left, sign, right):
            found = _SIGNS[sign](_operand(left), _operand(right))
    return found.fill_null(value=False) if exact else found


def _operand(operand: Operand) -> pl.Expr:
    made = _number(operand)
    # Infinity less infinity is no number: not known, like everything else that is none.
    return made.fill_nan(None) if isinstance(operand, Reckon | Minus) else made


def _number(operand: Operand) -> pl.Expr:
    import polars as pl

    match operand:
        case Field(name):
            return pl.col(name)
        case Value(value):
            return pl.lit(value)
        case Minus(part):
            return -_number(part)
        case Reckon(sign, left, right):
            one, other = _number(left), _number(right)
            if sign == "/":
                if isinstance(right, Value):
                    # Polars multiplies by the reciprocal of a constant, which rounds twice; clipped both ways it is a column.
                    return one / one.clip(right.value, right.value)
                return one / pl.when(other != 0).then(other)
            return one + other if sign == "+" else one - other if sign == "-" else one * other


def _read(frame: pl.DataFrame, classes: Classes, used: set[str]) -> pl.LazyFrame:
    """Return the fields named, in classes and with null for all that is not known: ``Classes.read`` for a batch."""
    import polars as pl

    plain = []
    for name in sorted(used & {*NUMBERS, *TEXTS, *HINTS, FLAG}):
        if name not in frame.columns:
            if name not in _DEFAULTS:
                raise GuidelineError(f"the recorded features have no column {name}")
            column = pl.lit(_DEFAULTS[name])
        else:
            column = pl.col(name)
        if name in NUMBERS:
            column = column.cast(pl.Float64)
            column = pl.when(column.is_finite()).then(column)
        elif name in HINTS:
            words = HINTS[name]
            ranks = pl.Series(words, dtype=pl.String), pl.Series(range(len(words)), dtype=pl.Float64)
            column = column.cast(pl.String).replace_strict(*ranks, default=None, return_dtype=pl.Float64)
        elif name in TEXTS:
            column = column.cast(pl.String).fill_null(_DEFAULTS.get(name, ""))
        else:
            column = column.cast(pl.Boolean).fill_null(value=False)
        plain.append(column.alias(name))
    at = pl.lit(None, dtype=pl.Float64)
    if AT in frame.columns:
        at = pl.col(AT).dt.epoch("us") / 1e6 if frame.schema[AT].is_temporal() else pl.col(AT).cast(pl.Float64)
    volume, open_interest, change, age = (pl.col(name) for name in ("volume", "open_interest", "gamma_change", "data_age_s"))
    high = (volume > classes.volume_high_over) | (open_interest > classes.open_interest_high_over)
    medium = (volume >= classes.volume_medium_from) | (open_interest >= classes.open_interest_medium_from)
    known = volume.is_not_null() | open_interest.is_not_null()
    large, small = change > classes.change_large_over, change < classes.change_medium_from
    whole = {number: pl.lit(number, dtype=pl.Float64) for number in range(3)}
    return (
        frame.lazy()
        .with_columns(*plain, at.alias(AT))
        .with_columns(
            pl.when(high).then(whole[2]).when(medium).then(whole[1]).when(known).then(whole[0]).alias("impact"),
            pl.when(large).then(whole[2]).when(small).then(whole[0]).otherwise(whole[1]).alias("change"),
            (pl.col(FLAG) | (age < -SKEW_S).fill_null(value=False)).alias(FLAG),
        )
        .with_columns(
            pl.when((age < classes.real_time_under_s) & ~pl.col(FLAG))
            .then(whole[2])
            .when(age < classes.fresh_under_s)
            .then(whole[1])
            .otherwise(whole[0])
            .alias("freshness")
        )
    )


def _lift(rules: RuleSet) -> pl.Expr:
    """Return how far up its band a score goes: the steps of ``decide`` in their order, so that both round alike."""
    import polars as pl

    classes, weights = rules.classes, rules.weights

    def above_zero(name: str) -> pl.Expr:
        return pl.when(pl.col(name) > 0).then(pl.col(name)).otherwise(0.0)

    size = pl.max_horizontal(
        above_zero("volume") * (1 / classes.volume_high_over), above_zero("open_interest") * (1 / classes.open_interest_high_over)
    )
    move = pl.col("gamma_change").fill_null(classes.change_medium_from).clip(lower_bound=0.0)
    least_s = pl.when(pl.col(FLAG)).then(classes.real_time_under_s).otherwise(0.0)
    age_s = pl.when(pl.col("data_age_s") > least_s).then(pl.col("data_age_s")).otherwise(least_s)
    young = pl.when(pl.col("data_age_s").is_not_null()).then(weights.freshness / (1 + age_s * (1 / classes.real_time_under_s)))
    urgency = pl.lit(URGENCY["normal"])
    for rank, hint in enumerate(HINTS["priority_hint"]):
        urgency = pl.when(pl.col("priority_hint") == rank).then(URGENCY[hint]).otherwise(urgency)
    return (
        weights.impact * (1 - 1 / (1 + size))
        + weights.change * (1 - 1 / (1 + move * (1 / classes.change_large_over)))
        + young.fill_null(0.0)
        + weights.source_reliability * above_zero("source_reliability").clip(upper_bound=1.0)
        + weights.urgency * urgency
    )


def _score(floor: pl.Expr, top: float | pl.Expr) -> pl.Expr:
    import polars as pl

    score = floor + (top - floor) * pl.col(_LIFT)
    return pl.when(score < top).then(score).otherwise(top)
