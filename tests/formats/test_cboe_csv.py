"""Cboe's quote table: the layouts in the wild, and the line that is named when one is bad."""

import gzip
import math
from datetime import UTC, date, datetime

import pytest
from format_samples import DATE, HEADER, ROWS, cboe_csv

from gexdesk.formats.cboe_csv import CboeCsv
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import Chain, Snapshot

PLAIN = "Fri Mar 20 2026,SPX260320C06000000,1,0,1,2,40,0.15,0.5,0.001,12,6000.00,SPX260320P06000000,1,0,1,2,3,0.16,-0.5,0.001,7"

LATER = [PLAIN.replace("6000", str(strike)) for strike in range(7000, 7400)]


def decode(body: bytes) -> Snapshot:
    (snapshot,) = CboeCsv().decode(body)
    return snapshot


def chain_of(body: bytes) -> Chain:
    chain = decode(body).chain
    assert chain is not None
    return chain


def test_a_line_becomes_a_call_and_its_put() -> None:
    chain = chain_of(cboe_csv())
    assert len(chain) == 6
    assert chain.is_call.tolist() == [True, False] * 3
    assert [chain.roots[i] for i in chain.root] == ["SPXW", "SPXW", "SPX", "SPX", "SPXW", "SPXW"]
    assert chain.strike.tolist() == [6000.0, 6000.0, 6000.0, 6000.0, 6002.5, 6002.5]
    assert set(chain.expiry.tolist()) == {(date(2026, 3, 20) - date(1970, 1, 1)).days}
    assert chain.open_interest.tolist() == [120.0, 75.0, 1000.0, 900.0, 3.0, 4.0]
    assert chain.volume.tolist() == [40.0, 30.0, 7.0, 2.0, 0.0, 0.0]
    assert chain.bid.tolist() == [12.4, 10.9, 12.4, 10.9, 0.0, 0.0]
    assert chain.ask.tolist() == [12.9, 11.2, 12.9, 11.2, 0.0, 0.0]
    assert chain.delta.tolist() == [0.51, -0.49, 0.51, -0.49, 0.5, -0.5]
    assert chain.gamma.tolist() == [0.0012, 0.0, 0.0011, 0.0011, 0.0, 0.0]
    assert [None if math.isnan(iv) else iv for iv in chain.iv] == [0.15, None, 0.151, 0.16, 0.149, 0.15]


def test_the_symbol_is_the_underlying_of_most_roots() -> None:
    snapshot = decode(cboe_csv())
    assert (snapshot.symbol, snapshot.spot, snapshot.delay_s, snapshot.warnings) == ("SPX", 6001.25, 900, ())
    for root, symbol in (("NDXP", "NDX"), ("RUTW", "RUT"), ("VIXW", "VIX"), ("XSP", "XSP"), ("QQQ", "QQQ")):
        assert decode(cboe_csv([PLAIN.replace("SPX", root)])).symbol == symbol


def test_a_minority_of_other_roots_is_warned_of() -> None:
    rows = [PLAIN, PLAIN.replace("6000", "6100"), PLAIN.replace("SPX", "XSP")]
    snapshot = decode(cboe_csv(rows))
    assert snapshot.symbol == "SPX"
    assert snapshot.warnings == ("the chain of SPX holds contracts of other roots: XSP",)


@pytest.mark.parametrize(
    "body",
    [
        cboe_csv(end="\r\n"),
        b"\xef\xbb\xbf" + cboe_csv(),
        cboe_csv(first=",,,,,,,", name="Standard & Poors 500 Index,Last: 6001.25,Change:  -3.1,,,,"),
        cboe_csv(name='"S&P 500, THE INDEX",Last: 6001.25,Change: -3.1'),
        cboe_csv(name='S&P 500 INDEX,"Last: 6,001.25",Change: -3.1'),
        cboe_csv(header=HEADER.upper()),
        cboe_csv(header=HEADER.replace(",", " , ")),
        cboe_csv(header=HEADER.replace("Open Interest", "Open Int.").replace("Volume", "Vol")),
        cboe_csv([",".join(f'"{cell}"' for cell in row.split(",")) for row in ROWS]),
        cboe_csv() + b"\n\n",
        cboe_csv()[1:],
        cboe_csv(date=DATE.replace('"', "")),
    ],
    ids=[
        *("crlf", "bom", "saved again", "comma in the name", "thousands in the last price", "upper case", "spaces"),
        *("short names", "all quoted", "blank end", "no blank start", "date unquoted"),
    ],
)
def test_every_dress_of_the_table_reads_the_same(body: bytes) -> None:
    plain, other = decode(cboe_csv()), decode(body)
    assert (other.symbol, other.spot, other.as_of, other.warnings) == (plain.symbol, plain.spot, plain.as_of, ())
    assert plain.chain is not None
    assert other.chain is not None
    for name in ("strike", "expiry", "open_interest", "volume", "gamma"):
        assert getattr(other.chain, name).tolist() == getattr(plain.chain, name).tolist()


def test_columns_are_found_by_name() -> None:
    def turned(line: str) -> str:
        """Move the call's open interest to the front and swap the put's volume and IV."""
        cells = line.split(",")
        put = cells[12:]
        return ",".join([cells[10], *cells[:10], cells[11], *put[:5], put[6], put[5], *put[7:]])

    plain, other = chain_of(cboe_csv()), chain_of(cboe_csv([turned(row) for row in ROWS], header=turned(HEADER)))
    for name in ("open_interest", "volume", "iv", "gamma"):
        assert getattr(other, name).tolist() == pytest.approx(getattr(plain, name).tolist(), nan_ok=True)


def test_a_line_that_stands_twice_is_counted_once_and_told() -> None:
    snapshot = decode(cboe_csv([*ROWS, ROWS[1]]))
    assert snapshot.chain is not None
    assert len(snapshot.chain) == 2 * len(ROWS)
    assert snapshot.warnings == ("2 rows repeat contracts with the same numbers; each is counted once",)


def test_the_layout_of_2020_is_read() -> None:
    body = cboe_csv(
        [PLAIN + ","],
        name="SPX (S&P 500 INDEX),3009.05,-74.71,",
        date="Jun 28 2020 @ 14:27 ET,Bid,3000,Ask,3018,Size,1x1,Vol,0,",
        header=HEADER.replace("Volume", "Vol").replace("Open Interest", "Open Int") + ",",
    )
    snapshot = decode(body[1:])
    assert snapshot.spot == 3009.05
    assert snapshot.quoted_at == datetime(2020, 6, 28, 18, 27, tzinfo=UTC).timestamp()
    assert snapshot.chain is not None
    assert snapshot.chain.open_interest.tolist() == [12.0, 7.0]


@pytest.mark.parametrize(
    ("name", "date", "at"),
    [
        (
            "S&P 500 INDEX,Last: 6001.25,Change: -3.1",
            '"Date: 29 de setembro de 2023 às 09:29 GMT-4",Bid: 6000.5,Ask: 6002,Size: 1*1,Volume: 0',
            datetime(2023, 9, 29, 13, 29, tzinfo=UTC),
        ),
        (
            "S&P 500 INDEX,Last: 6001.25,Change: -3.1",
            '"Date: 14 сентября 2023 г. в 16:30 GMT-4",Bid: 6000.5,Ask: 6002,Size: 1*1,"Volume: 75,744,434"',
            datetime(2023, 9, 14, 20, 30, tzinfo=UTC),
        ),
        (
            '"Standard & Poors 500 Index","Last: 6001.25","Change: -3.1"',
            '"Date: August 29, 2025 at 8:30 PM EDT","Bid: 6000.5","Ask: 6002"',
            datetime(2025, 8, 30, 0, 30, tzinfo=UTC),
        ),
        (
            "Standard & Poors 500 Index,Last: 6001.25,Change:  23.0898",
            "Date: February 5 2022, 8:09 PM EST,Bid: 4420.5,Ask: 4615.4302,Size: 1*1,Volume: 0,,,",
            datetime(2022, 2, 6, 1, 9, tzinfo=UTC),
        ),
    ],
    ids=["Portuguese", "Russian", "saved again with quotes", "saved again without"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_table_is_read_in_every_language_and_dress(name: str, date: str, at: datetime, end: str) -> None:
    snapshot = decode(cboe_csv(name=name, date=date, end=end))
    assert snapshot.quoted_at == at.timestamp()
    assert (snapshot.spot, snapshot.symbol, len(snapshot.chain or [])) == (6001.25, "SPX", 6)


def test_a_file_without_its_last_line_feed_is_taken_with_a_warning() -> None:
    snapshot = decode(cboe_csv().rstrip())
    assert len(snapshot.warnings) == 1
    assert "last number may be cut" in snapshot.warnings[0]


def swap(line: str, number: int, text: str) -> str:
    """Replace one cell (from 0) of a line."""
    cells = line.split(",")
    cells[number] = text
    return ",".join(cells)


def swapped(number: int, text: str, row: int = 1) -> bytes:
    """Replace one cell (from 0) of one row (from 0)."""
    return cboe_csv([*ROWS[:row], swap(ROWS[row], number, text), *ROWS[row + 1 :]])


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (cboe_csv([]), "no rows"),
        (b"\n".join([b"", *(row.encode() for row in ROWS)]), "no header line"),
        (cboe_csv(header="symbol,ts,strike,gex"), "no header line"),
        (cboe_csv().decode().encode("utf-16"), "UTF-16"),
        (cboe_csv(name="SOCI\u00c9T\u00c9,Last: 1,Change: 0").decode().encode("latin-1"), r"byte 5 is not valid UTF-8"),
        (cboe_csv().replace(b"\n", b"\r"), "no header line|carriage return"),
        (cboe_csv().replace(b"2026,SPX", b"2026\r,SPX"), "line 5: a carriage return"),
        (cboe_csv().replace(b",", b";"), "no header line"),
        (cboe_csv().replace(b",", b"\t"), "no header line"),
        (cboe_csv([*ROWS, "SPX,1"]), "line 8: 2 columns; allowed: 22"),
        (cboe_csv([ROWS[0] + ",9", *ROWS[1:]]), "line 5: 23 columns"),
        (cboe_csv([ROWS[0] + ",9", ROWS[1] + ",9"]), r"line 5: 23 columns.*2 such rows of 2"),
        (cboe_csv([ROWS[0], "", ROWS[1]]), "line 6: an empty line"),
        (cboe_csv([*ROWS, "# c"]), "line 8: 1 columns"),
        (cboe_csv()[:-40], "line 7: "),
        (cboe_csv(date=DATE.replace('"', "", 1)), "line 3: a quote is opened"),
        (cboe_csv([ROWS[0], '"' + ROWS[1]]), "line 6: a quote is opened"),
        (cboe_csv([ROWS[0], ROWS[1].replace("SPX2", 'S"P"X2')]), "line 6: "),
        (swapped(10, '"1,000"'), "line 6: the cell '1,000'"),
        (swapped(10, '"1\n0"'), "line 6: a quote is opened"),
        (swapped(7, "inf"), "line 6: iv is 'inf'"),
        (swapped(7, "NaN"), "line 6: iv is 'NaN'"),
        (swapped(18, "N/A"), "line 6: iv is 'N/A'"),
        (swapped(7, ""), "line 6: iv is ''"),
        (swapped(7, "1_0"), "line 6: iv is '1_0'"),
        (swapped(7, "1e999"), "line 6: iv is inf"),
        (swapped(7, "0.1.5"), "line 6: iv is '0.1.5'"),
        (swapped(7, "0\x005"), "line 6: iv is '0 5'"),
        (swapped(9, "$1"), "line 6: gamma is '\\$1'"),
        (swapped(21, "(15)"), "line 6: open interest is '\\(15\\)'"),
        (swapped(21, "-1"), "line 6: open interest is -1"),
        (swapped(17, "-0.5"), "line 6: volume is -0.5"),
        (swapped(1, "=cmd|'/C calc'!A0"), "line 6: .*no option symbol"),
        (swapped(1, ""), "line 6: '' is no option symbol"),
        (swapped(1, "SPX260320C06010000"), "line 6: its two symbols do not belong together"),
        (swapped(1, "XSP260320C06000000"), "line 6: its two symbols do not belong together"),
        (swapped(1, "SPX260321C06000000"), "line 6: its two symbols do not belong together"),
        (swapped(1, "SPX260320P06000000"), "line 6: "),
        (cboe_csv([PLAIN.replace("C0", "X0").replace("P0", "C0").replace("X0", "P0")]), "line 5: its two symbols"),
        (swapped(11, "6010.00"), "line 6: strike 6010 beside a symbol of strike 6000"),
        (
            cboe_csv([ROWS[0], ROWS[1], ROWS[0].replace(",40,", ",41,")]),
            "line 7: the contract stands twice with different numbers, first at line 5",
        ),
        (cboe_csv(header=HEADER.replace("IV", "Theo", 1)), "the calls have no column 'iv'"),
        (cboe_csv(header=HEADER.replace("Gamma,Open Interest,Strike", "X,Open Interest,Strike")), "calls have no column 'gamma'"),
        (cboe_csv(header=HEADER[::-1].replace("Gamma"[::-1], "X", 1)[::-1]), "the puts have no column 'gamma'"),
        (cboe_csv(header=HEADER.replace("Last Sale", "Bid", 1)), "the calls have the column 'bid' twice"),
        (cboe_csv(name="S&P 500 INDEX"), "no last price"),
        (cboe_csv(name="S&P 500 INDEX,Last: 0,Change: 0"), "above 0"),
        (cboe_csv(name="S&P 500 INDEX,Last: -5,Change: 0"), "no last price"),
        (cboe_csv(name="S&P 500 INDEX,Last: 6001.25.1,Change: 0"), "no last price"),
        (cboe_csv(name="S&P 500 INDEX,Last: 6001,25,Change: 0").replace(b"6001,25", b"6.001,25"), "no last price"),
        (cboe_csv(date="Bid: 1,Ask: 2"), "the date line"),
        (cboe_csv(first="one more line"), "with 3 lines of text above it"),
        (cboe_csv(first="", name=""), "with 1 lines of text above it"),
        (cboe_csv() + b"\x1a", "line 8: 1 columns"),
        (cboe_csv([*ROWS, *LATER, swap(PLAIN, 7, "abc")]), "line 408: iv is 'abc'"),
        (cboe_csv(date="Date: 03/02/2026,Bid: 1"), "the date line"),
        (cboe_csv(date="Date: 46083.625,Bid: 1"), "the date line"),
        (cboe_csv(date="Date: 2026-03-02T15:00:00Z"), "the date line"),
        (cboe_csv(date="Date: March 2, 2026 at 10:00 AM"), "no zone"),
        (gzip.compress(cboe_csv(), mtime=0), "UTF-8"),
        (b"<html><body>503</body></html>", "not a table"),
        (b'{"error":"rate limit"}', "not a table"),
    ],
    ids=lambda value: value if isinstance(value, str) else "table",
)
def test_a_bad_table_is_refused_with_its_line(body: bytes, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        decode(body)


def test_numbers_with_an_exponent_are_numbers() -> None:
    assert chain_of(swapped(10, "1.2E3")).open_interest[2] == 1200.0


def test_many_columns_and_long_lines_are_refused_quickly() -> None:
    wide = b",".join(b"c%d" % i for i in range(20_000)) + b"\n"
    for body in (wide, cboe_csv() + b"S" * 5_000_000 + b",1,1,1\n"):
        with pytest.raises(MalformedPayload):
            decode(body)
