"""Write chains as Cboe does: the delayed-quotes JSON document and the quote-table CSV file."""

import json
import math
import zlib
from datetime import UTC, datetime, timedelta

import numpy as np

from gexdesk.sample.market import Chain, Quotes
from gexdesk.sample.underlying import NEW_YORK

OPTION_KEYS = (
    "option", "bid", "bid_size", "ask", "ask_size", "iv", "open_interest", "volume", "delta", "gamma", "theta", "rho", "vega",
    "theo", "change", "open", "high", "low", "tick", "last_trade_price", "last_trade_time", "percent_change", "prev_day_close",
)  # fmt: skip
CSV_HEADER = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,"
    "Strike,Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
)


class Listed:
    """Keep what a vendor writes beside the quotes and what changes little: sizes, yesterday's close, past trades.

    Args:
        opened_at: UTC seconds since the epoch of the session's open; yesterday's close is quoted a weekend before it.
    """

    def __init__(self, chain: Chain, seed: int, opened_at: float) -> None:
        random = np.random.default_rng([seed, zlib.crc32(chain.underlying.symbol.encode()), 1])
        count = len(chain)
        self.chain = chain
        self.opened_at = opened_at
        self.spot_before = round(chain.underlying.spot * (1 + random.normal(0.0, 0.004)), 2)
        before = chain.quotes(opened_at - 65.5 * 3600, self.spot_before, 0.0)
        self.bid_size = random.choice([1.0, 5.0, 10.0, 48.0], count)
        self.ask_size = random.choice([1.0, 5.0, 10.0, 48.0], count)
        self.close = np.round((before.bid + before.ask) / 2, 3)
        self.moment = random.random(count)
        self.tick = random.choice(["up", "down", "no_change"], count).tolist()
        past = datetime.fromtimestamp(opened_at, NEW_YORK).replace(tzinfo=None) - timedelta(days=3)
        days, minutes = random.integers(0, 3, count).tolist(), random.integers(0, 388, count).tolist()
        never = (chain.open_interest == 0) | (random.random(count) < 0.12)
        self.past_trade = [
            None if nobody else (past - timedelta(days=day) + timedelta(minutes=minute, seconds=minute % 60)).isoformat()
            for nobody, day, minute in zip(never.tolist(), days, minutes, strict=True)
        ]
        self.past_price = np.where(never, 0.0, np.round(self.close * 1.02, 2))


def json_document(listed: Listed, quotes: Quotes, at: float, symbol_first: bool = False) -> bytes:
    """Return one delayed-quotes document, UTF-8 without a line end.

    Args:
        at: UTC seconds since the epoch; the stamp is cut to whole seconds.
        symbol_first: Write the symbol before the timestamp and the options last; vendors' key order varies.
    """
    chain = listed.chain
    traded = quotes.volume > 0
    elapsed = max(0.0, math.floor(at) - listed.opened_at)
    last = np.where(traded, np.round((quotes.bid + quotes.ask) / 2, 2), listed.past_price)
    change = np.where(traded, np.round(last - listed.close, 4), 0.0) + 0.0
    percent = np.where(traded & (listed.close > 0), np.round(change / np.maximum(listed.close, 0.01) * 100, 4), 0.0) + 0.0
    today = np.where(traded, last, 0.0)
    opened = datetime.fromtimestamp(listed.opened_at, NEW_YORK).replace(tzinfo=None)
    clock = {s: (opened + timedelta(seconds=s)).isoformat() for s in range(int(elapsed) + 1)} if elapsed < 86_400 else {}
    bid_size = np.where(quotes.bid > 0, listed.bid_size, 0.0)
    times = [
        clock.get(int(moment * elapsed), past) if was else past
        for was, moment, past in zip(traded.tolist(), listed.moment.tolist(), listed.past_trade, strict=True)
    ]
    columns = (
        chain.osi, quotes.bid.tolist(), bid_size.tolist(), quotes.ask.tolist(), listed.ask_size.tolist(), quotes.iv.tolist(),
        chain.open_interest.tolist(), quotes.volume.tolist(), quotes.delta.tolist(), quotes.gamma.tolist(), quotes.theta.tolist(),
        quotes.rho.tolist(), quotes.vega.tolist(), quotes.theo.tolist(), change.tolist(), today.tolist(), today.tolist(),
        today.tolist(), listed.tick, last.tolist(), times, percent.tolist(), listed.close.tolist(),
    )  # fmt: skip
    options = [dict(zip(OPTION_KEYS, row, strict=True)) for row in zip(*columns, strict=True)]
    return _compact(_wrap(listed, quotes, at, options, symbol_first))


def _wrap(listed: Listed, quotes: Quotes, at: float, options: list[dict[str, object]], symbol_first: bool) -> dict[str, object]:
    u = listed.chain.underlying
    spot, before = quotes.spot, listed.spot_before
    quote: dict[str, object] = {
        "symbol": f"^{u.symbol}" if u.index else u.symbol,
        "security_type": "index" if u.index else "stock",
        "exchange_id": 0 if u.index else 2,
        "current_price": spot,
        "price_change": round(spot - before, 4),
        "price_change_percent": round((spot / before - 1) * 100, 4),
        "bid": 0.0 if u.index else round(spot - 0.01, 2),
        "ask": 0.0 if u.index else round(spot + 0.01, 2),
        "bid_size": 0 if u.index else 3,
        "ask_size": 0 if u.index else 2,
        "open": u.spot,
        "high": max(u.spot, spot),
        "low": min(u.spot, spot),
        "close": spot,
        "prev_day_close": before,
        "volume": 0 if u.index else int(u.volume * 9),
        "iv30": round(u.volatility * 100, 3),
        "iv30_change": 0.0,
        "iv30_change_percent": 0.0,
        "seqno": int((at - listed.opened_at) * 1000) + 24_779_967_000,
        "last_trade_time": datetime.fromtimestamp(math.floor(at), NEW_YORK).replace(tzinfo=None).isoformat(),
        "tick": "up" if spot >= before else "down",
    }
    symbol = f"_{u.symbol}" if u.index else u.symbol
    stamp = f"{datetime.fromtimestamp(math.floor(at), UTC):%Y-%m-%d %H:%M:%S}"
    if symbol_first:
        return {"symbol": symbol, "timestamp": stamp, "data": {**quote, "options": options}}
    return {"timestamp": stamp, "data": {"options": options, **quote}, "symbol": symbol}


def csv_file(listed: Listed, quotes: Quotes, at: float) -> bytes:
    """Return one quote table with CRLF line ends; its date line is in New York time and cut to whole minutes."""
    chain, u = listed.chain, listed.chain.underlying
    local = datetime.fromtimestamp(at, NEW_YORK)
    stamp = f"{local:%B} {local.day}, {local.year} at {local.hour % 12 or 12}:{local:%M %p %Z}"
    last = np.where(quotes.volume > 0, np.round((quotes.bid + quotes.ask) / 2, 2), listed.past_price)
    net = np.where(quotes.volume > 0, np.round(last - listed.close, 3), 0.0) + 0.0
    columns = (last, net, quotes.bid, quotes.ask, quotes.volume, quotes.iv, quotes.delta, quotes.gamma, chain.open_interest)
    legs = [",".join(f"{value:.10g}" for value in row) for row in np.stack(columns, axis=1).tolist()]
    days = [f"{listing.day:%a %b %d %Y}" for listing in u.listings]
    lines = [
        "",
        f"{u.full_name},Last: {quotes.spot:.10g},Change:  {quotes.spot - listed.spot_before:.4g}",
        f'"Date: {stamp}",Bid: 0,Ask: 0,Size: 0*0,Volume: 0',
        CSV_HEADER,
    ]
    osi, strike, listing = chain.osi, chain.strike.tolist(), chain.listing.tolist()
    for call in range(0, len(chain), 2):
        put = call + 1
        lines.append(f"{days[listing[call]]},{osi[call]},{legs[call]},{strike[call]:.2f},{osi[put]},{legs[put]}")
    return ("\r\n".join(lines) + "\r\n").encode()


def _compact(document: dict[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
