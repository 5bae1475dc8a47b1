"""Recover the volatility that a two-sided quote implies, where a vendor gives none.

Every option is turned into the out-of-the-money one of the same strike by put-call parity, whose undiscounted Black value
with a = min(F, K), b = max(F, K), k = ln(b / a) and s = sigma sqrt(T) is ``a N(-k/s + s/2) - b N(-k/s - s/2)``: rising in s,
from 0 to a. Its inflection stands at ``s = sqrt(2 k)`` (Manaster and Koehler, Journal of Finance 37, 1982). Newton's method
starts there for prices above the inflection's; below them it works on the logarithm of the value, from its asymptote. It
bisects a bracket wherever a step would leave it.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gexdesk.gex.exposure import USABLE_IV
from gexdesk.gex.greeks import upper_tail
from gexdesk.gex.series import MINUTES_PER_YEAR, distinct
from gexdesk.model.exposure import Conventions
from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import F8, Chain

Flags = NDArray[np.bool_]

MID = "iv+mid"
"""The gamma source of an exposure in which some IVs come from mid prices."""

SURE = 0.25
"""How far half a spread may move a recovered IV, as a fraction of it."""

_STEPS = 64
_TOLERANCE = 1e-10
_WIDEST = 40.0


def implied_volatility(
    price: F8, is_call: Flags, *, spot: float, strike: F8, t_years: F8, rate: float, dividend_yield: float
) -> F8:
    """Return the volatility at which Black-Scholes-Merton gives each of n prices.

    Args:
        price: float64[n], points.
        is_call: bool[n].
        spot: Points.
        strike, t_years: float64[n], points and years to settlement.
        rate, dividend_yield: Continuously compounded, per year.

    Returns:
        float64[n], a fraction per year. NaN where an argument is NaN or not positive, where the contract has settled, and
        where no volatility gives that price without arbitrage: at or below the discounted intrinsic value of the forward, at
        or above the discounted bound (forward for a call, strike for a put).
    """
    with np.errstate(all="ignore"):
        forward = spot * np.exp((rate - dividend_yield) * t_years)
        intrinsic = np.where(is_call, forward - strike, strike - forward)
        value = price * np.exp(rate * t_years) - np.maximum(intrinsic, 0.0)
        low, high = np.minimum(forward, strike), np.maximum(forward, strike)
        # What is left of a price below the rounding of its parts is no time value.
        rounding = 8 * np.finfo(np.float64).eps * high
        solvable = (t_years > 0) & (strike > 0) & (price > 0) & (spot > 0) & (value > rounding) & (value < low)
        result = np.full(len(price), np.nan)
        rows = solvable.nonzero()[0]
        result[rows] = _solve(value[rows] / low[rows], np.log(high[rows] / low[rows])) / np.sqrt(t_years[rows])
    return result


def recover(chain: Chain, spot: float | None, quoted_at: float, conventions: Conventions) -> tuple[Chain, int]:
    """Fill in the IV of live contracts that have none, from the mid of a two-sided quote.

    Only contracts that count are looked at (open interest or volume), and only an IV is taken that the quote really tells.
    Half the spread must not move it by more than ``SURE`` of it; and of an option in the money, half the spread and half the
    carry of spot and strike must be at most ``SURE`` of the time value: a deep one would tell any volatility where the rate
    or the yield is not quite the assumed one.

    Args:
        spot: Points; None recovers nothing, and neither does ``gamma_source == "vendor"``.
        quoted_at: The vendor's stamp, UTC seconds.

    Returns:
        The chain, itself where nothing was recovered, and how many IVs were.
    """
    if spot is None or conventions.gamma_source == "vendor":
        return chain, 0
    missing = ~((chain.iv >= USABLE_IV[0]) & (chain.iv <= USABLE_IV[1]))
    rows = missing.nonzero()[0]
    bid, ask = chain.bid[rows], chain.ask[rows]
    rows = rows[(bid > 0) & (ask >= bid) & ((chain.open_interest[rows] > 0) | (chain.volume[rows] > 0))]
    if rows.size == 0:
        return chain, 0
    rows, years = _telling(chain, rows, spot, quoted_at, conventions)
    if rows.size == 0:
        return chain, 0
    bid, ask, strike = chain.bid[rows], chain.ask[rows], chain.strike[rows]
    found = implied_volatility(
        bid + (ask - bid) / 2, chain.is_call[rows],
        spot=spot, strike=strike, t_years=years, rate=conventions.rate, dividend_yield=conventions.dividend_yield,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        sure = (ask - bid) / 2 <= SURE * found * _vega(spot, strike, years, found, conventions)
    sure &= (found >= USABLE_IV[0]) & (found <= USABLE_IV[1])
    count = int(np.count_nonzero(sure))
    if count == 0:
        return chain, 0
    iv = chain.iv.copy()
    iv[rows[sure]] = found[sure]
    return replace(chain, iv=iv), count


def _solve(value: F8, k: F8) -> F8:
    """Return s at which ``N(-k/s + s/2) - exp(k) N(-k/s - s/2)`` is the value, 0 < value < 1; float64[n]."""
    inflection = np.sqrt(2 * k)
    convex = value < _value_and_slope(np.maximum(inflection, 1e-8), k)[0]
    low, high = np.zeros(len(value)), inflection + _WIDEST
    # ln(value) is about -k^2 / (2 s^2) far out: from the left of the root, where the logarithm is concave.
    far = k / np.sqrt(-2 * np.log(value))
    s = np.maximum(np.where(k < 1e-8, value * math.sqrt(2 * math.pi), np.where(convex, far, inflection)), 1e-8)
    result = np.full(len(value), np.nan)
    at = np.arange(len(value))
    for _ in range(_STEPS):
        found, slope = _value_and_slope(s, k)
        above = found > value
        high, low = np.where(above, s, high), np.where(above, low, s)
        step = np.where(convex, np.log(found / value) * found, found - value) / slope
        nearer = s - step
        nearer = np.where((nearer > low) & (nearer < high), nearer, (low + high) / 2)
        done = np.abs(nearer - s) <= _TOLERANCE * s
        result[at[done]] = nearer[done]
        if done.all():
            break
        left = ~done
        at, s, k, value, convex, low, high = at[left], nearer[left], k[left], value[left], convex[left], low[left], high[left]
    else:
        result[at] = s
    return result


def _value_and_slope(s: F8, k: F8) -> tuple[F8, F8]:
    d1 = s / 2 - k / s
    d2 = d1 - s
    bell = np.exp(-0.5 * d1 * d1)
    tail1, tail2 = upper_tail(np.abs(d1), bell), upper_tail(-d2, np.exp(-0.5 * d2 * d2))
    value = np.where(d1 > 0, 1.0 - tail1, tail1) - np.exp(k) * tail2
    return value, bell / math.sqrt(2 * math.pi)


def _telling(
    chain: Chain, rows: NDArray[np.intp], spot: float, quoted_at: float, conventions: Conventions
) -> tuple[NDArray[np.intp], F8]:
    """Return those rows whose quote leaves a time value above its doubts, and their years to settlement, above 0."""
    roots = len(chain.roots)
    code, of = distinct(chain.expiry[rows].astype(np.int64) * roots + chain.root[rows])
    ends = [settles_at(chain.roots[series % roots], series // roots) for series in code.tolist()]
    years = ((np.array(ends, dtype=np.float64) - quoted_at) / 60.0 / MINUTES_PER_YEAR)[of]
    bid, ask, strike, is_call = chain.bid[rows], chain.ask[rows], chain.strike[rows], chain.is_call[rows]
    carried, discounted = spot * np.exp(-conventions.dividend_yield * years), strike * np.exp(-conventions.rate * years)
    then = np.where(is_call, carried - discounted, discounted - carried)
    outside = (then <= 0) & (np.where(is_call, spot - strike, strike - spot) <= 0)
    carry = np.abs(spot - carried) + np.abs(strike - discounted)
    telling = (years > 0) & (outside | ((ask - bid + carry) / 2 <= SURE * (bid + (ask - bid) / 2 - then)))
    return rows[telling], years[telling]


def _vega(spot: float, strike: F8, years: F8, iv: F8, conventions: Conventions) -> F8:
    """Return ``S exp(-qT) n(d1) sqrt(T)``, points per unit of volatility."""
    drift = (conventions.rate - conventions.dividend_yield + 0.5 * iv * iv) * years
    d1 = (np.log(spot / strike) + drift) / (iv * np.sqrt(years))
    density = np.exp(-conventions.dividend_yield * years - 0.5 * d1 * d1) / math.sqrt(2 * math.pi)
    vega: F8 = spot * density * np.sqrt(years)
    return vega
