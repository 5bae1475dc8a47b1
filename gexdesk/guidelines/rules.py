"""A set of guidelines: read from TOML, checked whole, compiled, never changed."""

import hashlib
import json
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct, to_builtins

from gexdesk.guidelines.classes import Classes
from gexdesk.guidelines.guideline import Guideline, read_guideline
from gexdesk.guidelines.matcher import Matcher, fuse
from gexdesk.guidelines.place import Place, refuse
from gexdesk.guidelines.tables import Tables
from gexdesk.guidelines.tree import Test
from gexdesk.model.errors import GuidelineError

DEFAULT_FILE = Path(__file__).with_name("default.toml")
"""The set that ships."""

MAX_FILE_BYTES = 256 * 1024
_DOTS_A_LINE = 64
MAX_GUIDELINES = 500
_THRESHOLDS: dict[str, dict[str, tuple[str, ...]]] = {
    "classes.impact": {"high": ("volume_over", "open_interest_over"), "medium": ("volume_from", "open_interest_from")},
    "classes.change": {"large": ("over",), "medium": ("from",)},
    "classes.freshness": {"real_time": ("under",), "fresh": ("under",)},
}


class Weights(Struct, frozen=True):
    """Weigh what moves a score inside its band; they add up to 1."""

    impact: float
    change: float
    freshness: float
    source_reliability: float
    urgency: float


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Hold a checked set of guidelines.

    Attributes:
        version: Short hash of what the set says; comments and layout do not count.
        guidelines: All of them in the file's order, inactive ones too.
        active: Those that decide.
        tests: When each of them holds, with its symbols, sessions and end.
        matcher: All of ``tests`` as one function; it answers positions in ``active``.
    """

    name: str
    version: str
    classes: Classes
    weights: Weights
    guidelines: tuple[Guideline, ...]
    active: tuple[Guideline, ...]
    tests: tuple[Test, ...]
    matcher: Matcher


def load(path: Path) -> RuleSet:
    """Read a guideline file.

    Raises:
        GuidelineError: The first fault, with file, line and column.
    """
    return read(text_of(path), str(path))


def text_of(path: Path) -> str:
    """Return the text of a guideline file, unchecked.

    Raises:
        GuidelineError: It is no file, cannot be read, is too large, or is not UTF-8.
    """
    place = Place(str(path))
    try:
        if not path.is_file():
            found = _in_its_place(path)
            raise refuse(place, found, found, "a TOML file of guidelines")
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise refuse(place, f"it cannot be read: {found}", found, "a readable TOML file of guidelines") from None
    if len(raw) > MAX_FILE_BYTES:
        raise _too_large(place)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fault = f"the byte 0x{raw[error.start]:02x} is not UTF-8"
        raise refuse(Place(str(path), line), fault, f"0x{raw[error.start]:02x}", "text in UTF-8") from None


def _in_its_place(path: Path) -> str:
    """Say what stands where no file does. Raises OSError where that cannot be seen."""
    kinds = {
        stat.S_IFDIR: "a folder", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
    }  # fmt: skip
    try:
        return kinds.get(stat.S_IFMT(path.stat().st_mode), "no file")
    except FileNotFoundError:
        return "a link to nothing" if path.is_symlink() else "no such file"


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
    if len(text) > MAX_FILE_BYTES:
        raise _too_large(Place(file))
    text = text.replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _DOTS_A_LINE:
            # The reader's memory grows with the square of the parts of a key: a line of 262 KB of them would take all there is.
            found = f"{line.count('.'):,} dots"
            raise refuse(Place(file, number), "the line has too many dots", found, f"{_DOTS_A_LINE} in a line")
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and integers of thousands of digits
        raise _not_toml(str(error), file, text) from None
    except RecursionError:
        raise refuse(Place(file), "it is nested too deep", "deep nesting", "tables as in the default set") from None
    return _Checker(file, text).rules(document)


def _too_large(place: Place) -> GuidelineError:
    return refuse(place, "the file is too large", f"over {MAX_FILE_BYTES:,} bytes", f"{MAX_FILE_BYTES:,} bytes")


def _not_toml(reason: str, file: str, text: str) -> GuidelineError:
    at = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", reason)
    fault = reason[: at.start()] if at else reason
    place = Place(file, text.count("\n") + 1)
    if at and at[1]:
        place = Place(file, int(at[1]), int(at[2]))
    return refuse(place, f"this is not TOML: {fault}", fault, "TOML, as in the default set")


class _Checker:
    def __init__(self, file: str, text: str) -> None:
        self._tables = Tables(file, text)

    def rules(self, document: Mapping[str, object]) -> RuleSet:
        top = Place(self._tables.places.file)
        self._tables.keys(document, ("name", "classes", "weights", "guideline"), "", required=("classes", "weights", "guideline"))
        name = self._tables.text(document.get("name", "unnamed"), "", "name")
        classes = self._classes(document["classes"])
        weights = self._weights(document["weights"])
        tables = document["guideline"]
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            at = self._tables.places.of("", "guideline")
            raise refuse(at, "there is no guideline", "none", "one [[guideline]] table or more")
        if len(tables) > MAX_GUIDELINES:
            raise refuse(top, f"{len(tables)} guidelines are too many", str(len(tables)), f"at most {MAX_GUIDELINES}")
        checked = [read_guideline(self._tables, table, nth, classes) for nth, table in enumerate(tables)]
        self._distinct([guideline.name for guideline, _ in checked])
        guidelines = tuple(guideline for guideline, _ in checked)
        tests = tuple(test for guideline, test in checked if guideline.active)
        says = json.dumps([name, to_builtins(classes), to_builtins(weights), to_builtins(guidelines)], sort_keys=True)
        return RuleSet(
            name=name,
            version="v-" + hashlib.sha256(says.encode()).hexdigest()[:10],
            classes=classes,
            weights=weights,
            guidelines=guidelines,
            active=tuple(guideline for guideline in guidelines if guideline.active),
            tests=tests,
            matcher=fuse(tests),
        )

    def _classes(self, table: object) -> Classes:
        found = self._tables.table(table, "classes", ("impact", "change", "freshness"))
        read: dict[tuple[str, str, str], float] = {}
        for header, kinds in _THRESHOLDS.items():
            section = self._tables.table(found[header.removeprefix("classes.")], header, tuple(kinds))
            for name, bounds in kinds.items():
                values = self._tables.table(section[name], header, bounds, key=name)
                for bound in bounds:
                    read[header, name, bound] = self._tables.number(values[bound], header, name, f"{name}.{bound}", above_zero=True)
        for header, more, less in (
            ("classes.impact", ("high", "volume_over"), ("medium", "volume_from")),
            ("classes.impact", ("high", "open_interest_over"), ("medium", "open_interest_from")),
            ("classes.change", ("large", "over"), ("medium", "from")),
            ("classes.freshness", ("fresh", "under"), ("real_time", "under")),
        ):
            if read[header, *more] <= read[header, *less]:
                over, under = ".".join(more), ".".join(less)
                fault = f"{over} {read[header, *more]:g} is not above {under} {read[header, *less]:g}"
                raise refuse(self._tables.places.of(header, more[0]), fault, f"{read[header, *more]:g}", f"{over} above {under}")
        # Classes has its fields in the order of _THRESHOLDS, which is the order they were read in
        return Classes(*read.values())

    def _weights(self, table: object) -> Weights:
        names = Weights.__struct_fields__
        found = self._tables.table(table, "weights", names)
        given = {name: self._tables.number(found[name], "weights", name, name) for name in names}
        total = sum(given.values())
        if total == 0:
            raise refuse(self._tables.places.of("weights"), "the weights add up to 0", "0", "at least one above 0")
        return Weights(**{name: weight / total for name, weight in given.items()})

    def _distinct(self, names: list[str]) -> None:
        for nth, name in enumerate(names):
            first = names.index(name)
            if first != nth:
                other = self._tables.places.of("guideline", "name", first).line
                fault = f"the name {name} is taken" + (f" by the guideline on line {other}" if other else "")
                raise refuse(self._tables.places.of("guideline", "name", nth), fault, name, "a name of its own for each guideline")
