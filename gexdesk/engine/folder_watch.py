"""Hear of changes in one folder from the kernel."""

import asyncio
import os
import threading
from pathlib import Path

_DEBOUNCE_MS = 200
_STEP_MS = 20


class FolderWatch:
    """Collect the names that changed, on a thread of its own.

    watchfiles' own async loop borrows a thread from the pool that the API shares, for as long as it runs; forty
    folders would use it up. A watch is a hint: names get lost (kernel queue overflow, names that are not UTF-8), so whoever
    uses it also scans.

    Args:
        folder: Watched without its subfolders.
    """

    def __init__(self, folder: Path) -> None:
        self.changed = asyncio.Event()
        self.fault: Exception | None = None
        self._names: set[str] = set()
        self._folder = folder
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=f"watch {folder.name}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Say whether it still listens."""
        return self._thread.is_alive()

    def take(self) -> set[str]:
        """Return the names that changed since the last call."""
        names, self._names = self._names, set()
        self.changed.clear()
        return names

    def stop(self) -> None:
        """Stop listening; the thread ends a moment later."""
        self._stop.set()

    def _listen(self) -> None:
        try:
            from watchfiles import watch

            changes = watch(
                self._folder, watch_filter=None, debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=self._stop,
                raise_interrupt=False, recursive=False,
            )  # fmt: skip
            for batch in changes:
                self._tell({os.path.basename(path) for _, path in batch})
        except Exception as fault:  # the kernel's limit, a folder that went away, a name that is not UTF-8
            self.fault = fault
            self._tell(set())

    def _tell(self, names: set[str]) -> None:
        if self._stop.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._add, names)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self._stop.set()

    def _add(self, names: set[str]) -> None:
        self._names |= names
        self.changed.set()
