"""A server that would lose jobs, or lets anybody in, is refused with what to change."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import QueueAway, QueueError, SettingsError
from gexdesk.queues.redis import RedisQueue
from gexdesk.queues.redis_client import redis_client
from gexdesk.queues.redis_name import engine_name
from gexdesk.queues.redis_server import check_server
from tests.queues.valkey_server import ValkeyServer
from tests.until import until


@contextmanager
def server(*options: str) -> Iterator[ValkeyServer]:
    made = ValkeyServer(*options)
    try:
        yield made
    finally:
        made.close()


async def refusal(made: ValkeyServer, **options: object) -> str:
    async with made.client(**options) as client:
        with pytest.raises(QueueError) as caught:
            await RedisQueue(client, prefix="p", engine="e", clock=SystemClock(), patience_s=0.2).open()
    return caught.value.message


async def test_a_server_that_evicts_is_refused(valkey: ValkeyServer) -> None:
    with server("--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru") as made:
        words = await refusal(made)
    assert "allkeys-lru" in words
    assert "set `maxmemory-policy noeviction`" in words


async def test_a_wrong_or_missing_password_is_refused_and_never_shown() -> None:
    with server("--requirepass", "correct-horse") as made:
        assert "give it as [redis] key_env or key_file" in await refusal(made)
        words = await refusal(made, password="battery-staple")
    assert "lets nobody in with the configured user and password" in words
    assert "battery" not in words


async def test_a_user_without_the_right_to_call_functions_is_told_which_right() -> None:
    with server() as made:
        made.blunt().execute_command("ACL", "SETUSER", "poor", "on", ">secret-word", "~*", "&*", "+@all", "-fcall", "-function")
        words = await refusal(made, username="poor", password="secret-word")
    assert "let the user call functions" in words
    assert "secret-word" not in words


async def test_another_host_without_a_password_is_refused_unless_told_otherwise(valkey: ValkeyServer) -> None:
    client = Redis(host="10.9.8.7", port=6379)
    client.info = valkey_info  # type: ignore[method-assign] its answers are what a server on another host would say
    with pytest.raises(QueueError, match=r"10\.9\.8\.7:6379 is on another host .* allow_unauthenticated = true"):
        await check_server(client, allow_unauthenticated=False)
    await client.aclose()


async def valkey_info(*_: object) -> dict[str, object]:
    return {"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "aof_enabled": 0, "role": "master"}


async def test_an_old_server_is_refused() -> None:
    client = Redis()

    async def info(*_: object) -> dict[str, object]:
        return {"redis_version": "6.2.14"}

    client.info = info  # type: ignore[method-assign]
    with pytest.raises(QueueError, match=r"is 6\.2\.14: the queue needs functions, so Redis 7\.0 or later, or Valkey"):
        await check_server(client, allow_unauthenticated=False)
    await client.aclose()


async def test_what_may_be_lost_is_said() -> None:
    with server("--appendonly", "yes", "--appendfsync", "always") as made:
        async with made.client() as client:
            assert await check_server(client, allow_unauthenticated=False) == ""
            await client.config_set("appendfsync", "everysec")
            assert "everysec: a power cut loses" in await check_server(client, allow_unauthenticated=False)
            await client.config_set("appendonly", "no")
            assert "set `appendonly yes`" in await check_server(client, allow_unauthenticated=False)


async def test_a_server_that_loads_its_append_only_file_is_not_said_to_keep_none() -> None:
    slowly = ("--key-load-delay", "300", "--loading-process-events-interval-bytes", "1024")
    with server("--appendonly", "yes", "--appendfsync", "always", *slowly) as made:
        with made.blunt().pipeline(transaction=False) as pipe:
            for number in range(5000):
                pipe.set(f"k{number}", "v")
            pipe.execute()
        made.blunt().bgrewriteaof()  # what was rewritten is loaded key by key
        await until(lambda: not _rewrites(made))
        made.kill()
        starting = asyncio.ensure_future(asyncio.to_thread(made.start))
        async with made.client() as client:
            await until(lambda: _is_loading(client))
            assert (await client.info())["aof_enabled"] == 0, "what would be misread"
            assert await check_server(client, allow_unauthenticated=False) == ""
            await starting
            assert await check_server(client, allow_unauthenticated=False) == ""


def _rewrites(made: ValkeyServer) -> bool:
    found = made.blunt().info("persistence")
    return bool(found["aof_rewrite_in_progress"] or found["aof_rewrite_scheduled"])


async def _is_loading(client: Redis) -> bool:
    with suppress(RedisConnectionError):
        return bool((await client.info())["loading"])
    return False


async def test_a_worry_is_asked_for_again_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexdesk.queues.redis.WORRY_S", 0.3)
    with server("--appendfsync", "always") as made:
        async with made.client() as client:
            queue = RedisQueue(client, prefix="p", engine="e", clock=SystemClock())
            await queue.open()
            assert "set `appendonly yes`" in queue.warning
            made.blunt().config_set("appendonly", "yes")
            await until(lambda: queue.warning == "")
            made.blunt().config_set("maxmemory-policy", "allkeys-lru")
            await until(lambda: "set `maxmemory-policy noeviction`" in queue.warning)
            await queue.close()


async def test_a_server_that_is_not_there_is_away(tmp_path: Path) -> None:
    client = Redis(unix_socket_path=str(tmp_path / "nobody"), retry=Retry(NoBackoff(), 0))
    with pytest.raises(QueueAway, match="nobody"):
        await RedisQueue(client, prefix="p", engine="e", clock=SystemClock(), patience_s=0.1).open()
    await client.aclose()


@pytest.mark.parametrize(
    "url",
    ["http://localhost", "localhost:6379", "redis://user:s3cret@h/0", "redis://:s3cret@h", "unix:///s?password=s3cret", "redis://h:99999999"],
)
def test_an_address_that_cannot_be_used_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        redis_client(url)
    assert "s3cret" not in caught.value.message


def test_an_engine_keeps_its_name_and_shares_it_with_none(tmp_path: Path) -> None:
    name = engine_name(tmp_path / "name")
    assert engine_name(tmp_path / "name") == name
    assert engine_name(tmp_path / "other") != name
    (tmp_path / "name").write_text("../x\n")
    assert ".." not in engine_name(tmp_path / "name")
