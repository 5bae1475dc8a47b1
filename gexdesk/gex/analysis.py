"""Compute everything an operator sees of a chain: sums, levels, groups, profile, flip, hedges and how far to trust them."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from gexdesk.gex import exposure, levels, profile
from gexdesk.gex.exposure import Weighed
from gexdesk.gex.hedges import Hedges, hedges, without_iv
from gexdesk.gex.quality import judge
from gexdesk.model.exposure import Conventions, Exposure, ZeroGamma
from gexdesk.model.market import new_york_date
from gexdesk.model.snapshot import F8, Chain, Snapshot, StrikeTable


def analyse_chain(
    snapshot: Snapshot, chain: Chain, spot: float | None, conventions: Conventions, late_s: float | None
) -> tuple[Exposure, StrikeTable]:
    """Compute the exposure of a chain and its rows by strike; arguments as ``summary.analyse`` has checked them."""
    weighed = exposure.weigh(chain, spot, snapshot.quoted_at, conventions)
    strike, of = np.unique(chain.strike, return_inverse=True)
    table = exposure.by_strike(chain, weighed, strike, of)
    contracts, gex, by_volume = basis(weighed)
    net, gross = exposure.net_and_gross(gex[weighed.live])
    net_by_strike = table.net_gex_volume if by_volume else table.net_gex
    gross_by_strike = exposure.summed(of, np.abs(gex), len(strike))
    judged = judge(chain, weighed, spot, of, net=net, gross=gross, vendor_net=snapshot.vendor_net_gex, late_s=late_s)
    profiled = _Profiled(chain, weighed, contracts, conventions)

    by_vendor = int(np.count_nonzero(weighed.by_vendor & (contracts > 0)))
    recomputed = np.any(~weighed.by_vendor & ~np.isnan(gex) & weighed.live & (contracts > 0))
    source = "vendor" if by_vendor and not recomputed else conventions.gamma_source
    warnings = [*snapshot.warnings]
    if spot is None:
        warnings.append("spot missing: no gamma exposure can be computed")
    if by_volume:
        warnings.append("volume: no open interest in the chain, the exposure is computed from volume instead")
    if by_vendor and conventions.gamma_source != "vendor":
        warnings.append(f"vendor gamma: {by_vendor} open contracts without IV take the vendor's, and are not in the profile")
    heaviest, share = levels.concentration(strike, gross_by_strike)
    summary = Exposure(
        format=snapshot.format,
        symbol=snapshot.symbol,
        as_of=snapshot.as_of,
        spot=spot,
        conventions=msgspec.structs.replace(conventions, gamma_source=source),
        contracts=len(chain),
        expiries=len(weighed.series.days()[0]),
        strikes=len(strike),
        total_open_interest=exposure.total(weighed.open_interest),
        total_volume=exposure.total(weighed.volume),
        net_gex=net,
        gross_gex=gross,
        net_gex_volume=exposure.net_and_gross(weighed.gex_volume[weighed.live])[0],
        vendor_net_gex=snapshot.vendor_net_gex,
        zero_gamma=profiled.zero_gamma,
        call_wall=levels.call_wall(strike, net_by_strike),
        put_wall=levels.put_wall(strike, net_by_strike),
        absolute_gamma_strike=levels.absolute_gamma_strike(strike, gross_by_strike),
        zero_dte_share=levels.ratio(zero_dte_gex(weighed, gex, snapshot.quoted_at), gross),
        max_pain=_front_max_pain(chain, weighed, strike, of),
        put_call_oi=levels.ratio(exposure.total(table.put_open_interest), exposure.total(table.call_open_interest)),
        put_call_volume=levels.ratio(exposure.total(table.put_volume), exposure.total(table.call_volume)),
        coverage=judged.coverage,
        quality=judged.score,
        quality_reasons=judged.reasons,
        dex=profiled.hedges.dex,
        vex=profiled.hedges.vex,
        chex=profiled.hedges.chex,
        gex_by_expiry=exposure.by_expiry(weighed, gex),
        top5_strikes=heaviest,
        top5_share=share,
        warnings=(*warnings, *judged.reasons),
        profile_spot=profiled.spot,
        profile_net_gex=profiled.net_gex,
    )
    return summary, table


def basis(weighed: Weighed) -> tuple[F8, F8, bool]:
    """Return what counts, contracts and GEX, float64[n]: open interest where a live contract has any, else volume (True)."""
    by_volume = not np.any(weighed.live & (weighed.open_interest > 0)) and bool(np.any(weighed.live & (weighed.volume > 0)))
    return (weighed.volume, weighed.gex_volume, True) if by_volume else (weighed.open_interest, weighed.gex, False)


def zero_dte_gex(weighed: Weighed, gex: F8, quoted_at: float) -> float:
    """Return the gross GEX that expires on the quotes' New York date, USD per 1%."""
    today = (weighed.series.expiry == new_york_date(quoted_at))[weighed.series.of]
    return exposure.total(np.abs(gex[today])) or 0.0


class _Profiled:
    """Compute what needs the open contracts with a usable IV: curve, flip and hedges; all unknown without a spot."""

    def __init__(self, chain: Chain, weighed: Weighed, contracts: F8, conventions: Conventions) -> None:
        self.spot: tuple[float, ...] = ()
        self.net_gex: tuple[float, ...] = ()
        self.zero_gamma = ZeroGamma("not_enough_data")
        self.hedges = Hedges()
        if weighed.priced is None:
            return
        open_rows = weighed.live & (contracts > 0)
        rows, bare = (open_rows & weighed.usable_iv).nonzero()[0], without_iv(chain, open_rows, weighed.usable_iv)
        priced, is_call, held = weighed.priced.take(rows), chain.is_call[rows], contracts[rows]
        self.hedges = hedges(
            priced, is_call, held, conventions.multiplier, vendor_delta=chain.delta[bare], vendor_contracts=contracts[bare]
        )
        if rows.size == 0:
            return
        curve = profile.curve(priced, np.where(is_call, held, -held), conventions.multiplier)
        spots, net = profile.scan(curve)
        self.spot, self.net_gex = tuple(spots[profile.DRAWN].tolist()), tuple(net[profile.DRAWN].tolist())
        self.zero_gamma = profile.zero_gamma(curve, spots, net)


def _front_max_pain(chain: Chain, weighed: Weighed, strike: F8, of: NDArray[np.intp]) -> float | None:
    """Return the max pain of the first expiration date on which a contract is still live, over all roots.

    Args:
        strike, of: As for ``exposure.by_strike``.
    """
    series = weighed.series
    alive = series.years > 0
    if not alive.any():
        return None
    front = alive & (series.expiry == series.expiry[alive].min())
    rows = front[series.of].nonzero()[0]
    cell, cells = of[rows] * 2 + chain.is_call[rows], 2 * len(strike)
    listed = np.bincount(cell // 2, minlength=len(strike)).nonzero()[0]
    held = exposure.summed(cell, weighed.open_interest[rows], cells)
    return levels.max_pain(strike[listed], held[1::2][listed], held[0::2][listed])
