"""How often a server is asked, and how often at most."""

import math

from msgspec import Struct

from gexdesk.model.clock import Clock
from gexdesk.model.market import Hours, open_since, opens_next

OUTSIDE_TIMES = 10.0
OUTSIDE_LONGEST_S = 300.0


class Pace(Struct, frozen=True):
    """Say how long to wait between requests: one interval while the market is on, a longer one while it is not.

    Attributes:
        every_s: Seconds from one request to the next while ``hours`` are on.
        every_outside_s: The same outside of them; None is ten times ``every_s``, at most 300 s and never less than ``every_s``.
        hours: Of New York's calendar, early closes and holidays included.
        after_s: What it asks for goes on for so long after them: quotes come late, options on indices trade on.
    """

    every_s: float
    every_outside_s: float | None = None
    hours: Hours = "always"
    after_s: float = 0.0

    @property
    def outside_s(self) -> float:
        """Return the interval while ``hours`` are not on."""
        if self.every_outside_s is not None:
            return self.every_outside_s
        return max(self.every_s, min(OUTSIDE_TIMES * self.every_s, OUTSIDE_LONGEST_S))

    def interval_s(self, now: float) -> float:
        """Return the seconds from a request at ``now`` (UTC) to the next; one that would oversleep the opening is there at it."""
        if open_since(now, self.hours) is not None or open_since(now - self.after_s, self.hours) is not None:
            return self.every_s
        return min(self.outside_s, max(self.every_s, opens_next(now, self.hours) - now))


class Bucket:
    """Let so many requests a second through, whatever asks for them: the pace, retries, probes.

    A full bucket holds one second's requests, at least one.

    Args:
        rate_per_s: More than 0.
        clock: For waiting.
    """

    def __init__(self, rate_per_s: float, clock: Clock) -> None:
        self._rate_per_s = rate_per_s
        self._clock = clock
        self._room = max(1.0, rate_per_s)
        self._tokens = self._room
        self._at = clock.monotonic()

    async def take(self) -> None:
        """Wait until one more request may go; cancelled, it takes nothing."""
        while (short := 1.0 - self._filled()) > 1e-9:
            await self._clock.sleep(short / self._rate_per_s)
        self._tokens -= 1.0

    def _filled(self) -> float:
        now = self._clock.monotonic()
        self._tokens = min(self._room, self._tokens + (now - self._at) * self._rate_per_s)
        self._at = now
        return self._tokens


def next_on_grid(due: float, now: float, interval_s: float) -> float:
    """Return the first moment after ``now`` on the grid ``due + n * interval_s``, n from 1: what was missed is left out."""
    return due + max(1, math.floor((now - due) / interval_s) + 1) * interval_s
