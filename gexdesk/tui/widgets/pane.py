"""A rectangle of lines on the Line API that sends what changed and nothing else."""

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import RenderResult
from textual.events import Resize, Show
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from gexdesk.tui.ink import Line, Run, changed_spans, line_of, plain, speaks_unicode
from gexdesk.tui.sight import Sight
from gexdesk.tui.theme import Inks

BLANK: tuple[Run, ...] = ()


class Pane(Widget, can_focus=False, inherit_bindings=False):
    """Paint lines that ``draw`` gives, comparing each with the one painted before.

    Args:
        id: The pane's name in the arrangement.
        sight: What there is to draw.
    """

    ascii: ClassVar[bool] = not speaks_unicode()

    def __init__(self, id: str, sight: Sight) -> None:
        super().__init__(id=id)
        self.sight = sight
        self._inks: Inks = {"": Style()}
        self._painted: list[Line] = []
        self._painted_size = Size()
        self._drew: list[tuple[Run, ...]] = []
        self._dimmed = False

    @property
    def size(self) -> Size:
        """Return the cells there are: all of them, as a pane has no border. Textual looks them up on the screen each time."""
        return self.outer_size

    def draw(self, y: int) -> Iterable[Run]:
        """Return the runs of one line; called only while a picture is there. Cut and padded by the pane."""
        raise NotImplementedError

    def paint(self, rows: Iterable[int] | None = None) -> None:
        """Draw some rows, or all, and ask for the changed cells to be sent."""
        width, height = self._painted_size = self.size
        if len(self._painted) != height:
            self._painted, self._drew = [()] * height, [()] * height
        for y in range(height) if rows is None else rows:
            if not 0 <= y < height:
                continue
            runs = tuple(self.draw(y))
            if runs == self._drew[y] and self._painted[y]:
                continue  # most lines, most of the time
            self._drew[y] = runs
            new = line_of(runs, width)
            new = plain(new) if self.ascii else new
            old = self._painted[y]
            if new == old:
                continue
            self._painted[y] = new
            if old:
                self.refresh(*[Region(start, y, end - start, 1) for start, end in changed_spans(old, new)])
            else:
                self.refresh(Region(0, y, width, 1))

    @property
    def indent(self) -> str:
        """Return what stands before a title at the screen's left edge, so that all titles of a column begin in one cell."""
        return " " if self.region.x == 0 else ""

    def quarter(self, tick: int) -> range:
        """Return the rows whose turn it is in this tick: each has one turn in four, so that a second's bytes are spread."""
        return range(tick % 4, self.size.height, 4)

    def restyle(self, inks: Inks, dimmed: bool) -> None:
        """Use these inks, or one faint one for all while the picture is too old."""
        if inks is not self._inks or dimmed is not self._dimmed:
            self._inks, self._dimmed = inks, dimmed
            self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Start anew at another size."""
        self._painted = []
        self.paint()
        self.refresh()

    def on_show(self, event: Show) -> None:
        """Catch up with what came while it was put away."""
        self.paint()

    def render(self) -> RenderResult:
        """Give nothing: lines come from ``render_line``."""
        return ""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give lines that were drawn for the present size: those of another may miss the row under the cursor."""
        if self._painted_size != self.size:
            self._painted = []
            self.paint()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Turn a painted line into one segment per run."""
        width = self.size.width
        line = self._painted[y] if y < len(self._painted) and self._painted[y] else ((" " * width, ""),)
        inks = self._inks
        if self._dimmed:
            return Strip([Segment("".join(text for text, _ in line), inks["old"])], width)
        return Strip([Segment(text, inks[ink]) for text, ink in line], width)

    @property
    def text(self) -> str:
        """Return what is painted, without inks."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._painted)
