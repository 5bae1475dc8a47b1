"""Panel 6: what happened, newest first."""

from collections.abc import Iterable
from functools import lru_cache

from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.log import LogLine
from gexdesk.tui import figures
from gexdesk.tui.ink import Run
from gexdesk.tui.widgets.pane import BLANK, Pane

GRAVE_HELD_S = 60.0
GRAVE_MOST = 4
"""For how long, and how many, grave events stay at the foot when newer ones have pushed them out."""

SINCE_FROM_CELLS = 60


class DecisionsPane(Pane):
    """Draw the newest decisions, levers, dead letters and incidents, one a line; what is grave does not go under in a burst."""

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one event."""
        view = self.sight.shown
        if y == 0:
            return self._heading(view)
        if view is None or (y == 1 and not view.log):
            return ((" nothing yet", "faint"),) if y == 1 else BLANK
        events = self._events(newest_first(view.log))
        if y > len(events):
            return BLANK
        event = events[y - 1]
        mark = "!" if event.grave else " "
        ink = "eye" if event.grave else "bold" if event.kind == "lever" else ""
        return ((f"{figures.time_of_day(int(event.at))} ", "faint"), (f"{mark} {event.text}", ink))

    def _heading(self, view: DeskView | None) -> list[Run]:
        runs: list[Run] = [(f"{self.indent}6 DECISIONS", "bold")]
        if view is None:
            return runs
        runs.append((f"   {figures.count(view.received)} in, {figures.count(view.completed)} done", "faint"))
        if view.dead:
            runs.append((f"   {figures.count(view.dead)} dead", "bold"))
        if self.size.width >= SINCE_FROM_CELLS:
            runs.append((f" since {figures.time_of_day(int(view.since))[:5]}", "faint"))
        return runs

    def _events(self, newest: list[LogLine]) -> list[LogLine]:
        room = self.size.height - 1
        graves = self.sight.graves(GRAVE_HELD_S)

        def pushed_out(shown: list[LogLine]) -> list[LogLine]:
            return [g for g in graves if not shown or g.sequence < shown[-1].sequence]

        held = min(len(pushed_out(newest[:room])), GRAVE_MOST, room // 2)
        shown = newest[: room - held]
        return [*shown, *pushed_out(shown)[:held]]


@lru_cache(maxsize=4)
def newest_first(log: tuple[LogLine, ...]) -> list[LogLine]:
    """Return events by falling sequence, whichever way round the engine keeps them."""
    return sorted(log, key=lambda event: -event.sequence)
