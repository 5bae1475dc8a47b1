"""Start an engine on what a killed one left: a hundred thousand payloads in its queue. It must serve again in 2 s.

``run(full=False)`` leaves 10,000.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from gexdesk.api.client import Client
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import EngineAway
from gexdesk.model.job import Job
from gexdesk.model.level import LEVELS
from gexdesk.model.payload import Arrival
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.stores.spool import Spool
from tests.formats.format_samples import gexbot

QUEUED, FULL_QUEUED = 10_000, 100_000
LIMIT_S = 2.0
STARTS = 3
_AT_ONCE = 2_000


class Outcome(NamedTuple):
    """Count what came back.

    Attributes:
        serving_s: From the start of the process to the first answer on its socket, the best of ``STARTS``, each after a kill.
        cpu_s: Processor time of the engine until then; on a machine to itself serving takes little more.
        there: How many of the queued it knew at its first answer, the least of all starts.
    """

    queued: int
    serving_s: float
    slowest_s: float
    cpu_s: float
    there: int
    memory_mb: float

    @property
    def sound(self) -> bool:
        """Say whether all were there in time."""
        return self.there == self.queued and self.serving_s < LIMIT_S


def run(full: bool) -> Outcome:
    """Leave them, start, kill, start again."""
    queued = FULL_QUEUED if full else QUEUED
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "gexdesk.toml"
        config.write_text('[[sources]]\nkind = "directory"\nname = "drop"\npath = "in"\nlevel = "auto"\n')
        state = Path(folder) / "state"
        asyncio.run(_leave(state, queued))
        serving, cpu, there, memory_mb = list[float](), list[float](), list[int](), 0.0
        for _ in range(STARTS):
            seconds, cpu_s, known, memory_mb = _start_and_kill(config, state)
            serving.append(seconds)
            cpu.append(cpu_s)
            there.append(known)
    return Outcome(queued, min(serving), max(serving), min(cpu), min(there), memory_mb)


async def _leave(state: Path, count: int) -> None:
    """Keep and queue payloads as an engine does; all of one paused source, so that the next engine finds every one of them."""
    state.mkdir(mode=0o700)
    spool, queue = Spool(state / "spool", clock=SystemClock()), EmbeddedQueue(state / "queue.sqlite", clock=SystemClock())
    await spool.open()
    await queue.open()
    await queue.stop_all(True)
    (state / "standing.json").write_text('{"stopped": {"author": "jm", "reason": "a test", "since": 0.0}}')
    body, now = gexbot(), time.time()
    for start in range(0, count, _AT_ONCE):
        numbers = range(start, min(count, start + _AT_ONCE))
        arrivals = [Arrival("drop", body + b" " * (number % 997), now + number * 1e-6) for number in numbers]
        kept = await asyncio.gather(*(spool.keep(arrival) for arrival in arrivals))
        await queue.put([
            Job(payload.payload_id, "drop", f"S{number}", LEVELS[number % 4], 0.5, 1, payload.received_at, now, None)
            for number, (payload, _) in zip(numbers, kept, strict=True)
        ])  # fmt: skip
    await queue.close()
    await spool.close()


def _start_and_kill(config: Path, state: Path) -> tuple[float, float, int, float]:
    began = time.monotonic()
    engine = subprocess.Popen(
        [sys.executable, "-m", "gexdesk", "run", "--config", config, "--state", state],
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        view = asyncio.run(_first_view(state, engine))
        seconds = time.monotonic() - began
        fields = Path(f"/proc/{engine.pid}/stat").read_text().rpartition(")")[2].split()
        resident = int(Path(f"/proc/{engine.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    return seconds, cpu_s, view, resident / 1e6


async def _first_view(state: Path, engine: "subprocess.Popen[bytes]") -> int:
    client = Client(state)
    while True:
        try:
            view = await client.view()
        except EngineAway:
            assert engine.poll() is None, "the engine ended"
            await asyncio.sleep(0.02)
        else:
            assert sum(level.depth for level in view.levels) == view.in_flight
            return view.in_flight
