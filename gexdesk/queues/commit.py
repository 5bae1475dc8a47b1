"""Gather what a queue wants on disk together."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator

from gexdesk.model.errors import StoreError


class Commit:
    """Hold changes that are made durable together, or not at all; await it for the moment when they are.

    The lists are flat, as SQLite takes them: building a row of its own for each job costs more than writing it.

    Attributes:
        keep: Arrival number, body, ... of entries as they are now; of two images of one entry the later one counts.
        finish: Id, status, UTC seconds, error, ... of jobs that ended.
        gone: Arrival numbers of those, in the same order.
        drop: Arrival numbers of entries that are no longer of this queue, as if they had never come.
        die: Id, arrival number, body, UTC seconds, ... of those that are DEAD and may be revived.
        revive: Arrival number -> id of DEAD jobs that are so no more.
        hold: Sources to mark paused (True) or not; the empty name is the kill switch.
        prune_before: Forget some of the jobs that finished before this time.
        damage: What a reader met in the file, so that it is replaced.
        is_open: Further changes may join.
    """

    __slots__ = (
        "_error", "_settled", "_then", "_waiting",
        "damage", "die", "drop", "finish", "gone", "hold", "is_open", "keep", "prune_before", "revive",
    )  # fmt: skip

    def __init__(self) -> None:
        self.keep: list[int | bytes] = []
        self.finish: list[str | float] = []
        self.gone: list[int] = []
        self.drop: list[int] = []
        self.die: list[str | int | bytes | float] = []
        self.revive: dict[int, str] = {}
        self.hold: dict[str, bool] = {}
        self.prune_before: float | None = None
        self.damage: sqlite3.DatabaseError | None = None
        self.is_open = True
        self._then: list[tuple[Callable[[], object] | None, Callable[[], object] | None]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._settled = False
        self._error: StoreError | None = None

    def then(self, done: Callable[[], object] | None, failed: Callable[[], object] | None) -> None:
        """Run one of these once it is durable or refused, before anybody who awaits it goes on, even where all of them left."""
        self._then.append((done, failed))

    def is_empty(self) -> bool:
        """Say whether nobody asked for anything."""
        rows = self.keep or self.drop or self.finish or self.revive or self.hold
        return not (rows or self._then or self.damage) and self.prune_before is None

    def settle(self, error: StoreError | None) -> None:
        """Tell what became of it; what failed is taken back latest first."""
        self._settled, self._error = True, error
        for done, failed in self._then if error is None else reversed(self._then):
            act = done if error is None else failed
            if act is not None:
                act()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def __await__(self) -> Generator[object, None, None]:
        """Return once it is durable. Raises StoreError: it cannot be written; nothing was changed."""
        if not self._settled:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # one each: any may be cancelled
            self._waiting.append(waiting)
            yield from waiting
        if self._error is not None:
            raise self._error


class Refused:
    """Raise when awaited, as a coroutine would."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __await__(self) -> Generator[object, None, None]:
        """Raise."""
        raise self._error
