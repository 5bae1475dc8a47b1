"""Name the strikes and ratios that operators watch.

Where several strikes share the extreme (to 1e-9 of it, so that the order of rows cannot choose) the lowest one is named.
"""

import numpy as np

from gexdesk.model.snapshot import F8

_TIE = 1e-9


def call_wall(strike: F8, net_gex: F8) -> float | None:
    """Return the strike with the largest net GEX, or None where no strike's is positive.

    Args:
        strike: float64[k], ascending, points.
        net_gex: float64[k], USD per 1%; NaN where unknown.
    """
    return _largest(strike, net_gex)


def put_wall(strike: F8, net_gex: F8) -> float | None:
    """Return the strike with the most negative net GEX, or None where no strike's is negative."""
    return _largest(strike, -net_gex)


def absolute_gamma_strike(strike: F8, gross_gex: F8) -> float | None:
    """Return the strike where calls and puts, un-netted, weigh most; None where all is 0 or unknown.

    Args:
        gross_gex: float64[k], magnitudes of calls plus those of puts, USD per 1%; NaN where unknown.
    """
    return _largest(strike, gross_gex)


def concentration(strike: F8, gross_gex: F8, count: int = 5) -> tuple[tuple[float, ...], float | None]:
    """Return the strikes with the largest gross GEX, largest first and of equal ones the lower, and their share of all gross.

    Args:
        gross_gex: As for ``absolute_gamma_strike``.

    Returns:
        Fewer than ``count`` where fewer weigh anything; (), None where all is 0 or unknown.
    """
    known = np.where(np.isnan(gross_gex), 0.0, gross_gex)
    total = float(known.sum())
    if not total > 0:
        return (), None
    first = np.argsort(-known, kind="stable")[:count]
    first = first[known[first] > 0]
    return tuple(strike[first].tolist()), float(known[first].sum()) / total


def max_pain(strike: F8, call_open_interest: F8, put_open_interest: F8) -> float | None:
    """Return the strike K at which one expiry's holders get least: argmin of sum OI_c (K - K_i)+ + OI_p (K_i - K)+.

    Args:
        strike: float64[k], distinct and ascending, points.
        call_open_interest, put_open_interest: float64[k], contracts; NaN counts as none.

    Returns:
        None where there is no open interest.
    """
    calls, puts = (np.where(np.isnan(side), 0.0, side) for side in (call_open_interest, put_open_interest))
    if not calls.sum() + puts.sum() > 0:
        return None
    distance = strike - strike[0]
    below, above = np.cumsum(calls), puts.sum() - np.cumsum(puts)
    paid_to_calls = distance * below - np.cumsum(calls * distance)
    paid_to_puts = (puts * distance).sum() - np.cumsum(puts * distance) - distance * above
    paid = paid_to_calls + paid_to_puts
    return float(strike[np.argmax(paid <= paid.min() + _TIE * paid.max())])


def ratio(part: float | None, whole: float | None) -> float | None:
    """Return part / whole, or None where either is unknown or the whole is 0."""
    if part is None or whole is None or whole == 0:
        return None
    return part / whole


def _largest(strike: F8, value: F8) -> float | None:
    known = np.where(np.isnan(value), 0.0, value)
    top = known.max(initial=0.0)
    return float(strike[np.argmax(known >= top * (1 - _TIE))]) if top > 0 else None
