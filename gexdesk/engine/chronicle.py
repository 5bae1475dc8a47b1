"""Tell what happened, newest last, for the screen's log."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from itertools import islice

from gexdesk.model.clock import Clock
from gexdesk.model.look.record import LogLook, LogSeen
from gexdesk.model.text import printable
from gexdesk.model.view.log import LogLine

KEPT_DECISIONS = 60
KEPT_EVENTS = 60
"""Lines of the screen's log."""

HELD_DECISIONS = 5_000
HELD_EVENTS = 20_000
"""Lines that can be asked for: some 200 bytes each, the text shared with the screen's."""

LIMIT = 2_000
"""Lines that one question is answered with at most."""


class Chronicle:
    """Hold the last decisions and, apart from them so that no burst drives them out, the last of everything else.

    Args:
        log: Given each line as it comes, and what it is about: ``job``, ``request``.
    """

    def __init__(self, clock: Clock, log: Callable[[LogLine, Mapping[str, str]], None] | None = None) -> None:
        self._clock = clock
        self._log = log
        self._decisions: deque[LogLine] = deque(maxlen=HELD_DECISIONS)
        self._events: deque[LogLine] = deque(maxlen=HELD_EVENTS)
        self._sequence = 0

    def tell(self, kind: str, text: str, *, grave: bool = False, job: str = "", request: str = "") -> None:
        """Add a line; ``kind`` as in ``LogLine``, ``job`` and ``request`` the ids it is about."""
        self._sequence += 1
        line = LogLine(self._sequence, self._clock.now(), kind, printable(text, 300), grave)
        (self._decisions if kind == "decision" else self._events).append(line)
        if self._log is not None:
            about = {"job": job, "request": request}
            self._log(line, {name: value for name, value in about.items() if value})

    def lines(self) -> tuple[LogLine, ...]:
        """Return what the screen's log shows, in order, oldest first."""
        last = (*_last(self._decisions, KEPT_DECISIONS), *_last(self._events, KEPT_EVENTS))
        return tuple(sorted(last, key=lambda line: line.sequence))

    async def answer(self, question: LogLook) -> LogSeen:
        """Answer ``LogLook``."""
        limit, text = min(max(question.limit, 1), LIMIT), question.text.casefold()
        kinds, to_at = frozenset(question.kinds), question.to_at
        found: list[LogLine] = []
        first_at = min((held[0].at for held in (self._decisions, self._events) if held), default=None)
        for line in self._backward():
            if to_at is not None and line.at > to_at:
                continue
            if (kinds and line.kind not in kinds) or (text and text not in line.text.casefold()):
                continue
            if len(found) == limit:
                return LogSeen(tuple(reversed(found)), first_at, more=True)
            found.append(line)
        return LogSeen(tuple(reversed(found)), first_at, more=False)

    def _backward(self) -> Iterator[LogLine]:
        """Give all that is held, newest first."""
        return merge(reversed(self._decisions), reversed(self._events), key=lambda line: -line.sequence)


def _last(held: deque[LogLine], count: int) -> list[LogLine]:
    return list(islice(reversed(held), count))
