"""Chains to compute on, written as rows."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gexdesk.gex.greeks import price
from gexdesk.model.exposure import Conventions
from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import F8, Chain, Snapshot, StrikeTable

NAN = float("nan")
FLAT = Conventions(rate=0.0, dividend_yield=0.0)
"""Without rate and yield, so that a number can be worked by hand."""

EXPIRY = (date(2026, 6, 17) - date(1970, 1, 1)).days
QUARTER_BEFORE = settles_at("XYZ", EXPIRY) - 0.25 * 365 * 86400
"""A quote 0.25 years before a PM-settled contract of ``EXPIRY`` ends."""


def gamma(spot: float, strike: ArrayLike, iv: ArrayLike, years: ArrayLike, rate: float, dividend_yield: float) -> F8:
    """Return the gamma of contracts, per point."""
    with np.errstate(all="ignore"):
        return price(spot, strike, iv, years, rate, dividend_yield).gamma()


class Row(NamedTuple):
    """One contract; the defaults are at the money, without quotes, a quarter of a year before its end, with sigma sqrt(T) = 0.1."""

    right: str = "C"
    strike: float = 100.0
    open_interest: float = 10.0
    volume: float = 0.0
    iv: float = 0.2
    root: str = "XYZ"
    expiry: int = EXPIRY
    gamma: float = NAN
    bid: float = NAN
    ask: float = NAN
    delta: float = NAN


def chain_of(rows: Sequence[Row]) -> Chain:
    """Build the columns of some rows."""
    roots = tuple(sorted({row.root for row in rows}))

    def column(name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in rows], dtype=np.float64)

    return Chain(
        roots=roots,
        root=np.array([roots.index(row.root) for row in rows], dtype=np.int32),
        expiry=np.array([row.expiry for row in rows], dtype=np.int32),
        is_call=np.array([row.right == "C" for row in rows], dtype=np.bool_),
        strike=column("strike"),
        bid=column("bid"),
        ask=column("ask"),
        iv=column("iv"),
        gamma=column("gamma"),
        delta=column("delta"),
        open_interest=column("open_interest"),
        volume=column("volume"),
    )


def snapshot_of(
    rows: Sequence[Row],
    spot: float | None = 100.0,
    quoted_at: float = QUARTER_BEFORE,
    as_of: float | None = None,
    warnings: tuple[str, ...] = (),
) -> Snapshot:
    """Build a snapshot of some rows."""
    as_of = quoted_at if as_of is None else as_of
    return Snapshot("cboe_json", "XYZ", as_of, quoted_at, spot, chain=chain_of(rows), warnings=warnings)


def table_of(**columns: Sequence[float]) -> StrikeTable:
    """Build a strike table; a column that is not named is unknown throughout."""
    rows = len(columns["strike"])
    names = StrikeTable.__slots__
    return StrikeTable(**{name: np.array(columns.get(name, [NAN] * rows), dtype=np.float64) for name in names})


def given_of(table: StrikeTable, zero_gamma: float | None = None, net_gex: float | None = None) -> Snapshot:
    """Build a snapshot of given strikes."""
    at = QUARTER_BEFORE
    return Snapshot("gexbot", "XYZ", at, at, 100.0, given=table, vendor_zero_gamma=zero_gamma, vendor_net_gex=net_gex)
