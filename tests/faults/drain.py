"""Tell an engine to end with its hands full: twenty payloads in flight, and decoders that are slow or stand still.

It must end by itself within 20 s, and the engines after it finish what was left, each payload once. On the way the terminal it was
started from goes (SIGHUP), and a second engine is started on the same folder: it is refused and names the first one's process.
``run(full=False)`` ends it once, ``run(full=True)`` seven times.
"""

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gexdesk.api.client import Client
from gexdesk.model.errors import EngineAway
from tests.engine.desk_setting import chain_at, drop, rows
from tests.engine.pool_samples import pool_children
from tests.faults.engine_process import Burst

LIMIT_S = 20.0
IN_FLIGHT = 20
FULL_ENDS = 7
"""A payload that was begun eight times and never finished is buried, and one in hand at each end is begun each time."""

CONTRACTS, SHORT_CONTRACTS = 4_000, 500
"""Of documents of 0.8 and 0.1 MB."""


class Outcome(NamedTuple):
    """Count what became of it.

    Attributes:
        in_flight: The fewest payloads that were acknowledged and not ended when the engine was told to.
        left: Payloads that engines left to the next one.
        slowest_s: From the signal to the end of the process.
        killed: Engines that did not end by themselves, or not with code 0.
        hung_up: Engines that ended for the loss of their terminal.
        intruders: Second engines that were let onto the folder, or not told who holds it.
        lost, twice: Payloads that were not done, and those done twice.
        buried: Why any became a dead letter.
    """

    ends: int
    in_flight: int
    left: int
    slowest_s: float
    killed: int
    hung_up: int
    intruders: int
    payloads: int
    lost: int
    twice: int
    buried: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Say whether every engine ended in time, and nothing was lost or done twice."""
        wrong = self.killed + self.hung_up + self.intruders + self.lost + self.twice + len(self.buried)
        return not wrong and self.slowest_s <= LIMIT_S and self.in_flight >= IN_FLIGHT and self.left > 0


def run(full: bool) -> Outcome:
    """Start and end it."""
    ends = FULL_ENDS if full else 1
    with tempfile.TemporaryDirectory() as folder:
        burst = Burst(Path(folder), 0)
        in_flight, left, took_s = list[int](), list[int](), list[float]()
        killed = hung_up = intruders = 0
        for number in range(ends):
            engine = burst.start("--json")
            if number % 2 == 0:
                asyncio.run(_in_flight(burst, engine, 0))
                for child in pool_children(engine.pid):
                    os.kill(child, signal.SIGSTOP)
            _drop_slow(burst, number, CONTRACTS if full else SHORT_CONTRACTS)
            in_flight.append(asyncio.run(_in_flight(burst, engine, IN_FLIGHT)))
            if number == 0:
                engine.send_signal(signal.SIGHUP)
                intruders += _refused(burst, engine.pid) is False
                hung_up += engine.poll() is not None
            began = time.monotonic()
            engine.send_signal(signal.SIGTERM)
            try:
                out, _ = engine.communicate(timeout=2 * LIMIT_S)
            except subprocess.TimeoutExpired:
                engine.kill()
                out, _ = engine.communicate()
            took_s.append(time.monotonic() - began)
            killed += engine.returncode != 0 or '"received"' not in out or (burst.state / "engine.sock").exists()
            left.append(_open(burst))
        burst.finish(300.0)
        found = rows("SELECT payload_name AS name, count(*) AS times FROM jobs WHERE status = 'COMPLETED' GROUP BY 1", burst.state)
        dead = rows("SELECT DISTINCT reason AS error FROM dead_letters", burst.state)
        stored = rows("SELECT count(*) AS n, count(DISTINCT payload_sha256) AS documents FROM snapshots", burst.state)[0]
    payloads = ends * 2 * IN_FLIGHT
    return Outcome(
        ends, min(in_flight), sum(left), max(took_s), killed, hung_up, intruders, payloads,
        lost=payloads - min(len(found), stored["documents"]),
        buried=tuple(row["error"] for row in dead),
        twice=sum(row["times"] - 1 for row in found) + stored["n"] - stored["documents"],
    )  # fmt: skip


def _drop_slow(burst: Burst, round_number: int, contracts: int) -> None:
    """Hand over twice as many payloads as are to be in flight."""
    body = chain_at(2.0, "SPX", contracts=contracts)
    for number in range(2 * IN_FLIGHT):
        drop(burst.inbox, f"{round_number:03d}-{number:03d}.json", body + b" " * (round_number * 2 * IN_FLIGHT + number))


async def _in_flight(burst: Burst, engine: "subprocess.Popen[str]", wanted: int) -> int:
    """Return how many payloads are in flight once so many are."""
    client = Client(burst.state)
    give_up_at = time.monotonic() + 60.0
    while time.monotonic() < give_up_at:
        assert engine.poll() is None, burst.log()
        with suppress(EngineAway):
            if (found := (await client.view()).in_flight) >= wanted:
                return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"never {wanted} in flight: {burst.log()}")


def _refused(burst: Burst, holder: int) -> bool:
    """Say whether a second engine is refused and told by whom."""
    second = burst.start("--for", "1s")
    second.communicate(timeout=30)
    return second.returncode == 1 and f"another engine (process {holder}) runs on" in burst.log()


def _open(burst: Burst) -> int:
    """Return how many acknowledged payloads have no end yet."""
    ended = rows("SELECT count(*) AS n FROM jobs WHERE status = 'COMPLETED'", burst.state)[0]["n"]
    return burst.taken() - int(ended)
