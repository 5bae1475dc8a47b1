"""Compile conditions into one function that says, for one record, which of them hold.

The code is written anew from checked trees: field names, finite numbers and quoted texts. Values that are not known are NaN
inside, which makes every comparison false.
"""

from collections.abc import Callable, Sequence
from math import nan

from gexdesk.guidelines.classes import Reading
from gexdesk.guidelines.fields import FLAG, HINTS, NUMBERS
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
from gexdesk.model.features import Features

Matcher = Callable[[Reading, Features, float], list[int]]
"""Take a reading, the features it was read from and the time (NaN where not known); return the positions that hold."""

RANKS: dict[str, dict[str | None, float]] = {
    name: {word: float(rank) for rank, word in enumerate(words)} for name, words in HINTS.items()
}


def fuse(tests: Sequence[Test]) -> Matcher:
    """Compile conditions into one function; a field that none of them names costs nothing."""
    used = set().union(*map(fields_of, tests))
    lines = ["def matcher(reading, features, at):"]
    for name in sorted(used):
        lines.append(f" {name} = {_source(name)}")
        if name in NUMBERS and name not in Reading.__struct_fields__:
            lines.append(f" if {name} is None or {name} - {name} != 0: {name} = nan")
    lines += [" held = []"]
    lines += [f" if {_test(test)}: held.append({number})" for number, test in enumerate(tests)]
    names: dict[str, Matcher] = {}
    code = compile("\n".join([*lines, " return held"]), "<guidelines>", "exec")
    given = {"__builtins__": {}, "nan": nan, **{f"{name}_ranks": ranks for name, ranks in RANKS.items()}}
    exec(code, given, names)  # noqa: S102  # all of it was written below
    return names["matcher"]


def _source(name: str) -> str:
    """Write where a field's value is found."""
    if name == FLAG:
        return "reading.skewed"
    if name in Reading.__struct_fields__:
        return f"reading.{name}"
    if name in HINTS:
        return f"{name}_ranks.get(features.{name}, nan)"
    return f"features.{name}"


def _test(test: Test) -> str:
    match test:
        case All(parts):
            return "(" + " and ".join(map(_test, parts)) + ")"
        case AnyOf(parts):
            return "(" + " or ".join(map(_test, parts)) + ")"
        case Not(part):
            return f"(not {_test(part)})"
        case Flag(name):
            return name
        case Until(at):
            return f"(not at >= {at!r})"
        case Among(operand, values, negated):
            one = _operand(operand)
            sign = f"{one} == {one} and {one} not in" if negated else f"{one} in"
            return f"({sign} {{{', '.join(map(_operand, values))}}})"
        case Compare(left, "!=", right):
            one, other = _operand(left), _operand(right)
            return f"({one} < {other} or {one} > {other})"  # not !=, which NaN would pass
        case Compare(left, sign, right):
            return f"{_operand(left)} {sign} {_operand(right)}"


def _operand(operand: Operand) -> str:
    match operand:
        case Field(name):
            return name
        case Value(value):
            return repr(value)
        case Minus(part):
            return f"(-{_operand(part)})"
        case Reckon("/", left, right):
            return f"({_operand(left)} / ({_operand(right)} or nan))"
        case Reckon(sign, left, right):
            return f"({_operand(left)} {sign} {_operand(right)})"
