"""Let workers sleep until something may have become eligible."""

import asyncio

from gexdesk.model.clock import Clock


class Waiters:
    """Hold those who sleep."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asleep: dict[asyncio.Future[None], None] = {}  # in order of falling asleep, so that a run can be repeated

    async def sleep(self, timeout_s: float) -> None:
        """Return when woken, or after the timeout."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = asyncio.ensure_future(self._clock.sleep(timeout_s))
        self._asleep[woken] = None
        try:
            await asyncio.wait((woken, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._asleep[woken]
            timer.cancel()

    def wake(self) -> None:
        """Wake all."""
        for woken in self._asleep:
            if not woken.done():
                woken.set_result(None)
