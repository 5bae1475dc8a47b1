"""Small documents in each layout, written by hand; every field can be replaced."""

import json
from collections.abc import Iterable, Mapping


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


TRADIER = b'{"options":{"option":[{"symbol":"SPY260320P00300000","strike":300.0,"greeks":{"gamma":5.6E-5},"open_interest":341}]}}'
YAHOO = b'{"underlyingSymbol":"^SPX","options":[{"expirationDate":1773964800,"calls":[{"strike":4000.0,"bid":3451.7}]}]}'
DERIBIT = b'{"as_of":"2026-03-02T15:00:00+00:00","futures":[{"instrument_name":"BTC-PERPETUAL"}],"options":[{"iv":1}]}'
LOG = b"2026-03-02 12:50:08,049|spot_greek_exposure|INFO|Starting main loop...\n"
HTML = b"<html><body>503</body></html>"
LONG_TABLE = b"symbol,ts,strike,gex\nSPX,2026-03-02T15:00:00Z,6000,1.5\n"

OTHERS = {"tradier": TRADIER, "yahoo": YAHOO, "deribit": DERIBIT, "log": LOG, "html": HTML, "table": LONG_TABLE}
OWN = {"cboe_json": cboe_json(), "cboe_csv": cboe_csv(), "gexbot": gexbot(), "canonical": canonical()}


def strangers_to(name: str) -> dict[str, bytes]:
    """Every sample but the format's own."""
    return OTHERS | {other: body for other, body in OWN.items() if other != name}
