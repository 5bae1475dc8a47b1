"""Finish what may not be left half done."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

FINISH_S = 5.0


async def undivided(work: Coroutine[Any, Any, T]) -> T:
    """Finish the work although a cancellation comes, which takes effect afterwards; for ``FINISH_S`` at most.

    A desk whose disk is full may let a delivery wait for ever: that must not keep anybody from stopping it. Where the work fails
    meanwhile its fault is the cancellation's cause: a fault in its place would let a paused source run on.
    """
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    give_up_at: float | None = None
    while not task.done():
        left_s = None if give_up_at is None else give_up_at - time.monotonic()
        if left_s is not None and left_s <= 0:
            task.cancel()
            left_s = None
        try:
            await asyncio.wait([task], timeout=left_s)
        except asyncio.CancelledError as error:
            cancellation = cancellation or error
            give_up_at = give_up_at or time.monotonic() + FINISH_S
    if cancellation:
        raise cancellation from (None if task.cancelled() else task.exception())
    return task.result()
