"""A level's queue that grows faster than it is drained."""

from collections import deque
from collections.abc import Callable, Iterator

from gexdesk.engine.flow import Flow
from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import QueueState

WINDOW_S = 30
"""A burst is drained again within this; what grew all along is no burst."""

LEAST_JOBS = 100
GROWN_BY = 1.5


class Backlog:
    """Find levels that hold many jobs, held ever more of them over the window, and do not drain."""

    def __init__(self, flow: Flow, state: Callable[[], QueueState]) -> None:
        self._flow = flow
        self._state = state
        self._depths = {level: deque[tuple[float, int]]() for level in LEVELS}

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition a level."""
        state = self._state()
        for level, depths in self._depths.items():
            depth = state.levels[level].waiting
            depths.append((now, depth))
            while depths[0][0] < now - WINDOW_S:
                depths.popleft()
            if state.stopped:
                depths.clear()
            elif now - depths[0][0] >= WINDOW_S - 1.5 and depth >= LEAST_JOBS and depth >= GROWN_BY * depths[0][1] and (
                self._flow.drain_s(level, depth) is None
            ):
                entering, leaving = self._flow.rates(level)
                severity = 2 if level is Level.CRITICAL else 1
                yield Condition(
                    kind=Kind.BACKLOG_GROWING, key=f"backlog {level}", severity=severity, subject=str(level),
                    text=f"{depth:,} wait and more come: {entering:.1f} a second in, {leaving:.1f} out",
                    do_first="find the source that floods; P pauses it, - demotes it",
                )  # fmt: skip
