"""Decode Schwab's option chain, and TD Ameritrade's before it: ``{symbol, status, callExpDateMap, putExpDateMap, ...}``.

``callExpDateMap["2025-04-11:1"]["3.0"]`` is a list of contracts. Stamps are epoch milliseconds; a missing greek is the text
``"NaN"`` or -999; ``volatility`` is in percent. ``underlying`` may be null: the price is then ``underlyingPrice``, and where
that is 0 too the spot is unknown. ``status: FAILED`` is a valid answer without contracts: refused with that word.
"""

import math
import re
from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np

from gexdesk.formats import json_text
from gexdesk.formats.chain import Built, build
from gexdesk.formats.contracts import Contracts, day_number
from gexdesk.formats.ranges import MAX_POINTS, symbol_at
from gexdesk.formats.roots import other_roots_warning
from gexdesk.formats.vendor_number import numbers
from gexdesk.formats.vendor_stamp import newest_ms
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Snapshot
from gexdesk.model.text import printable

_MISSING = -999.0
_DATE_KEY = re.compile(r"(\d{4}-\d{2}-\d{2})(?::-?\d{1,5})?", re.ASCII)
_STRIKE_KEY = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_OSI = re.compile(r"([A-Z0-9]{1,6}) *(\d{6})([CP])(\d{8})", re.ASCII)
_TDA = re.compile(r"([A-Z0-9]{1,6})_(\d{6})([CP])(\d{1,8}(?:\.\d{1,6})?)", re.ASCII)

_Number = float | str | None


class _Contract(msgspec.Struct, gc=False):
    symbol: str
    bid: _Number = None
    ask: _Number = None
    volatility: _Number = None
    delta: _Number = None
    gamma: _Number = None
    open_interest: _Number = msgspec.field(default=None, name="openInterest")
    volume: _Number = msgspec.field(default=None, name="totalVolume")
    multiplier: _Number = None
    quoted_ms: float | None = msgspec.field(default=None, name="quoteTimeInLong")
    traded_ms: float | None = msgspec.field(default=None, name="tradeTimeInLong")
    non_standard: bool | None = msgspec.field(default=None, name="nonStandard")


class _Underlying(msgspec.Struct, gc=False):
    mark: _Number = None
    last: _Number = None
    quoted_ms: float | None = msgspec.field(default=None, name="quoteTime")


_Map = dict[str, dict[str, list[_Contract]]]


class _Document(msgspec.Struct, gc=False, rename="camel"):
    symbol: str | None = None
    status: str | None = None
    underlying: _Underlying | None = None
    underlying_price: _Number = None
    is_delayed: bool | None = None
    number_of_contracts: float | None = None
    call_exp_date_map: _Map | None = None
    put_exp_date_map: _Map | None = None


_DOCUMENT = msgspec.json.Decoder(_Document)


class Schwab:
    """Turn a chain answer into one snapshot with a chain, calls first."""

    name = "schwab"
    default_delay_s = 0.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        if not json_text.starts(head, rb"\{"):
            return "not a JSON object"
        if re.search(rb'"(?:call|put)ExpDateMap"\s*:\s*[{n]', head):
            return ""
        return "no `callExpDateMap` or `putExpDateMap`"

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode an answer into one snapshot, one chain row a contract.

        Raises:
            MalformedPayload: What was found, where, what is allowed.
        """
        body = json_text.text(body)
        try:
            document = json_text.decode(_DOCUMENT, body)
        except MalformedPayload as error:
            json_text.refuse_other_format(error, self.name, self.recognises(body[: json_text.HEAD_BYTES]))
            raise
        if document.call_exp_date_map is None and document.put_exp_date_map is None:
            raise MalformedPayload(f"this is no {self.name} document: {self.recognises(b'{}')}")
        if document.status is not None and document.status != "SUCCESS":
            said = printable(document.status, 40)
            raise MalformedPayload(f"status is '{said}': the vendor's answer holds no chain; allowed: SUCCESS")
        listed = _Listed(document)
        if not listed.contracts:
            raise MalformedPayload("callExpDateMap and putExpDateMap hold no contract; allowed: one or more")
        quoted_at = _quoted_at(document, listed.contracts)
        built = listed.build()
        symbol = symbol_at(_without_exchange(document.symbol), "symbol")
        return [
            Snapshot(
                format=self.name,
                symbol=symbol,
                as_of=quoted_at + time_shift_s,
                quoted_at=quoted_at,
                spot=_spot(document),
                chain=built.chain,
                multiplier=built.multiplier,
                warnings=(
                    *_told(document, len(listed.contracts)),
                    *built.warnings,
                    *other_roots_warning(built.chain.roots, symbol),
                ),
            )
        ]


class _Listed:
    """Walk both maps into rows, and say where each came from."""

    def __init__(self, document: _Document) -> None:
        self.contracts: list[_Contract] = []
        self._places: list[tuple[str, str, str, int]] = []
        self._expiry: list[int] = []
        self._is_call: list[bool] = []
        self._strikes: list[float] = []
        sides = (("callExpDateMap", document.call_exp_date_map, True), ("putExpDateMap", document.put_exp_date_map, False))
        for name, side, is_call in sides:
            for day, strikes in (side or {}).items():
                expiry = _expiry(day, name)
                for strike, contracts in strikes.items():
                    points = _strike(strike, f'{name}["{printable(day, 20)}"]')
                    for i, contract in enumerate(contracts):
                        self.contracts.append(contract)
                        self._places.append((name, day, strike, i))
                        self._expiry.append(expiry)
                        self._is_call.append(is_call)
                        self._strikes.append(points)

    def where(self, i: int) -> str:
        name, day, strike, place = self._places[i]
        return printable(f'{name}["{day}"]["{strike}"][{place}]', 80)

    def build(self) -> Built:
        strike = np.array(self._strikes, dtype=np.float64)
        roots = [self._root(i) for i in range(len(self.contracts))]
        iv = self._column("volatility") / 100.0
        sizes = self._column("multiplier")
        odd = np.array([bool(contract.non_standard) for contract in self.contracts])
        return build(
            Contracts.of(roots, self._expiry, self._is_call, strike),
            self.where,
            bid=self._column("bid"),
            ask=self._column("ask"),
            iv=iv,
            gamma=self._column("gamma"),
            delta=self._column("delta"),
            open_interest=self._column("open_interest"),
            volume=self._column("volume"),
            multiplier=sizes,
            odd=odd,
        )

    def _root(self, i: int) -> str:
        """Return the root of a contract whose symbol agrees with the place it stands at."""
        symbol = self.contracts[i].symbol
        if (osi := _OSI.fullmatch(symbol)) is not None:
            root, day, right, strike = osi.groups()
            points = int(strike) / 1000.0
        elif (tda := _TDA.fullmatch(symbol)) is not None:
            root, day, right, strike = tda.groups()
            day = day[4:] + day[:4]
            points = float(strike)
        else:
            allowed = "'SPXW  241220C06000000' or 'SPXW_122024C6000'"
            raise MalformedPayload(f"{self.where(i)}: symbol '{printable(symbol, 40)}' is no option symbol; allowed: {allowed}")
        there = (_yymmdd(self._expiry[i]), "C" if self._is_call[i] else "P")
        if (day, right) != there or not math.isclose(points, self._strikes[i], rel_tol=0, abs_tol=5e-4):
            raise MalformedPayload(f"{self.where(i)}: symbol '{printable(symbol, 40)}' is of another date, right or strike")
        return root

    def _column(self, name: str) -> F8:
        """Read a field of every contract; float64[n], NaN where it is null, "NaN" or -999."""
        values = numbers([getattr(contract, name) for contract in self.contracts], "NaN", name, self.where)
        values[values == _MISSING] = math.nan
        return values


def _expiry(key: str, name: str) -> int:
    match = _DATE_KEY.fullmatch(key)
    try:
        if match is None:
            raise ValueError("another form")
        return day_number(date.fromisoformat(match.group(1)))
    except ValueError as error:
        raise MalformedPayload(f"{name} has the key '{printable(key, 40)}' ({error}); allowed: YYYY-MM-DD:days") from None


def _strike(key: str, where: str) -> float:
    points = float(key) if _STRIKE_KEY.fullmatch(key) else math.nan
    if not 0 < points <= MAX_POINTS:
        raise MalformedPayload(f"{where} has the key '{printable(key, 40)}'; allowed: a strike above 0, such as \"3.0\"")
    return points


def _yymmdd(expiry: int) -> str:
    return date.fromordinal(expiry + date(1970, 1, 1).toordinal()).strftime("%y%m%d")


def _quoted_at(document: _Document, contracts: list[_Contract]) -> float:
    newest = document.underlying.quoted_ms if document.underlying is not None else None
    stamps = [newest, *(stamp for c in contracts for stamp in (c.quoted_ms, c.traded_ms))]
    return newest_ms(stamps, "quoteTimeInLong or tradeTimeInLong")


def _spot(document: _Document) -> float | None:
    """Return the first price of the underlying that is there; 0, "NaN" and -999 are missing."""
    underlying = document.underlying or _Underlying()
    for name, price in (
        ("underlyingPrice", document.underlying_price), ("underlying.mark", underlying.mark), ("underlying.last", underlying.last)
    ):  # fmt: skip
        if price is None or price in (0.0, _MISSING, "NaN"):
            continue
        if isinstance(price, str) or not 0 < price <= MAX_POINTS:
            allowed = f"the underlying's price, above 0 to {MAX_POINTS:.0f}"
            raise MalformedPayload(f"{name} is {printable(str(price), 40)}; allowed: {allowed}")
        return price
    return None


def _without_exchange(symbol: str | None) -> str | None:
    """Take TD Ameritrade's mark off an index: ``$SPX.X`` is ``$SPX``."""
    return symbol.removesuffix(".X") if symbol is not None and symbol.startswith("$") else symbol


def _told(document: _Document, contracts: int) -> tuple[str, ...]:
    warnings = []
    if document.is_delayed:
        warnings.append("the vendor says its quotes are delayed, and not by how much")
    said = document.number_of_contracts
    if said is not None and said != contracts:
        warnings.append(f"numberOfContracts is {said:.15g}, but the answer holds {contracts}")
    return tuple(warnings)
