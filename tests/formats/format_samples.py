"""Small documents in each layout, written by hand; every field can be replaced."""

import io
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import polars as pl


def leg(option: str = "SPXW260320C06000000", **fields: object) -> dict[str, object]:
    """One contract of the delayed-quotes JSON, with fields that decoders leave alone."""
    return {
        "option": option,
        "bid": 12.5,
        "bid_size": 3.0,
        "ask": 13.0,
        "iv": 0.15,
        "open_interest": 120.0,
        "volume": 40.0,
        "delta": 0.5,
        "gamma": 0.0012,
        "theta": -0.4,
        "last_trade_time": None,
    } | fields


LEGS = (
    leg("SPXW260320C06000000"),
    leg("SPXW260320P06000000", delta=-0.5, iv=0.0, open_interest=75.0),
    leg("SPX260320C06000000", open_interest=1000.0, last_trade_time="2026-03-02T10:15:00"),
    leg("SPX260320P06002500", bid=0.0, ask=0.05, gamma=0.0),
)


def cboe_json(legs: Iterable[Mapping[str, object]] = LEGS, data: Mapping[str, object] | None = None, **outer: object) -> bytes:
    inner = {"options": list(legs), "symbol": "^SPX", "current_price": 6001.25, "close": 6001.25} | dict(data or {})
    return json.dumps({"timestamp": "2026-03-02 15:00:10", "data": inner, "symbol": "_SPX"} | outer).encode()


HEADER = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
)
ROWS = (
    "Fri Mar 20 2026,SPXW260320C06000000,12.5,0.2,12.4,12.9,40,0.15,0.51,0.0012,120,6000.00,"
    "SPXW260320P06000000,11,-0.1,10.9,11.2,30,0,-0.49,0,75",
    "Fri Mar 20 2026,SPX260320C06000000,12.5,0.2,12.4,12.9,7,0.151,0.51,0.0011,1000,6000.00,"
    "SPX260320P06000000,11,-0.1,10.9,11.2,2,0.16,-0.49,0.0011,900",
    "Fri Mar 20 2026,SPXW260320C06002500,12.5,0.2,0,0,0,0.149,0.5,0,3,6002.50,SPXW260320P06002500,11,-0.1,0,0,0,0.15,-0.5,0,4",
)
DATE = '"Date: March 2, 2026 at 10:00 AM EST",Bid: 6000.5,Ask: 6002,Size: 1*1,Volume: 0'
NAME = "S&P 500 INDEX,Last: 6001.25,Change:  -3.1"


def cboe_csv(
    rows: Iterable[str] = ROWS, date: str = DATE, name: str = NAME, header: str = HEADER, end: str = "\n", first: str = ""
) -> bytes:
    return end.join([first, name, date, header, *rows, ""]).encode()


def gexbot(**fields: object) -> bytes:
    """One record, as on the full tier."""
    record = {
        "timestamp": 1772463600,
        "ticker": "SPX",
        "min_dte": 0,
        "sec_min_dte": 1,
        "spot": 6001.25,
        "zero_gamma": 5990.5,
        "major_pos_vol": 6010,
        "major_pos_oi": 6025,
        "major_neg_vol": 5980,
        "major_neg_oi": 5975,
        "strikes": [[5990, -1.5, -20, [-1, 0, 0, 0, 0]], [6002.5, 0, 3.25, [0, 0, 0, 0, 0]], [6010, 4, 30.5, [4, 4, 3, 2, 1]]],
        "sum_gex_vol": 2.5,
        "sum_gex_oi": 13.75,
        "delta_risk_reversal": -0.03,
        "max_priors": [[6010, 1.5]] * 6,
    }
    return json.dumps(record | fields).encode()


def gexbot_low_tier(**fields: object) -> bytes:
    """One record, as on a tier without open interest."""
    strikes = [[5990, -1.5, 0, [0] * 5], [6010, 4, 0, [0] * 5]]
    zeros = {"zero_gamma": 0, "major_pos_oi": 0, "major_neg_oi": 0, "sum_gex_oi": 0, "delta_risk_reversal": 0}
    return gexbot(**({"strikes": strikes} | zeros | fields))


def strike(price: float = 6000.0, **fields: object) -> dict[str, object]:
    """One strike of the canonical JSON."""
    return {"strike_price": price, "call_open_interest": 100, "put_open_interest": 50.0, "call_volume": 10, "gamma": 1.5e8} | fields


def canonical(**fields: object) -> bytes:
    record = {
        "snapshot_id": "a1",
        "market_symbol": "SPX",
        "snapshot_date": "2026-03-02",
        "snapshot_time": "15:00:00Z",
        "strikes": [strike(6010.0, gamma=None, call_open_interest=7, put_open_interest=8, call_volume=9), strike(6002.5)],
        "metadata": {"spot": 6001.25, "desk": "north"},
    }
    return json.dumps(record | fields).encode()


GREEKS = {"delta": 0.51, "gamma": 0.0012, "theta": -0.4, "mid_iv": 0.15, "smv_vol": 0.16, "updated_at": "2026-03-02 14:59:00"}
QUOTED_MS = 1772463600000


def tradier_option(symbol: str = "SPXW260320C06000000", **fields: object) -> dict[str, object]:
    """One contract of Tradier's chain."""
    return {
        "symbol": symbol,
        "description": "SPX Mar 20 2026 $6000.00 Call",
        "underlying": "SPX",
        "bid": 12.5,
        "ask": 13.0,
        "volume": 40,
        "open_interest": 120,
        "contract_size": 100,
        "trade_date": QUOTED_MS - 60_000,
        "bid_date": QUOTED_MS - 1000,
        "ask_date": QUOTED_MS,
        "last": None,
        "greeks": GREEKS,
    } | fields


TRADIER_OPTIONS = (
    tradier_option(),
    tradier_option("SPXW260320P06000000", greeks=None, open_interest=75),
    tradier_option("SPX260320C06000000", open_interest=1000, bid_date=0, trade_date=0),
    tradier_option("SPX260320P06002500", greeks=GREEKS | {"mid_iv": 0.0}, volume=0),
)


def tradier(options: object = TRADIER_OPTIONS) -> bytes:
    return json.dumps({"options": {"option": options}}).encode()


def schwab_contract(symbol: str = "SPXW  260320C06000000", **fields: object) -> dict[str, object]:
    """One contract of Schwab's chain."""
    return {
        "putCall": "CALL",
        "symbol": symbol,
        "bid": 12.5,
        "ask": 13.0,
        "totalVolume": 40,
        "openInterest": 120,
        "volatility": 15.0,
        "delta": 0.51,
        "gamma": 0.0012,
        "quoteTimeInLong": QUOTED_MS,
        "tradeTimeInLong": 0,
        "multiplier": 100.0,
        "nonStandard": False,
        "deliverableNote": "",
        "optionDeliverablesList": None,
    } | fields


def schwab(calls: object = None, puts: object = None, **fields: object) -> bytes:
    calls = {"2026-03-20:18": {"6000.0": [schwab_contract(), schwab_contract("SPX   260320C06000000", openInterest=1000)]}} \
        if calls is None else calls
    puts = {
        "2026-03-20:18": {
            "6000.0": [schwab_contract("SPXW  260320P06000000", volatility="NaN", gamma="NaN", delta="NaN", openInterest=75)],
            "6002.5": [schwab_contract("SPX   260320P06002500", volatility=-999.0, gamma=-999, bid=0, totalVolume=0)],
        }
    } if puts is None else puts  # fmt: skip
    answer = {
        "symbol": "$SPX",
        "status": "SUCCESS",
        "underlying": None,
        "strategy": "SINGLE",
        "isDelayed": False,
        "interestRate": 4.3,
        "underlyingPrice": 6001.25,
        "numberOfContracts": 4,
        "putExpDateMap": puts,
        "callExpDateMap": calls,
    }
    return json.dumps(answer | fields).encode()


def yahoo_contract(symbol: str = "SPXW260320C06000000", **fields: object) -> dict[str, object]:
    """One contract of Yahoo's chain."""
    return {
        "contractSymbol": symbol,
        "strike": 6000.0,
        "currency": "USD",
        "volume": 40,
        "openInterest": 120,
        "bid": 12.5,
        "ask": 13.0,
        "contractSize": "REGULAR",
        "expiration": 1773964800,
        "impliedVolatility": 0.15,
        "inTheMoney": True,
    } | fields


YAHOO_CALLS = (yahoo_contract(), yahoo_contract("SPX260320C06000000", openInterest=1000))
YAHOO_PUTS = (
    yahoo_contract("SPXW260320P06000000", impliedVolatility=1.0000000000000003e-05, openInterest=0),
    {"contractSymbol": "SPX260320P06002500", "strike": 6002.5, "ask": 0.05},
)


def yahoo_result(calls: object = YAHOO_CALLS, puts: object = YAHOO_PUTS, **fields: object) -> dict[str, object]:
    return {
        "underlyingSymbol": "^SPX",
        "expirationDates": [1773964800],
        "strikes": [6000.0, 6002.5],
        "quote": {"symbol": "^SPX", "regularMarketPrice": 6001.25, "regularMarketTime": 1772463600},
        "options": [{"expirationDate": 1773964800, "hasMiniOptions": False, "calls": calls, "puts": puts}],
    } | fields


def yahoo(*results: object) -> bytes:
    return json.dumps({"optionChain": {"result": results or [yahoo_result()], "error": None}}).encode()


def deribit_summary(name: str = "BTC-27MAR26-100000-C", **fields: object) -> dict[str, object]:
    """One instrument of Deribit's book summary."""
    return {
        "instrument_name": name,
        "underlying_price": 95000.0,
        "underlying_index": "BTC-27MAR26",
        "estimated_delivery_price": 94000.0,
        "mark_iv": 52.5,
        "bid_price": 0.02,
        "ask_price": 0.021,
        "open_interest": 310.5,
        "volume": 12.5,
        "volume_usd": 24000.0,
        "creation_timestamp": QUOTED_MS,
        "base_currency": "BTC",
        "low": None,
    } | fields


DERIBIT_SUMMARIES = (
    deribit_summary(),
    deribit_summary("BTC-27MAR26-100000-P", bid_price=None, open_interest=0.0),
    deribit_summary("BTC-6MAR26-94500-P", underlying_index="SYN.BTC-6MAR26", underlying_price=94200.0, mark_iv=0.0),
    {"instrument_name": "BTC-PERPETUAL", "open_interest": 1e9, "creation_timestamp": QUOTED_MS + 5},
)


def deribit(summaries: object = DERIBIT_SUMMARIES, **fields: object) -> bytes:
    answer = {"jsonrpc": "2.0", "result": summaries, "usIn": 1, "usOut": 1772463600123456, "testnet": False}
    return json.dumps(answer | fields).encode()


STRIKES_COLUMNS: dict[str, object] = {
    "market_symbol": ["SPX"] * 3,
    "snapshot_time": ["2026-03-02T15:00:00Z"] * 3,
    "spot": [6001.25, 6001.25, None],
    "strike_price": [6010, 6002.5, 6000],
    "call_open_interest": [7, 100, 9],
    "put_open_interest": [8, 50, 0],
    "call_volume": [9, None, math.nan],
    "gamma": [None, 1.5e8, -2e7],
    "desk": ["north", "north", "south"],
}
CHAIN_COLUMNS: dict[str, object] = {
    "market_symbol": ["SPX"] * 3,
    "snapshot_time": [datetime(2026, 3, 2, 15, tzinfo=UTC)] * 3,
    "spot": [6001.25] * 3,
    "option": ["SPXW260320C06000000", "SPXW  260320P06000000", "SPX260320C06000000"],
    "open_interest": [120, 75, 1000],
    "volume": [40, 0, None],
    "iv": [0.15, 0.0, 0.16],
    "bid": [12.5, 11.0, 12.5],
    "ask": [13.0, 11.5, 13.0],
}


def parquet(columns: Mapping[str, object] = STRIKES_COLUMNS, drop: Iterable[str] = (), **changed: object) -> bytes:
    """A canonical Parquet file; a column given by name replaces or joins the others."""
    out = io.BytesIO()
    frame = pl.DataFrame({k: v for k, v in {**columns, **changed}.items() if k not in set(drop)}, strict=False)
    frame.write_parquet(out, compression="zstd")
    return out.getvalue()


DUMP = b'{"as_of":"2026-03-02T15:00:00+00:00","futures":[{"instrument_name":"BTC-PERPETUAL"}],"options":[{"iv":1}]}'
LOG = b"2026-03-02 12:50:08,049|spot_greek_exposure|INFO|Starting main loop...\n"
HTML = b"<html><body>503</body></html>"
LONG_TABLE = b"symbol,ts,strike,gex\nSPX,2026-03-02T15:00:00Z,6000,1.5\n"
FAULT = b'{"fault":{"faultstring":"Invalid Access Token"}}'

OTHERS = {"dump": DUMP, "log": LOG, "html": HTML, "table": LONG_TABLE, "fault": FAULT}
OWN = {
    "cboe_json": cboe_json(),
    "cboe_csv": cboe_csv(),
    "gexbot": gexbot(),
    "canonical": canonical(),
    "yahoo": yahoo(),
    "tradier": tradier(),
    "schwab": schwab(),
    "deribit": deribit(),
    "canonical_parquet": parquet(),
}


def strangers_to(name: str) -> dict[str, bytes]:
    """Every sample but the format's own."""
    return OTHERS | {other: body for other, body in OWN.items() if other != name}
