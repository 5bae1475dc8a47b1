"""Two generated trading days of six symbols, as chains and as strikes given by a vendor, with genuine shocks in them.

Prices are Black-Scholes's, so that quotes, IV, open interest and spot belong together as they do in the market.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gexdesk.gex.summary import analyse
from gexdesk.model.exposure import Conventions
from gexdesk.model.snapshot import Chain, Snapshot, StrikeTable

CONVENTIONS = Conventions()
DAYS = (date(2026, 3, 3), date(2026, 3, 4))
_EPOCH = date(1970, 1, 1).toordinal()
_OPEN_UTC_S = 14.5 * 3600
_CLOSE_UTC_S = 21.0 * 3600
_EXPIRIES_IN_DAYS = (0, 1, 3, 17)


@dataclass(frozen=True)
class Underlying:
    """Name a symbol with its opening spot, distance of strikes, base IV, and how large its open interest is."""

    symbol: str
    spot: float
    step: float
    iv: float
    size: float
    seed: int


UNDERLYINGS = (
    Underlying("SPX", 6000.0, 25.0, 0.14, 3000.0, 1),
    Underlying("SPY", 598.0, 2.5, 0.14, 9000.0, 2),
    Underlying("QQQ", 521.0, 2.5, 0.19, 7000.0, 3),
    Underlying("AAPL", 230.5, 2.5, 0.24, 2500.0, 4),
    Underlying("AMZN", 229.7, 2.5, 0.29, 1900.0, 5),
    Underlying("TLT", 88.0, 0.5, 0.11, 2500.0, 6),
)


@dataclass(frozen=True)
class Moment:
    """Hold one good snapshot of a symbol, which of two days it belongs to, and the one before it."""

    symbol: str
    day: int
    at: float
    snapshot: Snapshot
    before: "Moment | None" = None


def chain_days(underlying: Underlying, every_s: float, seed: int = 0) -> Iterator[Moment]:
    """Yield a symbol's chain over both days; open interest rolls in between, and both days have genuine shocks."""
    rng = np.random.default_rng((underlying.seed, seed))
    spot = underlying.spot
    strikes = np.round((underlying.spot + underlying.step * np.arange(-24, 25)) / underlying.step) * underlying.step
    interest: NDArray[np.float64] | None = None
    for number, day in enumerate(DAYS):
        expiry, is_call, strike, key = _contracts(day, strikes)
        fresh = _interest(rng, underlying, strike, is_call, spot, key)
        # The contracts that were there yesterday keep most of what they had.
        interest = fresh if interest is None else np.round(fresh * rng.uniform(0.9, 1.1, len(fresh)))
        start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        volume = np.zeros(len(strike))
        mood = 1.0
        times = np.arange(start + _OPEN_UTC_S + 60, start + _CLOSE_UTC_S - 30, every_s)
        for step, at in enumerate(times):
            spot *= float(np.exp(rng.normal(0, underlying.iv * np.sqrt(every_s / (252 * 6.5 * 3600)))))
            if step == len(times) // 3:
                spot *= 1.017 if number else 0.984  # news
            if step == len(times) // 2:
                mood = 1.35  # and a shock of volatility, that stays
            volume = volume + rng.poisson(interest * 0.002)
            yield Moment(underlying.symbol, number, float(at), _snapshot(rng, underlying, spot, mood, float(at),
                         (expiry, is_call, strike, interest, volume)))  # fmt: skip


def given_days(underlying: Underlying, every_s: float, seed: int = 0) -> Iterator[Moment]:
    """Yield the same days as a vendor's exposure by strike, as GEXBot gives it."""
    for moment in chain_days(underlying, every_s, seed):
        exposure, table = analyse(moment.snapshot, CONVENTIONS)
        unknown = np.full(len(table), np.nan)
        given = replace(
            table, call_open_interest=unknown, put_open_interest=unknown, call_volume=unknown, put_volume=unknown,
            call_gex=unknown, put_gex=unknown,
        )  # fmt: skip
        yield replace(moment, snapshot=Snapshot(
            format="gexbot", symbol=moment.snapshot.symbol, as_of=moment.at, quoted_at=moment.at, spot=moment.snapshot.spot,
            given=given, vendor_net_gex=exposure.net_gex, vendor_zero_gamma=exposure.zero_gamma.value,
        ))  # fmt: skip


def rows(chain: Chain, keep: NDArray[np.intp] | NDArray[np.bool_]) -> Chain:
    """Return some rows of a chain."""
    columns = {name: getattr(chain, name)[keep] for name in Chain.__slots__ if name != "roots"}
    return Chain(roots=chain.roots, **columns)


def strikes_of(table: StrikeTable, keep: NDArray[np.bool_]) -> StrikeTable:
    """Return some rows of a table by strike."""
    return StrikeTable(**{name: getattr(table, name)[keep] for name in StrikeTable.__slots__})


def _contracts(
    day: date, strikes: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]]:
    today = day.toordinal() - _EPOCH
    # Listed dates, not distances: tomorrow's first expiry is one of today's.
    ends = sorted({today + ahead for ahead in _EXPIRIES_IN_DAYS} | {DAYS[1].toordinal() - _EPOCH + 17})
    expiry, side, strike = (part.ravel() for part in np.meshgrid(ends, [True, False], strikes, indexing="ij"))
    return expiry.astype(np.int32), side.astype(bool), strike.astype(float), (expiry * 1000 + side).astype(np.int64)


def _interest(
    rng: np.random.Generator, underlying: Underlying, strike: NDArray[np.float64], is_call: NDArray[np.bool_], spot: float,
    key: NDArray[np.int64],
) -> NDArray[np.float64]:  # fmt: skip
    away = (strike - spot) / spot
    bell = np.exp(-((away - np.where(is_call, 0.02, -0.03)) ** 2) / 0.004)
    side = np.where(is_call, 1.0, 1.25)
    size = underlying.size * (0.5 + (key // 1000 % 7) / 6)
    return np.asarray(np.round(size * bell * side * rng.uniform(0.3, 1.7, len(strike))), dtype=np.float64)


def _snapshot(
    rng: np.random.Generator, underlying: Underlying, spot: float, mood: float, at: float,
    contracts: tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> Snapshot:  # fmt: skip
    expiry, is_call, strike, interest, volume = contracts
    ends = expiry * 86_400.0 + _CLOSE_UTC_S
    years = np.maximum(ends - at, 60.0) / (365 * 86_400)
    away = np.log(strike / spot)
    iv = mood * underlying.iv * (1 + 0.6 * np.abs(away) - 0.9 * away) * rng.normal(1, 0.002, len(strike))
    rate, carry = CONVENTIONS.rate, CONVENTIONS.dividend_yield
    deviation = iv * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate - carry + iv * iv / 2) * years) / deviation
    forward, paid = spot * np.exp(-carry * years), strike * np.exp(-rate * years)
    call = forward * ndtr(d1) - paid * ndtr(d1 - deviation)
    fair = np.maximum(np.where(is_call, call, call - forward + paid), 0.0)
    half = np.maximum(0.0001 * spot, 0.01 * fair)
    tick = np.round(rng.normal(0, 0.15, len(strike)) * half, 3)
    return Snapshot(
        format="cboe_json", symbol=underlying.symbol, as_of=at, quoted_at=at, spot=round(spot, 2),
        chain=Chain(
            roots=("SPXW" if underlying.symbol == "SPX" else underlying.symbol,), root=np.zeros(len(strike), np.int32),
            expiry=expiry, is_call=is_call, strike=strike,
            bid=np.maximum(np.round(fair - half + tick, 3), 0.0), ask=np.round(fair + half + tick, 3),
            iv=iv, gamma=np.full(len(strike), np.nan), delta=np.full(len(strike), np.nan), open_interest=interest.copy(),
            volume=volume.copy(),
        ),
    )  # fmt: skip
