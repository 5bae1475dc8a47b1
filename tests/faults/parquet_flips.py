"""Flip bytes of Parquet files and hand each to the real pool: whatever it does to a process, it does to no other payload.

``run(full=False)`` is what CI does, a few hundred; ``run(full=True)`` hands over 100,000.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from gexdesk.engine.pool import Pool
from gexdesk.engine.tasks import Refused, Triaged
from gexdesk.model.errors import DecoderDied
from gexdesk.model.level import Level
from tests.engine.pool_samples import task_for
from tests.formats.format_samples import CHAIN_COLUMNS, STRIKES_COLUMNS, gexbot, parquet

FLIPS = 300
FULL_FLIPS = 100_000
SLOW_S = 2.0
"""A flipped byte must not make a decoder think for longer, deaths and their new processes aside."""

_SEED = 20_260_302


class Outcome(NamedTuple):
    """Count what became of flipped files.

    Attributes:
        refused, taken: Answered; taken ones may hold a changed number that is in range: a Parquet page has no checksum here.
        died: Ended their process.
        faults: Answers of kind ``decoder_fault``, in words: a fault of ours.
        slowest_s: Longest answer that was no death.
        neighbour_lost: Good payloads in between that did not come through.
    """

    flips: int
    refused: int
    taken: int
    died: int
    faults: tuple[str, ...]
    slowest_s: float
    neighbour_lost: int

    @property
    def sound(self) -> bool:
        """Say whether every promise held."""
        return not self.faults and not self.neighbour_lost and self.slowest_s <= SLOW_S


def run(full: bool) -> Outcome:
    """Flip one to four bytes of each file; the same seed gives the same files."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_flip(Path(folder), FULL_FLIPS if full else FLIPS))


async def _flip(folder: Path, flips: int) -> Outcome:
    good = [parquet(STRIKES_COLUMNS), parquet(CHAIN_COLUMNS)]
    dice = random.Random(_SEED)
    counts: Counter[str] = Counter()
    faults: list[str] = []
    slowest_s = 0.0
    pool = Pool(1, 0, task_limit_s=10.0, memory_limit_mb=2048, on_death=lambda _: None)
    await pool.start()
    try:
        await pool.run(task_for(folder / "first", good[0]), Level.LOW)  # the start of a process is no decoding
        for number in range(flips):
            body = bytearray(good[number % 2])
            for _ in range(dice.randint(1, 4)):
                body[dice.randrange(len(body))] ^= dice.randint(1, 255)
            began = time.monotonic()
            try:
                reply = await pool.run(task_for(folder / "flipped", bytes(body)), Level.LOW)
            except DecoderDied:
                counts["died"] += 1
                reply = await pool.run(task_for(folder / "neighbour", gexbot()), Level.LOW)
                counts["neighbour_lost"] += not isinstance(reply, Triaged)
                continue
            slowest_s = max(slowest_s, time.monotonic() - began)
            counts["refused" if isinstance(reply, Refused) else "taken"] += 1
            if isinstance(reply, Refused) and reply.kind == "decoder_fault":
                faults.append(f"flip {number}: {reply.message}")
    finally:
        await pool.stop()
    return Outcome(flips, counts["refused"], counts["taken"], counts["died"], tuple(faults), slowest_s, counts["neighbour_lost"])
