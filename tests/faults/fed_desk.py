"""A real engine as a process of its own, fed by two folders at a pace; of every document it is known what must become of it.

What comes by the folder ``first`` is CRITICAL, by ``rest`` MEDIUM.
"""

import asyncio
import hashlib
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gexdesk.api.client import Client
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.errors import GexdeskError
from gexdesk.model.view.desk import DeskView
from tests.engine.desk_setting import drop, gexbot_at, rows

SOURCES = ("first", "rest")
LIMIT_S = 60.0
_RULES = "".join(
    f"[[guideline]]\nname = \"{source}\"\nlevel = \"{level}\"\nwhen = \"source == '{source}'\"\n"
    for source, level in zip(SOURCES, ("CRITICAL", "MEDIUM"), strict=True)
)


class Ended(NamedTuple):
    """Count what documents became.

    Attributes:
        lost: Without an end, or completed without their rows.
        twice: Rows too many: jobs, snapshots, strikes or dead letters.
        wrong: Good ones among the dead letters, or bad ones that are not.
    """

    completed: int
    dead: int
    lost: int
    twice: int
    wrong: int


class FedDesk:
    """Hold a desk, its engine while one runs, and what was dropped into its folders.

    Args:
        engine: Settings of the table ``engine``.
        log: Let it write a log file of its own, ``desk.log``.

    Attributes:
        good, bad: Digests of what was dropped.
    """

    def __init__(self, folder: Path, *, log: bool = False, **engine: float) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "gexdesk.toml"
        self.client = Client(self.state)
        self.good: set[str] = set()
        self.bad: set[str] = set()
        self._many: dict[str, int] = {}
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "rules.toml").write_text(DEFAULT_FILE.read_text("utf-8").partition("[[guideline]]")[0] + _RULES)
        sized = "".join(f"{name} = {value}\n" for name, value in engine.items())
        sources = "".join(
            f'[[sources]]\nkind = "directory"\nname = "{name}"\npath = "in/{name}"\nlevel = "auto"\n' for name in SOURCES
        )
        written = f'[log]\nfile = "{folder}/desk.log"\n' if log else ""
        self.config.write_text(f'guidelines = "rules.toml"\n[engine]\n{sized}{written}{sources}')
        for name in SOURCES:
            (folder / "in" / name).mkdir(parents=True)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """Return the engine's process."""
        assert self._process is not None
        return self._process

    def drop(self, source: str = "rest", body: bytes | None = None, *, bad: bool = False, snapshots: int = 1) -> None:
        """Drop one document: a good small one, or these bytes with so many snapshots; no two good ones are the same."""
        number = next(self._numbers)
        if body is None:
            body = gexbot_at(0.5, f"S{number % 50}", net=float(number)) + b" " * (number % 997)
        digest = hashlib.sha256(body).hexdigest()
        (self.bad if bad else self.good).add(digest)
        if snapshots > 1:
            self._many[digest] = snapshots
        drop(self.folder / "in" / source, f"{number:06d}.json", body)

    async def feed(self, every_s: float, for_s: float) -> None:
        """Drop good ones for a while, one in five of them CRITICAL."""
        began = time.monotonic()
        for number in itertools.count():
            wait_s = began + number * every_s - time.monotonic()
            if number * every_s >= for_s:
                return
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self.drop(SOURCES[number % 5 > 0])

    async def start(self) -> None:
        """Start an engine, and wait until it answers."""
        with (self.folder / "engine.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gexdesk", "run", "--config", self.config, "--state", self.state],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        while await self.view() is None:
            assert self.alive, f"the engine ended: {self.said()}"
            await asyncio.sleep(0.02)

    @property
    def alive(self) -> bool:
        """Say whether the engine's process runs."""
        return self._process is not None and self._process.poll() is None

    async def view(self) -> DeskView | None:
        """Return its picture, None while it does not answer."""
        with suppress(GexdeskError, OSError):
            return await self.client.view()
        return None

    async def drained(self, limit_s: float = LIMIT_S) -> bool:
        """Return once everything dropped has ended; False where it does not, or the engine is gone."""
        give_up_at = time.monotonic() + limit_s
        while self.alive and time.monotonic() < give_up_at:
            view = await self.view()
            if view is not None and view.received >= len(self.good) + len(self.bad) and not view.in_flight:
                return True
            await asyncio.sleep(0.05)
        return False

    async def stop(self) -> None:
        """End the engine as a supervisor does."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(self.process.wait, LIMIT_S)

    def kill(self) -> None:
        """End the engine in any case."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        """Return the last of what its engines said."""
        return (self.folder / "engine.log").read_text(errors="replace")[-3000:]

    def ended(self) -> Ended:
        """Count what everything dropped became; the engine must have ended."""
        jobs = rows("SELECT job_id, payload_sha256 AS digest, status FROM jobs", self.state)
        sql = "SELECT payload_sha256 AS digest, count(*) AS n, any_value(strike_count) AS strikes FROM snapshots GROUP BY ALL"
        snapshots = {row["digest"]: row for row in rows(sql, self.state)}
        [letters] = rows("SELECT count(*) AS n, count(DISTINCT job_id) AS jobs FROM dead_letters", self.state)
        [strikes] = rows("SELECT count(*) AS n FROM strikes", self.state)
        completed = {job["digest"] for job in jobs if job["status"] == "COMPLETED"}
        dead = {job["digest"] for job in jobs if job["status"] == "DEAD"}
        owed = sum(row["n"] * row["strikes"] for row in snapshots.values())
        twice = sum(abs(row["n"] - self._many.get(digest, 1)) for digest, row in snapshots.items()) + abs(strikes["n"] - owed)
        return Ended(
            completed=len(completed),
            dead=len(dead),
            lost=len((self.good | self.bad) - completed - dead) + len(completed - snapshots.keys()),
            twice=len(jobs) - len(completed) - len(dead) + twice + letters["n"] - letters["jobs"],
            wrong=len(self.good & dead) + len(self.bad & completed),
        )

    def critical_s(self, spans: Sequence[tuple[float, float]], since: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return receipt to available, seconds, float64, of CRITICAL jobs; the engine must have ended.

        Args:
            spans: Begin and end, UTC seconds.
            since: What was received before does not count.

        Returns:
            Of those received outside the spans, and of those within them.
        """
        sql = (
            "SELECT epoch(received_at) AS at, epoch(available_at) - epoch(received_at) AS s FROM jobs "
            "WHERE level = 'CRITICAL' AND status = 'COMPLETED'"
        )
        found = [(row["at"], row["s"]) for row in rows(sql, self.state) if row["at"] >= since]
        inside = [any(begins <= at <= ends for begins, ends in spans) for at, _ in found]
        took = np.array([s for _, s in found], dtype=float)
        return took[~np.array(inside, dtype=bool)], took[np.array(inside, dtype=bool)]
