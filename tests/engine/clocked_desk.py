"""A real engine, pool and stores and all, on a clock that a test moves and with feeds that send what a test hands them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Engine
from gexdesk.model.level import LEVELS
from gexdesk.model.market import NEW_YORK
from gexdesk.model.payload import Arrival
from gexdesk.model.view.incident import IncidentView
from gexdesk.model.view.symbol import SymbolView
from gexdesk.settings.desk import Settings
from gexdesk.sources.base import Deliver, Fetched, Outcome, Report
from gexdesk.stores.base import LiveValue
from tests.engine.desk_setting import parts_of
from tests.virtual_clock import VirtualClock

BEGINS_AT = datetime(2026, 3, 3, 11, 0, tzinfo=NEW_YORK).timestamp()
"""A Tuesday, far from the open and the close."""

PATIENCE = 5_000
LOOKS = 20


class HandFed:
    """Be a source that gives what it is handed."""

    def __init__(self, name: str, clock: VirtualClock) -> None:
        self.name = name
        self._clock = clock
        self._deliver: Deliver | None = None
        self._report: Report | None = None

    async def run(self, deliver: Deliver, report: Report) -> None:
        self._deliver, self._report = deliver, report
        await self._clock.sleep(1e9)

    async def give(self, body: bytes) -> None:
        assert self._deliver is not None, f"{self.name} does not run"
        await self._deliver(Arrival(self.name, body, self._clock.now()))
        self.tell(Fetched(0.01))

    def tell(self, outcome: Outcome) -> None:
        assert self._report is not None, f"{self.name} does not run"
        self._report(outcome)


@dataclass
class ClockedDesk:
    """Hold an engine that runs, its clock and its feeds."""

    engine: Engine
    clock: VirtualClock
    feeds: dict[str, HandFed]

    async def send(self, *documents: tuple[str, bytes]) -> None:
        """Let sources bring a document each, and wait until it is before readers, or held back, or refused."""
        done = self.count + len(documents)
        for source, body in documents:
            await self.feeds[source].give(body)
        await self.through(done)

    async def through(self, done: int) -> None:
        """Wait until so many documents are before readers, or held back, or refused."""
        flights = parts_of(self.engine).flights
        moved = 0
        for _ in range(PATIENCE):
            await self.clock.settle()
            if self.count >= done:
                return
            if moved < LOOKS and all(flight.judged or flight.refused for flight in flights.own()):
                await self.clock.advance(0.01)  # who works on it looks at the clock, too
                moved += 1
            else:
                moved = 0 if moved >= LOOKS else moved
                await asyncio.sleep(0.002)  # a process or the disk has its own time, on a busy machine most of all
        raise AssertionError(f"{done - self.count} documents went nowhere")

    @property
    def count(self) -> int:
        """Return how many documents have come through so far."""
        parts = parts_of(self.engine)
        return parts.endings.dead + sum(parts.promises[level].latency.count for level in LEVELS)

    async def stored(self) -> None:
        """Wait until everything received is stored; the stores wait for more meanwhile, so the time moves a little."""
        flights = parts_of(self.engine).flights
        for _ in range(PATIENCE):
            if len(flights) == 0:
                return
            await self.clock.advance(0.05)
            await asyncio.sleep(0.002)
        raise AssertionError(f"{len(flights)} payloads are not stored")

    async def until(self, at: float) -> None:
        """Let time go by to a moment; nothing where that is over."""
        await self.clock.advance(max(0.0, at - self.clock.now()))

    def live(self, symbol: str) -> LiveValue:
        """Return what readers have."""
        value = parts_of(self.engine).cache.get(symbol)
        assert value is not None, f"readers have nothing of {symbol}"
        return value

    async def symbol(self, name: str) -> SymbolView:
        """Return a symbol as a screen has it now."""
        view = parts_of(self.engine).picture.take("")
        return next(one for one in view.symbols if one.symbol == name)

    def incidents(self, kind: str) -> list[IncidentView]:
        """Return what is open of a kind."""
        view = parts_of(self.engine).picture.take("")
        return [one for one in view.incidents if one.kind == kind and one.state not in ("closed", "resolved")]


def fed(name: str, symbol: str, every_s: float, **fields: object) -> dict[str, object]:
    """Return the configuration of a polled feed that is on around the clock."""
    return {
        "kind": "http", "name": name, "url": "http://127.0.0.1:9/", "symbols": [symbol], "every_s": every_s, "always": True,
        "level": "auto",
    } | fields  # fmt: skip


@asynccontextmanager
async def clocked(
    state: Path, begins_at: float = BEGINS_AT, clock: VirtualClock | None = None, **settings: Any
) -> AsyncIterator[ClockedDesk]:
    """Run an engine for as long as the block lasts, on a clock of its own or on the one that is given."""
    clock = clock or VirtualClock(begins_at)
    engine = assemble(Settings.model_validate({"state": state} | settings), clock)
    supply = parts_of(engine).supply
    feeds = {name: HandFed(name, clock) for name in supply._sources}
    supply._sources = dict(feeds)
    await engine.start()
    try:
        await clock.settle()
        yield ClockedDesk(engine, clock, feeds)
    finally:
        closing = asyncio.create_task(engine.close())
        while not closing.done():
            await clock.advance(0.5)
            await asyncio.sleep(0.002)
        await closing
