"""Refuse numbers that no market has. Shared by the formats, so that one limit means the same in all of them.

A refusal names the first bad row and how many there are. The caps are far above anything seen; they keep sums of
millions of rows finite and catch a wrong unit (milliseconds for seconds, cents for points).
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from gexdesk.model.errors import MalformedPayload, OversizePayload
from gexdesk.model.snapshot import F8
from gexdesk.model.text import printable, symbol_of

Where = Callable[[int], str]
"""Name a row for an operator, e.g. ``line 17`` or ``data.options[16] (SPXW...)``."""

MAX_POINTS = 1e8
"""Largest price or strike, in points."""
MAX_CONTRACTS = 1e10
"""Largest open interest or volume of one row, in contracts."""
MAX_IV = 1e3
"""Largest implied volatility, a fraction per year; real ones reach 26."""
MAX_GREEK = 1e6
"""Largest absolute gamma or delta of one contract."""
MAX_GEX_USD = 1e18
"""Largest absolute exposure of one row, in USD per 1% move."""
MAX_STRIKES = 50_000
"""Strikes of one table; SPX has about 1,200. Whoever asked the decoder takes all of them at once, and serves nobody meanwhile."""
MAX_LISTED = 500_000
"""Contracts of one chain; SPX has about 27,000."""

EARLIEST_AT = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
LATEST_AT = datetime(2101, 1, 1, tzinfo=UTC).timestamp()


def stamp_in_range(at: float, where: str) -> float:
    """Return a UTC epoch stamp unchanged, or refuse one before 1990 or after 2100.

    Raises:
        MalformedPayload: Out of that range or not finite.
    """
    if not (math.isfinite(at) and EARLIEST_AT <= at < LATEST_AT):
        hint = "; is it in milliseconds or finer?" if at >= LATEST_AT else ""
        raise MalformedPayload(f"{where}: the time {at:.15g} (seconds since 1970 UTC) is outside 1990 to 2100{hint}")
    return at


def spot_in_range(spot: float | None, where: str) -> float:
    """Return an underlying's price in points, or refuse one that is missing or not above 0.

    Raises:
        MalformedPayload: None, not above 0 or above ``MAX_POINTS``.
    """
    if spot is None:
        raise MalformedPayload(f"{where} is missing; allowed: the underlying's price in points, above 0")
    if not 0 < spot <= MAX_POINTS:
        raise MalformedPayload(f"{where} is {spot:.15g}; allowed: the underlying's price, above 0 to {MAX_POINTS:.0f} points")
    return spot


def symbol_at(text: str | None, where: str) -> str:
    """Return a market symbol in the house's spelling (``_RUT``, ``^RUT`` -> ``RUT``).

    Raises:
        MalformedPayload: None, or nothing that can be a symbol.
    """
    # The ASCII test comes before upper-casing: some foreign letters upper-case into ASCII ones.
    symbol = symbol_of(text) if text is not None and text.isascii() else None
    if symbol is None:
        found = "missing" if text is None else f"'{printable(text, 40)}'"
        raise MalformedPayload(f"{where} is {found}; allowed: 1 to 16 of A-Z, 0-9 and . _ ^ -")
    return symbol


def refuse_more(count: int, most: int, what: str) -> None:
    """Refuse more of something than any market lists.

    Raises:
        OversizePayload: There are more than ``most``.
    """
    if count > most:
        raise OversizePayload(f"the document has {count:,} {what}; allowed: at most {most:,}")


def refuse_rows(bad: NDArray[np.bool_], where: Where, found: Callable[[int], str], allowed: str) -> None:
    """Refuse a document that has bad rows.

    Args:
        bad: bool[n], one a row.
        where: Names a row.
        found: Says what row i holds, e.g. ``open_interest -3``.
        allowed: Completes "allowed: ...".

    Raises:
        MalformedPayload: Any row is bad; names the first and the count.
    """
    count = int(np.count_nonzero(bad))
    if count:
        first = int(np.argmax(bad))
        more = f" ({count} such rows of {len(bad)}; this is the first)" if count > 1 else ""
        raise MalformedPayload(f"{where(first)}: {printable(found(first), 80)}; allowed: {allowed}{more}")


def at_least_zero(values: F8, most: float, name: str, where: Where) -> F8:
    """Return a column unchanged, or refuse it where a value is below 0 or above a cap; NaN (unknown) passes.

    Raises:
        MalformedPayload: As ``refuse_rows`` says it.
    """
    bad = (values < 0) | (values > most)
    refuse_rows(bad, where, lambda i: f"{name} is {values[i]:.15g}", f"0 to {most:.0f}")
    return values


def at_most(values: F8, most: float, name: str, where: Where) -> F8:
    """Return a column unchanged, or refuse it where an absolute value is above a cap; NaN (unknown) passes.

    Raises:
        MalformedPayload: As ``refuse_rows`` says it.
    """
    refuse_rows(np.abs(values) > most, where, lambda i: f"{name} is {values[i]:.15g}", f"-{most:.0f} to {most:.0f}")
    return values
