"""Edit the rule file a hundred times a second, half of the edits broken, while documents flow through a real engine.

Good edits come into force as they are saved. Each document must be classified, by a version that is kept and as that version says,
and CRITICAL ones must be there as soon as without the storm. ``run(full=False)`` lasts 2 s, ``run(full=True)`` a minute.
"""

import asyncio
import contextlib
import os
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gexdesk.assemble.state_folder import GUIDELINES_NAME
from gexdesk.engine.engine import Engine
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.guidelines.versions import Versions
from gexdesk.model.payload import Arrival
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import engine_on, gexbot_at, parts_of, rows
from tests.until import until

FULL_S, SHORT_S = 60.0, 2.0
EDITS_A_S = 100
EVERY_S = 0.02
P99_S, STALL_S = 1.0, 0.25
LEVELS_OF_EDITS = ("CRITICAL", "HIGH")
BROKEN = (
    "[[guideline]\n", 'name = "x', '[[guideline]]\nname = "all"\nlevel = "URGENT"\nwhen = "true"\n',
    '[[guideline]]\nname = "all"\nlevel = "HIGH"\nwhen = "__import__(\'os\')"\n', "\x00\x00\x00", "",
)  # fmt: skip


class Outcome(NamedTuple):
    """Count what became of it.

    Attributes:
        edits, broken: Files saved in all, and those that are no rules.
        versions: That came into force and are kept.
        unclassified: Documents without a decision, or whose decision rests on no rule.
        unkept: Decisions by a version whose text cannot be had.
        otherwise: Decisions that say something else than the text of their version.
        calm_p99_s, p99_s, max_s: Receipt to available of CRITICAL documents before the storm and in it.
        stall_s: The longest stall of the engine's loop in it.
    """

    edits: int
    broken: int
    edits_a_s: float
    versions: int
    documents: int
    unclassified: int
    unkept: int
    otherwise: int
    lost: int
    critical: int
    calm_p99_s: float
    p99_s: float
    max_s: float
    stall_s: float
    last_in_force: bool

    @property
    def sound(self) -> bool:
        """Say whether every document was classified by a version that can be looked at, in time."""
        wrong = self.unclassified + self.unkept + self.otherwise + self.lost
        stormy = self.edits_a_s > EDITS_A_S / 2 and self.versions > 2 and self.broken > self.edits // 3
        return not wrong and stormy and self.critical > 0 and self.p99_s < P99_S and self.last_in_force


def run(full: bool) -> Outcome:
    """Let it storm."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_Storm(Path(folder), FULL_S if full else SHORT_S).through())


class _Storm:
    def __init__(self, folder: Path, seconds: float) -> None:
        self._state, self._file, self._seconds = folder / "state", folder / "rules.toml", seconds
        self._head = DEFAULT_FILE.read_text("utf-8").partition("[[guideline]]")[0]
        self._given = self._edits = self._broken = 0
        self._over = False

    async def through(self) -> Outcome:
        self._save(self._rules(0))
        source = {"kind": "directory", "name": "drop", "path": str(self._file.parent / "in"), "level": "auto", "symbols": ["SPX"]}
        guidelines = {"file": str(self._file), "apply_on_save": True}
        settings = Settings.model_validate({"state": self._state, "sources": [source], "guidelines": guidelines})
        async with engine_on(settings) as engine:
            feeding = asyncio.create_task(self._feed(engine))
            await until(lambda: engine.closing().completed > 3)
            calm_from = time.time()
            await asyncio.sleep(min(self._seconds, 10.0))
            storm_from, parts = time.time(), parts_of(engine)
            parts.lag.longest_s = 0.0
            storm_s = await asyncio.to_thread(self._edit)
            stall_s = parts.lag.longest_s
            storm_to, last = time.time(), self._rules(self._edits)
            self._save(last)
            with contextlib.suppress(AssertionError):
                await until(lambda: parts.rulebook.guidelines.text == last, limit_s=10.0)
            in_force = parts.rulebook.guidelines.text == last
            self._over = True
            await feeding
            await until(lambda: engine.closing().open == 0)
        return self._judged(calm_from, storm_from, storm_to, storm_s, stall_s, in_force)

    def _judged(self, calm_from: float, storm_from: float, storm_to: float, storm_s: float, stall_s: float, last: bool) -> Outcome:
        versions = Versions(self._state / GUIDELINES_NAME)
        texts = {}
        for version in versions.history():
            with contextlib.suppress(Exception):
                texts[version.version] = versions.text(version)
        decided = rows("SELECT job_id, guidelines_version AS version, level, winner FROM decisions", self._state)
        sql = "SELECT job_id, level, status, epoch(received_at) AS at, epoch(available_at) - epoch(received_at) AS s FROM jobs"
        jobs = rows(sql, self._state)
        calm, storm = (
            np.array([job["s"] for job in jobs if job["level"] == "CRITICAL" and begins <= job["at"] < ends])
            for begins, ends in ((calm_from, storm_from), (storm_from, storm_to))
        )
        done = {job["job_id"] for job in jobs if job["status"] == "COMPLETED"}
        return Outcome(
            edits=self._edits, broken=self._broken, edits_a_s=round(self._edits / storm_s, 1), versions=len(texts),
            documents=self._given,
            unclassified=len(done - {one["job_id"] for one in decided})
            + sum(one["winner"] in ("", "unmatched") for one in decided),
            unkept=sum(one["version"] not in texts for one in decided),
            otherwise=sum(one["level"] != _level_in(texts[one["version"]]) for one in decided if one["version"] in texts),
            lost=self._given - len(done), critical=len(storm),
            calm_p99_s=_p99(calm), p99_s=_p99(storm), max_s=round(float(storm.max()), 3) if len(storm) else 99.0,
            stall_s=round(stall_s, 3), last_in_force=last,
        )  # fmt: skip

    def _edit(self) -> float:
        """Save a file each hundredth of a second, every second one broken; returns how long it took."""
        began = time.monotonic()
        for number in count(1):
            due = began + number / EDITS_A_S
            if due > began + self._seconds:
                return time.monotonic() - began
            time.sleep(max(0.0, due - time.monotonic()))
            self._edits = number
            self._broken += number % 2
            self._save(BROKEN[number // 2 % len(BROKEN)] if number % 2 else self._rules(number))
        raise AssertionError

    def _save(self, text: str) -> None:
        """Save as editors do: another file, renamed."""
        aside = self._file.with_suffix(".new")
        aside.write_text(text)
        os.replace(aside, self._file)

    def _rules(self, number: int) -> str:
        level = LEVELS_OF_EDITS[number // 2 % 2]
        return f'{self._head}[[guideline]]\nname = "edit-{number}"\nlevel = "{level}"\nwhen = "data_age_s < 3600"\n'

    async def _feed(self, engine: Engine) -> None:
        number = 0
        while not self._over:
            number += 1
            body = gexbot_at(0.5, "SPX", net=float(number % 40), seq=number)
            await parts_of(engine).receive.deliver(Arrival("drop", body, time.time()))
            self._given += 1
            await asyncio.sleep(EVERY_S)


def _level_in(text: str) -> str:
    return text.partition('level = "')[2].partition('"')[0]


def _p99(took: "np.ndarray") -> float:
    return round(float(np.percentile(took, 99)), 3) if len(took) else 99.0
