"""How each level's promise is kept, from receipt to available."""

from collections.abc import Mapping

from gexdesk.metrics.histogram import LatencyHistogram
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level


class Promise:
    """Count the latencies of one level against its promise.

    Args:
        promise_s: Seconds at most; None is best effort, which every latency keeps.

    Attributes:
        within: How many of ``latency.count`` kept it.
        latency: All of them; its ``max_s`` is the worst.
    """

    def __init__(self, promise_s: float | None) -> None:
        self.promise_s = promise_s
        self.within = 0
        self.latency = LatencyHistogram()

    def record(self, seconds: float) -> bool:
        """Count one latency and say whether it kept the promise.

        Raises:
            ValueError: It is not a finite number.
        """
        self.latency.record(seconds)
        kept = self.promise_s is None or seconds <= self.promise_s
        self.within += kept
        return kept


class Promises:
    """Hold the promises of all levels.

    Args:
        promise_s: Seconds per level; a level without one is best effort.
    """

    def __init__(self, promise_s: Mapping[Level, float | None] = DEFAULT_PROMISE_S) -> None:
        self._by_level = {level: Promise(promise_s.get(level)) for level in LEVELS}

    def __getitem__(self, level: Level) -> Promise:
        """Return the promise of one level."""
        return self._by_level[level]

    def record(self, level: Level, seconds: float) -> bool:
        """Count a latency at the level whose promise the job was given (``Job.promised``), and say whether it was kept.

        Raises:
            ValueError: It is not a finite number.
        """
        return self._by_level[level].record(seconds)

    @property
    def total(self) -> int:
        """Return how many latencies had a promise to keep."""
        return sum(promise.latency.count for promise in self._by_level.values() if promise.promise_s is not None)

    @property
    def kept(self) -> int:
        """Return how many of ``total`` kept it."""
        return sum(promise.within for promise in self._by_level.values() if promise.promise_s is not None)
