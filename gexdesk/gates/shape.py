"""Lay the heaviest strikes of two given tables side by side: their shape, their signs, and the factor between them.

A market moves the strikes near the spot, trades add to some and not to others; a wrong sign turns all of them and a wrong unit
takes all by one factor. So signs and factors are counted by strikes, however heavy each is.
"""

import math
from collections.abc import Mapping
from statistics import median

from msgspec import Struct

FEWEST = 3
"""Fewer strikes in common say nothing of signs or of a factor: two may turn round by two trades."""

_SHAPED = 4
"""Fewer strikes on either side have no shape."""


class Shape(Struct, frozen=True, gc=False):
    """Hold how one table's heaviest strikes are to another's.

    Attributes:
        alike: Cosine between them, which the heaviest decide: 1 the same shape, -1 the same with the other sign; None for too few.
        both: How many strikes are among the heaviest of both.
        opposite: How many of those have the other sign.
        kept: Share of the other's strikes that are among these, 0 to 1.
    """

    alike: float | None = None
    both: int = 0
    opposite: int = 0
    kept: float = 1.0


UNKNOWN = Shape()


def shape(now: Mapping[float, float], before: Mapping[float, float], size: float) -> Shape:
    """Compare two tables.

    Args:
        now, before: Strike to net GEX, none of them 0.
        size: Product of their Euclidean norms.
    """
    product, both, opposite = 0.0, 0, 0
    find = before.get
    for strike, net in now.items():
        held = find(strike)
        if held is not None:
            both += 1
            term = net * held
            product += term
            if term < 0:
                opposite += 1
    enough = len(now) >= _SHAPED and len(before) >= _SHAPED and size > 0
    return Shape(product / size if enough else None, both, opposite, both / len(before))


def factor(now: Mapping[float, float], before: Mapping[float, float]) -> tuple[float, float] | None:
    """Return by which factor the strikes of two tables went, log, median, and how far they are from it, log, median.

    Returns:
        None where fewer than ``FEWEST`` are in both.
    """
    ratios = [math.log(abs(net / before[strike])) for strike, net in now.items() if strike in before]
    if len(ratios) < FEWEST:
        return None
    middle = median(ratios)
    return middle, median(abs(ratio - middle) for ratio in ratios)
