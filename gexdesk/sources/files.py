"""Look at the files of a folder that anybody may write to, and read one safely."""

import fcntl
import os
import signal
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_MOUNTS = Path("/proc/self/mountinfo")
# There EAGAIN may as well mean that the server has lent us nothing: nobody need be writing.
_LEASE_FROM_SERVER = ("nfs", "nfs4", "cifs", "smb3")


class Version(NamedTuple):
    """Tell one content of a file from another without reading it."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, seen: os.stat_result) -> "Version":
        """Take the version from a stat."""
        return cls(seen.st_ino, seen.st_size, seen.st_mtime_ns)


class Sighting(NamedTuple):
    """Tell whether anything was done to a file; ``ctime_ns`` moves on with every write, also where mtime is set back."""

    version: Version
    ctime_ns: int

    @classmethod
    def of(cls, seen: os.stat_result) -> "Sighting":
        """Take the sighting from a stat."""
        return cls(Version.of(seen), seen.st_ctime_ns)


class FileChanged(Exception):
    """The file is no longer the one that was looked at."""


class StillOpen(Exception):
    """A process has the file open for writing."""


class WriterUnknown(Exception):
    """The kernel does not tell us whether a process has the file open for writing."""


def look(folder: Path, names: Iterable[str]) -> dict[str, os.stat_result | None]:
    """Stat names without following links; None for those that are gone. Names still in writing are left out."""
    found: dict[str, os.stat_result | None] = {}
    for name in names:
        if name.startswith(".") or name.endswith((".tmp", ".part", "~")):
            continue
        try:
            found[name] = os.lstat(folder / name)
        except OSError:
            found[name] = None
    return found


def look_at_all(folder: Path) -> tuple[tuple[int, int], dict[str, os.stat_result | None]]:
    """Return the folder's (device, inode), which change when another takes its place, and a ``look`` at all it holds.

    Raises:
        OSError: It is missing, no folder, or may not be read.
    """
    seen = os.stat(folder)
    return (seen.st_dev, seen.st_ino), look(folder, os.listdir(folder))


def read(path: Path, sighting: Sighting, *, blind: bool) -> bytes:
    """Return the bytes of a regular file that nothing was done to since it was sighted, and that nobody is writing.

    Args:
        path: The file.
        sighting: What it has to be still, before and after.
        blind: Read it also where the kernel does not tell whether somebody has it open for writing.

    Raises:
        FileChanged: It is another file or content by now, or changed while it was read.
        StillOpen: A process has it open for writing.
        WriterUnknown: Whether one has cannot be told, and ``blind`` is not set.
        OSError: It cannot be read.
    """
    # Whatever took its place meanwhile: no link is followed, no pipe blocks.
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        seen = os.fstat(opened)
        if not stat.S_ISREG(seen.st_mode):
            raise FileChanged
        written = _open_for_writing(opened, seen.st_dev)
        if written:
            raise StillOpen
        # After the question: what a writer did before it let go shows here.
        if Sighting.of(os.fstat(opened)) != sighting:
            raise FileChanged
        if written is None and not blind:
            raise WriterUnknown
        size = sighting.version.size
        with open(opened, "rb", closefd=False) as file:
            body = file.read(size + 1)  # one more: it may have grown
        if len(body) != size or Sighting.of(os.fstat(opened)) != sighting:
            raise FileChanged
        return body
    finally:
        os.close(opened)


def _open_for_writing(opened: int, device: int) -> bool | None:
    """Say whether any process has this file open, or mapped, for writing; None where the kernel does not tell.

    A read lease is refused with EAGAIN while there is a writer (fcntl(2), "Leases"). Only the file's owner may ask, and
    not every file system answers. The lease is let go at once; a writer that opens the file in that moment waits for it.
    """
    if sys.platform != "linux":
        return None
    try:
        # Such a writer raises a signal here: SIGIO, unless another is asked for, and that one ends the process.
        fcntl.fcntl(opened, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return None if _file_system(device) in _LEASE_FROM_SERVER else True
    except OSError:  # EACCES: not ours; EINVAL, ENOLCK: not here
        return None
    fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _file_system(device: int) -> str:
    """Return the type of a mounted file system, e.g. ``ext4``; "" where it is not listed."""
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    try:
        for line in _MOUNTS.read_bytes().splitlines():
            mount, _, rest = line.partition(b" - ")
            if mount.split()[2] == wanted:
                return os.fsdecode(rest.split()[0])
    except (OSError, IndexError):
        pass
    return ""
