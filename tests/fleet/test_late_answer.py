"""A source that is gained by an answer which comes after its lease is run all the same, from the next answer on."""

import asyncio
from pathlib import Path

import pytest

from gexdesk.assemble.desk import assemble
from gexdesk.fleet.board import Board
from gexdesk.fleet.told import Told
from gexdesk.model.clock import SystemClock
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import gexbot_at
from tests.feed_server import Answer, FeedServer
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

LEASE_S = 0.3


async def test_an_answer_that_comes_too_late_costs_one_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beat, late = Board.beat, 2

    async def stalled(self: Board, *arguments: object) -> Told:
        nonlocal late
        told = await beat(self, *arguments)  # type: ignore[arg-type]
        if late:
            late -= 1
            await asyncio.sleep(2 * LEASE_S)  # the machine stands still
        return told

    monkeypatch.setattr(Board, "beat", stalled)
    monkeypatch.setattr("gexdesk.engine.ownership.LEASE_S", LEASE_S)
    server = ValkeyServer()
    try:
        async with FeedServer(Answer(body=gexbot_at(1.0))) as feed:
            source = {"kind": "http", "name": "own", "url": f"{feed.url}/SPX", "every_s": 1, "always": True, "level": "auto"}
            redis = {"url": server.url, "prefix": "late"}
            engine = assemble(Settings.model_validate({"state": tmp_path, "sources": [source], "redis": redis}), SystemClock())
            await engine.start()
            try:
                await until(lambda: len(feed.requests) > 0)
            finally:
                await engine.close()
    finally:
        server.close()
    assert late == 0
