"""Tell what happened, newest last, for the screen's log."""

from collections import deque
from collections.abc import Callable

from gexdesk.model.clock import Clock
from gexdesk.model.text import printable
from gexdesk.model.view import LogLine

KEPT_LINES = 200


class Chronicle:
    """Hold the last lines.

    Args:
        log: Given each line as it comes.
    """

    def __init__(self, clock: Clock, log: Callable[[LogLine], None] | None = None) -> None:
        self._clock = clock
        self._log = log
        self._lines: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self._sequence = 0

    def tell(self, kind: str, text: str, *, grave: bool = False) -> None:
        """Add a line; ``kind`` as in ``LogLine``."""
        self._sequence += 1
        line = LogLine(self._sequence, self._clock.now(), kind, printable(text, 300), grave)
        self._lines.append(line)
        if self._log is not None:
            self._log(line)

    def last(self, count: int) -> tuple[LogLine, ...]:
        """Return the newest lines, oldest of them first."""
        return tuple(self._lines)[-count:]
