"""Inbox: take in the files that ``gexdesk import`` hands over, one after the other, as history."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.ledger import Ledger
from gexdesk.model.clock import Clock
from gexdesk.model.errors import PayloadError, StoreError
from gexdesk.model.importing import FOLDER, SOURCE, name_of
from gexdesk.model.payload import Arrival

LOOK_EVERY_S = 0.5
AT_ONCE = 16


class Inbox:
    """Deliver what lies in a folder and remove it once it is acknowledged.

    A file that was acknowledged when the engine died is delivered again: the same bytes make no second row.

    Args:
        state: The state folder; the inbox is a folder in it.
        deliver: As for any source; returns once a payload is acknowledged.
    """

    def __init__(
        self, state: Path, deliver: Callable[[Arrival], Awaitable[None]], ledger: Ledger, chronicle: Chronicle, clock: Clock
    ) -> None:
        self._folder = state / FOLDER
        self._deliver = deliver
        self._ledger = ledger
        self._chronicle = chronicle
        self._clock = clock

    async def run(self) -> None:
        """Take files in until cancelled; what the disk has no room for waits in its place."""
        while True:
            names = await asyncio.to_thread(self._waiting)
            try:
                for start in range(0, len(names), AT_ONCE):
                    await asyncio.gather(*(self._take(name) for name in names[start : start + AT_ONCE]))
            except (StoreError, OSError) as error:
                self._chronicle.tell("engine", f"import: {error}; trying again", grave=True)
                names = []
            if not names:
                await self._clock.sleep(LOOK_EVERY_S)

    async def _take(self, name: str) -> None:
        path, now = self._folder / name, self._clock.now()
        body = await asyncio.to_thread(path.read_bytes)
        try:
            await self._deliver(Arrival(source=SOURCE, body=body, received_at=now, name=name_of(name)))
        except PayloadError as error:
            self._ledger.adopt(SOURCE).refused(now, error.message)
            self._chronicle.tell("dead", f"import: {name_of(name)}: {error.message}", grave=True)
        await asyncio.to_thread(path.unlink)

    def _waiting(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(entry.name for entry in self._folder.iterdir() if not entry.name.startswith("."))
