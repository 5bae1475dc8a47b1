"""Hold the engine's journal, and its tables, from another process: what is acknowledged stays, and CRITICAL does not wait for it.

The journal is held by SQLite's own exclusive transaction, in the middle of a stream: for some seconds, and in the long form also
for longer than the engine waits for it in one go. The tables admit one process: whoever wants them beside a running engine is
refused, and an engine that finds them held is, too.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.faults.fed_desk import FedDesk

EVERY_S = 0.02
HELD_S, FULL_HELD_S = (1.5,), (2.0, 4.0, 8.0, 14.0)
CRITICAL_S = 30.0
RESUMES_S = 8.0
_JOURNAL = """
import sqlite3, sys
holder = sqlite3.connect(sys.argv[1], timeout=20.0, isolation_level=None)
holder.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
holder.execute("ROLLBACK")
"""
_TABLES = """
import duckdb, sys
try:
    holder = duckdb.connect(sys.argv[1])
except duckdb.Error as error:
    print("refused", flush=True)
else:
    print("held", flush=True)
    sys.stdin.read()
"""


class Outcome(NamedTuple):
    """Count what became of the documents, and how CRITICAL fared.

    Attributes:
        held_s: How long the journal was held, each time.
        taken_meanwhile: Documents that were acknowledged while it was; ``completed_meanwhile`` those that ended, which needs it.
        critical_meanwhile: CRITICAL documents received while it was; their latencies follow, receipt to available.
        critical_p99_else_s: Of those received at other times.
        resumed_s: From its release to the next job completed, the longest.
        tables_refused: Whether another process was refused the tables of the running engine.
        start_refused: How an engine refuses to start where the tables are held.
    """

    documents: int
    held_s: str
    lost: int
    twice: int
    wrong: int
    engine_lived: bool
    taken_meanwhile: int
    completed_meanwhile: int
    critical_meanwhile: int
    critical_mean_s: float
    critical_p99_s: float
    critical_max_s: float
    critical_p99_else_s: float
    resumed_s: float
    tables_refused: bool
    start_refused: str

    @property
    def sound(self) -> bool:
        """Say whether every promise held."""
        whole = self.lost == self.twice == self.wrong == 0 and self.engine_lived and self.tables_refused
        quick = self.critical_meanwhile > 0 and self.critical_max_s < CRITICAL_S and self.resumed_s < RESUMES_S
        holds = self.completed_meanwhile < self.taken_meanwhile
        return whole and quick and holds and "metadata.duckdb" in self.start_refused


class Holder:
    """Another process that holds a file until it is let go.

    Attributes:
        held: Whether it was given the file.
    """

    def __init__(self, script: str, path: Path) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.held = self._process.stdout.readline() == b"held\n"

    def let_go(self) -> None:
        """Release the file; doing it twice is fine."""
        self._process.communicate()


def run(full: bool) -> Outcome:
    """Hold them."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_held(FedDesk(Path(folder)), FULL_HELD_S if full else HELD_S))


async def _held(desk: FedDesk, holds_s: tuple[float, ...]) -> Outcome:
    feeding: asyncio.Task[None] | None = None
    spans: list[tuple[float, float]] = []
    resumed_s, taken, completed = 0.0, 0, 0
    try:
        await desk.start()
        feeding = asyncio.create_task(desk.feed(EVERY_S, 3600.0))
        for hold_s in holds_s:
            await asyncio.sleep(1.0)
            holder = await asyncio.to_thread(Holder, _JOURNAL, desk.state / "queue.sqlite")
            assert holder.held
            try:
                began, before = time.time(), await desk.view()
                await asyncio.sleep(hold_s)
                after = await desk.view()
            finally:
                await asyncio.to_thread(holder.let_go)
            spans.append((began, time.time()))
            if before is not None and after is not None:
                taken += after.received - before.received
                completed += after.completed - before.completed
                resumed_s = max(resumed_s, await _resumed(desk, after.completed))
        intruder = await asyncio.to_thread(Holder, _TABLES, desk.state / "metadata.duckdb")
        tables_refused = not intruder.held
        await asyncio.to_thread(intruder.let_go)
        feeding.cancel()
        lived = await desk.drained() and desk.alive
        await desk.stop()
        ended = desk.ended()
        otherwise, meanwhile = desk.critical_s(spans)
        refused = await asyncio.to_thread(_start_refused, desk)
        return Outcome(
            documents=len(desk.good), held_s=", ".join(f"{ends - begins:.1f}" for begins, ends in spans), lost=ended.lost,
            twice=ended.twice, wrong=ended.wrong, engine_lived=lived, taken_meanwhile=taken, completed_meanwhile=completed,
            critical_meanwhile=len(meanwhile),
            critical_mean_s=float(meanwhile.mean()) if len(meanwhile) else np.inf,
            critical_p99_s=float(np.percentile(meanwhile, 99)) if len(meanwhile) else np.inf,
            critical_max_s=float(meanwhile.max()) if len(meanwhile) else np.inf,
            critical_p99_else_s=float(np.percentile(otherwise, 99)) if len(otherwise) else np.inf,
            resumed_s=resumed_s, tables_refused=tables_refused, start_refused=refused,
        )  # fmt: skip
    finally:
        if feeding is not None:
            feeding.cancel()
        desk.kill()


async def _resumed(desk: FedDesk, completed: int) -> float:
    began = time.monotonic()
    while desk.alive and time.monotonic() < began + 40.0:
        view = await desk.view()
        if view is not None and view.completed > completed:
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def _start_refused(desk: FedDesk) -> str:
    """Return what an engine says that is started while another process holds its tables; empty where it starts all the same."""
    holder = Holder(_TABLES, desk.state / "metadata.duckdb")
    try:
        with suppress(subprocess.TimeoutExpired):
            ended = subprocess.run(
                [sys.executable, "-m", "gexdesk", "run", "--config", desk.config, "--state", desk.state],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30.0, check=False,
            )  # fmt: skip
            return ended.stderr.strip() if ended.returncode == 1 and "Traceback" not in ended.stderr else ""
        return ""
    finally:
        holder.let_go()
