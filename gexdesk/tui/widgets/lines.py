"""Lines that somebody writes, more of them than the pane may show: scrolled, and saying how many are left."""

from collections.abc import Callable, Iterable, Sequence
from textwrap import wrap

from gexdesk.tui.ink import Run, fit, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import BLANK, Pane

LABEL_CELLS = 15
Lines = Sequence[Sequence[Run]]


class LinesPane(Pane):
    """Draw what ``write`` gives at the pane's width; written anew at every paint, sent where it changed.

    Args:
        write: Returns the lines at a width in cells.
    """

    def __init__(self, id: str, sight: Sight, write: Callable[[int], Lines]) -> None:
        super().__init__(id, sight)
        self._write = write
        self._lines: Lines = ()
        self.first = 0

    def scroll(self, by: int) -> None:
        """Move by so many lines."""
        self.first += by
        self.paint()

    def paint(self, rows: Iterable[int] | None = None) -> None:
        """Write the lines anew and paint them."""
        self._lines = self._write(self.size.width)
        self.first = max(0, min(self.first, len(self._lines) - self.size.height))
        super().paint(rows)

    @property
    def hidden(self) -> int:
        """Return how many lines stand below what is shown."""
        return max(0, len(self._lines) - self.first - self.size.height)

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one line; the last says how many follow, where any do."""
        if self.hidden and y == self.size.height - 1 and y:
            return ((f" ... {self.hidden + 1} more lines", "faint"),)
        at = self.first + y
        return self._lines[at] if at < len(self._lines) else BLANK


def labelled(label: str, cells: int = LABEL_CELLS) -> str:
    """Pad or cut a label so that a gap is left behind it."""
    return fit(f" {label}", cells - 1) + " "


def fact(label: str, text: str, width: int, ink: str = "", label_cells: int = LABEL_CELLS) -> list[list[Run]]:
    """Write a label and its text, broken over as many lines as it needs."""
    parts = wrap(text, max(12, width - label_cells - 1)) or [""]
    first: list[Run] = [(labelled(label, label_cells), "faint"), (parts[0], ink)]
    return [first, *([(" " * label_cells, ""), (part, ink)] for part in parts[1:])]


def facts(pairs: Iterable[tuple[str, str, str]], width: int, columns: int = 1) -> list[list[Run]]:
    """Write label, text and ink of each; in several columns what is too long for one takes a line of its own."""
    if columns < 2:
        return [line for label, text, ink in pairs for line in fact(label, text, width, ink)]
    cells = width // columns
    lines: list[list[Run]] = []
    row: list[Run] = []
    filled = 0
    for label, text, ink in pairs:
        if LABEL_CELLS + width_of(text) >= cells:
            if row:
                lines.append(row)
                row, filled = [], 0
            lines += fact(label, text, width, ink)
            continue
        row += [(labelled(label), "faint"), (fit(text, cells - LABEL_CELLS - 1) + " ", ink)]
        filled += 1
        if filled == columns:
            lines.append(row)
            row, filled = [], 0
    return [*lines, row] if row else lines
