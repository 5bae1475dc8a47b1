"""Two plausible trading days made of captured documents: what was really sent, moved a little from one snapshot to the next.

A chain keeps its contracts, widths of quotes, gaps and oddities; quotes move by what Black-Scholes says of the change of spot, IV
and time, so that they belong together as well or as badly as in the capture. A sequence of tables by strike is sent as it was,
with the minutes in between filled in.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gexdesk.formats.compression import expand
from gexdesk.formats.detect import decode
from gexdesk.model.errors import PayloadError
from gexdesk.model.market import session, session_id
from gexdesk.model.snapshot import F8, Chain, Snapshot, StrikeTable
from tests.gates.generated_day import CONVENTIONS, DAYS, Moment, rows

USABLE_IV = (0.01, 20.0)
_DAY_S = 86_400.0
_YEAR_S = 365 * _DAY_S
_OPEN_UTC_S, _CLOSE_UTC_S = 14.5 * 3600, 21.0 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_FIRST = DAYS[0].toordinal() - _EPOCH
_MINUTE_S = 60.0
_FILLED_S = 600.0
"""Gaps of a sequence up to which the minutes in between are filled in."""


def captures(folder: Path) -> list[Sequence[Snapshot]]:
    """Return what each file below a folder decodes to, by the desk's own formats; what none takes is left out."""
    found = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            _, snapshots = decode(expand(file.read_bytes()))
        except PayloadError:
            continue
        if snapshots:
            found.append(snapshots)
    return found


def chain_days(found: Sequence[Sequence[Snapshot]], every_s: float, seed: int) -> list[list[Moment]]:
    """Return both days of every captured chain with a spot, all on the same two dates, one list a time."""
    taken: dict[str, int] = {}
    days = []
    for (snapshot, *_) in found:
        if snapshot.chain is not None and snapshot.spot is not None:
            days.append(_moved_days(replace(snapshot, symbol=_own_name(snapshot.symbol, taken)), every_s, seed + len(days)))
    return [list(together) for together in zip(*days, strict=True)]


def given_days(found: Sequence[Sequence[Snapshot]], seed: int) -> list[list[Moment]]:
    """Return every captured sequence of tables and, as a second day, the same ones rolled and a little off; one list a time."""
    taken: dict[str, int] = {}
    days = []
    for snapshots in found:
        if len(snapshots) > 1 and all(one.given is not None and one.spot is not None for one in snapshots):
            name = _own_name(snapshots[0].symbol, taken)
            days.append(_filled_days([replace(one, symbol=name) for one in snapshots], seed + len(days)))
    return [list(together) for together in zip(*days, strict=False)]


def _own_name(symbol: str, taken: dict[str, int]) -> str:
    """Return a name for one capture among those of the same symbol: each is a day of its own."""
    taken[symbol] = taken.get(symbol, 0) + 1
    return symbol if taken[symbol] == 1 else f"{symbol}.{taken[symbol]}"


def _moved_days(base: Snapshot, every_s: float, seed: int) -> list[Moment]:
    rng = np.random.default_rng((seed, 17))
    assert base.chain is not None
    assert base.spot is not None
    market_at = base.quoted_at - (base.delay_s or 0.0)
    now = session(market_at)
    captured_day = now.day if now.kind == "regular" else session_id(now.opens_at)
    chain = rows(base.chain, base.chain.expiry >= captured_day)
    years_then = np.maximum(chain.expiry * _DAY_S + _CLOSE_UTC_S - market_at, 60.0) / _YEAR_S
    iv = chain.iv
    chain = replace(chain, expiry=(chain.expiry + (_FIRST - captured_day)).astype(np.int32))
    spot, mood, found = base.spot, 1.0, list[Moment]()
    daily = float(np.nanmedian(iv[np.isfinite(iv) & (iv > USABLE_IV[0])]))
    for number, day in enumerate(DAYS):
        start = (day.toordinal() - _EPOCH) * _DAY_S
        times = np.arange(start + _OPEN_UTC_S + 60, start + _CLOSE_UTC_S - 30, every_s)
        if number:
            keep = chain.expiry >= start / _DAY_S
            chain, years_then, iv = rows(chain, keep), years_then[keep], iv[keep]
            rolled = np.round(chain.open_interest * rng.uniform(0.9, 1.1, len(chain)))
            chain = replace(chain, open_interest=rolled)
        for step, at in enumerate(times.tolist()):
            spot *= float(np.exp(rng.normal(0, daily * np.sqrt(every_s / (252 * 6.5 * 3600)))))
            mood *= float(np.exp(rng.normal(0, 0.003)))
            years = np.maximum(chain.expiry * _DAY_S + _CLOSE_UTC_S - at, 60.0) / _YEAR_S
            moved_iv = iv * mood * rng.normal(1, 0.002, len(iv))
            usable = (iv > USABLE_IV[0]) & (iv < USABLE_IV[1])
            change = _fair(spot, chain, np.where(usable, moved_iv, np.nan), years)
            change -= _fair(base.spot, chain, np.where(usable, iv, np.nan), years_then)
            bid = np.where(chain.bid > 0, np.maximum(np.round(chain.bid + change, 2), 0.0), chain.bid)
            ask = np.where(chain.ask > 0, np.maximum(np.round(chain.ask + change, 2), bid), chain.ask)
            traded = np.round(chain.volume * (0.3 + 0.7 * (step + 1) / len(times)))
            moved = replace(chain, bid=bid, ask=ask, iv=np.where(usable, moved_iv, iv), volume=traded)
            snapshot = replace(base, as_of=at, quoted_at=at, spot=round(spot, 2), chain=moved, delay_s=None)
            found.append(Moment(base.symbol, number, at, snapshot))
    return found


def _fair(spot: float, chain: Chain, iv: F8, years: F8) -> F8:
    """Return Black-Scholes's prices in points; a contract without a usable IV is worth what it is worth if exercised."""
    rate, carry = CONVENTIONS.rate, CONVENTIONS.dividend_yield
    deviation = iv * np.sqrt(years)
    d1 = (np.log(spot / chain.strike) + (rate - carry + iv * iv / 2) * years) / deviation
    forward, paid = spot * np.exp(-carry * years), chain.strike * np.exp(-rate * years)
    call = forward * ndtr(d1) - paid * ndtr(d1 - deviation)
    call = np.where(np.isnan(call), np.maximum(forward - paid, 0.0), call)
    fair: F8 = np.maximum(np.where(chain.is_call, call, call - forward + paid), 0.0)
    return fair


def _filled_days(sent: Sequence[Snapshot], seed: int) -> list[Moment]:
    rng = np.random.default_rng((seed, 18))
    found: list[Moment] = []
    sent = [one for one, before in zip(sent, (None, *sent), strict=False) if before is None or one.as_of > before.as_of]
    filled = [moved for one, later in zip(sent, (*sent[1:], None), strict=True) for moved in _between(one, later, rng)]
    first = session_id(filled[0].as_of)
    found += [Moment(one.symbol, session_id(one.as_of) - first, one.as_of, one) for one in filled]
    last = session_id(filled[-1].as_of)
    factor, gap = rng.uniform(0.85, 1.15, 4096), float(np.exp(rng.normal(0, 0.006)))
    for one in filled:
        if session_id(one.as_of) == last:
            assert one.given is not None
            at, table = one.as_of + _DAY_S, one.given
            rolled = factor[(table.strike * 2).astype(np.intp) % len(factor)]
            table = replace(table, net_gex=table.net_gex * rolled, net_gex_volume=table.net_gex_volume * rolled)
            spot = round((one.spot or 0.0) * gap, 2)
            moved = replace(one, as_of=at, quoted_at=at, spot=spot, given=table, vendor_net_gex=None, vendor_zero_gamma=None)
            found.append(Moment(one.symbol, last - first + 1, at, moved))
    return found


def _between(one: Snapshot, later: Snapshot | None, rng: np.random.Generator) -> list[Snapshot]:
    """Return a document as it was sent and, up to the next one, a minute each in between."""
    found = [one]
    if later is None or not _MINUTE_S < later.as_of - one.as_of <= _FILLED_S:
        return found
    assert one.given is not None
    assert later.given is not None
    common = np.isin(one.given.strike, later.given.strike), np.isin(later.given.strike, one.given.strike)
    for at in np.arange(one.as_of + _MINUTE_S, later.as_of - _MINUTE_S / 2, _MINUTE_S).tolist():
        share = (at - one.as_of) / (later.as_of - one.as_of)
        table = _mixed(one.given, later.given, common, share, rng)
        spot = round(((1 - share) * (one.spot or 0.0) + share * (later.spot or 0.0)) * float(rng.normal(1, 0.0001)), 2)
        found.append(replace(one, as_of=at, quoted_at=at, spot=spot, given=table, vendor_net_gex=None, vendor_zero_gamma=None))
    return found


def _mixed(
    one: StrikeTable, later: StrikeTable, common: tuple[NDArray[np.bool_], NDArray[np.bool_]], share: float,
    rng: np.random.Generator,
) -> StrikeTable:  # fmt: skip
    columns = {}
    for name in StrikeTable.__slots__:
        column = getattr(one, name).copy()
        moved = (1 - share) * column[common[0]] + share * getattr(later, name)[common[1]]
        column[common[0]] = moved if name == "strike" else moved * rng.normal(1, 0.001, len(moved))
        columns[name] = column
    return StrikeTable(**columns)
