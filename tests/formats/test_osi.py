"""Option symbols as one byte matrix, against Python's own reading of each."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.formats.osi import parse_contracts
from gexdesk.model.errors import MalformedPayload

EPOCH = date(1970, 1, 1)
contract = st.tuples(
    st.text("ABCXYZ019", min_size=1, max_size=6),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.booleans(),
    st.integers(1, 99_999_999),
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(contract, min_size=1, max_size=30, unique=True))
def test_every_part_is_read_back(rows: list[tuple[str, date, bool, int]]) -> None:
    symbols = [f"{root}{day:%y%m%d}{'C' if call else 'P'}{thousandths:08d}" for root, day, call, thousandths in rows]
    parsed = parse_contracts(symbols, str)
    assert [parsed.roots[i] for i in parsed.root] == [row[0] for row in rows]
    assert [EPOCH + timedelta(days=int(day)) for day in parsed.expiry] == [row[1] for row in rows]
    assert parsed.is_call.tolist() == [row[2] for row in rows]
    assert parsed.strike.tolist() == [row[3] / 1000 for row in rows]
    assert list(parsed.roots) == list(dict.fromkeys(row[0] for row in rows))


def test_padding_is_no_part_of_the_root() -> None:
    parsed = parse_contracts(["SPX   241220C00200000", "SPXW  241220C00200000"], str)
    assert parsed.roots == ("SPX", "SPXW")


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        "241220C00200000",
        "TOOLONG241220C00200000",
        "spx241220C00200000",
        "SPX241220X00200000",
        "SPX24122OC00200000",
        "SPX241220C0020000O",
        "SPX241320C00200000",
        "SPX240020C00200000",
        "SPX241200C00200000",
        "SPX230229C00200000",
        "SPX241220C00000000",
        "SPX\n241220C00200000",
        "S\u0420X241220C00200000",
        "SPX2412\u0662\u0660C00200000",
        "\U0001f469241220C00200000",
        "S/X241220C00200000",
    ],
)
def test_what_is_no_symbol_is_refused_by_row(symbol: str) -> None:
    with pytest.raises(MalformedPayload, match="row 1:") as refused:
        parse_contracts(["SPX241220C00100000", symbol, "SPX241220C00300000"], lambda i: f"row {i}")
    assert "\n" not in refused.value.message


def test_leap_days_are_dates() -> None:
    assert parse_contracts(["SPX240229C00200000"], str).expiry[0] == (date(2024, 2, 29) - EPOCH).days
