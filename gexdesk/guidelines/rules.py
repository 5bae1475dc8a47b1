"""A set of guidelines: read from TOML, checked whole, compiled, never changed."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct, to_builtins

from gexdesk.guidelines.classes import Classes
from gexdesk.guidelines.condition import Condition, Matcher, fuse, parse
from gexdesk.guidelines.freshness import asked_of
from gexdesk.guidelines.place import Place, Places, nearest, refuse
from gexdesk.model.decision import Freshness
from gexdesk.model.errors import GuidelineError
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.text import printable

DEFAULT_FILE = Path(__file__).with_name("default.toml")
"""The set that ships."""

MAX_FILE_BYTES = 256 * 1024
MAX_GUIDELINES = 500
_MAX_NUMBER = 1e15
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_RESERVED = ("override", "unmatched")
_THRESHOLDS: dict[str, dict[str, tuple[str, ...]]] = {
    "classes.impact": {"high": ("volume_over", "open_interest_over"), "medium": ("volume_from", "open_interest_from")},
    "classes.change": {"large": ("over",), "medium": ("from",)},
    "classes.age": {"real_time": ("under",), "fresh": ("under",)},
}
_GUIDELINE_KEYS = ("name", "description", "level", "when", "score", "active")


class Guideline(Struct, frozen=True):
    """Hold one named rule.

    Attributes:
        score: What the rule gives at the least; inside its level's band, by default the band's floor.
        requires: The freshness its condition asks for; STALE asks for nothing.
    """

    name: str
    description: str
    level: Level
    when: str
    active: bool
    score: float
    requires: Freshness


class Weights(Struct, frozen=True):
    """Weigh what moves a score inside its band; they add up to 1."""

    impact: float
    change: float
    age: float
    source_reliability: float
    urgency: float


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Hold a checked set of guidelines.

    Attributes:
        version: Short hash of what the set says; comments and layout do not count.
        guidelines: All of them in the file's order, inactive ones too.
        active: Those that decide; ``matcher`` answers positions in it.
    """

    name: str
    version: str
    classes: Classes
    weights: Weights
    guidelines: tuple[Guideline, ...]
    active: tuple[Guideline, ...]
    matcher: Matcher


def load(path: Path) -> RuleSet:
    """Read a guideline file.

    Raises:
        GuidelineError: The first fault, with file, line and column.
    """
    place = Place(str(path))
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no such file"
            raise refuse(place, f"{found}", found, "a TOML file of guidelines")
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise refuse(place, f"it cannot be read: {found}", found, "a readable TOML file of guidelines") from None
    if len(raw) > MAX_FILE_BYTES:
        raise refuse(place, "the file is too large", f"over {MAX_FILE_BYTES} bytes", f"{MAX_FILE_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fault = f"the byte 0x{raw[error.start]:02x} is not UTF-8"
        raise refuse(Place(str(path), line), fault, f"0x{raw[error.start]:02x}", "text in UTF-8") from None
    return read(text, str(path))


def load_default() -> RuleSet:
    """Read the set that ships."""
    return load(DEFAULT_FILE)


def read(text: str, file: str = "guidelines") -> RuleSet:
    """Read the text of a guideline file.

    Args:
        text: TOML; ``default.toml`` explains it.
        file: Its name, for faults.

    Raises:
        GuidelineError: The first fault, with file, line and column.
    """
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and integers of thousands of digits
        raise _not_toml(str(error), file, text) from None
    except RecursionError:
        raise refuse(Place(file), "it is nested too deep", "deep nesting", "tables as in the default set") from None
    return _Checker(file, text).rules(document)


def _not_toml(reason: str, file: str, text: str) -> GuidelineError:
    at = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", reason)
    fault = reason[: at.start()] if at else reason
    place = Place(file, text.count("\n") + 1)
    if at and at[1]:
        place = Place(file, int(at[1]), int(at[2]))
    return refuse(place, f"this is not TOML: {fault}", fault, "TOML, as in the default set")


class _Checker:
    def __init__(self, file: str, text: str) -> None:
        self._places = Places(file, text)

    def rules(self, document: Mapping[str, object]) -> RuleSet:
        top = Place(self._places.file)
        self._keys(document, ("name", "classes", "weights", "guideline"), "", required=("classes", "weights", "guideline"))
        name = self._text(document.get("name", "unnamed"), "", "name")
        classes = self._classes(document["classes"])
        weights = self._weights(document["weights"])
        tables = document["guideline"]
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            raise refuse(self._places.of("", "guideline"), "there is no guideline", "none", "one [[guideline]] table or more")
        if len(tables) > MAX_GUIDELINES:
            raise refuse(top, f"{len(tables)} guidelines are too many", str(len(tables)), f"at most {MAX_GUIDELINES}")
        checked = [self._guideline(table, nth, classes) for nth, table in enumerate(tables)]
        self._distinct([guideline.name for guideline, _ in checked])
        guidelines = tuple(guideline for guideline, _ in checked)
        says = json.dumps([name, to_builtins(classes), to_builtins(weights), to_builtins(guidelines)], sort_keys=True)
        return RuleSet(
            name=name,
            version="v-" + hashlib.sha256(says.encode()).hexdigest()[:6],
            classes=classes,
            weights=weights,
            guidelines=guidelines,
            active=tuple(guideline for guideline in guidelines if guideline.active),
            matcher=fuse([condition for guideline, condition in checked if guideline.active]),
        )

    def _classes(self, table: object) -> Classes:
        found = self._table(table, "classes", ("impact", "change", "age"))
        read: dict[tuple[str, str, str], float] = {}
        for header, kinds in _THRESHOLDS.items():
            section = self._table(found[header.removeprefix("classes.")], header, tuple(kinds))
            for name, bounds in kinds.items():
                values = self._table(section[name], header, bounds, key=name)
                for bound in bounds:
                    read[header, name, bound] = self._number(values[bound], header, name, f"{name}.{bound}", above_zero=True)
        for header, more, less in (
            ("classes.impact", ("high", "volume_over"), ("medium", "volume_from")),
            ("classes.impact", ("high", "open_interest_over"), ("medium", "open_interest_from")),
            ("classes.change", ("large", "over"), ("medium", "from")),
            ("classes.age", ("fresh", "under"), ("real_time", "under")),
        ):
            if read[header, *more] <= read[header, *less]:
                over, under = ".".join(more), ".".join(less)
                fault = f"{over} {read[header, *more]:g} is not above {under} {read[header, *less]:g}"
                raise refuse(self._places.of(header, more[0]), fault, f"{read[header, *more]:g}", f"{over} above {under}")
        # Classes has its fields in the order of _THRESHOLDS, which is the order they were read in
        return Classes(*read.values())

    def _weights(self, table: object) -> Weights:
        names = Weights.__struct_fields__
        found = self._table(table, "weights", names)
        given = {name: self._number(found[name], "weights", name, name) for name in names}
        total = sum(given.values())
        if total == 0:
            raise refuse(self._places.of("weights"), "the weights add up to 0", "0", "at least one above 0")
        return Weights(**{name: weight / total for name, weight in given.items()})

    def _guideline(self, table: Mapping[str, object], nth: int, classes: Classes) -> tuple[Guideline, Condition]:
        self._keys(table, _GUIDELINE_KEYS, "guideline", nth, required=("name", "level", "when"))
        name = self._text(table["name"], "guideline", "name", nth)
        at = self._places.of("guideline", "name", nth)
        if not _NAME.fullmatch(name) or name in _RESERVED:
            allowed = "1 to 48 of a-z 0-9 - _, beginning with a letter or digit; not " + ", ".join(_RESERVED)
            raise refuse(at, f"{name!r} cannot be a name", name, allowed)
        level = self._level(table["level"], name, nth)
        when = table["when"]
        if not isinstance(when, str):
            raise self._wrong(when, "a condition in quotes", "guideline", "when", nth)
        place = self._places.inside(when, "guideline", "when", nth)
        condition = parse(when, place, name)
        requires = asked_of(condition.parsed, classes)
        if requires is None:
            fault = "it can never hold, whatever the age of the data"
            raise refuse(place(0), fault, when, "a condition on age that some data can meet", guideline=name)
        active = table.get("active", True)
        if not isinstance(active, bool):
            raise self._wrong(active, "true or false", "guideline", "active", nth)
        low, high = level.band
        score = self._number(table.get("score", low), "guideline", "score", "score", nth=nth)
        if not low <= score <= high:
            fault = f"the score {score:g} lies outside of {level}"
            at = self._places.of("guideline", "score", nth)
            raise refuse(at, fault, f"{score:g}", f"{low:.2f} to {high:.2f}", guideline=name)
        description = self._text(table.get("description", ""), "guideline", "description", nth)
        return Guideline(name, description, level, when, active, score, requires), condition

    def _level(self, value: object, guideline: str, nth: int) -> Level:
        if isinstance(value, str) and value in LEVELS:
            return Level(value)
        found = printable(value) if isinstance(value, str) else _say(value)
        near = nearest(value, LEVELS) if isinstance(value, str) else ""
        at = self._places.of("guideline", "level", nth)
        raise refuse(at, f"{found} is no level", found, ", ".join(LEVELS), near=near, guideline=guideline)

    def _distinct(self, names: list[str]) -> None:
        for nth, name in enumerate(names):
            first = names.index(name)
            if first != nth:
                other = self._places.of("guideline", "name", first).line
                fault = f"the name {name} is taken" + (f" by the guideline on line {other}" if other else "")
                raise refuse(self._places.of("guideline", "name", nth), fault, name, "a name of its own for each guideline")

    def _table(self, value: object, header: str, names: tuple[str, ...], key: str = "") -> Mapping[str, object]:
        """Take a table that has exactly these keys; ``key`` names it where it is written inline under a header."""
        if not isinstance(value, dict):
            raise self._wrong(value, "a table with " + ", ".join(names), header, key)
        self._keys(value, names, header, required=names, inline=key)
        return value

    def _keys(
        self,
        table: Mapping[str, object],
        known: Iterable[str],
        header: str,
        nth: int = 0,
        *,
        required: Iterable[str],
        inline: str = "",
    ) -> None:
        known = tuple(known)
        where = ".".join(part for part in (header, inline) if part) or "the file"
        for key in table:
            if key not in known:
                at = self._places.of(header, inline or key, nth)
                if at.line is None:
                    at = self._places.of(f"{header}.{key}".lstrip("."))
                raise refuse(at, f"{key} is no key of {where}", key, ", ".join(known), near=nearest(key, known))
        for key in required:
            if key not in table:
                fault = f"{where} has no {key}"
                raise refuse(self._places.of(header, inline, nth), fault, "nothing", ", ".join(known))

    def _text(self, value: object, header: str, key: str, nth: int = 0) -> str:
        if not isinstance(value, str) or printable(value) != value:
            raise self._wrong(value, "one line of at most 200 printable characters", header, key, nth)
        return value

    def _number(self, value: object, header: str, key: str, what: str, *, nth: int = 0, above_zero: bool = False) -> float:
        allowed = "a number above 0, up to 1e15" if above_zero else "a number from 0 to 1e15"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(value, allowed, header, key, nth)
        if not 0 <= value <= _MAX_NUMBER or (above_zero and value == 0):
            found = f"{value:.6g}" if -_MAX_NUMBER <= value <= _MAX_NUMBER else "too large" if value > 0 else "not a finite number"
            raise refuse(self._places.of(header, key, nth), f"{what} is {found}", found, allowed)
        return float(value)

    def _wrong(self, value: object, allowed: str, header: str, key: str, nth: int = 0) -> GuidelineError:
        found = _say(value)
        return refuse(self._places.of(header, key, nth), f"{key or header} is {found}", found, allowed)


def _say(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {printable(value, 40)!r}"
    return {int: "a number", float: "a number", list: "a list", dict: "a table"}.get(type(value), "a date or time")
