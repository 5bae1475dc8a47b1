"""Rows that people labelled: read from CSV, decided by a set, counted right and wrong."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.fields import TEXTS
from gexdesk.guidelines.place import Place, nearest, refuse
from gexdesk.guidelines.rules import RuleSet
from gexdesk.model.features import Features
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.text import printable, symbol_of

COLUMNS = ("symbol", "data_type", "volume", "open_interest", "gamma_change", "data_age_s", "expected_level")
SOURCE = "labelled"
"""Source of every labelled row, for rules that name sources."""

MAX_BYTES = 256 * 1024 * 1024
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")


class Labelled(Struct, frozen=True):
    """Hold one labelled row and the line it ends on."""

    line: int
    features: Features
    expected: Level


class Wrong(Struct, frozen=True):
    """Show one row that was not decided as labelled."""

    line: int
    symbol: str
    expected: Level
    decided: Level
    score: float
    winner: str
    reason: str


class Report(Struct, frozen=True):
    """Count rows; ``confusion[expected][decided]``."""

    rows: int
    correct: int
    accuracy: float
    confusion: dict[str, dict[str, int]]
    wrong: tuple[Wrong, ...]


def read_labelled(path: Path) -> list[Labelled]:
    """Read a CSV with a header and ``COLUMNS`` in any order; other columns are left alone.

    Volume, open interest and change may be empty: not known. Change is a fraction; age is in seconds.

    Raises:
        GuidelineError: The first fault with its line and column; ``details["lines"]`` names every line at fault, at most 100.
    """
    place = Place(str(path))
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise refuse(place, "the file is too large", f"{path.stat().st_size:,} bytes", f"{MAX_BYTES:,} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise refuse(place, f"it cannot be read: {found}", found, "a CSV file with " + ", ".join(COLUMNS)) from None
    except UnicodeDecodeError:
        raise refuse(place, "it is not text in UTF-8", "other bytes", "a CSV file in UTF-8") from None
    rows: list[Labelled] = []
    faults: list[tuple[int, str, str, str, str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        positions = _positions(header, place)
        for cells in reader:
            if not any(cells):
                continue
            try:
                if len(cells) != len(header):
                    raise _Fault("", f"{len(cells)} cells", f"{len(header)} as in the header")
                row = {name: cells[position].strip() for name, position in positions.items()}
                rows.append(Labelled(reader.line_num, _features(row), _level(row["expected_level"])))
            except _Fault as fault:
                faults.append((reader.line_num, *fault.args))
    except csv.Error as error:
        at = Place(str(path), reader.line_num)
        raise refuse(at, f"this is not CSV: {error}", str(error), "rows of cells, quoted where they hold commas") from None
    if faults:
        line, column, found, allowed, near = faults[0]
        more = f", and {len(faults) - 1} more lines are at fault" if len(faults) > 1 else ""
        words = f"{column} is {found}{more}" if column else f"it has {found}{more}"
        refused = refuse(Place(str(path), line), words, found, allowed, near=near)
        refused.details["lines"] = [number for number, *_ in faults[:100]]
        raise refused
    if not rows:
        raise refuse(place, "it has no rows", "nothing below the header", "one row or more")
    return rows


def check(rows: Iterable[Labelled], rules: RuleSet) -> Report:
    """Decide every row and compare with its label."""
    confusion = {str(expected): {str(decided): 0 for decided in LEVELS} for expected in LEVELS}
    count, wrong = 0, []
    for row in rows:
        decision = decide(row.features, rules)
        count += 1
        confusion[row.expected][decision.level] += 1
        if decision.level is not row.expected:
            wrong.append(
                Wrong(
                    row.line, row.features.symbol, row.expected, decision.level, decision.score, decision.winner, decision.reason
                )
            )
    correct = count - len(wrong)
    return Report(count, correct, correct / count if count else 0.0, confusion, tuple(wrong))


class _Fault(Exception):
    def __init__(self, column: str, found: str, allowed: str, near: str = "") -> None:
        super().__init__(column, found, allowed, near)


def _positions(header: list[str], place: Place) -> dict[str, int]:
    for name in COLUMNS:
        if header.count(name) != 1:
            times = "twice" if name in header else "not there"
            near = nearest(name, [other for other in header if other not in COLUMNS])
            fault = f"the column {name} is {times}" + (f" (there is {printable(near, 40)})" if near else "")
            raise refuse(Place(place.file, 1), fault, ", ".join(header) or "nothing", ", ".join(COLUMNS))
    return {name: header.index(name) for name in COLUMNS}


def _features(row: dict[str, str]) -> Features:
    symbol = symbol_of(row["symbol"])
    if symbol is None:
        raise _Fault("symbol", f"{printable(row['symbol'], 40)!r}", "a symbol such as SPX")
    data_type = row["data_type"]
    if data_type not in TEXTS["data_type"]:
        near = nearest(data_type, TEXTS["data_type"])
        raise _Fault("data_type", f"{printable(data_type, 40)!r}", ", ".join(TEXTS["data_type"]), near)
    age_s = _number(row, "data_age_s", "a number of seconds")
    if age_s is None:
        raise _Fault("data_age_s", "empty", "a number of seconds")
    volume, open_interest, change = (
        _number(row, name, f"{what} from 0 on, or empty where not known", least=0.0)
        for name, what in (("volume", "contracts"), ("open_interest", "contracts"), ("gamma_change", "a fraction"))
    )
    return Features(symbol, SOURCE, data_type, volume, open_interest, change, age_s)


def _number(row: dict[str, str], name: str, allowed: str, least: float | None = None) -> float | None:
    text = row[name]
    if not text:
        return None
    value = float(text) if _NUMBER.fullmatch(text) else None
    if value is None or abs(value) > 1e15 or (least is not None and value < least):
        raise _Fault(name, f"{printable(text, 40)!r}", allowed)
    return value


def _level(text: str) -> Level:
    if text not in LEVELS:
        raise _Fault("expected_level", f"{printable(text, 40)!r}", ", ".join(LEVELS), nearest(text, LEVELS))
    return Level(text)
