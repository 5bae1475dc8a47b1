"""The beat of the desk: which pane is drawn in which quarter of a second."""

from collections.abc import Callable, Mapping

from gexdesk.model.view.desk import DeskView, Moment
from gexdesk.tui.sight import Sight
from gexdesk.tui.theme import Inks
from gexdesk.tui.widgets.pane import Pane

TICK_S = 0.25
STAGGERED = ("waiting", "latency", "both", "symbols", "sources")
"""Panes whose rows take turns, a quarter of them a tick; the others are drawn once a second, each in a tick of its own."""

TURN = {"status": 0, "needs": 0, "notice": 0, "guidelines": 1, "decisions": 2, "dialog": 0}
EACH_SECOND = ("status", "notice", "dialog")
"""Panes that say more than ages of minutes while nothing changes: the time, how old the picture is, what a lever waits for."""

NEVER_DIM = ("dialog", "notice", "status", "keys", "small")
"""Panes that say why the others are dim."""

STILL_TICKS = round(75 / TICK_S)
"""Ticks without any change but the time's, from which every age there is one of minutes: they are drawn each fourth second."""

PARTS = tuple(part for part in DeskView.__struct_fields__ if part not in Moment.__struct_fields__)
"""All of a picture but its time."""

HASTY_TICKS = 6
"""Ticks after a lever in which nothing waits for its turn: whoever acted looks for what came of it."""


class Beat:
    """Draw panes in their turns, so that a second's bytes are spread, and dim them while the picture is too old.

    Args:
        sight: What there is to draw.
        panes: Every pane by its name.
        shown: Names the panes that have a region.
        inks: Mixes the inks of the theme in use.
    """

    def __init__(
        self, sight: Sight, panes: Mapping[str, Pane], shown: Callable[[], set[str]], inks: Callable[[], Inks]
    ) -> None:
        self.sight = sight
        self.panes = panes
        self.shown = shown
        self.inks = inks
        self._tick = 0
        self._dimmed = False
        self._hasty = 0
        self._seen: DeskView | None = None
        self._stood: tuple[object, ...] = ()
        self._still = 0

    def hasten(self) -> None:
        """Draw everything at each tick for a while."""
        self._hasty = HASTY_TICKS

    def restyle(self) -> None:
        """Use the inks of the theme, faint ones while the picture is too old."""
        mixed = self.inks()
        for name, pane in self.panes.items():
            pane.restyle(mixed, self._dimmed and name not in NEVER_DIM)

    def paint_all(self) -> None:
        """Draw everything that is shown."""
        for name in self.shown():
            self.panes[name].paint()

    def tick(self) -> None:
        """Draw this quarter second's share of what is shown; while frozen, only the age of the picture."""
        self._tick += 1
        turn = self._tick % 4
        if self.sight.frozen_at is not None:
            if turn == 0:
                self.panes["status"].paint((0,))
                self.panes["notice"].paint()
            return
        if self.sight.old is not self._dimmed:
            self._dimmed = self.sight.old
            self.restyle()
            self.panes["status"].paint()
        if self._hasty:
            self._hasty -= 1
            self.paint_all()
            return
        if self._turned():
            self.paint_all()
            return
        slow = self._stands_still() and self._tick // 4 % 4
        for name in self.shown():
            pane = self.panes[name]
            if slow and name not in EACH_SECOND:
                continue
            if name in STAGGERED:
                pane.paint(pane.quarter(self._tick))
            elif TURN.get(name) == turn:
                pane.paint()

    def _turned(self) -> bool:
        """Tell whether something changed that waits for no turn; the picture that it is told by is looked at once."""
        view = self.sight.shown
        if view is None or same_but_for_time(self._seen, view):
            return False
        stood, self._stood = self._stood, how_it_stands(view)
        return bool(stood) and stood != self._stood

    def _stands_still(self) -> bool:
        """Tell whether nothing but the time changed for so long that no word changes from one second to the next."""
        before, view = self._seen, self.sight.shown
        self._seen = view
        self._still = self._still + 1 if same_but_for_time(before, view) else 0
        return self._still >= STILL_TICKS


def how_it_stands(view: DeskView) -> tuple[object, ...]:
    """Return what an operator must not wait a second for: what is in force, what needs somebody, how each row stands in a word."""
    return (
        view.stopped, view.guidelines_fault, view.overrides,
        [(incident.name, incident.severity, incident.state, incident.closed_at) for incident in view.incidents],
        [(source.state, source.override) for source in view.sources],
        [(symbol.served_by, symbol.check) for symbol in view.symbols],
    )  # fmt: skip


def same_but_for_time(before: DeskView | None, view: DeskView | None) -> bool:
    """Tell whether a picture is the one before in all but its time: then it shares every other part with it."""
    if before is None or view is None or view is before:
        return view is before
    return all(getattr(view, part) is getattr(before, part) for part in PARTS)
