"""Watch a folder and hand over each complete file once."""

import asyncio
import errno
import os
import random
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError, PayloadError
from gexdesk.model.payload import Arrival
from gexdesk.model.text import printable
from gexdesk.sources.appended import Taken, taken
from gexdesk.sources.backoff import STORE_CAP_S, STORE_FIRST_S, backoff_s
from gexdesk.sources.base import Deliver, DeliverTogether, Ended, Failed, Fetched, Outcome, Report, Unchanged
from gexdesk.sources.delivered import Delivered
from gexdesk.sources.files import FileChanged, Sighting, StillOpen, Version, WriterUnknown, look, look_at_all, read
from gexdesk.sources.folder_news import FolderNews
from gexdesk.sources.undivided import undivided

FILE_CAP_BYTES = 512 << 20

_CONTENT_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
}
_SCAN_SHARE = 20  # a scan of a huge folder is not repeated before 20 times what it took
_LONG_OPEN_S = 60.0
_OF_THE_MACHINE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What keeps a file from being read and is no fault of its own: it is tried again."""

TOGETHER = 64
"""Small files handed over at once, where the desk takes several."""


class _Waiting(Struct, frozen=True):
    sighting: Sighting
    due_at: float  # monotonic
    blind: bool = False  # then it may be taken also where the kernel does not tell who is writing


class _Complete(NamedTuple):
    name: str
    version: Version
    arrival: Arrival
    digest: str


class Directory:
    """Take files that are moved into a folder; they stay there, and are remembered in ``memory``.

    No file is taken while a process has it open for writing, however long that is; after a minute it is reported. One that
    the kernel says was moved in, or whose inode changed after its last write, as a rename does it, is taken at once. Any
    other has to stand still (size, mtime, ctime) for ``settle_s``, since some write with pauses and close it between; what it
    stood before it was seen counts. So has one that was renamed in the same tick of the kernel's clock (a few ms) as its last
    write while nobody listened. Where the kernel does not tell who is writing (files of another user, network file systems),
    standing still for ``blind_settle_s`` is all there is to go by: writers with longer pauses have to rename.

    Of a file of lines (``.jsonl``, ``.ndjson``) that was taken and added to since, the added lines are handed over.

    Left alone: names that begin with a dot or end in ``.tmp``, ``.part`` or ``~``, and subfolders. Reported once and left
    alone until they change: links, pipes and devices; empty, unreadable and too large files. Oldest mtime first, then as they
    were moved in, then by name. At least once: see ``delivered``.

    Args:
        name: Of the source.
        folder: Where files are moved to. It may be missing for a while.
        clock: For settling, pace and stamps.
        once: Report ``Ended`` and return when all that is there was handed over and nothing is settling; also when the
            folder cannot be read.
        memory: File that remembers what was handed over; outside ``folder``, one a source.
        settle_s: How long a file that was not renamed has to stand still.
        blind_settle_s: The same where the kernel does not tell whether somebody has it open.
        rescan_s: How often to look for what the kernel's news missed, and for a missing folder.
        cap_bytes: Largest file.
        jitter: Gives a float in [0, 1), for the wait after the store refused.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        clock: Clock,
        once: bool,
        memory: Path,
        settle_s: float = 2.0,
        blind_settle_s: float = 5.0,
        rescan_s: float = 5.0,
        cap_bytes: int = FILE_CAP_BYTES,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._folder = folder
        self._clock = clock
        self._once = once
        self._settle_s = settle_s
        self._blind_settle_s = max(settle_s, blind_settle_s)
        self._rescan_s = rescan_s
        self._cap_bytes = cap_bytes
        self._jitter = jitter
        self._memory = memory
        self._memory_name = memory.name
        self._delivered = Delivered(memory)
        self._loaded = False
        self._waiting: dict[str, _Waiting] = {}
        self._left_alone: dict[str, Sighting] = {}
        self._open_since: dict[str, float] = {}
        self._watch: FolderNews | None = None
        self._moved_in: dict[str, None] = {}
        self._watched = (0, 0)
        self._rescan_at = 0.0
        self._deaf = ""
        self._together: DeliverTogether | None = None
        self._small_bytes = 0

    def takes_together(self, deliver: DeliverTogether, small_bytes: int) -> None:
        """Hand over files up to a size several at once, and wait for one sync of all of them instead of one each."""
        self._together = deliver
        self._small_bytes = small_bytes

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Hand over files until cancelled, or until ``Ended``; see ``Source.run``."""
        self._waiting.clear()
        self._open_since.clear()
        if self._loaded:
            # Another engine of a fleet may have run it meanwhile, with the same memory.
            self._delivered, self._loaded = Delivered(self._memory), False
        self._rescan_at = self._clock.monotonic()
        refusals = 0
        try:
            while True:
                began = self._clock.monotonic()
                deafened = self._watch is not None and not self._watch.alive and self._watch.fault is None
                whole = self._once or deafened or began >= self._rescan_at
                try:
                    found = await (self._scan(report) if whole else self._follow_news())
                except OSError as error:
                    report(self._unusable(error))
                    if self._once:
                        break
                    self._unwatch()
                    await self._clock.sleep(self._rescan_s)
                    self._rescan_at = self._clock.monotonic()
                    continue
                ready = self._sort_out(found, report)
                if whole and not ready and not self._waiting:
                    if self._once:
                        break
                    report(Unchanged(self._clock.monotonic() - began))
                for group in self._groups(ready):
                    if not await self._hand_over(group, deliver, report):
                        refusals += 1
                        await self._clock.sleep(backoff_s(refusals, STORE_FIRST_S, self._jitter, STORE_CAP_S))
                        break
                    refusals = 0
                else:
                    await self._rest()
        finally:
            self._unwatch()
        report(Ended())

    async def _scan(self, report: Report) -> dict[str, os.stat_result | None]:
        """Look at the whole folder, and see to the watch and the memory.

        Raises:
            OSError: The folder or the memory cannot be read; without the memory every file would be handed over again.
        """
        began = self._clock.monotonic()
        if self._watch:
            self._moved_in |= self._watch.take().moved_in  # the scan sees the rest
        folder_id, found = await asyncio.to_thread(look_at_all, self._folder)
        if not self._loaded:
            await asyncio.to_thread(self._delivered.load)
            if count := self._delivered.unreadable:
                lines, files = ("line", "its file is") if count == 1 else ("lines", "those files are")
                were = "was" if count == 1 else "were"
                what = f"{count:,} {lines} could not be read and {were} set aside; {files} taken again"
                report(Failed(printable(f"{self._memory_name}: {what}")))
        if not self._loaded or self._delivered.grown:
            self._loaded = True
            try:
                await asyncio.to_thread(self._delivered.compact, found)
            except OSError as error:
                report(Failed(printable(f"the memory of what was handed over cannot be rewritten: {error.strerror}")))
        took_s = self._clock.monotonic() - began
        self._rescan_at = began + max(self._rescan_s, _SCAN_SHARE * took_s)
        if not self._once:
            self._keep_watch(folder_id, report)
        gone = (self._waiting.keys() | self._left_alone.keys()) - found.keys()
        return found | dict.fromkeys(gone)

    async def _follow_news(self) -> dict[str, os.stat_result | None]:
        changed: set[str] = set()
        if self._watch:
            changed, moved_in = self._watch.take()
            self._moved_in |= moved_in
        return await asyncio.to_thread(look, self._folder, changed | self._waiting.keys())

    def _sort_out(self, found: dict[str, os.stat_result | None], report: Report) -> list[tuple[str, _Waiting]]:
        """Return what is complete, in order; begin or go on waiting for the rest."""
        now, today = self._clock.monotonic(), self._clock.now()
        moved_in, self._moved_in = self._moved_in, {}
        ready: list[tuple[str, _Waiting]] = []
        for name, seen in found.items():
            if seen is None:
                self._waiting.pop(name, None)
                self._left_alone.pop(name, None)
                self._open_since.pop(name, None)
                continue
            sighting = Sighting.of(seen)
            if stat.S_ISDIR(seen.st_mode) or self._delivered.holds(name, sighting.version):
                continue
            if self._left_alone.get(name) == sighting:
                continue
            if fault := self._unfit(seen):
                self._leave_alone(name, seen, fault, report)
                continue
            waiting = self._waiting.get(name)
            another = waiting is None or waiting.sighting.version.inode != seen.st_ino
            # Renamed, linked or given its mtime since the last write, which sets both to one value.
            later = another and seen.st_ctime_ns > seen.st_mtime_ns
            if seen.st_size and (later or name in moved_in):
                waiting = self._waiting[name] = _Waiting(sighting, now, blind=True)
            elif waiting is None or waiting.sighting != sighting:
                stood_s = max(0.0, today - seen.st_ctime_ns / 1e9) if another else 0.0
                waiting = self._waiting[name] = _Waiting(sighting, now + max(0.0, self._settle_s - stood_s))
            if now < waiting.due_at:
                continue
            if seen.st_size:
                ready.append((name, waiting))
            else:
                self._leave_alone(name, seen, "is empty: it is taken once it holds something", report)
        turn = {name: number for number, name in enumerate(moved_in)}
        return sorted(ready, key=lambda entry: (entry[1].sighting.version.mtime_ns, turn.get(entry[0], 0), entry[0]))

    def _unfit(self, seen: os.stat_result) -> str:
        if stat.S_ISLNK(seen.st_mode):
            return "is a symbolic link: move the file itself here"
        if not stat.S_ISREG(seen.st_mode):
            return "is no regular file: only those are taken"
        if seen.st_size > self._cap_bytes:
            return f"has {seen.st_size:,} bytes: at most {self._cap_bytes:,} are taken"
        return ""

    def _leave_alone(self, name: str, seen: os.stat_result, fault: str, report: Report) -> None:
        self._waiting.pop(name, None)
        self._left_alone[name] = Sighting.of(seen)
        report(Failed(printable(f"{printable(name, 80)} {fault}")))

    def _groups(self, ready: list[tuple[str, _Waiting]]) -> Iterator[list[tuple[str, _Waiting]]]:
        """Cut what is ready into what is handed over at once: one file or, where somebody takes them, several small ones."""
        group: list[tuple[str, _Waiting]] = []
        for entry in ready:
            small = self._together is not None and entry[1].sighting.version.size <= self._small_bytes
            if group and (not small or len(group) >= TOGETHER):
                yield group
                group = []
            group.append(entry)
            if not small:
                yield group
                group = []
        if group:
            yield group

    async def _hand_over(self, group: list[tuple[str, _Waiting]], deliver: Deliver, report: Report) -> bool:
        """Read files and deliver those that nobody is writing; False where the store refused for now."""
        began = self._clock.monotonic()
        bodies = await asyncio.to_thread(self._read, group)
        complete: list[_Complete] = []
        for (name, waiting), body in zip(group, bodies, strict=True):
            if isinstance(body, Taken):
                arrival = Arrival(
                    source=self.name,
                    body=body.news,
                    received_at=self._clock.now(),
                    content_type=_CONTENT_TYPES.get(Path(name).suffix.lower(), ""),
                    name=printable(name, 80),
                )
                complete.append(_Complete(name, waiting.sighting.version, arrival, body.digest))
            else:
                await self._unread(name, waiting, body, report)
        blank = [file for file in complete if not file.arrival.body]
        complete = [file for file in complete if file.arrival.body]
        self._remember(blank, report)
        if not complete:
            return True
        fetched = Fetched(self._clock.monotonic() - began)
        return await undivided(self._deliver_and_remember(complete, fetched, deliver, report))

    def _read(self, group: list[tuple[str, _Waiting]]) -> list[Taken | Exception]:
        """Read files, in a thread: one that cannot be read keeps none of the others from it."""
        bodies: list[Taken | Exception] = []
        for name, waiting in group:
            try:
                body = read(self._folder / name, waiting.sighting, blind=waiting.blind)
                bodies.append(taken(name, body, *self._delivered.last(name)))
            except (StillOpen, WriterUnknown, FileChanged, OSError) as error:
                bodies.append(error)
        return bodies

    async def _unread(self, name: str, waiting: _Waiting, error: Exception, report: Report) -> None:
        """Begin to wait for a file that could not be read, or leave it alone."""
        sighting = waiting.sighting
        if isinstance(error, StillOpen):
            self._wait_for_writer(name, sighting, report)
        elif isinstance(error, WriterUnknown):
            longer_s = self._blind_settle_s - self._settle_s
            self._waiting[name] = _Waiting(sighting, waiting.due_at + longer_s, blind=True)
        elif isinstance(error, FileChanged | FileNotFoundError):
            self._waiting[name] = _Waiting(sighting, self._clock.monotonic() + self._settle_s)  # the next look finds out
        elif isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            self._waiting[name] = _Waiting(sighting, self._clock.monotonic() + self._settle_s, waiting.blind)
            report(Failed(printable(f"{printable(name, 80)} cannot be read now ({error.strerror}): it is tried again")))
        elif isinstance(error, OSError):
            seen = (await asyncio.to_thread(look, self._folder, [name]))[name]
            if seen is not None:
                self._leave_alone(name, seen, f"cannot be read: {error.strerror}", report)

    async def _deliver_and_remember(
        self, complete: list[_Complete], fetched: Fetched, deliver: Deliver, report: Report
    ) -> bool:
        outcome: Outcome = fetched
        first = complete[0].arrival
        try:
            if len(complete) == 1 or self._together is None:
                await deliver(first)
            else:
                await self._together([file.arrival for file in complete])
        except PayloadError as error:
            if len(complete) > 1:  # which one it is, each finds out by itself
                return all([await self._deliver_and_remember([file], fetched, deliver, report) for file in complete])
            outcome = Failed(printable(f"{first.name}: {error.message}"))
            complete = [complete[0]._replace(digest="")]  # what was refused is nothing that could be added to
        except Exception as error:  # a StoreError, or a fault beyond: the files are still here
            why = error.message if isinstance(error, GexdeskError) else f"{type(error).__name__}: {error}"
            more = f" and {len(complete) - 1} more" if len(complete) > 1 else ""
            report(Failed(printable(f"{first.name}{more} could not be kept, will be handed over again: {why}")))
            return False
        self._remember(complete, report)
        for _ in complete:
            report(outcome)
        return True

    def _remember(self, complete: list[_Complete], report: Report) -> None:
        """Note that files need not be handed over again."""
        for file in complete:
            self._waiting.pop(file.name, None)
            self._open_since.pop(file.name, None)
        try:
            if complete:
                self._delivered.add_all({f.name: f.version for f in complete}, {f.name: f.digest for f in complete})
        except OSError as error:
            for file in complete:
                why = f"cannot be remembered ({error.strerror}), so a restart hands it over again"
                report(Failed(printable(f"{file.arrival.name}: {why}")))

    def _wait_for_writer(self, name: str, sighting: Sighting, report: Report) -> None:
        now = self._clock.monotonic()
        self._waiting[name] = _Waiting(sighting, now + self._settle_s)
        if now - self._open_since.setdefault(name, now) >= _LONG_OPEN_S:
            self._open_since[name] = float("inf")  # told
            why = f"open for writing for {_LONG_OPEN_S:.0f} s: it is taken once its writer closes it"
            report(Failed(printable(f"{printable(name, 80)} is {why}")))

    async def _rest(self) -> None:
        """Wait for the kernel's news, for the next file that may have settled, or for the next scan."""
        now = self._clock.monotonic()
        settled = [waiting.due_at for waiting in self._waiting.values()]
        due = min(settled, default=now) if self._once else min([self._rescan_at, *settled])
        pause = asyncio.ensure_future(self._clock.sleep(max(0.0, due - now)))
        news = [asyncio.ensure_future(self._watch.changed.wait())] if self._watch else []
        try:
            await asyncio.wait([pause, *news], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pause, *news):
                task.cancel()

    def _keep_watch(self, folder_id: tuple[int, int], report: Report) -> None:
        """Listen to the folder that is there now."""
        if self._watch and self._watch.alive and self._watched == folder_id:
            return
        fault = self._watch.fault if self._watch else None
        if fault is None:
            # A watch that begins now misses what came between the scan and its begin: scan again soon.
            self._rescan_at = self._clock.monotonic() + self._settle_s
        elif isinstance(fault, OSError) and str(fault) != self._deaf:
            self._deaf = str(fault)
            why = f"changes are seen every {self._rescan_s:g} s only: {self._deaf}"
            report(Failed(printable(f"{why}; raise fs.inotify.max_user_watches or max_user_instances")))
        self._unwatch()
        self._watch, self._watched = FolderNews(self._folder), folder_id

    def _unwatch(self) -> None:
        if self._watch:
            self._watch.stop()
        self._watch = None

    def _unusable(self, error: OSError) -> Failed:
        where = printable(str(error.filename or self._folder), 100)
        return Failed(printable(f"{where} cannot be read ({error.strerror}): create it, allow it or correct the path"))
