"""Hold a state folder for one engine alone."""

import fcntl
import os
import time
from pathlib import Path

from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable

PATIENCE_S = 0.3
"""Whoever only asks whether the folder is held has the lock for a moment; an engine has it for longer."""


class StateLock:
    """Lock one file; the kernel lets go of it when the process ends, however it ends.

    Args:
        path: The file, in the state folder. It stays there and names the holder's process id, for people.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self) -> None:
        """Take the lock, within ``PATIENCE_S`` or not at all.

        Raises:
            StoreError: Another engine holds it, or the file cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written ({error.strerror}); the state folder must be ours") from error
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = printable(os.pread(descriptor, 20, 0).decode("ascii", "replace")) or "not known"
            os.close(descriptor)
            folder = self._path.parent
            raise StoreError(
                f"another engine (process {holder}) runs on {folder}; `gexdesk stop --state {folder}` ends it, "
                "or give another --state",
                process=holder,
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"{self._path} cannot be locked: {error.strerror}") from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the next engine have the folder; releasing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(descriptor: int) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)
