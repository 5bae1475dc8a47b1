"""Decode Cboe's quote table: a name line, a date line, a header, then a call and its put on each line.

The header's names repeat: those before ``Strike`` belong to the call, those after to the put. Columns are found by name,
so their order and their case do not matter. The contract is what its option symbol says; the strike column must agree.
The symbol is the underlying that most option roots belong to: the file has only its long name.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gexdesk.formats import json_text
from gexdesk.formats.cboe_date import parse_date_line
from gexdesk.formats.chain import Built, build
from gexdesk.formats.contracts import Contracts
from gexdesk.formats.osi import parse_contracts
from gexdesk.formats.ranges import Where, refuse_rows, spot_in_range, symbol_at
from gexdesk.formats.roots import other_roots_warning, underlying_of
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Snapshot
from gexdesk.model.text import printable

_PREAMBLE_LINES = 8
"""The header stands among the first lines of a table; real files have it in line 3 or 4."""
_SIDE_COLUMNS = ("bid", "ask", "volume", "iv", "delta", "gamma", "open interest")
_OTHER_NAMES = {"vol": "volume", "open int": "open interest", "open int.": "open interest", "int": "open interest"}
_STRIKE_ROUNDING = 0.0051
"""The strike column has two decimals, the symbol three."""
_NUMBER_BYTES = b"0123456789.+-eE,"
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LAST = re.compile(
    r"\bLast:\s*([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)\s*\"?\s*(?:,\s*\"?\s*Change\b|[\s,]*$)"
)
_LAST_2020 = re.compile(r"\),\s*([0-9]+(?:\.[0-9]+)?)\s*,\s*[+-]?[0-9.]+[\s,]*$")


class CboeCsv:
    """Turn a quote table into one snapshot with a chain: two rows a line, the call first."""

    name = "cboe_csv"
    default_delay_s = 900.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        head = head.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
        lines = head.split(b"\n", _PREAMBLE_LINES)[:_PREAMBLE_LINES]
        if head.lstrip()[:1] in (b"{", b"[", b"<"):
            return "not a table"
        if any(_is_header(line.decode("utf-8", "replace")) for line in lines):
            return ""
        return "no header line with Calls, Strike and Puts"

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode a table into one snapshot, in file order.

        Raises:
            MalformedPayload: What was found, in which line, what is allowed.
        """
        body = json_text.utf8(body).replace(b"\r\n", b"\n")
        if b"\r" in body:
            line = body.count(b"\n", 0, body.index(b"\r")) + 1
            raise MalformedPayload(f"line {line}: a carriage return without a line feed; allowed: lines ended by LF or CRLF")
        header_line, preamble, header, table = _split(body, self.recognises(body[: json_text.HEAD_BYTES]))
        spot = _spot(preamble[0])
        quoted_at, warning = parse_date_line(preamble[1])
        built = _chain(table, header, header_line)
        counts = Counter(dict(zip(built.chain.roots, np.bincount(built.chain.root).tolist(), strict=True)))
        symbol = symbol_at(underlying_of(counts.most_common(1)[0][0]), "the option root")
        warnings = [warning] if warning else []
        if not body.endswith(b"\n"):
            warnings.append("the file ends without a line feed: its last number may be cut")
        return [
            Snapshot(
                format=self.name,
                symbol=symbol,
                as_of=quoted_at + time_shift_s,
                quoted_at=quoted_at,
                spot=spot,
                chain=built.chain,
                delay_s=self.default_delay_s,
                warnings=(*warnings, *built.warnings, *other_roots_warning(built.chain.roots, symbol)),
            )
        ]


def _cells(line: str) -> list[str]:
    names = [" ".join(cell.strip(' "').casefold().split()) for cell in line.split(",")]
    return [_OTHER_NAMES.get(name, name) for name in names]


def _is_header(line: str) -> bool:
    return {"calls", "strike", "puts"} <= set(_cells(line))


def _split(body: bytes, why_not: str) -> tuple[int, list[str], list[str], bytes]:
    """Return the header's line number (from 1), the two lines above it, its names, and the table below it."""
    lines = body.split(b"\n", _PREAMBLE_LINES)
    texts = [line.decode("utf-8") for line in lines[:_PREAMBLE_LINES]]
    at = next((i for i, text in enumerate(texts) if _is_header(text)), None)
    if at is None:
        raise MalformedPayload(f"this is no cboe_csv document: {why_not or 'no header line with Calls, Strike and Puts'}")
    above = [(i, text) for i, text in enumerate(texts[:at], start=1) if text.strip(" ,\t")]
    if len(above) != 2:
        raise MalformedPayload(
            f"line {at + 1} is the header with {len(above)} lines of text above it; "
            "allowed: two, the name with its last price and the date"
        )
    for i, text in above:
        if text.count('"') % 2:
            raise MalformedPayload(f"line {i}: a quote is opened and never closed")
    offset = sum(len(line) + 1 for line in lines[: at + 1])
    return at + 1, [text for _, text in above], _cells(texts[at]), body[offset:]


def _spot(name_line: str) -> float:
    match = _LAST.search(name_line) or _LAST_2020.search(name_line)
    if match is None:
        raise MalformedPayload(f"the name line '{printable(name_line, 80)}' has no last price; allowed: 'NAME,Last: 4500.53,...'")
    return spot_in_range(float(match.group(1).replace(",", "")), "the last price in the name line")


def _columns(header: list[str], line: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return where the call's and the put's columns stand, by name; the symbol's is called ``symbol``."""
    middle = header.index("strike")
    sides = []
    for side, names, first in (("calls", header[:middle], 0), ("puts", header[middle + 1 :], middle + 1)):
        if side not in names:
            raise MalformedPayload(f"line {line}: the header has no '{side}' on its side of 'Strike'")
        missing = [name for name in _SIDE_COLUMNS if name not in names]
        if missing:
            raise MalformedPayload(
                f"line {line}: the {side} have no column '{missing[0]}'; allowed: a table with {', '.join(_SIDE_COLUMNS)}"
            )
        twice = [name for name in (side, *_SIDE_COLUMNS) if names.count(name) > 1]
        if twice:
            raise MalformedPayload(f"line {line}: the {side} have the column '{twice[0]}' twice")
        sides.append({"symbol": first + names.index(side)} | {name: first + names.index(name) for name in _SIDE_COLUMNS})
    return sides[0], sides[1]


def _chain(table: bytes, header: list[str], header_line: int) -> Built:
    calls, puts = _columns(header, header_line)
    width = len(header)
    flat = _fields(table, width, header_line)

    def where(i: int) -> str:
        return f"line {header_line + 1 + i // 2}"

    def both(name: str) -> F8:
        """Read a column of calls and puts, interleaved into rows."""
        values = np.empty(2 * (len(flat) // width), dtype=np.float64)
        for start, side in enumerate((calls, puts)):
            values[start::2] = _numbers(flat[side[name] :: width], name, header_line)
        return values

    symbols = [""] * (2 * (len(flat) // width))
    for start, side in enumerate((calls, puts)):
        symbols[start::2] = [cell.decode("utf-8") for cell in flat[side["symbol"] :: width]]
    contracts = parse_contracts(symbols, where)
    strike = _numbers(flat[header.index("strike") :: width], "strike", header_line)
    _refuse_mixed_lines(contracts, strike, where)
    return build(
        contracts,
        where,
        bid=both("bid"),
        ask=both("ask"),
        iv=both("iv"),
        gamma=both("gamma"),
        delta=both("delta"),
        open_interest=both("open interest"),
        volume=both("volume"),
    )


def _refuse_mixed_lines(contracts: Contracts, strike: F8, where: Where) -> None:
    """Refuse a line whose call and put are not one contract's two sides at the strike it states."""
    def mixed(column: NDArray[np.generic]) -> NDArray[np.bool_]:
        return np.repeat(column[0::2] != column[1::2], 2)

    unlike = mixed(contracts.root) | mixed(contracts.expiry) | mixed(contracts.strike)
    wrong_side = contracts.is_call != (np.arange(len(contracts.strike)) % 2 == 0)
    rule = "a call and the put of the same root, expiry and strike"
    refuse_rows(unlike | wrong_side, where, lambda _: "its two symbols do not belong together", rule)
    stated = np.repeat(strike, 2)
    refuse_rows(
        ~(np.abs(stated - contracts.strike) <= _STRIKE_ROUNDING),
        where,
        lambda i: f"strike {stated[i]:.15g} beside a symbol of strike {contracts.strike[i]:.15g}",
        "the symbol's strike",
    )


def _fields(table: bytes, width: int, header_line: int) -> list[bytes]:
    """Return every cell of the table, row after row, ``width`` to a row."""
    first_line = header_line + 1
    table = table.rstrip(b"\n")
    if not table.strip():
        raise MalformedPayload(f"line {header_line}: the header has no rows below it; allowed: one or more")
    if b'"' in table:
        table = _unquoted(table, first_line)
    text = np.frombuffer(table + b"\n", dtype=np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    commas = np.diff(np.searchsorted(np.flatnonzero(text == ord(",")), ends), prepend=0)
    refuse_rows(
        commas != width - 1,
        lambda i: f"line {first_line + i}",
        lambda i: f"{commas[i] + 1} columns" if ends[i] > (ends[i - 1] + 1 if i else 0) else "an empty line",
        f"{width} columns as in the header",
    )
    return table.replace(b"\n", b",").split(b",")


def _unquoted(table: bytes, first_line: int) -> bytes:
    """Take the quotes off a table that was saved again with them; none of its cells needs any."""
    plain = []
    for number, line in enumerate(table.split(b"\n"), start=first_line):
        if line.count(b'"') % 2:
            raise MalformedPayload(f"line {number}: a quote is opened and never closed")
        try:
            cells = next(csv.reader([line.decode("utf-8")], strict=True), [])
        except csv.Error as error:
            raise MalformedPayload(f"line {number}: {printable(str(error), 80)}") from None
        bad = next((cell for cell in cells if "," in cell or '"' in cell), None)
        if bad is not None:
            raise MalformedPayload(f"line {number}: the cell '{printable(bad, 40)}'; allowed: plain numbers without separators")
        plain.append(",".join(cells).encode("utf-8"))
    return b"\n".join(plain)


def _numbers(cells: list[bytes], name: str, header_line: int) -> F8:
    """Parse one column, one cell a line; float64[lines]."""
    # float() also takes "nan", "inf", "1_0" and foreign digits: look at the bytes first.
    if not b",".join(cells).translate(None, _NUMBER_BYTES):
        try:
            return np.array(list(map(float, cells)), dtype=np.float64)
        except ValueError:
            pass
    bad = np.fromiter((not _NUMBER.fullmatch(cell) for cell in cells), dtype=np.bool_, count=len(cells))
    refuse_rows(
        bad,
        lambda i: f"line {header_line + 1 + i}",
        lambda i: f"{name} is '{printable(cells[i].decode('utf-8', 'replace'), 40)}'",
        "a plain number such as 0.1234",
    )
    return np.array(list(map(float, cells)), dtype=np.float64)
