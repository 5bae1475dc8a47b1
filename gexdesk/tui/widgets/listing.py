"""A table fed by an answer of the engine instead of the picture: one record a row."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Generic, TypeVar

from msgspec import Struct

from gexdesk.tui.ink import Run
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.table import Column, Table

R = TypeVar("R")


MOST_ROWS = 2_000
"""Rows from which those that left the answer go, unless somebody looks at them: a page stays open all day."""


class Order(Enum):
    """Say when rows follow the order of the answers, so that no lever ever meets another row than the one that was seen.

    ``NEWS``: while the cursor stands on the first row, which is then always the newest; for lists of what happened, on whose
    rows no lever acts and which stay as they were told. ``STEADY``: never; what is new comes at the end. ``HOVER``: while the
    cursor stands on no row, as it does at first.
    """

    NEWS = auto()
    STEADY = auto()
    HOVER = auto()


class Listing(Table, Generic[R]):
    """Draw records by name; those that left the answer stay where they are, faint, until the list is sorted anew.

    Args:
        row: Returns one run a column of a record.
        text: Returns what the text filter looks through.
        nothing: What is said where there is no row.
    """

    def __init__(
        self, id: str, sight: Sight, title: str, columns: Sequence[Column], *, row: Callable[[R], list[Run]],
        text: Callable[[R], str], nothing: str,
    ) -> None:  # fmt: skip
        super().__init__(id, sight, title, columns, lambda: True)
        self.records: dict[str, R] = {}
        self._row, self._text, self._nothing = row, text, nothing
        self.gone_words = "gone"
        self.order = Order.NEWS

    def take(self, records: Mapping[str, R]) -> None:
        """Take a new answer; whether its order is followed is what ``Order`` says."""
        before, self.records = self.records, dict(records)
        view = self.sight.shown
        engine_id = view.engine_id if view is not None else self.engine_id
        if engine_id != self.engine_id:
            # Another engine's order counts; the cursor stays on its name.
            self.engine_id, self.rows, self._came = engine_id, [], []
        if self.order is Order.HOVER and not self.rows:
            self.cursor = None
        if self.cursor is None or (self.order is Order.NEWS and (not self.rows or self.cursor == self.rows[0])):
            self.sort()
        elif self.order is Order.NEWS:
            self.records |= {name: before[name] for name in self._came if name in before and name not in self.records}
        elif self.order is Order.STEADY:
            self._append()

    def _append(self) -> None:
        """Put what is new at the end; of too many rows drop what left the answer, but nothing that is looked at or marked."""
        known, items = set(self._came), self.items()
        came = [name for name in self.records if name not in known]
        self._came += came
        self.rows += [name for name in came if self._passes(*items[name])]
        if (beyond := len(self._came) - MOST_ROWS) <= 0:
            return
        kept = {*self.records, *self.marked, self.cursor, *self.rows[self.first : self.first + self.room]}
        gone = set([name for name in self._came if name not in kept][:beyond])
        self.first -= sum(name in gone for name in self.rows[: self.first])
        self._came = [name for name in self._came if name not in gone]
        self.rows = [name for name in self.rows if name not in gone]

    def sort(self) -> None:
        """Put the rows into the order of the answer, without those that left it; the cursor stays on its name."""
        first = not self.rows or self.cursor == self.rows[0]
        self._came = list(self.records)
        self.marked = {name: None for name in self.marked if name in self.records}
        self.filter(self.wanted, False)
        if first and self.rows and self.cursor is not None:
            self.cursor = self.rows[0]

    def settle(self) -> None:
        """Put a cursor that stands on no row onto the first one, unless the rows are hovered over."""
        if self.order is not Order.HOVER or self.cursor is not None:
            super().settle()

    def move(self, by: int) -> None:
        """Move the cursor; where the order is hovered over, up from the first row leaves the rows to follow it again."""
        if self.order is Order.HOVER and by < 0 and self.rows and self.cursor in (None, self.rows[0]):
            self.cursor = None
            self.sort()
            return
        super().move(by)

    @property
    def under_cursor(self) -> R | None:
        """Return the record of the row under the cursor; None where it stands on none, or on one that left."""
        return self.records.get(self.cursor) if self.cursor is not None and self.cursor in self.rows else None

    def record(self, name: str) -> Struct | None:
        """Return the record of a row where it is one that can be written."""
        found = self.records.get(name)
        return found if isinstance(found, Struct) else None

    def items(self) -> dict[str, tuple[str, bool]]:
        """Look through what each record says."""
        return {name: (self._text(record), False) for name, record in self.records.items()}

    def cells(self, name: str) -> list[Run] | None:
        """Return one run a column; a row whose record left says so."""
        record = self.records.get(name)
        return [(name, "faint"), (self.gone_words, "faint")] if record is None else self._row(record)

    def empty_words(self) -> str:
        """Say why there is no row."""
        return super().empty_words() if self.wanted else self._nothing
