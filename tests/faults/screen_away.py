"""Take the screen away from a running engine: its line drops, its terminal reads nothing for 20 s, it is hung up on.

The desk is the real one in a pty, and has started the engine itself. The engine must keep its process and go on as if nothing were:
CRITICAL documents come in throughout, and what they take while nobody reads is compared with what they take while somebody does,
in turns. ``run(full=False)`` has one turn of a second, ``run(full=True)`` five of 20 s.
"""

import asyncio
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gexdesk.api.client import Client
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.errors import GexdeskError
from tests.engine.desk_setting import drop, gexbot_at, rows
from tests.faults.api_flood import ALL_IS_CRITICAL
from tests.terminal import DEADLINE_S, Terminal, engine_pids, stop_engine

FULL_S, SHORT_S = 20.0, 1.2
EVERY_S = 0.05
P99_S, STALL_S = 1.0, 0.25
WANTED_RATIO = 1.05


class Outcome(NamedTuple):
    """Hold what CRITICAL documents took, receipt to available.

    Attributes:
        watched_p99_s, away_p99_s: While a desk is read, and while it is not, or not there.
        ratio: Of the second to the first; 1.05 is wanted, ``noise`` is the same ratio of two halves of the time that it is read.
        stall_*_s: The longest stall of the engine's loop in a picture of either time; its start is in the first.
        engines: Processes that the engine was; 1 is right.
        lost: Documents without an end.
    """

    turns: int
    documents: int
    watched_p99_s: float
    away_p99_s: float
    ratio: float
    noise: float
    stall_watched_s: float
    stall_away_s: float
    engines: int
    screens_ended: int
    lost: int

    @property
    def sound(self) -> bool:
        """Say whether nobody but the screen noticed. How much the ratio says depends on the noise, so it is told, not judged."""
        went_on = self.engines == 1 and not self.lost and self.documents > 20 and self.screens_ended == 2 * self.turns
        return went_on and self.away_p99_s < P99_S and self.stall_away_s <= max(STALL_S, self.stall_watched_s)


def run(full: bool) -> Outcome:
    """Take it away."""
    turns, seconds = (5, FULL_S) if full else (1, SHORT_S)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        away = _Away(Path(folder), seconds)
        try:
            return away.through(turns)
        finally:
            away.over.set()
            Terminal.close_all()
            stop_engine(away.state)


class _Away:
    def __init__(self, folder: Path, seconds: float) -> None:
        self.state, self._seconds = folder / "state", seconds
        self._inbox, self._config = folder / "in", folder / "gexdesk.toml"
        (folder / "rules.toml").write_text(DEFAULT_FILE.read_text("utf-8").partition("[[guideline]]")[0] + ALL_IS_CRITICAL)
        source = '[[sources]]\nname = "drop"\nkind = "directory"\npath = "in"\nlevel = "auto"\nformat = "gexbot"\n'
        self._config.write_text(f'guidelines = "rules.toml"\n{source}')
        self._inbox.mkdir()
        self.over = threading.Event()
        self._given = 0
        self._engines: set[int] = set()
        self._spans: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        self._stalls: dict[bool, list[float]] = {True: [0.0], False: [0.0]}

    def through(self, turns: int) -> Outcome:
        ended = 0
        desk = self._desk()
        feeding = threading.Thread(target=self._feed, daemon=True)
        feeding.start()
        desk.until(lambda text: re.search(r"PROMISES [1-9]", text), "a kept promise")
        for _ in range(turns):
            self._spell(True, partial(desk.rest, 0.2))
            self._spell(False, lambda: time.sleep(0.2))  # frozen: nobody reads, and it fills what the terminal holds
            desk.hang_up()
            ended += 1
            self._spell(False, lambda: time.sleep(0.2), self._seconds / 4)
            desk = self._desk()
            desk.rest(0.5)
            os.kill(desk.pid, signal.SIGHUP)
            ended += _ends(desk)
            self._spell(False, lambda: time.sleep(0.2), self._seconds / 4)
            desk = self._desk()
        self._spell(True, partial(desk.rest, 0.2), self._seconds / 2)
        self.over.set()
        feeding.join()
        return asyncio.run(self._judged(turns, ended))

    def _desk(self) -> Terminal:
        words = ("-m", "gexdesk", "--config", str(self._config), "--state", str(self.state))
        desk = Terminal(self.state, arguments=words)
        desk.until(lambda text: "drop" in text, "the desk")
        return desk

    def _spell(self, watched: bool, each: Callable[[], object], seconds: float = 0.0) -> None:
        """Let time go by so; note when it was, who the engine is and how long its loop stood still."""
        began = time.time()
        while time.time() < began + (seconds or self._seconds):
            each()
            try:
                self._stalls[watched].append(asyncio.run(Client(self.state).view()).loop_lag_s)
            except GexdeskError:
                self._stalls[watched].append(99.0)
            self._engines.update(engine_pids(self.state))
        self._spans[watched].append((began, time.time()))

    def _feed(self) -> None:
        while not self.over.wait(EVERY_S):
            drop(self._inbox, f"{self._given}.json", gexbot_at(0.5, "SPX", net=float(self._given)))
            self._given += 1

    async def _judged(self, turns: int, ended: int) -> Outcome:
        client, give_up_at = Client(self.state), time.monotonic() + DEADLINE_S
        while (await client.view()).completed < self._given and time.monotonic() < give_up_at:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(stop_engine, self.state)
        sql = "SELECT epoch(received_at) AS at, epoch(available_at) - epoch(received_at) AS s FROM jobs WHERE status = 'COMPLETED'"
        jobs = rows(sql, self.state)
        took = {
            watched: [np.array([job["s"] for job in jobs if begins <= job["at"] < ends]) for begins, ends in spans]
            for watched, spans in self._spans.items()
        }
        watched_s, away_s = (np.concatenate(took[watched]) for watched in (True, False))
        halves = [np.concatenate(took[True])[part::2] for part in (0, 1)]
        p99 = [float(np.percentile(part, 99)) for part in (watched_s, away_s, *halves)]
        return Outcome(
            turns, len(jobs), round(p99[0], 4), round(p99[1], 4), round(p99[1] / p99[0], 2),
            round(max(p99[2:]) / min(p99[2:]), 2), round(max(self._stalls[True]), 3), round(max(self._stalls[False]), 3),
            len(self._engines), ended, self._given - len(jobs),
        )  # fmt: skip


def _ends(desk: Terminal) -> bool:
    """Say whether a screen ends by itself, its terminal still there."""
    give_up_at = time.monotonic() + DEADLINE_S
    while time.monotonic() < give_up_at:
        desk.read(0.05)
        if desk._process.poll() is not None:
            desk.hang_up()
            return True
    return False
