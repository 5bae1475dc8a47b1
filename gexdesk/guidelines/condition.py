"""The language of conditions: what an operator may write, checked when a file is loaded, as a tree to compile.

A condition is parsed by Python's own parser and then built anew from the few nodes that are allowed: fields, numbers and
quoted texts that were checked one by one. Nothing an operator wrote is ever compiled as it stands: ``matcher.py`` writes
Python for one record from the tree, ``batch.py`` a Polars expression for many, and both answer alike.
"""

import ast
import operator
from collections.abc import Callable
from itertools import pairwise
from math import isfinite
from typing import Any

from msgspec import Struct

from gexdesk.guidelines.fields import ALIASES, ALLOWED, FIELDS, FLAG, IS, ORDERED, TEXTS, WITH, values_of
from gexdesk.guidelines.place import Place, PlaceOf, nearest
from gexdesk.guidelines.tree import All, Among, AnyOf, Compare, Field, Flag, Minus, Not, Operand, Reckon, Test, Value
from gexdesk.guidelines.written import MAX_DEPTH, Written
from gexdesk.model.errors import GuidelineError
from gexdesk.model.text import printable, symbol_of

_COMPARES: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_RECKONS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_RESULTS: dict[str, Callable[[Any, Any], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_SIGNS = tuple(_COMPARES.values())
_LISTS = "a list of values in brackets, such as symbol in ['SPX', 'NDX']"
_CALLED: dict[type[ast.expr], str] = {
    ast.Call: "a call",
    ast.Attribute: "an attribute",
    ast.Subscript: "a subscript",
    ast.Lambda: "a lambda",
    ast.JoinedStr: "a formatted text",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.NamedExpr: "an assignment",
    ast.IfExp: "a choice with if",
    ast.Starred: "a star",
    ast.Yield: "a yield",
    ast.Await: "an await",
    ast.List: "a list",
    ast.Tuple: "a list",
    ast.Set: "a set",
    ast.Dict: "a dictionary",
    ast.Compare: "a comparison",
    ast.BoolOp: "an and or or",
    ast.BinOp: "a calculation",
    ast.UnaryOp: "a sign",
}


class Condition(Struct, frozen=True):
    """Hold a checked condition.

    Attributes:
        text: As the operator wrote it.
        test: What it says.
    """

    text: str
    test: Test


def parse(text: str, place: PlaceOf | None = None, guideline: str = "") -> Condition:
    """Check a condition.

    Args:
        text: At most 2 KB, nested at most 20 deep; a line break counts as a space.
        place: Places a character of the text in its file; without it faults stand in ``condition``, line 1.
        guideline: Name of the guideline, for the fault.

    Raises:
        GuidelineError: File, line, column, what was found, what is allowed, and what was probably meant.
    """
    written = Written(text, place or (lambda offset: Place("condition", 1, offset + 1)), guideline)
    return Condition(text, _Reader(written).test(written.parse(), 1))


class _Reader:
    """Build the tree of a condition from Python's, node by node."""

    def __init__(self, written: Written) -> None:
        self._written = written

    def test(self, node: ast.expr, depth: int) -> Test:
        """Read what is true or false."""
        self._check_depth(node, depth)
        if isinstance(node, ast.BoolOp):
            parts = tuple(self.test(value, depth + 1) for value in node.values)
            return All(parts) if isinstance(node.op, ast.And) else AnyOf(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self.test(node.operand, depth + 1))
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth + 1)
        if isinstance(node, ast.Name):
            if node.id == FLAG:
                return Flag(node.id)
            raise self._field(node)
        found = _say(node)
        bare = isinstance(node, ast.Constant | ast.BinOp | ast.UnaryOp | ast.List | ast.Tuple)
        fault = f"{found} alone is neither true nor false" if bare else f"{found} cannot stand in a condition"
        raise self._refuse(node, fault, found, ALLOWED)

    def _comparison(self, node: ast.Compare, depth: int) -> Test:
        operands = [node.left, *node.comparators]
        kind = next((kind for operand in operands if (kind := _kind(operand))), "")
        if not kind:
            for operand in operands:
                if isinstance(operand, ast.Name):
                    raise self._field(operand)
            raise self._refuse(node, "this compares no field", "a comparison", ALLOWED)
        if kind == "flag":
            named = next(operand for operand in operands if _kind(operand) == kind)
            fault = f"{FLAG} is yes or no and stands alone"
            raise self._refuse(named, fault, FLAG, f"{FLAG}, or not {FLAG}")
        pairs = []
        for op, (left, right) in zip(node.ops, pairwise(operands), strict=True):
            sign = _COMPARES.get(type(op))
            if sign is None:
                raise self._refuse(left, "is compares objects, not values", "is", " ".join(_SIGNS), near="==")
            if kind in TEXTS and sign in ("<", "<=", ">", ">="):
                fault = f"a {kind} has no order, so {sign} means nothing"
                raise self._refuse(left, fault, sign, "== != in [..], not in [..]")
            pairs.append(self._pair(left, sign, right, kind, depth))
        return pairs[0] if len(pairs) == 1 else All(tuple(pairs))

    def _pair(self, left: ast.expr, sign: str, right: ast.expr, kind: str, depth: int) -> Test:
        one = self._operand(left, kind, depth)
        if sign not in ("in", "not in"):
            return Compare(one, sign, self._operand(right, kind, depth))
        if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
            found = _say(right)
            raise self._refuse(right, f"{sign} looks into a list, not {found}", found, _LISTS)
        self._check_depth(right, depth)
        return Among(one, tuple(self._literal(choice, kind) for choice in right.elts), sign == "not in")

    def _operand(self, node: ast.expr, kind: str, depth: int) -> Operand:
        self._check_depth(node, depth)
        if isinstance(node, ast.Name) and (name := ALIASES.get(node.id, node.id)) in FIELDS:
            if FIELDS[name] != kind:
                fault = f"{node.id} {IS[FIELDS[name]]} and cannot be used with {WITH[kind]}"
                near = "data_age_s" if (name, kind) == ("freshness", "number") else ""
                raise self._refuse(node, fault, node.id, values_of(kind), near=near)
            return Field(name)
        if kind == "number" and isinstance(node, ast.BinOp):
            sign = _RECKONS.get(type(node.op))
            if sign is None:
                raise self._refuse(node, "this calculation is not among + - * /", "a calculation", "+ - * /")
            one, other = self._operand(node.left, kind, depth + 1), self._operand(node.right, kind, depth + 1)
            if sign == "/" and isinstance(other, Value) and other.value == 0:
                raise self._refuse(node.right, "nothing can be divided by zero", "0", "a number other than 0")
            return _reckoned(sign, one, other)
        if kind == "number" and isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            part = self._operand(node.operand, kind, depth + 1)
            if isinstance(node.op, ast.UAdd):
                return part
            return Value(-part.value) if isinstance(part, Value) and not isinstance(part.value, str) else Minus(part)
        return self._literal(node, kind)

    def _literal(self, node: ast.expr, kind: str) -> Value:
        if isinstance(node, ast.Name):
            return self._word(node, kind)
        if kind == "number" and isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self._literal(node.operand, kind) if isinstance(node.operand, ast.Constant) else None
            if inner is not None and not isinstance(inner.value, str):
                return Value(-inner.value)
        value = node.value if isinstance(node, ast.Constant) else None
        if kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) > 1e308:
                raise self._refuse(node, "the number is too large", "a number over 1e308", "numbers up to 1e308")
            return Value(float(value))
        if isinstance(value, str) and kind in TEXTS:
            return self._quoted(node, value, kind)
        found = _say(node)
        near = value if isinstance(value, str) and value in ORDERED.get(kind, ()) else ""
        raise self._refuse(node, f"{found} cannot be compared with {WITH[kind]}", found, values_of(kind), near=near)

    def _word(self, node: ast.Name, kind: str) -> Value:
        word = node.id
        if word in ORDERED.get(kind, ()):
            return Value(float(ORDERED[kind].index(word)))
        if kind in ORDERED:
            other = next((name for name, words in ORDERED.items() if word in words), "")
            fault = f"{word} is a class of {other}, not of {kind}" if other else f"{word} is no class of {kind}"
            raise self._refuse(node, fault, word, values_of(kind), near=nearest(word, ORDERED[kind]))
        if kind in TEXTS and (not TEXTS[kind] or word in TEXTS[kind]):
            fault = f"{word} is no field; a text stands in quotes"
            raise self._refuse(node, fault, word, values_of(kind), near=f"'{word}'")
        raise self._field(node)

    def _quoted(self, node: ast.expr, text: str, kind: str) -> Value:
        near = ""
        if kind == "symbol":
            good = symbol_of(text) == text
            near = (symbol_of(text) or "") if not good else ""
        elif TEXTS[kind]:
            good = text in TEXTS[kind]
            near = nearest(text, TEXTS[kind])
        else:
            good = bool(text) and printable(text) == text
        if not good:
            fault = f"{text!r} can never be a {kind}"
            raise self._refuse(node, fault, repr(text), values_of(kind), near=near and f"'{near}'")
        return Value(text)

    def _field(self, node: ast.Name) -> GuidelineError:
        """Make the fault of a name that stands where a field should."""
        word = node.id
        name = ALIASES.get(word, word)
        owners = [field for field, words in ORDERED.items() if word in words]
        if name in FIELDS:
            return self._refuse(node, f"{word} alone is neither true nor false", word, ALLOWED)
        if owners:
            fault = f"{word} is a class and must be compared with {' or '.join(owners)}"
            return self._refuse(node, fault, word, ALLOWED, near=f"{owners[0]} >= {word}")
        return self._written.unknown(word, self._written.offset(node))

    def _check_depth(self, node: ast.expr, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._written.too_deep(self._written.offset(node))

    def _refuse(self, node: ast.expr, fault: str, found: str, allowed: str, *, near: str = "") -> GuidelineError:
        return self._written.refuse(self._written.offset(node), fault, found, allowed, near=near)


def _reckoned(sign: str, one: Operand, other: Operand) -> Operand:
    """Join two numbers; constants are reckoned out here, so that a compiler never meets two."""
    if isinstance(one, Value) and isinstance(other, Value):
        result = _RESULTS[sign](one.value, other.value)
        if isfinite(result):
            return Value(result)
    return Reckon(sign, one, other)


def _say(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant):
        return f"the text {node.value!r}" if isinstance(node.value, str) else f"{node.value!r}"[:40]
    return _CALLED.get(type(node), "this")


def _kind(node: ast.expr) -> str:
    """Return the kind of the first field in an operand; empty where it names none."""
    if isinstance(node, ast.Name):
        return FIELDS.get(ALIASES.get(node.id, node.id), "")
    named = (isinstance(part, ast.Name) and ALIASES.get(part.id, part.id) in FIELDS for part in ast.walk(node))
    return "number" if isinstance(node, ast.BinOp | ast.UnaryOp) and any(named) else ""
