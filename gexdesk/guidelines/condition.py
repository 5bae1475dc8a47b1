"""The language of conditions: what an operator may write, checked when a file is loaded, compiled into one function.

A condition is parsed by Python's own parser and then written anew from the few nodes that are allowed: field names, numbers
and quoted texts that were checked one by one. Nothing an operator wrote is ever compiled as it stands. Values that are not
known are NaN inside, which makes every comparison false.
"""

import ast
import io
import re
import tokenize
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import nan

from msgspec import Struct

from gexdesk.guidelines.classes import CLASSES
from gexdesk.guidelines.place import Place, PlaceOf, nearest, refuse
from gexdesk.model.errors import GuidelineError
from gexdesk.model.text import printable, symbol_of

MAX_BYTES = 2048
MAX_DEPTH = 20
DATA_TYPES = ("real_time", "snapshot", "historical")
FIELDS: dict[str, str] = {
    **dict.fromkeys(("volume", "open_interest", "gamma_change", "data_age_s", "source_reliability", "coverage"), "number"),
    **{text: text for text in ("data_type", "symbol", "source")},
    **{name: name for name in CLASSES},
}
"""Every field and its kind; the order is that of a ``Matcher``'s arguments. Only values of one kind compare."""
ALIASES = {"market_symbol": "symbol"}
_TEXTS = ("data_type", "symbol", "source")

Matcher = Callable[..., list[int]]
"""Take the values of ``FIELDS`` in their order (numbers float, NaN for unknown; classes as ranks) and return the
positions of the conditions that hold."""

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
_NUMBER = re.compile(r"[0-9][0-9_]*(\.[0-9_]*)?([eE][+-]?[0-9]+)?|\.[0-9_]+([eE][+-]?[0-9]+)?")
_ALLOWED = f"comparisons of {', '.join([*FIELDS, *ALIASES])} with numbers, classes or quoted texts; in [..], and, or, not, + - * /"
_SIGNS = tuple(_COMPARES.values())
_LISTS = "a list of values in brackets, such as symbol in ['SPX', 'NDX']"
_IS = {"number": "is a number", **dict.fromkeys(_TEXTS, "is a text"), **dict.fromkeys(CLASSES, "is a class")}
_WITH = {"number": "numbers", **{name: f"the {name}" for name in (*_TEXTS, *CLASSES)}}
_VALUES = {
    "number": "numbers and " + ", ".join(name for name, kind in FIELDS.items() if kind == "number"),
    "symbol": "a symbol in capitals and quotes, such as 'SPX'",
    "source": "the name of a source in quotes",
    "data_type": ", ".join(f"'{name}'" for name in DATA_TYPES),
}
_SLIPS = (
    (r"(?<![<>=!:])=(?!=)", "=", "=="),
    (r"&&?", "&", "and"),
    (r"\|\|?", "|", "or"),
    (r"<>", "<>", "!="),
    (r"!(?!=)", "!", "not"),
    (r"\bAND\b", "AND", "and"),
    (r"\bOR\b", "OR", "or"),
    (r"\bNOT\b", "NOT", "not"),
    (r"\bIN\b", "IN", "in"),
    ("[\u2018\u2019\u201c\u201d\u00b4`]", "a typographic quote", "'"),
)
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
        parsed: Its syntax tree; every node of it was checked.
        test: The expression to compile, written anew.
    """

    text: str
    parsed: ast.expr
    test: str


def parse(text: str, place: PlaceOf | None = None, guideline: str = "") -> Condition:
    """Check a condition and write the expression to compile.

    Args:
        text: At most 2 KB, nested at most 20 deep; a line break counts as a space.
        place: Places a character of the text in its file; without it faults stand in ``condition``, line 1.
        guideline: Name of the guideline, for the fault.

    Raises:
        GuidelineError: File, line, column, what was found, what is allowed, and what was probably meant.
    """
    reader = _Reader(text, place or (lambda offset: Place("condition", 1, offset + 1)), guideline)
    parsed = reader.parse()
    return Condition(text, parsed, reader.test(parsed, 1))


def fuse(conditions: Sequence[Condition]) -> Matcher:
    """Compile conditions into one function that says which of them hold."""
    lines = [f"def matcher({', '.join(FIELDS)}):", " held = []"]
    lines += [f" if {condition.test}: held.append({number})" for number, condition in enumerate(conditions)]
    names: dict[str, Matcher] = {}
    code = compile("\n".join([*lines, " return held"]), "<guidelines>", "exec")
    exec(code, {"__builtins__": {}, "nan": nan}, names)  # noqa: S102  # all of it was written by _Reader
    return names["matcher"]


class _Reader:
    def __init__(self, text: str, place: PlaceOf, guideline: str) -> None:
        self._text = text
        self._flat = text.replace("\n", " ").replace("\t", " ")
        self._place = place
        self._guideline = guideline

    def parse(self) -> ast.expr:
        """Return the syntax tree, or refuse what is no expression at all."""
        size = len(self._text.encode("utf-8", "surrogatepass"))
        if size > MAX_BYTES:
            raise self._refuse(0, f"a condition of {size:,} bytes is too long", f"{size} bytes", f"{MAX_BYTES:,} bytes")
        if not self._text.strip():
            raise self._refuse(0, "the condition is empty", "nothing", _ALLOWED)
        for offset, char in enumerate(self._flat):
            if char == "\\" or (char != " " and unicodedata.category(char)[0] in "CZ"):
                name = f"the character U+{ord(char):04X}"
                raise self._refuse(offset, f"{name} cannot stand in a condition", name, "printable characters but the backslash")
        self._indent = len(self._flat) - len(self._flat.lstrip())
        source = self._flat.strip()
        try:
            with warnings.catch_warnings(action="ignore"):
                parsed = ast.parse(source, mode="eval").body
                tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        except SyntaxError as error:
            raise self._unreadable(error.msg, self._indent + (error.offset - 1 if error.offset else len(source))) from None
        except (ValueError, RecursionError, MemoryError, tokenize.TokenError):
            raise self._too_deep(0) from None
        for token in tokens:
            offset = self._indent + token.start[1]
            if token.type == tokenize.COMMENT:
                fault = "a comment cannot stand inside a condition"
                raise self._refuse(offset, fault, "a comment", "comments after the closing quote")
            if token.type == tokenize.NUMBER and not _NUMBER.fullmatch(token.string):
                fault = f"{token.string} is no plain decimal number"
                raise self._refuse(offset, fault, token.string, "decimals such as 50_000, 0.1, 1e6")
            if token.type == tokenize.NAME and not token.string.isascii():
                raise self._unknown(token.string, offset)  # look-alike letters
        return parsed

    def test(self, node: ast.expr, depth: int) -> str:
        """Write what is true or false."""
        self._check_depth(node, depth)
        if isinstance(node, ast.BoolOp):
            word = " and " if isinstance(node.op, ast.And) else " or "
            return "(" + word.join(self.test(value, depth + 1) for value in node.values) + ")"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"(not {self.test(node.operand, depth + 1)})"
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth + 1)
        if isinstance(node, ast.Name):
            raise self._field(node)
        found = self._say(node)
        known = isinstance(node, ast.Constant | ast.BinOp | ast.UnaryOp | ast.List | ast.Tuple)
        fault = f"{found} alone is neither true nor false" if known else f"{found} cannot stand in a condition"
        raise self._refuse(self._offset(node), fault, found, _ALLOWED)

    def _comparison(self, node: ast.Compare, depth: int) -> str:
        operands = [node.left, *node.comparators]
        kind = next((kind for operand in operands if (kind := _kind(operand))), "")
        if not kind:
            for operand in operands:
                if isinstance(operand, ast.Name):
                    raise self._field(operand)
            raise self._refuse(self._offset(node), "this compares no field", "a comparison", _ALLOWED)
        pairs = []
        for op, (left, right) in zip(node.ops, pairwise(operands), strict=True):
            sign = _COMPARES.get(type(op))
            if sign is None:
                raise self._refuse(self._offset(left), "is compares objects, not values", "is", " ".join(_SIGNS), near="==")
            if kind in _TEXTS and sign in ("<", "<=", ">", ">="):
                fault = f"a {kind} has no order, so {sign} means nothing"
                raise self._refuse(self._offset(left), fault, sign, "== != in [..], not in [..]")
            pairs.append(self._pair(left, sign, right, kind, depth))
        return "(" + " and ".join(pairs) + ")"

    def _pair(self, left: ast.expr, sign: str, right: ast.expr, kind: str, depth: int) -> str:
        one = self._value(left, kind, depth)
        if sign in ("in", "not in"):
            if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
                found = self._say(right)
                raise self._refuse(self._offset(right), f"{sign} looks into a list, not {found}", found, _LISTS)
            self._check_depth(right, depth)
            choices = "{" + ", ".join(self._literal(choice, kind) for choice in right.elts) + "}"
            known = "" if kind in _TEXTS or sign == "in" else f"{one} == {one} and "
            return f"({known}{one} {sign} {choices})"
        other = self._value(right, kind, depth)
        if sign == "!=" and kind not in _TEXTS:
            return f"({one} < {other} or {one} > {other})"
        return f"{one} {sign} {other}"

    def _value(self, node: ast.expr, kind: str, depth: int) -> str:
        self._check_depth(node, depth)
        if isinstance(node, ast.Name) and (name := ALIASES.get(node.id, node.id)) in FIELDS:
            if FIELDS[name] != kind:
                fault = f"{node.id} {_IS[FIELDS[name]]} and cannot be used with {_WITH[kind]}"
                near = "data_age_s" if (name, kind) == ("age", "number") else ""
                raise self._refuse(self._offset(node), fault, node.id, _values_of(kind), near=near)
            return name
        if kind == "number" and isinstance(node, ast.BinOp):
            sign = _RECKONS.get(type(node.op))
            if sign is None:
                raise self._refuse(self._offset(node), "this calculation is not among + - * /", "a calculation", "+ - * /")
            one, other = self._value(node.left, kind, depth + 1), self._value(node.right, kind, depth + 1)
            if sign != "/":
                return f"({one} {sign} {other})"
            if other in ("0.0", "-0.0"):
                raise self._refuse(self._offset(node.right), "nothing can be divided by zero", "0", "a number other than 0")
            return f"({one} / ({other} or nan))"
        if kind == "number" and isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return ("(-" if isinstance(node.op, ast.USub) else "(+") + self._value(node.operand, kind, depth + 1) + ")"
        return self._literal(node, kind)

    def _literal(self, node: ast.expr, kind: str) -> str:
        if isinstance(node, ast.Name):
            return self._class(node, kind)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return f"-{self._literal(node.operand, kind)}"
        value = node.value if isinstance(node, ast.Constant) else None
        if kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) > 1e308:
                raise self._refuse(self._offset(node), "the number is too large", "a number over 1e308", "numbers up to 1e308")
            return repr(float(value))
        if isinstance(value, str) and kind in _TEXTS:
            return self._quoted(node, value, kind)
        found = self._say(node)
        near = value if isinstance(value, str) and value in CLASSES.get(kind, ()) else ""
        fault = f"{found} cannot be compared with {_WITH[kind]}"
        raise self._refuse(self._offset(node), fault, found, _values_of(kind), near=near)

    def _class(self, node: ast.Name, kind: str) -> str:
        word = node.id
        if word in CLASSES.get(kind, ()):
            return str(CLASSES[kind].index(word))
        if kind in CLASSES:
            other = next((name for name, words in CLASSES.items() if word in words), "")
            fault = f"{word} is a class of {other}, not of {kind}" if other else f"{word} is no class of {kind}"
            raise self._refuse(self._offset(node), fault, word, _values_of(kind), near=nearest(word, CLASSES[kind]))
        if kind in _TEXTS and (kind != "data_type" or word in DATA_TYPES):
            fault = f"{word} is no field; a text stands in quotes"
            raise self._refuse(self._offset(node), fault, word, _values_of(kind), near=f"'{word}'")
        raise self._field(node)

    def _quoted(self, node: ast.expr, text: str, kind: str) -> str:
        near = ""
        if kind == "symbol":
            good = symbol_of(text) == text
            near = (symbol_of(text) or "") if not good else ""
        elif kind == "data_type":
            good = text in DATA_TYPES
            near = nearest(text, DATA_TYPES)
        else:
            good = bool(text) and printable(text) == text
        if not good:
            fault = f"{text!r} can never be a {kind}"
            raise self._refuse(self._offset(node), fault, repr(text), _values_of(kind), near=near and f"'{near}'")
        return repr(text)

    def _field(self, node: ast.Name) -> GuidelineError:
        """Make the fault of a name that stands where a field should."""
        word, offset = node.id, self._offset(node)
        name = ALIASES.get(word, word)
        owners = [field for field, words in CLASSES.items() if word in words]
        if name in FIELDS:
            return self._refuse(offset, f"{word} alone is neither true nor false", word, _ALLOWED)
        if owners:
            fault = f"{word} is a class and must be compared with {' or '.join(owners)}"
            return self._refuse(offset, fault, word, _ALLOWED, near=f"{owners[0]} >= {word}")
        return self._unknown(word, offset)

    def _unknown(self, word: str, offset: int) -> GuidelineError:
        names = [*FIELDS, *ALIASES]
        near = nearest(word, names)
        return self._refuse(offset, f"{word} is no field", word, ", ".join(names), near=near)

    def _unreadable(self, reason: str, offset: int) -> GuidelineError:
        if "nested" in reason:
            return self._too_deep(offset)
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", lambda quoted: " " * len(quoted[0]), self._flat)
        slips = [(match.start(), found, near) for pattern, found, near in _SLIPS if (match := re.search(pattern, bare))]
        if slips:
            at, found, near = min(slips)
            return self._refuse(at, f"{found} has no meaning here", found, _ALLOWED, near=near)
        rest = self._flat[offset:].strip()
        if any(word in reason for word in ("never closed", "unterminated", "unmatched", "does not match")):
            fault = reason
        elif rest:
            fault = f"it cannot be read from {rest[:24]!r} on"
        else:
            fault = "it ends too early"
        return self._refuse(min(offset, len(self._text) - 1), fault, rest[:24] or "the end", _ALLOWED)

    def _too_deep(self, offset: int) -> GuidelineError:
        return self._refuse(offset, f"it is nested deeper than {MAX_DEPTH}", "deep nesting", f"a depth of {MAX_DEPTH}")

    def _check_depth(self, node: ast.expr, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._too_deep(self._offset(node))

    def _offset(self, node: ast.expr) -> int:
        # the parser counts columns in bytes of UTF-8, people in characters
        line = self._flat.lstrip().encode()
        return self._indent + len(line[: node.col_offset].decode(errors="ignore"))

    def _say(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Constant):
            return f"the text {node.value!r}" if isinstance(node.value, str) else f"{node.value!r}"[:40]
        return _CALLED.get(type(node), "this")

    def _refuse(self, offset: int, fault: str, found: str, allowed: str, *, near: str = "") -> GuidelineError:
        return refuse(self._place(offset), fault, found, allowed, near=near, guideline=self._guideline)


def _kind(node: ast.expr) -> str:
    """Return the kind of the first field in an operand; empty where it names none."""
    if isinstance(node, ast.Name):
        return FIELDS.get(ALIASES.get(node.id, node.id), "")
    named = (isinstance(part, ast.Name) and ALIASES.get(part.id, part.id) in FIELDS for part in ast.walk(node))
    return "number" if isinstance(node, ast.BinOp | ast.UnaryOp) and any(named) else ""


def _values_of(kind: str) -> str:
    if kind in CLASSES:
        return " < ".join(CLASSES[kind])
    return _VALUES[kind]
