"""Measure the flow of each level: depth over time, jobs in and out per second, time to drain."""

from collections import deque
from collections.abc import Mapping

from gexdesk.metrics.drain import drain_s
from gexdesk.metrics.rate import Rate, Trend
from gexdesk.model.clock import Clock
from gexdesk.model.job import LevelDepth
from gexdesk.model.level import LEVELS, Level

RATE_WINDOW_S = 10
SERVICES = 256
"""How many of a level's last services its longest is taken of."""


class Flow:
    """Count what enters and leaves each level's queue; ``sample`` is called once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._in = {level: Rate(RATE_WINDOW_S) for level in LEVELS}
        self._out = {level: Rate(RATE_WINDOW_S) for level in LEVELS}
        self._trend = {level: Trend() for level in LEVELS}
        self._served = {level: deque[float](maxlen=SERVICES) for level in LEVELS}

    def served(self, level: Level, seconds: float) -> None:
        """Note how long a job was worked on until it was available."""
        self._served[level].append(seconds)

    @property
    def longest_s(self) -> dict[Level, float]:
        """Return the longest of each level's last services, seconds; 0 before the first."""
        return {level: max(times, default=0.0) for level, times in self._served.items()}

    def entered(self, level: Level) -> None:
        """Note a job that was queued."""
        self._in[level].add(self._clock.now())

    def left(self, level: Level) -> None:
        """Note a job that was claimed."""
        self._out[level].add(self._clock.now())

    def sample(self, depths: Mapping[Level, LevelDepth]) -> None:
        """Take the depth of this second."""
        for level in LEVELS:
            self._trend[level].sample(self._clock.now(), depths[level].waiting)

    def trend(self, level: Level) -> tuple[int, ...]:
        """Return the depth trend, oldest first."""
        return self._trend[level].values()

    def rates(self, level: Level) -> tuple[float, float]:
        """Return jobs in and out per second."""
        now = self._clock.now()
        return self._in[level].per_s(now), self._out[level].per_s(now)

    def drain_s(self, level: Level, depth: int) -> float | None:
        """Return seconds until the level is empty; None where it does not drain."""
        entering, leaving = self.rates(level)
        return drain_s(depth, entering, leaving)
