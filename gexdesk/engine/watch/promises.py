"""Promises that were missed, and CRITICAL work that is about to miss its own."""

from collections.abc import Callable, Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.metrics.slo import Promises
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import QueueState

TOLD_S = 60.0
"""A promise that was missed cannot be kept any more: it is shown for so long after the last one."""

RISK_SHARE = 0.5
"""The oldest waiting job has used up so much of its promise."""


class PromisesKept:
    """Find levels whose promise was missed, or is at risk for the oldest job that waits."""

    def __init__(self, promises: Promises, state: Callable[[], QueueState]) -> None:
        self._promises = promises
        self._state = state
        self._missed: dict[Level, tuple[int, float]] = {}

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition a level."""
        state = self._state()
        for level in LEVELS:
            promise = self._promises[level]
            if promise.promise_s is None:
                continue
            severity = 2 if level is Level.CRITICAL else 1
            missed, at = self._missed.get(level, (0, 0.0))
            if (count := promise.latency.count - promise.within) > missed:
                missed, at = count, now
                self._missed[level] = missed, at
            if missed and now - at < TOLD_S:
                plural, worst_s = "promise" if missed == 1 else "promises", promise.latency.max_s or 0.0
                yield Condition(
                    kind=Kind.PROMISE_MISSED, key=f"promise {level}", severity=severity, subject=str(level),
                    text=f"{missed} {plural} missed, the worst {worst_s:.1f} s",
                    do_first="see what is ahead; pause what can wait", came_at=at,
                )  # fmt: skip
            oldest_at = state.levels[level].oldest_received_at
            if oldest_at is not None and not state.stopped and now - oldest_at > RISK_SHARE * promise.promise_s:
                yield Condition(
                    kind=Kind.PROMISE_AT_RISK, key=f"risk {level}", severity=severity, subject=str(level),
                    text=f"the oldest waits {now - oldest_at:.0f} s of its {promise.promise_s:g} s",
                    do_first="see what is ahead; pause what can wait", group=str(level),
                )  # fmt: skip
