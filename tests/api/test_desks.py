"""The engine and the client over its socket are the same desk to a screen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gexdesk.api.client import Client
from gexdesk.desk import Desk
from tests.api.served_engine import served
from tests.contracts.desk_contract import DeskContract
from tests.engine.desk_setting import engine_on, folder_source, settings_of


class TestEngine(DeskContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Desk]:
        async with engine_on(settings_of(folder / "state", folder_source("drop", folder / "in"))) as engine:
            yield engine

    async def test_a_reader_that_waits_while_it_closes_is_let_go(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            stream = desk.views()
            await anext(stream)
            waiting = asyncio.create_task(anext(stream, None))
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await waiting
            assert await anext(stream, None) is None


class TestClient(DeskContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Desk]:
        async with served(folder):
            yield Client(folder / "state")
