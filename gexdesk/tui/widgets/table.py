"""A table whose rows never move under the cursor."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from functools import lru_cache
from typing import ClassVar, NamedTuple

from msgspec import Struct

from gexdesk.tui.filter import fault_of, matcher
from gexdesk.tui.ink import Run, fit, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import BLANK, Pane

FOOT_FROM_ROWS = 8
"""Rows from which one is spent on counting those that are out of sight."""

JOINED: Run = ("", "joined")
"""Stands for a cell whose place the cell before it takes as well."""


class Column(NamedTuple):
    """Describe one column.

    Attributes:
        width: Cells it takes, without the gap after it.
        rank: Columns of the highest rank go first where the screen is narrow.
        grows: How many cells more it can use where there is room.
    """

    title: str
    width: int
    right: bool = False
    rank: int = 0
    grows: int = 0


@lru_cache(maxsize=64)
def columns_for(columns: tuple[Column, ...], width: int) -> list[tuple[int, int]]:
    """Choose the columns that fit, as ``(index, width)`` from left to right; what is left over goes to whoever lacks most."""
    kept = list(range(len(columns)))
    while len(kept) > 1 and sum(columns[i].width + 1 for i in kept) > width:
        kept.remove(max(kept, key=lambda i: (columns[i].rank, i)))
    rest = max(0, width - sum(columns[i].width + 1 for i in kept))
    lacks = {i: columns[i].grows for i in kept}
    for _ in range(min(rest, sum(lacks.values()))):
        lacks[max(lacks, key=lambda i: lacks[i])] -= 1
    return [(i, columns[i].width + columns[i].grows - lacks[i]) for i in kept]


class Table(Pane):
    """Draw one row a name, in the order the names first came; keep the cursor on a name, not on a place.

    Args:
        title: What stands above the names.
        columns: The first holds the name.
        has_cursor: Tells whether the cursor is in this table.
    """

    def __init__(self, id: str, sight: Sight, title: str, columns: Sequence[Column], has_cursor: Callable[[], bool]) -> None:
        super().__init__(id, sight)
        self.title_text = title
        self.columns = tuple(columns)
        self.has_cursor = has_cursor
        self.rows: list[str] = []
        self._came: list[str] = []
        self.cursor: str | None = None
        self.first = 0
        self.engine_id = ""
        self._known: frozenset[str] = frozenset()
        self.wanted = ""
        self.faults = False
        self.marked: dict[str, None] = {}

    tells_faults: ClassVar[bool] = False
    """Whether ``items`` knows a fault when it sees one."""

    def items(self) -> dict[str, tuple[str, bool]]:
        """Return by name what the text filter looks through, and whether the row is a fault."""
        raise NotImplementedError

    def names(self) -> Set[str]:
        """Return the names alone, which costs less."""
        return self.items().keys()

    def cells(self, name: str) -> list[Run] | None:
        """Return one run a column; None where the engine no longer knows the name."""
        raise NotImplementedError

    # ------------------------------------------------------------------ rows
    def adopt(self) -> bool:
        """Learn new names from the shown picture, after all others; return whether there were any.

        A row never leaves and never changes its place while the operator looks: with a filter on, what comes to pass it
        joins at the end, and what no longer passes it stays until the filter is set anew.
        """
        view = self.sight.shown
        if view is None:
            return False
        if view.engine_id != self.engine_id:
            # Another engine may have another configuration: its order counts, the cursor stays on its name.
            self.engine_id, self.rows, self._came = view.engine_id, [], []
        elif not self.wanted and not self.faults and len(self.rows) == len(self._came) and self.names() <= self._known:
            return False
        known, items = set(self.rows), self.items()
        came = set(self._came)
        self._known = frozenset((*came, *items))
        self._came += [name for name in items if name not in came]
        new = [name for name in self._came if name in items and name not in known and self._passes(*items[name])]
        self.rows += new
        if self.cursor is None and self.rows:
            self.cursor = self.rows[0]
        return bool(new)

    def filter(self, wanted: str, faults: bool) -> None:
        """Show only rows that pass a filter, and only faults where asked, in the order in which they first came.

        A regular expression that is none yet, while it is typed, leaves the rows as they are.
        """
        if fault_of(wanted):
            return
        self.wanted, self.faults = wanted, faults
        items = self.items()
        self.rows = [name for name in self._came if name in items and self._passes(*items[name])]
        self.settle()
        self.paint()

    def settle(self) -> None:
        """Put a cursor that stands on no row onto the first one."""
        if self.cursor not in self.rows and self.rows:
            self.cursor = self.rows[0]

    def _passes(self, text: str, fault: bool) -> bool:
        return (fault or not self.faults) and matcher(self.wanted)(text)

    @property
    def filter_words(self) -> str:
        """Say which filter is on, shortly; empty without one."""
        parts = [f"/{self.wanted}"] if self.wanted else []
        return " ".join([*parts, "faults"] if self.faults else parts)

    def said_of_rows(self) -> str:
        """Say in words which filter is on and what is marked; empty without either."""
        parts = [f'rows with "{self.wanted}"'] if self.wanted else []
        parts += ["faults only"] if self.faults else []
        said = [f"{' and '.join(parts)}, {len(self.rows)} shown"] if parts else []
        return "; ".join([*said, *([f"{len(self.marked)} marked: levers and export act on them"] if self.marked else [])])

    def clear(self) -> None:
        """Take the filter back; where there is none, the marks."""
        if self.wanted or self.faults:
            self.filter("", False)
        else:
            self.unmark()

    @property
    def target(self) -> str | None:
        """Return the name under the cursor; None where it stands on no row."""
        return self.cursor if self.cursor in self.rows else None

    # ---------------------------------------------------------------- marks
    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark back, and go on to the next."""
        if self.target is None:
            return
        if self.target in self.marked:
            del self.marked[self.target]
        else:
            self.marked[self.target] = None
        self.move(1)
        self.paint()

    def mark_all(self) -> None:
        """Mark every row that passes the filter, or take the marks back where all are marked."""
        if set(self.rows) <= self.marked.keys():
            self.marked.clear()
        else:
            self.marked |= dict.fromkeys(self.rows)
        self.paint()

    def unmark(self) -> None:
        """Take all marks back."""
        self.marked.clear()
        self.paint()

    @property
    def chosen(self) -> list[str]:
        """Return all marked rows in their order, those that a filter hides as well; without any, the one under the cursor."""
        if not self.marked:
            return [self.target] if self.target is not None else []
        came = set(self._came)
        return [*(name for name in self._came if name in self.marked), *(name for name in self.marked if name not in came)]

    @contextmanager
    def standing_on(self, name: str) -> Iterator[None]:
        """Look from another row for a moment, a hidden one as well: whatever asks for the row under the cursor gets that one."""
        at, rows = self.cursor, self.rows
        self.cursor, self.rows = name, [name]
        try:
            yield
        finally:
            self.cursor, self.rows = at, rows

    def record(self, name: str) -> Struct | None:
        """Return all that is known of a row, as an export writes it; None where there is nothing."""
        return None

    # ---------------------------------------------------------------- cursor
    def move(self, by: int) -> None:
        """Move the cursor by so many rows and paint what that changes, at once."""
        rows = self.rows
        if not rows:
            return
        at = rows.index(self.cursor) if self.cursor in rows else (-1 if by > 0 else 1)
        to = max(0, min(len(rows) - 1, at + by))
        self.cursor = rows[to]
        was_first = self.first
        self._follow()
        self.paint(None if self.first != was_first else (0, 1 + at - self.first, 1 + to - self.first))

    @property
    def room(self) -> int:
        """Return how many rows there is room for; where not all fit, a line at the foot counts the others."""
        room = max(1, self.size.height - 1)
        return room - 1 if len(self.rows) > room >= FOOT_FROM_ROWS else room

    def _follow(self) -> None:
        rows, room = self.rows, self.room
        at = rows.index(self.cursor) if self.cursor in rows else 0
        self.first = max(0, min(self.first, at, len(rows) - room), at - room + 1)

    # --------------------------------------------------------------- drawing
    def paint(self, rows: Iterable[int] | None = None) -> None:
        """Paint rows; all of them keeps the cursor in sight."""
        if rows is None:
            self._follow()
        super().paint(rows)

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one row."""
        chosen = columns_for(self.columns, self.size.width - 2)
        rows = self.rows
        if y == 0:
            return self._heading(chosen, rows)
        index = self.first + y - 1
        if y > self.room:
            return self._foot()
        if index >= len(rows):
            if y == 1 and self.sight.shown is not None:
                return (("  " + self.empty_words(), "faint"),)
            return BLANK
        name = rows[index]
        on = self.has_cursor() and name == self.cursor
        cells = self.cells(name) or [(name, "faint"), ("gone: the engine no longer knows it", "faint")]
        mark: Run = ("*", "eye") if name in self.marked else (" ", "")
        if len(cells) < len(self.columns):
            return ((">" if on else " ", "bold"), mark, (f"{cells[0][0]}  {cells[1][0]}", "faint"))
        runs: list[Run] = [(">" if on else " ", "bold"), mark]
        for position, (column, width) in enumerate(chosen):
            text, ink = cells[column]
            if cells[column] is JOINED:
                continue
            joined = column + 1 < len(cells) and cells[column + 1] is JOINED
            fitted = fit(text, self.cells_of(column, column + 1) if joined else width, self.columns[column].right)
            runs.append((fitted, "row" if on and position == 0 else "bold" if on and not ink else ink))
            runs.append((" ", ""))
        return runs

    def cells_of(self, first: int, last: int) -> int:
        """Return the cells that neighbouring columns take together, those left out counting nothing."""
        shown = [width for column, width in columns_for(self.columns, self.size.width - 2) if first <= column <= last]
        return sum(shown) + len(shown) - 1

    def _foot(self) -> list[Run]:
        """Count the rows out of sight, and the faults among them."""
        seen = set(self.rows[self.first : self.first + self.room])
        hidden = [name for name in self.rows if name not in seen]
        if not hidden:
            return []
        items = self.items()
        faults = sum(items[name][1] for name in hidden if name in items)
        more: Run = (f"  {len(hidden)} more", "faint")
        place: Run = (f"     {self._place().strip()}", "faint")
        if faults:
            return [more, (f", {faults} with faults", "eye"), place]
        return [more, (", all within limits" if self.tells_faults else "", "faint"), place]

    def _place(self) -> str:
        at = self.rows.index(self.cursor) if self.cursor in self.rows else self.first
        return f" {at + 1}/{len(self.rows)}"

    def empty_words(self) -> str:
        """Say why there is no row."""
        return "no row passes the filter; Esc clears it" if self.wanted or self.faults else "nothing yet"

    def _heading(self, chosen: list[tuple[int, int]], rows: list[str]) -> list[Run]:
        room = self.size.height - 1
        title = self.title_text
        if self.marked:
            title += f" {len(self.marked)} marked"
        if words := self.filter_words:
            title += f" {len(rows)} of {max(len(rows), len(self._came))} ({words})"
        elif room >= len(rows) or self.room == room:
            title += self._place() if len(rows) > room > 0 else ""
        at = chosen[0][1] + 3
        over = "".join(fit(self.columns[i].title, width, self.columns[i].right) + " " for i, width in chosen[1:])
        # A title that says its filter covers the headings it needs, whole ones only.
        title = fit(title, min(width_of(title), self.size.width - 2))
        covered = max(0, width_of(title) + 2 - at)
        begins = 0
        for i, width in chosen[1:]:
            if begins < covered and over[begins:covered].strip() and self.columns[i].title:
                covered = max(covered, begins + width + 1)
            begins += width + 1
        return [(" ", ""), (fit(title, at - 2 + covered), "bold"), (" ", ""), (over[covered:], "faint")]
