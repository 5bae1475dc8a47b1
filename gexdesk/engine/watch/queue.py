"""The queue that several engines share: away, or set up so that it may lose something."""

from collections.abc import Iterator
from math import inf

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.queues.base import Queue

GRACE_S = 3.0
"""A connection that is made anew within this is nobody's concern, nor is what is still kept here so soon after it was."""


class SharedQueue:
    """Find a shared queue that says it is not well."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._away = False
        self._since = -inf
        self._losses = queue.losses

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition: the server is away, or what the queue says while it answers.

        A server that lost everything is as grave as one that is away, for as long as the queue says so.
        """
        away, words = self._queue.away, self._queue.warning
        if away is not self._away:
            self._away, self._since = away, now
        if not words:
            self._losses = self._queue.losses
        if not self._queue.shared or not words or now - self._since < GRACE_S:
            return
        lost = self._queue.losses > self._losses
        do_first = "set the server up as it says"
        if away:
            do_first = "CRITICAL goes on by the journal on this host; look at the server and the network"
        elif lost:
            do_first = "find out who emptied it; every engine puts again what its spool holds"
        yield Condition(
            kind=Kind.REDIS_AWAY, key="redis away" if away else "redis warns", severity=2 if away or lost else 1, subject="redis",
            text=words, do_first=do_first,
        )  # fmt: skip
