"""Leave a server alone that keeps failing, and ask it one question at a time whether it is back.

    closed --- five failures in a row ---> open
    open   --- ``probe_at`` has come  ---> half_open: one request goes through, every other one is turned away
    half_open --- it worked ------------> closed
    half_open --- it failed ------------> open, twice as long
    half_open --- it was cancelled -----> open, and the next request is the probe at once
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gexdesk.model.clock import Clock
from gexdesk.model.errors import FetchError
from gexdesk.sources.base import BreakerMoved, BreakerState

FAILURES_TO_OPEN = 5
FIRST_OPEN_S = 30.0
LONGEST_OPEN_S = 300.0
JITTER = 0.2


class BreakerOpen(Exception):
    """Turn a request away.

    Args:
        wait_s: Seconds until another try makes sense.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the breaker is open for another {wait_s:.0f} s")
        self.wait_s = wait_s


class Breaker:
    """Count failures in a row and hold requests back.

    Belongs to one source, on one event loop. Its state outlives a pause of the source.

    Args:
        clock: For how long it is open.
        jitter: Gives a float in [0, 1): each opening lasts up to a fifth longer, so that many desks do not probe together.

    Attributes:
        state: ``closed``, ``open`` or ``half_open``.
        probe_at: UTC seconds of the next probe while it is open, else None.
    """

    def __init__(self, clock: Clock, jitter: Callable[[], float]) -> None:
        self.state: BreakerState = "closed"
        self.probe_at: float | None = None
        self._clock = clock
        self._jitter = jitter
        self._failures = 0
        self._openings = 0
        self._due = 0.0  # monotonic
        self._hint = asyncio.Event()
        self._planned = 0.0  # monotonic: when a rest that was cut short would have ended
        self._told: Callable[[BreakerMoved], None] = _nobody

    def tell(self, told: Callable[[BreakerMoved], None]) -> None:
        """Have every change of state told, beginning with the present one where it is not closed."""
        self._told = told
        if self.state != "closed":
            told(BreakerMoved(self.state, self.probe_at))

    @property
    def wait_s(self) -> float:
        """Return how long to wait before a try is let through; 0 where it would be now."""
        return max(0.0, self._due - self._clock.monotonic()) if self.state == "open" else 0.0

    async def rest(self, wait_s: float, *, asked: bool = False) -> float:
        """Wait between two tries, and for the probe; ``hasten`` ends it early where no server asked for the wait.

        Returns:
            How much of the wait was left, seconds: a try that is made early and fails is no reason to wait longer than without it.
        """
        wait_s, hint = max(wait_s, self.wait_s), self._hint
        if wait_s:
            self._planned = 0.0
        if asked:
            await self._clock.sleep(wait_s)
            return 0.0
        ends_at = self._clock.monotonic() + wait_s
        waits: list[asyncio.Future[object]] = [
            asyncio.ensure_future(self._clock.sleep(wait_s)), asyncio.ensure_future(hint.wait())
        ]  # fmt: skip
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        left_s = max(0.0, ends_at - self._clock.monotonic()) if hint.is_set() else 0.0
        hint.clear()
        if left_s:
            self._planned, self._due = ends_at, min(self._due, self._clock.monotonic())
        return left_s

    def hasten(self) -> None:
        """Have the next try made at once: this rest, or the one after the try that is under way, ends."""
        self._hint.set()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Make one try in this context: an exception is a failure, a cancellation says nothing.

        Raises:
            BreakerOpen: It is not to be made: the breaker is open, or another try is the probe.
        """
        if self.state == "half_open":
            raise BreakerOpen(0.0)
        probing = self.state == "open"
        if probing:
            if self.wait_s > 0:
                raise BreakerOpen(self.wait_s)
            self._move("half_open")
        try:
            yield
        except Exception as error:
            left_s = self._planned - self._clock.monotonic()
            self._failures += left_s <= 0
            if probing and left_s > 0:
                self._move("open", max(left_s, _asked_s(error)))
            elif probing or (self._failures >= FAILURES_TO_OPEN and self.state == "closed"):
                self._open(_asked_s(error))
            raise
        except BaseException:
            if probing:
                self._move("open", wait_s=0.0)
            raise
        else:
            self._failures = 0
            self._hint.clear()
            # A try that began before the breaker opened does not close it: only the probe does.
            if probing:
                self._openings = 0
                self._move("closed")

    def _open(self, asked_s: float) -> None:
        wait_s = min(LONGEST_OPEN_S, FIRST_OPEN_S * 2.0 ** min(self._openings, 8)) * (1 + JITTER * self._jitter())
        self._openings += 1
        self._move("open", max(wait_s, asked_s))  # the probe that is told is the one that is made

    def _move(self, state: BreakerState, wait_s: float | None = None) -> None:
        self.state = state
        self.probe_at = None if wait_s is None else self._clock.now() + wait_s
        self._due = self._clock.monotonic() + (wait_s or 0.0)
        self._told(BreakerMoved(state, self.probe_at))


def _asked_s(error: Exception) -> float:
    """Return the wait a server asked for with its refusal, as its reader has capped it; 0 where it asked for none."""
    asked_s = error.details.get("retry_after_s") if isinstance(error, FetchError) else None
    return asked_s if isinstance(asked_s, float) else 0.0


def _nobody(moved: BreakerMoved) -> None:
    """Take news while no run listens."""
