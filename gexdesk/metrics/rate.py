"""Rates over the last seconds, and trends of one sample a second. The caller brings the time."""

from collections import deque

from gexdesk.model.view.level import TREND_SECONDS


class Rate:
    """Count events in a ring of one-second cells.

    Args:
        window_s: How far back a rate looks.
    """

    def __init__(self, window_s: int = 10) -> None:
        self._window_s = window_s
        self._seconds = [-1] * window_s
        self._counts = [0] * window_s

    def add(self, at: float, count: int = 1) -> None:
        """Count events; times are in seconds, of a clock that does not go back, and not negative."""
        second = int(at)
        cell = second % self._window_s
        if self._seconds[cell] != second:
            self._seconds[cell], self._counts[cell] = second, 0
        self._counts[cell] += count

    def total(self, now: float) -> int:
        """Return how many events the window holds: the present second and the ``window_s - 1`` before it."""
        second = int(now)
        cells = zip(self._seconds, self._counts, strict=True)
        return sum(count for at, count in cells if second - self._window_s < at <= second)

    def per_s(self, now: float) -> float:
        """Return events a second over the window, whose last second is the part of it that has passed."""
        elapsed_s = self._window_s - 1 + now % 1
        return self.total(now) / max(elapsed_s, 1.0)


class Trend:
    """Keep one sample a second, the newest ``TREND_SECONDS``."""

    def __init__(self) -> None:
        self._samples: deque[int] = deque(maxlen=TREND_SECONDS)
        self._second: int | None = None

    def sample(self, at: float, value: int) -> None:
        """Take a sample; in one second the newest counts, and seconds without one repeat the sample before them."""
        second = int(at)
        if self._second is None or not self._samples:
            self._samples.append(value)
        elif second <= self._second:
            self._samples[-1] = value
            return
        else:
            missed = min(second - self._second - 1, TREND_SECONDS)
            self._samples.extend([self._samples[-1]] * missed)
            self._samples.append(value)
        self._second = second

    def values(self) -> tuple[int, ...]:
        """Return the samples, oldest first."""
        return tuple(self._samples)
