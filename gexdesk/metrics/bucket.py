"""A token bucket as a meter: how far arrivals ran ahead of a steady rate."""


class Bucket:
    """Fill with what arrives, drain at a rate. The highest fill is the sigma for which ``sigma + rho t`` covers all that came."""

    __slots__ = ("_at", "_fill")

    def __init__(self) -> None:
        self._fill = 0.0
        self._at = 0.0

    def add(self, at: float, amount: float, per_s: float) -> float:
        """Take what arrives and return the fill with it.

        Args:
            at: When it arrived, seconds of a clock that does not go back. What is told late, with a time before that of another,
                counts as if it had come with that one.
            amount: Jobs, or seconds of work.
            per_s: rho, what drains a second.
        """
        self._fill = self.fill(at, per_s) + amount
        self._at = max(at, self._at)
        return self._fill

    def fill(self, now: float, per_s: float) -> float:
        """Return the fill of this moment."""
        return max(0.0, self._fill - per_s * max(0.0, now - self._at))
