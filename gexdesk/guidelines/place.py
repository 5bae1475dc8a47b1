"""Where something stands in a guideline file, and how it is refused there."""

import difflib
import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from gexdesk.model.errors import GuidelineError
from gexdesk.model.text import printable

_HEADER = re.compile(r"[ \t]*\[\[?([^\[\]]+)\]\]?[ \t]*(#.*)?$")


class Place(Struct, frozen=True):
    """Point into a file; lines and columns count from 1, None where they cannot be told."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Write it as people say it."""
        line = f", line {self.line}" if self.line else ""
        return printable(self.file) + line + (f", column {self.column}" if self.column else "")


PlaceOf = Callable[[int], Place]
"""Give the place of a character of some text by its offset."""


def refuse(place: Place, fault: str, found: str, allowed: str, *, near: str = "", guideline: str = "") -> GuidelineError:
    """Make the error for a fault at a place.

    Args:
        fault: What is wrong, with what was found.
        found: What stands there, alone.
        allowed: What may stand there.
        near: The word that was probably meant; empty where nobody can tell.
        guideline: Name of the guideline it is in; empty outside of one.
    """
    message = f"{place}: " + (f"guideline {guideline}: " if guideline else "") + fault
    message += f"; did you mean {near}?" if near else "."
    message += f" Allowed: {allowed}."
    return GuidelineError(
        printable(message, 600),
        file=printable(place.file),
        line=place.line,
        column=place.column,
        found=printable(found),
        allowed=printable(allowed, 400),
        did_you_mean=near,
        guideline=printable(guideline),
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word most like this one, whatever its case; empty where none is like it."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word[:64].casefold().replace("-", "_"), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else ""


class Places:
    """Find tables, keys and values of a TOML text again, since the parser forgets where they stood.

    Tables written inline at the top of a file are not found; their faults name the file alone.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines = text.split("\n")
        self._tables: dict[str, list[tuple[int, int]]] = {}
        headers = [(-1, "")]
        quoted = False
        for number, line in enumerate(self._lines):
            if not quoted and (match := _HEADER.match(line)):
                headers.append((number, re.sub(r"[\s\"']", "", match[1])))
            quoted ^= (line.count('"""') + line.count("'''")) % 2 == 1
        for (first, name), after in zip(headers, [*(n for n, _ in headers[1:]), len(self._lines)], strict=True):
            self._tables.setdefault(name, []).append((first, after))

    def of(self, table: str, key: str = "", nth: int = 0) -> Place:
        """Return the place of a table's header, or of one of its keys; ``table`` is empty for the top of the file."""
        row = self._row(table, key, nth)
        if row is None:
            return self.of(table, "", nth) if key else Place(self.file)
        column = len(self._lines[row]) - len(self._lines[row].lstrip()) + 1 if row >= 0 else None
        return Place(self.file, row + 1 if row >= 0 else None, column)

    def inside(self, value: str, table: str, key: str, nth: int = 0) -> PlaceOf:
        """Return a function that places the characters of a string value.

        Where the value is written with escapes its characters cannot be counted off in the file: the line is the
        key's then, and the column counts inside the value.
        """
        row = self._row(table, key, nth)
        if row is None or row < 0:
            return lambda offset: Place(self.file, None, offset + 1)
        rest = "\n".join(self._lines[row:])
        opened = re.match(r"[^=]*=[ \t]*(\"\"\"\n?|'''\n?|\"|')", rest)
        start = opened.end() if opened else 0
        if not opened or rest[start : start + len(value)] != value:
            return lambda offset: Place(self.file, row + 1, offset + 1)

        def place(offset: int) -> Place:
            before = rest[: start + offset]
            return Place(self.file, row + 1 + before.count("\n"), len(before) - before.rfind("\n"))

        return place

    def _row(self, table: str, key: str, nth: int) -> int | None:
        spans = self._tables.get(table, [])
        if nth >= len(spans):
            return None
        first, after = spans[nth]
        if not key:
            return first
        pattern = re.compile(rf"[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[=.]")
        return next((row for row in range(first + 1, after) if pattern.match(self._lines[row])), None)
