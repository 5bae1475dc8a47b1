"""Sum what dealers hedge besides gamma: delta, vanna and charm exposure of a chain."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from gexdesk.gex.greeks import Flags, Priced
from gexdesk.model.snapshot import F8, Chain

DAYS_PER_YEAR = 365.0


class Hedges(Struct, frozen=True):
    """Hold the three sums; None where they are unknown.

    Attributes:
        dex: Sum of ``delta * OI * M * S``, USD; a put's delta is negative.
        vex: Sum of ``s * vanna * OI * M * S * 0.01``, USD per vol point; s = +1 for calls and -1 for puts.
        chex: Sum of ``s * charm * OI * M * S / 365``, USD per calendar day.
    """

    dex: float | None = None
    vex: float | None = None
    chex: float | None = None


def hedges(
    priced: Priced, is_call: Flags, contracts: F8, multiplier: float, *, vendor_delta: F8, vendor_contracts: F8
) -> Hedges:
    """Sum delta, vanna and charm of open contracts.

    A contract without a usable IV, as deep in the money, gives the vendor's delta, which is near 1 there; its vanna and charm
    are near 0 and left out.

    Args:
        priced: Contracts with a usable IV.
        is_call: bool[m], of the same.
        contracts: float64[m], open interest or volume of the same, above 0.
        multiplier: Underlying units a contract controls.
        vendor_delta, vendor_contracts: float64[v], of the open contracts without a usable IV; NaN where unknown.
    """
    if not len(contracts) and not len(vendor_delta):
        return Hedges()
    delta = priced.delta(is_call)
    usd = multiplier * priced.spot
    signed = np.where(is_call, contracts, -contracts)
    sound = np.abs(vendor_delta) <= 1
    held = float(delta @ contracts) + float(vendor_delta[sound] @ vendor_contracts[sound])
    dex = usd * held if len(contracts) or sound.any() else None
    if not len(contracts):
        return Hedges(dex=dex)
    return Hedges(
        dex=dex,
        vex=usd * 0.01 * float(priced.vanna() @ signed),
        chex=usd / DAYS_PER_YEAR * float(priced.charm(delta) @ signed),
    )


def without_iv(chain: Chain, open_rows: Flags, usable_iv: Flags) -> NDArray[np.intp]:
    """Return the open contracts whose delta only the vendor knows."""
    return (open_rows & ~usable_iv & np.isfinite(chain.delta)).nonzero()[0]
