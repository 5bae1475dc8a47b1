"""A seeded synthetic market: listed contracts with open interest that forms walls, and quotes that hang together.

Everything vendors would quote is computed from one model (Black-Scholes-Merton with a smile), so that bid, ask, IV, delta
and gamma of a sample payload agree with one another as those of a real one do.
"""

import math
import zlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gexdesk.sample.underlying import Listing, Underlying

F8 = NDArray[np.float64]

YEAR_S = 365 * 86_400.0
RATE = 0.043
BLOCK_SHARE, BLOCK_STRIKES = 0.12, 3
"""Contracts of a block as a share of the nearest expiry's volume, and over how many strikes blocks go round."""

_erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True, slots=True)
class Quotes:
    """Hold what a chain says at one moment, float64[n] in the order of its contracts, rounded as vendors round.

    Attributes:
        bid, ask, theo: Points; a bid of 0 is no bid.
        iv: A fraction per year; 0 means missing, as at Cboe.
        delta, gamma, theta, vega, rho: Per contract unit; four decimals.
        exact_gamma: Not rounded; 0 where ``iv`` is missing. For what is summed, never for what is written.
        volume: Contracts traded so far.
    """

    spot: float
    bid: F8
    ask: F8
    theo: F8
    iv: F8
    delta: F8
    gamma: F8
    theta: F8
    vega: F8
    rho: F8
    exact_gamma: F8
    volume: F8


class Chain:
    """List the contracts of one underlying: call and put of a strike side by side, strikes ascending, one listing after another.

    Attributes:
        listing: int64[n], index into ``underlying.listings``.
        strike: float64[n], points.
        is_call: bool[n].
        open_interest: float64[n], whole contracts; many are 0, round strikes carry the walls.
    """

    def __init__(self, underlying: Underlying, seed: int) -> None:
        self.underlying = underlying
        self._random = np.random.default_rng([seed, zlib.crc32(underlying.symbol.encode())])
        ladders = [_ladder(underlying, listing) for listing in underlying.listings]
        self.strike = np.repeat(np.concatenate(ladders), 2)
        self.listing = np.repeat(np.arange(len(ladders)), [2 * len(ladder) for ladder in ladders])
        self.is_call = np.arange(len(self.strike)) % 2 == 0
        weight = self._interest()
        self.open_interest = np.floor(underlying.open_interest * weight / weight.sum())
        traded = weight * np.exp(-np.abs(self.strike / underlying.spot - 1) * 18) * self._random.lognormal(0.0, 0.5, len(weight))
        self._last_volume = underlying.volume * traded / traded.sum()

    def __len__(self) -> int:
        """Return the number of contracts."""
        return len(self.strike)

    @cached_property
    def osi(self) -> list[str]:
        """Return the option symbols without padding, e.g. ``SPXW260302C06900000``."""
        days = [f"{listing.root}{listing.day:%y%m%d}" for listing in self.underlying.listings]
        rows = zip(self.listing.tolist(), self.is_call.tolist(), np.round(self.strike * 1000).astype(int).tolist(), strict=True)
        return [f"{days[index]}{'C' if call else 'P'}{thousandths:08d}" for index, call, thousandths in rows]

    def _interest(self) -> F8:
        """Weigh contracts: calls above spot, puts below, round strikes most, a part of the far ones nothing."""
        spot = self.underlying.spot
        away = self.strike / spot - 1
        width = np.array([listing.width for listing in self.underlying.listings])[self.listing] * 0.45
        centre = np.where(self.is_call, 0.25, -0.30) * width
        weight = np.exp(-(((away - centre) / width) ** 2))
        for multiple, factor in ((5, 2.2), (10, 1.8), (20, 1.7)):
            weight *= np.where(np.isclose(self.strike % (multiple * self.underlying.step), 0.0), factor, 1.0)
        weight *= self._random.lognormal(0.0, 0.6, len(weight))
        weight *= self._random.random(len(weight)) > np.clip(0.08 + np.abs(away) / width * 0.22, 0.0, 0.7)
        weights: F8 = weight * np.array([listing.weight for listing in self.underlying.listings])[self.listing]
        return weights

    def with_blocks(self, quotes: Quotes, count: int) -> Quotes:
        """Return quotes after so many blocks of calls, each a share of the nearest expiry's volume, at strikes above the price."""
        if not count:
            return quotes
        calls = np.flatnonzero((self.listing == 0) & self.is_call & (self.strike > self.underlying.spot))
        volume = quotes.volume.copy()
        volume[calls[np.arange(count) % BLOCK_STRIKES]] += np.floor(BLOCK_SHARE * self._last_volume[self.listing == 0].sum())
        return replace(quotes, volume=volume)

    def quotes(self, at: float, spot: float, traded: float) -> Quotes:
        """Quote the chain.

        Black-Scholes-Merton with a smile that is steeper the shorter the expiry (Hull, Options, Futures and Other
        Derivatives, chapters 17 and 19). Contracts whose price is all intrinsic carry IV 0, as vendors write them.

        Args:
            at: UTC seconds since the epoch; listings expire at their own time of day.
            spot: Points.
            traded: Share of the last volume that has been traded so far, 0 to 1.
        """
        u = self.underlying
        years = np.array([max(listing.expires_at - at, 60.0) / YEAR_S for listing in u.listings])[self.listing]
        root = np.sqrt(years)
        strike = self.strike
        x = np.log(strike / spot) / (u.volatility * np.sqrt(years + 0.01))
        sigma = np.round(np.clip(u.volatility * (1 - 0.075 * x + 0.022 * x * x + 0.04 * np.exp(-years * 40)), 0.03, 4.0), 4)
        deviation = sigma * root
        d1 = (np.log(spot / strike) + (RATE - u.dividend_yield + sigma**2 / 2) * years) / deviation
        d2 = d1 - deviation
        carry, discount = np.exp(-u.dividend_yield * years), np.exp(-RATE * years)
        density = np.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
        side = np.where(self.is_call, 1.0, -1.0)
        n1, n2 = _normal(side * d1), _normal(side * d2)
        theo: F8 = np.maximum(side * (spot * carry * n1 - strike * discount * n2), 0.0)
        gamma = carry * density / (spot * deviation)
        vega = spot * carry * density * root / 100
        theta: F8 = -(spot * carry * density * sigma / (2 * root) + side * RATE * strike * discount * n2) / 365
        missing = (side * d1 > 3.2) | (vega < 1e-7)
        tick = 0.05 if u.index else 0.01
        half = np.maximum(tick, theo * 0.006)
        bid: F8 = np.maximum(np.floor((theo - half) / tick + 1e-9) * tick, 0.0)
        ask: F8 = np.maximum(np.ceil((theo + half) / tick - 1e-9) * tick, bid + tick)
        return Quotes(
            spot=spot,
            bid=np.round(bid, 2),
            ask=np.round(ask, 2),
            theo=np.round(theo, 4),
            iv=np.where(missing, 0.0, sigma),
            delta=np.round(side * carry * n1, 4) + 0.0,
            gamma=np.round(gamma, 4),
            theta=np.round(theta * (theo >= 0.01), 4) + 0.0,
            vega=np.round(vega, 4),
            rho=np.round(side * strike * years * discount * n2 / 100, 4) + 0.0,
            exact_gamma=np.where(missing, 0.0, gamma),
            volume=np.floor(self._last_volume * traded),
        )


def gex_usd_per_1pct(chain: Chain, quotes: Quotes, contracts: F8) -> F8:
    """Return the exposure of each contract, float64[n]: s * gamma * contracts * 100 * spot^2 * 0.01, calls +1, puts -1.

    Args:
        chain, quotes: The contracts and their gamma.
        contracts: float64[n], open interest or volume.
    """
    side = np.where(chain.is_call, 1.0, -1.0)
    exposure: F8 = side * quotes.exact_gamma * contracts * quotes.spot**2
    return exposure


def _ladder(underlying: Underlying, listing: Listing) -> F8:
    """Return ascending strikes, float64: every step near spot, every second and fifth further away."""
    spot, step = underlying.spot, underlying.step
    low, high = spot * (1 - 1.4 * listing.width), spot * (1 + listing.width)
    number = np.arange(math.ceil(low / step), math.floor(high / step) + 1)
    away = np.abs(number * step / spot - 1) / listing.width
    keep = (away < 0.4) | ((away < 0.7) & (number % 2 == 0)) | (number % 5 == 0)
    strikes: F8 = np.round(number[keep] * step, 3)
    return strikes


def _normal(x: F8) -> F8:
    """Return the standard normal distribution function, float64 like ``x``."""
    area: F8 = 0.5 * (1 + _erf(x / math.sqrt(2)))
    return area
