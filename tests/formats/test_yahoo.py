"""Yahoo: what is absent, what is 1e-05, and the two dresses of a number."""

import json
import math

import pytest
from format_samples import YAHOO_CALLS, YAHOO_PUTS, yahoo, yahoo_contract, yahoo_result

from gexdesk.formats.yahoo import Yahoo
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import Chain, Snapshot


def decode(body: bytes) -> Snapshot:
    (snapshot,) = Yahoo().decode(body)
    return snapshot


def chain_of(body: bytes) -> Chain:
    chain = decode(body).chain
    assert chain is not None
    return chain


def plain(column: object) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column]  # type: ignore[attr-defined]


def test_a_result_becomes_a_chain() -> None:
    snapshot = decode(yahoo())
    assert (snapshot.symbol, snapshot.spot, snapshot.as_of, snapshot.delay_s) == ("SPX", 6001.25, 1772463600.0, 900.0)
    assert (snapshot.multiplier, snapshot.warnings) == (None, ())
    chain = chain_of(yahoo())
    assert [chain.roots[i] for i in chain.root] == ["SPXW", "SPX", "SPXW", "SPX"]
    assert chain.is_call.tolist() == [True, True, False, False]
    assert chain.strike.tolist() == [6000.0, 6000.0, 6000.0, 6002.5]
    assert plain(chain.iv) == [0.15, 0.15, None, None]
    assert plain(chain.open_interest) == [120.0, 1000.0, 0.0, None]
    assert plain(chain.volume) == [40.0, 40.0, 40.0, None]
    assert plain(chain.bid) == [12.5, 12.5, 12.5, None]
    assert plain(chain.ask) == [13.0, 13.0, 13.0, 0.05]
    assert plain(chain.gamma) == plain(chain.delta) == [None] * 4


def test_formatted_numbers_and_empty_ones_read_the_same() -> None:
    def dressed(value: object) -> object:
        return value if isinstance(value, str | bool) else {"raw": value, "fmt": str(value), "longFmt": f"{value}"}

    contract = {key: dressed(value) for key, value in YAHOO_CALLS[0].items()}
    quote = {"regularMarketPrice": dressed(6001.25), "regularMarketTime": dressed(1772463600)}
    empty = {"contractSymbol": "SPX260320P06002500", "openInterest": {}, "impliedVolatility": "", "bid": {}, "volume": ""}
    snapshot = decode(yahoo(yahoo_result([contract], [empty], quote=quote)))
    assert (snapshot.spot, snapshot.as_of) == (6001.25, 1772463600.0)
    assert snapshot.chain is not None
    assert plain(snapshot.chain.open_interest) == [120.0, None]
    assert plain(snapshot.chain.iv) == [0.15, None]
    assert plain(snapshot.chain.bid) == [12.5, None]
    assert plain(snapshot.chain.volume) == [40.0, None]


def test_each_result_is_a_snapshot_and_each_expiry_counts() -> None:
    later = {"expirationDate": 1776384000, "calls": [yahoo_contract("SPX260417C06000000")], "puts": []}
    first = yahoo_result() | {"options": [*yahoo_result()["options"], later]}  # type: ignore[misc]
    second = yahoo_result([yahoo_contract("QQQ260320C00600000")], [], underlyingSymbol="QQQ")
    snapshots = Yahoo().decode(yahoo(first, second))
    assert [(s.symbol, len(s.chain or [])) for s in snapshots] == [("SPX", 5), ("QQQ", 1)]


def test_a_mini_contract_is_counted_and_has_no_exposure() -> None:
    snapshot = decode(yahoo(yahoo_result([*YAHOO_CALLS, yahoo_contract("SPX260320C06100000", contractSize="MINI")])))
    assert snapshot.chain is not None
    assert plain(snapshot.chain.iv)[2] is None
    assert snapshot.chain.open_interest[2] == 120.0
    assert snapshot.warnings[0].startswith("1 of 5 contracts (SPX) do not deliver what the others do")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (yahoo(yahoo_result(quote={"regularMarketPrice": 6001.25})), r"result\[0\]\.quote\.regularMarketTime is missing"),
        (yahoo(yahoo_result(quote={"regularMarketPrice": 6001.25, "regularMarketTime": {}})), "regularMarketTime is missing"),
        (yahoo(yahoo_result(quote=None)), "regularMarketTime is missing"),
        (yahoo(yahoo_result(quote={"regularMarketTime": 1772463600})), "regularMarketPrice is missing"),
        (yahoo(yahoo_result(quote={"regularMarketPrice": 1.0, "regularMarketTime": 1772463600000})), "milliseconds"),
        (yahoo(yahoo_result([{"strike": 6000.0, "bid": 1.0}], [])), r"`contractSymbol` - at `\$.*calls"),
        (yahoo(yahoo_result([yahoo_contract("SPX")], [])), r"options\[0\]\.calls\[0\] \(SPX\): 'SPX' is no option symbol"),
        (yahoo(yahoo_result([], [])), "holds no contract"),
        (yahoo(yahoo_result(options=[])), "holds no contract"),
        (yahoo(yahoo_result(underlyingSymbol=None)), "underlyingSymbol is missing"),
        (yahoo(yahoo_result([yahoo_contract(bid="7")], [])), r"calls\[0\].*bid is '7'"),
        (yahoo(yahoo_result(quote={"regularMarketPrice": "6,0", "regularMarketTime": 1772463600})), "regularMarketPrice is '6,0'"),
        (yahoo(yahoo_result(quote={"regularMarketPrice": 1.0, "regularMarketTime": ""})), "regularMarketTime is missing"),
        (yahoo(yahoo_result([yahoo_contract(openInterest=-1)], [])), r"calls\[0\].*open interest is -1"),
        (yahoo(yahoo_result(YAHOO_CALLS, [YAHOO_CALLS[0] | {"bid": 1}])), "stands twice with different numbers"),
        (json.dumps({"optionChain": {"result": [], "error": None}}).encode(), "result is empty, its error is null"),
        (
            json.dumps({"optionChain": {"result": None, "error": {"code": "Not Found", "description": "\x1b[2Jno"}}}).encode(),
            "Not Found",
        ),
        (json.dumps({"underlyingSymbol": "^SPX", "quote": {"regularMarketPrice": 1}, "options": []}).encode(), "Time is missing"),
        (b'{"a":1}', "this is no yahoo document"),
    ],
)
def test_what_is_missing_or_wrong_is_named(body: bytes, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        decode(body)


def test_puts_alone_are_a_chain() -> None:
    assert chain_of(yahoo(yahoo_result([], YAHOO_PUTS))).is_call.tolist() == [False, False]
