"""The queue that several engines share: away, or set up so that it may lose something."""

from collections.abc import Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.queues.base import Queue

GRACE_S = 3.0
"""A connection that is made anew within this is nobody's concern."""


class SharedQueue:
    """Find a shared queue that says it is not well."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._away_since: float | None = None

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition for the server that is away, and one for what it says beside that."""
        away, words = self._queue.away, self._queue.warning
        if not away:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = now
        if not self._queue.shared or not words or (self._away_since is not None and now - self._away_since < GRACE_S):
            return
        yield Condition(
            kind=Kind.REDIS_AWAY, key="redis away" if away else "redis warns", severity=2 if away else 1, subject="redis",
            text=words,
            do_first="CRITICAL goes on here by the journal; see to the server" if away else "set the server up as it says",
        )  # fmt: skip
