"""A curve over its zero line, in blocks of half a cell: net GEX over hypothetical spots."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import BLANK, Pane


class Curve(NamedTuple):
    """Hold what is drawn.

    Attributes:
        xs, ys: The curve, xs ascending.
        marks: One letter and its place on the x axis each; a later one stands over an earlier one.
        title: What it shows.
        x_words, y_words: Write a place on the axis, and a height beside the largest one.
    """

    title: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    marks: tuple[tuple[str, float | None], ...] = ()
    x_words: Callable[[float], str] = figures.price
    y_words: Callable[[float, float], str] = figures.billions


def columns_of(curve: Curve, cells: int) -> list[float]:
    """Return the curve's height at the middle of each cell, by straight lines between its points."""
    low, high = curve.xs[0], curve.xs[-1]
    found, at = [], 0
    for cell in range(cells):
        x = low + (high - low) * (cell + 0.5) / cells
        while at + 2 < len(curve.xs) and curve.xs[at + 1] < x:
            at += 1
        left, right = curve.xs[at], curve.xs[at + 1]
        part = (x - left) / (right - left) if right > left else 0.0
        found.append(curve.ys[at] + (curve.ys[at + 1] - curve.ys[at]) * part)
    return found


def bars(heights: Sequence[float], rows: int) -> tuple[list[str], int]:
    """Draw heights as bars from a common zero line.

    Returns:
        The rows from the top, and which of them lies directly above the zero line (-1 where none does).
    """
    top, bottom = max(0.0, *heights), min(0.0, *heights)
    span = (top - bottom) or 1.0
    halves = 2 * rows
    above = round(halves * top / span / 2) * 2  # the zero line lies between two rows
    lines = []
    for row in range(rows):
        drawn = ""
        for height in heights:
            if height >= 0:
                filled = round(above * height / top) if top else 0
                reach = filled - (above - 2 * row - 2)  # halves of this cell that lie under the bar's end
                drawn += "█" if reach >= 2 and 2 * row < above else "▄" if reach == 1 and 2 * row < above else " "
            else:
                filled = round((halves - above) * height / bottom) if bottom else 0
                reach = filled - (2 * row - above)
                drawn += "█" if reach >= 2 and 2 * row >= above else "▀" if reach == 1 and 2 * row >= above else " "
        lines.append(drawn)
    return lines, above // 2 - 1


class CurvePane(Pane):
    """Draw one curve with its scale on the left and its marks under it.

    Args:
        curve: Gives what is drawn; None where there is no curve.
    """

    SCALE = 10

    def __init__(self, id: str, sight: Sight, curve: Callable[[], Curve | None]) -> None:
        super().__init__(id, sight)
        self._curve = curve
        self._page: list[list[Run]] = []

    def paint(self, rows: Iterable[int] | None = None) -> None:
        """Draw the curve anew."""
        curve = self._curve()
        width, height = self.size.width - self.SCALE - 1, self.size.height - 3
        if curve is None or len(curve.xs) < 2 or width < 10 or height < 2:
            self._page = [[(" nothing to draw yet", "faint")]]
        else:
            self._page = self._drawn(curve, width, height)
        super().paint(rows)

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one line."""
        return self._page[y] if y < len(self._page) else BLANK

    def _drawn(self, curve: Curve, width: int, height: int) -> list[list[Run]]:
        heights = columns_of(curve, width)
        lines, above = bars(heights, height)
        most = max(map(abs, heights))
        top, bottom = max(heights), min(heights)
        scales = {
            0: curve.y_words(top, most) if top > 0 else "0", height - 1: curve.y_words(bottom, most) if bottom < 0 else "0",
        }  # fmt: skip
        if bottom < 0 < top:
            scales[max(0, above)] = "0"
        page: list[list[Run]] = [[(f" {curve.title}", "bold")]]
        page += [[(fit(scales.get(row, ""), self.SCALE, right=True) + " ", "faint"), (line, "")] for row, line in enumerate(lines)]
        low, high = curve.xs[0], curve.xs[-1]
        marks = [" "] * width
        for letter, at in curve.marks:
            if at is not None and low <= at <= high:
                marks[min(width - 1, int((at - low) / (high - low) * width))] = letter
        page.append([(" " * (self.SCALE + 1), ""), ("".join(marks), "bold")])
        ends = fit(curve.x_words(low), width - 8) + fit(curve.x_words(high), 8, right=True)
        page.append([(" " * (self.SCALE + 1), ""), (ends, "faint")])
        return page
