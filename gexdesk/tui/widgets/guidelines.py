"""Panel 5: which guidelines win, how often, and what matched none."""

from collections.abc import Iterable

from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.guideline import GuidelineView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit, width_of
from gexdesk.tui.widgets.pane import BLANK, Pane


class GuidelinesPane(Pane):
    """Draw one line a guideline and a line of totals; a single line where there is no more room."""

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading, a guideline or the totals."""
        view = self.sight.shown
        height, width = self.size.height, self.size.width
        if view is None:
            return ((f"{self.indent}5 GUIDELINES", "bold"),) if y == 0 else BLANK
        if height == 1:
            return self._one_line(view)
        name_cells = max(12, width - 30)
        if y == 0:
            title = f"{self.indent}5 GUIDELINES"
            version = fit(f"  {view.guidelines_version}", name_cells + 1 - len(title))
            return ((title, "bold"), (version, "faint"), (f"{'minute':>7}{'session':>9}  last", "faint"))
        if not view.guidelines and y == 1 < height - 1:
            return ((" none in force: everything is LOW", "faint"),)
        note = note_runs(view)
        room = height - 2 - (1 if note else 0)
        end = min(max(1, len(view.guidelines)), max(0, room)) + 1
        if y == end:
            return self._totals(view, max(0, len(view.guidelines) - room))
        if y == end + 1:
            return note
        if y > min(len(view.guidelines), end):
            return BLANK
        g = view.guidelines[y - 1]
        return (
            (f" {fit(g.name, name_cells)}", ""),
            (f"{figures.count(g.last_minute):>7}{figures.count(g.session):>9}  ", ""),
            (self._last(g), "faint"),
        )

    def _last(self, g: GuidelineView) -> str:
        return "-" if g.last_at is None else f"{g.last_symbol} {figures.age(self.sight.now - g.last_at)}"

    def _totals(self, view: DeskView, hidden: int) -> list[Run]:
        more: list[Run] = [(f"{hidden} more   ", "faint")] if hidden else []
        by = f"   by {view.guidelines_author}" if view.guidelines_author else ""
        at = "" if view.guidelines_at is None else f" {figures.until(view.guidelines_at, self.sight.now)}"
        return [
            (" ", ""),
            *more,
            ("unmatched ", "faint"),
            (figures.count(view.unmatched), "bold" if view.unmatched else ""),
            ("   conflicts ", "faint"),
            (figures.count(view.conflicts), "bold" if view.conflicts else ""),
            (f"{by}{at}", "faint"),
        ]

    def _one_line(self, view: DeskView) -> list[Run]:
        first = max(view.guidelines, key=lambda g: (g.last_minute, g.session), default=None)
        runs: list[Run] = [(" 5 GUIDELINES ", "bold")]
        if note := note_runs(view):
            return [*runs, *note]
        if first is not None and first.session:
            runs += [(f" {fit(first.name, min(22, len(first.name)))} ", ""), (f"{figures.count(first.last_minute)} a minute  ", "")]
        for run in (*self._totals(view, 0), (f"   {view.guidelines_version}", "faint")):
            if sum(width_of(text) for text, _ in (*runs, run)) > self.size.width:
                break  # who and when are told whole or not at all
            runs.append(run)
        return runs


def note_runs(view: DeskView) -> list[Run]:
    """Say what is wrong with the rule file, until it is mended; else what waits to be applied; empty without either."""
    if view.guidelines_fault:
        place, colon, fault = view.guidelines_fault.partition(": ")
        # Where in the file counts in a narrow panel, not in which folder: the page of the guidelines names it whole.
        return [(f" ! {place.rpartition('/')[2]}{colon}{fault}", "eye")]
    return [(f" STAGED {view.guidelines_staged}", "bold"), ("   g shows it", "faint")] if view.guidelines_staged else []
