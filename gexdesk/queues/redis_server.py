"""Look at a Redis or Valkey server before a queue is trusted to it, and say what to change where it cannot be."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError, ResponseError

from gexdesk.model.errors import QueueError
from gexdesk.model.text import printable

OLDEST = (7, 0)
"""Functions came with Redis 7.0; every Valkey has them."""

_SHUT_OUT = ("already authenticated", "username-password", "NOAUTH", "WRONGPASS")


async def check_server(client: Redis, *, allow_unauthenticated: bool) -> str:
    """Return what an operator should know about a server that can be used; empty when all is well.

    Args:
        allow_unauthenticated: Take a server on another host although it asks nobody for a password.

    Raises:
        QueueError: It is too old, evicts, is open to its network, or does not let us in; with what to change.
        redis.RedisError, OSError, TimeoutError: It cannot be asked now.
    """
    kwargs = client.connection_pool.connection_kwargs
    where = _where(kwargs)
    try:
        info: Mapping[str, Any] = await client.info()
    except (AuthenticationError, ConnectionError) as error:
        # Refused in the greeting, it comes as a matter of the connection.
        if not isinstance(error, AuthenticationError) and not any(words in str(error) for words in _SHUT_OUT):
            raise
        named = "with the configured user and password" if kwargs.get("password") else "without a password"
        raise QueueError(f"Redis at {where} lets nobody in {named}: give it as [redis] key_env or key_file") from None
    except NoPermissionError:
        raise QueueError(f"Redis at {where}: the user may not use INFO; allow it (ACL SETUSER ... +info)") from None
    version = tuple(int(part) for part in str(info.get("redis_version", "0")).split(".")[:2] if part.isdigit())
    if version < OLDEST:
        found = printable(str(info.get("redis_version")), 20)
        raise QueueError(f"Redis at {where} is {found}: the queue needs functions, so Redis 7.0 or later, or Valkey")
    if info.get("redis_mode") == "sentinel":
        raise QueueError(f"{where} is a sentinel, which holds no data: name the server it watches")
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        raise QueueError(
            f"Redis at {where} evicts keys when its memory is full (maxmemory-policy {printable(policy, 30)}), which loses jobs: "
            "set `maxmemory-policy noeviction` in its configuration"
        )
    if not _near(kwargs) and not kwargs.get("password") and not allow_unauthenticated:
        raise QueueError(
            f"Redis at {where} is on another host and asks for no password, so that anybody on its network can change the queue: "
            "set `requirepass` or an ACL there and [redis] key_env here, or [redis] allow_unauthenticated = true"
        )
    if not _near(kwargs) and not kwargs.get("username") and not allow_unauthenticated and await _is_open(client):
        raise QueueError(
            f"Redis at {where} is on another host and lets its default user in without a password: set `requirepass` there, or "
            "[redis] allow_unauthenticated = true"
        )
    return await _worries(client, info, where)


async def _worries(client: Redis, info: Mapping[str, Any], where: str) -> str:
    if int(info.get("loading", 0)):
        return ""  # it says that it keeps no append-only file for as long as it loads it
    words = []
    if not int(info.get("aof_enabled", 0)):
        words.append("keeps no append-only file, so that a restart loses queued jobs: set `appendonly yes`")
    else:
        try:
            fsync = (await client.config_get("appendfsync")).get("appendfsync", "always")
        except (ResponseError, NoPermissionError):
            fsync = "always"  # hidden by whoever runs the server; what can be asked is right
        if fsync != "always":
            words.append(f"syncs its append-only file {printable(str(fsync), 20)}: a power cut loses what it took last")
    if info.get("role") == "slave":
        words.append("is a replica now, which takes no jobs")
    return f"Redis at {where} " + "; and ".join(words) if words else ""


async def _is_open(client: Redis) -> bool:
    """Say whether the default user needs no password although we sent one."""
    try:
        user = await client.acl_getuser("default")
    except (ResponseError, NoPermissionError):
        return False  # it may not be asked: then somebody has set permissions
    flags = user.get("flags", ()) if isinstance(user, dict) else ()
    flags = [str(flag) for flag in flags] if isinstance(flags, list) else []
    return "nopass" in flags and "on" in flags


def _near(kwargs: Mapping[str, Any]) -> bool:
    if "path" in kwargs:
        return True
    host = str(kwargs.get("host", "localhost"))
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _where(kwargs: Mapping[str, Any]) -> str:
    return printable(str(kwargs["path"] if "path" in kwargs else f"{kwargs.get('host', '?')}:{kwargs.get('port', '?')}"), 100)
