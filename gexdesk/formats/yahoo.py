"""Decode Yahoo's option chains: ``{optionChain: {result: [{quote, options: [{calls, puts}]}], error}}``, one snapshot a result.

A result may also stand alone, without the wrapper. Keys are absent rather than null; an IV of 1e-05 means missing; there is
no gamma and no delta. With ``formatted=true`` each number is ``{"raw": 1.5, "fmt": "1.50"}``, and ``{}`` where it is missing;
an empty text is missing too. The stamp is the underlying's ``quote.regularMarketTime``, in epoch seconds: option quotes have
none of their own.
"""

import math
import re
from collections.abc import Sequence

import msgspec
import numpy as np

from gexdesk.formats import json_text
from gexdesk.formats.chain import build
from gexdesk.formats.osi import parse_contracts
from gexdesk.formats.ranges import spot_in_range, stamp_in_range, symbol_at
from gexdesk.formats.roots import other_roots_warning
from gexdesk.formats.vendor_number import numbers
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Snapshot
from gexdesk.model.text import printable


class _Formatted(msgspec.Struct, gc=False):
    raw: float | None = None


_Number = float | str | _Formatted | None


class _Contract(msgspec.Struct, gc=False):
    symbol: str = msgspec.field(name="contractSymbol")
    bid: _Number = None
    ask: _Number = None
    iv: _Number = msgspec.field(default=None, name="impliedVolatility")
    open_interest: _Number = msgspec.field(default=None, name="openInterest")
    volume: _Number = None
    size: str | None = msgspec.field(default=None, name="contractSize")


class _Expiry(msgspec.Struct, gc=False):
    calls: list[_Contract] = []
    puts: list[_Contract] = []


class _Quote(msgspec.Struct, gc=False):
    price: _Number = msgspec.field(default=None, name="regularMarketPrice")
    time: _Number = msgspec.field(default=None, name="regularMarketTime")


class _Result(msgspec.Struct, gc=False):
    options: list[_Expiry]
    symbol: str | None = msgspec.field(default=None, name="underlyingSymbol")
    quote: _Quote | None = None


class _Chains(msgspec.Struct, gc=False):
    result: list[_Result] | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class _Document(msgspec.Struct, gc=False):
    chains: _Chains = msgspec.field(name="optionChain")


_DOCUMENT = msgspec.json.Decoder(_Document)
_RESULT = msgspec.json.Decoder(_Result)


class Yahoo:
    """Turn each result into a snapshot with a chain, calls before puts at each expiry."""

    name = "yahoo"
    default_delay_s = 900.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        if not json_text.starts(head, rb"\{"):
            return "not a JSON object"
        if json_text.starts(head, rb'\{\s*"optionChain"\s*:\s*\{') or (
            re.search(rb'"underlyingSymbol"\s*:\s*"', head) and re.search(rb'"(?:options|expirationDates)"\s*:\s*\[', head)
        ):
            return ""
        return "no `optionChain`, nor an `underlyingSymbol` with `options`"

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode every result, in file order.

        Raises:
            MalformedPayload: What was found, where, what is allowed.
        """
        body = json_text.text(body)
        try:
            if not json_text.starts(body, rb'\{\s*"optionChain"'):
                return [self._snapshot(json_text.decode(_RESULT, body), "", time_shift_s)]
            chains = json_text.decode(_DOCUMENT, body).chains
        except MalformedPayload as error:
            json_text.refuse_other_format(error, self.name, self.recognises(body[: json_text.HEAD_BYTES]))
            raise
        if not chains.result:
            why = printable(bytes(chains.error).decode("utf-8", "replace"), 120)
            raise MalformedPayload(f"optionChain.result is empty, its error is {why}; allowed: one result or more")
        return [self._snapshot(r, f"optionChain.result[{i}]", time_shift_s) for i, r in enumerate(chains.result)]

    def _snapshot(self, result: _Result, at: str, time_shift_s: float) -> Snapshot:
        def field(name: str) -> str:
            return f"{at}.{name}" if at else name

        quote = result.quote or _Quote()
        stamp, price = (_one(value, field(f"quote.{name}")) for value, name in (
            (quote.time, "regularMarketTime"), (quote.price, "regularMarketPrice")
        ))  # fmt: skip
        if stamp is None:
            raise MalformedPayload(f"{field('quote.regularMarketTime')} is missing; allowed: the quotes' time in epoch seconds")
        quoted_at = stamp_in_range(stamp, field("quote.regularMarketTime"))
        contracts: list[_Contract] = []
        places: list[tuple[int, str, int]] = []
        for e, expiry in enumerate(result.options):
            for side, rows in (("calls", expiry.calls), ("puts", expiry.puts)):
                contracts += rows
                places += [(e, side, i) for i in range(len(rows))]
        if not contracts:
            raise MalformedPayload(f"{field('options')} holds no contract; allowed: one or more")

        def where(i: int) -> str:
            e, side, row = places[i]
            return field(f"options[{e}].{side}[{row}] ({printable(contracts[i].symbol, 24)})")

        def column(name: str) -> F8:
            return numbers([_plain(getattr(contract, name)) for contract in contracts], "", name, where)

        built = build(
            parse_contracts([c.symbol for c in contracts], where),
            where,
            bid=column("bid"),
            ask=column("ask"),
            iv=column("iv"),
            gamma=np.full(len(contracts), math.nan),
            delta=np.full(len(contracts), math.nan),
            open_interest=column("open_interest"),
            volume=column("volume"),
            odd=np.array([c.size not in (None, "REGULAR") for c in contracts]),
        )
        symbol = symbol_at(result.symbol, field("underlyingSymbol"))
        return Snapshot(
            format=self.name,
            symbol=symbol,
            as_of=quoted_at + time_shift_s,
            quoted_at=quoted_at,
            spot=spot_in_range(price, field("quote.regularMarketPrice")),
            chain=built.chain,
            delay_s=self.default_delay_s,
            warnings=(*built.warnings, *other_roots_warning(built.chain.roots, symbol)),
        )


def _plain(value: _Number) -> float | str | None:
    return value.raw if isinstance(value, _Formatted) else value


def _one(value: _Number, field: str) -> float | None:
    plain = _plain(value)
    if isinstance(plain, str):
        if plain:
            raise MalformedPayload(f"{field} is '{printable(plain, 40)}'; allowed: a number")
        return None
    return plain
