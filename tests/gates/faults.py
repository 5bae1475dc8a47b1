"""Faults of feeds, as they were seen in the wild, laid over good snapshots."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gexdesk.model.snapshot import F8, Chain, Snapshot
from tests.gates.generated_day import Moment, rows, strikes_of

Fault = Callable[[Moment, list[Moment], list[Moment], np.random.Generator], Snapshot | tuple[Snapshot, Snapshot] | None]
"""Spoils a moment; given what came before it of the symbol, another symbol's moments of the same time, and a die.

Of two snapshots the first comes a second earlier, passes, and is what hides the second. None where it cannot be laid over
this moment.
"""

AHEAD_S = 3_000.0
"""Far into the future, and less than the hour from which on a stamp is held back for itself."""


def wrong_spot(moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator) -> Snapshot | None:
    """Carry another spot: a few per cent off, a power of ten off, or another symbol's."""
    spot = moment.snapshot.spot or 0.0
    other = others[rng.integers(len(others))].snapshot.spot or 0.0
    near = abs(other / spot - 1) < 0.03
    factors = [1.05, 0.94, 1.12, 0.1, 10.0] if near else [1.05, 0.94, 1.12, 0.1, 10.0, other / spot]
    return replace(moment.snapshot, spot=round(spot * factors[rng.integers(len(factors))], 2))


def swapped_symbol(moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator) -> Snapshot | None:
    """Carry another symbol's document under this one's name: a chain of this moment, or a table that was sent before."""
    other = others[rng.integers(len(others))]
    if other.snapshot.chain is None and other.before is not None:
        other = other.before
    return replace(other.snapshot, symbol=moment.snapshot.symbol, as_of=moment.at, quoted_at=moment.at)


def scaled_interest(moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator) -> Snapshot | None:
    """Count contracts in the wrong unit."""
    factor = float(rng.choice([10.0, 100.0, 0.1, 0.01]))
    snapshot = moment.snapshot
    if snapshot.chain is not None:
        return replace(snapshot, chain=replace(snapshot.chain, open_interest=snapshot.chain.open_interest * factor))
    return _weighed(snapshot, factor)


def _weighed(snapshot: Snapshot, factor: float) -> Snapshot:
    table = snapshot.given
    assert table is not None
    return replace(
        snapshot, given=replace(table, net_gex=table.net_gex * factor, net_gex_volume=table.net_gex_volume * factor)
    )


def flipped_sign(moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator) -> Snapshot | None:
    """Take calls for puts."""
    snapshot = moment.snapshot
    if snapshot.chain is None:
        return _weighed(snapshot, -1.0)
    chain = snapshot.chain
    if rng.random() < 0.5:
        return replace(snapshot, chain=replace(chain, is_call=~chain.is_call))
    return replace(snapshot, chain=replace(chain, open_interest=_exchanged(chain)))


def _exchanged(chain: Chain) -> F8:
    """Return open interest with each call's and its put's exchanged; a contract without the other side keeps its own."""
    order = np.lexsort((chain.is_call, chain.strike, chain.expiry, chain.root))
    key = np.stack((chain.root, chain.expiry, chain.strike))[:, order]
    pair = np.flatnonzero((key[:, 1:] == key[:, :-1]).all(axis=0))
    interest = chain.open_interest.copy()
    interest[order[pair]], interest[order[pair + 1]] = chain.open_interest[order[pair + 1]], chain.open_interest[order[pair]]
    return interest


def stale_numbers(moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator) -> Snapshot | None:
    """Send numbers of some time ago again under a new stamp."""
    today = [one for one in past if one.day == moment.day]
    if len(today) < 4:
        return None
    old = today[-int(rng.integers(2, min(len(today), 20)))]
    return replace(old.snapshot, as_of=moment.at, quoted_at=moment.at)


def missing_strikes(moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator) -> Snapshot | None:
    """Lose a block of strikes, or every so many rows."""
    snapshot = moment.snapshot
    strike = snapshot.chain.strike if snapshot.chain is not None else snapshot.given.strike  # type: ignore[union-attr]
    low, high = np.quantile(strike, [0.3, 0.7])
    cuts = [strike > snapshot.spot, (strike > low) & (strike < high), strike < snapshot.spot]  # type: ignore[operator]
    gone = cuts[rng.integers(len(cuts))]
    if snapshot.chain is not None:
        if rng.random() < 0.3:
            gone = rng.random(len(strike)) < 0.2
        return replace(snapshot, chain=rows(snapshot.chain, ~gone))
    assert snapshot.given is not None
    return replace(snapshot, given=strikes_of(snapshot.given, ~gone))


def yesterdays_interest(moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator) -> Snapshot | None:
    """Count the open interest that the contracts had the day before."""
    snapshot, yesterday = moment.snapshot, [one for one in past if one.day < moment.day]
    if snapshot.chain is None or not yesterday:
        return None
    old = yesterday[-1].snapshot.chain
    assert old is not None
    had = dict(zip(_contracts(old), old.open_interest.tolist(), strict=True))
    interest = np.array([had.get(name, 0.0) for name in _contracts(snapshot.chain)])
    return replace(snapshot, chain=replace(snapshot.chain, open_interest=interest))


def _contracts(chain: Chain) -> list[tuple[int, int, bool, float]]:
    columns = (chain.root, chain.expiry, chain.is_call, chain.strike)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def swapped_behind_a_stamp_ahead(
    moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator
) -> tuple[Snapshot, Snapshot] | None:
    """Stamp one good snapshot fifty minutes ahead, then carry another symbol's document, which is "older" than that."""
    swapped, good = swapped_symbol(moment, past, others, rng), moment.snapshot
    assert swapped is not None
    if good.chain is not None:
        good = replace(good, chain=replace(good.chain, iv=good.chain.iv * 1.00001))
    else:
        good = _weighed(good, 1.0001)
    return replace(good, as_of=moment.at - 1.0 + AHEAD_S, quoted_at=moment.at - 1.0), swapped


FAULTS: dict[str, Fault] = {
    "wrong spot": wrong_spot,
    "swapped symbol": swapped_symbol,
    "scaled open interest": scaled_interest,
    "flipped sign": flipped_sign,
    "stale numbers": stale_numbers,
    "missing strikes": missing_strikes,
    "yesterday's open interest": yesterdays_interest,
    "swapped symbol behind a stamp ahead": swapped_behind_a_stamp_ahead,
}
