"""Lay every kind of wrong data over good days: each is held back, and not one good snapshot is.

Days are generated ones, by chains and by strikes, of many seeds and rhythms; and, where ``GEXDESK_CAPTURES`` names a folder of
captured documents, days made of those. ``run(full=True)`` lays some thousands. A fault that nothing the desk has seen tells from
good data is counted apart (``tests.gates.trial.unknowable``), by a rule that is stated and tested there.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.gates import captured_day
from tests.gates.faults import FAULTS
from tests.gates.generated_day import Moment, chain_days, given_days
from tests.gates.trial import Tried, generated, lay

FOLDER = "GEXDESK_CAPTURES"
SEEDS = 2
FULL_SEEDS = 12
EVERY_S = (240.0, 300.0, 60.0, 180.0, 120.0, 600.0)
"""Seconds between snapshots of a generated day, one a seed in turns: what a gate takes for usual must hold for any rhythm."""

CHAINS_EVERY_S = 900.0
"""Seconds between snapshots of a captured chain: the largest take long, and what is judged is the same."""

SHOWN = 12


class Outcome(NamedTuple):
    """Count what was laid, and what became of it.

    Attributes:
        generated, captured: Faults laid over days of either kind.
        kinds: Of each kind of fault how many were laid, held back and missed, and how many are unknowable.
        good: Good snapshots judged in between.
        wrongly_held: How many of them were held back.
        words: Of the first that went wrong.
    """

    generated: int
    captured: int
    kinds: str
    good: int
    wrongly_held: int
    missed: int
    words: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Say whether every fault was held back, and nothing else."""
        return not self.missed and not self.wrongly_held


def run(full: bool) -> Outcome:
    """Lay faults over every day; the same seeds give the same faults."""
    seeds = range(1, 1 + (FULL_SEEDS if full else SEEDS))
    made, taken = Tried(), Tried()
    for seed, times in _generated(seeds):
        made.add(lay(times, seed))
    for seed, times in _captured(seeds):
        taken.add(lay(times, seed))
    laid = made.laid.total()
    made.add(taken)
    return Outcome(
        generated=laid, captured=taken.laid.total(), kinds=_table(made), good=made.good, wrongly_held=len(made.wrongly),
        missed=len(made.missed), words=tuple((made.wrongly + made.missed)[:SHOWN]),
    )  # fmt: skip


def _generated(seeds: range) -> Iterator[tuple[int, list[list[Moment]]]]:
    for seed in seeds:
        for days in (chain_days, given_days):
            yield seed, generated(days, EVERY_S[seed % len(EVERY_S)], seed)


def _captured(seeds: range) -> Iterator[tuple[int, list[list[Moment]]]]:
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    found = captured_day.captures(Path(folder))
    for seed in seeds:
        for times in (captured_day.chain_days(found, CHAINS_EVERY_S, seed), captured_day.given_days(found, seed)):
            if times:
                yield seed, times


def _table(tried: Tried) -> str:
    lines = [f"{name}: {tried.laid[name]} laid, {tried.held[name]} held, {tried.laid[name] - tried.held[name]} missed"
             f"{f', {tried.unknowable[name]} unknowable' if tried.unknowable[name] else ''}" for name in FAULTS]  # fmt: skip
    return "".join(f"\n    {line}" for line in lines)
