"""Append payloads to segment files: one thread, one sync for everything that waits."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import zstandard
from msgspec import Struct

from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Arrival, Payload, PayloadRef
from gexdesk.stores.durable import sync_folder, write_durably
from gexdesk.stores.spool_record import FILE_BODY_AT, Header, pack, pack_file

_LEVEL = 1
Outcome = tuple[Payload, PayloadRef] | StoreError


class Segment(Struct, eq=False):
    """Know a segment file.

    Attributes:
        size: Bytes that are synced; nothing beyond counts.
        sealed: Nothing will be appended any more.
        counted: Whether ``live`` is right: the segment was written or scanned by this process.
        live: Payloads in it that were not forgotten.
        low, high: Least and greatest payload id in it; empty while not known.
    """

    number: int
    path: Path
    size: int = 0
    sealed: bool = True
    counted: bool = False
    live: int = 0
    low: str = ""
    high: str = ""

    @property
    def done(self) -> Path:
        """Return the file that marks a segment in which everything was finished with."""
        return self.path.with_suffix(".done")

    def holds(self, payload_id: str) -> None:
        """Widen the range of ids."""
        self.low = min(self.low or payload_id, payload_id)
        self.high = max(self.high, payload_id)


class Waiting(Struct, eq=False):
    """Hold a payload on its way into a segment; ``header`` is there where its body is stored in a file of its own."""

    payload_id: str
    arrival: Arrival
    header: Header | None
    kept: asyncio.Future[tuple[Payload, PayloadRef]]


Settle = Callable[[Segment | None, Sequence[Waiting], Sequence[Outcome]], None]


class SpoolWriter:
    """Own the segment that is being written."""

    def __init__(self, folder: Path, large: Path, next_number: int, segment_bytes: int, settle: Settle) -> None:
        """Prepare; ``settle(segment, group, outcomes)`` is called on the event loop after each group."""
        self._folder = folder
        self._large = large
        self._next_number = next_number
        self._segment_bytes = segment_bytes
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Waiting] = []
        self._wake = threading.Condition()
        self._closing = False
        self._segment: Segment | None = None
        self._fd = -1
        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def append(self, *waiting: Waiting) -> None:
        """Take payloads into the next group, all into the same one.

        Raises:
            StoreError: The spool is closed.
        """
        with self._wake:
            if self._closing:
                raise StoreError(f"the spool in {self._folder} is closed; the payload was not kept")
            self._waiting += waiting
            self._wake.notify()

    def close(self) -> None:
        """Write what waits and end; blocks."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    self._wake.wait()
                group, self._waiting = self._waiting, []
            if not group:
                break
            outcomes = self._write(group)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._settle, self._segment, group, outcomes)
        self._seal()

    def _write(self, group: Sequence[Waiting]) -> list[Outcome]:
        try:
            segment = self._segment_to_write()
        except OSError as error:
            return [self._refusal(error) for _ in group]
        outcomes: list[Outcome] = []
        records: list[bytes] = []
        size = segment.size
        for waiting in group:
            try:
                header, body = _stored(waiting, self._compress)
                record, body_at = pack(header, body)
            except Exception as error:  # one that cannot be written down must not take the others with it
                outcomes.append(self._refusal(error))
                continue
            outcomes.append((header.payload, ref_of(header, segment.path, size + body_at, self._large)))
            records.append(record)
            size += len(record)
        failure = self._append(segment, b"".join(records), size)
        return outcomes if failure is None else [self._refusal(failure) for _ in group]

    def _append(self, segment: Segment, data: bytes, size: int) -> OSError | None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            try:
                os.ftruncate(self._fd, segment.size)
            except OSError:
                self._seal()  # half a record at its end does no harm there
            return error
        try:
            os.fsync(self._fd)
        except OSError as error:
            # What a failed sync left on the disk is anybody's guess, and a second sync would not tell: use this file no more.
            with suppress(OSError):
                os.ftruncate(self._fd, segment.size)
            self._seal()
            return error
        segment.size = size
        return None

    def _segment_to_write(self) -> Segment:
        if self._segment is not None and self._segment.size >= self._segment_bytes:
            self._seal()
        if self._segment is None:
            path = self._folder / f"{self._next_number:08d}.seg"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            try:
                sync_folder(self._folder)
            except OSError:
                os.close(fd)
                with suppress(OSError):
                    path.unlink()
                raise
            self._fd = fd
            self._segment = Segment(self._next_number, path, sealed=False, counted=True)
            self._next_number += 1
        return self._segment

    def _seal(self) -> None:
        if self._segment is not None:
            self._segment = None
            os.close(self._fd)

    def _refusal(self, error: Exception) -> StoreError:
        return StoreError(f"the payload could not be kept in {self._folder}: {error}; nothing of it counts, try again")


def write_large(folder: Path, payload_id: str, arrival: Arrival) -> Header:
    """Write a body to a file of its own, synced, and return the header of its record.

    Raises:
        OSError: Nothing was left behind.
    """
    header, body = _describe(payload_id, arrival, zstandard.ZstdCompressor(level=_LEVEL).compress, payload_id)
    write_durably(folder / payload_id, pack_file(body))
    return header


def ref_of(header: Header, segment: Path, offset: int, large: Path) -> PayloadRef:
    """Say where the body of a record lies; ``offset`` is where it starts in the segment."""
    if header.file:
        return PayloadRef(str(large / header.file), FILE_BODY_AT, header.stored_bytes, header.zstd)
    return PayloadRef(str(segment), offset, header.stored_bytes, header.zstd)


def _stored(waiting: Waiting, compress: Callable[[bytes], bytes]) -> tuple[Header, bytes]:
    if waiting.header is not None:
        return waiting.header, b""
    return _describe(waiting.payload_id, waiting.arrival, compress, "")


def _describe(payload_id: str, arrival: Arrival, compress: Callable[[bytes], bytes], file: str) -> tuple[Header, bytes]:
    body = arrival.body
    small = compress(body)
    packed = len(small) < len(body)  # what came compressed would only grow
    stored = small if packed else body
    payload = Payload(
        payload_id,
        arrival.source,
        arrival.received_at,
        hashlib.sha256(body).hexdigest(),
        len(body),
        arrival.content_type,
        arrival.name,
        arrival.time_shift_s,
        arrival.asked,
    )
    return Header(payload, file, len(stored), packed), stored
