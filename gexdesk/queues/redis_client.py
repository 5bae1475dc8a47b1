"""Make the one client of a desk's Redis: no deadlines and no tries of redis-py's, a password that is never shown."""

from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gexdesk.model.errors import SettingsError

_SCHEMES = ("redis", "rediss", "unix")


def redis_client(url: str, *, username: str | None = None, password: str | None = None) -> Redis:
    """Return a client; nothing is connected yet.

    Args:
        url: ``redis://host:port/db``, ``rediss://`` (TLS) or ``unix:///path``, without user and password.

    Raises:
        SettingsError: The address cannot be used; what it holds is not repeated, as it may hold a password.
    """
    try:
        parts = urlsplit(url)
        named = parts.username or parts.password or "password=" in parts.query
        _ = parts.port
    except ValueError:
        raise SettingsError("[redis] url is not an address; allowed is redis://host:port/db, rediss:// or unix:///path") from None
    if parts.scheme not in _SCHEMES or not (parts.hostname or parts.path):
        raise SettingsError("[redis] url is not an address of Redis; allowed is redis://host:port/db, rediss:// or unix:///path")
    if named:
        raise SettingsError("[redis] url holds a user or a password: put them into username and key_env or key_file")
    options: dict[str, Any] = {} if parts.scheme == "unix" else {"socket_connect_timeout": 3.0, "socket_keepalive": True}
    # No socket_timeout: redis-py waits for it with asyncio.wait_for, which on Python 3.11 loses a cancellation that comes as the
    # bytes are sent, so that a loop that is told to end goes on. Whoever asks sets a deadline.
    options["socket_timeout"] = None
    try:
        return Redis.from_url(url, username=username, password=password, retry=Retry(NoBackoff(), 0), **options)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"[redis] url cannot be used: {type(error).__name__}") from None
