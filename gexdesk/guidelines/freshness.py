"""Which freshness a condition asks for, read from the condition itself.

Each comparison of ``freshness`` with a class, and of ``data_age_s`` with a number, is tried for stale, fresh and real-time data in
turn; every other comparison may go either way. The laxest freshness for which the whole may hold is what it asks for.
"""

import operator
from collections.abc import Callable
from math import inf

from gexdesk.guidelines.classes import Classes
from gexdesk.guidelines.tree import All, Among, AnyOf, Compare, Field, Not, Test, Value
from gexdesk.model.decision import Freshness

_Chance = tuple[bool, bool]
"""Whether something may be true, and whether it may be false."""
_OPEN: _Chance = (True, True)
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def asked_of(test: Test, classes: Classes) -> Freshness | None:
    """Return the laxest freshness with which a checked condition may hold; None where it can never hold."""
    for freshness in reversed(Freshness):
        if _chance(test, freshness, classes)[0]:
            return freshness
    return None


def _chance(test: Test, freshness: Freshness, classes: Classes) -> _Chance:
    match test:
        case Not(part):
            may, may_not = _chance(part, freshness, classes)
            return may_not, may
        case All(parts):
            chances = [_chance(part, freshness, classes) for part in parts]
            return all(may for may, _ in chances), any(may_not for _, may_not in chances)
        case AnyOf(parts):
            chances = [_chance(part, freshness, classes) for part in parts]
            return any(may for may, _ in chances), all(may_not for _, may_not in chances)
        case Compare(Field(name), sign, Value(value)) if isinstance(value, float | int):
            return _compared(name, sign, value, freshness, classes)
        case Compare(Value(value), sign, Field(name)) if isinstance(value, float | int):
            return _compared(name, _MIRRORED.get(sign, sign), value, freshness, classes)
        case Among(Field("freshness"), values, negated):
            holds = (Freshness.STALE - freshness in [value.value for value in values]) != negated
            return holds, not holds
    return _OPEN


def _compared(name: str, sign: str, bound: float, freshness: Freshness, classes: Classes) -> _Chance:
    if name == "freshness":
        holds = _ORDERS[sign](Freshness.STALE - freshness, bound)
        return holds, not holds
    return _age_chance(sign, bound, freshness, classes) if name == "data_age_s" else _OPEN


def _age_chance(sign: str, bound: float, freshness: Freshness, classes: Classes) -> _Chance:
    """Compare an age of the class, which lies in [low, high), with a bound."""
    edges = (-inf, classes.real_time_under_s, classes.fresh_under_s, inf)
    low, high = edges[freshness], edges[freshness + 1]
    if sign in ("<", "<="):
        return _ORDERS[sign](low, bound), high > bound
    if sign in (">", ">="):
        return high > bound, not _ORDERS[sign](low, bound)
    return (low <= bound < high, True) if sign == "==" else _OPEN
