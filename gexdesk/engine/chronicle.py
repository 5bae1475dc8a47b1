"""Tell what happened, newest last, for the screen's log; and keep what must not be forgotten in the audit."""

from collections import deque

from gexdesk.model.clock import Clock
from gexdesk.model.text import printable
from gexdesk.model.view import LogLine


class Chronicle:
    """Hold the last ``keep`` lines."""

    def __init__(self, clock: Clock, keep: int = 200) -> None:
        self._clock = clock
        self._lines: deque[LogLine] = deque(maxlen=keep)
        self._sequence = 0

    def tell(self, kind: str, text: str, *, grave: bool = False) -> None:
        """Add a line; ``kind`` as in ``LogLine``."""
        self._sequence += 1
        self._lines.append(LogLine(self._sequence, self._clock.now(), kind, printable(text, 300), grave))

    def last(self, count: int) -> tuple[LogLine, ...]:
        """Return the newest lines, oldest of them first."""
        return tuple(self._lines)[-count:]
