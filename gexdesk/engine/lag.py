"""How long the engine's own loop stands still: everything waits for it, CRITICAL too."""

import asyncio
from collections import deque

EVERY_S = 0.02
WINDOW_S = 10


class Lag:
    """Ask to be called every so often, and note by how much later it is.

    Attributes:
        longest_s: The longest stall since it began.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._seconds: deque[tuple[int, float]] = deque(maxlen=WINDOW_S + 1)

    async def run(self) -> None:
        """Watch, for ever; by the machine's clock, since it is about the machine."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self._note(loop.time(), loop.time() - due)

    def worst_s(self) -> float:
        """Return the longest stall of the last ten seconds; one that is over now, since this runs."""
        now = asyncio.get_running_loop().time()
        return max((lag_s for second, lag_s in self._seconds if now - second <= WINDOW_S + 1), default=0.0)

    def _note(self, now: float, lag_s: float) -> None:
        second = int(now)
        if self._seconds and self._seconds[-1][0] == second:
            lag_s = max(lag_s, self._seconds[-1][1])
            self._seconds[-1] = second, lag_s
        else:
            self._seconds.append((second, lag_s))
        self.longest_s = max(self.longest_s, lag_s)
