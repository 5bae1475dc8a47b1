"""JSON that parsers alone often take: every JSON format refuses it, or takes it normalised, by one rule."""

import json
from collections.abc import Callable

import pytest
from format_samples import canonical, cboe_json, gexbot, leg, strike

from gexdesk.formats.base import Format
from gexdesk.formats.canonical import Canonical
from gexdesk.formats.cboe_json import CboeJson
from gexdesk.formats.gexbot import GexbotClassic
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


LAYOUTS = [Layout(CboeJson(), _cboe), Layout(GexbotClassic(), _gexbot), Layout(Canonical(), _canonical)]
every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=repr)


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


@every_layout
@pytest.mark.parametrize(
    ("place", "raw", "word"),
    [
        ("spot", "NaN", "byte"),
        ("spot", "-Infinity", "byte"),
        ("spot", "1e999", "range"),
        ("spot", "-0.0", "above 0"),
        ("spot", "0", "above 0"),
        ("spot", "-1", "above 0"),
        ("spot", "1e12", "1e\\+?12|1000000000000"),
        ("spot", "0x10", "byte"),
        ("spot", "+1", "byte"),
        ("spot", "01", "byte"),
        ("spot", "true", "bool"),
        ("spot", '"6.000,5"', "str"),
        ("number", "true", "bool"),
        ("number", "1e999", "range"),
        ("number", "1" * 5000, "range"),
        ("number", '"7"', "str"),
        ("number", "[[[[]]]]", "array"),
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
        ("rows", "{}", "object"),
        ("rows", "[]", "empty"),
        ("rows", "[1]", "int"),
        ("rows", "[null]", "null"),
    ],
)
def test_a_bad_value_is_refused_and_named(layout: Layout, place: str, raw: str, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        layout.part.decode(layout.with_raw(place, raw))


@every_layout
@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\xaf"])
def test_bytes_that_are_no_utf8_are_refused_where_they_are_read(layout: Layout, raw: bytes) -> None:
    with pytest.raises(MalformedPayload, match=r"(?i)utf-8"):
        layout.part.decode(layout.make("symbol", "@@").replace(b"@@", raw))
    unread = layout.make("extra", "@@").replace(b"@@", raw)
    if layout.part.name == "canonical":
        with pytest.raises(MalformedPayload, match=f"byte {unread.index(raw)}"):
            layout.part.decode(unread)
    else:
        assert layout.decode(unread).spot == 6001.25


@pytest.mark.parametrize("value", ["6000.5", "1"])
@pytest.mark.parametrize("key", ["spot", "spo\\u0074"], ids=["plain", "escaped"])
def test_a_key_that_stands_twice_is_refused_in_the_house_own_layout(key: str, value: str) -> None:
    layout = next(layout for layout in LAYOUTS if layout.part.name == "canonical")
    with pytest.raises(MalformedPayload, match="'spot' stands twice"):
        layout.part.decode(layout.with_raw("spot", f'6000.5, "{key}": {value}'))


@every_layout
def test_what_is_merely_unusual_is_taken(layout: Layout) -> None:
    plain = layout.decode(layout.make("spot", 6000.5))
    assert layout.decode(layout.with_raw("spot", "6000.12345678901234567")).spot == 6000.123456789012
    assert layout.decode(layout.with_raw("spot", "6")).spot == 6.0
    assert layout.decode(layout.with_raw("spot", "6.0005E3")).spot == plain.spot == 6000.5
    assert layout.decode(layout.make("symbol", " spx ")).symbol == "SPX"
    assert layout.decode(layout.make("priority", "CRITICAL")).symbol == plain.symbol
    assert layout.decode(layout.with_raw("zzz", '{"a": [1, {"b": null}], "c": "é"}')).spot == 6001.25
    assert layout.decode(b" \n" + layout.make("extra", 1) + b"\r\n ").spot == 6001.25


@pytest.mark.parametrize(
    ("layout", "stamps"),
    [
        (LAYOUTS[0], ["1989-12-31 23:59:59", "2101-01-01 00:00:00", "9999-12-31 23:59:59", "1970-01-01 00:00:00"]),
        (LAYOUTS[1], [0, 631151999, 4133980800, 1772463600000, 1772463600000000000, -1, 1e300]),
        (LAYOUTS[2], ["1989-12-31T23:59:59Z", "2101-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+09:00"]),
    ],
    ids=repr,
)
def test_a_stamp_outside_1990_to_2100_is_refused(layout: Layout, stamps: list[object]) -> None:
    for stamp in stamps:
        body = layout.make("time", stamp)
        if layout.part.name == "canonical":
            body = canonical(snapshot_time=stamp, snapshot_date=None)
        with pytest.raises(MalformedPayload, match=r"1990 to 2100|allowed"):
            layout.part.decode(body)
