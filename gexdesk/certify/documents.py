"""Write the load's documents: real layouts and sizes, numbers that hang together, no two alike. Deterministic but for the stamp.

A chain is generated once per size and shape and then only stamped, named and given a spot of its own, as copying 13 MB is
cheaper than writing them.
"""

import json
import math
import zlib
from datetime import UTC, date, datetime, timedelta

import numpy as np

from gexdesk.certify.load import Feed, Size, Turn
from gexdesk.sample.cboe import Listed, json_document
from gexdesk.sample.market import Chain, gex_usd_per_1pct
from gexdesk.sample.underlying import NEW_YORK, Listing, Underlying

BYTES = {Size.LARGE: 13e6, Size.MIDDLE: 6e6, Size.SMALLER: 2.5e6, Size.SMALL: 0.4e6}
_BYTES_A_CONTRACT = 404
_MOVE = 0.13
"""What the two shapes of a chain differ by at least, net GEX over gross: well above the tenth that makes a change large."""

_SPOT = 6_902.0
_STRIKES = 95
_CENT = 0.01


class Documents:
    """Write any document of the load.

    Args:
        at: About when it will be used, UTC seconds: options expire after it.
    """

    def __init__(self, at: float, sizes: tuple[Size, ...] = tuple(Size)) -> None:
        self._shapes = {size: _shapes(size, at) for size in sizes if size in BYTES}
        self._tables: dict[tuple[str, bool], tuple[bytes, bytes]] = {}

    def body(self, feed: Feed, number: int, at: float) -> bytes:
        """Return the nth document of a feed, stamped ``at`` (UTC seconds); of a BROKEN one the first half."""
        symbol, moved = feed.symbol(number), feed.moved(number)
        if feed.size is Size.DOCUMENT:
            body = self._classic(symbol, moved, number, at)
        else:
            body = self._chain(feed.size, symbol, moved, number, at)
        return body[: len(body) // 2] if feed.turn(number) is Turn.BROKEN else body

    def _chain(self, size: Size, symbol: str, moved: bool, number: int, at: float) -> bytes:
        head, middle, tail, spot = self._shapes[size][moved]
        stamp = f"{datetime.fromtimestamp(math.floor(at), UTC):%Y-%m-%d %H:%M:%S}".encode()
        name = symbol.encode()
        own = spot + _CENT * (zlib.crc32(name) % 97) + _CENT * (number % 41)  # no two carry the very same numbers
        price = f"{own:.2f}".encode()
        body = b"".join((head, stamp, middle, price, tail))
        return body if symbol == "SPX" else body.replace(b'"SPXW', b'"' + name).replace(b"SPX", name)

    def _classic(self, symbol: str, moved: bool, number: int, at: float) -> bytes:
        head, tail = self._tables.setdefault((symbol, moved), _table(symbol, moved=moved))
        spot = _spot_of(symbol) + 0.01 * (number % 7)
        first = round(-0.5 - 1e-6 * number, 6)
        return b"".join((b'{"timestamp":%.3f,"spot":%.2f,' % (at, spot), head, b"%.6f" % first, tail))


def _shapes(size: Size, at: float) -> tuple[tuple[bytes, bytes, bytes, float], ...]:
    """Return two shapes of a chain, each cut at its stamp and its spot."""
    chain = _chain_of(size, at)
    listed, quotes = Listed(chain, 7, _opened(at)), chain.quotes(at, _SPOT, 0.4)
    nets = _net_and_gross(chain, quotes)
    for step in range(8, 29):
        spot = round(_SPOT * (1 + step / 1000), 2)
        other = chain.quotes(at, spot, 0.4)
        moved = _net_and_gross(chain, other)
        if abs(moved[0] - nets[0]) / max(moved[1], nets[1]) > _MOVE:
            break
    return _cut(json_document(listed, quotes, at), _SPOT), _cut(json_document(listed, other, at), spot)


def _net_and_gross(chain: Chain, quotes: object) -> tuple[float, float]:
    each = gex_usd_per_1pct(chain, quotes, chain.open_interest)  # type: ignore[arg-type]
    return float(each.sum()), float(np.abs(each).sum())


def _cut(body: bytes, spot: float) -> tuple[bytes, bytes, bytes, float]:
    mark = b'{"timestamp":"'
    assert body.startswith(mark)
    begins = len(mark)
    price = body.rindex(b'"current_price":') + len(b'"current_price":')
    return body[:begins], body[begins + 19 : price], body[body.index(b",", price) :], spot


def _chain_of(size: Size, at: float) -> Chain:
    contracts = int(BYTES[size] / _BYTES_A_CONTRACT)
    first = datetime.fromtimestamp(at, NEW_YORK).date() + timedelta(days=1)
    listings = tuple(_listing(first, number) for number in range(max(4, contracts // 520)))
    # Among the small names are those whose impact is medium; an index matters.
    open_interest, volume = (60_000.0, 20_000.0) if size is Size.SMALL else (18_000_000.0, 3_200_000.0)

    def underlying(step: float) -> Underlying:
        return Underlying("SPX", _SPOT, 0.135, step, listings, open_interest, volume, index=True, dividend_yield=0.013)

    step = 50.0
    step *= len(Chain(underlying(step), 7)) / contracts
    chain = Chain(underlying(step), 7)
    while len(chain) < contracts:
        step *= 0.97
        chain = Chain(underlying(step), 7)
    return chain


def _listing(first: date, number: int) -> Listing:
    """Return the nth expiry: every day of two weeks, then weeks apart."""
    days = number if number < 10 else 10 + 7 * (number - 9)
    return Listing("SPXW", first + timedelta(days=days), min(0.6, 0.12 + 0.012 * number), 4.0 / (1 + number) ** 1.7)


def _opened(at: float) -> float:
    day = datetime.fromtimestamp(at, NEW_YORK)
    return day.replace(hour=9, minute=30, second=0, microsecond=0).timestamp()


def _spot_of(symbol: str) -> float:
    return 60.0 + zlib.crc32(symbol.encode()) % 9_000


def _table(symbol: str, *, moved: bool) -> tuple[bytes, bytes]:
    """Return a GEXBot classic document of 95 strikes, cut at the first strike's exposure by open interest."""
    spot = _spot_of(symbol)
    away = np.linspace(-0.08, 0.08, _STRIKES)
    near = 90.0 * np.exp(-((np.abs(away) - 0.015) ** 2) / 4e-4) + 1.0
    net = np.where(away > 0, near, -near) * (1 + (zlib.crc32(symbol.encode()[::-1]) % 100) / 400)
    if moved:
        net = np.where(away > 0, net * 1.34, net)
    strikes = [round(spot * (1 + float(step)), 2) for step in away]
    rows = [[k, round(float(v) * 0.7, 3), round(float(v), 3), [round(float(v) * 0.7 - d, 3) for d in range(5)]]
            for k, v in zip(strikes, net, strict=True)]  # fmt: skip
    rows[0][2] = 0.0
    rest = {
        "zero_gamma": round(spot * 0.998, 2),
        "major_pos_vol": strikes[56],
        "major_pos_oi": strikes[56],
        "major_neg_vol": strikes[38],
        "major_neg_oi": strikes[38],
        "strikes": rows,
        "sum_gex_vol": round(float(net.sum()) * 0.7, 3),
        "sum_gex_oi": round(float(net[1:].sum()) - 0.5, 3),
        "delta_risk_reversal": -0.021,
    }
    text = json.dumps({"ticker": symbol, "min_dte": 0, "sec_min_dte": 1, **rest}, separators=(",", ":"))[1:]
    mark = f"[[{strikes[0]},{rows[0][1]},"
    begins = text.index(mark) + len(mark)
    return text[:begins].encode(), text[begins + len("0.0") :].encode()
