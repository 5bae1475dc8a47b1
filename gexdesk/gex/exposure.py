"""Weigh every contract of a chain, and sum by strike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gexdesk.gex.greeks import Priced, price
from gexdesk.gex.series import Series, iso_date, series_of
from gexdesk.model.exposure import Conventions, ExpiryGex
from gexdesk.model.snapshot import F8, Chain, StrikeTable

Flags = NDArray[np.bool_]

USABLE_IV = (1e-4, 1e3)
"""What can be an option's IV, a fraction per year. Vendors write 0 or 1e-05 for a missing one; real ones were seen up to 26."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """Hold what each contract of a chain weighs, one row a contract in the chain's order. GEX in USD per 1% move.

    A contract without open interest has a GEX of exactly 0 whatever its gamma, and so has a settled one; an open one whose
    gamma is unknown has NaN.

    Attributes:
        series: The chain's roots and expiration dates, with their time to settlement.
        live: bool[n], not settled yet.
        usable_iv: bool[n], IV is there and within ``USABLE_IV``.
        by_vendor: bool[n], the gamma is the vendor's.
        priced: The parts of every greek; None without a spot.
        open_interest, volume: float64[n], contracts; NaN where unknown.
        gex, gex_volume: float64[n], by open interest and by volume; NaN where unknown.
    """

    series: Series
    live: Flags
    usable_iv: Flags
    by_vendor: Flags
    priced: Priced | None
    open_interest: F8
    volume: F8
    gex: F8
    gex_volume: F8


def weigh(chain: Chain, spot: float | None, quoted_at: float, conventions: Conventions) -> Weighed:
    """Compute ``s * gamma * OI * M * S^2 * 0.01`` of each contract, s = +1 for calls and -1 for puts, and the same by volume.

    The USD value by which dealers' delta changes when the index moves 1%, dealers taken to be long calls and short puts
    (SqueezeMetrics, Gamma Exposure, 2016). Gamma is recomputed from IV, since a vendor's is rounded to 4 decimals; only a
    contract without IV takes the vendor's, where that is positive. Under ``gamma_source == "vendor"`` it is the vendor's
    throughout.

    Args:
        spot: Points; None makes every GEX unknown.
        quoted_at: The vendor's stamp, UTC seconds.
    """
    series = series_of(chain, quoted_at)
    years = series.years[series.of]
    live = years > 0
    usable_iv = (chain.iv >= USABLE_IV[0]) & (chain.iv <= USABLE_IV[1])
    open_interest, volume = _known(chain.open_interest), _known(chain.volume)
    priced = None
    by_vendor = np.zeros(len(chain), dtype=np.bool_)
    if spot is None:
        unit = np.full(len(chain), np.nan)
    else:
        iv = np.where(usable_iv, chain.iv, np.nan)
        priced = price(spot, chain.strike, iv, years, conventions.rate, conventions.dividend_yield)
        unit, by_vendor = _gamma(chain, priced, live, conventions)
        unit *= np.where(chain.is_call, 1.0, -1.0) * (conventions.multiplier * spot * spot * 0.01)
    return Weighed(
        series=series,
        live=live,
        usable_iv=usable_iv,
        by_vendor=by_vendor,
        priced=priced,
        open_interest=open_interest,
        volume=volume,
        gex=_times(unit, open_interest, live, spot),
        gex_volume=_times(unit, volume, live, spot),
    )


def by_strike(chain: Chain, weighed: Weighed, strike: F8, of: NDArray[np.intp]) -> StrikeTable:
    """Sum a chain by strike over all roots and expiries.

    Open interest and volume count every row of the file, settled ones too, so that they add up to its totals; a settled
    contract has no gamma left and adds 0. A cell is NaN where no contract of that side carries the number, or where 0 and
    unknown are all that is there; the net of a strike is that of the sides which are known.

    Args:
        strike: float64[k], the chain's distinct strikes, ascending.
        of: int[n], index of each contract into ``strike``.
    """
    side = of * 2 + chain.is_call
    cells = 2 * len(strike)
    listed = np.bincount(side, minlength=cells) > 0

    def both(column: F8) -> tuple[F8, F8]:
        unknown = np.isnan(column)
        sums, gap = summed(side, column, cells), ~listed
        if unknown.any():
            gap |= np.bincount(side[unknown], minlength=cells) > 0
        sums[gap & (sums == 0)] = np.nan
        return sums[1::2], sums[0::2]

    call_gex, put_gex = both(weighed.gex)
    call_open_interest, put_open_interest = both(weighed.open_interest)
    call_volume, put_volume = both(weighed.volume)
    return StrikeTable(
        strike=strike,
        call_open_interest=call_open_interest,
        put_open_interest=put_open_interest,
        call_volume=call_volume,
        put_volume=put_volume,
        call_gex=call_gex,
        put_gex=put_gex,
        net_gex=known_sum(call_gex, put_gex),
        net_gex_volume=known_sum(*both(weighed.gex_volume)),
    )


def by_expiry(weighed: Weighed, gex: F8) -> tuple[ExpiryGex, ...]:
    """Sum live contracts by expiration date over all roots, ascending; sums unknown as in ``net_and_gross``.

    Args:
        gex: float64[n], USD per 1%, of every contract of the chain; NaN where unknown.
    """
    series, groups = weighed.series, len(weighed.series)
    days, of = series.days()
    unknown = np.isnan(gex)
    known = np.where(unknown, 0.0, gex)
    alive = series.years > 0
    sums = (
        np.bincount(series.of, known, groups), np.bincount(series.of, np.abs(known), groups),
        np.bincount(series.of, minlength=groups), np.bincount(series.of[unknown], minlength=groups),
    )  # fmt: skip
    net, gross, rows, gaps = (np.bincount(of, column * alive, len(days)) for column in sums)
    sound = (gaps < rows) & ((gross > 0) | (gaps == 0))
    return tuple(
        ExpiryGex(iso_date(day), day_net if is_sound else None, day_gross if is_sound else None)
        for day, day_net, day_gross, is_sound, count in zip(*(c.tolist() for c in (days, net, gross, sound, rows)), strict=True)
        if count
    )


def known_sum(left: F8, right: F8) -> F8:
    """Add two columns row by row; an unknown term is left out, and only two unknown ones make NaN."""
    either: F8 = np.where(np.isnan(left), right, np.where(np.isnan(right), left, left + right))
    return either


def summed(group: NDArray[np.intp], column: F8, groups: int) -> F8:
    """Sum what is known of a column by group index; float64[groups], 0 for a group without any."""
    return np.asarray(np.bincount(group, weights=np.where(np.isnan(column), 0.0, column), minlength=groups), dtype=np.float64)


def total(column: F8) -> float | None:
    """Return the sum of what is known of a column, or None where nothing is."""
    known = column[~np.isnan(column)]
    return float(known.sum()) if known.size else None


def net_and_gross(gex: F8) -> tuple[float | None, float | None]:
    """Return sum and sum of magnitudes of what is known of a column of GEX, in USD per 1%.

    None, None where nothing is known, or where all that is known is 0 and the rest is not: such a sum is no zero.
    """
    known = gex[~np.isnan(gex)]
    gross = float(np.abs(known).sum())
    if known.size == 0 or (gross == 0 and known.size < gex.size):
        return None, None
    return float(known.sum()), gross


def _gamma(chain: Chain, priced: Priced, live: Flags, conventions: Conventions) -> tuple[F8, Flags]:
    vendor = np.where(np.isfinite(chain.gamma) & live, chain.gamma, np.nan)
    if conventions.gamma_source == "vendor":
        return vendor, ~np.isnan(vendor)
    computed = priced.gamma()
    by_vendor = np.isnan(computed) & (vendor > 0)
    return np.where(by_vendor, vendor, computed), by_vendor


def _known(column: F8) -> F8:
    counts: F8 = np.where(np.isfinite(column) & (column >= 0), column, np.nan)
    return counts


def _times(unit: F8, contracts: F8, live: Flags, spot: float | None) -> F8:
    gex = unit * contracts
    if spot is not None:
        gex[(contracts == 0) | (~live & ~np.isnan(contracts))] = 0.0
    return gex
