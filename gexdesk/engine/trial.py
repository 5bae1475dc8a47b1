"""Trial: decide what was decided lately once more by a staged set, beside everything else and never in its way."""

import asyncio
import secrets
from pathlib import Path

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.keep import Keeper
from gexdesk.guidelines.backtest import Backtest, backtest
from gexdesk.guidelines.reload import Guidelines, Staged
from gexdesk.guidelines.rules import RuleSet
from gexdesk.model.errors import GexdeskError
from gexdesk.model.text import printable


class Trial:
    """Hold the backtest of the set that is staged. One runs at a time, and only the newest set is worth one.

    Args:
        last: How many of the last decisions a set is tried on.
        folder: Where they lie meanwhile; it is there once the engine has started.
        reserved: Slots that serve CRITICAL alone.

    Attributes:
        found: What the staged set would have decided; None while that is not known.
        note: Why it is not known; empty where it is, or nothing is staged.
    """

    def __init__(
        self, guidelines: Guidelines, keeper: Keeper, chronicle: Chronicle, *, last: int, folder: Path, reserved: int
    ) -> None:
        self._guidelines = guidelines
        self._keeper = keeper
        self._chronicle = chronicle
        self._last = last
        self._folder = folder
        self._reserved = reserved
        self._staged: Staged | None = None
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.found: Backtest | None = None
        self.note = ""

    def start(self) -> None:
        """Begin to try what is staged."""
        self._task = asyncio.create_task(self._run(), name="trial")

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return () if self._task is None else (self._task,)

    async def stop(self) -> None:
        """Stop; a trial that runs in its thread ends there, and nobody hears of it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def of(self, staged: Staged | None) -> None:
        """Try this set next, or none."""
        self._staged, self.found = staged, None
        self.note = "" if staged is None else "being tried on the record"
        if staged is not None:
            self._wanted.set()

    async def run(self, staged: Staged) -> Backtest | None:
        """Return what a set would have decided; None where nothing was decided yet. Raises GexdeskError."""
        file = self._folder / f"{secrets.token_hex(8)}.parquet"
        try:
            await self._keeper.reading(lambda metadata: metadata.write_decisions(self._last, file))
            longest_s = await self._keeper.reading(lambda metadata: metadata.longest_critical_s())
            capacity_per_min = self._reserved * 60 / longest_s if longest_s else None
            return await asyncio.to_thread(_compare, file, self._guidelines.current, staged.rules, capacity_per_min)
        finally:
            await asyncio.to_thread(file.unlink, missing_ok=True)

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            staged = self._staged
            if staged is None:
                continue
            try:
                found = await self.run(staged)
            except (GexdeskError, OSError) as error:
                found, note = None, printable(f"cannot be tried on the record: {error}", 300)
            else:
                note = "" if found is not None else "nothing was decided yet that it could be tried on"
            if self._staged is staged:
                self.found, self.note = found, note
                if found is not None:
                    self._chronicle.tell("engine", f"guidelines {staged.rules.version}: {found.words}")


def _compare(file: Path, current: RuleSet, candidate: RuleSet, capacity_per_min: float | None) -> Backtest | None:
    import polars as pl

    frame = pl.read_parquet(file)
    return backtest(frame, current, candidate, capacity_per_min) if len(frame) else None
