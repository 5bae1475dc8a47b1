"""A clock that stands until a test moves it, so that no test sleeps."""

import asyncio
import heapq
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_PASSES = 50


class VirtualClock:
    """Tell a time that only ``advance`` moves; sleepers wake in the order of their time.

    Inside a running loop, threads (``asyncio.to_thread``) run inline from the first sleep or advance on, so that no work goes
    on unseen while time stands.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._began = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._now - self._began

    async def sleep(self, seconds: float) -> None:
        """Wait until the time has been moved that far."""
        _run_threads_inline()
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + max(0.0, seconds), self._count, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move the time, stopping at every sleeper on the way until it has done what it can."""
        _run_threads_inline()
        target = self._now + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
            await self.settle()
        self._now = target

    async def settle(self) -> None:
        """Let every task run until it waits for something; time stands."""
        for _ in range(_PASSES):
            await asyncio.sleep(0)


class _Inline(ThreadPoolExecutor):
    """Run what is submitted at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def _run_threads_inline() -> None:
    loop = asyncio.get_running_loop()
    if not isinstance(getattr(loop, "_default_executor", None), _Inline):
        loop.set_default_executor(_Inline(max_workers=1))
