"""Which freshness a condition asks for, read from the condition itself.

Each comparison of ``age`` with a class, and of ``data_age_s`` with a number, is tried for stale, fresh and real-time data in
turn; every other comparison may go either way. The laxest freshness for which the whole may hold is what it asks for.
"""

import ast
import operator
from collections.abc import Callable
from math import inf

from gexdesk.guidelines.classes import CLASSES, Classes
from gexdesk.model.decision import Freshness

_Chance = tuple[bool, bool]
"""Whether something may be true, and whether it may be false."""
_OPEN: _Chance = (True, True)
_ORDERS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}


def asked_of(condition: ast.expr, classes: Classes) -> Freshness | None:
    """Return the laxest freshness with which a checked condition may hold; None where it can never hold."""
    for freshness in reversed(Freshness):
        if _chance(condition, freshness, classes)[0]:
            return freshness
    return None


def _chance(node: ast.expr, freshness: Freshness, classes: Classes) -> _Chance:
    if isinstance(node, ast.UnaryOp):
        may, may_not = _chance(node.operand, freshness, classes)
        return may_not, may
    if isinstance(node, ast.BoolOp):
        parts = [_chance(value, freshness, classes) for value in node.values]
        return _either(parts) if isinstance(node.op, ast.Or) else _both(parts)
    assert isinstance(node, ast.Compare)
    lefts = [node.left, *node.comparators[:-1]]
    pairs = zip(lefts, node.ops, node.comparators, strict=True)
    return _both([_pair(left, type(op), right, freshness, classes) for left, op, right in pairs])


def _both(parts: list[_Chance]) -> _Chance:
    return all(may for may, _ in parts), any(may_not for _, may_not in parts)


def _either(parts: list[_Chance]) -> _Chance:
    return any(may for may, _ in parts), all(may_not for _, may_not in parts)


def _pair(left: ast.expr, op: type[ast.cmpop], right: ast.expr, freshness: Freshness, classes: Classes) -> _Chance:
    if isinstance(right, ast.Name) and right.id in ("age", "data_age_s"):
        left, right, op = right, left, _MIRRORED.get(op, op)
    if not isinstance(left, ast.Name):
        return _OPEN
    if left.id == "age":
        rank = Freshness.STALE - freshness
        if op in _ORDERS and isinstance(right, ast.Name) and right.id in CLASSES["age"]:
            holds = _ORDERS[op](rank, CLASSES["age"].index(right.id))
            return holds, not holds
        if isinstance(right, ast.List | ast.Tuple):
            among = CLASSES["age"][rank] in [name.id for name in right.elts if isinstance(name, ast.Name)]
            holds = among == (op is ast.In)
            return holds, not holds
    if left.id == "data_age_s" and isinstance(right, ast.Constant) and isinstance(right.value, int | float):
        return _age_chance(op, right.value, freshness, classes)
    return _OPEN


def _age_chance(op: type[ast.cmpop], bound: float, freshness: Freshness, classes: Classes) -> _Chance:
    """Compare an age of the class, which lies in [low, high), with a bound."""
    edges = (-inf, classes.real_time_under_s, classes.fresh_under_s, inf)
    low, high = edges[freshness], edges[freshness + 1]
    if op in (ast.Lt, ast.LtE):
        return _ORDERS[op](low, bound), high > bound
    if op in (ast.Gt, ast.GtE):
        return high > bound, not _ORDERS[op](low, bound)
    if op is ast.Eq:
        return low <= bound < high, True
    return _OPEN
