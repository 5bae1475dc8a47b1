"""Keep who did what, in a log that shows when it was touched: JSON lines, each hashed with the one before.

Beside the log lies its head, ``<name>.head``: sequence and hash of the last line. A log that ends before its head was cut.
Whoever may write both files can forge both; the head's value belongs in a place of its own where that matters.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable
from gexdesk.stores.durable import make_folder, write_durably

GENESIS = "0" * 64
_TEXT_LIMIT = 2000
_TEXTS = ("actor", "act", "target", "reason", "before", "after")


class AuditLine(Struct, frozen=True):
    """Hold one act.

    Attributes:
        sequence: Counted from 1.
        at: UTC seconds.
        before, after: The target's state in words; empty where it has none.
        prev: Hash of the line before, 64 zeros for the first.
        hash: SHA-256 hex of this line's JSON with this field empty.
    """

    sequence: int
    at: float
    actor: str
    act: str
    target: str
    reason: str
    before: str
    after: str
    prev: str
    hash: str = ""


class BrokenLink(Struct, frozen=True):
    """Say which line (counted from 1) breaks the chain first, and why."""

    line: int
    why: str


class Audit:
    """Append to one log; several processes may, each append takes the file's lock.

    Args:
        path: The log; it and its folder are created owner-only when first needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, *, at: float, actor: str, act: str, target: str, reason: str, before: str = "", after: str = "") -> AuditLine:
        """Write one line and return it after it is synced.

        A line that a crash left half written is moved to ``<name>.torn`` first, and a line says so.

        Raises:
            StoreError: The log could not be written; the act must not go ahead unlogged.
        """
        try:
            make_folder(self.path.parent)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                torn = self._set_torn_aside(fd)
                if torn:
                    note = f"{torn} bytes moved to {self.path.name}.torn"
                    self._link(fd, AuditLine(0, at, "gexdesk", "set aside a torn line", self.path.name, note, "", "", ""))
                return self._link(fd, AuditLine(0, at, actor, act, target, reason, before, after, ""))
            finally:
                os.close(fd)
        except OSError as error:
            raise StoreError(f"the audit {self.path.name} could not be written: {error.strerror}; nothing was changed") from error

    def read(self, limit: int) -> list[AuditLine]:
        """Return the last lines, oldest first; lines that cannot be read are left to ``verify``. Raises StoreError."""
        last: deque[AuditLine] = deque()
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"the audit {self.path.name} cannot be read: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            end = _complete_until(fd, os.fstat(fd).st_size)
            while end > 0 and len(last) < limit:  # from the end: a log of years is as quick as one of a day
                start = _line_start(fd, end - 1)
                if (line := _decoded(fd, start, end)) is not None:
                    last.appendleft(line)
                end = start
        except OSError as error:
            raise StoreError(f"the audit {self.path.name} cannot be read: {error.strerror}") from error
        finally:
            os.close(fd)
        return list(last)

    def _link(self, fd: int, line: AuditLine) -> AuditLine:
        sequence, prev = self._end(fd)
        texts = {name: printable(getattr(line, name), _TEXT_LIMIT) for name in _TEXTS}
        line = msgspec.structs.replace(line, sequence=sequence + 1, prev=prev, **texts)
        line = msgspec.structs.replace(line, hash=_digest(line))
        data = msgspec.json.encode(line) + b"\n"
        start = os.fstat(fd).st_size
        try:
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(fd)
            write_durably(_head(self.path), msgspec.json.encode((line.sequence, line.hash)))
        except OSError:
            os.ftruncate(fd, start)
            raise
        return line

    def _end(self, fd: int) -> tuple[int, str]:
        """Return sequence and hash to go on from; a head beyond the log wins, so that a cut stays visible as a broken link."""
        last = _last_line(fd)
        tail = (0, GENESIS) if last is None else (last.sequence, last.hash)
        head = _read_head(self.path)
        return head if head is not None and head[0] > tail[0] else tail

    def _set_torn_aside(self, fd: int) -> int:
        size = os.fstat(fd).st_size
        start = _complete_until(fd, size)
        if start == size:
            return 0
        aside = self.path.with_name(self.path.name + ".torn")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as torn:
            torn.write(os.pread(fd, size - start, start) + b"\n")
            torn.flush()
            os.fsync(torn.fileno())
        os.ftruncate(fd, start)
        return size - start


def verify(path: Path) -> int | BrokenLink:
    """Check every line's hash, link and number, and that the log reaches its head.

    A last line without its newline was never acknowledged and is no break.

    Returns:
        How many lines hold together, or the first broken link. A missing log has none.

    Raises:
        StoreError: The log cannot be read.
    """
    sequence, prev = 0, GENESIS
    head = _read_head(path)
    number = 0
    with _shared(path) as lines:
        for number, raw in enumerate(lines, 1):
            try:
                line = msgspec.json.decode(raw, type=AuditLine)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                return BrokenLink(number, f"not an audit line: {printable(str(error))}")
            if line.sequence != sequence + 1:
                return BrokenLink(number, f"sequence {line.sequence} follows {sequence}: lines are missing or out of order")
            if line.prev != prev:
                return BrokenLink(number, "it does not follow from the line before: that one was changed or replaced")
            if line.hash != _digest(line) or raw != msgspec.json.encode(line):
                return BrokenLink(number, "its content does not match its hash: it was changed")
            sequence, prev = line.sequence, line.hash
            if head is not None and head[0] == sequence and head[1] != prev:
                return BrokenLink(number, "the head names another line of this number: the end was rewritten")
    if head is not None and head[0] > sequence:
        return BrokenLink(number + 1, f"the log ends at line {sequence}, its head names line {head[0]}: the end was cut off")
    if head is None and sequence > 1:
        return BrokenLink(number, f"{_head(path).name} is missing: a cut at the end could not be seen")
    return sequence


def _digest(line: AuditLine) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(line, hash=""))).hexdigest()


def _head(path: Path) -> Path:
    return path.with_name(path.name + ".head")


def _read_head(path: Path) -> tuple[int, str] | None:
    try:
        return msgspec.json.decode(_head(path).read_bytes(), type=tuple[int, str])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


@contextlib.contextmanager
def _shared(path: Path) -> Iterator[Iterator[bytes]]:
    """Open the log while nobody appends; yields its complete lines without their newline."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield (raw[:-1] for raw in file if raw.endswith(b"\n"))
    except FileNotFoundError:
        yield iter(())
    except OSError as error:
        raise StoreError(f"the audit {path.name} cannot be read: {error.strerror}") from error


def _complete_until(fd: int, size: int) -> int:
    """Return where the last line that can be read ends; what follows is torn."""
    end = size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        end = _line_start(fd, size)
    elif size and _decoded(fd, _line_start(fd, size - 1), size) is None:
        end = _line_start(fd, size - 1)
    return end


def _line_start(fd: int, end: int) -> int:
    """Return the offset just behind the last newline before ``end``."""
    while end > 0:
        start = max(0, end - 8192)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _decoded(fd: int, start: int, end: int) -> AuditLine | None:
    try:
        return msgspec.json.decode(os.pread(fd, end - start, start), type=AuditLine)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _last_line(fd: int) -> AuditLine | None:
    size = os.fstat(fd).st_size
    return _decoded(fd, _line_start(fd, size - 1), size) if size else None
