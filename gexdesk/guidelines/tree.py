"""A checked condition as a tree of few kinds of node: what both compilers and the search for a freshness read.

Every node was made by ``condition.py`` from text that was checked, so whoever walks a tree may trust its kinds: operands of
one comparison are of one kind, and a list holds values of its operand's kind.
"""

from __future__ import annotations

from msgspec import Struct


class Field(Struct, frozen=True):
    """Name a field of ``FIELDS``."""

    name: str


class Value(Struct, frozen=True):
    """Hold a finite number, the rank of a class's word, or a text."""

    value: float | str


class Minus(Struct, frozen=True):
    """Change a number's sign."""

    operand: Operand


class Reckon(Struct, frozen=True):
    """Join two numbers by ``+ - * /``; not known where either is not, or where the divisor is 0."""

    sign: str
    left: Operand
    right: Operand


class Compare(Struct, frozen=True):
    """Compare by ``< <= > >= == !=``; false where either side is not known."""

    left: Operand
    sign: str
    right: Operand


class Among(Struct, frozen=True):
    """Look a value up in a list of one value or more; false where it is not known, negated or not."""

    operand: Operand
    values: tuple[Value, ...]
    negated: bool


class Flag(Struct, frozen=True):
    """Be true where a field that is yes or no says yes."""

    name: str


class All(Struct, frozen=True):
    """Be true where every part is."""

    parts: tuple[Test, ...]


class AnyOf(Struct, frozen=True):
    """Be true where at least one part is."""

    parts: tuple[Test, ...]


class Not(Struct, frozen=True):
    """Be true where the part is false."""

    part: Test


class Until(Struct, frozen=True):
    """Be true before a moment (UTC seconds), and where nobody said what time it is. No condition can write this."""

    at: float


Operand = Field | Value | Minus | Reckon
Test = Compare | Among | Flag | All | AnyOf | Not | Until


def fields_of(node: Test | Operand) -> set[str]:
    """Return the names of all fields in a tree."""
    match node:
        case Field(name) | Flag(name):
            return {name}
        case Minus(part) | Not(part) | Among(part):
            return fields_of(part)
        case Reckon(_, left, right) | Compare(left, _, right):
            return fields_of(left) | fields_of(right)
        case All(parts) | AnyOf(parts):
            return set().union(*map(fields_of, parts))
    return set()
