"""Short of memory, of file descriptors, and of the log's file, in the middle of a stream: the engine's process goes on.

Memory: its pool processes are killed as the kernel does when there is none left. Descriptors: it may have so few that it can open
nothing any more, and a pool process is killed meanwhile, which it cannot replace until there are some. The log: its file is moved
away as a rotation does, and a new one must come, for its owner alone, with every line in one of the two.
"""

import asyncio
import os
import resource
import signal
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.engine.pool_samples import pool_children
from tests.faults.fed_desk import FedDesk

EVERY_S = 0.03
SHORT_S, FULL_SHORT_S = 1.2, 8.0
ROUNDS, FULL_ROUNDS = 1, 5
DESCRIPTORS = 64
RESUMES_S = 10.0
CRITICAL_S = 30.0


class Outcome(NamedTuple):
    """Count what became of the documents, and how the engine bore it.

    Attributes:
        decoders_killed, rounds_without_descriptors, rotations: How often each came.
        descriptors: How many it had open when it was given fewer, and how many it was given.
        resumed_s: From descriptors back to the next job completed, the longest.
        critical_max_s: Receipt to available, over everything.
        log_lines_lost: Numbers of the log's lines that stand in none of its files; ``log_private`` whether all are the owner's.
    """

    documents: int
    lost: int
    twice: int
    wrong: int
    engine_lived: bool
    decoders_killed: int
    rounds_without_descriptors: int
    descriptors: str
    resumed_s: float
    rotations: int
    log_lines_lost: int
    log_private: bool
    critical_max_s: float

    @property
    def sound(self) -> bool:
        """Say whether every promise held."""
        whole = self.lost == self.twice == self.wrong == self.log_lines_lost == 0 and self.engine_lived and self.log_private
        tried = min(self.decoders_killed, self.rounds_without_descriptors, self.rotations) > 0
        return whole and tried and self.resumed_s < RESUMES_S and self.critical_max_s < CRITICAL_S


def run(full: bool) -> Outcome:
    """Take them away."""
    with tempfile.TemporaryDirectory() as folder:
        desk = FedDesk(Path(folder), log=True)
        return asyncio.run(_Short(desk, FULL_SHORT_S if full else SHORT_S).live(FULL_ROUNDS if full else ROUNDS))


class _Short:
    def __init__(self, desk: FedDesk, short_s: float) -> None:
        self._desk = desk
        self._short_s = short_s
        self._killed = self._rotations = 0
        self._descriptors = ""
        self._resumed_s = 0.0

    async def live(self, rounds: int) -> Outcome:
        desk = self._desk
        feeding: asyncio.Task[None] | None = None
        try:
            await desk.start()
            feeding = asyncio.create_task(desk.feed(EVERY_S, 3600.0))
            for _ in range(rounds):
                await asyncio.sleep(0.5)
                await self._without_memory()
                self._rotate()
                await self._without_descriptors()
            feeding.cancel()
            lived = await desk.drained() and desk.alive
            await desk.stop()
            ended = desk.ended()
            took, _ = desk.critical_s(())
            files = sorted(desk.folder.glob("desk.log*"))
            return Outcome(
                documents=len(desk.good), lost=ended.lost, twice=ended.twice, wrong=ended.wrong, engine_lived=lived,
                decoders_killed=self._killed, rounds_without_descriptors=rounds, descriptors=self._descriptors,
                resumed_s=self._resumed_s, rotations=self._rotations if len(files) == self._rotations + 1 else 0,
                log_lines_lost=_missing(files), log_private=all(path.stat().st_mode & 0o777 == 0o600 for path in files),
                critical_max_s=float(took.max()) if len(took) else np.inf,
            )  # fmt: skip
        finally:
            if feeding is not None:
                feeding.cancel()
            desk.kill()

    async def _without_memory(self) -> None:
        ends_at = time.monotonic() + self._short_s / 2
        while time.monotonic() < ends_at:
            self._killed += self._kill_one()
            await asyncio.sleep(0.4)

    def _kill_one(self) -> bool:
        """Kill the largest pool process, as the kernel would."""
        children = pool_children(self._desk.process.pid)
        if children:
            os.kill(max(children, key=_resident), signal.SIGKILL)
        return bool(children)

    def _rotate(self) -> None:
        self._rotations += 1
        (self._desk.folder / "desk.log").rename(self._desk.folder / f"desk.log.{self._rotations}")

    async def _without_descriptors(self) -> None:
        """Give it no more descriptors than it has, at most 64, for a while: it cannot answer meanwhile."""
        pid = self._desk.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        done = view.completed if (view := await self._desk.view()) is not None else 0
        has = len(os.listdir(f"/proc/{pid}/fd"))
        given = min(DESCRIPTORS, has)
        self._descriptors = f"had {has}, given {given}"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (given, before[1]))
        try:
            self._killed += self._kill_one()
            await asyncio.sleep(self._short_s)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        began = time.monotonic()
        while self._desk.alive and time.monotonic() < began + 60.0:
            if (view := await self._desk.view()) is not None and view.completed > done:
                break
            await asyncio.sleep(0.05)
        self._resumed_s = max(self._resumed_s, time.monotonic() - began)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def _missing(files: list[Path]) -> int:
    """Count numbers of the engine's lines, which go up by one, that no file holds."""
    said = " ".join(path.read_text() for path in files)
    numbers = {int(word.partition("=")[2]) for word in said.split() if word.startswith("sequence=")}
    return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 1
