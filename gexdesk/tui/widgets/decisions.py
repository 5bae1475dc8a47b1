"""Panel 6: what happened, newest first."""

from collections.abc import Iterable
from functools import lru_cache

from gexdesk.model.view import LogLine
from gexdesk.tui import figures
from gexdesk.tui.ink import Run
from gexdesk.tui.widgets.pane import BLANK, Pane


class DecisionsPane(Pane):
    """Draw the newest decisions, levers, dead letters and incidents, one a line."""

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one event."""
        view = self.sight.shown
        if view is None:
            return BLANK
        if y == 0:
            dead = f"   {figures.count(view.dead)} dead" if view.dead else ""
            since = figures.time_of_day(int(view.since))[:5]
            return (
                ("6 DECISIONS", "bold"),
                (f"   {figures.count(view.received)} in, {figures.count(view.completed)} done", "faint"),
                (dead, "bold"),
                (f" since {since}", "faint"),
            )
        if y > len(view.log):
            return BLANK
        event = newest_first(view.log)[y - 1]
        mark = "!" if event.grave else " "
        ink = "eye" if event.grave else "bold" if event.kind == "lever" else ""
        return ((f"{figures.time_of_day(int(event.at))} ", "faint"), (f"{mark} {event.text}", ink))


@lru_cache(maxsize=4)
def newest_first(log: tuple[LogLine, ...]) -> list[LogLine]:
    """Return events by falling sequence, whichever way round the engine keeps them."""
    return sorted(log, key=lambda event: -event.sequence)
