"""Remember which files were handed over, across restarts.

At least once: files are handed over, acknowledged, and only then remembered. A process that is killed between the
acknowledgement and the lines here hands those files over again when it is back: nothing is lost, and the engine knows them by
name and bytes. Pausing and stopping wait for both. The lines are not synced: after a power cut the last ones may be missing,
and those files are handed over again too.
"""

import itertools
import json
import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from gexdesk.sources.files import Version

_KEPT_VANISHED = 10_000
_COMPACT_AFTER = 10_000


class Delivered:
    """Keep the last handed-over version of each name, one JSON line each; with its digest where it is a file of lines.

    Of names that are no longer in the folder the newest 10,000 are kept: a folder that is not mounted for a moment looks
    empty.

    Args:
        path: The file; made with mode 0600 when first needed.

    Attributes:
        unreadable: How many of its lines a crash or a hand had spoilt when it was loaded.
    """

    def __init__(self, path: Path) -> None:
        self.unreadable = 0
        self._path = path
        self._loaded = False
        self._versions: dict[str, Version] = {}
        self._digests: dict[str, str] = {}
        self._appended = 0
        self._torn = False
        # Loading and compacting run on threads, which a cancelled run leaves behind.
        self._lock = threading.Lock()

    def load(self) -> None:
        """Take over what the file holds, once.

        Where lines cannot be read, all of the file is kept beside it as ``<name>.broken-<n>`` first: compacting drops them.

        Raises:
            OSError: It is there and cannot be read, or not be kept.
        """
        with self._lock:
            if self._loaded:
                return
            try:
                held = self._path.read_bytes()
            except FileNotFoundError:
                held = b""
            unreadable = 0
            versions: dict[str, Version] = {}
            digests: dict[str, str] = {}
            for line in filter(None, held.splitlines()):
                entry = _entry(line)
                if entry is None:
                    unreadable += 1
                    continue
                name, version, digest = entry
                versions.pop(name, None)  # to the newest place
                versions[name] = version
                digests[name] = digest
            if unreadable:
                self._set_aside(held)
            self._versions, self._digests = versions, {name: digest for name, digest in digests.items() if digest}
            self.unreadable, self._loaded = unreadable, True

    def _set_aside(self, held: bytes) -> None:
        for number in itertools.count(1):
            aside = self._path.with_name(f"{self._path.name}.broken-{number}")
            try:
                opened = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            with open(opened, "wb") as file:
                file.write(held)
            return

    def holds(self, name: str, version: Version) -> bool:
        """Say whether this very version of the file was handed over."""
        return self._versions.get(name) == version

    def last(self, name: str) -> tuple[int, str]:
        """Return how many bytes a file had when it was handed over last, and its digest; 0 and empty where nobody knows."""
        digest = self._digests.get(name, "")
        return (self._versions[name].size, digest) if digest else (0, "")

    def add(self, name: str, version: Version) -> None:
        """Remember a version; errors as ``add_all``."""
        self.add_all({name: version})

    def add_all(self, versions: Mapping[str, Version], digests: Mapping[str, str] = MappingProxyType({})) -> None:
        """Remember a version of each name, by one write.

        Args:
            digests: Of the files of lines among them.

        Raises:
            OSError: They could not be written; they are remembered in this process all the same.
        """
        with self._lock:
            for name, version in versions.items():
                self._versions.pop(name, None)
                self._versions[name] = version
                self._digests.pop(name, None)
            self._digests |= {name: digest for name, digest in digests.items() if digest}
            self._appended += len(versions)
            lines = "".join(map(self._line, versions))
            # After a line that the disk cut short, begin one of our own.
            data = ("\n" * self._torn + lines).encode()
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
                self._digests.pop(name, None)
            if not self._path.exists():
                return
            new = self._path.with_name(self._path.name + ".new")
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w", encoding="ascii") as file:
                file.writelines(map(self._line, self._versions))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            self._torn = False

    def _line(self, name: str) -> str:
        digest = self._digests.get(name)
        return json.dumps([name, *self._versions[name], *([digest] if digest else [])]) + "\n"


def _entry(line: bytes) -> tuple[str, Version, str] | None:
    try:
        name, inode, size, mtime_ns, *more = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    digest = more[0] if more else ""
    if len(more) > 1 or not isinstance(name, str) or not isinstance(digest, str):
        return None
    return (name, Version(inode, size, mtime_ns), digest) if all(type(n) is int for n in (inode, size, mtime_ns)) else None
