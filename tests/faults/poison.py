"""Payloads that hang, eat the memory of or abort the process that decodes them, in the middle of good ones.

Each must end as a dead letter after two deaths at most, every lost process must be replaced, and the good ones must notice little:
their CRITICAL p99 is compared with that of the same stream without poison, offered in turns in one run.
"""

import asyncio
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.engine.desk_setting import rows
from tests.engine.pool_samples import pool_children
from tests.faults.fed_desk import FedDesk
from tests.formats.format_samples import CHAIN_COLUMNS, STRIKES_COLUMNS, parquet

EVERY_S = 0.04
TURN_S, FULL_TURN_S = 1.5, 20.0
TURNS, FULL_TURNS = 1, 2
TASK_LIMIT_S = 1.0
MEMORY_MB = 1024
SHARE = 1.05
SLACK_S = 0.25
"""What a good one may be later beside poison: by a share of the p99 without, and by this: a process at its limit has a core."""

CRITICAL_S = 5.0


class Outcome(NamedTuple):
    """Count what became of good and of poisonous documents.

    Attributes:
        letters: The kinds of the poison's dead letters and how many, with the most deaths that one cost.
        processes_before, processes_after: Pool processes; ``replaced`` is how many were others at the end.
        p99_without_s, p99_beside_s: CRITICAL, receipt to available, of good ones received in turns without and with poison.
    """

    good: int
    poison: int
    lost: int
    twice: int
    wrong: int
    engine_lived: bool
    letters: str
    most_deaths: int
    processes_before: int
    processes_after: int
    replaced: int
    p99_without_s: float
    p99_beside_s: float
    max_beside_s: float

    @property
    def buried(self) -> bool:
        """Say whether nothing was lost and every lost process has its successor."""
        whole = self.lost == self.twice == self.wrong == 0 and self.engine_lived and self.poison > 0
        return whole and self.most_deaths <= 2 and self.processes_before == self.processes_after and self.replaced > 0

    @property
    def sound(self) -> bool:
        """Say whether the good ones were served besides."""
        return self.buried and self.p99_beside_s <= SHARE * self.p99_without_s + SLACK_S and self.max_beside_s < CRITICAL_S


def hang(number: int) -> bytes:
    """Return a document that takes longer than the limit: a hundred snapshots of as many strikes as are taken."""
    strikes = b",".join(b"[%d.5,1.25,-2.5,[1,2,3,4,5]]" % strike for strike in range(1, 50_000))
    return b'{"timestamp":1772463600,"ticker":"SPX","spot":6000,"note":"\\n%d","strikes":[%s]}\n' % (number, strikes) * 100


def glutton(number: int) -> bytes:
    """Return a document that unfolds into more than a process may take."""
    strikes = b"[6000.5,1.25,-2.5,[1,2,3,4,5]]," * 2_000_000
    return b'{"timestamp":1772463600,"ticker":"S%d","spot":6000,"strikes":[%s[1.5,1,1,[]]]}' % (number, strikes)


def abort(number: int) -> bytes:
    """Return a Parquet file in which one byte makes its reader ask for more memory than there is, and end its process for that."""
    columns, flip = ((STRIKES_COLUMNS, 27), (CHAIN_COLUMNS, 7))[number % 2]
    body = bytearray(parquet(columns))
    body[954] ^= flip
    return bytes(body)


KINDS, FULL_KINDS = (abort,), (hang, abort, glutton)
"""What hangs takes tens of megabytes to do so, and longer than its limit only where the machine is not too fast."""


def run(full: bool) -> Outcome:
    """Offer them."""
    with tempfile.TemporaryDirectory() as folder:
        desk = FedDesk(Path(folder), task_limit_s=TASK_LIMIT_S, memory_limit_mb=MEMORY_MB, pool_processes=2)
        turns = (FULL_TURNS, FULL_TURN_S, FULL_KINDS) if full else (TURNS, TURN_S, KINDS)
        return asyncio.run(_poisoned(desk, *turns))


async def _poisoned(desk: FedDesk, turns: int, turn_s: float, kinds: Sequence[Callable[[int], bytes]]) -> Outcome:
    feeding: asyncio.Task[None] | None = None
    beside: list[tuple[float, float]] = []
    try:
        await desk.start()
        desk.drop()
        await desk.drained()
        before = pool_children(desk.process.pid)
        feeding = asyncio.create_task(desk.feed(EVERY_S, 3600.0))
        began = time.time()
        for turn in range(turns):
            await asyncio.sleep(turn_s)
            bodies = [await asyncio.to_thread(kind, turn) for kind in kinds]
            since = time.time()
            for body in bodies:
                await asyncio.to_thread(partial(desk.drop, "rest", body, bad=True))
            await asyncio.sleep(turn_s)
            while desk.alive and (view := await desk.view()) is not None and view.dead < len(desk.bad):
                await asyncio.sleep(0.1)
            beside.append((since, time.time()))
        feeding.cancel()
        lived = await desk.drained() and desk.alive
        after = pool_children(desk.process.pid)
        await desk.stop()
        ended = desk.ended()
        letters = rows("SELECT kind, reason FROM dead_letters", desk.state)
        without, besides = desk.critical_s(beside, since=began)
        return Outcome(
            good=len(desk.good), poison=len(desk.bad), lost=ended.lost, twice=ended.twice, wrong=ended.wrong, engine_lived=lived,
            letters=", ".join(f"{kind} {n}" for kind, n in sorted(Counter(letter["kind"] for letter in letters).items())),
            most_deaths=max((_deaths(letter["reason"]) for letter in letters), default=0),
            processes_before=len(before), processes_after=len(after), replaced=len(set(after) - set(before)),
            p99_without_s=float(np.percentile(without, 99)), p99_beside_s=float(np.percentile(besides, 99)),
            max_beside_s=float(besides.max()),
        )  # fmt: skip
    finally:
        if feeding is not None:
            feeding.cancel()
        desk.kill()


def _deaths(reason: str) -> int:
    found = re.search(r"it happened (\d+) times", reason)
    return int(found[1]) if found else 0
