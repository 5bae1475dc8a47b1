"""A table fed by an answer of the engine instead of the picture: one record a row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from gexdesk.tui.ink import Run
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.table import Column, Table

R = TypeVar("R")


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

    def take(self, records: Mapping[str, R]) -> None:
        """Take a new answer. While the cursor stands on the first row the rows follow its order; else none moves."""
        self.records = dict(records)
        if self.cursor is None or (self.rows and self.cursor == self.rows[0]):
            self.sort()

    def sort(self) -> None:
        """Put the rows into the order of the answer, without those that left it; the cursor stays on its name."""
        first = not self.rows or self.cursor == self.rows[0]
        self._came = list(self.records)
        self.filter(self.wanted, False)
        if first and self.rows:
            self.cursor = self.rows[0]

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
