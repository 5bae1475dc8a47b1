"""Lay faults over good days and count what the checks held back: the one way for the tests and for the fault campaign."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from gexdesk.engine.beats import Beats
from gexdesk.engine.gatekeeper import Gatekeeper
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.pool_child import head_of
from gexdesk.engine.standing import Standing
from gexdesk.engine.symbols import Plan, Symbols
from gexdesk.gates.facts import Limits
from gexdesk.model.market import session
from gexdesk.model.payload import Payload
from gexdesk.model.snapshot import Snapshot
from tests.gates.faults import FAULTS
from tests.gates.generated_day import CONVENTIONS, UNDERLYINGS, Moment, Underlying

Days = Callable[[Underlying, float, int], Iterator[Moment]]

SPOILT = 0.26
"""Share of the moments that are spoilt; a spoilt one is followed by the good one of the same time, as when a feed recovers."""

GAP, JUMP = Limits().session_gap, Limits().spot_jump
"""How far a spot may be from the session before, and from that of a quarter of an hour before, by the root of the time, log."""


class Desk:
    """Judge snapshots as the engine does, without an engine."""

    def __init__(self, symbols: Sequence[str] = tuple(underlying.symbol for underlying in UNDERLYINGS)) -> None:
        self.account = Account(
            name="feed", kind="http", symbols=tuple(symbols), format="", standing="auto", configured_delay_s=0.0, due_s=None,
            data_type="real_time",
        )  # fmt: skip
        ledger = Ledger([self.account])
        known = Symbols([Plan(name, expected=True) for name in symbols], ledger)
        self.gates = Gatekeeper(known, ledger, Beats(known, Standing(None)))  # type: ignore[arg-type]

    def judge(self, snapshot: Snapshot, at: float | None = None) -> tuple[bool, str]:
        """Return whether it is held back, and the gravest word; it is received a moment after ``at``, its stamp without that."""
        payload = Payload("p", "feed", (snapshot.as_of if at is None else at) + 0.2, "", 0)
        verdict = self.gates.judge(self.account, head_of(snapshot, CONVENTIONS), payload).verdict
        return verdict.held, verdict.words


@dataclass
class Tried:
    """Count one or several trials.

    Attributes:
        laid, held: By kind of fault.
        unknowable: By kind, those that nothing the desk has seen tells from good ones; they are not laid.
        good: Good snapshots that were judged.
        missed, wrongly: Faults that got through and good snapshots that were held back, in words.
    """

    laid: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    unknowable: Counter[str] = field(default_factory=Counter)
    good: int = 0
    missed: list[str] = field(default_factory=list)
    wrongly: list[str] = field(default_factory=list)

    def add(self, other: "Tried") -> None:
        """Add another trial's counts."""
        self.laid += other.laid
        self.held += other.held
        self.unknowable += other.unknowable
        self.good += other.good
        self.missed += other.missed
        self.wrongly += other.wrongly


def generated(days: Days, every_s: float, seed: int = 0) -> list[list[Moment]]:
    """Return every generated symbol's moments, one list a time."""
    return [list(together) for together in zip(*(days(underlying, every_s, seed) for underlying in UNDERLYINGS), strict=True)]


def unknowable(name: str, moment: Moment, past: Sequence[Moment], spoilt: Snapshot) -> str:
    """Say why nothing that was seen can tell a fault from a good snapshot; empty where something can.

    A table by strike has neither quotes nor open interest to be judged by, only the tables before it. What is said here is said of
    the good snapshot and of what was sent before it, never of what the desk made of them.
    """
    if moment.snapshot.given is None:
        return ""
    first = moment.day != past[-1].day
    if name == "wrong spot":
        away, quarters = abs(math.log((spoilt.spot or 1.0) / (past[-1].snapshot.spot or 1.0))), (moment.at - past[-1].at) / 900.0
        if first:
            return "a spot may gap so far over night" if away <= GAP else ""
        return "a spot may go so far in hours without a word" if quarters > 1.0 and away <= JUMP * math.sqrt(quarters) else ""
    if name not in ("scaled open interest", "flipped sign"):
        return ""
    now, before = head_of(moment.snapshot, CONVENTIONS).evidence, head_of(past[-1].snapshot, CONVENTIONS).evidence
    assert now is not None
    assert before is not None
    if now.by_volume and first:
        return "what is traded begins anew each day"
    if name == "scaled open interest" and now.by_volume and sum(_has_numbers(one) for one in past if one.day == moment.day) < 2:
        return "only one table of the day has numbers so far: which of the two is wrong nothing says"
    both = [(net, before.ladder[strike]) for strike, net in now.ladder.items() if strike in before.ladder]
    if len(both) < 3:
        return "fewer than three strikes are in both tables"
    if name == "flipped sign":
        later = first or moment.at - past[-1].at >= 900.0
        if sum(net * held < 0 for net, held in both) >= len(both) / 3:
            return "a third of the strikes turned round by themselves"
        if later and len(both) < 8:
            return "time passed, and fewer than eight strikes are in both tables"
        elsewhere = first and len(both) < 0.75 * len(before.ladder)
        return "the table lies around another spot than the last session's" if elsewhere else ""
    found = head_of(spoilt, CONVENTIONS).evidence
    assert found is not None
    went = median(math.log(abs(net / before.ladder[strike])) for strike, net in found.ladder.items() if strike in before.ladder)
    if first:
        return "over night a table may go by a factor of ten" if abs(went) < math.log(10.0) else ""
    ratios = [math.log(abs(net / held)) for net, held in both]
    apart = median(abs(ratio - median(ratios)) for ratio in ratios)
    grows = now.by_volume and moment.at - session(moment.at).opens_at < 3600.0
    return "trades alone took the strikes that far apart" if grows and went > 0 and apart >= 0.4 else ""


def _has_numbers(moment: Moment) -> bool:
    return moment.snapshot.given is not None and bool(np.nan_to_num(moment.snapshot.given.net_gex_volume).any())


def lay(times: Sequence[Sequence[Moment]], seed: int, spoilt_share: float = SPOILT) -> Tried:
    """Go through two days, spoil some moments by a die, and judge all."""
    found, rng = Tried(), np.random.default_rng(seed)
    last: dict[str, Moment] = {}
    past: dict[str, list[Moment]] = {moment.symbol: [] for moment in times[0]}
    desk = Desk(tuple(past))
    for moments in times:
        together = [replace(moment, before=last.get(moment.symbol)) for moment in moments]
        for moment in together:
            before = past[moment.symbol]
            if before and rng.random() < spoilt_share:
                others = [one for one in together if one.symbol != moment.symbol]
                _spoil(desk, found, moment, before, others, rng)
            held, words = desk.judge(replace(moment.snapshot, as_of=moment.at + 1.0), moment.at + 1.0)
            found.good += 1
            if held:
                found.wrongly.append(f"{moment.symbol} at {moment.at:.0f}, seed {seed}: {words}")
            before.append(moment)
        last = {moment.symbol: replace(moment, before=None) for moment in moments}
    return found


def _spoil(
    desk: Desk, found: Tried, moment: Moment, past: list[Moment], others: list[Moment], rng: np.random.Generator
) -> None:
    name = str(rng.choice(list(FAULTS)))
    first = moment.day != past[-1].day
    spoilt = FAULTS[name](moment, past, others, rng)
    if spoilt is None:
        return
    if not isinstance(spoilt, tuple) and unknowable(name, moment, past, spoilt):
        found.unknowable[name] += 1
        return
    if isinstance(spoilt, tuple):
        ahead, spoilt = spoilt
        held, words = desk.judge(ahead, moment.at - 1.0)
        if held:
            found.wrongly.append(f"{moment.symbol} at {moment.at:.0f} with a stamp ahead: {words}")
    held, words = desk.judge(spoilt, moment.at)
    # Before a vendor has rolled, its open interest is yesterday's: readers are told, and keep the numbers.
    held = held or (first and name == "yesterday's open interest" and "has not rolled" in words)
    found.laid[name] += 1
    found.held[name] += held
    if not held:
        found.missed.append(f"{name} of {moment.symbol} at {moment.at:.0f}: {words or 'nothing was found'}")
