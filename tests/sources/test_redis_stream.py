"""Reading a stream of a real server."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import SettingsError
from gexdesk.sources.base import Connected, Fetched, Missed
from gexdesk.sources.redis_stream import RedisStream
from gexdesk.sources.secret import Secret
from tests.contracts.source_contract import Desk, Rig, SourceContract, run_until
from tests.queues.valkey_server import ValkeyServer
from tests.running_clock import RunningClock

KEY = "Kanarie-7/8+x=="
STREAM = "gex"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    running = ValkeyServer()
    yield running
    running.close()


@pytest.fixture
def stream(server: ValkeyServer) -> str:
    return f"{STREAM}:{next(NUMBERS)}"


@pytest.fixture
def blunt(server: ValkeyServer) -> Iterator[redis.Redis]:
    with server.blunt() as client:
        yield client


class _NoRig:
    def taken(self, body: bytes) -> None:
        pass


def reader(server: ValkeyServer, stream: str, consumer: str = "desk-1", **options) -> RedisStream:
    given = {"clock": SystemClock(), "jitter": lambda: 0.0} | options
    return RedisStream("redis", given.pop("url", server.url), stream=stream, group="gexdesk", consumer=consumer, **given)


def pending(blunt: redis.Redis, stream: str) -> int:
    return blunt.xpending(stream, "gexdesk")["pending"]


async def read(source: RedisStream, count: int, limit_s: float = 10.0) -> Desk:
    desk = Desk(_NoRig())
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) >= count, limit_s)
    return desk


class StreamRig:
    def __init__(self, server: ValkeyServer, stream: str) -> None:
        self._server = server
        self._stream = stream
        self._client = server.blunt()

    def source(self) -> RedisStream:
        return reader(self._server, self._stream, clock=RunningClock())

    def offer(self, *bodies: bytes) -> None:
        for body in bodies:
            self._client.xadd(self._stream, {"payload": body})

    def stumble(self) -> None:
        self._client.xadd(self._stream, {"other": "field"})

    def taken(self, body: bytes) -> None:
        pass

    def close(self) -> None:
        self._client.close()


class TestRedisStreamContract(SourceContract):
    @pytest.fixture(autouse=True)
    def _here(self, server: ValkeyServer) -> None:
        self.server = server

    @asynccontextmanager
    async def open_rig(self, folder: Path) -> AsyncIterator[Rig]:
        rig = StreamRig(self.server, f"{STREAM}:{next(NUMBERS)}")
        yield rig
        rig.close()


async def test_an_entry_is_acknowledged_to_redis_only_after_the_desk_has_it(
    server: ValkeyServer, stream: str, blunt: redis.Redis
) -> None:
    for number in range(10):
        blunt.xadd(stream, {"payload": b"%d" % number})
    seen: list[tuple[bytes, int]] = []

    async def deliver(arrival) -> None:
        left = await asyncio.to_thread(blunt.xpending_range, stream, "gexdesk", "-", "+", 100)
        assert arrival.name.split()[1].encode() in {entry["message_id"] for entry in left}
        seen.append((arrival.body, len(left)))

    source = reader(server, stream)
    await run_until(source.run(deliver, lambda outcome: None), lambda: len(seen) == 10 and not pending(blunt, stream))
    assert [body for body, _ in seen] == [b"%d" % number for number in range(10)]


async def test_what_came_before_the_group_and_large_bodies_are_read(server: ValkeyServer, stream: str, blunt: redis.Redis) -> None:
    bodies = [b"before", bytes(range(256)) * 40_000, b"after"]
    for body in bodies[:2]:
        blunt.xadd(stream, {"doc": body, "more": "x"})
    desk = Desk(_NoRig())
    running = asyncio.create_task(reader(server, stream, field="doc").run(desk.deliver, desk.report))
    while len(desk.arrivals) < 2:
        await asyncio.sleep(0.005)
    began = asyncio.get_running_loop().time()
    await asyncio.to_thread(blunt.xadd, stream, {"doc": bodies[2]})
    while len(desk.arrivals) < 3:
        await asyncio.sleep(0.005)
    assert asyncio.get_running_loop().time() - began < 0.5, "a waiting reader hears at once"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert desk.bodies == bodies
    assert isinstance(desk.outcomes[0], Connected)
    assert [type(o) for o in desk.outcomes[1:]] == [Fetched] * 3, "silence is not reported as an answer"


async def test_a_restart_reads_what_was_not_acknowledged_and_nothing_else(
    server: ValkeyServer, stream: str, blunt: redis.Redis
) -> None:
    for number in range(6):
        blunt.xadd(stream, {"payload": b"%d" % number})
    # An earlier process read four, and was killed after it had acknowledged one.
    blunt.xgroup_create(stream, "gexdesk", id="0")
    [[_, entries]] = blunt.xreadgroup("gexdesk", "desk-1", {stream: ">"}, count=4)
    blunt.xack(stream, "gexdesk", entries[0][0])
    desk = await read(reader(server, stream), 5)
    assert desk.bodies == [b"1", b"2", b"3", b"4", b"5"]


async def test_what_a_dead_reader_left_is_taken_over_and_what_a_living_one_has_is_not(
    server: ValkeyServer, stream: str, blunt: redis.Redis
) -> None:
    for number in range(12):
        blunt.xadd(stream, {"payload": b"%d" % number})
    blunt.xgroup_create(stream, "gexdesk", id="0")
    [[_, dead]] = blunt.xreadgroup("gexdesk", "dead", {stream: ">"}, count=6)
    await asyncio.sleep(0.3)
    blunt.xreadgroup("gexdesk", "living", {stream: ">"}, count=2)
    blunt.xtrim(stream, minid=dead[1][0], approximate=False)
    desk = Desk(_NoRig())
    source = reader(server, stream, dead_after_s=0.25)

    async def keep_alive() -> None:
        while True:
            living = await asyncio.to_thread(blunt.xpending_range, stream, "gexdesk", "-", "+", 10, "living")
            ids = [entry["message_id"] for entry in living]
            await asyncio.to_thread(blunt.xclaim, stream, "gexdesk", "living", 0, ids)
            await asyncio.sleep(0.02)

    alive = asyncio.create_task(keep_alive())
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) >= 9)
    alive.cancel()
    await asyncio.gather(alive, return_exceptions=True)
    assert sorted(desk.bodies, key=int) == [b"1", b"2", b"3", b"4", b"5", b"8", b"9", b"10", b"11"]
    assert [o for o in desk.outcomes if isinstance(o, Missed)] == [
        Missed(1, f"{stream} was trimmed before a dead reader's entries were taken over")
    ]


async def test_what_was_trimmed_before_it_was_read_is_told_with_how_many(
    server: ValkeyServer, stream: str, blunt: redis.Redis
) -> None:
    for number in range(5):
        blunt.xadd(stream, {"payload": b"%d" % number})
    blunt.xtrim(stream, maxlen=3, approximate=False)
    desk = await read(reader(server, stream), 3)
    assert not [o for o in desk.outcomes if isinstance(o, Missed)], "what went before the group began is not its loss"
    for number in range(5, 25):
        blunt.xadd(stream, {"payload": b"%d" % number})
    blunt.xtrim(stream, maxlen=6, approximate=False)
    again = await read(reader(server, stream), 6)
    assert again.bodies == [b"%d" % number for number in range(19, 25)]
    assert [o for o in again.outcomes if isinstance(o, Missed)] == [Missed(14, f"{stream} was trimmed before they were read")]
    blunt.xadd(stream, {"payload": "more"})
    once_more = await read(reader(server, stream), 1)
    assert not [o for o in once_more.outcomes if isinstance(o, Missed)], "told once"


async def test_what_was_trimmed_while_it_was_ours_is_told_and_settled(
    server: ValkeyServer, stream: str, blunt: redis.Redis
) -> None:
    for number in range(3):
        blunt.xadd(stream, {"payload": b"%d" % number})
    blunt.xgroup_create(stream, "gexdesk", id="0")
    blunt.xreadgroup("gexdesk", "desk-1", {stream: ">"}, count=3)
    blunt.xtrim(stream, maxlen=1, approximate=False)
    desk = Desk(_NoRig())
    source = reader(server, stream)
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) == 1 and not pending(blunt, stream))
    assert desk.bodies == [b"2"]
    assert sum(o.count for o in desk.outcomes if isinstance(o, Missed)) == 2


async def test_an_entry_without_the_field_is_named_and_left_out(server: ValkeyServer, stream: str, blunt: redis.Redis) -> None:
    blunt.xadd(stream, {"other": "x"})
    blunt.xadd(stream, {"payload": ""})
    blunt.xadd(stream, {"payload": "good"})
    desk = Desk(_NoRig())
    source = reader(server, stream)
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) == 1 and not pending(blunt, stream))
    assert [reason.split(" has ")[1] for reason in desk.failures] == ["no field 'payload', or an empty one: it is left out"] * 2


async def test_a_server_that_is_killed_frozen_or_flushed_is_read_again_unaided() -> None:
    server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    try:
        desk = Desk(_NoRig())
        source = reader(server, STREAM, timeout_s=0.5)

        async def until(count: int) -> None:
            async with asyncio.timeout(15):
                while len(desk.arrivals) < count:
                    await asyncio.sleep(0.01)

        with server.blunt() as blunt:
            blunt.xadd(STREAM, {"payload": "1"})
            running = asyncio.create_task(source.run(desk.deliver, desk.report))
            await until(1)
        server.kill()
        while not desk.failures:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.start)
        with server.blunt() as blunt:
            blunt.xadd(STREAM, {"payload": "2"})
            await until(2)
            server.freeze()
            before = len(desk.failures)
            while len(desk.failures) == before:
                await asyncio.sleep(0.01)
            server.thaw()
            assert "did not answer within 0.5 s" in desk.failures[-1]
            blunt.flushall()
            blunt.xadd(STREAM, {"payload": "3"})
            await until(3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert desk.bodies == [b"1", b"2", b"3"]
    finally:
        server.close()


async def test_the_password_is_sent_and_never_shown(
    server: ValkeyServer, stream: str, blunt: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    blunt.config_set("requirepass", KEY)
    try:
        for password, right in ((Secret(KEY), True), (Secret(KEY + "?"), False), (None, False)):
            desk = Desk(_NoRig())
            source = reader(server, stream, password=password)
            await run_until(source.run(desk.deliver, desk.report), lambda desk=desk: bool(desk.outcomes))  # type: ignore[misc]
            assert isinstance(desk.outcomes[0], Connected) == right
            assert right or desk.failures[0].startswith("Redis refused"), desk.failures
            assert "Kanarie" not in repr(desk.outcomes) + caplog.text
    finally:
        blunt.config_set("requirepass", "")


async def test_a_password_in_an_error_of_the_store_is_not_passed_on(
    server: ValkeyServer, stream: str, blunt: redis.Redis
) -> None:
    blunt.xadd(stream, {"payload": "1"})
    desk = Desk(_NoRig())
    desk.refusals = [RuntimeError(f"cannot keep {KEY}")]
    blunt.config_set("requirepass", KEY)
    try:
        source = reader(server, stream, password=Secret(KEY))
        await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) == 1)
    finally:
        blunt.config_set("requirepass", "")
    assert desk.failures == ["could not be kept, will be handed over again: cannot keep ***"]


async def test_nobody_there_is_named_and_the_breaker_opens(tmp_path: Path) -> None:
    clock = RunningClock()
    desk = Desk(_NoRig())
    at: list[float] = []

    def report(outcome) -> None:
        desk.report(outcome)
        if desk.story[-1] == "Failed":
            at.append(clock.monotonic())

    source = RedisStream(
        "redis", f"unix://{tmp_path}/none", clock=clock, stream="s", group="g", consumer="c", jitter=lambda: 0.0
    )
    await run_until(source.run(desk.deliver, report), lambda: len(at) >= 6)
    assert "No such file" in desk.failures[0]
    assert [round(b - a, 3) for a, b in itertools.pairwise(at)][:5] == [1.0, 1.0, 1.0, 1.0, 30.0]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379", "redis://", "redis://user:Kanarie@127.0.0.1/0", "redis://10.0.0.1:6379/0", "rediss://redis.example/0",
        "redis://localhost.evil.example/", "unix://", "unix://user@host/path", "redis://127.0.0.1:99999/",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_meant_or_is_open_to_all_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="source redis: the URL") as refused:
        RedisStream("redis", url, clock=RunningClock(), stream="s", group="g", consumer="c")
    assert "Kanarie" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "redis://[::1]/", "redis://localhost/1", "unix:///run/redis/s"])
def test_this_host_needs_no_password(url: str) -> None:
    RedisStream("redis", url, clock=RunningClock(), stream="s", group="g", consumer="c")


def test_importing_the_module_does_not_import_the_client() -> None:
    import subprocess
    import sys

    code = "import sys, gexdesk.sources.redis_stream; sys.exit(any(m in sys.modules for m in ('redis', 'httpx2')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
