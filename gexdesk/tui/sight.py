"""What the screen has of its engine: the newest picture, how old it is, and the one that is shown."""

from collections import deque
from collections.abc import Callable

from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.log import LogLine
from gexdesk.model.view.source import SourceView

TOO_OLD_S = 1.5
"""Age from which numbers dim and levers refuse. Looked at every quarter second, so nobody acts on a picture of 2 s."""


REMEMBERED = 200
"""Events that are kept beyond the picture's own log."""


class Sight:
    """Hold the newest picture and tell the engine's time between two of them.

    Args:
        clock: Seconds that never go back; only differences mean anything, so a screen and a remote engine need not agree.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.newest: DeskView | None = None
        self.shown: DeskView | None = None
        self.arrived_at = 0.0
        self.frozen_at: float | None = None
        self.wound = False
        self.away = ""
        self._remembered: deque[LogLine] = deque(maxlen=REMEMBERED)

    def take(self, view: DeskView) -> bool:
        """Take a picture unless a newer one of the same engine is held; return whether it was taken."""
        held = self.newest
        if held is not None and held.engine_id == view.engine_id and view.sequence < held.sequence:
            return False
        self._remember(view, anew=held is None or held.engine_id != view.engine_id)
        self.newest, self.arrived_at, self.away = view, self.clock(), ""
        if self.frozen_at is None:
            self.shown = view
        return True

    def freeze(self) -> None:
        """Keep showing the present picture until ``thaw``; the engine goes on."""
        self.frozen_at = self.now

    def wind(self, view: DeskView) -> None:
        """Show a recorded picture until ``thaw``; the engine goes on."""
        self.shown, self.frozen_at, self.wound = view, view.taken_at, True

    def thaw(self) -> None:
        """Show the newest picture again."""
        self.frozen_at, self.shown, self.wound = None, self.newest, False

    @property
    def behind_s(self) -> float:
        """Return how old the engine's last answer is."""
        return max(0.0, self.clock() - self.arrived_at)

    @property
    def old(self) -> bool:
        """Tell whether the picture is too old to act on."""
        return self.newest is not None and self.behind_s > TOO_OLD_S

    @property
    def running_now(self) -> float:
        """Estimate the engine's clock."""
        return self.newest.taken_at + self.behind_s if self.newest else 0.0

    @property
    def now(self) -> float:
        """Return the engine's time that shown ages count from: it stands still while frozen."""
        return self.running_now if self.frozen_at is None else self.frozen_at

    def source(self, name: str) -> SourceView | None:
        """Find a source of the shown picture."""
        return next((s for s in self.shown.sources if s.name == name), None) if self.shown else None

    def _remember(self, view: DeskView, anew: bool) -> None:
        # A burst's decisions push everything else out of the picture's log within seconds.
        if anew:
            self._remembered.clear()
        last = self._remembered[-1].sequence if self._remembered else 0
        news = [line for line in view.log if (line.grave or line.kind != "decision") and line.sequence > last]
        self._remembered.extend(sorted(news, key=lambda line: line.sequence))

    def graves(self, within_s: float) -> list[LogLine]:
        """Return the grave events of the last seconds, newest first."""
        return [line for line in reversed(self._remembered) if line.grave and 0 <= self.now - line.at <= within_s]
