"""Write canonical snapshot JSON, as a house's own calculator publishes it."""

import json
import math
from datetime import UTC, datetime

import numpy as np

from gexdesk.sample.market import Chain, Quotes, gex_usd_per_1pct


def document(chain: Chain, quotes: Quotes, at: float) -> bytes:
    """Return one snapshot, UTF-8 without a line end.

    ``gamma``, ``delta`` and ``vega`` of a strike are exposures from open interest: gamma in USD per 1% move (calls +1, puts
    -1), delta in USD, vega in USD per vol point.

    Args:
        at: UTC seconds since the epoch; the snapshot's time has milliseconds.
    """
    u = chain.underlying
    moment = datetime.fromtimestamp(math.floor(at * 1000) / 1000, UTC)
    gamma = gex_usd_per_1pct(chain, quotes, chain.open_interest)
    delta = quotes.delta * chain.open_interest * 100 * quotes.spot
    side = np.where(chain.is_call, 1.0, -1.0)
    vega = side * quotes.vega * chain.open_interest * 100
    columns = (chain.open_interest, quotes.volume, quotes.bid, quotes.ask, gamma, delta, vega)
    strikes = [
        {
            "strike_price": strike,
            "call_open_interest": int(interest[0]),
            "put_open_interest": int(interest[1]),
            "call_volume": int(volume[0]),
            "put_volume": int(volume[1]),
            "call_bid": bid[0],
            "call_ask": ask[0],
            "put_bid": bid[1],
            "put_ask": ask[1],
            "gamma": round(sum(gex), 2),
            "delta": round(sum(dex), 2),
            "vega": round(sum(vex), 2),
        }
        for strike, interest, volume, bid, ask, gex, dex, vex in zip(
            chain.strike[::2].tolist(), *(column.reshape(-1, 2).tolist() for column in columns), strict=True
        )
    ]
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    snapshot = {
        "snapshot_id": f"{u.symbol.lower()}-{moment:%Y%m%d-%H%M%S}",
        "market_symbol": u.symbol,
        "snapshot_date": f"{moment:%Y-%m-%d}",
        "snapshot_time": stamp,
        "strikes": strikes,
        "total_open_interest": int(chain.open_interest.sum()),
        "total_volume": int(quotes.volume.sum()),
        "processed_at": stamp,
        "data_quality_score": 0.99,
        "metadata": {"spot": quotes.spot, "calculator": "in-house"},
    }
    return json.dumps(snapshot, separators=(",", ":")).encode()
