"""A clock that runs as fast as the code under test: for code that does real I/O, where a test cannot tell when to move the time."""

import asyncio
import heapq

_QUIET_TURNS = 20


class RunningClock:
    """Tell a time that jumps to the earliest sleeper whenever the event loop has nothing else at hand.

    Sleepers wake in order of their due time, ties in order of falling asleep: a run is the same every time. Real I/O is
    not waited for; where nobody sleeps, time stands still.

    Args:
        start_at: What ``now`` says at the beginning, UTC seconds since the epoch; ``monotonic`` begins at 0.
    """

    def __init__(self, start_at: float = 1_750_000_000.0) -> None:
        self._start_at = start_at
        self._elapsed_s = 0.0
        self._asleep: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0
        self._running = False

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        return self._start_at + self._elapsed_s

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until the time has come."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        awake: asyncio.Future[None] = loop.create_future()
        self._number += 1
        heapq.heappush(self._asleep, (self._elapsed_s + seconds, self._number, awake))
        if not self._running:
            self._running = True
            loop.call_soon(self._turn, loop, _QUIET_TURNS)
        await awake

    def advance(self, seconds: float) -> None:
        """Let time pass while nobody sleeps, as a slow piece of work would."""
        self._elapsed_s += seconds

    def _turn(self, loop: asyncio.AbstractEventLoop, turns_left: int) -> None:
        if turns_left:
            loop.call_soon(self._turn, loop, turns_left - 1)
            return
        while self._asleep:
            due, _, awake = heapq.heappop(self._asleep)
            if not awake.done():  # else its task was cancelled
                self._elapsed_s = max(self._elapsed_s, due)
                awake.set_result(None)
                loop.call_soon(self._turn, loop, _QUIET_TURNS)
                return
        self._running = False
