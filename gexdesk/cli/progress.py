"""Say how far work is that takes longer than a moment."""

import sys
import time
from typing import Self

from gexdesk.cli.answer import say

SAY_EVERY_S = 2.0


class Progress:
    """Show a bar on a terminal, for as long as it is entered; elsewhere a plain line now and then.

    Args:
        done: What is done to each, in a word: ``imported``.
    """

    def __init__(self, done: str, total: int) -> None:
        self._done, self._total = done, total
        self._said_at = time.monotonic()
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(done, total=total)
            self._bar.start()

    def show(self, ended: int) -> None:
        """Draw how far it is."""
        if self._bar is not None:
            self._bar.update(self._task, completed=ended)
        elif time.monotonic() - self._said_at > SAY_EVERY_S:
            self._said_at = time.monotonic()
            say(f"{self._done} {ended:,} of {self._total:,}")

    def __enter__(self) -> Self:
        """Begin to be shown."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away, however the work ended."""
        if self._bar is not None:
            self._bar.stop()
