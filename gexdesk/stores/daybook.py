"""Keep one document a minute for days: a file a day, appended, synced, bounded; a torn end costs the last minute alone."""

import contextlib
import os
import re
import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gexdesk.model.errors import StoreError
from gexdesk.stores.deltas import Delta, Deltas, restored
from gexdesk.stores.durable import make_folder, sync_folder

WHOLE_EVERY = 60
SET_BACK_S = 600.0
"""A clock that goes back by less is waited for; by more, the order begins anew."""

_HEAD = struct.Struct("<2sBdII")
"""Of each document: mark, whether it is whole, its time, length and CRC-32 of its bytes."""
_MARK = b"GD"
_NAME = re.compile(r"\d{8}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Say where a document lies, and where the whole one lies that it needs."""

    at: float
    path: Path
    offset: int
    whole_offset: int


class Daybook:
    """Own the files ``<name>-<day>.log`` of one folder; used by one thread at a time.

    Args:
        keep_days, keep_bytes: Whole days beyond either are removed, the oldest first; the present one stays.
    """

    def __init__(self, folder: Path, name: str, *, keep_days: int, keep_bytes: int) -> None:
        self._folder = folder
        self._name = name
        self._keep_days = keep_days
        self._keep_bytes = keep_bytes
        self._places: list[_Place] = []
        self._deltas = Deltas(WHOLE_EVERY)
        self._whole: tuple[Path, int] | None = None
        self._unchecked: set[Path] = set()

    def open(self) -> None:
        """Find what is there and cut off a torn end. Raises StoreError where the folder cannot be used."""
        try:
            make_folder(self._folder)
            files = self._files()
            for path in files:
                self._scan(path, torn=path == files[-1])
            self._unchecked = set(files[:-1])
        except OSError as error:
            raise StoreError(f"the history {self._folder.name} cannot be opened: {error.strerror}") from error

    def add(self, at: float, document: bytes) -> None:
        """Append a document; synced when it returns.

        A clock that was set back a little does not disturb the order. By more, one of the two was wrong and nobody knows which: the
        order begins anew, and what is stamped later than this document is left in its file, to be found again at the next start.

        Raises:
            StoreError: It could not be written; nothing was changed.
        """
        last = self._places[-1].at if self._places else at
        at = last if at < last <= at + SET_BACK_S else at
        path = self._folder / f"{self._name}-{datetime.fromtimestamp(at, UTC):%Y%m%d}.log"
        if self._whole is None or self._whole[0] != path:
            self._deltas.begin_anew()
        delta = self._deltas.add(document)
        head = _HEAD.pack(_MARK, delta.whole, at, len(delta.data), zlib.crc32(delta.data))
        try:
            if path in self._unchecked:  # the clock was ahead when it was last written to, so it may be torn as the last one may
                self._unchecked.discard(path)
                self._places = [place for place in self._places if place.path != path]
                self._scan(path, torn=True)
            fresh = not path.exists()
            offset = _append(path, head + delta.data)
            if fresh:
                sync_folder(self._folder)
            self._drop(path)
        except OSError as error:
            self._deltas.begin_anew()
            raise StoreError(f"the history could not be written: {error.strerror}") from error
        if delta.whole or self._whole is None:
            self._whole = path, offset
        self._place(_Place(at, path, offset, self._whole[1]))

    def times(self) -> list[float]:
        """Return when documents were kept, ascending."""
        return [place.at for place in self._places]

    def read(self, at: float) -> bytes | None:
        """Return the last document kept by then; None where there is none. Raises StoreError where it is damaged."""
        index = bisect_right(self._places, at, key=lambda place: place.at) - 1
        if index < 0:
            return None
        place = self._places[index]
        try:
            with place.path.open("rb") as file:
                whole = _read(file.fileno(), place.whole_offset)
                delta = whole if place.whole_offset == place.offset else _read(file.fileno(), place.offset)
        except OSError as error:
            raise StoreError(f"the history {place.path.name} cannot be read: {error.strerror}") from error
        if whole is None or delta is None:
            raise StoreError(f"the history {place.path.name} is damaged at byte {place.offset:,}")
        return restored(delta, whole)

    def size_bytes(self) -> int:
        """Return what all files take."""
        return sum(path.stat().st_size for path in self._files())

    def _files(self) -> list[Path]:
        found = self._folder.glob(f"{self._name}-*.log")
        return sorted(path for path in found if _NAME.fullmatch(path.stem.removeprefix(f"{self._name}-")))

    def _scan(self, path: Path, *, torn: bool) -> None:
        """Find the documents of one file; one that may be torn is checked to the byte, and cut off after the last good one."""
        whole_offset: int | None = None
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size, offset = os.fstat(fd).st_size, 0
            while offset < size:
                head = os.pread(fd, _HEAD.size, offset)
                if len(head) < _HEAD.size:
                    break
                mark, whole, at, length, _ = _HEAD.unpack(head)
                end = offset + _HEAD.size + length
                if mark != _MARK or end > size or (torn and _read(fd, offset) is None):
                    break
                if whole:
                    whole_offset = offset
                if whole_offset is not None:
                    self._place(_Place(at, path, offset, whole_offset))
                offset = end
            if torn and offset < size:
                os.ftruncate(fd, offset)
                os.fsync(fd)
        finally:
            os.close(fd)

    def _place(self, place: _Place) -> None:
        """Put a document last in the order; those stamped later are in it no more."""
        while self._places and self._places[-1].at > place.at:
            self._places.pop()
        self._places.append(place)

    def _drop(self, present: Path) -> None:
        """Remove the oldest files beyond the bounds."""
        others, sizes = [path for path in self._files() if path != present], present.stat().st_size
        sizes += sum(path.stat().st_size for path in others)
        while others and (len(others) >= self._keep_days or sizes > self._keep_bytes):
            oldest = others.pop(0)
            sizes -= oldest.stat().st_size
            self._remove(oldest)

    def _remove(self, path: Path) -> None:
        path.unlink()
        self._places = [place for place in self._places if place.path != path]


def _append(path: Path, data: bytes) -> int:
    """Append all of it or nothing, synced; returns where it begins. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        start = os.fstat(fd).st_size
        try:
            if os.write(fd, data) != len(data):
                raise OSError(28, "No space left on device")
            os.fsync(fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, start)
            raise
        return start
    finally:
        os.close(fd)


def _read(fd: int, offset: int) -> Delta | None:
    """Return the document at an offset; None where it is damaged."""
    head = os.pread(fd, _HEAD.size, offset)
    if len(head) < _HEAD.size:
        return None
    mark, whole, _, length, crc = _HEAD.unpack(head)
    data = os.pread(fd, length, offset + _HEAD.size)
    return Delta(bool(whole), data) if mark == _MARK and zlib.crc32(data) == crc else None
