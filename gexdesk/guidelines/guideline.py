"""One named rule, and how it is read from its table in the file."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from msgspec import Struct

from gexdesk.guidelines.classes import Classes
from gexdesk.guidelines.condition import parse
from gexdesk.guidelines.fields import TEXTS
from gexdesk.guidelines.freshness import asked_of
from gexdesk.guidelines.place import nearest, refuse
from gexdesk.guidelines.tables import Tables, say
from gexdesk.guidelines.tree import All, Among, Field, Test, Until, Value
from gexdesk.model.decision import Freshness
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.market import NEW_YORK
from gexdesk.model.text import printable, symbol_of

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_RESERVED = ("override", "unmatched")
_KEYS = ("name", "description", "level", "when", "score", "active", "symbols", "sessions", "expires")
_MAX_SYMBOLS = 500
_EXPIRES = "a date (the last day it holds, New York), or a date and time with its zone, such as 2026-12-31T16:00:00-05:00"


class Guideline(Struct, frozen=True):
    """Hold one named rule.

    Attributes:
        score: What the rule gives at the least; inside its level's band, by default the band's floor.
        requires: The freshness its condition asks for; STALE asks for nothing.
        symbols, sessions: It holds for these alone; empty for all.
        expires: It no longer holds from this moment on, UTC seconds; None has no end.
    """

    name: str
    description: str
    level: Level
    when: str
    active: bool
    score: float
    requires: Freshness
    symbols: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    expires: float | None = None


def read_guideline(tables: Tables, table: Mapping[str, object], nth: int, classes: Classes) -> tuple[Guideline, Test]:
    """Check one table, and join its condition with its symbols, sessions and end.

    Args:
        nth: Which ``[[guideline]]`` of the file it is, from 0.

    Raises:
        GuidelineError: The first fault, with file, line and column.
    """
    tables.keys(table, _KEYS, "guideline", nth, required=("name", "level", "when"))
    name = tables.text(table["name"], "guideline", "name", nth)
    at = tables.places.of("guideline", "name", nth)
    if not _NAME.fullmatch(name) or name in _RESERVED:
        allowed = "1 to 48 of a-z 0-9 - _, beginning with a letter or digit; not " + ", ".join(_RESERVED)
        raise refuse(at, f"{name!r} cannot be a name", name, allowed)
    level = _level(tables, table["level"], name, nth)
    when = table["when"]
    if not isinstance(when, str):
        raise tables.wrong(when, "a condition in quotes", "guideline", "when", nth)
    place = tables.places.inside(when, "guideline", "when", nth)
    condition = parse(when, place, name)
    requires = asked_of(condition.test, classes)
    if requires is None:
        fault = "it can never hold, whatever the age of the data"
        raise refuse(place(0), fault, when, "a condition on freshness that some data can meet", guideline=name)
    active = table.get("active", True)
    if not isinstance(active, bool):
        raise tables.wrong(active, "true or false", "guideline", "active", nth)
    low, high = level.band
    score = tables.number(table.get("score", low), "guideline", "score", "score", nth=nth)
    if not low <= score <= high:
        fault = f"the score {score:g} lies outside of {level}"
        at = tables.places.of("guideline", "score", nth)
        raise refuse(at, fault, f"{score:g}", f"{low:.2f} to {high:.2f}", guideline=name)
    description = tables.text(table.get("description", ""), "guideline", "description", nth)
    symbols = _among(tables, table, "symbols", nth)
    sessions = _among(tables, table, "sessions", nth)
    expires = _moment(tables, table["expires"], nth) if "expires" in table else None
    guideline = Guideline(name, description, level, when, active, score, requires, symbols, sessions, expires)
    return guideline, _scoped(condition.test, guideline)


def _scoped(condition: Test, guideline: Guideline) -> Test:
    parts: list[Test] = []
    for field, words in (("symbol", guideline.symbols), ("session", guideline.sessions)):
        if words:
            parts.append(Among(Field(field), tuple(map(Value, words)), negated=False))
    if guideline.expires is not None:
        parts.append(Until(guideline.expires))
    return All((*parts, condition)) if parts else condition


def _level(tables: Tables, value: object, guideline: str, nth: int) -> Level:
    if isinstance(value, str) and value in LEVELS:
        return Level(value)
    found = printable(value) if isinstance(value, str) else say(value)
    near = nearest(value, LEVELS) if isinstance(value, str) else ""
    at = tables.places.of("guideline", "level", nth)
    raise refuse(at, f"{found} is no level", found, ", ".join(LEVELS), near=near, guideline=guideline)


def _among(tables: Tables, table: Mapping[str, object], key: str, nth: int) -> tuple[str, ...]:
    """Take a list of words, sorted and each once; empty where the key is not there."""
    if key not in table:
        return ()
    words = table[key]
    allowed = "a list of symbols, such as ['SPX', 'NDX']" if key == "symbols" else "a list among " + ", ".join(TEXTS["session"])
    if not isinstance(words, list) or not words or len(words) > _MAX_SYMBOLS:
        found = "an empty list" if words == [] else f"a list of {len(words)}" if isinstance(words, list) else say(words)
        raise refuse(tables.places.of("guideline", key, nth), f"{key} is {found}", found, allowed)
    for word in words:
        if not isinstance(word, str):
            raise tables.wrong(word, allowed, "guideline", key, nth)
        if key == "symbols":
            good, near = symbol_of(word) == word, symbol_of(word) or ""
        else:
            good, near = word in TEXTS["session"], nearest(word, TEXTS["session"])
        if not good:
            at = tables.places.of("guideline", key, nth)
            raise refuse(at, f"{word!r} is no {key[:-1]}", repr(word), allowed, near=near and f"'{near}'")
    return tuple(sorted(set(words)))


def _moment(tables: Tables, value: object, nth: int) -> float:
    """Read when a guideline ends, UTC seconds; a date ends with its day in New York."""
    at = tables.places.of("guideline", "expires", nth)
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            found = f"the text {printable(str(value), 40)!r}"
            raise refuse(at, f"expires is {found}", found, _EXPIRES) from None
    try:
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise refuse(at, f"expires {value} has no zone", str(value), _EXPIRES)
            return value.astimezone(UTC).timestamp()
        if isinstance(value, date):
            return datetime.combine(value + timedelta(days=1), time(), NEW_YORK).timestamp()
    except OverflowError:
        raise refuse(at, f"expires {value} is too far away", str(value), _EXPIRES) from None
    raise tables.wrong(value, _EXPIRES, "guideline", "expires", nth)
