"""Read the keys that a configuration names; a refusal says which file asks for it, for what, and by which of its keys."""

from pathlib import Path

from gexdesk.model.errors import SettingsError
from gexdesk.settings.desk import Settings
from gexdesk.settings.sources import AnySource, HttpSource, RedisStreamSource, WebSocketSource
from gexdesk.sources.secret import Secret

LIVE_SOURCES = (HttpSource, WebSocketSource, RedisStreamSource)


def key_of(source: AnySource, settings: Settings) -> Secret | None:
    """Return a source's key, None without one. Raises SettingsError where it cannot be read."""
    if not isinstance(source, LIVE_SOURCES):
        return None
    return _given(source.key_env, source.key_file, f"{settings.named}source {source.name}")


def password_of(settings: Settings) -> Secret | None:
    """Return the password of the configured Redis, None without one. Raises SettingsError where it cannot be read."""
    redis = settings.redis
    return None if redis is None else _given(redis.key_env, redis.key_file, f"{settings.named}[redis]")


def _given(variable: str | None, file: Path | None, wanted_by: str) -> Secret | None:
    """Return the key of an environment variable or a file."""
    try:
        if variable is not None:
            return Secret.from_env(variable)
        return Secret.from_file(file.expanduser()) if file is not None else None
    except SettingsError as error:
        by = f'key_env = "{variable}"' if variable is not None else "key_file"
        raise SettingsError(f"{wanted_by}: {by}: {error.message}") from None
