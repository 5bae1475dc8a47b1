"""Send only the cells of a changed span.

Textual 8.2 cuts a partial update on its right side alone: a clock's last digit at column 150 would send the 149 cells before
it as well. This compositor cuts on both sides. It touches three private names of Textual and nothing else of the house
does: ``tests/tui/test_frugal.py`` turns red when a release changes them.
"""

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor


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

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return the spans to send, or None where nothing changed."""
        update = super().render_partial_update()
        return update and SpansUpdate(update.chops, update.spans, update.chop_ends)
