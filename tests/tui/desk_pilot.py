"""Open the desk in a test, on a fake engine and a clock that stands until it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fake_desk import FakeDesk
from textual.events import Key
from textual.pilot import Pilot

from gexdesk.tui.app import DeskApp

WIDE = (160, 48)
NARROW = (80, 24)
CHARACTERS = {"space": " ", "plus": "+", "minus": "-", "slash": "/", "question_mark": "?", "left_square_bracket": "[",
              "right_square_bracket": "]"}  # fmt: skip


class Hand:
    """A clock that moves by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


class Seat:
    """Hold what a test of the desk needs."""

    def __init__(self, app: DeskApp, pilot: Pilot[int], desk: FakeDesk, clock: Hand) -> None:
        self.app, self.pilot, self.desk, self.clock = app, pilot, desk, clock

    async def strike(self, *keys: str) -> None:
        """Press keys as fast as the desk takes them, without waiting for what is painted."""
        for key in keys:
            event = Key(key, CHARACTERS.get(key, key if len(key) == 1 else None))
            event.set_sender(self.app)
            self.app.post_message(event)
            await self.spin()

    async def spin(self) -> None:
        """Let every task that can run do so."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def press(self, *keys: str) -> None:
        """Press keys and let what they started finish."""
        await self.strike(*keys)
        await self.rest()

    async def type(self, text: str) -> None:
        """Type text."""
        await self.press(*["space" if c == " " else c for c in text])

    async def rest(self) -> None:
        """Let workers and messages finish."""
        await self.pilot.pause()
        await self.spin()

    async def beat(self) -> None:
        """Let one whole second's painting happen."""
        await self.rest()
        for _ in range(4):
            self.app.main.tick()
        await self.rest()

    def text(self, pane: str) -> str:
        """Return what a pane shows."""
        return self.app.main.panes[pane].text

    def row(self, pane: str) -> str:
        """Return the row under the cursor."""
        return next(line for line in self.text(pane).splitlines() if line.startswith(">"))


@asynccontextmanager
async def seated(desk: FakeDesk, size: tuple[int, int] = WIDE, sample: bool = False) -> AsyncIterator[Seat]:
    """Open the desk and wait for its first picture."""
    clock = Hand()

    async def connect() -> FakeDesk:
        return desk

    app = DeskApp(connect, sample=sample, operator="jm", clock=clock)
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot, desk, clock)
        while desk.held and app.sight.newest is None:
            await asyncio.sleep(0.001)
        await seat.rest()
        yield seat
