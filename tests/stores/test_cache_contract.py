"""The live cache in memory and the one in a server, held to one contract; and what only a server can do."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from gexdesk.stores.base import LiveValue
from gexdesk.stores.cache import EmbeddedCache
from gexdesk.stores.cache_redis import RedisCache
from tests.contracts.cache_contract import NOW, CacheContract, value
from tests.queues.valkey_server import ValkeyServer
from tests.until import until


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.close()


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


async def test_another_engine_s_newer_value_stays_and_its_older_one_gives_way(server: ValkeyServer) -> None:
    prefix, client = f"test-{secrets.token_hex(4)}", server.client()
    one, other = RedisCache(client, prefix), RedisCache(client, prefix)
    await one.publish(value(NOW + 10, net_gex=1.0))
    await other.publish(value(NOW, net_gex=2.0))
    assert (await other.read("SPX", time.time())).exposure.net_gex == 1.0  # type: ignore[union-attr]
    await other.publish(value(NOW + 20, net_gex=3.0))
    assert (await one.read("SPX", time.time())).exposure.net_gex == 3.0  # type: ignore[union-attr]
    await client.aclose()


async def test_programs_elsewhere_hear_of_changes(server: ValkeyServer) -> None:
    prefix, client, reader = f"test-{secrets.token_hex(4)}", server.client(), server.client()
    heard: list[LiveValue] = []

    async def listen() -> None:
        async for notice in RedisCache(reader, prefix).notices():
            heard.append(notice)

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
        read = {symbol: await cache.read(symbol, time.time()) for symbol in ("SPX", "NDX")}
        assert {symbol: one and one.exposure.net_gex for symbol, one in read.items()} == {"SPX": 2.0, "NDX": 6.0}
        await client.aclose()
    finally:
        server.close()
