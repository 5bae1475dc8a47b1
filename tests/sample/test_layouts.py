"""The payloads keep to the vendors' layouts, read with plain json and csv."""

import csv
import io
import json
import math
import re
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sample_morning import events, payloads

OPTION = re.compile(r"([A-Z]+)(\d{6})([CP])(\d{8})")
KEYS = {
    "option", "bid", "bid_size", "ask", "ask_size", "iv", "open_interest", "volume", "delta", "gamma", "theta", "rho", "vega",
    "theo", "change", "open", "high", "low", "tick", "last_trade_price", "last_trade_time", "percent_change", "prev_day_close",
}  # fmt: skip
JSON_SOURCES = ["cboe-spx", "cboe-qqq", "cboe-names", "cboe-burst", "cboe-spy", "backfill"]


@pytest.mark.parametrize("source", JSON_SOURCES)
def test_cboe_documents_have_the_vendors_keys_and_types(source):
    for event in payloads(source)[::7]:
        document = event.document
        assert set(document) == {"timestamp", "symbol", "data"}
        datetime.strptime(document["timestamp"], "%Y-%m-%d %H:%M:%S")
        datetime.strptime(document["data"]["last_trade_time"], "%Y-%m-%dT%H:%M:%S")
        for row in document["data"]["options"]:
            assert set(row) == KEYS
            assert OPTION.fullmatch(row["option"])
            texts = {"option", "tick", "last_trade_time"}
            assert {type(value) for key, value in row.items() if key not in texts} == {float}
            assert 0 <= row["bid"] <= row["ask"]
            assert row["last_trade_time"] is None or datetime.fromisoformat(row["last_trade_time"]).tzinfo is None


@pytest.mark.parametrize(
    ("source", "outer", "inner"), [("cboe-spx", "_SPX", "^SPX"), ("backfill", "_NDX", "^NDX"), ("cboe-qqq", "QQQ", "QQQ")]
)
def test_an_index_is_spelt_differently_inside_and_outside(source, outer, inner):
    for event in payloads(source):
        assert (event.document["symbol"], event.document["data"]["symbol"]) == (outer, inner)


def test_an_expiry_and_strike_stand_under_both_roots():
    keys = [OPTION.fullmatch(row["option"]).groups() for row in payloads("cboe-spx")[0].document["data"]["options"]]
    assert len(set(keys)) == len(keys)
    roots = Counter((day, right, strike) for _, day, right, strike in keys)
    assert sum(count == 2 for count in roots.values()) > 200
    assert {root for root, *_ in keys} == {"SPX", "SPXW"}


def test_strikes_of_the_etf_are_fractional():
    thousandths = {int(row["option"][-8:]) % 1000 for row in payloads("cboe-qqq")[0].document["data"]["options"]}
    assert thousandths == {0, 500}


def test_the_order_of_keys_varies():
    assert {next(iter(payloads(source)[0].document)) for source in JSON_SOURCES} == {"timestamp", "symbol"}


def test_what_vendors_leave_out_is_left_out_here():
    rows = payloads("backfill")[0].document["data"]["options"]
    untraded = sum(row["last_trade_time"] is None for row in rows) / len(rows)
    assert 0.14 < untraded < 0.57
    assert any(row["iv"] == 0 and row["open_interest"] > 0 for row in rows)
    assert any(row["gamma"] == 0 and row["iv"] > 0 and row["open_interest"] > 0 for row in rows)


@pytest.mark.parametrize("source", ["cboe-spx", "cboe-qqq", "cboe-names"])
def test_quotes_agree_with_their_own_iv(source):
    """Reprice with Black-Scholes-Merton at the written IV: the theoretical price and the delta come out again."""
    dividend = {"cboe-spx": 0.013, "cboe-qqq": 0.005, "cboe-names": 0.005}[source]
    document = payloads(source)[3].document
    spot, seen = document["data"]["current_price"], 0
    now = datetime.strptime(document["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    for row in document["data"]["options"]:
        root, day, right, strike = OPTION.fullmatch(row["option"]).groups()
        if row["iv"] == 0:
            continue
        settles = "0930" if root == "SPX" else "1600"
        expiry = datetime.strptime(day + settles, "%y%m%d%H%M").replace(tzinfo=ZoneInfo("America/New_York"))
        years = (expiry - now).total_seconds() / (365 * 86_400)
        side, k, deviation = (1 if right == "C" else -1), int(strike) / 1000, row["iv"] * math.sqrt(years)
        d1 = (math.log(spot / k) + (0.043 - dividend) * years) / deviation + deviation / 2
        n1, n2 = (math.erfc(-side * d / math.sqrt(2)) / 2 for d in (d1, d1 - deviation))
        price = side * (spot * math.exp(-dividend * years) * n1 - k * math.exp(-0.043 * years) * n2)
        assert row["theo"] == pytest.approx(price, abs=1e-4)
        assert row["delta"] == pytest.approx(side * math.exp(-dividend * years) * n1, abs=1e-4)
        assert row["bid"] <= row["theo"] + 1e-9 <= row["ask"] + 1e-9
        seen += 1
    assert seen > 100


def test_one_feed_comes_compressed():
    assert {event.source for event in events() if event.compressed} == {"cboe-qqq"}


def test_quote_tables_have_the_vendors_22_columns():
    for event in payloads("csv-xsp"):
        text = event.body.decode()
        assert text.count("\n") == text.count("\r\n")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert rows[0] == []
        assert rows[1][0] == "S&P 500 Mini-SPX Options Index"
        assert rows[1][1].startswith("Last: ")
        assert re.fullmatch(r"Date: March 2, 2026 at 9:3[01] AM EST", rows[2][0])
        header, table = rows[3], rows[4:]
        assert header[:3] == ["Expiration Date", "Calls", "Last Sale"]
        assert header[11] == "Strike"
        assert header[2:11] == header[13:22]
        assert len(table) > 200
        for row in table:
            assert len(row) == 22
            call, put = OPTION.fullmatch(row[1]), OPTION.fullmatch(row[12])
            day = datetime.strptime(row[0], "%a %b %d %Y").date()
            assert f"{day:%y%m%d}" == call[2] == put[2]
            assert row[0] == f"{day:%a %b %d %Y}"
            assert float(row[11]) == int(call[4]) / 1000 == int(put[4]) / 1000
            assert (call[3], put[3]) == ("C", "P")
            assert all(math.isfinite(float(cell)) for cell in (*row[2:11], *row[13:]))


def test_gexbot_documents_have_the_vendors_fields():
    expected = [
        "timestamp", "ticker", "min_dte", "sec_min_dte", "spot", "zero_gamma", "major_pos_vol", "major_pos_oi", "major_neg_vol",
        "major_neg_oi", "strikes", "sum_gex_vol", "sum_gex_oi", "delta_risk_reversal", "max_priors",
    ]  # fmt: skip
    kinds = set()
    for event in payloads("gexbot-")[::5]:
        if event.source == "gexbot-spy" and 75 < event.at_s < 76:
            continue  # the one that is cut off
        document = event.document
        assert list(document) == expected
        assert isinstance(document["timestamp"], int)
        assert len(document["max_priors"]) == 6
        strikes = [row[0] for row in document["strikes"]]
        assert strikes == sorted(set(strikes))
        assert all(len(row) == 4 and len(row[3]) == 5 for row in document["strikes"])
        assert document["sum_gex_vol"] == pytest.approx(sum(row[1] for row in document["strikes"]), abs=0.002)
        assert document["major_pos_vol"] in strikes
        kinds |= {type(row[1]) for row in document["strikes"]}
    assert kinds == {int, float}


def test_the_lower_tiers_write_zero_for_what_is_not_subscribed():
    paid = ("zero_gamma", "major_pos_oi", "major_neg_oi", "sum_gex_oi", "delta_risk_reversal")
    for source in ("gexbot-ndx", "gexbot-spy", "gexbot-names"):
        document = payloads(source)[0].document
        assert [document[key] for key in paid] == [0] * 5
        assert {row[2] for row in document["strikes"]} == {0}
    full = payloads("gexbot-spx")[0].document
    assert all(full[key] != 0 for key in paid)
    assert abs(full["zero_gamma"] / full["spot"] - 1) < 0.02


def test_a_record_in_ten_repeats_its_predecessor():
    bodies = [event.body for event in payloads("gexbot-spx")]
    repeated = sum(this == before for before, this in pairwise(bodies))
    assert repeated == 12


def test_documents_of_small_names_are_short_and_stand_around_the_spot():
    for event in payloads("gexbot-names"):
        document = event.document
        strikes = [row[0] for row in document["strikes"]]
        assert 15 <= len(strikes) <= 25
        assert strikes[0] < document["spot"] < strikes[-1]
        assert any(row[1] for row in document["strikes"])


def test_priors_are_what_earlier_documents_said():
    by_stamp = {event.document["timestamp"]: event.document for event in payloads("gexbot-spx")}
    now = max(by_stamp)
    for place, back_s in enumerate((1, 5, 10, 15, 30)):
        if now - back_s in by_stamp:
            earlier = {row[0]: row[1] for row in by_stamp[now - back_s]["strikes"]}
            assert {row[0]: row[3][place] for row in by_stamp[now]["strikes"]} == earlier


@pytest.mark.parametrize("source", ["inhouse-rut", "inhouse-vix"])
def test_canonical_snapshots_are_complete(source):
    for event in payloads(source):
        document = event.document
        stamp = datetime.fromisoformat(document["snapshot_time"])
        assert stamp.utcoffset().total_seconds() == 0
        assert date.fromisoformat(document["snapshot_date"]) == stamp.date()
        assert document["market_symbol"] == source.removeprefix("inhouse-").upper()
        strikes = document["strikes"]
        assert len(strikes) > 20
        held = sum(row["call_open_interest"] + row["put_open_interest"] for row in strikes)
        traded = sum(row["call_volume"] + row["put_volume"] for row in strikes)
        assert (document["total_open_interest"], document["total_volume"]) == (held, traded)
        assert all(isinstance(row["gamma"], float) and row["strike_price"] > 0 for row in strikes)


def test_one_payload_is_cut_off_and_all_others_are_whole():
    broken = []
    for event in events():
        if event.kind == "payload" and event.source != "csv-xsp":
            try:
                json.loads(event.body)
            except json.JSONDecodeError:
                broken.append(event)
    assert [(event.source, int(event.at_s)) for event in broken] == [("gexbot-spy", 75)]
    assert broken[0].body.startswith(b'{"timestamp": ')
