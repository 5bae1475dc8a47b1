"""A small market of our own, written down in GEXBot's and Cboe's layouts, and a server on the loopback that sends it."""

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType

from tests.feed_server import Answer, FeedServer, Request

RATE, DIVIDENDS, VOLATILITY = 0.043, 0.013, 0.16
DAYS = 30.0


@dataclass(frozen=True)
class Ticker:
    """Describe one symbol: its price, the distance of its strikes, and how heavy it is in millions of USD per 1%."""

    symbol: str
    spot: float
    step: float
    size: float = 80.0

    def spot_at(self, at: float) -> float:
        """Return its price at a moment: it drifts by less than a ten-thousandth a second."""
        return round(self.spot * (1 + 0.0004 * math.sin(at / 11 + len(self.symbol))), 2)

    @property
    def strikes(self) -> list[float]:
        middle = round(self.spot / self.step) * self.step
        return [middle + self.step * number for number in range(-12, 13)]

    def gexbot(
        self, at: float | None = None, *, numbers_of: float | None = None, spot: float | None = None, tilt: float = 0.0
    ) -> bytes:
        """Write the GEXBot classic document of a moment.

        Args:
            at: Its stamp, UTC seconds; None is now.
            numbers_of: The moment its numbers are of; None is that of the stamp.
            spot: Replaces the price.
            tilt: Share of gross that net stands higher.
        """
        at = time.time() if at is None else at
        moment = at if numbers_of is None else numbers_of
        rows = []
        for number, strike in enumerate(self.strikes):
            away = (strike - self.spot) / (5 * self.step)
            weight = self.size * math.exp(-away * away) * (1 + 0.02 * math.sin(moment + number))
            net = weight * (math.tanh(2 * away + 0.2) + tilt)
            rows.append([strike, round(net * 0.4, 4), round(net, 4), [0, 0, 0, 0, 0]])
        document = {
            "timestamp": round(at, 3), "ticker": self.symbol, "min_dte": 0, "sec_min_dte": 1,
            "spot": self.spot_at(moment) if spot is None else spot, "zero_gamma": round(self.spot - 0.4 * self.step, 2),
            "strikes": rows,
            "sum_gex_vol": round(sum(row[1] for row in rows), 4), "sum_gex_oi": round(sum(row[2] for row in rows), 4),
        }  # fmt: skip
        return json.dumps(document).encode()

    def cboe(self, at: float | None = None, *, numbers_of: float | None = None) -> bytes:
        """Write the Cboe delayed-quotes document of a moment: 50 contracts whose quotes, IV and spot belong together."""
        at = time.time() if at is None else at
        moment = at if numbers_of is None else numbers_of
        spot, expiry = self.spot_at(moment), datetime.fromtimestamp(at + DAYS * 86_400, UTC)
        options = []
        for number, strike in enumerate(self.strikes):
            iv = round(VOLATILITY + 0.0005 * math.sin(moment / 3 + number), 4)
            held = 20_000 * math.exp(-(((strike - self.spot) / (6 * self.step)) ** 2))
            for side, right in ((1, "C"), (-1, "P")):
                price, delta, gamma = _priced(spot, strike, iv, DAYS / 365, side)
                share = 0.65 if (strike > self.spot) == (side > 0) else 0.35
                options.append({
                    "option": f"{self.symbol}{expiry:%y%m%d}{right}{round(strike * 1000):08d}",
                    "bid": round(max(0.0, price - 0.05), 2), "bid_size": 10.0,
                    "ask": round(price + 0.05, 2), "ask_size": 10.0, "iv": iv,
                    "open_interest": float(round(held * share)), "volume": float(round(held * share / 3 + moment % 1000)),
                    "delta": round(delta, 4), "gamma": round(gamma, 4), "theta": 0.0,
                    "rho": 0.0, "vega": 0.0, "theo": round(price, 4),
                    "last_trade_time": None,
                })  # fmt: skip
        data = {"options": options, "symbol": self.symbol, "current_price": spot, "close": spot}
        stamp = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
        return json.dumps({"timestamp": stamp, "data": data, "symbol": self.symbol}).encode()


def _priced(spot: float, strike: float, iv: float, years: float, side: int) -> tuple[float, float, float]:
    """Return price, delta and gamma after Black, Scholes and Merton (Hull, chapter 17)."""
    deviation = iv * math.sqrt(years)
    d1 = (math.log(spot / strike) + (RATE - DIVIDENDS) * years) / deviation + deviation / 2
    carry, discount = math.exp(-DIVIDENDS * years), math.exp(-RATE * years)
    n1, n2 = (math.erfc(-side * d / math.sqrt(2)) / 2 for d in (d1, d1 - deviation))
    gamma = carry * math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi) / (spot * deviation)
    return side * (spot * carry * n1 - strike * discount * n2), side * carry * n1, gamma


SPX = Ticker("SPX", 6_000.0, 10.0, 400.0)
SPY = Ticker("SPY", 598.0, 1.0, 120.0)
NDX = Ticker("NDX", 21_500.0, 50.0, 90.0)

Document = Callable[[], bytes | Answer]
"""Called once a request."""


@dataclass
class _Route:
    document: Document
    since: float
    first_at: float | None = None


@dataclass
class Feeds:
    """Send on every path what was last put there, made anew for each request.

    Attributes:
        served: How many answers each path has given.
    """

    served: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._routes: dict[str, _Route] = {}
        self._loop = asyncio.new_event_loop()
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        self.url = ""

    def put(self, path: str, document: Document) -> None:
        """Answer a path so from now on."""
        self._routes[path] = _Route(document, time.monotonic())

    def injected_at(self, path: str) -> float:
        """Return when the present document of a path was first sent, by the monotonic clock; waits until it is."""
        route = self._routes[path]
        give_up_at = time.monotonic() + 30.0
        while route.first_at is None:
            assert time.monotonic() < give_up_at, f"nobody asks for {path}"
            time.sleep(0.002)
        return route.first_at

    def answer(self, request: Request) -> Answer:
        """Return what stands on a path."""
        route = self._routes.get(request.path)
        if route is None:
            return Answer(status=404)
        made = route.document()
        self.served[request.path] = self.served.get(request.path, 0) + 1
        if route.first_at is None:
            route.first_at = time.monotonic()
        return made if isinstance(made, Answer) else Answer(body=made, headers={"Content-Type": "application/json"})

    async def _run(self) -> None:
        async with _Scripted(self.answer) as server:
            self.url = server.url
            self._ready.set()
            await self._over.wait()

    def __enter__(self) -> "Feeds":
        self._thread.start()
        assert self._ready.wait(10.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10.0)
        self._loop.close()


class _Scripted(FeedServer):
    def __init__(self, script: Callable[[Request], Answer]) -> None:
        super().__init__()
        self._script = script

    def answer_to(self, request: Request) -> Answer:
        return self._script(request)


def polled(name: str, url: str, symbol: str, every_s: float = 0.5, **fields: object) -> str:
    """Return the configuration of one polled feed that is on around the clock."""
    return table("sources", {
        "name": name, "kind": "http", "url": url, "symbols": [symbol], "every_s": every_s, "always": True, "level": "auto",
        "timeout_s": 2, **fields,
    })  # fmt: skip


def table(name: str, values: Mapping[str, object]) -> str:
    """Write one table of an array in TOML."""
    return f"[[{name}]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items()) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)
