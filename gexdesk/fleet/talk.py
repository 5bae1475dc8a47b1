"""Let the engines of a fleet talk: what is said to one by name reaches it now, or nobody; nothing of it waits on the server.

    {<prefix>}:fleet:to:<engine>                  the channel that an engine listens to
"""

from collections.abc import AsyncIterator

from redis.asyncio import Redis

from gexdesk.fleet.server import listen, within


class Talk:
    """Speak and listen for one engine.

    Args:
        prefix: As the queue's.
        engine: Name of this engine, as the queue has it.
    """

    def __init__(self, client: Redis, *, prefix: str, engine: str) -> None:
        self._client = client
        self.engine = engine
        self._keys = f"{{{prefix}}}:fleet:to:"

    async def say(self, engine: str, words: bytes) -> bool:
        """Say something to an engine; False where it does not listen. Raises QueueAway."""
        return int(await within(self._client.publish(f"{self._keys}{engine}", words))) > 0

    async def heard(self) -> AsyncIterator[bytes]:
        """Yield what is said to this engine, for ever."""
        async for words in listen(self._client, f"{self._keys}{self.engine}"):
            if words is not None:
                yield words
