"""Remember which files were handed over, across restarts."""

import json
import os
import threading
from collections.abc import Collection
from pathlib import Path

from gexdesk.sources.files import Version

_KEPT_VANISHED = 10_000
_COMPACT_AFTER = 10_000


class Delivered:
    """Keep the last handed-over version of each name, one JSON line each.

    A line is written after the acknowledgement and not synced: a killed process loses none, a power cut may lose the
    last ones, and then those files are handed over again. Of names that are no longer in the folder the newest 10,000
    are kept: a folder that is not mounted for a moment looks empty.

    Args:
        path: The file; made with mode 0600 when first needed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._versions: dict[str, Version] = {}
        self._appended = 0
        self._torn = False
        # Loading and compacting run on threads, which a cancelled run leaves behind.
        self._lock = threading.Lock()

    def load(self) -> None:
        """Take over what the file holds, skipping lines that a crash or a hand spoilt.

        Raises:
            OSError: It is there and cannot be read.
        """
        with self._lock:
            try:
                lines = self._path.read_bytes().splitlines()
            except FileNotFoundError:
                return
            versions: dict[str, Version] = {}
            for line in lines:
                try:
                    name, inode, size, mtime_ns = json.loads(line)
                except (ValueError, TypeError):
                    continue
                if isinstance(name, str) and all(isinstance(n, int) for n in (inode, size, mtime_ns)):
                    versions.pop(name, None)  # to the newest place
                    versions[name] = Version(inode, size, mtime_ns)
            self._versions = versions

    def holds(self, name: str, version: Version) -> bool:
        """Say whether this very version of the file was handed over."""
        return self._versions.get(name) == version

    def add(self, name: str, version: Version) -> None:
        """Remember a version.

        Raises:
            OSError: It could not be written; it is remembered in this process all the same.
        """
        with self._lock:
            self._versions.pop(name, None)
            self._versions[name] = version
            self._appended += 1
            # After a line that the disk cut short, begin one of our own.
            data = ("\n" * self._torn + json.dumps([name, *version]) + "\n").encode()
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._torn = True
                self._torn = os.write(opened, data) < len(data)
            finally:
                os.close(opened)

    @property
    def grown(self) -> bool:
        """Say whether so much was added that compacting is worth it."""
        return self._appended >= _COMPACT_AFTER

    def compact(self, present: Collection[str]) -> None:
        """Write one line for each name that is there and for the newest 10,000 that are not.

        Raises:
            OSError: It could not be written; the old file stands.
        """
        with self._lock:
            self._appended = 0
            vanished = [name for name in self._versions if name not in present]
            for name in vanished[: max(0, len(vanished) - _KEPT_VANISHED)]:
                del self._versions[name]
            if not self._path.exists():
                return
            new = self._path.with_name(self._path.name + ".new")
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w", encoding="ascii") as file:
                file.writelines(json.dumps([name, *version]) + "\n" for name, version in self._versions.items())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            self._torn = False
