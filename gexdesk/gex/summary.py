"""Turn a snapshot into the numbers a desk reads: the few that triage needs, or all of them.

None means unknown and 0 means zero. Sums count by open interest where any live contract has some, else by volume, and a
warning says so. They are None without a spot, where every contract has settled, and where no contract with open interest has
a gamma; 0 only where open interest is known to be 0 throughout and nothing traded.
"""

import math

import msgspec
import numpy as np
from msgspec import Struct

from gexdesk.gex import exposure, levels, profile, quality
from gexdesk.model.errors import SettingsError
from gexdesk.model.exposure import Conventions, Exposure, ZeroGamma
from gexdesk.model.market import new_york_date
from gexdesk.model.snapshot import F8, Chain, Snapshot, StrikeTable


class Measures(Struct, frozen=True):
    """Hold what triage needs of a snapshot, equal to the fields of the same names that ``analyse`` gives.

    Attributes:
        net_gex, gross_gex: USD per 1% move; None where unknown.
        total_open_interest, total_volume: Contracts over every row; None where no row carries them.
        coverage: 0 to 1; None where the format has no contracts or none is open.
        contracts: Rows of the chain; None where the format has no contracts.
    """

    net_gex: float | None
    gross_gex: float | None
    total_open_interest: float | None
    total_volume: float | None
    coverage: float | None
    contracts: int | None


def measure(snapshot: Snapshot, conventions: Conventions) -> Measures:
    """Compute what triage needs, without grouping, levels or profile.

    Raises:
        SettingsError: Conventions that gexdesk does not compute by.
    """
    _check(conventions)
    if snapshot.chain is None:
        table = _given(snapshot)
        _, net, gross, _ = _given_basis(table)
        return Measures(net, gross, _given_total(table, "open_interest"), _given_total(table, "volume"), None, None)
    chain = snapshot.chain
    weighed = exposure.weigh(chain, _spot(snapshot), snapshot.quoted_at, conventions)
    net, gross = _sums(weighed, by_volume=_by_volume(weighed))
    return Measures(
        net_gex=net,
        gross_gex=gross,
        total_open_interest=exposure.total(weighed.open_interest),
        total_volume=exposure.total(weighed.volume),
        coverage=quality.coverage(weighed),
        contracts=len(chain),
    )


def analyse(snapshot: Snapshot, conventions: Conventions) -> tuple[Exposure, StrikeTable]:
    """Compute everything an operator sees of a snapshot, and its rows by strike.

    Time counts from ``quoted_at``, also for what expires today: a replay shifts ``as_of`` but no expiry.

    Raises:
        SettingsError: Conventions that gexdesk does not compute by.
    """
    _check(conventions)
    if snapshot.chain is None:
        return _analyse_given(snapshot, _given(snapshot), conventions)
    return _analyse_chain(snapshot, snapshot.chain, conventions)


def _analyse_chain(snapshot: Snapshot, chain: Chain, conventions: Conventions) -> tuple[Exposure, StrikeTable]:
    spot = _spot(snapshot)
    weighed = exposure.weigh(chain, spot, snapshot.quoted_at, conventions)
    strike, of = np.unique(chain.strike, return_inverse=True)
    table = exposure.by_strike(chain, weighed, strike, of)
    judged = quality.judge(chain, weighed, spot, of)

    by_volume = _by_volume(weighed)
    contracts, gex = (weighed.volume, weighed.gex_volume) if by_volume else (weighed.open_interest, weighed.gex)
    net_by_strike = table.net_gex_volume if by_volume else table.net_gex
    gross_by_strike = exposure.summed(of, np.abs(gex), len(strike))
    net, gross = _sums(weighed, by_volume)
    today = chain.expiry == new_york_date(snapshot.quoted_at)
    spots, curve, flip = _profile(chain, weighed, contracts, spot, conventions)

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
    call_open_interest, put_open_interest = _sides(chain, weighed.open_interest)
    call_volume, put_volume = _sides(chain, weighed.volume)
    summary = Exposure(
        format=snapshot.format,
        symbol=snapshot.symbol,
        as_of=snapshot.as_of,
        spot=spot,
        conventions=msgspec.structs.replace(conventions, gamma_source=source),
        contracts=len(chain),
        expiries=len(np.unique(chain.expiry)),
        strikes=len(strike),
        total_open_interest=exposure.total(weighed.open_interest),
        total_volume=exposure.total(weighed.volume),
        net_gex=net,
        gross_gex=gross,
        net_gex_volume=_sums(weighed, by_volume=True)[0],
        vendor_net_gex=snapshot.vendor_net_gex,
        zero_gamma=flip,
        call_wall=levels.call_wall(strike, net_by_strike),
        put_wall=levels.put_wall(strike, net_by_strike),
        absolute_gamma_strike=levels.absolute_gamma_strike(strike, gross_by_strike),
        zero_dte_share=levels.ratio(float(np.abs(np.nan_to_num(gex[today])).sum()), gross),
        max_pain=_front_max_pain(chain, weighed),
        put_call_oi=levels.ratio(put_open_interest, call_open_interest),
        put_call_volume=levels.ratio(put_volume, call_volume),
        coverage=judged.coverage,
        quality=judged.score,
        warnings=(*warnings, *judged.warnings),
        profile_spot=spots,
        profile_net_gex=curve,
    )
    return summary, table


def _analyse_given(snapshot: Snapshot, table: StrikeTable, conventions: Conventions) -> tuple[Exposure, StrikeTable]:
    by_strike, net, gross, by_volume = _given_basis(table)
    flip = snapshot.vendor_zero_gamma
    warnings = [*snapshot.warnings]
    if by_volume:
        warnings.append("volume: no exposure by open interest in the document, the one by volume is taken instead")
    if net is None:
        warnings.append("exposure missing: the document gives none by strike")
    sides = exposure.known_sum(np.abs(table.call_gex), np.abs(table.put_gex))
    summary = Exposure(
        format=snapshot.format,
        symbol=snapshot.symbol,
        as_of=snapshot.as_of,
        spot=_spot(snapshot),
        conventions=msgspec.structs.replace(conventions, gamma_source="given_strikes"),
        strikes=len(np.unique(table.strike)),
        total_open_interest=_given_total(table, "open_interest"),
        total_volume=_given_total(table, "volume"),
        net_gex=net,
        gross_gex=gross,
        net_gex_volume=exposure.net_and_gross(table.net_gex_volume)[0],
        vendor_net_gex=snapshot.vendor_net_gex,
        zero_gamma=ZeroGamma("not_enough_data") if flip is None else ZeroGamma("vendor", flip, (flip,)),
        call_wall=levels.call_wall(table.strike, by_strike),
        put_wall=levels.put_wall(table.strike, by_strike),
        absolute_gamma_strike=levels.absolute_gamma_strike(table.strike, sides),
        put_call_oi=levels.ratio(exposure.total(table.put_open_interest), exposure.total(table.call_open_interest)),
        put_call_volume=levels.ratio(exposure.total(table.put_volume), exposure.total(table.call_volume)),
        quality=float(np.mean(~np.isnan(by_strike))) if len(table) else 0.0,
        warnings=tuple(warnings),
    )
    return summary, table


def _profile(
    chain: Chain, weighed: exposure.Weighed, contracts: F8, spot: float | None, conventions: Conventions
) -> tuple[tuple[float, ...], tuple[float, ...], ZeroGamma]:
    rows = np.flatnonzero(weighed.usable_iv & weighed.live & (contracts > 0))
    if spot is None or rows.size == 0:
        return (), (), ZeroGamma("not_enough_data")
    signed = np.where(chain.is_call[rows], contracts[rows], -contracts[rows])
    curve = profile.curve(
        spot,
        strike=chain.strike[rows],
        iv=chain.iv[rows],
        years=weighed.years[rows],
        signed_contracts=signed,
        conventions=conventions,
    )
    spots, net = profile.scan(curve)
    drawn = profile.DRAWN
    return tuple(spots[drawn].tolist()), tuple(net[drawn].tolist()), profile.zero_gamma(curve, spots, net)


def _front_max_pain(chain: Chain, weighed: exposure.Weighed) -> float | None:
    """Return the max pain of the first expiration date on which a contract is still live, over all roots."""
    if not weighed.live.any():
        return None
    rows = np.flatnonzero(weighed.live & (chain.expiry == chain.expiry[weighed.live].min()))
    strike, of = np.unique(chain.strike[rows], return_inverse=True)
    open_interest, is_call = weighed.open_interest[rows], chain.is_call[rows]
    calls = exposure.summed(of[is_call], open_interest[is_call], len(strike))
    puts = exposure.summed(of[~is_call], open_interest[~is_call], len(strike))
    return levels.max_pain(strike, calls, puts)


def _by_volume(weighed: exposure.Weighed) -> bool:
    return not np.any(weighed.live & (weighed.open_interest > 0)) and bool(np.any(weighed.live & (weighed.volume > 0)))


def _sums(weighed: exposure.Weighed, by_volume: bool) -> tuple[float | None, float | None]:
    return exposure.net_and_gross((weighed.gex_volume if by_volume else weighed.gex)[weighed.live])


def _sides(chain: Chain, column: F8) -> tuple[float | None, float | None]:
    return exposure.total(column[chain.is_call]), exposure.total(column[~chain.is_call])


def _given(snapshot: Snapshot) -> StrikeTable:
    assert snapshot.given is not None, "a snapshot has either a chain or given strikes"
    return snapshot.given


def _given_basis(table: StrikeTable) -> tuple[F8, float | None, float | None, bool]:
    """Return the column that counts, its net and gross, and whether it is the one by volume.

    Gross sums calls and puts apart where the document gives the sides, else magnitudes of the nets, a lower bound of it.
    """
    net, gross = exposure.net_and_gross(table.net_gex)
    net_volume, gross_volume = exposure.net_and_gross(table.net_gex_volume)
    if not gross and gross_volume:
        return table.net_gex_volume, net_volume, gross_volume, True
    sides = exposure.total(np.abs(np.concatenate((table.call_gex, table.put_gex))))
    return table.net_gex, net, gross if sides is None or gross is None else max(gross, sides), False


def _given_total(table: StrikeTable, what: str) -> float | None:
    return exposure.total(np.concatenate((getattr(table, f"call_{what}"), getattr(table, f"put_{what}"))))


def _spot(snapshot: Snapshot) -> float | None:
    spot = snapshot.spot
    return spot if spot is not None and math.isfinite(spot) and spot > 0 else None


def _check(conventions: Conventions) -> None:
    known = Conventions()
    for name, allowed in (("time", (known.time,)), ("sign", (known.sign,)), ("gamma_source", ("iv", "vendor"))):
        if getattr(conventions, name) not in allowed:
            words = " or ".join(repr(word) for word in allowed)
            raise SettingsError(f"conventions.{name} is {getattr(conventions, name)!r}; gexdesk computes by {words}")
    for name in ("rate", "dividend_yield", "multiplier"):
        value = getattr(conventions, name)
        if not math.isfinite(value) or (name == "multiplier" and value <= 0):
            raise SettingsError(f"conventions.{name} is {value!r}; it must be a finite number, and a multiplier above 0")
