"""Tradier: greeks that are null, contracts of another size, and the two spellings of open interest."""

import math

import pytest
from format_samples import GREEKS, QUOTED_MS, TRADIER_OPTIONS, tradier, tradier_option

from gexdesk.formats.tradier import Tradier
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import Snapshot


def decode(options: object = TRADIER_OPTIONS) -> Snapshot:
    (snapshot,) = Tradier().decode(tradier(options))
    return snapshot


def test_an_answer_becomes_a_chain_without_a_spot() -> None:
    snapshot = decode()
    assert (snapshot.symbol, snapshot.spot, snapshot.multiplier, snapshot.warnings) == ("SPX", None, 100.0, ())
    assert snapshot.as_of == QUOTED_MS / 1000
    chain = snapshot.chain
    assert chain is not None
    assert [chain.roots[i] for i in chain.root] == ["SPXW", "SPXW", "SPX", "SPX"]
    assert chain.open_interest.tolist() == [120.0, 75.0, 1000.0, 120.0]
    assert chain.volume.tolist() == [40.0, 40.0, 40.0, 0.0]
    assert [None if math.isnan(iv) else iv for iv in chain.iv] == [0.15, None, 0.15, None]
    assert [None if math.isnan(gamma) else gamma for gamma in chain.gamma] == [0.0012, None, 0.0012, 0.0012]
    assert [None if math.isnan(delta) else delta for delta in chain.delta] == [0.51, None, 0.51, 0.51]


def test_the_old_spelling_of_open_interest_is_read() -> None:
    old = {key: value for key, value in tradier_option().items() if key not in ("open_interest", "greeks")} | {"open-interest": 77}
    chain = decode([old, tradier_option("SPXW260320P06000000", open_interest=None)]).chain
    assert chain is not None
    assert chain.open_interest[0] == 77.0
    assert math.isnan(chain.open_interest[1])


def test_the_stamp_is_that_of_the_newest_quote_or_trade() -> None:
    assert decode([tradier_option(trade_date=QUOTED_MS + 5000)]).as_of == QUOTED_MS / 1000 + 5
    assert decode([tradier_option(trade_date=None, ask_date=0, bid_date=QUOTED_MS - 7000)]).as_of == QUOTED_MS / 1000 - 7


def test_contracts_of_another_size_are_counted_and_have_no_exposure() -> None:
    options = [*TRADIER_OPTIONS, tradier_option("SPX260320C06100000", contract_size=10), tradier_option("SPX1260320C06100000")]
    snapshot = decode(options)
    assert snapshot.multiplier == 100.0
    assert snapshot.chain is not None
    assert [math.isnan(gamma) for gamma in snapshot.chain.gamma] == [False, True, False, False, True, True]
    assert snapshot.chain.open_interest[4:].tolist() == [120.0, 120.0]
    assert snapshot.warnings[0].startswith("2 of 6 contracts (SPX, SPX1) do not deliver what the others do")
    assert decode([tradier_option(contract_size=10)]).multiplier == 10.0
    assert decode([tradier_option(contract_size=None)]).multiplier is None


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "empty"),
        ([tradier_option(bid_date=0, ask_date=None, trade_date=0)], "no contract has a time"),
        ([tradier_option(bid_date=1772463600, ask_date=0, trade_date=0)], "outside 1990 to 2100"),
        ([tradier_option("SPX")], r"options\.option\[0\] \(SPX\): 'SPX' is no option symbol"),
        ([tradier_option(), tradier_option(symbol=7)], r"options\.option\[1\].*int"),
        ([tradier_option(bid="1.5")], r"options\.option\[0\].*str"),
        ([tradier_option(greeks=[])], r"options\.option\[0\].*array"),
        ([tradier_option(greeks=GREEKS | {"gamma": "NaN"})], r"options\.option\[0\].*str"),
        ([tradier_option(contract_size=0)], "contract size 0"),
        ([tradier_option(underlying="SPX"), tradier_option("SPX260320C06000000", underlying="SPY")], "SPX and SPY"),
        ([tradier_option(underlying="../x")], "A-Z"),
    ],
)
def test_what_is_missing_or_wrong_is_named(options: object, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        decode(options)


def test_no_options_are_no_document() -> None:
    for body in (b'{"options":null}', b'{"options":{"option":null}}', b'{"fault":{"faultstring":"Invalid Access Token"}}'):
        with pytest.raises(MalformedPayload):
            Tradier().decode(body)
