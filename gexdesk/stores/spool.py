"""Keep payloads: the desk's receipt log. What ``keep`` returned is synced, and is found again after any crash.

Small bodies go into segment files, many to one sync (group commit): one thread takes everything that waits, compresses it,
appends it and syncs once. Bodies over the size gate are compressed and written to files of their own by two other threads, so
that a 13 MB chain delays no small document, and are then named by a record like any other; what is urgent has a third thread
for itself. A process never appends to a
segment of an earlier one, so a torn tail stays where it is and harms nothing.

    spool/segments/00000001.seg    records, see ``spool_record``
    spool/segments/00000001.done   every payload in that segment was finished with
    spool/large/<payload id>       one body

Retention removes whole segments with their files; a payload that is pinned or not finished with keeps its segment.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import isfinite
from pathlib import Path
from secrets import token_hex

from msgspec import Struct

from gexdesk.model.clock import Clock
from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Arrival, Payload, PayloadRef
from gexdesk.stores.durable import make_folder
from gexdesk.stores.spool_record import Gap, Header, Record, read_payload, walk
from gexdesk.stores.spool_writer import Outcome, Segment, SpoolWriter, Waiting, ref_of, write_large

__all__ = ["Spool", "Sweep", "read_payload"]


class Sweep(Struct, frozen=True):
    """Report what retention did.

    Attributes:
        removed: Payloads removed.
        freed_bytes, held_bytes: On disk, removed and still there.
        blocked_segments: Segments that were due but hold something pinned or unfinished.
    """

    removed: int
    freed_bytes: int
    held_bytes: int
    blocked_segments: int


class Spool:
    """Keep payloads, find them again, and let old ones go.

    Memory: about 300 bytes for each payload that is retained and not yet forgotten, and nothing for the others.

    Attributes:
        gaps: What the last ``scan`` could not read: torn tails and damaged regions, skipped up to the next record.
    """

    def __init__(self, folder: Path, *, clock: Clock, gate_bytes: int = 65_536, segment_bytes: int = 64 * 2**20) -> None:
        """Prepare a spool in ``folder``; bodies over ``gate_bytes`` get files of their own."""
        self.gaps: list[Gap] = []
        self._clock = clock
        self._gate_bytes = gate_bytes
        self._segment_bytes = segment_bytes
        self._segments_folder = folder / "segments"
        self._large_folder = folder / "large"
        self._segments: dict[int, Segment] = {}
        self._where: dict[str, tuple[Segment, PayloadRef]] = {}
        self._boot = token_hex(4)
        self._count = 0
        self._writer: SpoolWriter | None = None

    async def open(self) -> None:
        """Create or open the folder; what is in it is read by ``scan`` only.

        Raises:
            StoreError: The folder cannot be used.
        """
        try:
            next_number = await asyncio.to_thread(self._look_around)
        except OSError as error:
            raise StoreError(f"the spool in {self._segments_folder.parent} cannot be opened: {error}") from error
        self._large = ThreadPoolExecutor(2, thread_name_prefix="spool-large")
        self._urgent = ThreadPoolExecutor(1, thread_name_prefix="spool-urgent")
        self._writer = SpoolWriter(self._segments_folder, self._large_folder, next_number, self._segment_bytes, self._settle)

    async def close(self) -> None:
        """Write what was handed over and let go of the files."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.to_thread(self._large.shutdown)
            await asyncio.to_thread(self._urgent.shutdown)
            await asyncio.to_thread(writer.close)
            self._seal_all()

    async def keep(self, arrival: Arrival, *, urgent: bool = False) -> tuple[Payload, PayloadRef]:
        """Keep a payload; it is synced when this returns.

        Args:
            urgent: It waits for no large body but another urgent one.

        Raises:
            StoreError: It could not be written (disk full); nothing of it counts, and the spool can be used again.
        """
        writer = self._writer
        if writer is None:
            raise StoreError(f"the spool in {self._segments_folder.parent} is closed; the payload was not kept")
        loop = asyncio.get_running_loop()
        payload_id = self._new_id(arrival.received_at)
        header = None
        if len(arrival.body) > self._gate_bytes:
            threads = self._urgent if urgent else self._large
            writing = loop.run_in_executor(threads, write_large, self._large_folder, payload_id, arrival)
            try:
                header = await asyncio.shield(writing)
            except asyncio.CancelledError:
                writing.add_done_callback(self._abandon)  # the thread writes on; nobody was told of what it writes
                raise
            except OSError as error:
                size = len(arrival.body)
                raise StoreError(f"a payload of {size} bytes could not be kept in {self._large_folder}: {error}") from error
        waiting = Waiting(payload_id, arrival, header, loop.create_future())
        try:
            writer.append(waiting)
            return await waiting.kept
        except StoreError:
            if header is not None:
                self._remove_large(header)
            raise

    def _abandon(self, writing: "asyncio.Future[Header]") -> None:
        if not writing.cancelled() and writing.exception() is None:
            self._remove_large(writing.result())

    def _remove_large(self, header: Header) -> None:
        with suppress(OSError):
            (self._large_folder / header.file).unlink()

    async def keep_together(self, arrivals: Sequence[Arrival]) -> list[tuple[Payload, PayloadRef]]:
        """Keep several payloads with one sync, in their order, all or none; no body may be over the gate.

        Raises:
            StoreError: They could not be written; none of them counts.
        """
        writer = self._writer
        if writer is None:
            raise StoreError(f"the spool in {self._segments_folder.parent} is closed; the payloads were not kept")
        if any(len(arrival.body) > self._gate_bytes for arrival in arrivals):
            raise ValueError(f"only bodies up to {self._gate_bytes} bytes are kept together")
        future = asyncio.get_running_loop().create_future
        group = [Waiting(self._new_id(arrival.received_at), arrival, None, future()) for arrival in arrivals]
        writer.append(*group)
        found = await asyncio.gather(*(waiting.kept for waiting in group), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return [one for one in found if not isinstance(one, BaseException)]

    def find(self, payload_id: str) -> tuple[Payload, PayloadRef]:
        """Return a retained payload with where it lies, from its segment: slow, for a thread.

        Raises:
            StoreError: No such payload is retained.
        """
        for segment in reversed(tuple(self._segments.values())):
            if segment.high and not segment.low <= payload_id <= segment.high:
                continue
            for item in self._records(segment):
                if isinstance(item, Record) and item.header.payload.payload_id == payload_id:
                    return item.header.payload, self._ref_of(segment, item)
        raise StoreError(f"payload {payload_id} is not in the spool; retention removed it, or it was never kept")

    @property
    def unfinished(self) -> int:
        """Return how many payloads nobody has finished with."""
        return len(self._where)

    def size_bytes(self) -> int:
        """Return what all payloads take on disk: for a thread."""
        return sum(_size(path) for folder in (self._segments_folder, self._large_folder) for path in folder.iterdir())

    def pins(self, payload_id: str) -> bool:
        """Say whether a payload's bytes stay whatever their age, since nobody has finished with it."""
        return payload_id in self._where

    def forget(self, payload_id: str) -> None:
        """Note that a payload is finished with: it costs no memory any more and retention may take it."""
        found = self._where.pop(payload_id, None)
        if found is not None:
            found[0].live -= 1
            self._mark_done(found[0])

    def scan(self, *, done: bool = True) -> Iterator[tuple[Payload, PayloadRef]]:
        """Yield what is retained, in order of arrival: slow, for a thread, one at a time.

        Payloads found for the first time by this process count as unfinished until they are forgotten. Those are of segments that
        earlier processes wrote, which nobody else touches before they were walked: the loop may keep and forget meanwhile.

        Args:
            done: Also read segments in which everything was finished with; leave them out to start fast.
        """
        self.gaps = []
        held: list[tuple[Payload, PayloadRef]] = []
        for segment in tuple(self._segments.values()):
            is_done = segment.done.exists()
            if is_done and not done:
                continue
            found: list[tuple[Payload, PayloadRef]] = []
            for item in self._records(segment):
                if isinstance(item, Gap):
                    self.gaps.append(item)
                    continue
                payload, ref = item.header.payload, self._ref_of(segment, item)
                found.append((payload, ref))
                if not segment.counted and not is_done and payload.payload_id not in self._where:
                    self._where[payload.payload_id] = (segment, ref)
                    segment.live += 1
            segment.counted = True
            self._mark_done(segment)
            # A large body is recorded when it is written, maybe in the next segment: hold back what may come after it.
            found.sort(key=_id)
            if found:
                first = found[0][0].payload_id
                yield from (item for item in held if item[0].payload_id < first)
                held = sorted([item for item in held if item[0].payload_id >= first] + found, key=_id)
        yield from held

    async def retain(self, max_age_s: float = 2 * 86_400.0, max_bytes: int = 20 * 10**9) -> Sweep:
        """Remove whole segments that are too old, or the oldest ones while the spool is too large.

        A segment stays while anything in it was not forgotten, or was not yet scanned by this process.

        Raises:
            StoreError: A file cannot be read or removed.
        """
        try:
            return await asyncio.to_thread(self._sweep, self._clock.now() - max_age_s, max_bytes)
        except OSError as error:
            raise StoreError(f"the spool in {self._segments_folder.parent} could not be swept: {error}") from error

    def _new_id(self, received_at: float) -> str:
        at = received_at if isfinite(received_at) and received_at > 0 else self._clock.now()
        self._count += 1
        return f"{_id_at(at)}-{self._count:08x}-{self._boot}"

    def _ref_of(self, segment: Segment, record: Record) -> PayloadRef:
        return ref_of(record.header, segment.path, record.body_at, self._large_folder)

    def _records(self, segment: Segment) -> Iterator[Record | Gap]:
        """Walk a segment up to what is synced: the writer may be appending to it, or cutting it back."""
        for item in walk(segment.path, segment.size):
            if isinstance(item, Record):
                segment.holds(item.header.payload.payload_id)
            yield item

    def _mark_done(self, segment: Segment) -> None:
        if segment.counted and segment.sealed and not segment.live:
            with suppress(OSError):  # a hint only: without it the next start reads the segment
                os.close(os.open(segment.done, os.O_WRONLY | os.O_CREAT, 0o600))

    def _settle(self, segment: Segment | None, group: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
        if segment is not None and segment.number not in self._segments:
            self._seal_all()
            self._segments[segment.number] = segment
        for waiting, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, StoreError):
                if not waiting.kept.done():
                    waiting.kept.set_exception(outcome)
                elif waiting.header is not None:
                    self._remove_large(waiting.header)  # who kept it was cancelled, and cannot remove it
            elif segment is not None:
                segment.live += 1
                segment.holds(waiting.payload_id)
                self._where[waiting.payload_id] = (segment, outcome[1])
                if not waiting.kept.done():
                    waiting.kept.set_result(outcome)

    def _seal_all(self) -> None:
        # Here and not where the writer turns to the next file: by now everything that was written is counted in ``live``.
        for segment in tuple(self._segments.values()):
            if not segment.sealed:
                segment.sealed = True
                self._mark_done(segment)

    # ---- in threads ----

    def _look_around(self) -> int:
        for folder in (self._segments_folder, self._large_folder):
            make_folder(folder)
        self._segments = {}
        paths = [path for path in self._segments_folder.glob("*.seg") if path.stem.isdecimal()]
        for path in sorted(paths, key=_number):
            self._segments[_number(path)] = Segment(_number(path), path, path.stat().st_size)
        self._remove_orphans()
        return max(self._segments, default=0) + 1

    def _remove_orphans(self) -> None:
        """Remove bodies that were written as the last process died, before a record named them: nobody was told of them."""
        last = list(self._segments.values())[-2:]
        items = list(self._records(last[-1])) if last else []
        named = {item.header.file for item in items if isinstance(item, Record)}
        # A record in a damaged part may name any body: better a stray file than a lost payload.
        whole = not any(isinstance(item, Gap) for item in items)
        since = last[0].path.stat().st_mtime if len(last) == 2 else 0.0
        for path in self._large_folder.iterdir():
            if path.suffix == ".tmp" or (whole and path.name not in named and path.stat().st_mtime > since):
                path.unlink()

    def _sweep(self, oldest: float, max_bytes: int) -> Sweep:
        held = self.size_bytes()
        removed = freed = blocked = 0
        for segment in [segment for segment in tuple(self._segments.values()) if segment.sealed]:
            records = None if segment.high else self._read(segment)
            newest = segment.high or _id_at(segment.path.stat().st_mtime)  # nothing in it can be read: as old as its last write
            if newest >= _id_at(oldest) and held - freed <= max_bytes:
                break
            if segment.live or not (segment.counted or segment.done.exists()):
                blocked += 1
                continue
            records = self._read(segment) if records is None else records
            freed += self._remove(segment, records)
            removed += len(records)
        return Sweep(removed, freed, held - freed, blocked)

    def _read(self, segment: Segment) -> list[Record]:
        return [item for item in self._records(segment) if isinstance(item, Record)]

    def _remove(self, segment: Segment, records: Sequence[Record]) -> int:
        """Remove a segment, its files first: what a crash leaves half removed is still a segment, and is removed next time."""
        freed = 0
        files = [self._large_folder / record.header.file for record in records if record.header.file]
        for path in (*files, segment.path, segment.done):
            freed += _size(path)
            path.unlink(missing_ok=True)
        del self._segments[segment.number]
        return freed


def _id(item: tuple[Payload, PayloadRef]) -> str:
    return item[0].payload_id


def _id_at(received_at: float) -> str:
    return f"{int(max(0.0, received_at) * 1e9):016x}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # a temporary file that has its name by now, or a done mark that was never set
        return 0


def _number(path: Path) -> int:
    return int(path.stem)
