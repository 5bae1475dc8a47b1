"""Decode Cboe's delayed quotes: ``{timestamp, symbol, data: {options: [...], symbol, current_price, ...}}``.

The outer ``timestamp`` is UTC and is ``as_of``; quotes are 15 minutes delayed. An ``iv`` of 0 means missing. Gamma has
four decimals only, so 0 there is kept as given: recomputing it from IV is the work of ``gex``.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np

from gexdesk.formats import json_text
from gexdesk.formats.chain import Built, build
from gexdesk.formats.osi import parse_contracts
from gexdesk.formats.ranges import spot_in_range, stamp_in_range, symbol_at
from gexdesk.formats.roots import other_roots_warning
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Snapshot
from gexdesk.model.text import printable

_STAMP = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_STAMP_ALLOWED = "YYYY-MM-DD HH:MM:SS, in UTC"


class _Leg(msgspec.Struct, gc=False):
    option: str
    bid: float | None = None
    ask: float | None = None
    iv: float | None = None
    gamma: float | None = None
    delta: float | None = None
    open_interest: float | None = None
    volume: float | None = None


class _Data(msgspec.Struct, gc=False):
    options: list[_Leg]
    symbol: str | None = None
    current_price: float | None = None


class _Document(msgspec.Struct, gc=False):
    timestamp: str
    data: _Data
    symbol: str | None = None


_DOCUMENT = msgspec.json.Decoder(_Document)
_LEG = msgspec.json.Decoder(_Leg)


class CboeJson:
    """Turn a delayed-quotes document into one snapshot with a chain."""

    name = "cboe_json"
    default_delay_s = 900.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not head.startswith(b"{"):
            return "not a JSON object"
        wrapped = re.search(rb'"data"\s*:\s*\{', head)
        options = re.search(rb'"options"\s*:\s*\[', head)
        if wrapped and options:
            return ""
        if options and re.search(rb'"option"\s*:\s*"', head):
            return "the bare `data` without its wrapper; allowed: the vendor's whole answer {timestamp, symbol, data}"
        if wrapped:
            return "`data` holds no list `options`"
        return "no `data` with a list `options`"

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode a document into one snapshot, one chain row an option, in file order.

        Raises:
            MalformedPayload: What was found, where, what is allowed.
        """
        body = json_text.text(body)
        try:
            document = json_text.decode_listing(_DOCUMENT, body, "", "data.options", _LEG)
        except MalformedPayload as error:
            json_text.refuse_other_format(error, self.name, self.recognises(body[: json_text.HEAD_BYTES]))
            raise
        symbol = _symbol(document)
        quoted_at = _utc(document.timestamp)
        spot = spot_in_range(document.data.current_price, "data.current_price")
        built = _chain(document.data.options)
        return [
            Snapshot(
                format=self.name,
                symbol=symbol,
                as_of=quoted_at + time_shift_s,
                quoted_at=quoted_at,
                spot=spot,
                chain=built.chain,
                delay_s=self.default_delay_s,
                warnings=(*built.warnings, *other_roots_warning(built.chain.roots, symbol)),
            )
        ]


def _symbol(document: _Document) -> str:
    outer, inner = document.symbol, document.data.symbol
    symbol = symbol_at(outer if outer is not None else inner, "symbol")
    if inner is not None and symbol_at(inner, "data.symbol") != symbol:
        raise MalformedPayload(f"symbol is {symbol} outside and {printable(inner, 20)} inside data; allowed: the same")
    return symbol


def _utc(text: str) -> float:
    try:
        if not _STAMP.fullmatch(text):
            raise ValueError("another form")
        at = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        found = f"'{printable(text, 40)}' ({printable(str(error), 60)})"
        raise MalformedPayload(f"timestamp is {found}; allowed: {_STAMP_ALLOWED}") from None
    return stamp_in_range(at, "timestamp")


def _chain(legs: list[_Leg]) -> Built:
    if not legs:
        raise MalformedPayload("data.options is empty; allowed: one contract or more")

    def where(i: int) -> str:
        return f"data.options[{i}] ({printable(legs[i].option, 24)})"

    def column(values: list[float | None]) -> F8:
        return np.array(values, dtype=np.float64)  # None becomes NaN

    return build(
        parse_contracts([leg.option for leg in legs], where),
        where,
        bid=column([leg.bid for leg in legs]),
        ask=column([leg.ask for leg in legs]),
        iv=column([leg.iv for leg in legs]),
        gamma=column([leg.gamma for leg in legs]),
        delta=column([leg.delta for leg in legs]),
        open_interest=column([leg.open_interest for leg in legs]),
        volume=column([leg.volume for leg in legs]),
    )
