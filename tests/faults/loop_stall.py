"""A very large document in mid-flow, and one beyond the cap: the loop hardly stands still for the one, and refuses the other.

The loop serves every source, slot and screen; whatever it does at once for tens of megabytes, all of them wait for.
"""

import asyncio
import json
import tempfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.engine.desk_setting import as_lines, gexbot_at, rows
from tests.faults.fed_desk import FedDesk
from tests.until import until

EVERY_S = 0.04
CAP_BYTES, FULL_CAP_BYTES = 24_000_000, 60_000_000
BRIEF, FULL = (1, 500, 0.5), (5, 20_000, 12.0)
"""How many documents at the cap, how many snapshots in one more that is a file of lines, and for how many seconds the flow goes on
without them before: the engine tells its longest stall of the last ten seconds."""

QUOTED = datetime(2026, 3, 2, 15, 0)
STALL_S, TARGET_S = 0.25, 0.1
REFUSED_S = 240.0


class Outcome(NamedTuple):
    """Count what became of the documents, and how long the loop stood.

    Attributes:
        large_mb, beyond_mb: Of a document just below the cap and one just beyond it.
        stall_before_s: The longest stall of the same flow without large ones.
        stall_s: The longest from the first large document on; ``within_target`` whether that is below the target, too.
        refused: What the source says of the one beyond the cap.
        large_s: Receipt to available of the large ones, the longest.
    """

    documents: int
    lost: int
    twice: int
    wrong: int
    engine_lived: bool
    large_mb: float
    beyond_mb: float
    stall_before_s: float
    stall_s: float
    within_target: bool
    critical_p99_s: float
    large_s: float
    refused: str

    @property
    def whole(self) -> bool:
        """Say whether nothing was lost and the cap was said."""
        said = "bytes; at most" in self.refused
        return self.lost == self.twice == self.wrong == 0 and self.engine_lived and self.large_s < np.inf and said

    @property
    def sound(self) -> bool:
        """Say whether the loop went on besides."""
        return self.whole and self.stall_s < STALL_S


def run(full: bool) -> Outcome:
    """Offer them."""
    cap = FULL_CAP_BYTES if full else CAP_BYTES
    with tempfile.TemporaryDirectory() as folder:
        desk = FedDesk(Path(folder), payload_limit_bytes=cap, task_limit_s=60)
        return asyncio.run(_stalled(desk, cap, *(FULL if full else BRIEF)))


def large(size_bytes: int, number: int) -> bytes:
    """Return a chain of just so many bytes: as many contracts as there is room for, 3,000 strikes an expiry, and spaces."""
    leg = (
        '{"option":"%s%sC%08d","bid":12.5,"ask":13.0,"iv":0.15,"open_interest":%d.0,"volume":40.0,"delta":0.5,"gamma":0.0012}'
    )
    strikes = [5_000 * strike for strike in range(1, 3_001)]
    symbol = f"BIG{chr(ord('A') + number)}"  # a root that ends in a digit is an adjusted one
    legs, room, day = list[str](), size_bytes - 300, QUOTED
    while room >= 140:
        day += timedelta(days=1)
        some = [leg % (symbol, f"{day:%y%m%d}", strike, 100 + strike % 977) for strike in strikes[: room // 140]]
        legs += some
        room -= sum(map(len, some)) + len(some)
    outer = f'"timestamp":"{QUOTED:%Y-%m-%d %H:%M:%S}","symbol":"{symbol}"'
    inner = f'"options":[{",".join(legs)}],"symbol":"{symbol}","current_price":6000.0'
    body = f'{{{outer},"data":{{{inner}}}}}'.encode()
    assert len(body) <= size_bytes
    return body + b" " * (size_bytes - len(body))


def lines(number: int) -> bytes:
    """Return a good document of so many snapshots, one a line."""
    record = json.loads(gexbot_at(0.5, "DAY"))
    began = record["timestamp"] - number
    return as_lines([json.dumps(record | {"timestamp": began + at, "sum_gex_oi": 13.0 + at % 7}).encode() for at in range(number)])


class _Watched:
    """Follow the pictures of a desk, and hold the longest stall that they tell."""

    def __init__(self, desk: FedDesk) -> None:
        self._desk = desk
        self.worst_s = 0.0

    async def follow(self) -> None:
        """Go on until cancelled."""
        while True:
            view = await self._desk.view()
            if view is not None:
                self.worst_s = max(self.worst_s, view.loop_lag_s)
            await asyncio.sleep(0.1)


def _refusal(desk: FedDesk) -> str:
    """Return what the engine says of a document beyond the cap; empty while it says nothing."""
    lines = (desk.folder / "engine.log").read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if "bytes; at most" in line), "")


async def _stalled(desk: FedDesk, cap: int, times: int, snapshots: int, calm_s: float) -> Outcome:
    tasks: list[asyncio.Task[None]] = []
    try:
        bodies = [await asyncio.to_thread(large, cap - number, number) for number in range(times)]
        beyond = await asyncio.to_thread(large, cap + 1, times)
        await desk.start()
        tasks.append(asyncio.create_task(desk.feed(EVERY_S, 3600.0)))
        await asyncio.sleep(calm_s)  # what a start does at once is over, and told no more
        before, during = _Watched(desk), _Watched(desk)
        watching = asyncio.create_task(before.follow())
        await asyncio.sleep(calm_s / 2)
        watching.cancel()
        tasks.append(asyncio.create_task(during.follow()))
        for body in bodies:
            await asyncio.to_thread(partial(desk.drop, "rest", body))
            await asyncio.sleep(1.0)
        await asyncio.to_thread(partial(desk.drop, "rest", await asyncio.to_thread(lines, snapshots), snapshots=snapshots))
        await asyncio.to_thread((desk.folder / "in" / "rest" / "beyond.json").write_bytes, beyond)
        await until(lambda: _refusal(desk) != "", REFUSED_S)
        tasks[0].cancel()
        lived = await desk.drained(REFUSED_S) and desk.alive
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        await desk.stop()
    finally:
        for task in tasks:
            task.cancel()
        desk.kill()
    ended, (took, _) = desk.ended(), desk.critical_s(())
    which = "size_bytes > 1000000 AND records = 1 AND status = 'COMPLETED'"
    sql = f"SELECT epoch(available_at) - epoch(received_at) AS s FROM jobs WHERE {which}"
    large_s = [row["s"] for row in rows(sql, desk.state)]
    return Outcome(
        documents=len(desk.good), lost=ended.lost, twice=ended.twice, wrong=ended.wrong, engine_lived=lived,
        large_mb=(cap - 1) / 1e6, beyond_mb=len(beyond) / 1e6, stall_before_s=before.worst_s, stall_s=during.worst_s,
        within_target=during.worst_s < TARGET_S, critical_p99_s=float(np.percentile(took, 99)) if len(took) else np.inf,
        large_s=max(large_s) if len(large_s) == times else np.inf, refused=_refusal(desk),
    )  # fmt: skip
