"""The live cache in memory and the one in a server, held to one contract; and what only a server can do."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import msgspec
import pytest

from gexdesk.stores.base import LiveValue
from gexdesk.stores.cache import EmbeddedCache
from gexdesk.stores.cache_redis import RedisCache
from tests.contracts.cache_contract import NOW, CacheContract, value
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

DECODER = msgspec.msgpack.Decoder(LiveValue)


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.close()


async def elsewhere(cache: RedisCache, symbol: str) -> LiveValue | None:
    """Read a value as a program elsewhere does."""
    held = await cast("Any", cache._client.hget(f"{cache._prefix}:live:{symbol}", "value"))
    return None if held is None else DECODER.decode(held)


class TestEmbedded(CacheContract):
    @pytest.fixture
    def cache(self) -> EmbeddedCache:
        return EmbeddedCache()


class TestRedis(CacheContract):
    @pytest.fixture
    async def cache(self, server: ValkeyServer) -> AsyncIterator[RedisCache]:
        client = server.client()
        yield RedisCache(client, f"test-{secrets.token_hex(4)}")
        await client.aclose()

    async def read(self, cache: Any, symbol: str) -> LiveValue | None:
        return await elsewhere(cache, symbol)

    async def test_a_value_is_given_to_others_for_its_time_only(self, cache: RedisCache) -> None:
        await cache.publish(value(NOW, net_gex=1.0, ttl_s=0.3))

        async def over() -> bool:
            return await elsewhere(cache, "SPX") is None

        assert not await over()
        await until(over, limit_s=5.0)
        assert cache.get("SPX").exposure.net_gex == 1.0  # type: ignore[union-attr]  # the desk shows it on, with its age
        assert await cache.publish(value(NOW + 1, net_gex=2.0))
        assert not await over()


async def test_another_engine_s_newer_value_stays_and_its_older_one_gives_way(server: ValkeyServer) -> None:
    prefix, client = f"test-{secrets.token_hex(4)}", server.client()
    one, other = RedisCache(client, prefix), RedisCache(client, prefix)
    await one.publish(value(NOW + 10, net_gex=1.0))
    await other.publish(value(NOW, net_gex=2.0))
    assert (await elsewhere(other, "SPX")).exposure.net_gex == 1.0  # type: ignore[union-attr]
    await other.publish(value(NOW + 20, net_gex=3.0))
    assert (await elsewhere(one, "SPX")).exposure.net_gex == 3.0  # type: ignore[union-attr]
    await client.aclose()


async def test_programs_elsewhere_hear_of_changes(server: ValkeyServer) -> None:
    prefix, client, reader = f"test-{secrets.token_hex(4)}", server.client(), server.client()
    heard: list[LiveValue] = []

    async def listen() -> None:
        async with reader.pubsub() as channel:
            await channel.subscribe(f"{prefix}:live:changes")
            async for message in channel.listen():
                if message["type"] == "message":
                    heard.append(DECODER.decode(message["data"]))

    listening = asyncio.create_task(listen())
    cache, numbers = RedisCache(client, prefix), iter(range(1000))

    async def published() -> bool:
        await cache.publish(value(NOW + next(numbers), net_gex=4.0))
        return bool(heard)

    await until(published)
    assert heard[-1].exposure.net_gex == 4.0
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    await reader.aclose()
    await client.aclose()


async def test_a_server_that_is_away_holds_up_nobody_and_is_brought_what_it_missed() -> None:
    server = ValkeyServer()
    try:
        client = server.client()
        cache = RedisCache(client, "test")
        await cache.publish(value(NOW, net_gex=1.0))
        server.kill()
        assert await cache.publish(value(NOW + 1, net_gex=2.0))
        assert await cache.publish(value(NOW, symbol="NDX", net_gex=5.0))
        assert cache.away
        assert cache.get("SPX").exposure.net_gex == 2.0  # type: ignore[union-attr]
        server.start()
        await cache.publish(value(NOW + 1, symbol="NDX", net_gex=6.0))
        assert cache.away == ""
        read = {symbol: await elsewhere(cache, symbol) for symbol in ("SPX", "NDX")}
        assert {symbol: one and one.exposure.net_gex for symbol, one in read.items()} == {"SPX": 2.0, "NDX": 6.0}
        await client.aclose()
    finally:
        server.close()
