"""Score how far a chain can be trusted, and say why not further."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from gexdesk.gex.exposure import Weighed
from gexdesk.model.snapshot import Chain

_LOW_COVERAGE = 0.9


class Quality(Struct, frozen=True):
    """Hold a chain's score and its parts, each 0 to 1.

    Attributes:
        score: Product of the parts; 0 without a spot.
        coverage: Live contracts with usable IV and open interest, over live contracts with open interest; None where no live
            contract has any. Settled rows are no gap in it: what is missing there cannot matter any more.
        in_range: Share of rows with sound numbers (no negative count, no bid above ask, no delta beyond 1); 0 where spot lies
            outside the strikes.
        distinct: Share of rows whose (root, expiry, right, strike) did not come before.
        live: Share of rows that have not settled.
        warnings: What an operator should know, one line each.
    """

    score: float
    coverage: float | None
    in_range: float
    distinct: float
    live: float
    warnings: tuple[str, ...]


def judge(chain: Chain, weighed: Weighed, spot: float | None, of: NDArray[np.intp]) -> Quality:
    """Judge completeness, ranges, repeated rows and settled rows of a chain.

    Args:
        spot: Points; None where the format does not carry it.
        of: int[n], index of each contract's strike among the distinct ones.
    """
    rows = len(chain)
    if rows == 0:
        return Quality(0.0, None, 0.0, 0.0, 0.0, ("empty: the chain has no contracts",))
    warnings = []
    covered = coverage(weighed)
    complete = float(np.mean(weighed.usable_iv)) if covered is None else covered
    if covered is not None and covered < _LOW_COVERAGE:
        warnings.append(f"coverage {covered:.0%}: the other contracts with open interest have no usable IV")

    strange = int(np.count_nonzero(_strange(chain)))
    in_range = 1 - strange / rows
    if strange:
        warnings.append(f"range: {strange} of {rows} contracts have a negative count, a bid above the ask or a delta beyond 1")
    low, high = float(chain.strike.min()), float(chain.strike.max())
    if spot is not None and not low <= spot <= high:
        in_range = 0.0
        warnings.append(f"range: spot {spot:g} lies outside the strikes {low:g} to {high:g}")

    again = rows - _distinct(chain, of)
    if again:
        warnings.append(f"repeated: {again} of {rows} contracts stand in the chain more than once and are counted each time")

    live = float(np.mean(weighed.live))
    if not live:
        warnings.append(f"expired: all {rows} contracts have settled")
    elif live < 1:
        warnings.append(f"expired: {rows - int(np.count_nonzero(weighed.live))} of {rows} contracts have settled and are left out")
    distinct = 1 - again / rows
    score = complete * in_range * distinct * live if spot is not None else 0.0
    return Quality(score, covered, in_range, distinct, live, tuple(warnings))


def coverage(weighed: Weighed) -> float | None:
    """Return live contracts with usable IV and open interest over live contracts with open interest; None without any."""
    held = weighed.live & (weighed.open_interest > 0)
    holders = int(np.count_nonzero(held))
    return int(np.count_nonzero(held & weighed.usable_iv)) / holders if holders else None


def _strange(chain: Chain) -> NDArray[np.bool_]:
    crossed = (chain.bid > chain.ask) & (chain.ask > 0)
    negative = (chain.open_interest < 0) | (chain.volume < 0) | (chain.bid < 0) | (chain.ask < 0)
    return crossed | negative | (np.abs(chain.delta) > 1)


def _distinct(chain: Chain, of: NDArray[np.intp]) -> int:
    """Count distinct (root, expiry, right, strike): an expiry and strike under two roots are two contracts."""
    series = (chain.expiry.astype(np.int64) * len(chain.roots) + chain.root) * 2 + chain.is_call
    return len(np.unique(series * (int(of.max()) + 1) + of))
