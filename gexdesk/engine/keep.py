"""Keep: gather what processing made into batches, write lake then metadata, and only then complete the jobs."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.model.clock import Clock
from gexdesk.model.errors import StoreError
from gexdesk.model.level import Level
from gexdesk.stores.base import (
    Batch,
    DeadLetter,
    DecisionRecord,
    GapRecord,
    GuidelineRecord,
    IncidentRecord,
    JobRecord,
    KeptSnapshot,
    OverrideRecord,
    RequestRecord,
    SourceRecord,
)
from gexdesk.stores.exports import Exports
from gexdesk.stores.lake import Lake, visible_files
from gexdesk.stores.metadata import Metadata

T = TypeVar("T")
Note = RequestRecord | GuidelineRecord | IncidentRecord | GapRecord
"""What is recorded beside the jobs, each as often as it changes."""

GATHER_S = 0.15
GATHERINGS = 6
MANY_ITEMS = 50
"""With so many results after one time to gather, and none of them CRITICAL, up to six such times are waited for more, until one
brings nothing."""

BATCH_ITEMS = 2_000
ROOM_ITEMS = 4_000
RETRY_S = 2.0
ALONE_TRIES = 3
SIFTED = 20
"""Records tried alone before it is the stores that take nothing."""

COMPACT_AT_LEAST = 64
ROOM_BYTES = 64 * 1024 * 1024
OTHERS_WAIT_S = 2.0
"""What is not CRITICAL and has waited for so long is written between two batches of CRITICAL, however fast that comes."""



@dataclass(slots=True)
class _Item:
    """Hold what waits to be stored; ``came_at`` is in seconds of the monotonic clock."""

    job: JobRecord
    snapshots: tuple[KeptSnapshot, ...]
    dead: DeadLetter | None
    stored: asyncio.Future[None]
    came_at: float
    failed_alone: int = 0
    written_before: int = 0


@dataclass(slots=True)
class _Loose:
    decisions: list[DecisionRecord] = field(default_factory=list)
    overrides: list[OverrideRecord] = field(default_factory=list)
    sources: list[SourceRecord] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    jobs: list[JobRecord] = field(default_factory=list)

    def any(self) -> bool:
        return bool(self.decisions or self.overrides or self.sources or self.notes or self.jobs)

    def each(self) -> "Iterator[_Loose]":
        """Yield its records one by one, the sources' counters together."""
        yield from (_Loose(decisions=[one]) for one in self.decisions)
        yield from (_Loose(overrides=[one]) for one in self.overrides)
        yield from [_Loose(sources=self.sources)] if self.sources else []
        yield from (_Loose(notes=[one]) for one in self.notes)
        yield from (_Loose(jobs=[one]) for one in self.jobs)

    def before(self, older: "_Loose") -> None:
        """Take back what was not written, in its place before what came since."""
        self.decisions = older.decisions + self.decisions
        self.overrides = older.overrides + self.overrides
        self.sources = self.sources or older.sources
        self.notes = older.notes + self.notes
        self.jobs = older.jobs + self.jobs


class Keeper:
    """Write behind the publication: readers never wait for the durable stores, completion always does."""

    def __init__(
        self, lake: Lake, metadata: Metadata, chronicle: Chronicle, clock: Clock, folder: Path, *, exports: Exports | None = None
    ) -> None:
        """Prepare.

        Args:
            exports: Where the tables are written for other hosts of a fleet, too.
        """
        self._exports = exports
        self._lake = lake
        self._metadata = metadata
        self._chronicle = chronicle
        self._clock = clock
        self._folder = folder
        self._items: list[_Item] = []
        self._writing: list[_Item] = []
        self._loose = _Loose()
        self._wake = asyncio.Event()
        self._room = asyncio.Semaphore(ROOM_ITEMS)
        self._task: asyncio.Task[None] | None = None
        self._loose_failed = 0
        self._batch: asyncio.Future[bool] | None = None
        self._was_urgent = False
        self._size = BATCH_ITEMS
        self._written = 0
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Open the stores and begin writing."""
        await asyncio.to_thread(self._open)
        if self._exports is not None:
            self._exports.begin(self._clock.now())
        self._task = asyncio.create_task(self._run(), name="keeper")

    def _open(self) -> None:
        """Open the metadata; where it is gone but the lake is not, say so and take back what the lake knows."""
        lost = not self._metadata.path.exists()
        self._metadata.open()
        files = visible_files(self._lake.strikes.parent) if lost else []
        if not files:
            return
        words = f"{self._metadata.path.name} was missing beside a lake of {len(files)} files"
        try:
            found = self._metadata.rebuild(files)
        except StoreError as error:
            self._chronicle.tell("engine", f"{words}; {error.message}", grave=True)
            return
        words = f"{words}; {found} snapshot headers are rebuilt from it, jobs and decisions are lost"
        self._chronicle.tell("engine", words, grave=True)

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return () if self._task is None else (self._task,)

    async def stop(self) -> None:
        """Let the batch under way end, write what is there and close the stores."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._batch is not None:
            await asyncio.gather(self._batch, return_exceptions=True)
        try:
            while self._items or self._loose.any():
                if not await self._flush():
                    break
            await self.export()
        finally:
            await self._in_turn(self._metadata.close)

    async def export(self) -> None:
        """Write what changed since the last time for the other hosts; what fails is tried again."""
        if self._exports is None:
            return
        try:
            await self._in_turn(partial(self._exports.write, self._metadata))
        except StoreError as error:
            self._chronicle.tell("engine", f"{error.message}; trying again", grave=True)

    @property
    def waiting(self) -> int:
        """Return how many results are not written yet."""
        return len(self._items)

    def lag_s(self) -> float:
        """Return how long the oldest unwritten result has waited."""
        oldest_at = min((item.came_at for item in (*self._writing, *self._items)), default=None)
        return 0.0 if oldest_at is None else self._clock.monotonic() - oldest_at

    async def store(self, job: JobRecord, snapshots: tuple[KeptSnapshot, ...], dead: DeadLetter | None = None) -> None:
        """Return once the job's rows are durable in lake and metadata; waits for room first, so that memory stays bounded.

        CRITICAL waits for no room, and its rows go before all others, in a batch of their own.

        Raises:
            StoreError: The stores take everything but these rows; they will never be stored.
        """
        if job.level is Level.CRITICAL:
            await self._queued(job, snapshots, dead)
            return
        async with self._room:
            await self._queued(job, snapshots, dead)

    async def _queued(self, job: JobRecord, snapshots: tuple[KeptSnapshot, ...], dead: DeadLetter | None) -> None:
        stored = asyncio.get_running_loop().create_future()
        self._items.append(_Item(job, snapshots, dead, stored, self._clock.monotonic()))
        self._wake.set()
        await stored

    def decision(self, record: DecisionRecord) -> None:
        """Add a decision to the next batch."""
        self._loose.decisions.append(record)
        self._wake.set()

    def override(self, record: OverrideRecord) -> None:
        """Add an override, set or ended, to the next batch."""
        self._loose.overrides.append(record)
        self._wake.set()

    def sources(self, records: list[SourceRecord]) -> None:
        """Add the sources' counters to the next batch; they replace older ones."""
        self._loose.sources = records
        self._wake.set()

    async def amend(self, job_id: str, status: str, note: str) -> None:
        """Say in a job's record what became of it since; the next end of the job replaces it. Raises StoreError."""
        waits = next((item for item in reversed((*self._writing, *self._items)) if item.job.job_id == job_id), None)
        if waits is not None:  # what is stored of it is older than what is about to be
            waits.job = replace(waits.job, status=status, note=note)
            found: JobRecord | None = waits.job if waits in self._writing else None
        else:
            found = await self.reading(lambda metadata: metadata.job(job_id))
        if found is not None:
            self._loose.jobs.append(replace(found, status=status, note=note))
            self._wake.set()

    async def release(self, job_id: str, ordinal: int, flags: Sequence[str], received_at: float) -> None:
        """Count a snapshot that was held back among the good ones from now on, with these flags, for other hosts too.

        Args:
            received_at: Of its payload, UTC seconds.

        Raises:
            StoreError: It cannot be changed.
        """
        for item in (*self._writing, *self._items):  # stored as good, or when it is tried again
            if item.job.job_id == job_id:
                item.snapshots = tuple(
                    replace(one, quarantined=False, flags=tuple(flags)) if one.ordinal == ordinal else one for one in item.snapshots
                )

        def change(metadata: Metadata) -> None:
            metadata.release(job_id, ordinal, flags)
            if self._exports is not None:
                self._exports.released(received_at)

        await self.reading(change)

    def note(self, record: Note) -> None:
        """Add a request, a version of the guidelines, an incident or a gap to the next batch; it replaces its older record."""
        self._loose.notes.append(record)
        self._wake.set()

    async def reading(self, use: Callable[[Metadata], T]) -> T:
        """Let something else use the metadata between two batches, in a thread."""
        return await self._in_turn(partial(use, self._metadata))

    async def sweep(self, lake_keep_days: float | None) -> None:
        """Let go of the lake's days past their time, if there is one, and join its small files; between two batches."""

        def sweep() -> None:
            if lake_keep_days is not None:
                self._lake.forget_before(datetime.fromtimestamp(self._clock.now() - lake_keep_days * 86_400, UTC).date())
            self._lake.compact(COMPACT_AT_LEAST)

        await self._in_turn(sweep)

    async def _in_turn(self, act: Callable[[], T]) -> T:
        """Do something in a thread while nothing else uses the stores. Who is cancelled leaves it to its end, in its turn."""

        async def alone() -> T:
            async with self._turn:
                return await asyncio.to_thread(_sober, act)

        return await asyncio.shield(asyncio.ensure_future(alone()))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._gather()
            while self._items or self._loose.any():
                self._batch = asyncio.ensure_future(self._flush())
                if not await asyncio.shield(self._batch):
                    await self._clock.sleep(RETRY_S)
                elif len(self._items) < self._size and not any(item.failed_alone for item in self._items):
                    self._wake.set()  # what came meanwhile waits for company again
                    break

    async def _gather(self) -> None:
        """Wait for company; while much comes for more of it, since a batch costs most by the files and the commit it is."""
        before = 0
        for _ in range(GATHERINGS):
            await self._clock.sleep(GATHER_S)
            urgent, now = any(item.job.level is Level.CRITICAL for item in self._items), len(self._items)
            if urgent or not MANY_ITEMS <= now < self._size or now == before:
                break
            before = now

    async def _flush(self) -> bool:
        """Write one batch; after a failure the loose records first and the items in ever smaller batches."""
        alone = self._size == 1
        if alone and self._loose_failed >= ALONE_TRIES and not self._short_of_room():
            await self._sift()
        loose, self._loose = self._loose, _Loose()
        items: list[_Item] = []
        if not (alone and loose.any()):
            items, self._items = self._next()
        self._writing = items
        batch = _batch_of(loose, items)
        try:
            await self._in_turn(partial(self._write, batch))
        except Exception as error:  # whatever it is, it must not end who completes every job
            self._writing = []
            self._loose_failed += not items
            self._loose.before(loose)
            self._put_back(items, error)
            return False
        self._loose_failed = 0
        self._writing = []
        self._written += 1
        self._size = min(BATCH_ITEMS, max(self._size, 2 * len(items)))
        for item in items:
            if not item.stored.done():
                item.stored.set_result(None)
        if batch.snapshots:
            await self._tidy()
        return True

    async def _sift(self) -> None:
        """Write the loose records one by one, and leave out those that the stores refuse while they take others."""
        loose, self._loose, self._loose_failed = self._loose, _Loose(), 0
        refused, written, words = list[_Loose](), 0, ""
        for one in loose.each():
            if len(refused) >= SIFTED and not written:
                refused.append(one)  # it is the stores, not the records
                continue
            try:
                await self._in_turn(partial(self._write, _batch_of(one, [])))
                written += 1
            except Exception as error:
                refused.append(one)
                words = str(error)
        if written and refused:
            words = f"{len(refused)} records are left out, they cannot be stored: {words}"
            self._chronicle.tell("engine", f"stores: {words}", grave=True)
            return
        for one in reversed(refused):
            self._loose.before(one)

    def _next(self) -> tuple[list[_Item], list[_Item]]:
        """Return the items of the next batch, and the rest. What failed alone goes last: it must not hold up the others."""
        self._items.sort(key=lambda item: (item.failed_alone > 0, item.job.level is not Level.CRITICAL))
        urgent = sum(item.failed_alone == 0 and item.job.level is Level.CRITICAL for item in self._items)
        others_since = min((item.came_at for item in self._items[urgent:]), default=inf)
        if urgent and self._was_urgent and self._clock.monotonic() - others_since > OTHERS_WAIT_S:
            self._was_urgent = False  # the others' turn, once
            end = urgent + self._size
            return self._items[urgent:end], self._items[:urgent] + self._items[end:]
        self._was_urgent = urgent > 0
        size = min(self._size, urgent or self._size)
        return self._items[:size], self._items[size:]

    async def _tidy(self) -> None:
        """Join the day's small files while it runs. What fails here costs readers time, not rows: the sweep tries again."""
        try:
            await self._in_turn(self._lake.tidy)
        except Exception as error:
            self._chronicle.tell("engine", f"lake: {error}; trying again later", grave=True)

    def _put_back(self, items: list[_Item], error: Exception) -> None:
        """Keep what could not be written; give up on an item alone, and only when the stores take everything but it."""
        self._size = max(1, len(items) // 2)
        if len(items) != 1:
            self._items = items + self._items
            self._chronicle.tell("engine", f"stores: {error}; nothing is lost, trying again", grave=True)
            return
        item = items[0]
        if self._short_of_room():
            self._items.append(item)  # a full disk says nothing about what waits for it
            self._chronicle.tell("engine", f"stores: {error}; waiting for room", grave=True)
            return
        if item.failed_alone == 0:
            item.written_before = self._written
        item.failed_alone += 1
        if item.failed_alone >= ALONE_TRIES and self._written > item.written_before:
            if not item.stored.done():
                item.stored.set_exception(StoreError(f"its results cannot be stored: {error}"))
            return
        self._items.append(item)  # to the back: it must not hold up the others
        self._chronicle.tell("engine", f"stores: {error}; trying again", grave=True)

    def _short_of_room(self) -> bool:
        return shutil.disk_usage(self._folder).free < ROOM_BYTES

    def _write(self, batch: Batch) -> None:
        if batch.snapshots:
            self._lake.write(batch.snapshots)
        self._metadata.write(batch)
        if self._exports is not None:
            self._exports.note(batch)


def _batch_of(loose: _Loose, items: Sequence[_Item]) -> Batch:
    # A job that was done again here, since its lease ran out while this process stood still, may wait twice: its last rows count.
    items = list({item.job.job_id: item for item in items}.values())
    return Batch(
        snapshots=tuple(snapshot for item in items for snapshot in item.snapshots),
        jobs=(*loose.jobs, *(item.job for item in items)),
        decisions=tuple(loose.decisions),
        dead=tuple(item.dead for item in items if item.dead is not None),
        overrides=tuple(loose.overrides),
        sources=tuple(loose.sources),
        requests=tuple(note for note in loose.notes if isinstance(note, RequestRecord)),
        guidelines=tuple(note for note in loose.notes if isinstance(note, GuidelineRecord)),
        incidents=tuple(note for note in loose.notes if isinstance(note, IncidentRecord)),
        gaps=tuple(note for note in loose.notes if isinstance(note, GapRecord)),
    )


def _sober(act: Callable[[], T]) -> T:
    """Do something, and let a panic of a library's native code be an error like any other. Raises StoreError for one."""
    try:
        return act()
    except Exception:
        raise
    except BaseException as panic:
        raise StoreError(f"a store's library gave up: {type(panic).__name__}: {panic}") from panic
