"""Cboe's delayed quotes: what each field becomes, and which row is named when one is bad."""

import json
import math
import time
from datetime import UTC, date, datetime

import numpy as np
import pytest
from format_samples import LEGS, cboe_json, leg

from gexdesk.formats.cboe_json import CboeJson
from gexdesk.model.errors import MalformedPayload, OversizePayload
from gexdesk.model.snapshot import Chain, Snapshot


def decode(body: bytes) -> Snapshot:
    (snapshot,) = CboeJson().decode(body)
    return snapshot


def chain_of(body: bytes) -> Chain:
    chain = decode(body).chain
    assert chain is not None
    return chain


def test_every_row_becomes_a_contract_in_file_order() -> None:
    chain = chain_of(cboe_json())
    assert chain.roots == ("SPXW", "SPX")
    assert chain.root.tolist() == [0, 0, 1, 1]
    assert chain.is_call.tolist() == [True, False, True, False]
    assert chain.strike.tolist() == [6000.0, 6000.0, 6000.0, 6002.5]
    assert set(chain.expiry.tolist()) == {(date(2026, 3, 20) - date(1970, 1, 1)).days}
    assert chain.open_interest.tolist() == [120.0, 75.0, 1000.0, 120.0]
    assert chain.bid.tolist() == [12.5, 12.5, 12.5, 0.0]
    assert chain.ask.tolist() == [13.0, 13.0, 13.0, 0.05]
    assert chain.volume.tolist() == [40.0] * 4
    assert chain.delta.tolist() == [0.5, -0.5, 0.5, 0.5]


def test_the_same_strike_and_expiry_under_two_roots_are_two_contracts() -> None:
    chain = chain_of(cboe_json([leg("SPXW260320C06000000", open_interest=1), leg("SPX260320C06000000", open_interest=2)]))
    assert [chain.roots[i] for i in chain.root] == ["SPXW", "SPX"]
    assert chain.strike[0] == chain.strike[1]
    assert chain.expiry[0] == chain.expiry[1]
    assert chain.open_interest.tolist() == [1.0, 2.0]


def test_iv_zero_is_missing_and_gamma_zero_is_not() -> None:
    chain = chain_of(cboe_json([leg(iv=0.0, gamma=0.0), leg("SPXW260320P06000000", iv=26.4)]))
    assert math.isnan(chain.iv[0])
    assert chain.iv[1] == 26.4
    assert chain.gamma.tolist() == [0.0, 0.0012]


@pytest.mark.parametrize("absent", ["bid", "ask", "iv", "gamma", "delta", "open_interest", "volume"])
def test_an_absent_or_null_field_is_unknown(absent: str) -> None:
    without = {name: value for name, value in leg().items() if name != absent}
    for row in (without, without | {absent: None}):
        column = getattr(chain_of(cboe_json([row, leg("SPXW260320P06000000")])), absent)
        assert np.isnan(column).tolist() == [True, False]


def test_the_order_of_keys_does_not_matter() -> None:
    document = json.loads(cboe_json())
    document["data"]["options"] = [dict(reversed(row.items())) for row in document["data"]["options"]]
    document["data"] = dict(reversed(document["data"].items()))
    turned = json.dumps(dict(reversed(document.items()))).encode()
    plain, other = decode(cboe_json()), decode(turned)
    assert (other.symbol, other.spot, other.as_of) == (plain.symbol, plain.spot, plain.as_of)
    assert plain.chain is not None
    assert other.chain is not None
    assert other.chain.open_interest.tolist() == plain.chain.open_interest.tolist()


def test_the_outer_stamp_is_utc() -> None:
    snapshot = decode(cboe_json(timestamp="2026-07-01 15:00:10"))
    assert snapshot.as_of == snapshot.quoted_at == datetime(2026, 7, 1, 15, 0, 10, tzinfo=UTC).timestamp()
    assert snapshot.delay_s == 900


def test_the_machine_s_own_zone_plays_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    here = decode(cboe_json()).as_of
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert decode(cboe_json()).as_of == here
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "stamp", ["2026-02-30 00:00:00", "2026-03-02T15:00:10", "2026-03-02", "2016-12-31 23:59:60", "15:00", "٢٠٢٦-03-02 15:00:10"]
)
def test_another_form_of_stamp_is_refused(stamp: str) -> None:
    with pytest.raises(MalformedPayload, match="YYYY-MM-DD HH:MM:SS, in UTC"):
        decode(cboe_json(timestamp=stamp))


@pytest.mark.parametrize(
    ("outer", "inner", "symbol"),
    [("_RUT", "^RUT", "RUT"), ("^RUT", None, "RUT"), (None, "^RUT", "RUT"), ("qqq", "QQQ", "QQQ"), ("BRK.B", None, "BRK.B")],
)
def test_the_symbol_loses_its_marks(outer: str | None, inner: str | None, symbol: str) -> None:
    assert decode(cboe_json(symbol=outer, data={"symbol": inner})).symbol == symbol


def test_two_symbols_that_disagree_are_refused() -> None:
    with pytest.raises(MalformedPayload, match="RUT outside and \\^SPX inside"):
        decode(cboe_json(symbol="_RUT"))


def test_no_symbol_is_refused() -> None:
    with pytest.raises(MalformedPayload, match="symbol is missing"):
        decode(cboe_json(symbol=None, data={"symbol": None}))


def test_no_spot_is_refused() -> None:
    with pytest.raises(MalformedPayload, match=r"data\.current_price is missing"):
        decode(cboe_json(data={"current_price": None}))


def test_the_bare_data_is_refused_as_such() -> None:
    bare = json.dumps(json.loads(cboe_json())["data"]).encode()
    with pytest.raises(MalformedPayload, match="bare `data` without its wrapper"):
        decode(bare)


@pytest.mark.parametrize("names", [("data", "payload"), ("options", "contracts"), ("option", "contract"), ("timestamp", "time")])
def test_other_key_names_are_refused(names: tuple[str, str]) -> None:
    was, becomes = names
    with pytest.raises(MalformedPayload):
        decode(cboe_json().replace(f'"{was}"'.encode(), f'"{becomes}"'.encode()))


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"open_interest": -1}, "open interest is -1"),
        ({"volume": -0.5}, "volume is -0.5"),
        ({"volume": 1e11}, "volume is 100000000000"),
        ({"bid": -0.01}, "bid is -0.01"),
        ({"ask": 1e9}, "ask is 1000000000"),
        ({"iv": -0.2}, "iv is -0.2"),
        ({"iv": 5000}, "iv is 5000"),
        ({"gamma": 1e9}, "gamma is 1000000000"),
        ({"delta": -1e9}, "delta is -1000000000"),
        ({"volume": True}, "got `bool`"),
        ({"iv": "0.2"}, "got `str`"),
        ({"option": None}, "got `null`"),
        ({"option": "SPXW260320C0600000"}, "no option symbol"),
        ({"option": "SPXW260230C06000000"}, "no date of the calendar"),
        ({"option": "SPXW260320C00000000"}, "strike 0"),
    ],
)
def test_the_first_bad_row_is_named_with_the_count(fields: dict[str, object], word: str) -> None:
    rows = [leg(f"SPXW260320C0{price}000") for price in range(6000, 6010)]
    rows[3] |= fields
    with pytest.raises(MalformedPayload, match=r"data\.options\[3\]") as one:
        decode(cboe_json(rows))
    assert word in one.value.message
    assert "such rows" not in one.value.message
    rows[7] |= fields
    with pytest.raises(MalformedPayload, match=r"data\.options\[3\].*2 such rows of 10"):
        decode(cboe_json(rows))


def test_a_contract_twice_with_different_numbers_is_refused_with_both_places() -> None:
    words = r"data\.options\[4\].*stands twice with different numbers, first at data\.options\[1\]"
    with pytest.raises(MalformedPayload, match=words):
        decode(cboe_json([*LEGS, LEGS[1] | {"open_interest": 9}]))
    with pytest.raises(MalformedPayload, match=r"data\.options\[5\].*2 such rows"):
        decode(cboe_json([*LEGS, LEGS[1], LEGS[1] | {"iv": 0.3}, LEGS[2] | {"bid": None}]))


def test_a_row_that_repeats_a_contract_is_counted_once_and_told() -> None:
    snapshot = decode(cboe_json([LEGS[1], *LEGS, LEGS[0]]))
    assert snapshot.warnings == ("2 rows repeat contracts with the same numbers; each is counted once",)
    chain = snapshot.chain
    assert chain is not None
    assert chain.open_interest.tolist() == [75.0, 120.0, 1000.0, 120.0]
    assert [chain.roots[i] for i in chain.root] == ["SPXW", "SPXW", "SPX", "SPX"]


def test_rows_with_different_keys_are_no_fault() -> None:
    rows = [leg(), {"option": "SPXW260320P06000000", "open_interest": 3, "note": "a,b,[c]"}]
    assert chain_of(cboe_json(rows)).open_interest.tolist() == [120.0, 3.0]


def test_an_array_behind_the_options_is_no_fault() -> None:
    assert len(chain_of(cboe_json(data={"tags": ["a", "b", {"c": [1, 2]}]}))) == 4


def test_a_foreign_root_is_kept_and_warned_of() -> None:
    snapshot = decode(cboe_json([leg("SPX260320C00200000"), leg("XSP260320C00200000")]))
    assert snapshot.chain is not None
    assert snapshot.chain.roots == ("SPX", "XSP")
    assert snapshot.warnings == ("the chain of SPX holds contracts of other roots: XSP",)


@pytest.mark.parametrize("root", ["AAPL1", "AAPL7", "2AAPL"])
def test_an_adjusted_contract_is_counted_and_has_no_exposure(root: str) -> None:
    legs = [leg("AAPL260320C00200000"), leg(f"{root}260320C00200000", open_interest=33.0)]
    snapshot = decode(cboe_json(legs, data={"symbol": None}, symbol="AAPL"))
    chain = snapshot.chain
    assert chain is not None
    assert chain.roots == ("AAPL", root)
    assert chain.open_interest.tolist() == [120.0, 33.0]
    for column in (chain.iv, chain.gamma, chain.delta, chain.bid, chain.ask):
        assert [math.isnan(value) for value in column] == [False, True]
    (warning,) = snapshot.warnings
    assert warning.startswith(f"1 of 2 contracts ({root}) do not deliver what the others do")



def test_what_a_terminal_would_obey_is_taken_out_of_the_error() -> None:
    with pytest.raises(MalformedPayload) as refused:
        decode(cboe_json([leg("\x1b]0;owned\x07SPX")]))
    assert "\x1b" not in refused.value.message
    assert "\x07" not in refused.value.message


def test_a_bad_row_in_a_list_that_a_second_one_hides_is_refused_all_the_same() -> None:
    for last in (b'{}', b'{"options": {}}', b'{"options": [{"option": "SPXW260320C06000000"}]}'):
        with pytest.raises(MalformedPayload):
            decode(b'{"timestamp": "2026-03-02 15:00:10", "data": {"options": [1]}, "data": ' + last + b"}")


def test_more_contracts_than_any_chain_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexdesk.formats.chain.MAX_LISTED", len(LEGS))
    assert len(chain_of(cboe_json())) == len(LEGS)
    with pytest.raises(OversizePayload, match="the document has 5 contracts; allowed: at most 4"):
        decode(cboe_json([*LEGS, leg("SPX260320P06005000")]))
