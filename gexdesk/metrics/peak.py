"""The longest of late: a maximum that fades, so that one bad second is not held against the desk for a day."""

from math import exp2


class Peak:
    """Hold the largest sample, halved every so often down to a floor.

    Args:
        half_life_s: After so long a sample counts for half.
        floor: What it never falls below: a desk that did nothing for an hour did not become infinitely fast.
    """

    __slots__ = ("_at", "_floor", "_half_life_s", "_value")

    def __init__(self, half_life_s: float, floor: float = 0.0) -> None:
        self._half_life_s = half_life_s
        self._floor = floor
        self._value = 0.0
        self._at = 0.0

    def add(self, at: float, value: float) -> None:
        """Take a sample; times are seconds of a clock that does not go back."""
        faded = self._faded(at)
        self._value, self._at = max(value, faded), at

    def value(self, now: float) -> float:
        """Return the largest sample as it counts now, the floor at least."""
        return max(self._floor, self._faded(now))

    def _faded(self, now: float) -> float:
        return self._value * exp2(-max(0.0, now - self._at) / self._half_life_s)
