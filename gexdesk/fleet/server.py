"""What the engines of a fleet ask of the server they share: an answer in time, and a channel that is listened to for ever."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gexdesk.model.errors import QueueAway
from gexdesk.model.text import printable

ANSWER_S = 2.0
"""Longest wait for an answer; a server that is slower than that is taken for away."""

LISTEN_S = 1.0
PAUSE_S = 0.5

T = TypeVar("T")


async def within(asked: Awaitable[T], limit_s: float = ANSWER_S) -> Any:
    """Return the server's answer. Raises QueueAway where it gives none in time."""
    try:
        async with asyncio.timeout(limit_s):
            return await asked
    except (RedisError, OSError, TimeoutError) as error:
        words = printable(str(error), 160) or type(error).__name__
        raise QueueAway(f"the fleet's board in Redis does not answer: {words}") from None


async def listen(client: Redis, channel: str) -> AsyncIterator[bytes | None]:
    """Yield what is said on a channel, for ever, and None each time the connection was made.

    What is said while there is no connection is not heard; that the server is away is said by the beat, which looks each second.
    """
    while True:
        line: Any = client.pubsub()
        try:
            async with asyncio.timeout(ANSWER_S):
                await line.subscribe(channel)
            while True:
                message = await line.get_message(timeout=LISTEN_S)
                if message is not None:
                    yield message["data"] if message["type"] == "message" else None
        except (RedisError, OSError, TimeoutError):
            pass
        finally:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await line.aclose()
        await asyncio.sleep(PAUSE_S)
