"""What the screen has of its engine: the newest picture, how old it is, and the one that is shown."""

from collections.abc import Callable

from gexdesk.model.view import DeskView, SourceView

TOO_OLD_S = 1.75
"""Age from which numbers dim and levers refuse. Looked at every quarter second, so nobody acts on a picture of 2 s."""


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
        self.away = ""

    def take(self, view: DeskView) -> bool:
        """Take a picture unless a newer one of the same engine is held; return whether it was taken."""
        held = self.newest
        if held is not None and held.engine_id == view.engine_id and view.sequence < held.sequence:
            return False
        self.newest, self.arrived_at, self.away = view, self.clock(), ""
        if self.frozen_at is None:
            self.shown = view
        return True

    def freeze(self) -> None:
        """Keep showing the present picture until ``thaw``; the engine goes on."""
        self.frozen_at = self.now

    def thaw(self) -> None:
        """Show the newest picture again."""
        self.frozen_at, self.shown = None, self.newest

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
