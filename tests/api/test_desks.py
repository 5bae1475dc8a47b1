"""The engine and the client over its socket are the same desk to a screen."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from gexdesk.api import client as client_module
from gexdesk.api.client import Client
from gexdesk.api.keys import Scope
from gexdesk.api.routes import desk as desk_routes
from gexdesk.desk import Desk
from gexdesk.model import errors
from gexdesk.model.errors import EngineAway, LeverRefused
from gexdesk.model.lever import LEVER_LIMIT_S, Lever, LeverOutcome, Verb
from gexdesk.model.look.machine import MachineLook
from gexdesk.model.view.desk import DeskView
from tests.api.served_engine import on_tcp, served
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


async def test_while_nothing_changes_a_screen_is_sent_the_time_alone_and_a_program_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_tcp(tmp_path) as desk:
        still, key = await desk.engine.view(), desk.key(Scope.READ)

        async def views() -> AsyncIterator[DeskView]:
            for sequence in range(1, 8):
                await asyncio.sleep(0.02)
                yield replace(still, sequence=sequence, taken_at=still.taken_at + sequence, completed=9 if sequence > 4 else 0)

        async def view() -> DeskView:
            return still

        desk.engine.views, desk.engine.view = views, view  # type: ignore[method-assign]
        async with desk.socket("/api/v1/views", key) as program:
            assert {type(await program.recv()) for _ in range(8)} == {bytes}
        async with desk.socket("/api/v1/views?moments=true", key) as screen:
            kinds = [type(await screen.recv()) for _ in range(8)]
            assert kinds == [bytes, str, str, str, str, bytes, str, str]
        monkeypatch.setattr(desk_routes, "MOMENT_EACH_S", 2.0)
        async with desk.socket("/api/v1/views?moments=true", key) as screen:
            kinds = [type(await screen.recv()) for _ in range(5)]
            assert kinds == [bytes, str, str, bytes, str], "at 0, 2, 4, 5 and 7"
        seen = [view async for view in _until_away(Client(desk.state).views())]
        assert [view.sequence for view in seen][-1] == 7
        assert all(replace(view, sequence=0, taken_at=0, completed=0) == replace(still, sequence=0, taken_at=0) for view in seen)
        assert {(view.sequence, view.completed, view.taken_at - still.taken_at) for view in seen[1:]} <= {
            (n, 9 if n > 4 else 0, n) for n in range(1, 8)
        }


async def _until_away(views: AsyncIterator[DeskView]) -> AsyncIterator[DeskView]:
    with contextlib.suppress(EngineAway):
        async for view in views:
            yield view


class TestClient(DeskContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Desk]:
        async with served(folder):
            yield Client(folder / "state")


@pytest.mark.parametrize("off_s", [-3600.0, 3600.0])
async def test_a_lever_from_a_host_with_another_clock_is_done_and_one_that_is_too_late_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off_s: float
) -> None:
    async with on_tcp(tmp_path) as desk:
        monkeypatch.setattr(client_module, "time", SimpleNamespace(time=lambda: time.time() + off_s))
        client = Client(f"http://{desk.netloc}", key=desk.key(Scope.OPERATE))
        taken: list[Lever] = []
        pull = desk.engine.pull

        async def kept(lever: Lever) -> LeverOutcome:
            taken.append(lever)
            return await pull(lever)

        desk.engine.pull = kept  # type: ignore[method-assign]
        assert (await client.pull(Lever(Verb.PAUSE, "drop", "vendor call"))).done
        too_late = taken[0].not_after
        assert too_late is not None
        assert 0 < too_late - time.time() <= LEVER_LIMIT_S, "a hung engine does it no later than the client waits"
        with pytest.raises(LeverRefused, match="stopped waiting"):
            await client.pull(Lever(Verb.RESUME, "drop", "vendor call", not_after=time.time() - 0.1))
        assert (await client.pull(Lever(Verb.RESUME, "drop", "vendor call", not_after=time.time() + 2))).done


async def test_what_an_engine_refuses_with_is_the_same_over_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GexdeskError)]
    assert errors.QueueAway in kinds
    async with served(tmp_path) as (engine, _):
        for kind in kinds:

            async def refuses(*_: object, kind: type[errors.GexdeskError] = kind) -> None:
                raise kind("no, and why", file="a.json")

            monkeypatch.setattr(engine, "look", refuses)
            with pytest.raises(errors.GexdeskError) as refused:
                await Client(tmp_path / "state").look(MachineLook())
            assert type(refused.value) is kind
            assert (refused.value.message, refused.value.details) == ("no, and why", {"file": "a.json"})


async def test_certificates_are_read_for_tls_and_for_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take 18 ms of a processor, which every lever and every question of a screen would pay."""
    read: list[str] = []
    async with on_tcp(tmp_path) as desk:
        for name in ("load_verify_locations", "load_default_certs"):
            monkeypatch.setattr(ssl.SSLContext, name, lambda *_, name=name, **__: read.append(name))
        await Client(desk.state).view()
        await Client(f"http://{desk.netloc}", key=desk.key(Scope.READ)).view()
        assert not read
        with pytest.raises(EngineAway, match=r"over TLS \(.+\): write http:// where no proxy ends TLS before it"):
            await Client(f"https://{desk.netloc}", key="gxd_x").view()
        assert read
