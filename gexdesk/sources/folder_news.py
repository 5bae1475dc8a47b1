"""Hear from the kernel what happens to the files of one folder, and which of them were moved in."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from inotify_simple import INotify, flags

_WRITTEN = flags.CREATE | flags.CLOSE_WRITE
_HEARD = _WRITTEN | flags.MOVED_TO | flags.MOVED_FROM | flags.DELETE | flags.ATTRIB | flags.ONLYDIR
_OVER = flags.IGNORED | flags.UNMOUNT | flags.Q_OVERFLOW


class News(NamedTuple):
    """Hold names something happened to; ``moved_in`` are those that came whole by a rename and were not written since, in order."""

    changed: set[str]
    moved_in: dict[str, None]


class FolderNews:
    """Collect names on the loop, without a thread: an idle folder costs nothing.

    That a file was moved in is seen here alone: a rename within the same tick of the kernel's clock as the last write leaves
    the file's times as a write in place does. watchfiles, which looks every few ms and tells of both as new, knows neither.

    News is a hint: names get lost where more happens than the kernel keeps, so whoever uses it also scans.

    Args:
        folder: Listened to without its subfolders.

    Attributes:
        changed: Set while there is news, and once it listens no more.
        alive: It listens; ``fault`` says why it never did.
    """

    def __init__(self, folder: Path) -> None:
        self.changed = asyncio.Event()
        self.alive = False
        self.fault: Exception | None = None
        self._news = News(set(), {})
        self._loop = asyncio.get_running_loop()
        self._kernel: INotify | None = None
        try:
            self._kernel = INotify(nonblocking=True)
            self._kernel.add_watch(folder, _HEARD)
        except (OSError, AttributeError) as fault:  # the kernel's limit, a folder that went away; no Linux
            self.fault = fault
            if self._kernel is not None:
                self._kernel.close()
        else:
            self.alive = True
            self._loop.add_reader(self._kernel.fileno(), self._hear)

    def take(self) -> News:
        """Return what happened since the last call."""
        news, self._news = self._news, News(set(), {})
        self.changed.clear()
        return news

    def stop(self) -> None:
        """Stop listening."""
        if self._kernel is not None and not self._kernel.closed:
            self._loop.remove_reader(self._kernel.fileno())
            self._kernel.close()
        self.alive = False

    def _hear(self) -> None:
        assert self._kernel is not None
        for event in self._kernel.read(timeout=0):
            if event.mask & _OVER:
                self.alive = False  # what is lost is found by a scan, which listens anew
            if not event.name:
                continue
            self._news.changed.add(event.name)
            if event.mask & flags.MOVED_TO:
                self._news.moved_in[event.name] = None
            elif event.mask & (_WRITTEN | flags.MOVED_FROM | flags.DELETE):
                self._news.moved_in.pop(event.name, None)
        self.changed.set()
        if not self.alive:
            self.stop()
