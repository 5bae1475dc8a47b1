"""Read option symbols in OSI form as one byte matrix.

The last 15 characters are fixed-width: ``YYMMDD``, ``C`` or ``P``, then the strike times 1000 in 8 digits. What stands
before them is the root, 1 to 6 characters, with or without padding: ``SPXW241220C00200000``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gexdesk.formats.ranges import Where, refuse_rows
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, I4
from gexdesk.model.text import printable

_TAIL = 15
_ROOT = 6
_ALLOWED = "root (1 to 6 of A-Z, 0-9), YYMMDD, C or P, strike x 1000 in 8 digits, e.g. SPXW241220C06000000"
_MONTH_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Contracts:
    """Hold the key of n contracts in the columns of ``model.snapshot.Chain``."""

    roots: tuple[str, ...]
    root: I4
    expiry: I4
    is_call: NDArray[np.bool_]
    strike: F8


def days_since_epoch(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count int64[n] days since 1970-01-01 of Gregorian dates.

    Source: Howard Hinnant, "chrono-compatible low-level date algorithms", ``days_from_civil``.
    """
    shifted = year - (month <= 2)
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days: NDArray[np.int64] = era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
    return days


def parse_contracts(symbols: Sequence[str], where: Where) -> Contracts:
    """Parse n >= 1 symbols.

    Args:
        symbols: One a contract, in row order.
        where: Names row i for an operator.

    Returns:
        Roots in order of first appearance; ``expiry`` as written in the symbol, in days since 1970-01-01; strikes in
        points, above 0, with three decimals.

    Raises:
        MalformedPayload: The first symbol that is none, an impossible date, a strike of 0, or the first contract that
            stands twice.
    """
    joined = "\n".join(symbols)
    if " " in joined:
        symbols = [symbol.replace(" ", "") for symbol in symbols]
        joined = "\n".join(symbols)
    if not joined.isascii() or joined.count("\n") != len(symbols) - 1:
        odd = next(i for i, symbol in enumerate(symbols) if not symbol.isascii() or "\n" in symbol)
        raise MalformedPayload(f"{where(odd)}: '{printable(symbols[odd], 40)}' is no option symbol; allowed: {_ALLOWED}")

    # Row i ends before end[i]; six bytes in front of the buffer let short roots be gathered without leaving it.
    text = np.frombuffer(b"\n" * _ROOT + joined.encode("ascii") + b"\n", dtype=np.uint8)
    end = np.flatnonzero(text == 10)[_ROOT:]
    root_length = np.diff(end, prepend=_ROOT - 1) - 1 - _TAIL

    def found(i: int) -> str:
        return f"'{symbols[i]}' is no option symbol"

    refuse_rows((root_length < 1) | (root_length > _ROOT), where, found, _ALLOWED)
    tail = text[end[:, None] + np.arange(-_TAIL, 0)]
    digits = tail.astype(np.int64) - 48
    is_call = tail[:, 6] == ord("C")
    is_digit = (digits >= 0) & (digits <= 9)
    is_digit[:, 6] = is_call | (tail[:, 6] == ord("P"))

    letters = text[(end - _TAIL)[:, None] + np.arange(-_ROOT, 0)]
    inside = np.arange(_ROOT, 0, -1) <= root_length[:, None]
    is_letter = ((letters >= ord("A")) & (letters <= ord("Z"))) | ((letters >= ord("0")) & (letters <= ord("9")))
    refuse_rows(~(is_digit.all(axis=1) & (is_letter | ~inside).all(axis=1)), where, found, _ALLOWED)

    year = 2000 + digits[:, 0] * 10 + digits[:, 1]
    month = digits[:, 2] * 10 + digits[:, 3]
    day = digits[:, 4] * 10 + digits[:, 5]
    longest = _MONTH_DAYS[np.clip(month, 0, 12)] - ((month == 2) & (year % 4 != 0))
    no_date = (month < 1) | (month > 12) | (day < 1) | (day > longest)
    refuse_rows(no_date, where, lambda i: f"'{symbols[i]}' expires on no date of the calendar", _ALLOWED)

    strike = (digits[:, 7:] @ (10 ** np.arange(7, -1, -1, dtype=np.int64))) / 1000.0
    refuse_rows(strike <= 0, where, lambda i: f"'{symbols[i]}' has strike 0", "a strike above 0")

    packed = np.where(inside, letters, 0).astype(np.int64) @ (256 ** np.arange(_ROOT - 1, -1, -1, dtype=np.int64))
    _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    roots = tuple(symbols[int(i)][:-_TAIL] for i in first[order])

    if len(set(symbols)) < len(symbols):
        _refuse_repeat(symbols, where)
    return Contracts(
        roots=roots,
        root=rank[inverse].astype(np.int32),
        expiry=days_since_epoch(year, month, day).astype(np.int32),
        is_call=is_call,
        strike=strike,
    )


def _refuse_repeat(symbols: Sequence[str], where: Where) -> None:
    seen: dict[str, int] = {}
    repeats = [(seen[symbol], i) for i, symbol in enumerate(symbols) if seen.setdefault(symbol, i) != i]
    first, again = repeats[0]
    more = f" ({len(repeats)} repeats in all)" if len(repeats) > 1 else ""
    raise MalformedPayload(
        f"{where(again)}: the contract stands twice, first at {where(first)}{more}; "
        "allowed: each (root, expiry, right, strike) once"
    )
