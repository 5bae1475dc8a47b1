"""What a page sees: the desk's picture, or the one of the moment at which it asked the engine while the desk's stood still."""

from typing import Any

from gexdesk.tui.sight import Sight


class PageSight(Sight):
    """Be the desk's sight, except while a page holds a moment of its own.

    The engine answers with what is true now. While the desk is frozen or shows history, such an answer beside its picture and
    counted from its clock would be a mixture of two times: the page then stands at the moment of its answer, and says so.

    Args:
        desk: What the desk sees; it is frozen, wound and let run again by that alone.
    """

    def __init__(self, desk: Sight) -> None:
        self._desk = desk

    def __getattr__(self, name: str) -> Any:
        """Give what the page does not hold itself."""
        return getattr(self._desk, name)

    def hold(self) -> None:
        """Stand at the newest picture and at this moment; while the desk runs, nowhere."""
        if self._desk.frozen_at is None:
            self.release()
        else:
            self.shown, self.frozen_at = self._desk.newest, self._desk.running_now

    def release(self) -> None:
        """See what the desk sees again."""
        vars(self).pop("shown", None)
        vars(self).pop("frozen_at", None)

    @property
    def held_at(self) -> float | None:
        """Return the moment that is held, UTC seconds; None while it is the desk's."""
        return self.frozen_at if "frozen_at" in vars(self) else None
