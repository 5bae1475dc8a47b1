"""What is set through another engine acts here, whatever a beat does in the middle of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Parts
from gexdesk.engine.standing import Pause, Standing
from gexdesk.fleet.board import Board
from gexdesk.fleet.told import Entry
from gexdesk.model.clock import SystemClock
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
    await other.put(name, Entry(raw, "kl", "other", time.time()), None)


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
