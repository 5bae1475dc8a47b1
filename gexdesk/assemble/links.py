"""Make the queue, and the line to Redis where one is configured."""

from pathlib import Path
from typing import TYPE_CHECKING

from gexdesk.assemble.keys import password_of
from gexdesk.model.clock import Clock
from gexdesk.queues.base import Queue
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.queues.redis_name import engine_name
from gexdesk.settings.desk import Settings
from gexdesk.settings.engine import RedisSettings

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from gexdesk.fleet.board import Board
    from gexdesk.fleet.talk import Talk
    from gexdesk.stores.cache_redis import RedisCache

REDIS_AWAY_S = 5.0
"""How long CRITICAL may wait for a Redis that went away before the journal on this host takes it: a silent connection's timeout."""


class Link:
    """Hold the one client of a desk's Redis, and make what speaks to it."""

    def __init__(self, client: "Redis", settings: RedisSettings, engine: str) -> None:
        self.client = client
        self.settings = settings
        self.engine = engine
        self.live: RedisCache | None = None

    def board(self) -> "Board":
        """Return where the engines of a fleet meet."""
        from gexdesk.fleet.board import Board

        return Board(self.client, prefix=self.settings.prefix, engine=self.engine)

    def talk(self) -> "Talk":
        """Return what the engines of a fleet say to one another by name."""
        from gexdesk.fleet.talk import Talk

        return Talk(self.client, prefix=self.settings.prefix, engine=self.engine)

    def cache(self) -> "RedisCache":
        """Return the live values, for readers of any engine."""
        from gexdesk.stores.cache_redis import RedisCache

        self.live = RedisCache(self.client, self.settings.prefix)
        return self.live


def link_of(settings: Settings, state: Path) -> Link | None:
    """Return what reaches the configured Redis; nothing is connected yet. Raises SettingsError."""
    if settings.redis is None:
        return None
    return Link(client_of(settings, settings.redis), settings.redis, engine_name(state / "redis-name"))


def client_of(settings: Settings, redis: RedisSettings) -> "Redis":
    """Return the client of a configured Redis; nothing is connected yet. Raises SettingsError."""
    # Loaded where it is configured: a desk without Redis starts without its library.
    from gexdesk.queues.redis_client import redis_client

    key = password_of(settings)
    return redis_client(redis.url, username=redis.username, password=key.reveal() if key is not None else None)


def queue_of(link: Link | None, state: Path, clock: Clock) -> Queue:
    """Return the queue of this state folder, or the one in Redis with a journal here for CRITICAL."""
    if link is None:
        return EmbeddedQueue(state / "queue.sqlite", clock=clock)
    from gexdesk.queues.redis import RedisQueue
    from gexdesk.queues.redis_bridge import BridgedQueue
    from gexdesk.queues.redis_parcels import Parcels

    far = RedisQueue(
        link.client, prefix=link.settings.prefix, engine=link.engine, clock=clock,
        allow_unauthenticated=link.settings.allow_unauthenticated,
    )  # fmt: skip
    return BridgedQueue(far, EmbeddedQueue(state / "bridge.sqlite", clock=clock), Parcels(state / "parcels"))
