"""Look at the files of a folder that anybody may write to, and read one safely."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Version(NamedTuple):
    """Tell one content of a file from another without reading it."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, seen: os.stat_result) -> "Version":
        """Take the version from a stat."""
        return cls(seen.st_ino, seen.st_size, seen.st_mtime_ns)


class FileChanged(Exception):
    """The file is no longer the one that was looked at."""


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


def read(path: Path, version: Version) -> bytes:
    """Return the bytes of this very version of a regular file.

    Raises:
        FileChanged: It is another file or content by now, or changed while it was read.
        OSError: It cannot be read.
    """
    # Whatever took its place meanwhile: no link is followed, no pipe blocks.
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        seen = os.fstat(opened)
        if not stat.S_ISREG(seen.st_mode) or Version.of(seen) != version:
            raise FileChanged
        with open(opened, "rb", closefd=False) as file:
            body = file.read(version.size + 1)  # one more: it may have grown
        if len(body) != version.size or Version.of(os.fstat(opened)) != version:
            raise FileChanged
        return body
    finally:
        os.close(opened)
