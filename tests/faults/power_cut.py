"""Cut the power: kill an engine, then take from its files whatever it had not synced, and hold it to all it had promised.

A preloaded library (``sync_log.c``, compiled here: it takes a C compiler) logs each write and sync of the engine, SQLite and DuckDB
included. Afterwards unsynced bytes become zeros, unsynced ends are cut off and names that their folder's sync had not reached are
removed. A file put in another's place whose folder was not synced yet is left there: either of the two is what a disk may show.

``run(full=False)`` cuts it ten times, ``run(full=True)`` 500 times, at any step of a payload's way.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import traceback
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from gexdesk.model.clock import SystemClock
from gexdesk.model.job import JobStatus
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.stores.spool import Spool
from tests.engine.desk_setting import rows
from tests.faults.engine_process import Burst
from tests.faults.engine_steps import drop_some
from tests.faults.engine_victim import AT_ONCE, POINTS, Case

CUTS = 10
FULL_CUTS = 500
A_FOLDER = 10
"""So many cuts go over one state folder before it is worked through to the end."""

_KILLED = 9
_SEED = 20_261_124
_HERE = Path(__file__).parent


class Outcome(NamedTuple):
    """Count what a cut took.

    Attributes:
        bytes_taken, names_taken: Unsynced, over all cuts: with nothing taken nothing was tried.
        lost: Acknowledged payloads that the spool has no more.
        undone: Jobs said to be COMPLETED whose end or rows are gone.
        broken: What ``Burst.check`` found at the end.
        failed: Lives that ended in another way than they should.
    """

    cuts: int
    acknowledged: int
    completed: int
    bytes_taken: int
    names_taken: int
    lost: int
    undone: int
    broken: tuple[str, ...]
    failed: int

    @property
    def sound(self) -> bool:
        """Say whether every promise held, and something was taken."""
        return not (self.lost or self.undone or self.broken or self.failed) and self.bytes_taken > 0


def run(full: bool) -> Outcome:
    """Cut."""
    return cut_each(FULL_CUTS if full else CUTS)


def cut_each(cuts: int) -> Outcome:
    """Cut so often."""
    dice, total = random.Random(_SEED), _Total()
    with tempfile.TemporaryDirectory() as folder:
        library, log = Path(folder) / "sync_log.so", Path(folder) / "synced"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, _HERE / "sync_log.c", "-ldl"], check=True)
        victims = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.engine_victim"], cwd=_HERE.parents[1],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"LD_PRELOAD": str(library), "SYNC_LOG": str(log)},
        )  # fmt: skip
        try:
            for start in range(0, cuts, A_FOLDER):
                desk = Path(folder) / f"desk-{start}"
                desk.mkdir()
                asyncio.run(_Desk(desk, log, victims, dice, total).live(min(A_FOLDER, cuts - start)))
        finally:
            assert victims.stdin is not None
            victims.stdin.close()
            victims.wait()
    return Outcome(
        total.cuts, total.acknowledged, total.completed, total.bytes_taken, total.names_taken, total.lost, total.undone,
        tuple(total.broken), total.failed,
    )  # fmt: skip


class _Total:
    def __init__(self) -> None:
        self.cuts = self.acknowledged = self.completed = self.bytes_taken = self.names_taken = self.lost = self.undone = 0
        self.failed = 0
        self.broken: list[str] = []


class _Desk:
    def __init__(self, folder: Path, log: Path, victims: "subprocess.Popen[str]", dice: random.Random, total: _Total) -> None:
        self._burst = Burst(folder, 0)
        self._said = folder / "said"
        self._said.touch()
        self._log = log
        self._victims = victims
        self._dice = dice
        self._total = total
        self._disk = _Disk()

    async def live(self, cuts: int) -> None:
        """Cut it so often, then let it work to the end."""
        total = self._total
        for _ in range(cuts):
            drop_some(self._burst)
            point, after = self._dice.choice(list(POINTS)), self._dice.random() < 0.5
            status = self._one(Case(*self._where, point, after, 1 if point in AT_ONCE else self._dice.randint(1, 4)))
            total.failed += status not in (0, _KILLED)
            if status == _KILLED:
                total.cuts += 1
                self._disk.cut(self._burst.state, total)
            await self._hold_to_its_word()
        total.failed += self._one(Case(*self._where, "", False, 0)) != 0
        await self._hold_to_its_word()
        total.acknowledged += len(self._told("kept"))
        total.completed += len(self._told("completed"))
        try:
            await self._burst.check()
        except AssertionError as error:
            total.broken.append(str(error).partition("\n")[0] or traceback.extract_tb(error.__traceback__)[-1].line or "")

    @property
    def _where(self) -> tuple[str, str, str]:
        return str(self._burst.config), str(self._burst.state), str(self._said)

    def _one(self, case: Case) -> int:
        assert self._victims.stdin is not None
        assert self._victims.stdout is not None
        self._victims.stdin.write(json.dumps(case._asdict()) + "\n")
        self._victims.stdin.flush()
        status = int(self._victims.stdout.readline())
        for log in sorted(self._log.parent.glob(f"{self._log.name}.*")):
            self._disk.read(log)
            log.unlink()
        return status

    async def _hold_to_its_word(self) -> None:
        """Look for all that was ever said to be kept or completed."""
        state = self._burst.state
        spool, queue = Spool(state / "spool", clock=SystemClock()), EmbeddedQueue(state / "queue.sqlite", clock=SystemClock())
        await spool.open()
        there = {payload.payload_id for payload, _ in spool.scan()}
        await spool.close()
        self._total.lost += len(self._told("kept") - there)
        await queue.open()
        completed = self._told("completed")
        unknown = {job_id for job_id in completed if await queue.status(job_id) is not JobStatus.COMPLETED}
        await queue.close()
        if completed:
            # A file that is handed over again after a cut is another job with the same bytes: its rows are there once.
            sql = "SELECT job_id FROM jobs SEMI JOIN snapshots USING (payload_sha256) WHERE status = 'COMPLETED'"
            unknown |= completed - {row["job_id"] for row in rows(sql, state)}
        self._total.undone += len(unknown)
        self._disk.settle(state)  # closing the queue here moved its journal: not the engine's doing, and nothing was logged

    def _told(self, verb: str) -> set[str]:
        words = (line.split() for line in self._said.read_text(encoding="utf-8").splitlines())
        return {word[1] for word in words if word[0] == verb}


class _Disk:
    """Know from the logs what has reached the disk."""

    def __init__(self) -> None:
        self._dirty: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._sizes: dict[int, int] = {}
        self._names: dict[str, dict[str, int]] = {}

    def read(self, log: Path) -> None:
        """Take in what one process did."""
        folder: dict[str, int] = {}
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "D":
                folder = self._names[rest] = {}
            elif kind == "N":
                name, _, inode = rest.rpartition(" ")
                folder[name] = int(inode)
            elif kind == "W":
                inode, at, length = map(int, rest.split())
                self._dirty[inode].append((at, length))
            elif kind == "S":
                inode, size = map(int, rest.split())
                self._dirty.pop(inode, None)
                self._sizes[inode] = size
            elif kind == "T":
                inode, size = map(int, rest.split())
                self._sizes[inode] = min(size, self._sizes.get(inode, 0))

    def settle(self, state: Path) -> None:
        """Take all that lies there for synced."""
        for path in [path for path in state.rglob("*") if path.is_file()]:
            found = path.stat()
            self._sizes[found.st_ino] = found.st_size
            self._dirty.pop(found.st_ino, None)
            self._names.setdefault(str(path.parent.resolve()), {})[path.name] = found.st_ino

    def cut(self, state: Path, total: _Total) -> None:
        """Take what had not."""
        for path in [path for path in state.rglob("*") if path.is_file()]:
            inode = path.stat().st_ino
            known = self._names.get(str(path.parent.resolve()), {})
            if known.get(path.name) is None:
                total.names_taken += 1
                path.unlink()
                continue
            size = path.stat().st_size
            kept = min(size, self._sizes.get(inode, 0))
            with path.open("r+b") as file:
                for at, length in self._dirty.pop(inode, []):
                    lost = max(0, min(at + length, kept) - at)
                    file.seek(at)
                    file.write(bytes(lost))
                    total.bytes_taken += lost
                file.truncate(kept)
            total.bytes_taken += size - kept
