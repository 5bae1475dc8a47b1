"""Note each claim in a small file before the job runs, without waiting for a sync.

A claim must not be forgotten when the process is killed, or a job that kills its worker would be tried for ever; but CRITICAL
must not wait for the disk either. So the number of the attempt goes into a ring of 16-byte slots in the page cache, which
survives ``kill -9`` and costs a microsecond. A power cut may lose the last notes: such a job is tried once more, no harm.
The file is filled with zeros first, so that a claim needs no new space: a full disk does not stop the work.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

_SLOT = struct.Struct("<QII")  # arrival number, attempt, checksum of both
_NOTE = struct.Struct("<QI")
_CRC = struct.Struct("<I")
_SLOTS = 16_384


class AttemptNotes:
    """Hold the notes of one queue; older ones are overwritten once nobody holds the job any more."""

    def __init__(self, path: Path, held: Callable[[], Iterable[tuple[int, int]]]) -> None:
        """Prepare; ``held`` gives arrival number and attempt of every job that is claimed at the moment."""
        self._path = path
        self._held = held
        self._fd = -1
        self._lock = -1
        self._at = 0
        self._slots = _SLOTS

    def open(self) -> dict[int, int]:
        """Open or create the file, for this queue alone; return the last noted attempt by arrival number.

        Raises:
            BlockingIOError: Another queue, here or in another process, has it open.
            OSError: It cannot be opened.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until `release`, or its process ends in whatever way
            self._lock = os.dup(self._fd)
        except OSError:
            self.close()
            raise
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        noted: dict[int, int] = {}
        for at in range(0, len(data) - _SLOT.size + 1, _SLOT.size):
            seq, attempt, crc = _SLOT.unpack_from(data, at)
            if attempt and crc == zlib.crc32(_NOTE.pack(seq, attempt)):
                noted[seq] = max(attempt, noted.get(seq, 0))
        return noted

    def clear(self) -> None:
        """Forget everything noted before and make room. Raises OSError."""
        self._at, self._slots = 0, _SLOTS
        self._write(bytes(_SLOTS * _SLOT.size), 0)
        os.ftruncate(self._fd, _SLOTS * _SLOT.size)
        os.fsync(self._fd)  # arrival numbers are given again after a restart: old notes must not come back

    def note(self, seq: int, attempt: int) -> None:
        """Note an attempt. Raises OSError."""
        if self._at >= self._slots:
            self._copy_held()
        self._write(_pack(seq, attempt), self._at * 16)
        self._at += 1

    def begin_again(self) -> None:
        """Forget what is noted of jobs that nobody holds. Raises OSError."""
        self._copy_held()
        self._write(bytes((self._slots - self._at) * _SLOT.size), self._at * _SLOT.size)

    def close(self) -> None:
        """Take no more notes; the queue is still ours."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def release(self) -> None:
        """Let others have the queue."""
        self.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _copy_held(self) -> None:
        notes = b"".join(_pack(seq, attempt) for seq, attempt in self._held())
        self._write(notes, 0)
        self._at = len(notes) // _SLOT.size
        self._slots = max(_SLOTS, 2 * self._at)

    def _write(self, data: bytes, offset: int) -> None:
        if self._fd < 0:
            raise OSError(f"{self._path} is closed")
        written = os.pwrite(self._fd, data, offset)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes could be written to {self._path}")


def _pack(seq: int, attempt: int) -> bytes:
    note = _NOTE.pack(seq, attempt)
    return note + _CRC.pack(zlib.crc32(note))
