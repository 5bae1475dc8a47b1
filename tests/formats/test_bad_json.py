"""JSON that parsers alone often take: every JSON format refuses it, or takes it normalised, by one rule."""

import json
import re
import time
from collections.abc import Callable

import pytest
from format_samples import (
    canonical,
    cboe_json,
    deribit,
    deribit_summary,
    gexbot,
    leg,
    schwab,
    schwab_contract,
    strike,
    tradier,
    tradier_option,
    yahoo,
    yahoo_contract,
    yahoo_result,
)

from gexdesk.formats.base import Format
from gexdesk.formats.canonical import Canonical
from gexdesk.formats.cboe_json import CboeJson
from gexdesk.formats.deribit import Deribit
from gexdesk.formats.gexbot import GexbotClassic
from gexdesk.formats.schwab import Schwab
from gexdesk.formats.tradier import Tradier
from gexdesk.formats.yahoo import Yahoo
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import Snapshot


class Layout:
    """One JSON format, and how to put raw JSON text where its spot, symbol, stamp and row numbers stand."""

    def __init__(self, part: Format, make: Callable[..., bytes]) -> None:
        self.part = part
        self.make = make

    def __repr__(self) -> str:
        return self.part.name

    def decode(self, body: bytes) -> Snapshot:
        return self.part.decode(body)[0]

    def with_raw(self, place: str, raw: str) -> bytes:
        """Put JSON text as it is at a place: no writer of JSON makes ``1e999`` or a repeated key."""
        mark = "@@here@@"
        return self.make(place, mark).decode().replace(json.dumps(mark), raw).encode()


def _cboe(place: str, value: object) -> bytes:
    match place:
        case "spot":
            return cboe_json(data={"current_price": value})
        case "symbol":
            return cboe_json(symbol=value, data={"symbol": None})
        case "time":
            return cboe_json(timestamp=value)
        case "number":
            return cboe_json([leg(), leg("SPXW260320P06000000", volume=value)])
        case "rows":
            return cboe_json(data={"options": value})
        case _:
            return cboe_json(**{place: value})


def _gexbot(place: str, value: object) -> bytes:
    names = {"symbol": "ticker", "time": "timestamp", "rows": "strikes"}
    if place == "number":
        return gexbot(strikes=[[5990, 1, 2, []], [6000, value, 3, []]])
    return gexbot(**{names.get(place, place): value})


def _canonical(place: str, value: object) -> bytes:
    match place:
        case "spot":
            return canonical(metadata={"spot": value})
        case "number":
            return canonical(strikes=[strike(), strike(6010.0, call_volume=value)])
        case _:
            names = {"symbol": "market_symbol", "time": "snapshot_time", "rows": "strikes"}
            return canonical(**{names.get(place, place): value})


def _yahoo(place: str, value: object) -> bytes:
    match place:
        case "spot":
            return yahoo(yahoo_result(quote={"regularMarketPrice": value, "regularMarketTime": 1772463600}))
        case "time":
            return yahoo(yahoo_result(quote={"regularMarketPrice": 6001.25, "regularMarketTime": value}))
        case "number":
            return yahoo(yahoo_result([yahoo_contract(volume=value)]))
        case "rows":
            return yahoo(yahoo_result(value, []))
        case "symbol":
            return yahoo(yahoo_result(underlyingSymbol=value))
        case _:
            return yahoo(yahoo_result(**{place: value}))


def _tradier(place: str, value: object) -> bytes:
    match place:
        case "time":
            return tradier([tradier_option(bid_date=None, trade_date=None, ask_date=value)])
        case "number":
            return tradier([tradier_option(), tradier_option("SPXW260320P06000000", volume=value)])
        case "symbol":
            return tradier([tradier_option(underlying=value)])
        case "rows":
            return tradier(value)
        case _:
            return tradier([tradier_option(**{place: value})])


def _schwab(place: str, value: object) -> bytes:
    day = "2026-03-20:18"
    match place:
        case "spot":
            return schwab(underlyingPrice=value)
        case "time":
            return schwab({day: {"6000.0": [schwab_contract(quoteTimeInLong=value)]}}, {})
        case "number":
            return schwab({day: {"6000.0": [schwab_contract(totalVolume=value)]}})
        case "rows":
            return schwab({day: {"6000.0": value}}, {})
        case _:
            return schwab(**{place: value})


def _deribit(place: str, value: object) -> bytes:
    match place:
        case "spot":
            return deribit([deribit_summary(estimated_delivery_price=value)])
        case "time":
            return deribit([deribit_summary(creation_timestamp=value)])
        case "number":
            return deribit([deribit_summary(), deribit_summary("BTC-27MAR26-100000-P", volume=value)])
        case "symbol":
            return deribit([deribit_summary(instrument_name=value)])
        case "rows":
            return deribit(value)
        case _:
            return deribit(**{place: value})


LAYOUTS = [
    Layout(CboeJson(), _cboe),
    Layout(GexbotClassic(), _gexbot),
    Layout(Canonical(), _canonical),
    Layout(Yahoo(), _yahoo),
    Layout(Tradier(), _tradier),
    Layout(Schwab(), _schwab),
    Layout(Deribit(), _deribit),
]
BY_NAME = {repr(layout): layout for layout in LAYOUTS}
every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=repr)
WITH_SPOT = [layout for layout in LAYOUTS if repr(layout) != "tradier"]
ZERO_IS_MISSING = {"schwab", "deribit"}
"""Where a spot of 0 is the vendor's word for none."""


WHOLE = {
    "empty": b"",
    "space": b" \n",
    "null": b"null",
    "array": b"[]",
    "string": b'"x"',
    "number": b"1",
    "array of numbers": b"[1, 2]",
    "utf16": cboe_json().decode().encode("utf-16"),
    "comment": b"{/*c*/}",
    "single quotes": b"{'a':1}",
    "deep array": b"[" * 100_000,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
}


@every_layout
@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE)
def test_what_is_no_document_is_refused(layout: Layout, body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        layout.part.decode(body)


@every_layout
@pytest.mark.parametrize("edit", ["cut", "tail", "twice", "trailing comma", "deep unknown value"])
def test_a_broken_whole_is_refused(layout: Layout, edit: str) -> None:
    good = layout.make("extra", 1)
    layout.decode(good)
    bodies = {
        "cut": good[:-7],
        "tail": good + b"x",
        "twice": good + good,
        "trailing comma": good[:-1] + b",}",
        "deep unknown value": layout.with_raw("extra", "[" * 3000 + "]" * 3000),
    }
    with pytest.raises(MalformedPayload):
        layout.part.decode(bodies[edit])


BAD_SPOTS = [
    ("NaN", "byte"),
    ("-Infinity", "byte"),
    ("1e999", "range"),
    ("-1", "above 0"),
    ("1e12", "1e\\+?12|1000000000000"),
    ("0x10", "byte"),
    ("+1", "byte"),
    ("01", "byte"),
    ("true", "bool"),
    ('"6.000,5"', "str|6.000,5"),
    ("[]", "array"),
    ("{}", "object|missing"),
]
BAD_VALUES = [
    ("number", "true", "bool"),
    ("number", "1e999", "range"),
    ("number", "1" * 5000, "range"),
    ("number", "9223372036854775808", "9.22337203685478e\\+18"),
    ("number", '"7"', "str|'7'"),
    ("number", "[[[[]]]]", "array"),
    ("number", "[" * 2000 + "]" * 2000, "array|deep"),
    ("symbol", '"../../etc/x"', "A-Z"),
    ("symbol", '"' + "A" * 300 + '"', "A-Z"),
    ("symbol", '"S\u0420X"', "A-Z"),
    ("symbol", '"\u202eXPS"', "A-Z"),
    ("symbol", '"\u017fPX"', "A-Z"),
    ("symbol", '"SP\\u0000X"', "A-Z"),
    ("symbol", '"S\x01"', "byte"),
    ("symbol", '"\\ud800"', "escape|byte|surrogate"),
    ("symbol", '""', "A-Z"),
    ("symbol", "7", "int"),
    ("rows", "{}", "object|`symbol`|`instrument_name`"),
    ("rows", "[]", "empty|no contract|no option"),
    ("rows", "[1]", "int"),
    ("rows", "[null]", "null"),
    ("rows", "[[]]", "array|6000|Expected"),
]
# What a layout has no such place for, or takes by another rule that its own tests hold.
OTHERWISE = {
    "deribit": {'"../../etc/x"', '"' + "A" * 300 + '"', '"S\u0420X"', '"\u202eXPS"', '"\u017fPX"', '"SP\\u0000X"', '""'},
    "tradier": {'""'},
}


@pytest.mark.parametrize("layout", WITH_SPOT, ids=repr)
@pytest.mark.parametrize(("raw", "word"), BAD_SPOTS)
def test_a_bad_spot_is_refused_and_named(layout: Layout, raw: str, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        layout.part.decode(layout.with_raw("spot", raw))


@pytest.mark.parametrize("layout", WITH_SPOT, ids=repr)
@pytest.mark.parametrize("raw", ["0", "-0.0", "0.0"])
def test_a_spot_of_zero_is_refused_or_missing_and_never_a_price(layout: Layout, raw: str) -> None:
    body = layout.with_raw("spot", raw)
    if repr(layout) in ZERO_IS_MISSING:
        assert layout.decode(body).spot is None
    else:
        with pytest.raises(MalformedPayload, match="above 0"):
            layout.part.decode(body)


@pytest.mark.parametrize(
    ("layout", "place", "raw", "word"),
    [
        pytest.param(layout, place, raw, word, id=f"{layout}-{place}-{raw[:12]}")
        for layout in LAYOUTS
        for place, raw, word in BAD_VALUES
        if raw not in OTHERWISE.get(repr(layout), ())
    ],
)
def test_a_bad_value_is_refused_and_named(layout: Layout, place: str, raw: str, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        layout.part.decode(layout.with_raw(place, raw))


@pytest.mark.parametrize("raw", sorted(OTHERWISE["deribit"]))
def test_a_bad_instrument_name_is_no_option(raw: str) -> None:
    with pytest.raises(MalformedPayload, match="no option"):
        BY_NAME["deribit"].decode(BY_NAME["deribit"].with_raw("symbol", raw))


@every_layout
def test_a_lone_surrogate_is_refused_wherever_it_stands(layout: Layout) -> None:
    with pytest.raises(MalformedPayload, match="escape"):
        layout.part.decode(layout.with_raw("extra", '"\\ud800"'))


@every_layout
@pytest.mark.parametrize("raw", ["null", None], ids=["null", "absent"])
@pytest.mark.parametrize("place", ["symbol", "time"])
def test_a_document_without_symbol_or_time_is_refused(layout: Layout, place: str, raw: str | None) -> None:
    body = layout.with_raw(place, "null")
    if raw is None:
        keys = {
            "symbol": ("symbol", "ticker", "market_symbol", "underlyingSymbol", "underlying", "instrument_name"),
            "time": ("timestamp", "snapshot_time", "regularMarketTime", "ask_date", "quoteTimeInLong", "creation_timestamp"),
        }[place]
        body = re.sub(rb'"(?:' + "|".join(keys).encode() + rb')": null(?:, )?', b"", body)
    if (repr(layout), place) == ("tradier", "symbol"):
        assert layout.decode(body).symbol == "SPX"  # told by the roots of the contracts
    elif (repr(layout), place) == ("deribit", "time"):
        assert layout.decode(body).as_of == 1772463600.123456  # the answer's own
    else:
        with pytest.raises(MalformedPayload):
            layout.part.decode(body)


@every_layout
def test_what_is_merely_large_is_read_or_refused_in_time(layout: Layout) -> None:
    keys = "{" + ",".join(f'"k{i}":1' for i in range(200_000)) + "}"
    for raw in (keys, '"' + "x" * 5_000_000 + '"', "[" + "1," * 500_000 + "1]", '"' + '\\"' * 500_000 + '"'):
        body = layout.with_raw("extra", raw)
        began = time.monotonic()
        layout.decode(body)
        assert time.monotonic() - began < 2


@every_layout
@pytest.mark.parametrize("key", ["__proto__", "constructor", "priority", "level", "zzz", ""])
def test_a_key_that_nobody_knows_is_inert(layout: Layout, key: str) -> None:
    body = layout.make("extra", 1)
    plain, odd = layout.decode(body), layout.decode(body.replace(b'"extra"', json.dumps(key).encode()))
    assert (odd.symbol, odd.spot, odd.as_of, odd.warnings) == (plain.symbol, plain.spot, plain.as_of, plain.warnings)


@every_layout
@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\xaf"])
def test_bytes_that_are_no_utf8_are_refused_where_they_are_read(layout: Layout, raw: bytes) -> None:
    with pytest.raises(MalformedPayload, match=r"(?i)utf-8"):
        layout.part.decode(layout.make("symbol", "@@").replace(b"@@", raw))
    plain = layout.decode(layout.make("extra", "@@"))
    unread = layout.make("extra", "@@").replace(b"@@", raw)
    if layout.part.name == "canonical":
        with pytest.raises(MalformedPayload, match=f"byte {unread.index(raw)}"):
            layout.part.decode(unread)
    else:
        assert layout.decode(unread).as_of == plain.as_of


@pytest.mark.parametrize("value", ["6000.5", "1"])
@pytest.mark.parametrize("key", ["spot", "spo\\u0074"], ids=["plain", "escaped"])
def test_a_key_that_stands_twice_is_refused_in_the_house_own_layout(key: str, value: str) -> None:
    layout = next(layout for layout in LAYOUTS if layout.part.name == "canonical")
    with pytest.raises(MalformedPayload, match="'spot' stands twice"):
        layout.part.decode(layout.with_raw("spot", f'6000.5, "{key}": {value}'))


@pytest.mark.parametrize("layout", WITH_SPOT, ids=repr)
def test_a_number_may_be_written_in_many_ways(layout: Layout) -> None:
    assert layout.decode(layout.with_raw("spot", "6000.12345678901234567")).spot == 6000.123456789012
    assert layout.decode(layout.with_raw("spot", "6")).spot == 6.0
    assert layout.decode(layout.with_raw("spot", "6.0005E3")).spot == 6000.5


@every_layout
def test_what_is_merely_unusual_is_taken(layout: Layout) -> None:
    plain = layout.decode(layout.make("extra", 1))
    if repr(layout) != "deribit":
        assert layout.decode(layout.make("symbol", " spx ")).symbol == "SPX"
    for body in (layout.with_raw("zzz", '{"a": [1, {"b": null}], "c": "é"}'), b" \n" + layout.make("extra", 1) + b"\r\n "):
        other = layout.decode(body)
        assert (other.symbol, other.spot, other.as_of) == (plain.symbol, plain.spot, plain.as_of)


SECONDS = [0, 631151999, 4133980800, 1772463600000, 1772463600000000000, -1, 1e300]
MILLISECONDS = [631151999000, 4133980800000, 1772463600, 1772463600000000, 1e300, -1]
WORDS = ["2026-03-02T15:00:00Z", "2026-03-02 15:00:00", "Monday", ""]


@pytest.mark.parametrize(
    ("layout", "stamps"),
    [
        (BY_NAME["cboe_json"], ["2026-02-30 00:00:00", "2016-12-31 23:59:60", "2026-03-02T15:00:00Z", 1772463600]),
        (BY_NAME["cboe_json"], ["1989-12-31 23:59:59", "2101-01-01 00:00:00", "9999-12-31 23:59:59", "1970-01-01 00:00:00"]),
        (BY_NAME["gexbot"], [*SECONDS, *WORDS]),
        (BY_NAME["yahoo"], [*SECONDS, *WORDS]),
        (BY_NAME["tradier"], [*MILLISECONDS, *WORDS]),
        (BY_NAME["schwab"], [*MILLISECONDS, *WORDS]),
        (BY_NAME["deribit"], [stamp for stamp in MILLISECONDS if stamp != -1] + WORDS),
        (BY_NAME["canonical"], ["2026-03-02T15:00:00", "2026-03-02T15:00:00 America/New_York", "2026-02-30T00:00:00Z"]),
        (BY_NAME["canonical"], ["2016-12-31T23:59:60Z", 1772463600]),
        (BY_NAME["canonical"], ["1989-12-31T23:59:59Z", "2101-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
        (BY_NAME["canonical"], ["0001-01-01T00:00:00+09:00"]),
    ],
    ids=repr,
)
def test_a_stamp_that_is_none_or_outside_1990_to_2100_is_refused(layout: Layout, stamps: list[object]) -> None:
    for stamp in stamps:
        body = layout.make("time", stamp)
        if layout.part.name == "canonical":
            body = canonical(snapshot_time=stamp, snapshot_date=None)
        with pytest.raises(MalformedPayload, match=r"1990 to 2100|allowed|Expected|has a time"):
            layout.part.decode(body)
