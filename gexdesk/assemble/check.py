"""Try the parts of a configuration one by one, as ``gexdesk doctor`` shows them."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct

from gexdesk.assemble.keys import key_of, password_of
from gexdesk.assemble.links import client_of
from gexdesk.assemble.offline import rules_of
from gexdesk.model.errors import GexdeskError
from gexdesk.settings.desk import Settings
from gexdesk.settings.engine import RedisSettings


class Part(Struct, frozen=True):
    """Say how one thing is that a configuration names.

    Attributes:
        fault: Why it cannot be used; empty where it can.
        worry: What to know of one that can.
        do: What to do about either.
    """

    name: str
    fault: str = ""
    worry: str = ""
    do: str = ""


def check_parts(settings: Settings) -> Iterator[Part]:
    """Try each thing that a configuration names, without an engine."""

    def tried(use: Callable[[], object]) -> str:
        try:
            use()
        except GexdeskError as error:
            return error.message
        return ""

    rules = settings.guidelines.file
    do = f"mend the rules until `gexdesk guidelines check {rules}` calls them good"
    yield Part("guidelines", tried(lambda: rules_of(rules)), do=do)
    for source in settings.sources:
        path = getattr(source, "path", None)
        if path is not None and not path.exists():
            yield Part(f"source {source.name}", f"{path} is not there", do="make it, or correct `path` of that source")
            continue
        yield Part(f"source {source.name}", tried(partial(key_of, source, settings)), do=_key_do(source))
    if settings.redis is not None:
        fault, worry = tried(partial(password_of, settings)), ""
        if fault:
            yield Part("redis", fault, do=_key_do(settings.redis))
            return
        fault, worry = asyncio.run(_check_redis(settings, settings.redis))
        yield Part("redis", fault, worry, "mend that at the server (redis.conf, or CONFIG SET), or correct [redis] here")


def _key_do(wanted: object) -> str:
    """Say what to do about a key that cannot be read."""
    variable, file = getattr(wanted, "key_env", None), getattr(wanted, "key_file", None)
    if variable is not None:
        return f"`export {variable}=...` where the engine starts (under systemd: its EnvironmentFile), or name a key_file"
    return f"put the key alone into {file}: a regular file of the engine's user, chmod 600" if file is not None else ""


async def _check_redis(settings: Settings, redis: RedisSettings) -> tuple[str, str]:
    """Return why a server cannot hold the queue, and what to know of one that can."""
    from redis.exceptions import RedisError

    from gexdesk.queues.redis_server import check_server

    try:
        client = client_of(settings, redis)
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
