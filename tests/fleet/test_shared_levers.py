"""An engine acts on what others set and on what it hears of them, whatever happens in the middle of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from gexdesk.assemble.desk import assemble
from gexdesk.engine.parts import Parts
from gexdesk.engine.standing import Pause, Standing
from gexdesk.fleet.board import Board
from gexdesk.fleet.told import Entry, Told
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import LeverRefused
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import folder_source, parts_of
from tests.queues.valkey_server import ValkeyServer
from tests.until import until


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.close()


@pytest.fixture
async def parts(valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[Parts]:
    redis = {"url": valkey.url, "prefix": f"shared-{tmp_path.name}"}
    settings = {"state": tmp_path / "state", "sources": [folder_source("own", tmp_path / "own")], "redis": redis}
    engine = assemble(Settings.model_validate(settings), SystemClock())
    await engine.start()
    yield parts_of(engine)
    await engine.close()


@pytest.fixture
async def other(valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[Board]:
    client = valkey.client()
    yield Board(client, prefix=f"shared-{tmp_path.name}", engine="other")
    await client.aclose()


async def set_elsewhere(other: Board, name: str, value: object) -> None:
    raw = msgspec.Raw(msgspec.msgpack.encode(value))
    await other.put(name, Entry(raw, "kl", "other", time.time()), 0)


@pytest.mark.parametrize("name", ["pause own", "stopped "])
async def test_a_beat_in_the_middle_of_a_pause_leaves_no_source_running(
    parts: Parts, other: Board, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, loop, fleet = Standing.take, asyncio.get_running_loop(), parts.fleet
    assert fleet is not None  # this engine has one: it is over Redis
    await until(lambda: "own" in parts.supply._tasks)

    async def beat() -> None:
        fleet._run_own()

    def slowly(self: Standing, kind: str, of: str, value: object) -> None:
        asyncio.run_coroutine_threadsafe(beat(), loop).result(5.0)
        take(self, kind, of, value)

    monkeypatch.setattr(Standing, "take", slowly)
    await set_elsewhere(other, name, Pause("kl", "an incident", time.time()))
    kind, _, of = name.partition(" ")
    await until(lambda: of in parts.standing.standing(kind))
    await until(lambda: parts.queue.state().stopped or "own" in parts.queue.state().paused)
    assert parts.supply._tasks == {}


async def test_what_the_fleet_does_not_take_in_time_is_refused_and_set_nowhere(
    parts: Parts, other: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gexdesk.engine.shared.THREAD_WAITS_S", 0.3)
    assert parts.fleet is not None
    shared = parts.fleet.shared
    async with shared._turn:  # others are before it
        with pytest.raises(LeverRefused, match="did not answer within"):
            await asyncio.to_thread(parts.standing.set_pause, "own", Pause("jm", "an incident", time.time()))
    await shared.look()
    assert "pause own" not in (await other.read()).entries
    assert parts.standing.pause_of("own") is None


async def test_an_engine_gives_nothing_up_while_nobody_could_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexdesk.engine.ownership.SETTLED_S", 0.0)
    server = ValkeyServer()
    redis = {"url": server.url, "prefix": "giving"}
    sources = [folder_source(name, tmp_path / name) for name in ("a", "b")]
    engine = assemble(Settings.model_validate({"state": tmp_path / "state", "sources": sources, "redis": redis}), SystemClock())
    await engine.start()
    client = server.client()
    try:
        parts, beat = parts_of(engine), Board.beat
        fleet = parts.fleet
        assert fleet is not None
        await until(lambda: set(parts.supply._tasks) == {"a", "b"})

        async def first_answered_then_away(self: Board, *arguments: object) -> Told:
            answer = await beat(self, *arguments)  # type: ignore[arg-type]
            if self is not newcomer and answer.most == 1:
                server.kill()  # straight after the answer that there is another engine, before anything was given up to it
            return answer

        newcomer = Board(client, prefix="giving", engine="zz")
        monkeypatch.setattr(Board, "beat", first_answered_then_away)
        await newcomer.beat(b"", ["a", "b"], (), 30.0)
        await until(lambda: fleet._told is not None and fleet._told.most == 1)
        await until(lambda: parts.queue.away)
        await asyncio.sleep(1.2)  # more than a beat
        assert set(parts.supply._tasks) == {"a", "b"}
    finally:
        await engine.close()
        await client.aclose()
        server.close()
