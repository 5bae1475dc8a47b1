"""Tell what happened, newest last, for the screen's log."""

from collections import deque
from collections.abc import Callable

from gexdesk.model.clock import Clock
from gexdesk.model.text import printable
from gexdesk.model.view import LogLine

KEPT_DECISIONS = 60
KEPT_EVENTS = 60


class Chronicle:
    """Hold the last decisions and, apart from them so that no burst drives them out, the last of everything else.

    Args:
        log: Given each line as it comes.
    """

    def __init__(self, clock: Clock, log: Callable[[LogLine], None] | None = None) -> None:
        self._clock = clock
        self._log = log
        self._decisions: deque[LogLine] = deque(maxlen=KEPT_DECISIONS)
        self._events: deque[LogLine] = deque(maxlen=KEPT_EVENTS)
        self._sequence = 0

    def tell(self, kind: str, text: str, *, grave: bool = False) -> None:
        """Add a line; ``kind`` as in ``LogLine``."""
        self._sequence += 1
        line = LogLine(self._sequence, self._clock.now(), kind, printable(text, 300), grave)
        (self._decisions if kind == "decision" else self._events).append(line)
        if self._log is not None:
            self._log(line)

    def lines(self) -> tuple[LogLine, ...]:
        """Return what is kept, in order, oldest first."""
        return tuple(sorted((*self._decisions, *self._events), key=lambda line: line.sequence))
