"""What a count says of the truth behind it, at 95%."""

import math
from collections.abc import Sequence

_Z_TWO_SIDED = 1.959963985
_Z_ONE_SIDED = 1.644853627
CONFIDENCE = 0.95


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the Wilson score interval of a share, 0 to 1 (E. B. Wilson, JASA 22, 1927); (0, 1) without any trial."""
    if of == 0:
        return 0.0, 1.0
    share, z2 = hits / of, _Z_TWO_SIDED**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z_TWO_SIDED / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def none_of(of: int) -> float:
    """Return the largest share that would still show none in so many trials once in twenty (1 - 0.05^(1/n)); 1 without any."""
    return 1.0 if of == 0 else 1 - (1 - CONFIDENCE) ** (1 / of)


def mean_at_most(values: Sequence[float]) -> float:
    """Return the one-sided upper bound of a mean by the normal approximation; infinite for fewer than two values."""
    count = len(values)
    if count < 2:
        return math.inf
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    return mean + _Z_ONE_SIDED * spread / math.sqrt(count)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile; NaN without values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent * len(ordered) / 100) - 1)]
