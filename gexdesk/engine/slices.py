"""Go through many at once without holding up the loop: a payload of a day's JSON lines holds a hundred thousand snapshots."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

SLICE = 100
"""Snapshots between two turns of the loop: some 5 to 10 ms of checks."""


async def in_slices(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield them all, with a turn of the loop for the others after each slice."""
    for number, item in enumerate(items, 1):
        yield item
        if number % SLICE == 0:
            await asyncio.sleep(0)
