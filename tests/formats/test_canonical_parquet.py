"""The house's own snapshots as Parquet: both forms, and the tables that are none."""

import math
from datetime import UTC, datetime

import polars as pl
import pytest
from format_samples import CHAIN_COLUMNS, STRIKES_COLUMNS, canonical, gexbot, parquet

from gexdesk.formats.canonical import Canonical
from gexdesk.formats.canonical_parquet import CanonicalParquet
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import Snapshot

STAMP = datetime(2026, 3, 2, 15, tzinfo=UTC).timestamp()


def decode(body: bytes) -> list[Snapshot]:
    return list(CanonicalParquet().decode(body))


def plain(column: object) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column]  # type: ignore[attr-defined]


def test_strikes_read_as_the_canonical_json_does() -> None:
    (snapshot,) = decode(parquet())
    assert (snapshot.symbol, snapshot.spot, snapshot.as_of, snapshot.warnings) == ("SPX", 6001.25, STAMP, ())
    table = snapshot.given
    assert table is not None
    assert table.strike.tolist() == [6000.0, 6002.5, 6010.0]
    assert table.call_open_interest.tolist() == [9.0, 100.0, 7.0]
    assert table.put_open_interest.tolist() == [0.0, 50.0, 8.0]
    assert plain(table.call_volume) == [None, None, 9.0]
    assert plain(table.put_volume) == [None] * 3
    assert plain(table.net_gex) == [-2e7, 1.5e8, None]
    strikes = [
        {name: STRIKES_COLUMNS[name][i] for name in ("strike_price", "call_open_interest", "put_open_interest", "gamma")}  # type: ignore[index]
        for i in range(3)
    ]
    (same,) = Canonical().decode(canonical(strikes=strikes))
    assert same.given is not None
    for name in ("strike", "call_open_interest", "put_open_interest", "net_gex"):
        assert plain(getattr(same.given, name)) == plain(getattr(table, name))
    assert (same.symbol, same.spot, same.as_of) == (snapshot.symbol, snapshot.spot, snapshot.as_of)


def test_contracts_become_a_chain() -> None:
    (snapshot,) = decode(parquet(CHAIN_COLUMNS))
    assert (snapshot.symbol, snapshot.spot, snapshot.as_of) == ("SPX", 6001.25, STAMP)
    chain = snapshot.chain
    assert chain is not None
    assert [chain.roots[i] for i in chain.root] == ["SPXW", "SPXW", "SPX"]
    assert plain(chain.iv) == [0.15, None, 0.16]
    assert plain(chain.volume) == [40.0, 0.0, None]
    assert plain(chain.gamma) == [None] * 3
    assert chain.open_interest.tolist() == [120.0, 75.0, 1000.0]


def test_several_snapshots_lie_in_one_file_in_order() -> None:
    body = parquet(
        market_symbol=["SPX", "NDX", "SPX"],
        snapshot_time=["2026-03-02T15:00:00Z", "2026-03-02T10:00:00-05:00", "2026-03-02T15:00:15Z"],
        spot=[6001.25, 21_000.0, None],
    )
    found = [(s.symbol, s.as_of - STAMP, s.spot) for s in decode(body)]
    assert found == [("SPX", 0.0, 6001.25), ("NDX", 0.0, 21_000.0), ("SPX", 15.0, None)]


def test_any_number_type_will_do_and_other_columns_are_passed_over() -> None:
    body = parquet(call_open_interest=pl.Series([7, 100, 9], dtype=pl.UInt16), gamma=pl.Series([1, 2, 3], dtype=pl.Float32))
    (snapshot,) = decode(body)
    assert snapshot.given is not None
    assert snapshot.given.net_gex.tolist() == [3.0, 2.0, 1.0]
    (bare,) = decode(parquet(gamma=[None] * 3, spot=[None] * 3))
    assert bare.given is not None
    assert (bare.spot, plain(bare.given.net_gex)) == (None, [None] * 3)
    (zoned,) = decode(parquet(snapshot_time=[datetime(2026, 3, 2, 15, 0, 0, 500_000, tzinfo=UTC)] * 3))
    assert zoned.as_of == STAMP + 0.5


GOOD = parquet()
FAR_FUTURE = pl.Series([10**18] * 3, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
HALF = len(GOOD) // 2


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "not a Parquet file"),
        (b"PAR1PAR1", "footer"),
        (GOOD[:-4], "no end"),
        (GOOD[:HALF], "no end"),
        (GOOD[:-1], "no end"),
        (GOOD[:-8] + b"\0\0\0\0PAR1", "footer of 0 bytes"),
        (GOOD[:-8] + b"\xff\xff\xff\x7fPAR1", "footer of 2147483647"),
        (GOOD[:-8] + b"\xff\xff\xff\xffPAR1", "footer of 4294967295"),
        (GOOD[:-4] + b"PARE", "no end"),
        (b"x" + GOOD, "not a Parquet file"),
        (GOOD + GOOD, "two Parquet files"),
        (gexbot(), "not a Parquet file"),
        (GOOD[:4] + b"\0" * (len(GOOD) - 12) + GOOD[-8:], "broken"),
        (parquet({"market_symbol": pl.Series([], dtype=pl.String)}), "no column `snapshot_time`"),
        (parquet({name: pl.Series(column, strict=False).clear() for name, column in STRIKES_COLUMNS.items()}), "0 rows"),  # type: ignore[call-overload]
        (parquet({}), "no column|0 columns|broken"),
        (parquet({f"c{i}": [1] for i in range(2000)}), "2000 columns"),
        (parquet(market_symbol=[1, 2, 3]), "`market_symbol` is of type Int64"),
        (parquet(market_symbol=[["SPX"]] * 3), "`market_symbol` is of type List"),
        (parquet(snapshot_time=[1.5] * 3), "`snapshot_time` is of type Float64"),
        (parquet(snapshot_time=[datetime(2026, 3, 2, 15)] * 3), "a timestamp with a zone"),
        (parquet(snapshot_time=["2026-03-02T15:00:00"] * 3), "row 1: snapshot_time is"),
        (parquet(snapshot_time=["15:00:00Z"] * 3), "row 1: snapshot_date is missing"),
        (parquet(snapshot_time=pl.Series([None] * 3, dtype=pl.String)), "snapshot_time is missing"),
        (parquet(snapshot_time=FAR_FUTURE), "row 1: snapshot_time: the time .* is outside 1990 to 2100"),
        (parquet(strike_price=["x"] * 3), "`strike_price` is of type String"),
        (parquet(gamma=[True] * 3), "`gamma` is of type Boolean"),
        (parquet(drop=["strike_price"]), "no column `strike_price`"),
        (parquet(CHAIN_COLUMNS, drop=["open_interest"]), "no column `open_interest`"),
        (parquet(market_symbol=pl.Series([None] * 3, dtype=pl.String)), "row 1: market_symbol is missing"),
        (parquet(market_symbol=["../../x"] * 3), "row 1: market_symbol is '../../x'"),
        (parquet(market_symbol=["\x1b]0;x\x07"] * 3), "market_symbol is"),
        (parquet(strike_price=[1.0, math.nan, 2.0]), "row 2: strike_price is missing"),
        (parquet(strike_price=[1.0, None, 2.0]), "row 2: strike_price is missing"),
        (parquet(call_open_interest=[None] * 3), "row 1: call_open_interest is missing"),
        (parquet(strike_price=[1.0, 2.0, 1.0]), "row 3: strike 1 stands twice"),
        (parquet(strike_price=[1.0, -2.0, 1.0]), "row 2: strike -2"),
        (parquet(put_open_interest=[1.0, 2.0, None]), "row 3: put_open_interest is missing"),
        (parquet(call_open_interest=[1.0, -2.0, 3.0]), "row 2: call_open_interest is -2"),
        (parquet(gamma=[1.0, math.inf, 2.0]), "row 2: gamma is inf"),
        (parquet(spot=[1.0, 2.0, None]), "2 different spots"),
        (parquet(spot=[-1.0, -1.0, None]), "row 1: spot is -1"),
        (parquet(CHAIN_COLUMNS, option=["SPXW260320C06000000", None, "SPX"]), "row 2: option is missing"),
        (parquet(CHAIN_COLUMNS, option=["SPXW260320C06000000", "SPX", "SPX"]), "row 2: 'SPX' is no option symbol"),
        (parquet(CHAIN_COLUMNS, option=["SPXW260320C06000000"] * 3), "row 2: the contract stands twice"),
        (parquet(CHAIN_COLUMNS, open_interest=[math.inf, 1.0, 1.0]), "row 1: open interest is inf"),
        (parquet(CHAIN_COLUMNS, iv=[-0.1, 1.0, 1.0]), "row 1: iv is -0.1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_what_is_no_such_table_is_refused_by_column_and_row(body: bytes, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        decode(body)


def test_a_table_of_too_many_rows_is_refused_before_it_is_read() -> None:
    body = parquet({name: pl.repeat(column[0], 2_000_001, eager=True) for name, column in STRIKES_COLUMNS.items()})  # type: ignore[index]
    assert len(body) < 1_000_000
    with pytest.raises(MalformedPayload, match="2000001 rows; allowed: 1 to 2000000"):
        decode(body)
