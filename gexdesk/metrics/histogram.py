"""Latencies in log-linear buckets: within 1% from a microsecond to a day."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import ceil, inf

_PER_S = 64_000_000
"""Units of 1/64 us, so that a microsecond is as finely divided as everything above it."""
_SUB = 64
"""Buckets an octave; a bucket is at most 1/64 of its value wide, its middle within 0.8%."""
_LONGEST = 86_400 * _PER_S
_BUCKETS = (_LONGEST.bit_length() - 7) * _SUB + 2 * _SUB


class LatencyHistogram:
    """Count latencies in seconds.

    Attributes:
        count: How many were recorded.
    """

    __slots__ = ("_buckets", "_max_s", "_total_s", "count")

    def __init__(self) -> None:
        self._buckets = array("q", bytes(8 * _BUCKETS))
        self._total_s = 0.0
        self._max_s = 0.0
        self.count = 0

    def record(self, seconds: float) -> None:
        """Count one; a negative one (the clock was set back) as 0, one above a day in the last bucket.

        Raises:
            ValueError: NaN, or infinite.
        """
        if not seconds < inf:
            raise ValueError(f"a latency is a finite number of seconds, not {seconds}")
        seconds = max(seconds, 0.0)
        self._buckets[_bucket(seconds)] += 1
        self.count += 1
        self._total_s += seconds
        self._max_s = max(self._max_s, seconds)

    @property
    def max_s(self) -> float | None:
        """Return the longest, exactly; None before the first."""
        return self._max_s if self.count else None

    @property
    def mean_s(self) -> float | None:
        """Return the mean, exactly; None before the first."""
        return self._total_s / self.count if self.count else None

    def percentile(self, percent: float) -> float | None:
        """Return the nearest-rank percentile in seconds, within 1%; None before the first.

        Args:
            percent: 0 (the shortest) to 100 (the longest, exact).

        Raises:
            ValueError: Outside of 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, not at {percent}")
        if not self.count:
            return None
        rank = ceil(percent * self.count / 100)
        if rank >= self.count:
            return self._max_s
        bucket = bisect_left(list(accumulate(self._buckets)), max(rank, 1))
        return min(_middle_s(bucket), self._max_s)

    def drawn(self, edges: Sequence[float]) -> tuple[int, ...]:
        """Count what lies at or below each edge and above the one before, and last what lies above them all.

        A latency less than 1/64 above an edge may count below it: it shares the edge's bucket.

        Args:
            edges: Ascending, in seconds.
        """
        starts = [0, *(_bucket(edge) + 1 for edge in edges), _BUCKETS]
        return tuple(sum(self._buckets[first:after]) for first, after in pairwise(starts))


def _bucket(seconds: float) -> int:
    units = int(seconds * _PER_S)
    if units >= _LONGEST:
        return _BUCKETS - 1
    octave = units.bit_length() - 7
    return octave * _SUB + (units >> octave) if octave > 0 else units


def _middle_s(bucket: int) -> float:
    octave = max(bucket // _SUB - 1, 0)
    return (bucket - octave * _SUB + 0.5) * (1 << octave) / _PER_S
