"""Lay more than 500 faults over generated days: each is held back, and not one good snapshot is."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from faults import FAULTS
from generated_day import CONVENTIONS, UNDERLYINGS, Moment, Underlying, chain_days, given_days

from gexdesk.engine.beats import Beats
from gexdesk.engine.gatekeeper import Gatekeeper
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.pool_child import head_of
from gexdesk.engine.standing import Standing
from gexdesk.engine.symbols import Plan, Symbols
from gexdesk.model.payload import Payload
from gexdesk.model.snapshot import Snapshot

SPOILT = 0.13
"""Share of the moments that are spoilt; a spoilt one is followed by the good one of the same time, as when a feed recovers."""


class Desk:
    """Judge snapshots as the engine does, without an engine."""

    def __init__(self) -> None:
        names = [underlying.symbol for underlying in UNDERLYINGS]
        self.account = Account(
            name="feed", kind="http", symbols=tuple(names), format="", standing="auto", configured_delay_s=0.0, due_s=None,
            data_type="real_time",
        )  # fmt: skip
        ledger = Ledger([self.account])
        symbols = Symbols([Plan(name, expected=True) for name in names], ledger)
        self.gates = Gatekeeper(symbols, ledger, Beats(symbols, Standing(None)))  # type: ignore[arg-type]

    def judge(self, snapshot: Snapshot, at: float | None = None) -> tuple[bool, str]:
        """Return whether it is held back, and the gravest word; it is received a moment after ``at``, its stamp without that."""
        payload = Payload("p", "feed", (snapshot.as_of if at is None else at) + 0.2, "", 0)
        verdict = self.gates.judge(self.account, head_of(snapshot, CONVENTIONS), payload).verdict
        return verdict.held, verdict.words


def interleaved(days: Callable[[Underlying, float], Iterator[Moment]], every_s: float) -> list[list[Moment]]:
    """Return every symbol's moments, one list a time."""
    found: list[list[Moment]] = []
    for moments in zip(*(days(underlying, every_s) for underlying in UNDERLYINGS), strict=True):
        last = found[-1] if found else [None] * len(moments)
        found.append([replace(moment, before=before) for moment, before in zip(moments, last, strict=True)])
    return found


@pytest.mark.parametrize(("days", "every_s", "at_least"), [(chain_days, 240.0, 240), (given_days, 180.0, 280)])
def test_every_fault_is_held_back_and_nothing_else(
    days: Callable[[Underlying, float], Iterator[Moment]], every_s: float, at_least: int
) -> None:
    desk, rng = Desk(), np.random.default_rng(7)
    past: dict[str, list[Moment]] = {underlying.symbol: [] for underlying in UNDERLYINGS}
    laid, caught, missed, wrongly = Counter[str](), Counter[str](), list[str](), list[str]()
    for together in interleaved(days, every_s):
        for moment in together:
            symbol = moment.underlying.symbol
            others = [one for one in together if one.underlying.symbol != symbol]
            if past[symbol] and rng.random() < SPOILT * 2:
                name = str(rng.choice(list(FAULTS)))
                first = moment.day != past[symbol][-1].day
                # Over night a table by strike may double and its spot may gap: its first one has nothing to be judged by.
                unknowable = first and moment.snapshot.chain is None
                spoilt = None if unknowable else FAULTS[name](moment, past[symbol], others, rng)
                if spoilt is not None:
                    laid[name] += 1
                    if isinstance(spoilt, tuple):
                        ahead, spoilt = spoilt
                        held, words = desk.judge(ahead, moment.at - 1.0)
                        assert not held, f"the one with a stamp ahead is only flagged: {words}"
                    held, words = desk.judge(spoilt, moment.at)
                    # Before a vendor has rolled, its open interest is yesterday's: readers are told, and keep the numbers.
                    held = held or (first and name == "yesterday's open interest" and "has not rolled" in words)
                    caught[name] += held
                    if not held:
                        missed.append(f"{name} of {symbol} at {moment.at:.0f}: {words or 'nothing was found'}")
            good = replace(moment.snapshot, as_of=moment.at + 1.0)
            held, words = desk.judge(good, moment.at + 1.0)
            if held:
                wrongly.append(f"{symbol} at {moment.at:.0f}: {words}")
            past[symbol].append(moment)
    assert not wrongly, f"{len(wrongly)} good snapshots were held back: {wrongly[:8]}"
    assert not missed, f"{len(missed)} of {laid.total()} faults got through: {missed[:12]}"
    assert laid.total() >= at_least
