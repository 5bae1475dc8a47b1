"""No room to write, in the middle of a stream: the engine says so, takes nothing it cannot keep, and goes on when there is room.

Two ways to have no room. The kernel's limit on file size fails every write beyond it, in the payload spool, the journal, the
database, the lake and the engine's own log alike, and needs no root. A small file system of memory under the state folder, filled
by another file, fails them as a real disk does, a page here and a rename there; it needs root and is for the long form.

``run(full=False)`` takes the room away once, by the limit, ``run(full=True)`` three times so and, where it may mount, eight times
by the full disk.
"""

import asyncio
import contextlib
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from gexdesk.model.errors import StoreError
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.view.desk import DeskView
from gexdesk.sources.directory import TOGETHER
from tests.faults.fed_desk import Ended, FedDesk

EVERY_S = 0.015
WITHOUT_S, FULL_WITHOUT_S = 1.2, 6.0
"""How long there is no room once it is felt."""

FULL_LIMITS, FULL_FILLS = 3, 8
RESUMES_S, GIVE_UP_S = 10.0, 70.0
SAYS_S = 20.0
_DISK_MB = 48
_KEPT = "could not be kept, will be handed over again"


class Outcome(NamedTuple):
    """Count what became of the documents, and how the engine bore it.

    Attributes:
        times: How often the room went, in which ways.
        unsaid: Times that the engine did not say in its log that it kept nothing.
        taken_meanwhile: The most documents it took, and kept, while it said so: a disk may have room for a page again.
        unbalanced: Pictures in which received was not completed, dead and open together.
        levers_refused: Levers pulled meanwhile that were refused with the word that nothing was changed; one each time.
        resumed_s: From room to the first document done, the longest of all times.
        taken_again_s: From room to the first document taken, likewise.
    """

    documents: int
    times: str
    lost: int
    twice: int
    wrong: int
    engine_lived: bool
    unsaid: int
    taken_meanwhile: int
    unbalanced: int
    levers_refused: str
    resumed_s: float
    taken_again_s: float

    @property
    def sound(self) -> bool:
        """Say whether every promise held."""
        whole = self.lost == self.twice == self.wrong == self.unsaid == self.unbalanced == 0
        done, _, of = self.levers_refused.partition(" of ")
        held_back = self.taken_meanwhile <= TOGETHER and done == of
        return whole and self.engine_lived and held_back and max(self.resumed_s, self.taken_again_s) < RESUMES_S


class Room(Protocol):
    """Take the room away, and give it back."""

    def take(self) -> None: ...
    def give(self) -> None: ...


class _Limit:
    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = resource.prlimit(pid, resource.RLIMIT_FSIZE)

    def take(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (4096, self._before[1]))

    def give(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._before)


class _Filler:
    def __init__(self, disk: Path) -> None:
        self._path = disk / "filler"

    def take(self) -> None:
        """Fill what is left, to the last page, as often as the engine frees one."""
        with self._path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def give(self) -> None:
        self._path.unlink()


def run(full: bool) -> Outcome:
    """Take the room away."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if not full:
            return _sum([asyncio.run(_Starved(FedDesk(home), 1, WITHOUT_S).live(home, ""))])
        (home / "limit").mkdir()
        found = [asyncio.run(_Starved(FedDesk(home / "limit"), FULL_LIMITS, FULL_WITHOUT_S).live(home, ""))]
        (home / "disk").mkdir()
        with _small_disk(home / "disk" / "state") as mounted:
            if mounted:
                starved = _Starved(FedDesk(home / "disk"), FULL_FILLS, FULL_WITHOUT_S)
                found.append(asyncio.run(starved.live(home, "disk")))
        return _sum(found)


@contextlib.contextmanager
def _small_disk(at: Path) -> Iterator[bool]:
    """Mount a small file system of memory; says whether that was allowed."""
    at.mkdir(mode=0o700)
    options = f"size={_DISK_MB}m,mode=0700"
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "gexdesk-disk-full", at], check=False, capture_output=True
    ).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", at], check=True)


class _Figures(NamedTuple):
    documents: int
    way: str
    times: int
    ended: Ended
    lived: bool
    unsaid: int
    taken_meanwhile: int
    unbalanced: int
    refused: int
    resumed_s: float
    taken_again_s: float


class _Starved:
    """Feed one desk, and take its room away again and again."""

    def __init__(self, desk: FedDesk, times: int, without_s: float) -> None:
        self._desk = desk
        self._times = times
        self._without_s = without_s
        self._unsaid = self._taken_meanwhile = self._unbalanced = self._refused = 0
        self._resumed_s = self._taken_again_s = 0.0

    async def live(self, home: Path, way: str) -> _Figures:
        desk = self._desk
        feeding: asyncio.Task[None] | None = None
        try:
            await desk.start()
            room: Room = _Filler(desk.state) if way else _Limit(desk.process.pid)
            feeding = asyncio.create_task(desk.feed(EVERY_S, 3600.0))
            for _ in range(self._times):
                await asyncio.sleep(0.7)
                await self._without(room)
            feeding.cancel()
            lived = await desk.drained() and desk.alive
            await desk.stop()
            return _Figures(
                len(desk.good), way or "limit", self._times, desk.ended(), lived, self._unsaid, self._taken_meanwhile,
                self._unbalanced, self._refused, self._resumed_s, self._taken_again_s,
            )  # fmt: skip
        finally:
            if feeding is not None:
                feeding.cancel()
            desk.kill()

    async def _without(self, room: Room) -> None:
        desk = self._desk
        room.take()
        try:
            since = time.time()
            self._unsaid += not await self._says(room, since)
            self._refused += await self._lever_refused()
            before: int | None = None
            ends_at = time.monotonic() + self._without_s
            while time.monotonic() < ends_at and desk.alive:
                room.take()
                view = await desk.view()
                if view is not None:
                    self._unbalanced += view.completed + view.dead + view.in_flight != view.received
                    before = view.received if before is None else before
                    self._taken_meanwhile = max(self._taken_meanwhile, view.received - before)
                await asyncio.sleep(0.1)
            last = await desk.view()
        finally:
            room.give()
        if last is not None:
            resumed, taken = asyncio.create_task(self._until(last, "completed")), asyncio.create_task(self._until(last, "received"))
            self._resumed_s = max(self._resumed_s, await resumed)
            self._taken_again_s = max(self._taken_again_s, await taken)

    async def _until(self, last: DeskView, counted: str) -> float:
        """Return how long it takes until a count is beyond that of the last picture without room."""
        began = time.monotonic()
        while self._desk.alive and time.monotonic() < began + GIVE_UP_S:
            view = await self._desk.view()
            if view is not None and getattr(view, counted) > getattr(last, counted):
                break
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def _says(self, room: Room, since: float) -> bool:
        """Wait until it says that it kept nothing; False where it does not."""
        give_up_at = time.monotonic() + SAYS_S
        while time.monotonic() < give_up_at and self._desk.alive:
            room.take()
            view = await self._desk.view()
            if view is not None and any(_KEPT in line.text and line.at >= since for line in view.log):
                return True
            await asyncio.sleep(0.05)
        return False

    async def _lever_refused(self) -> bool:
        try:
            await self._desk.client.pull(Lever(Verb.PAUSE, "rest", "incident 41"))
        except StoreError as error:
            return "nothing was changed" in error.message
        await self._desk.client.pull(Lever(Verb.RESUME, "rest", "incident 41"))
        return False


def _sum(found: list[_Figures]) -> Outcome:
    ended = [figures.ended for figures in found]
    times = sum(figures.times for figures in found)
    return Outcome(
        documents=sum(figures.documents for figures in found),
        times=", ".join(f"{figures.way} {figures.times}" for figures in found),
        lost=sum(one.lost for one in ended),
        twice=sum(one.twice for one in ended),
        wrong=sum(one.wrong for one in ended),
        engine_lived=all(figures.lived for figures in found),
        unsaid=sum(figures.unsaid for figures in found),
        taken_meanwhile=max(figures.taken_meanwhile for figures in found),
        unbalanced=sum(figures.unbalanced for figures in found),
        levers_refused=f"{sum(figures.refused for figures in found)} of {times}",
        resumed_s=max(figures.resumed_s for figures in found),
        taken_again_s=max(figures.taken_again_s for figures in found),
    )
