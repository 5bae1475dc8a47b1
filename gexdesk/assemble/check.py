"""Try the parts of a configuration one by one, as ``gexdesk doctor`` shows them."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from gexdesk.assemble.links import client_of
from gexdesk.assemble.offline import rules_of
from gexdesk.assemble.sources import key_of
from gexdesk.model.errors import GexdeskError
from gexdesk.settings import RedisSettings, Settings


def check_parts(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Try what a configuration names, without an engine.

    Yields:
        Each thing's name, why it cannot be used, and what to know of one that can; empty where there is nothing.
    """

    def tried(use: Callable[[], object]) -> str:
        try:
            use()
        except GexdeskError as error:
            return error.message
        return ""

    yield "guidelines", tried(lambda: rules_of(settings.guidelines.file)), ""
    for source in settings.sources:
        path = getattr(source, "path", None)
        missing = f"{path} is not there" if path is not None and not path.exists() else ""
        yield f"source {source.name}", missing or tried(partial(key_of, source)), ""
    if settings.redis is not None:
        yield "redis", *asyncio.run(_check_redis(settings.redis))


async def _check_redis(redis: RedisSettings) -> tuple[str, str]:
    """Return why a server cannot hold the queue, and what to know of one that can."""
    from redis.exceptions import RedisError

    from gexdesk.queues.redis_server import check_server

    try:
        client = client_of(redis)
    except GexdeskError as error:
        return error.message, ""
    try:
        async with asyncio.timeout(5):
            return "", await check_server(client, allow_unauthenticated=redis.allow_unauthenticated)
    except GexdeskError as error:
        return error.message, ""
    except (RedisError, OSError, TimeoutError) as error:
        return f"Redis does not answer ({type(error).__name__}): start it, or correct [redis] url", ""
    finally:
        await client.aclose()
