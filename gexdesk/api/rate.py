"""Hold callers to a rate: a bucket of tokens each."""

from collections import OrderedDict
from collections.abc import Callable

BUCKETS = 10_000
"""Callers remembered; the longest unheard of is forgotten first, and starts with a full bucket."""

_ROUNDING = 1e-9
"""Of a token: who waited as long as told is not refused for the last bit of a sum."""


class RateLimit:
    """Count calls per caller.

    Args:
        monotonic: Seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, per_minute: int) -> float:
        """Take one token and return 0, or return the seconds until there is one.

        A bucket holds ten seconds' worth, at least one.
        """
        now = self._monotonic()
        per_s, room = per_minute / 60, max(1.0, per_minute / 6)
        held, at = self._buckets.pop(caller, (room, now))
        held = min(room, held + (now - at) * per_s)
        free = held >= 1 - _ROUNDING
        left = held - 1 if free else held
        self._buckets[caller] = (left, now)
        if len(self._buckets) > BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0 if free else (1 - held) / per_s
