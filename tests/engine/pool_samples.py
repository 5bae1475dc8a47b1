"""Tasks for real pool processes, and a look at the processes themselves."""

import os
import struct
import zlib
from pathlib import Path

from gexdesk.engine.tasks import TriageTask
from gexdesk.model.exposure import ConventionBook
from gexdesk.model.payload import PayloadRef


def task_on(path: Path, size_bytes: int) -> TriageTask:
    """Return a task on a body that lies in a file as the spool keeps it: behind four bytes of checksum."""
    return TriageTask(PayloadRef(str(path), 4, size_bytes, False), None, 0.0, ConventionBook(), None)


def task_for(path: Path, body: bytes) -> TriageTask:
    """Keep a body at a path and return a task on it."""
    path.write_bytes(struct.pack("<I", zlib.crc32(body)) + body)
    return task_on(path, len(body))


class Gate:
    """A payload that holds its process until the test lets go: a pipe, which cannot be opened for reading before a writer comes."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path
        self.task = task_on(path, 1)

    def open(self) -> bool:
        """Let go; False while no process waits in the gate."""
        try:
            os.close(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True


def alive(pid: int) -> bool:
    """Say whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def pool_children(parent: int) -> list[int]:
    """Return the pool processes of a process, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            ours = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent
            named = b"gexdesk.engine.pool_child" in (entry / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if ours and named and alive(int(entry.name)):
            found.append(int(entry.name))
    return sorted(found)

