"""Write GEXBot classic documents: exposure by strike of the nearest expiry, in millions of USD per 1% move."""

import json
import math
from collections.abc import Callable

import numpy as np

from gexdesk.sample.market import F8, RATE, YEAR_S, Chain, Quotes, gex_usd_per_1pct

PRIORS_S = (1, 5, 10, 15, 30)
"""How far back the five priors of a strike lie; the vendor's minutes, at the story's pace."""


class Classic:
    """Write one ticker's ``/classic/zero`` documents.

    Args:
        chain: A chain whose first listing is the nearest expiry.
        quote: Quote the chain at UTC seconds since the epoch.
        full_tier: Whether open interest and the flip are subscribed; where not the vendor writes 0.
        strikes: How many of the expiry's strikes are written, those nearest to the opening spot; None writes all.
        decimals: Of a strike's GEX. The vendor writes two; a small name's exposure would vanish in them.
    """

    def __init__(
        self, chain: Chain, quote: Callable[[float], Quotes], full_tier: bool, *, strikes: int | None = None, decimals: int = 2
    ) -> None:
        self._chain = chain
        self._quote = quote
        self._full = full_tier
        self._decimals = decimals
        listed = np.unique(chain.strike[chain.listing == 0])
        nearest = np.argsort(np.abs(listed - chain.underlying.spot), kind="stable")[:strikes]
        self._near = (chain.listing == 0) & np.isin(chain.strike, listed[nearest])
        self._strike = chain.strike[self._near][::2]
        self._by_volume: dict[int, F8] = {}

    def document(self, at: float) -> bytes:
        """Return the document of ``at`` (UTC seconds since the epoch), without a line end; its stamp is cut to whole seconds."""
        second = math.floor(at)
        quotes = self._quote(at)
        volume = self._per_strike(quotes, quotes.volume)
        interest = self._per_strike(quotes, self._chain.open_interest) if self._full else np.zeros(len(self._strike))
        priors = [self._volume_gex(second - back) for back in PRIORS_S]
        rows = [
            [_number(strike), _number(now), _number(held), [_number(value) for value in before]]
            for strike, now, held, before in zip(
                self._strike.tolist(), volume.tolist(), interest.tolist(), np.stack(priors, axis=1).tolist(), strict=True
            )
        ]
        moves = [volume - self._volume_gex(second - back) for back in (*PRIORS_S, 60)]
        document = {
            "timestamp": second,
            "ticker": self._chain.underlying.symbol,
            "min_dte": 0,
            "sec_min_dte": 1,
            "spot": _number(quotes.spot),
            "zero_gamma": _number(round(self._flip(quotes), 2)) if self._full else 0,
            "major_pos_vol": _number(self._strike[volume.argmax()]),
            "major_pos_oi": _number(self._strike[interest.argmax()]) if self._full else 0,
            "major_neg_vol": _number(self._strike[volume.argmin()]),
            "major_neg_oi": _number(self._strike[interest.argmin()]) if self._full else 0,
            "strikes": rows,
            "sum_gex_vol": _number(round(volume.sum(), 3)),
            "sum_gex_oi": _number(round(interest.sum(), 3)),
            "delta_risk_reversal": round(self._risk_reversal(quotes), 3) if self._full else 0,
            "max_priors": [[_number(self._strike[np.abs(m).argmax()]), _number(round(m[np.abs(m).argmax()], 3))] for m in moves],
        }
        return json.dumps(document).encode()

    def _volume_gex(self, second: int) -> F8:
        if second not in self._by_volume:
            quotes = self._quote(second)
            self._by_volume[second] = self._per_strike(quotes, quotes.volume)
        return self._by_volume[second]

    def _per_strike(self, quotes: Quotes, contracts: F8) -> F8:
        """Return net GEX of each strike that is written, in millions of USD per 1%, rounded."""
        each = gex_usd_per_1pct(self._chain, quotes, contracts)[self._near]
        net: F8 = np.round((each[::2] + each[1::2]) / 1e6, self._decimals)
        return net

    def _flip(self, quotes: Quotes) -> float:
        """Return the spot nearest to the present one at which net GEX of the nearest expiry changes its sign; 0 without one."""
        u = self._chain.underlying
        sigma, strike = quotes.iv[self._near], self._chain.strike[self._near]
        side = np.where(self._chain.is_call[self._near], 1.0, -1.0) * self._chain.open_interest[self._near] * (sigma > 0)
        sigma = np.where(sigma > 0, sigma, 1.0)
        years = 6.5 * 3600 / YEAR_S
        spots = quotes.spot * np.linspace(0.98, 1.02, 81)
        deviation = sigma * math.sqrt(years)
        d1 = (np.log(spots[:, None] / strike) + (RATE - u.dividend_yield + sigma**2 / 2) * years) / deviation
        net = (np.exp(-d1 * d1 / 2) / deviation * side).sum(axis=1) * spots
        turns = np.flatnonzero(np.sign(net[:-1]) * np.sign(net[1:]) < 0)
        if not len(turns):
            return 0.0
        roots = spots[turns] - net[turns] * (spots[turns + 1] - spots[turns]) / (net[turns + 1] - net[turns])
        return float(roots[np.abs(roots - quotes.spot).argmin()])

    def _risk_reversal(self, quotes: Quotes) -> float:
        """Return IV of the 25-delta call less IV of the 25-delta put, nearest expiry."""
        delta, iv = quotes.delta[self._near], quotes.iv[self._near]
        return float(iv[np.abs(delta - 0.25).argmin()] - iv[np.abs(delta + 0.25).argmin()])


def _number(value: float) -> float | int:
    """Return whole numbers as integers: the vendor mixes both in every field."""
    return int(value) if value == int(value) else float(value)
