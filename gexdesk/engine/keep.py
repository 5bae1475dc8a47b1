"""Keep: gather what processing made into batches, write lake then metadata, and only then complete the jobs."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError, StoreError
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
"""With so many results after one time to gather, and none of them CRITICAL, up to six such times are waited for more."""

BATCH_ITEMS = 2_000
ROOM_ITEMS = 4_000
RETRY_S = 2.0
ALONE_TRIES = 3
COMPACT_AT_LEAST = 64
ROOM_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class _Item:
    job: JobRecord
    snapshots: tuple[KeptSnapshot, ...]
    dead: DeadLetter | None
    stored: asyncio.Future[None]
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
        self._oldest_at: float | None = None
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

    async def stop(self) -> None:
        """Write what is there and close the stores."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._flush()
            await self.export()
        finally:
            await asyncio.to_thread(self._metadata.close)

    async def export(self) -> None:
        """Write what changed since the last time for the other hosts; what fails is tried again."""
        if self._exports is None:
            return
        try:
            async with self._turn:
                await asyncio.to_thread(self._exports.write, self._metadata)
        except StoreError as error:
            self._chronicle.tell("engine", f"{error.message}; trying again", grave=True)

    @property
    def waiting(self) -> int:
        """Return how many results are not written yet."""
        return len(self._items)

    def lag_s(self) -> float:
        """Return how long the oldest unwritten result has waited."""
        return 0.0 if self._oldest_at is None else max(0.0, self._clock.now() - self._oldest_at)

    async def store(self, job: JobRecord, snapshots: tuple[KeptSnapshot, ...], dead: DeadLetter | None = None) -> None:
        """Return once the job's rows are durable in lake and metadata; waits for room first, so that memory stays bounded.

        CRITICAL waits for no room, and its rows go before all others, in a batch of their own.

        Raises:
            StoreError: The stores take everything but these rows; they will never be stored.
        """
        if job.level is Level.CRITICAL:
            await self._queued(_Item(job, snapshots, dead, asyncio.get_running_loop().create_future()))
            return
        async with self._room:
            await self._queued(_Item(job, snapshots, dead, asyncio.get_running_loop().create_future()))

    async def _queued(self, item: _Item) -> None:
        self._items.append(item)
        if self._oldest_at is None:
            self._oldest_at = self._clock.now()
        self._wake.set()
        await item.stored

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
        async with self._turn:
            return await asyncio.to_thread(use, self._metadata)

    async def sweep(self, lake_keep_days: float | None) -> None:
        """Let go of the lake's days past their time, if there is one, and join its small files; between two batches."""
        async with self._turn:
            if lake_keep_days is not None:
                oldest = datetime.fromtimestamp(self._clock.now() - lake_keep_days * 86_400, UTC).date()
                await asyncio.to_thread(self._lake.forget_before, oldest)
            await asyncio.to_thread(self._lake.compact, COMPACT_AT_LEAST)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._gather()
            while self._items or self._loose.any():
                if not await self._flush():
                    await self._clock.sleep(RETRY_S)
                elif len(self._items) < self._size and not any(item.failed_alone for item in self._items):
                    self._wake.set()  # what came meanwhile waits for company again
                    break

    async def _gather(self) -> None:
        """Wait for company; while much comes for more of it, since a batch costs most by the files and the commit it is."""
        for _ in range(GATHERINGS):
            await self._clock.sleep(GATHER_S)
            urgent = any(item.job.level is Level.CRITICAL for item in self._items)
            if urgent or not MANY_ITEMS <= len(self._items) < self._size:
                break

    async def _flush(self) -> bool:
        """Write one batch; after a failure the loose records first and the items in ever smaller batches."""
        alone = self._size == 1
        loose, self._loose = self._loose, _Loose()
        items: list[_Item] = []
        if not (alone and loose.any()):
            items, self._items = self._next()
        self._writing = items
        batch = Batch(
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
        try:
            async with self._turn:
                await asyncio.to_thread(self._write, batch)
        except (GexdeskError, OSError) as error:
            self._writing = []
            self._loose.before(loose)
            self._put_back(items, error)
            return False
        self._writing = []
        self._written += 1
        self._size = min(BATCH_ITEMS, max(self._size, 2 * len(items)))
        for item in items:
            if not item.stored.done():
                item.stored.set_result(None)
        self._oldest_at = self._clock.now() if self._items else None
        if batch.snapshots:
            await self._tidy()
        return True

    def _next(self) -> tuple[list[_Item], list[_Item]]:
        """Return the items of the next batch, and the rest. What failed alone goes last: it must not hold up the others."""
        self._items.sort(key=lambda item: (item.failed_alone > 0, item.job.level is not Level.CRITICAL))
        urgent = sum(item.failed_alone == 0 and item.job.level is Level.CRITICAL for item in self._items)
        size = min(self._size, urgent or self._size)
        return self._items[:size], self._items[size:]

    async def _tidy(self) -> None:
        """Join the day's small files while it runs. What fails here costs readers time, not rows: the sweep tries again."""
        try:
            async with self._turn:
                await asyncio.to_thread(self._lake.tidy)
        except (GexdeskError, OSError) as error:
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
