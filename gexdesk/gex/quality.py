"""Score how far a snapshot can be trusted, and say why not further."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from gexdesk.gex.exposure import Weighed
from gexdesk.gex.series import distinct
from gexdesk.model.snapshot import F8, Chain

LATE_S = 300.0
"""Beyond this a document's delay counts against it: what is older is no longer fresh by the guidelines."""

_LOW_COVERAGE = 0.9
_DISAGREES = 0.01


class Quality(Struct, frozen=True):
    """Hold a snapshot's score and its parts, each 0 to 1.

    Attributes:
        score: Product of the parts; 0 without a spot where one is needed.
        coverage: Live contracts with usable IV and open interest, over live contracts with open interest; None where no live
            contract has any. Settled rows are no gap in it: what is missing there cannot matter any more.
        completeness: The coverage; where that is unknown the share of rows with a usable IV, of given strikes those with a number.
        ordering: Share of rows in their place: no contract twice, no bid above its ask.
        ranges: Share of rows with sound numbers (no negative count, no delta beyond 1); 0 where spot lies outside the strikes.
        timeliness: Share of rows that have not settled, lowered where the document came late.
        agreement: 1 less the distance between the vendor's own total and ours, as a share of the larger of gross and that total.
        reasons: What an operator should know, one line each.
    """

    score: float
    coverage: float | None
    completeness: float
    ordering: float
    ranges: float
    timeliness: float
    agreement: float
    reasons: tuple[str, ...]


def judge(
    chain: Chain, weighed: Weighed, spot: float | None, of: NDArray[np.intp], *,
    net: float | None = None, gross: float | None = None, vendor_net: float | None = None, late_s: float | None = None,
) -> Quality:  # fmt: skip
    """Judge a chain.

    Args:
        spot: Points; None where the format does not carry it.
        of: int[n], index of each contract's strike among the distinct ones.
        net, gross, vendor_net: USD per 1%, as computed and as the vendor gives it; None where unknown.
        late_s: Receipt less the stamp and the source's known delay; None where nobody waits for it, as for history.
    """
    rows = len(chain)
    if rows == 0:
        return Quality(0.0, None, 0.0, 0.0, 0.0, 0.0, 0.0, ("empty: the chain has no contracts",))
    reasons: list[str] = []
    covered = coverage(weighed)
    completeness = float(np.mean(weighed.usable_iv)) if covered is None else covered
    if covered is not None and covered < _LOW_COVERAGE:
        reasons.append(f"coverage {covered:.0%}: the other contracts with open interest have no usable IV")
    elif covered is None and completeness < _LOW_COVERAGE:
        reasons.append(f"coverage: only {completeness:.0%} of the contracts have a usable IV, and none has open interest")

    strange = int(np.count_nonzero(_strange(chain)))
    ranges = 1 - strange / rows
    if strange:
        reasons.append(f"range: {strange} of {rows} contracts have a negative count or price, or a delta beyond 1")
    low, high = float(chain.strike.min()), float(chain.strike.max())
    if spot is not None and not low <= spot <= high:
        ranges = 0.0
        reasons.append(f"range: spot {spot:g} lies outside the strikes {low:g} to {high:g}")

    again = rows - _distinct(chain, weighed, of)
    if again:
        reasons.append(f"repeated: {again} of {rows} contracts stand in the chain more than once and are counted each time")
    crossed = int(np.count_nonzero((chain.bid > chain.ask) & (chain.ask > 0)))
    if crossed:
        reasons.append(f"order: {crossed} of {rows} contracts have a bid above the ask")
    ordering = (1 - again / rows) * (1 - crossed / rows)

    alive = int(np.count_nonzero(weighed.live))
    if not alive:
        reasons.append(f"expired: all {rows} contracts have settled")
    elif alive < rows:
        reasons.append(f"expired: {rows - alive} of {rows} contracts have settled and are left out")
    timeliness = alive / rows * _prompt(late_s, reasons)
    agreement = _agreement(net, gross, vendor_net, reasons)
    score = completeness * ordering * ranges * timeliness * agreement if spot is not None else 0.0
    return Quality(score, covered, completeness, ordering, ranges, timeliness, agreement, tuple(reasons))


def judge_given(
    exposure: F8, *, net: float | None, gross: float | None, vendor_net: float | None, late_s: float | None = None
) -> Quality:
    """Judge strikes that came computed, in order and in range as their format has made sure.

    Args:
        exposure: float64[k], the column that counts, USD per 1%; NaN where the document gives nothing.
        net, gross, vendor_net, late_s: As for ``judge``.
    """
    reasons: list[str] = []
    missing = int(np.count_nonzero(np.isnan(exposure)))
    completeness = 1 - missing / len(exposure) if len(exposure) else 0.0
    if 0 < missing < len(exposure):
        reasons.append(f"coverage {completeness:.0%}: {missing} of {len(exposure)} strikes come without an exposure")
    timeliness = _prompt(late_s, reasons)
    agreement = _agreement(net, gross, vendor_net, reasons)
    score = completeness * timeliness * agreement
    return Quality(score, None, completeness, 1.0, 1.0, timeliness, agreement, tuple(reasons))


def coverage(weighed: Weighed) -> float | None:
    """Return live contracts with usable IV and open interest over live contracts with open interest; None without any."""
    held = weighed.live & (weighed.open_interest > 0)
    holders = int(np.count_nonzero(held))
    return int(np.count_nonzero(held & weighed.usable_iv)) / holders if holders else None


def _strange(chain: Chain) -> NDArray[np.bool_]:
    negative = (chain.open_interest < 0) | (chain.volume < 0) | (chain.bid < 0) | (chain.ask < 0)
    return negative | (np.abs(chain.delta) > 1)


def _distinct(chain: Chain, weighed: Weighed, of: NDArray[np.intp]) -> int:
    """Count distinct (root, expiry, right, strike): an expiry and strike under two roots are two contracts."""
    side = weighed.series.of * 2 + chain.is_call
    return len(distinct(side * (int(of.max()) + 1) + of)[0])


def _prompt(late_s: float | None, reasons: list[str]) -> float:
    if late_s is None or late_s <= LATE_S:
        return 1.0
    reasons.append(f"late: it came {late_s:,.0f} s after its stamp, beyond the known delay")
    return LATE_S / late_s


def _agreement(net: float | None, gross: float | None, vendor_net: float | None, reasons: list[str]) -> float:
    if net is None or gross is None or vendor_net is None:
        return 1.0
    scale = max(gross, abs(vendor_net))
    apart = min(1.0, abs(net - vendor_net) / scale) if scale > 0 else 0.0
    if apart > _DISAGREES:
        reasons.append(f"vendor's total: {_usd(vendor_net)} per 1%, ours is {_usd(net)}")
    return 1.0 - apart


def _usd(value: float) -> str:
    for unit, name in ((1e9, "bn"), (1e6, "m")):
        if abs(value) >= unit:
            return f"{value / unit:,.2f} {name}"
    return f"{value:,.0f}"

