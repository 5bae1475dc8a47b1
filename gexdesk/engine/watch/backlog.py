"""A level's queue that grows faster than it is drained."""

from collections.abc import Callable, Iterator

from gexdesk.engine.flow import Flow
from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import QueueState

RISING_S = 30.0
"""A burst is drained again by then; what did not drain all along is no burst."""

LEAST_JOBS = 100
GROWN_BY = 1.5


class Backlog:
    """Find levels that hold many jobs, ever more of them, and have not drained for a while."""

    def __init__(self, flow: Flow, state: Callable[[], QueueState]) -> None:
        self._flow = flow
        self._state = state
        self._rising: dict[Level, tuple[float, int]] = {}

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition a level."""
        state = self._state()
        for level in LEVELS:
            depth = state.levels[level].waiting
            if state.stopped or self._flow.drain_s(level, depth) is not None:
                self._rising.pop(level, None)
                continue
            began_at, began_with = self._rising.setdefault(level, (now, depth))
            if now - began_at >= RISING_S and depth >= max(LEAST_JOBS, GROWN_BY * began_with):
                entering, leaving = self._flow.rates(level)
                severity = 2 if level is Level.CRITICAL else 1
                yield Condition(
                    kind=Kind.BACKLOG_GROWING, key=f"backlog {level}", severity=severity, subject=str(level),
                    text=f"{depth:,} wait and more come: {entering:.1f} a second in, {leaving:.1f} out",
                    do_first="find the source that floods; P pauses it, - demotes it",
                )  # fmt: skip
