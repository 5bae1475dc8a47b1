"""Measure in a pool process what the checks need beyond the exposure: digests, the spot that the quotes imply, the sides."""

import math
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from gexdesk.gates.facts import Evidence
from gexdesk.model.snapshot import F8, Chain, Snapshot, StrikeTable

LADDER = 24
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHORT = 512
"""Rows up to which bytes are cheaper than arithmetic."""

_ON_A_FORWARD = frozenset({"VIX", "VIXW"})
"""Roots that settle on the price of a future date: what their quotes imply is a forward, off the spot by as much as it likes."""

_FRONTS = 3
_NEAREST = 9
_FEWEST_PAIRS = 4
_WIDEST = 0.02
"""Widest two quotes of a pair together may be, a share of the strike, to say anything about the spot."""

_LONGEST_DAYS = 45
_DAY_S = 86_400.0
_CLOSE_S = 20.5 * 3600
"""Seconds of a UTC day at which options settle, near enough for the little interest until then."""


def evidence(snapshot: Snapshot, rate: float, dividend_yield: float) -> Evidence:
    """Measure one snapshot.

    Args:
        rate, dividend_yield: Per year, continuous, as in ``Conventions``.
    """
    if snapshot.chain is not None:
        return _of_chain(snapshot, snapshot.chain, rate, dividend_yield)
    assert snapshot.given is not None, "a snapshot has either a chain or given strikes"
    return _of_table(snapshot, snapshot.given)


def digest(columns: list[F8], spot: float | None) -> int:
    """Return 63 bits that are equal for equal columns in equal order; NaN is a number like others.

    A multilinear sum modulo 2^64 over the bits: for long columns a tenth of the time of a checksum over the bytes. Short ones cost
    less as bytes; how long they are is the same wherever they are equal.
    """
    if columns and len(columns[0]) <= _SHORT:
        whole = np.concatenate((*columns, (np.nan if spot is None else spot,)), dtype=np.float64)
        return int.from_bytes(blake2b(whole.tobytes(), digest_size=8).digest()) >> 1
    total = np.uint64(0 if spot is None else np.float64(spot).view(np.uint64))
    if columns:
        weights = (np.arange(1, len(columns[0]) + 1, dtype=np.uint64) * _ODD) | np.uint64(1)
        with np.errstate(over="ignore"):
            for place, column in enumerate(columns, start=1):
                bits = np.ascontiguousarray(column, dtype=np.float64).view(np.uint64)
                mixed = bits ^ (bits >> np.uint64(32))
                total = total * _ODD + np.uint64(place) + (mixed * weights).sum(dtype=np.uint64)
    return int(total >> np.uint64(1))


def implied_spot(chain: Chain, quoted_at: float, rate: float, dividend_yield: float) -> tuple[float | None, float | None]:
    """Return the spot by put-call parity in points, and the slope of calls less puts over strikes.

    ``C - P = S exp(-qT) - K exp(-rT)`` for pairs of one root, expiry and strike. Of the first expiries those pairs are taken
    whose sides cost nearly the same, which lie at the spot whatever spot the document names: their median is the spot, and early
    exercise is worth least there. The slope is that of the pairs' least squares, -1 for calls that are calls.

    Returns:
        None, None without enough pairs that are quoted on both sides and not too widely.
    """
    today = quoted_at / _DAY_S
    quoted = (chain.bid > 0) & (chain.ask >= chain.bid)
    coming = quoted & (chain.expiry > today - 1) & (chain.expiry < today + _LONGEST_DAYS)
    if not coming.any():
        return None, None
    spots, slopes = [], []
    rows = np.flatnonzero(coming)
    series = chain.expiry[rows].astype(np.int64) * max(1, len(chain.roots)) + chain.root[rows]
    for _ in range(_FRONTS):
        if len(rows) == 0:
            break
        one = int(series.min())  # the few first ones cost less so than all of them sorted
        of_it = series == one
        found = _pairs(chain, rows[of_it])
        rows, series = rows[~of_it], series[~of_it]
        if found is None:
            continue
        strike, gap = found
        years = max(0.0, (float(one // max(1, len(chain.roots))) * _DAY_S + _CLOSE_S - quoted_at) / (365 * _DAY_S))
        nearest = np.argsort(np.abs(gap), kind="stable")[:_NEAREST]
        if len(nearest) < _FEWEST_PAIRS:
            continue
        k, g = strike[nearest], gap[nearest]
        spots.append((g + k * math.exp(-rate * years)) * math.exp(dividend_yield * years))
        spread = k - k.mean()
        slopes.append(float((spread * (g - g.mean())).sum() / (spread * spread).sum()))
    if not spots:
        return None, None
    return float(np.median(np.concatenate(spots))), float(np.median(slopes))


def _pairs(chain: Chain, rows: NDArray[np.intp]) -> tuple[F8, F8] | None:
    """Return strikes at which both sides of one series are quoted well, and calls less puts there."""
    calls, puts = rows[chain.is_call[rows]], rows[~chain.is_call[rows]]
    strike, c, p = np.intersect1d(chain.strike[calls], chain.strike[puts], return_indices=True)
    if len(strike) < _FEWEST_PAIRS:
        return None
    c, p = calls[c], puts[p]
    width = chain.ask[c] - chain.bid[c] + chain.ask[p] - chain.bid[p]
    tight = width <= _WIDEST * strike
    gap = (chain.bid[c] + chain.ask[c] - chain.bid[p] - chain.ask[p]) / 2
    return strike[tight], gap[tight]


def _of_chain(snapshot: Snapshot, chain: Chain, rate: float, dividend_yield: float) -> Evidence:
    spot, slope = implied_spot(chain, snapshot.quoted_at, rate, dividend_yield)
    if len(chain) == 0:
        return Evidence(inputs=digest([], snapshot.spot), implied_spot=spot, parity_slope=slope)
    held, is_call = np.maximum(np.nan_to_num(chain.open_interest), 0.0), chain.is_call.astype(np.float64)
    priced = held * chain.strike
    calls, puts = float(held @ is_call), float(held.sum())
    called, put = float(priced @ is_call), float(priced.sum())
    puts, put = puts - calls, put - called
    known = puts + calls > 0 or not np.isnan(chain.open_interest).all()
    return Evidence(
        inputs=digest([chain.open_interest, chain.volume, chain.bid, chain.ask, chain.iv], snapshot.spot),
        interest=digest([chain.open_interest, chain.strike], None),
        implied_spot=None if _ON_A_FORWARD.intersection(chain.roots) else spot,
        parity_slope=slope,
        call_open_interest=calls if known else None,
        put_open_interest=puts if known else None,
        calls_above=2 * (called / calls - put / puts) / (called / calls + put / puts) if calls > 0 and puts > 0 else None,
        low=float(chain.strike.min()),
        high=float(chain.strike.max()),
        expiries=_expiries(chain, held),
    )


def _of_table(snapshot: Snapshot, table: StrikeTable) -> Evidence:
    weight = np.fmax(np.abs(table.net_gex), 0.0)  # NaN weighs nothing
    by_volume = not weight.any()
    net = table.net_gex_volume if by_volume else table.net_gex
    weight = np.fmax(np.abs(net), 0.0) if by_volume else weight
    heaviest = np.argsort(-weight, kind="stable")[:LADDER]
    heaviest = heaviest[weight[heaviest] > 0]
    heavy = net[heaviest]
    interest = [table.call_open_interest, table.put_open_interest]
    return Evidence(
        inputs=digest([table.net_gex, table.net_gex_volume, table.call_volume, table.put_volume, *interest], snapshot.spot),
        interest=None if np.isnan(interest).all() else digest([*interest, table.strike], None),
        given=True,
        by_volume=by_volume,
        call_open_interest=_sum(table.call_open_interest),
        put_open_interest=_sum(table.put_open_interest),
        strikes=len(table),
        low=float(table.strike[0]),
        high=float(table.strike[-1]),
        ladder=dict(zip(table.strike[heaviest].tolist(), heavy.tolist(), strict=True)),
        norm=math.sqrt(float(heavy @ heavy)),
    )


def _expiries(chain: Chain, held: F8) -> tuple[tuple[int, int, float], ...]:
    first = int(chain.expiry.min())
    of = chain.expiry - first
    contracts = np.bincount(of)
    interest = np.bincount(of, weights=held)
    return tuple((first + day, int(contracts[day]), float(interest[day])) for day in np.flatnonzero(contracts).tolist())


def _sum(column: F8) -> float | None:
    known = column[np.isfinite(column) & (column >= 0)]
    return float(known.sum()) if known.size else None
