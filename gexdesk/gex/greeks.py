"""Price what an option's greeks are: Black-Scholes-Merton, each contract's parts computed once for all of them."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gexdesk.model.snapshot import F8

Flags = NDArray[np.bool_]

_FAR = 7.07106781186547
_ABOVE = (0.0352624965998911, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931,
          220.206867912376)  # fmt: skip
_BELOW = (0.0883883476483184, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831,
          793.826512519948, 440.413735824752)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Priced:
    """Hold what the greeks of n contracts are made of, float64[n] each; NaN throughout where a contract cannot be priced.

    Formulas: Merton 1973; Hull, Options, Futures and Other Derivatives, "The Greek Letters"; vanna and charm as in Haug, The
    Complete Guide to Option Pricing Formulas, chapter 2. Greeks are per unit of the underlying.

    Attributes:
        spot: Points.
        rate, dividend_yield: Continuously compounded, per year.
        iv: A fraction per year.
        years: To settlement.
        deviation: ``sigma sqrt(T)``.
        d1: ``[ln(S/K) + (r - q + sigma^2/2) T] / (sigma sqrt(T))``.
        carry: ``exp(-qT)``.
        bell: ``exp(-d1^2/2)``.
    """

    spot: float
    rate: float
    dividend_yield: float
    iv: F8
    years: F8
    deviation: F8
    d1: F8
    carry: F8
    bell: F8

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return some of the contracts, in the order of ``rows``."""
        return type(self)(
            self.spot, self.rate, self.dividend_yield, self.iv[rows], self.years[rows], self.deviation[rows], self.d1[rows],
            self.carry[rows], self.bell[rows],
        )  # fmt: skip

    def gamma(self) -> F8:
        """Return ``exp(-qT) n(d1) / (S sigma sqrt(T))``, per point; the same for calls and puts."""
        return self.carry * self.bell / (self.deviation * (self.spot * math.sqrt(2 * math.pi)))

    def delta(self, is_call: Flags) -> F8:
        """Return ``exp(-qT) N(d1)`` of calls and ``-exp(-qT) N(-d1)`` of puts, points per point."""
        tail = upper_tail(np.abs(self.d1), self.bell)
        inside = np.where((self.d1 > 0) == is_call, 1.0 - tail, tail)
        return np.where(is_call, self.carry, -self.carry) * inside

    def vanna(self) -> F8:
        """Return ``-exp(-qT) n(d1) d2 / sigma``: the change of delta per unit of volatility; the same for calls and puts."""
        return self._density() * (self.deviation - self.d1) / self.iv

    def charm(self, delta: F8) -> F8:
        """Return the change of delta per year that passes, the underlying and its volatility at rest.

        ``q delta - exp(-qT) n(d1) [2 (r - q) T - d2 sigma sqrt(T)] / (2 T sigma sqrt(T))``.

        Args:
            delta: float64[n], as ``delta`` gives it: charm has the sides it has.
        """
        drift = 2 * (self.rate - self.dividend_yield) * self.years - (self.d1 - self.deviation) * self.deviation
        return self.dividend_yield * delta - self._density() * drift / (2 * self.years * self.deviation)

    def _density(self) -> F8:
        return self.carry * self.bell / math.sqrt(2 * math.pi)


def price(  # noqa: PLR0917 - the order in which the formula is always written
    spot: float, strike: ArrayLike, iv: ArrayLike, t_years: ArrayLike, rate: float, dividend_yield: float
) -> Priced:
    """Return the parts of every greek; NaN where anything is NaN, or spot, strike, iv or time is not positive: unknown, never 0.

    Args:
        spot: Points.
        strike, iv, t_years: Points, a fraction per year and years to settlement; they broadcast.
        rate, dividend_yield: Continuously compounded, per year.
    """
    k, sigma, t = (np.asarray(x, dtype=np.float64) for x in (strike, iv, t_years))
    if not k.shape == sigma.shape == t.shape:
        k, sigma, t = np.broadcast_arrays(k, sigma, t)
    with np.errstate(all="ignore"):
        deviation = sigma * np.sqrt(t)
        known = (k > 0) & (sigma > 0) & (t > 0) & (spot > 0)
        d1 = np.where(known, (np.log(spot / k) + (rate - dividend_yield + 0.5 * sigma * sigma) * t) / deviation, np.nan)
        return Priced(
            spot, rate, dividend_yield, sigma, t, deviation, d1, np.exp(-dividend_yield * t), np.exp(-0.5 * d1 * d1)
        )


def upper_tail(x: F8, bell: F8) -> F8:
    """Return the probability that a standard normal variable exceeds x >= 0: to 1e-15, and to 1e-7 of itself far out.

    Hart's algorithm 5666 as given by West, Better Approximations to Cumulative Normal Functions, Wilmott 2005.

    Args:
        x: float64[n], not negative.
        bell: ``exp(-x^2/2)``.
    """
    above, below = np.full_like(x, _ABOVE[0]), np.full_like(x, _BELOW[0])
    for factor in _ABOVE[1:]:
        above *= x
        above += factor
    for factor in _BELOW[1:]:
        below *= x
        below += factor
    tail: F8 = bell * above / below
    far = x > _FAR
    if far.any():
        y = x[far]
        tail[far] = bell[far] / ((y + 1 / (y + 2 / (y + 3 / (y + 4 / (y + 0.65))))) * math.sqrt(2 * math.pi))
    return tail
