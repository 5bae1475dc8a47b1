"""The live stream for programs: the queue every second, jobs as they move, and nobody who cannot keep up."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from gexdesk.api import server
from gexdesk.api.keys import Scope
from gexdesk.api.routes import stream
from gexdesk.model.event import QueueEvent
from tests.api.served_engine import on_tcp
from tests.engine.desk_setting import drop, gexbot_at
from tests.until import until

PATH = "/api/v1/ingest/status"


async def test_the_queue_every_second_and_each_step_of_a_job(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk, desk.socket(PATH, desk.key(Scope.READ)) as reader:
        first = json.loads(await reader.recv())
        assert sorted(first) == ["at", "by_priority", "oldest_request", "processing_capacity", "total_queued", "type"]
        assert (first["type"], first["total_queued"], list(first["by_priority"])) == (
            "queue_status", 0, ["CRITICAL", "HIGH", "MEDIUM", "LOW"],
        )  # fmt: skip
        drop(tmp_path / "in", "a.json", gexbot_at(1.0))
        messages = []
        async with asyncio.timeout(20):
            while not any(m.get("kind") == "completed" for m in messages) or sum(m["type"] == "queue_status" for m in messages) < 3:
                messages.append(json.loads(await reader.recv()))
        updates = [m for m in messages if m["type"] == "processing_update"]
        assert [m["kind"] for m in updates] == ["queued", "claimed", "completed"]
        assert {m["source"] for m in updates} == {"drop"}
        assert len({m["job_id"] for m in updates}) == 1
        assert all(sorted(m) == ["at", "job_id", "kind", "level", "missed", "source", "type"] for m in updates)
        assert {m["type"] for m in messages} == {"queue_status", "processing_update"}
        ticks = [m["at"] for m in messages if m["type"] == "queue_status"]
        assert ticks == sorted(set(ticks))


async def test_what_a_reader_sends_is_ignored_and_too_much_of_it_ends_it_alone(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk:
        key = desk.key(Scope.READ)
        async with desk.socket(PATH, key) as chatty, desk.socket(PATH, key) as quiet:
            await chatty.send("hello")
            await chatty.send(b"\x00" * 100)
            assert await chatty.recv()
            with contextlib.suppress(ConnectionClosed):
                await chatty.send("x" * 200_000)
                async with asyncio.timeout(5):
                    async for _ in chatty:
                        pass
            assert chatty.close_code in (1006, 1009)
            for _ in range(2):
                assert await quiet.recv()


async def test_a_reader_that_reads_nothing_is_cut_off_and_costs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def flood() -> AsyncIterator[QueueEvent]:
        while True:  # a hundred kilobytes each, so that the kernel's buffers are full soon
            yield QueueEvent("queued", "x" * 100_000, "drop", None, 1.0)
            await asyncio.sleep(0.001)

    monkeypatch.setattr(stream, "WAITING", 50)
    monkeypatch.setattr(stream, "CLOSE_S", 0.1)
    monkeypatch.setattr(server, "LINGER_S", 0.1)
    async with on_tcp(tmp_path) as desk:
        key, updates = desk.key(Scope.READ), desk.engine.updates
        monkeypatch.setattr(desk.engine, "updates", flood)
        host, _, port = desk.netloc.partition(":")
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(line.connect, (host, int(port)))
        head = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        line.sendall(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
        watching = desk.server._server.server_state.connections  # type: ignore[attr-defined]
        await until(lambda: any(type(one).__name__ == "_KnownReader" for one in watching))
        await until(lambda: not any(type(one).__name__ == "_KnownReader" for one in watching), limit_s=30)
        line.settimeout(5)
        with contextlib.suppress(ConnectionError):
            while await asyncio.to_thread(line.recv, 65536):
                pass
        line.close()
        monkeypatch.setattr(desk.engine, "updates", updates)
        async with desk.socket(PATH, key) as reader:
            assert json.loads(await reader.recv())["type"] == "queue_status"


async def test_the_end_of_the_engine_ends_the_stream(tmp_path: Path) -> None:
    async with on_tcp(tmp_path) as desk, desk.socket(PATH, desk.key(Scope.READ)) as reader:
        await reader.recv()
        desk.engine.stopping.set()
        stopping = asyncio.create_task(desk.server.stop())
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(10):
                async for _ in reader:
                    pass
        assert reader.close_code in (1001, 1012)
        await stopping
