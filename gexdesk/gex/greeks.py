"""Price what an option's gamma is, and how long it has to live."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import F8, I4

MINUTES_PER_YEAR = 365.0 * 24 * 60


def gamma(  # noqa: PLR0917 - the order in which the formula is always written
    spot: ArrayLike, strike: ArrayLike, iv: ArrayLike, t_years: ArrayLike, rate: float, dividend_yield: float
) -> F8:
    """Return the Black-Scholes-Merton gamma, the same for calls and puts.

    ``exp(-qT) n(d1) / (S sigma sqrt(T))`` with ``d1 = [ln(S/K) + (r - q + sigma^2/2) T] / (sigma sqrt(T))``
    (Merton 1973; Hull, Options, Futures and Other Derivatives, "The Greek Letters").

    Args:
        spot, strike: Points; they and the next two broadcast.
        iv: A fraction per year.
        t_years: Years to settlement.
        rate, dividend_yield: Continuously compounded, per year.

    Returns:
        float64, per point. NaN where anything is NaN or spot, strike, iv or time is not positive: unknown, never 0.
    """
    s, k, sigma, t = (np.asarray(x, dtype=np.float64) for x in (spot, strike, iv, t_years))
    with np.errstate(all="ignore"):
        deviation = sigma * np.sqrt(t)
        d1 = (np.log(s / k) + (rate - dividend_yield + 0.5 * sigma * sigma) * t) / deviation
        value = np.exp(-dividend_yield * t - 0.5 * d1 * d1) / (math.sqrt(2 * math.pi) * s * deviation)
    known = (s > 0) & (k > 0) & (sigma > 0) & (t > 0)
    result: F8 = np.where(known, value, np.nan)
    return result


def years_to_settlement(roots: tuple[str, ...], root: I4, expiry: I4, quoted_at: float) -> F8:
    """Return calendar minutes from the quote to each contract's settlement over those of 365 days.

    Args:
        roots: The distinct roots; an AM-settled one ends 6.5 hours before a PM-settled one of the same date.
        root: int32[n], index into ``roots``.
        expiry: int32[n], days since 1970-01-01.
        quoted_at: The vendor's stamp, UTC seconds.

    Returns:
        float64[n]; zero or negative where the contract has settled.

    Raises:
        ValueError, OverflowError: An expiry outside the years 1 to 9999.
    """
    series: NDArray[np.int64] = expiry.astype(np.int64) * len(roots) + root
    distinct, of = np.unique(series, return_inverse=True)
    ends = [settles_at(roots[int(code) % len(roots)], int(code) // len(roots)) for code in distinct]
    years: F8 = (np.array(ends, dtype=np.float64) - quoted_at) / 60.0 / MINUTES_PER_YEAR
    return years[of]
