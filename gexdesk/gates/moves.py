"""Know how far a symbol's figures usually go from one snapshot to the next, by median and MAD: one jump moves neither."""

from statistics import median

from msgspec import Struct

KEPT = 64
FEWEST = 12
"""Fewer changes explain nothing yet."""

_TO_DEVIATIONS = 1.4826
"""MAD to standard deviations of a normal distribution."""


class Moves(Struct, frozen=True):
    """Hold the last changes of one source and symbol, oldest first.

    Attributes:
        net: abs(change of net GEX) / gross GEX.
        spot: abs(log change of spot) / sqrt(seconds between).
        implied: spot / implied spot - 1.
    """

    net: tuple[float, ...] = ()
    spot: tuple[float, ...] = ()
    implied: tuple[float, ...] = ()

    def add(self, *, net: float | None = None, spot: float | None = None, implied: float | None = None) -> "Moves":
        """Return the moves with one more of each that is known."""
        return Moves(_with(self.net, net), _with(self.spot, spot), _with(self.implied, implied))


def beyond(changes: tuple[float, ...], times: float) -> float | None:
    """Return the bound that many deviations above the median; None where there are too few changes to tell."""
    if len(changes) < FEWEST:
        return None
    middle = median(changes)
    return middle + times * _TO_DEVIATIONS * median(abs(change - middle) for change in changes)


def _with(changes: tuple[float, ...], change: float | None) -> tuple[float, ...]:
    return changes if change is None else (*changes[-KEPT + 1 :], change)
