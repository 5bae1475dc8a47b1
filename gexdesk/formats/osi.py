"""Read option symbols in OSI form as one byte matrix.

The last 15 characters are fixed-width: ``YYMMDD``, ``C`` or ``P``, then the strike times 1000 in 8 digits. What stands
before them is the root, 1 to 6 characters, with or without padding: ``SPXW241220C00200000``.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gexdesk.formats.contracts import Contracts, days_since_epoch
from gexdesk.formats.ranges import Where, refuse_rows
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8
from gexdesk.model.text import printable

T = TypeVar("T", bound=np.generic)
_TAIL = 15
_ROOT = 6
_ALLOWED = "root (1 to 6 of A-Z, 0-9), YYMMDD, C or P, strike x 1000 in 8 digits, e.g. SPXW241220C06000000"
_MONTH_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
_PLACES: F8 = np.array([1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1e0], dtype=np.float64)
_LETTER_PLACES: F8 = np.array([256.0**i for i in range(_ROOT - 1, -1, -1)], dtype=np.float64)
"""Six bytes make a number below 2**48, which a float64 holds exactly: its product with a matrix is the fast one."""
_IS_LETTER = np.isin(np.arange(256), np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", dtype=np.uint8))
_FROM_TAIL = np.arange(_ROOT, 0, -1)


def parse_contracts(symbols: Sequence[str], where: Where) -> Contracts:
    """Parse n >= 1 symbols, one a contract, in row order.

    Args:
        where: Names row i for an operator.

    Returns:
        Roots in order of first appearance; ``expiry`` as written in the symbol; strikes in points, above 0, with three
        decimals. A contract may stand twice: ``chain.build`` looks at that.

    Raises:
        MalformedPayload: The first symbol that is none, an impossible date, or a strike of 0.
    """
    joined = "\n".join(symbols)
    if " " in joined:
        symbols = [symbol.replace(" ", "") for symbol in symbols]
        joined = "\n".join(symbols)
    if not joined.isascii() or joined.count("\n") != len(symbols) - 1:
        odd = next(i for i, symbol in enumerate(symbols) if not symbol.isascii() or "\n" in symbol)
        raise MalformedPayload(f"{where(odd)}: '{printable(symbols[odd], 40)}' is no option symbol; allowed: {_ALLOWED}")

    # Row i ends before end[i]; bytes in front of the buffer let short symbols be looked at without leaving it.
    front = _ROOT + _TAIL
    text = np.frombuffer(b"\n" * front + joined.encode("ascii") + b"\n", dtype=np.uint8)
    end = (text == 10).nonzero()[0][front:]
    root_length = end - (1 + _TAIL)
    root_length[0] -= front - 1
    root_length[1:] -= end[:-1]

    def found(i: int) -> str:
        return f"'{symbols[i]}' is no option symbol"

    refuse_rows((root_length < 1) | (root_length > _ROOT), where, found, _ALLOWED)
    # Every window of 21 bytes, one byte apart, of which each symbol's last is taken: no copy but that of the rows.
    windows: NDArray[np.uint8] = np.ndarray((len(text) - front + 1, front), np.uint8, text, strides=(1, 1))
    matrix = windows[end - front]
    right = matrix[:, _ROOT + 6]
    is_call = right == ord("C")
    digits = matrix[:, _ROOT:] - 48  # below "0" it wraps to above 9
    digits[:, 6] = np.where(is_call | (right == ord("P")), 0, 10)
    inside = root_length[:, None] >= _FROM_TAIL
    letters = np.where(inside, matrix[:, :_ROOT], ord("A"))
    is_letter = _IS_LETTER[letters]
    if digits.max() > 9 or not is_letter.all():
        bad: NDArray[np.bool_] = np.any(digits > 9, axis=1) | np.any(~is_letter, axis=1)
        refuse_rows(bad, where, found, _ALLOWED)

    expiry = _expiry(digits, symbols, where)
    strike = digits[:, 7:].astype(np.float64) @ _PLACES / 1000.0
    refuse_rows(~(strike > 0), where, lambda i: f"'{symbols[i]}' has strike 0", "a strike above 0")
    letters[~inside] = 0
    roots, root = _roots(letters.astype(np.float64) @ _LETTER_PLACES, symbols)
    return Contracts(roots=roots, root=root, expiry=expiry.astype(np.int32), is_call=is_call, strike=strike)


def _expiry(digits: NDArray[np.uint8], symbols: Sequence[str], where: Where) -> NDArray[np.int64]:
    """Return days since 1970-01-01, each distinct date worked out once."""
    written = (digits[:, :6].astype(np.float64) @ _PLACES[2:]).astype(np.int64)
    first, run = _runs(written)
    year, month, day = 2000 + first // 10_000, first // 100 % 100, first % 100
    longest = _MONTH_DAYS[np.minimum(month, 12)] - ((month == 2) & (year % 4 != 0))
    no_date = (month < 1) | (month > 12) | (day < 1) | (day > longest)
    refuse_rows(no_date[run], where, lambda i: f"'{symbols[i]}' expires on no date of the calendar", _ALLOWED)
    expiry: NDArray[np.int64] = days_since_epoch(year, month, day)[run]
    return expiry


def _roots(packed: F8, symbols: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    first, run = _runs(packed)
    _, at, inverse = np.unique(first, return_index=True, return_inverse=True)
    order = np.argsort(at)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    roots = tuple(symbols[row][:-_TAIL] for row in run.searchsorted(at[order]).tolist())  # where each run begins
    return roots, rank[inverse][run].astype(np.int32)


def _runs(column: NDArray[T]) -> tuple[NDArray[T], NDArray[np.intp]]:
    """Return the first value of each run of equal ones, and each row's run: chains come sorted, their runs are few."""
    begins = np.empty(len(column), dtype=np.bool_)
    begins[0] = True
    np.not_equal(column[1:], column[:-1], out=begins[1:])
    return column[begins], np.cumsum(begins) - 1
