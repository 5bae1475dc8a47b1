"""Sum up a snapshot whose exposure by strike was computed by its vendor; the given strikes are used as they are."""

import msgspec
import numpy as np

from gexdesk.gex import exposure, levels
from gexdesk.gex.quality import judge_given
from gexdesk.model.exposure import Conventions, Exposure, ZeroGamma
from gexdesk.model.snapshot import F8, Snapshot, StrikeTable


def sums(table: StrikeTable) -> tuple[float | None, float | None, float | None, float | None]:
    """Return net and gross in USD per 1%, total open interest and total volume; None where unknown."""
    _, net, gross, _ = _basis(table)
    return net, gross, _total(table, "open_interest"), _total(table, "volume")


def analyse_given(
    snapshot: Snapshot, table: StrikeTable, spot: float | None, conventions: Conventions, late_s: float | None
) -> tuple[Exposure, StrikeTable]:
    """Compute what can be known without contracts; the flip is the vendor's where it gives one."""
    by_strike, net, gross, by_volume = _basis(table)
    flip = snapshot.vendor_zero_gamma
    judged = judge_given(by_strike, net=net, gross=gross, vendor_net=snapshot.vendor_net_gex, late_s=late_s)
    warnings = [*snapshot.warnings]
    if by_volume:
        warnings.append("volume: no exposure by open interest in the document, the one by volume is taken instead")
    if net is None:
        warnings.append("exposure missing: the document gives none by strike")
    sides = exposure.known_sum(np.abs(table.call_gex), np.abs(table.put_gex))
    heaviest, share = levels.concentration(table.strike, np.fmax(sides, np.abs(by_strike)))
    summary = Exposure(
        format=snapshot.format,
        symbol=snapshot.symbol,
        as_of=snapshot.as_of,
        spot=spot,
        conventions=msgspec.structs.replace(conventions, gamma_source="given_strikes"),
        strikes=len(table),
        total_open_interest=_total(table, "open_interest"),
        total_volume=_total(table, "volume"),
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
        quality=judged.score,
        quality_reasons=judged.reasons,
        top5_strikes=heaviest,
        top5_share=share,
        warnings=(*warnings, *judged.reasons),
    )
    return summary, table


def _basis(table: StrikeTable) -> tuple[F8, float | None, float | None, bool]:
    """Return the column that counts, its net and gross, and whether it is the one by volume.

    Gross sums calls and puts apart where the document gives the sides, else magnitudes of the nets, a lower bound of it.
    """
    net, gross = exposure.net_and_gross(table.net_gex)
    net_volume, gross_volume = exposure.net_and_gross(table.net_gex_volume)
    if not gross and gross_volume:
        return table.net_gex_volume, net_volume, gross_volume, True
    sides = exposure.total(np.abs(np.concatenate((table.call_gex, table.put_gex))))
    return table.net_gex, net, gross if sides is None or gross is None else max(gross, sides), False


def _total(table: StrikeTable, what: str) -> float | None:
    return exposure.total(np.concatenate((getattr(table, f"call_{what}"), getattr(table, f"put_{what}"))))
