"""Put the strikes of a given table in order, and refuse what cannot be one."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gexdesk.formats.ranges import (
    MAX_CONTRACTS,
    MAX_GEX_USD,
    MAX_POINTS,
    MAX_STRIKES,
    Where,
    at_least_zero,
    at_most,
    refuse_more,
    refuse_rows,
)
from gexdesk.model.snapshot import F8, StrikeTable


def ascending(strike: F8, where: Where) -> NDArray[np.intp]:
    """Return the order that sorts n strikes ascending.

    Args:
        strike: float64[n], points, in file order.
        where: Names a row of the file.

    Raises:
        OversizePayload: There are more than ``MAX_STRIKES``.
        MalformedPayload: A strike is not above 0 or above ``MAX_POINTS``, or stands twice.
    """
    refuse_more(len(strike), MAX_STRIKES, "strikes")
    refuse_rows(~((strike > 0) & (strike <= MAX_POINTS)), where, lambda i: f"strike {strike[i]:.15g}", "above 0")
    order = np.argsort(strike, kind="stable")
    again = np.zeros(len(strike), dtype=np.bool_)
    ordered = strike[order]
    again[order[1:]] = ordered[1:] == ordered[:-1]
    refuse_rows(again, where, lambda i: f"strike {strike[i]:.15g} stands twice", "each strike once")
    return order


def canonical_table(column: Callable[[str], F8], where: Where) -> StrikeTable:
    """Return the table of the house's own strikes, ascending.

    Args:
        column: Gives a field of the canonical snapshot by name; float64[n] in file order, NaN where unknown.
        where: Names a row of the file.

    Raises:
        OversizePayload, MalformedPayload: As ``ascending``, or a number that no market has.
    """

    def counted(name: str) -> F8:
        return at_least_zero(column(name), MAX_CONTRACTS, name, where)[order]

    strike = column("strike_price")
    order = ascending(strike, where)
    for quote in ("call_bid", "call_ask", "put_bid", "put_ask"):
        at_least_zero(column(quote), MAX_POINTS, quote, where)
    unknown = np.full(len(order), math.nan)
    return StrikeTable(
        strike=strike[order],
        call_open_interest=counted("call_open_interest"),
        put_open_interest=counted("put_open_interest"),
        call_volume=counted("call_volume"),
        put_volume=counted("put_volume"),
        call_gex=unknown,
        put_gex=unknown,
        net_gex=at_most(column("gamma"), MAX_GEX_USD, "gamma", where)[order],
        net_gex_volume=unknown,
    )
