"""Send only the cells of a changed span.

Textual 8.2 cuts a partial update on its right side alone: a clock's last digit at column 150 would send the 149 cells before
it as well. This compositor cuts on both sides. Textual also renders every widget for it, and this one those alone that the
update touches. It uses five private names of Textual and nothing else of the house does: ``tests/tui/test_frugal.py`` turns
red when a release changes them.
"""

from collections.abc import Iterable

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip


class SpansUpdate(ChopsUpdate):
    """Render changed spans, each cut to its first and last changed cell."""

    def render_segments(self, console: Console) -> str:
        """Return the raw data to write to the terminal."""
        parts: list[str] = []
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                start = max(x, x1)
                parts.append(Control.move_to(start, y).segment.text)
                parts.append(strip.crop(start - x, min(end, x2) - x).render(console))
        return "".join(parts)


class FrugalCompositor(Compositor):
    """Compose as Textual does, but answer partial updates with ``SpansUpdate``."""

    _touched: tuple[Region, ...] = ()
    """What a partial update is about while it is rendered; empty for all."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return the spans to send, or None where nothing changed."""
        self._touched = tuple(self._dirty_regions)
        try:
            update = super().render_partial_update()
        finally:
            self._touched = ()
        return update and SpansUpdate(update.chops, update.spans, update.chop_ends)

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        """Yield region, clip and lines of each widget, front to back; of a partial update those it touches."""
        if not self._touched:
            yield from super()._get_renders(crop)
            return
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            if seen and any(seen.overlaps(touched) for touched in self._touched):
                yield region, clip, widget.render_lines(Region(seen.x - region.x, seen.y - region.y, seen.width, seen.height))
