"""Decode Deribit's book summary: ``{jsonrpc, result: [{instrument_name, mark_iv, bid_price, ...}], usOut}``.

Premiums are in coin and become points (USD) by the summary's ``underlying_price``, the forward of that expiry; ``mark_iv``
is in percent; there are no greeks. Open interest and volume are in coin, so that one contract is one coin: the multiplier
is 1. Options settle at 08:00 UTC, which their roots say (``BTC@DERIBIT``): ``BTC`` alone is a root of the American exchanges.
The spot is ``estimated_delivery_price``, the index; an ``underlying_index`` that begins with ``SYN.`` is a forward that no
traded future stands behind, and is warned of. Futures in the same answer are passed over.
"""

import math
import re
from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np

from gexdesk.formats import json_text
from gexdesk.formats.chain import build
from gexdesk.formats.contracts import Contracts, day_number
from gexdesk.formats.ranges import MAX_POINTS, Where, refuse_rows, spot_in_range, stamp_in_range, symbol_at
from gexdesk.formats.vendor_stamp import newest_ms
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.market import DERIBIT
from gexdesk.model.snapshot import F8, Snapshot
from gexdesk.model.text import printable

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAME = re.compile(r"([A-Z0-9]{1,6})-(\d{1,2})([A-Z]{3})(\d{2})-(\d{1,8}(?:\.\d{1,4})?)-([CP])", re.ASCII)
_LINEAR = re.compile(r"[A-Z0-9]+_[A-Z0-9]+-", re.ASCII)
_ALLOWED = "a coin-settled option such as BTC-27DEC24-100000-C"


class _Summary(msgspec.Struct, gc=False):
    instrument_name: str
    underlying_price: float | None = None
    underlying_index: str | None = None
    estimated_delivery_price: float | None = None
    mark_iv: float | None = None
    bid_price: float | None = None
    ask_price: float | None = None
    open_interest: float | None = None
    volume: float | None = None
    creation_timestamp: float | None = None


class _Document(msgspec.Struct, gc=False):
    result: list[_Summary]
    usOut: float | None = None  # noqa: N815 - the vendor's spelling


_DOCUMENT = msgspec.json.Decoder(_Document)
_SUMMARY = msgspec.json.Decoder(_Summary)


class Deribit:
    """Turn a book summary of one coin into one snapshot with a chain."""

    name = "deribit"
    default_delay_s = 0.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        if not json_text.starts(head, rb"\{"):
            return "not a JSON object"
        if re.search(rb'"result"\s*:\s*\[\s*\{', head) and b'"instrument_name"' in head:
            return ""
        if b'"instrument_name"' in head:
            return "instruments, but not in a list `result`; allowed: the vendor's whole answer {jsonrpc, result, ...}"
        return "no `result` with an `instrument_name`"

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode an answer into one snapshot, one chain row an option, in file order.

        Raises:
            MalformedPayload: What was found, where, what is allowed.
        """
        body = json_text.text(body)
        try:
            document = json_text.decode_listing(_DOCUMENT, body, "", "result", _SUMMARY)
        except MalformedPayload as error:
            json_text.refuse_other_format(error, self.name, self.recognises(body[: json_text.HEAD_BYTES]))
            raise
        rows = [(i, s) for i, s in enumerate(document.result) if s.instrument_name.endswith(("-C", "-P"))]
        if not rows:
            raise MalformedPayload("result holds no option; allowed: one or more")
        return [_snapshot(rows, document.usOut, time_shift_s)]


def _snapshot(rows: list[tuple[int, _Summary]], us_out: float | None, time_shift_s: float) -> Snapshot:
    options = [summary for _, summary in rows]

    def where(i: int) -> str:
        return f"result[{rows[i][0]}] ({printable(options[i].instrument_name, 32)})"

    def column(values: list[float | None]) -> F8:
        return np.array(values, dtype=np.float64)  # None becomes NaN

    coins, contracts = _contracts(options, where)
    forward = column([option.underlying_price for option in options])
    refuse_rows(
        ~np.isnan(forward) & ~((forward > 0) & (forward <= MAX_POINTS)),
        where, lambda i: f"underlying_price {forward[i]:.15g}", "above 0, in USD",
    )  # fmt: skip
    built = build(
        contracts,
        where,
        bid=column([option.bid_price for option in options]) * forward,
        ask=column([option.ask_price for option in options]) * forward,
        iv=column([option.mark_iv for option in options]) / 100.0,
        gamma=np.full(len(options), math.nan),
        delta=np.full(len(options), math.nan),
        open_interest=column([option.open_interest for option in options]),
        volume=column([option.volume for option in options]),
    )
    quoted_at = _quoted_at(options, us_out)
    spots = [option.estimated_delivery_price for option in options if option.estimated_delivery_price]
    warnings = []
    if not spots:
        warnings.append("estimated_delivery_price is missing on every option: the index is not known")
    synthetic = sum(1 for option in options if (option.underlying_index or "").startswith("SYN."))
    if synthetic:
        warnings.append(f"{synthetic} of {len(options)} options are priced on a synthetic forward (SYN.), not on a traded future")
    return Snapshot(
        format=Deribit.name,
        symbol=symbol_at(coins, "instrument_name"),
        as_of=quoted_at + time_shift_s,
        quoted_at=quoted_at,
        spot=spot_in_range(spots[0], "estimated_delivery_price") if spots else None,
        chain=built.chain,
        multiplier=1.0,
        warnings=(*warnings, *built.warnings),
    )


def _contracts(options: list[_Summary], where: Where) -> tuple[str, Contracts]:
    coins: list[str] = []
    expiry: list[int] = []
    strikes: list[float] = []
    for i, option in enumerate(options):
        match = _NAME.fullmatch(option.instrument_name)
        if match is None:
            linear = _LINEAR.match(option.instrument_name) is not None
            why = "is a linear option, settled in a stable coin" if linear else "is no option's name"
            raise MalformedPayload(f"{where(i)} {why}; allowed: {_ALLOWED}")
        coin, day, month, year, strike, _ = match.groups()
        try:
            expiry.append(day_number(date(2000 + int(year), _MONTHS.index(month) + 1, int(day))))
        except ValueError:
            raise MalformedPayload(f"{where(i)} expires on no date of the calendar; allowed: {_ALLOWED}") from None
        if coins and coin != coins[0]:
            raise MalformedPayload(f"{where(i)} is of {coin}, the first of {coins[0]}; allowed: the options of one coin")
        coins.append(coin)
        strikes.append(float(strike))
    strike_column = np.array(strikes, dtype=np.float64)
    refuse_rows(strike_column <= 0, where, lambda _: "strike 0", "a strike above 0")
    is_call = [option.instrument_name.endswith("C") for option in options]
    return coins[0], Contracts.of([f"{coin}{DERIBIT}" for coin in coins], expiry, is_call, strike_column)


def _quoted_at(options: list[_Summary], us_out: float | None) -> float:
    """Return the newest ``creation_timestamp`` (milliseconds), or where there is none the answer's ``usOut`` (microseconds)."""
    if us_out is not None and not any(option.creation_timestamp for option in options):
        return stamp_in_range(us_out / 1e6, "usOut")
    return newest_ms((option.creation_timestamp for option in options), "creation_timestamp")
