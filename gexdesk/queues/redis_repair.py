"""Mend a queue in Redis whose indexes disagree with its jobs, because somebody else wrote there; a few hundred jobs a step."""

from collections.abc import Awaitable, Callable
from typing import Any

from gexdesk.model.level import LEVELS

PAGE = 500

Ask = Callable[..., Awaitable[Any]]
"""Ask the library: name of the act, type of its answer, words."""


async def repair(ask: Ask) -> str:
    """Compare, mend where needed, and say what was done; empty when nothing was wrong. Raises QueueError."""
    jobs, indexed = await ask("audit", tuple[int, int])
    if jobs == indexed:
        return ""
    mended, removed = await _from_jobs(ask), await _from_lanes(ask)
    removed += await ask("recount", int)
    found = f"the queue in Redis held {jobs} jobs and {indexed} places"
    return f"{found}: {mended} places were made again, {removed} foreign ones removed"


async def _from_jobs(ask: Ask) -> int:
    """Give every job its places."""
    cursor, mended = "0", 0
    while True:
        page: tuple[str, int] = await ask("repair", tuple[str, int], cursor)
        cursor, mended = page[0], mended + page[1]
        if cursor == "0":
            return mended


async def _from_lanes(ask: Ask) -> int:
    """Take every place away that is no job's."""
    total = 0
    sources = await ask("names", list[str])
    for source in sources:
        for rank in range(len(LEVELS)):
            at = 0
            while True:
                count, removed = await ask("weed", tuple[int, int], source, rank, at, PAGE)
                total += removed
                at += count - removed
                if count < PAGE:
                    break
    return total
