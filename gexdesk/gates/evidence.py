"""Measure in a pool process what the checks need beyond the exposure: digests, the spot that the quotes imply, the sides."""

import math
import struct
from functools import lru_cache
from hashlib import blake2b
from statistics import median

import numpy as np
from numpy.typing import NDArray

from gexdesk.gates.facts import Evidence
from gexdesk.model.snapshot import F8, Chain, Snapshot, StrikeTable

LADDER = 24
_ODD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_MASK = (1 << 64) - 1
_SHORT = 512
"""Rows up to which bytes are cheaper than arithmetic."""

_AT_ONCE = 4_096
"""Rows up to which columns are laid side by side and summed at once; longer ones cost more to copy than to sum one by one."""

_SPOT = struct.Struct("d")
_CELLS = 65_536
_CELLS_A_ROW = 8
"""Expirations that lie close together are counted in cells; from so many cells on they are sorted instead."""

_ON_A_FORWARD = frozenset({"VIX", "VIXW"})
"""Roots that settle on the price of a future date: what their quotes imply is a forward, off the spot by as much as it likes."""

_FRONTS = 3
_PLAIN = 0.0025
"""Where the first expiration says what the document says, within this share, the later ones are not asked: the check of the spot
has no word for less."""

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
    """Return 63 bits that are equal for equal columns in equal order; NaN is a number like others, and so is a column of it alone.

    A multilinear sum modulo 2^64 over the bits: for long columns a tenth of the time of a checksum over the bytes. Short ones cost
    less as bytes; how long they are is the same wherever they are equal.
    """
    if columns and len(columns[0]) <= _SHORT:
        parts = [column.tobytes() for column in columns]
        parts.append(_SPOT.pack(math.nan if spot is None else spot))
        return int.from_bytes(blake2b(b"".join(parts), digest_size=8).digest()) >> 1
    return _mixed(_sums(columns), spot)


@lru_cache(maxsize=64)
def _weights(rows: int) -> NDArray[np.uint64]:
    return (np.arange(1, rows + 1, dtype=np.uint64) * _ODD) | np.uint64(1)


def _sums(columns: list[F8]) -> list[int]:
    """Return one 64-bit sum a column, of equal length each."""
    if not columns or len(columns[0]) == 0:
        return [0] * len(columns)
    weights = _weights(len(columns[0]))
    if len(weights) <= _AT_ONCE:
        bits = np.stack(columns, dtype=np.float64).view(np.uint64)
        bits ^= bits >> _HALF
        return [int(one) for one in bits @ weights]
    found = []
    for column in columns:
        bits = np.ascontiguousarray(column, dtype=np.float64).view(np.uint64)
        mixed = bits >> _HALF
        mixed ^= bits
        mixed *= weights
        found.append(int(mixed.sum(dtype=np.uint64)))
    return found


def _mixed(sums: list[int], spot: float | None) -> int:
    total = 0 if spot is None else int(np.float64(spot).view(np.uint64))
    for place, one in enumerate(sums, start=1):
        total = (total * int(_ODD) + place + one) & _MASK
    return total >> 1


class _Listed:
    """Give each series of a chain (expiration date and root) two cells, puts and calls, so that what belongs together is counted.

    Attributes:
        of: int64[n], the cell of each contract: that of its series, ascending by date, twice; and one more for a call.
        contracts: int64[cells], how many there are.
    """

    def __init__(self, chain: Chain) -> None:
        self._first, self._roots = int(chain.expiry.min()), max(1, len(chain.roots))
        self._series: NDArray[np.int64] | None = None
        series = chain.expiry.astype(np.int64)
        series -= self._first
        if self._roots > 1:
            series *= self._roots
            series += chain.root
        if 2 * int(series.max()) > _CELLS + _CELLS_A_ROW * len(chain):
            self._series, series = np.unique(series, return_inverse=True)
        series += series
        series += chain.is_call
        self.of = series
        self.contracts = np.bincount(series)

    def expiry(self, cell: int) -> int:
        """Return the expiration date of a cell, days since 1970-01-01."""
        series = cell // 2 if self._series is None else int(self._series[cell // 2])
        return self._first + series // self._roots

    def by_date(self, interest: F8) -> tuple[tuple[int, int, float], ...]:
        """Return each expiration date with its contracts and their open interest, which was summed up by cell."""
        there = np.flatnonzero(self.contracts)
        found: dict[int, tuple[int, float]] = {}
        for cell, count, held in zip(there.tolist(), self.contracts[there].tolist(), interest[there].tolist(), strict=True):
            counted, held_so_far = found.get(day := self.expiry(cell), (0, 0.0))
            found[day] = (counted + count, held_so_far + held)
        return tuple((day, count, held) for day, (count, held) in found.items())


def _implied(
    chain: Chain, listed: _Listed, quoted_at: float, per_year: tuple[float, float], spot: float | None
) -> tuple[float | None, float | None]:
    """Return the spot by put-call parity in points, and the slope of calls less puts over strikes.

    ``C - P = S exp(-qT) - K exp(-rT)`` for pairs of one root, expiry and strike. Of the first expiries those pairs are taken
    whose sides cost nearly the same, which lie at the spot whatever spot the document names: their median is the spot, and early
    exercise is worth least there. The slope is that of the pairs' least squares, -1 for calls that are calls.

    Args:
        per_year: Rate and dividend yield, continuous.
        spot: The document's; where the first expiry agrees with it and calls are calls, the later ones are not asked.

    Returns:
        None, None without enough pairs that are quoted on both sides and not too widely.
    """
    today, asked = quoted_at / _DAY_S, 0
    spots, slopes = list[float](), list[float]()
    for series in np.flatnonzero(listed.contracts[1::2]).tolist():
        expiry = listed.expiry(2 * series)
        if expiry <= today - 1 or not listed.contracts[2 * series]:
            continue
        if expiry >= today + _LONGEST_DAYS or asked == _FRONTS:
            break
        pairs = _pairs(chain, listed, series)
        if pairs is None:
            continue
        asked += 1
        strike, gap = pairs
        years = max(0.0, (expiry * _DAY_S + _CLOSE_S - quoted_at) / (365 * _DAY_S))
        if len(gap) < _FEWEST_PAIRS:
            continue
        nearest = np.argsort(np.abs(gap), kind="stable")[:_NEAREST]
        k, g = strike[nearest].tolist(), gap[nearest].tolist()
        discount, growth = math.exp(-per_year[0] * years), math.exp(per_year[1] * years)
        found = [(gap_ + strike_ * discount) * growth for strike_, gap_ in zip(k, g, strict=True)]
        middle, level = sum(k) / len(k), sum(g) / len(g)
        spread = sum((one - middle) ** 2 for one in k)
        slope = sum((one - middle) * (other - level) for one, other in zip(k, g, strict=True)) / spread if spread else math.nan
        spots += found
        slopes.append(slope)
        if len(slopes) == 1 and spot and slope < 0 and abs(spot / median(found) - 1) < _PLAIN:
            break
    return (median(spots), median(slopes)) if spots else (None, None)


def _pairs(chain: Chain, listed: _Listed, series: int) -> tuple[F8, F8] | None:
    """Return strikes at which both sides of one series are quoted well, and calls less puts there; None without any quotes."""
    calls, puts = np.flatnonzero(listed.of == 2 * series + 1), np.flatnonzero(listed.of == 2 * series)
    strike, other = chain.strike[calls], chain.strike[puts]
    if not np.array_equal(strike, other):
        strike, c, p = np.intersect1d(strike, other, return_indices=True)
        calls, puts = calls[c], puts[p]
    bid_c, ask_c, bid_p, ask_p = chain.bid[calls], chain.ask[calls], chain.bid[puts], chain.ask[puts]
    width = (ask_c - bid_c) + (ask_p - bid_p)
    quoted = (np.minimum(bid_c, bid_p) > 0) & (ask_c >= bid_c) & (ask_p >= bid_p)
    if not quoted.any():
        return None
    good = np.flatnonzero(quoted & (width <= _WIDEST * strike))
    gap = (bid_c + ask_c - bid_p - ask_p)[good] / 2
    return strike[good], gap


def _of_chain(snapshot: Snapshot, chain: Chain, rate: float, dividend_yield: float) -> Evidence:
    if len(chain) == 0:
        return Evidence(inputs=digest([], snapshot.spot))
    listed = _Listed(chain)
    spot, slope = _implied(chain, listed, snapshot.quoted_at, (rate, dividend_yield), snapshot.spot)
    held = np.fmax(chain.open_interest, 0.0)  # NaN holds nothing
    interest: F8 = np.asarray(np.bincount(listed.of, held), dtype=np.float64)
    priced = np.bincount(listed.of, held * chain.strike)
    calls, puts = float(interest[1::2].sum()), float(interest[::2].sum())
    called, put = float(priced[1::2].sum()), float(priced[::2].sum())
    known = calls + puts > 0 or not np.isnan(chain.open_interest).all()
    sums = _sums([chain.strike, chain.open_interest, chain.volume, chain.bid, chain.ask, chain.iv])
    return Evidence(
        inputs=_mixed(sums[1:], snapshot.spot),
        interest=_mixed(sums[:2], None),
        implied_spot=None if _ON_A_FORWARD.intersection(chain.roots) else spot,
        parity_slope=slope,
        call_open_interest=calls if known else None,
        put_open_interest=puts if known else None,
        calls_above=2 * (called / calls - put / puts) / (called / calls + put / puts) if calls > 0 and puts > 0 else None,
        low=float(chain.strike.min()),
        high=float(chain.strike.max()),
        expiries=listed.by_date(interest),
    )


def _heaviest(net: F8) -> NDArray[np.intp]:
    """Return the places of the heaviest strikes, heaviest first; of those without a weight, NaN or 0, none."""
    places = (-np.abs(net)).argsort()[:LADDER]  # NaN comes last
    weights = net[places]
    return places if len(places) == 0 or abs(weights[-1]) > 0 else places[np.abs(weights) > 0]


def _of_table(snapshot: Snapshot, table: StrikeTable) -> Evidence:
    net, heaviest = table.net_gex, _heaviest(table.net_gex)
    by_volume = len(heaviest) == 0
    if by_volume:
        net, heaviest = table.net_gex_volume, _heaviest(table.net_gex_volume)
    heavy = net[heaviest].tolist()
    # Most tables carry neither open interest nor volume: one column of nothing stands for all.
    counts = [table.call_volume, table.put_volume, table.call_open_interest, table.put_open_interest]
    first = counts[0]
    bare = bool(np.isnan(first).all()) and all(one is first or np.isnan(one).all() for one in counts)
    sides = [None, None] if bare else [_sum(column) for column in counts[2:]]
    strikes = table.strike
    return Evidence(
        inputs=digest([table.net_gex, table.net_gex_volume, *([] if bare else counts)], snapshot.spot),
        interest=None if sides == [None, None] else digest([*counts[2:], strikes], None),
        given=True,
        by_volume=by_volume,
        call_open_interest=sides[0],
        put_open_interest=sides[1],
        strikes=len(table),
        low=float(strikes[0]),
        high=float(strikes[-1]),
        ladder=dict(zip(strikes[heaviest].tolist(), heavy, strict=True)),
        norm=math.hypot(*heavy),
        middle=abs(heavy[len(heavy) // 2]) if heavy else 0.0,
    )


def _sum(column: F8) -> float | None:
    known = column[column >= 0]
    return float(known.sum()) if known.size else None
