"""Count a source's tries: over its lifetime, today, and in the last five minutes."""

from collections import deque

from gexdesk.model.market import new_york_date

RECENT_S = 300.0
_SLICE_S = 10.0


class Reliability:
    """Keep successful and total requests; every share is 1 before the first request it counts.

    Attributes:
        requests, successes: Since the engine started.
        requests_before, successes_before: What earlier engines on this state folder counted.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.successes = 0
        self.requests_before = 0
        self.successes_before = 0
        self._day = -1
        self._today = [0, 0]
        self._slices: deque[tuple[float, list[int]]] = deque()

    def add(self, at: float, *, worked: bool) -> None:
        """Count one request at ``at`` (UTC seconds)."""
        self.requests += 1
        self.successes += worked
        if (day := new_york_date(at)) != self._day:
            self._day, self._today = day, [0, 0]
        if not self._slices or at - self._slices[-1][0] >= _SLICE_S:
            self._slices.append((at, [0, 0]))
            self._drop_old(at)
        for counts in (self._today, self._slices[-1][1]):
            counts[0] += 1
            counts[1] += worked

    @property
    def lifetime(self) -> float:
        """Return the share of all requests that worked, those of earlier engines included."""
        return _share(self.requests_before + self.requests, self.successes_before + self.successes)

    def today(self, now: float) -> float:
        """Return the share of this New York day, as far as this engine has seen it."""
        return _share(*self._today) if new_york_date(now) == self._day else 1.0

    def recent(self, now: float) -> float:
        """Return the share of the last five minutes, to ten seconds."""
        self._drop_old(now)
        return _share(sum(counts[0] for _, counts in self._slices), sum(counts[1] for _, counts in self._slices))

    def _drop_old(self, now: float) -> None:
        while self._slices and self._slices[0][0] < now - RECENT_S:
            self._slices.popleft()


def _share(requests: int, successes: int) -> float:
    return successes / requests if requests else 1.0
