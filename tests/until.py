"""Wait for what must come, never longer than it may take."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool | Awaitable[bool]], limit_s: float = 20.0, every_s: float = 0.01) -> None:
    """Return once the condition holds.

    Raises:
        AssertionError: It does not within the limit; names where it stands.
    """
    async def holds() -> bool:
        found = condition()
        return bool(await found) if inspect.isawaitable(found) else bool(found)

    try:
        async with asyncio.timeout(limit_s):
            while not await holds():
                await asyncio.sleep(every_s)
    except TimeoutError:
        lines = inspect.getsource(condition).strip()
        raise AssertionError(f"not within {limit_s:g} s: {lines}") from None
