"""Schwab and TD Ameritrade: percent, "NaN", -999, keys that carry the contract, and an answer that FAILED."""

import json
import math

import pytest
from format_samples import QUOTED_MS, schwab, schwab_contract

from gexdesk.formats.schwab import Schwab
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import Snapshot

DAY = "2026-03-20:18"


def decode(*args: object, **fields: object) -> Snapshot:
    (snapshot,) = Schwab().decode(schwab(*args, **fields))
    return snapshot


def plain(column: object) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column]  # type: ignore[attr-defined]


def one(**fields: object) -> dict[str, object]:
    return {DAY: {"6000.0": [schwab_contract(**fields)]}}  # type: ignore[arg-type]


def test_an_answer_becomes_a_chain() -> None:
    snapshot = decode()
    assert (snapshot.symbol, snapshot.spot, snapshot.multiplier, snapshot.warnings) == ("SPX", 6001.25, 100.0, ())
    assert snapshot.as_of == QUOTED_MS / 1000
    chain = snapshot.chain
    assert chain is not None
    assert [chain.roots[i] for i in chain.root] == ["SPXW", "SPX", "SPXW", "SPX"]
    assert chain.is_call.tolist() == [True, True, False, False]
    assert chain.strike.tolist() == [6000.0, 6000.0, 6000.0, 6002.5]
    assert plain(chain.iv) == [0.15, 0.15, None, None]
    assert plain(chain.gamma) == [0.0012, 0.0012, None, None]
    assert plain(chain.delta) == [0.51, 0.51, None, 0.51]
    assert chain.open_interest.tolist() == [120.0, 1000.0, 75.0, 120.0]
    assert chain.volume.tolist() == [40.0, 40.0, 40.0, 0.0]


def test_the_older_vendors_symbols_are_read() -> None:
    calls = {"2026-03-20:18": {"6002.5": [schwab_contract("SPXW_032026C6002.5")], "6000.0": [schwab_contract("SPX_032026C6000")]}}
    snapshot = decode(calls, {}, symbol="$SPX.X")
    assert snapshot.symbol == "SPX"
    assert snapshot.chain is not None
    assert (snapshot.chain.roots, snapshot.chain.strike.tolist()) == (("SPXW", "SPX"), [6002.5, 6000.0])


def test_the_price_of_the_underlying_is_the_first_that_is_there() -> None:
    quote = {"mark": 6003.0, "last": 6002.0, "quoteTime": QUOTED_MS + 9000}
    assert decode(underlyingPrice=0.0, underlying=quote).spot == 6003.0
    assert decode(underlyingPrice="NaN", underlying=quote | {"mark": -999.0}).spot == 6002.0
    assert decode(underlyingPrice=0, underlying=None).spot is None
    assert decode(underlying=quote).as_of == QUOTED_MS / 1000 + 9


def test_what_the_answer_says_of_itself_is_told() -> None:
    assert decode(isDelayed=True).warnings == ("the vendor says its quotes are delayed, and not by how much",)
    assert decode(numberOfContracts=7).warnings == ("numberOfContracts is 7, but the answer holds 4",)


@pytest.mark.parametrize("odd", [{"nonStandard": True}, {"multiplier": 10.0}], ids=str)
def test_odd_contracts_are_counted_and_have_no_exposure(odd: dict[str, object]) -> None:
    calls = {DAY: {"6000.0": [schwab_contract(), schwab_contract("SPX   260320C06000000", **odd)]}}
    snapshot = decode(calls)
    assert snapshot.multiplier == 100.0
    assert snapshot.chain is not None
    assert plain(snapshot.chain.gamma)[:2] == [0.0012, None]
    assert snapshot.chain.open_interest[1] == 120.0
    assert any("1 of 4 contracts (SPX) do not deliver" in warning for warning in snapshot.warnings)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"status": "FAILED", "calls": {}, "puts": {}, "numberOfContracts": 3}, "status is 'FAILED'"),
        ({"status": "\x1b[2JX"}, "status is"),
        ({"calls": {}, "puts": {}}, "hold no contract"),
        ({"calls": {"2026-02-30:1": {}}}, "'2026-02-30:1'.*allowed: YYYY-MM-DD"),
        ({"calls": {"20260320": {}}}, "allowed: YYYY-MM-DD"),
        ({"calls": {DAY: {"abc": []}}}, "the key 'abc'; allowed: a strike"),
        ({"calls": {DAY: {"-1.0": []}}}, "a strike above 0"),
        ({"calls": {DAY: {"0.0": []}}}, "a strike above 0"),
        ({"calls": {DAY: {"1e3": []}}}, "a strike above 0"),
        ({"calls": one(symbol="SPX")}, r"callExpDateMap\[.*\[0\]: symbol 'SPX' is no option symbol"),
        ({"calls": one(symbol="SPXW  260321C06000000")}, "is of another date"),
        ({"calls": one(symbol="SPXW  260320P06000000")}, "is of another date"),
        ({"calls": one(symbol="SPXW  260320C06005000")}, "is of another date"),
        ({"calls": one(symbol="SPXW_032126C6000")}, "is of another date"),
        ({"calls": one(gamma="0.1")}, "gamma is '0.1'"),
        ({"calls": one(gamma=True)}, "bool"),
        ({"calls": one(openInterest=-3)}, "open interest is -3"),
        ({"calls": one(bid=-1)}, "bid is -1"),
        ({"calls": one(quoteTimeInLong=0), "puts": {}}, "no contract has a time"),
        ({"calls": one(quoteTimeInLong=1772463600), "puts": {}}, "outside 1990 to 2100"),
        ({"underlyingPrice": -5}, "underlyingPrice is -5"),
        ({"underlyingPrice": "6.000,5"}, "underlyingPrice is 6.000,5"),
        ({"symbol": None}, "symbol is missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "answer",
)
def test_what_is_missing_or_wrong_is_named(fields: dict[str, object], word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        decode(**fields)


def test_another_document_is_said_to_be_one() -> None:
    with pytest.raises(MalformedPayload, match="this is no schwab document"):
        Schwab().decode(json.dumps({"symbol": "SPX", "status": "SUCCESS"}).encode())
