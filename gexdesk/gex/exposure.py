"""Weigh every contract of a chain, and sum by strike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gexdesk.gex.greeks import gamma, years_to_settlement
from gexdesk.model.exposure import Conventions
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
        years: float64[n], to settlement; at most 0 where settled.
        live: bool[n], not settled yet.
        usable_iv: bool[n], IV is there and within ``USABLE_IV``.
        by_vendor: bool[n], the gamma is the vendor's.
        open_interest, volume: float64[n], contracts; NaN where unknown.
        gex, gex_volume: float64[n], by open interest and by volume; NaN where unknown.
    """

    years: F8
    live: Flags
    usable_iv: Flags
    by_vendor: Flags
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
    years = years_to_settlement(chain.roots, chain.root, chain.expiry, quoted_at)
    live = years > 0
    usable_iv = (chain.iv >= USABLE_IV[0]) & (chain.iv <= USABLE_IV[1])
    open_interest, volume = _known(chain.open_interest), _known(chain.volume)
    if spot is None:
        unit = np.full(len(chain), np.nan)
        by_vendor = np.zeros(len(chain), dtype=np.bool_)
    else:
        iv = np.where(usable_iv, chain.iv, np.nan)
        per_point, by_vendor = _gamma(chain, spot, iv, years, conventions)
        unit = np.where(chain.is_call, 1.0, -1.0) * per_point * (conventions.multiplier * spot * spot * 0.01)
    return Weighed(
        years=years,
        live=live,
        usable_iv=usable_iv,
        by_vendor=by_vendor,
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
        sums = summed(side, column, cells)
        sums[(sums == 0) & (~listed | (np.bincount(side[unknown], minlength=cells) > 0))] = np.nan
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


def known_sum(left: F8, right: F8) -> F8:
    """Add two columns row by row; an unknown term is left out, and only two unknown ones make NaN."""
    either: F8 = np.where(np.isnan(left), right, np.where(np.isnan(right), left, left + right))
    return either


def summed(group: NDArray[np.intp], column: F8, groups: int) -> F8:
    """Sum what is known of a column by group index; float64[groups], 0 for a group without any."""
    return np.asarray(np.bincount(group, weights=np.nan_to_num(column), minlength=groups), dtype=np.float64)


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


def _gamma(chain: Chain, spot: float, iv: F8, years: F8, conventions: Conventions) -> tuple[F8, Flags]:
    vendor = np.where(np.isfinite(chain.gamma) & (years > 0), chain.gamma, np.nan)
    if conventions.gamma_source == "vendor":
        return vendor, ~np.isnan(vendor)
    computed = gamma(spot, chain.strike, iv, years, conventions.rate, conventions.dividend_yield)
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
