"""Priority deviation: how often something was dispatched before something that mattered more."""

from collections.abc import Mapping

from gexdesk.model.level import Level


class Deviation:
    """Count dispatches, and those made while a strictly higher eligible job was waiting.

    Capacity reserved for CRITICAL needs no exception: it dispatches nothing else, and nothing is higher.

    Attributes:
        dispatches: All of them.
        deviating: Those made out of order.
    """

    def __init__(self) -> None:
        self.dispatches = 0
        self.deviating = 0

    def record(self, dispatched: Level, waiting: Mapping[Level, int], passed_over: bool | None = None) -> bool:
        """Count one dispatch and say whether it deviated.

        Args:
            waiting: Eligible jobs per level (visible, not paused, not delayed) at the moment of the dispatch; the dispatched one
                may be among them.
            passed_over: What the queue itself saw at that moment, where ``waiting`` is only its last look: of a queue in a server
                that look is older than the choice, and tells of jobs that somebody has taken since.
        """
        self.dispatches += 1
        deviates = passed_over
        if deviates is None:
            deviates = any(count > 0 and level.rank < dispatched.rank for level, count in waiting.items())
        self.deviating += deviates
        return deviates

    @property
    def share(self) -> float | None:
        """Return the deviating share, 0 to 1; None before the first dispatch."""
        return self.deviating / self.dispatches if self.dispatches else None
