"""A real engine behind its real doors, in this process."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect

from gexdesk.api import door
from gexdesk.api.app import make_app
from gexdesk.api.guard import Guard
from gexdesk.api.keys import KeyBook, Scope
from gexdesk.api.server import Server
from gexdesk.engine.engine import Engine
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import engine_on, folder_source, settings_of


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Engine, Server]]:
    """Run an engine on ``folder / "state"`` with one source, ``drop``, and answer on its socket."""
    async with engine_on(settings_of(folder / "state", folder_source("drop", folder / "in"))) as engine:
        server = Server(make_app(engine, Guard(folder / "state")), door.listen(folder / "state"))
        await server.start()
        try:
            yield engine, server
        finally:
            engine.stopping.set()
            await server.stop()


class Desk(Struct):
    """Hold an engine that answers on TCP, and a client for each way in.

    Attributes:
        netloc: ``host:port``.
        http: Sends no key; ``with_key`` adds one.
    """

    engine: Engine
    server: Server
    state: Path
    netloc: str
    http: httpx2.AsyncClient

    def key(self, *scopes: Scope, name: str = "tests", per_minute: int = 1_000_000, for_s: float | None = None) -> str:
        """Make a key, as ``gexdesk key create`` does."""
        return KeyBook(self.state).create(name, scopes, time.time(), for_s, per_minute)[0]

    @asynccontextmanager
    async def socket(self, path: str, key: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket over TCP."""
        headers = {"X-API-Key": key} if key else {}
        async with connect(f"ws://{self.netloc}{path}", additional_headers=headers, proxy=None, **options) as socket:
            yield socket


@asynccontextmanager
async def on_tcp(
    folder: Path, *sources: dict[str, Any], read_only: bool = False, submit: dict[str, Any] | None = None, **engine: Any
) -> AsyncIterator[Desk]:
    """Run an engine that answers on its socket and on a free TCP port; without a source it has the folder ``drop``."""
    sources = sources or (folder_source("drop", folder / "in"),)
    settings = Settings.model_validate({
        "state": folder / "state", "sources": sources, "engine": engine, "read_only": read_only, "submit": submit or {}
    })  # fmt: skip
    async with engine_on(settings) as running:
        tcp = door.listen_tcp("127.0.0.1:0")
        netloc = f"127.0.0.1:{tcp.getsockname()[1]}"
        server = Server(make_app(running, Guard(settings.state, read_only=read_only)), door.listen(settings.state), tcp)
        await server.start()
        try:
            async with httpx2.AsyncClient(base_url=f"http://{netloc}", trust_env=False, timeout=20) as http:
                yield Desk(running, server, settings.state, netloc, http)
        finally:
            running.stopping.set()
            await server.stop()


async def raw(netloc: str, sent: bytes, limit_s: float = 10.0) -> bytes:
    """Send bytes over TCP and return what comes back until the other side hangs up, or the limit."""
    host, _, port = netloc.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        writer.write(sent)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(limit_s):
                while piece := await reader.read(65536):
                    answer += piece
    finally:
        writer.transport.abort()
    return answer


def in_shape(answer: httpx2.Response) -> dict[str, Any]:
    """Return a refusal, which has the one shape."""
    document = answer.json()
    assert sorted(document) == ["details", "error", "message"], document
    assert answer.headers["content-type"] == "application/json"
    assert isinstance(document["details"], dict)
    assert document["message"]
    assert document["message"].isprintable()
    return dict(document)


def with_key(key: str, headers: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Return headers that show a key."""
    return {"X-API-Key": key, **dict(headers)}


def ask_raw(state: Path, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """Send one request as bytes and return status and JSON document: what a client that is not ours sees."""
    with door.connect(state) as line:
        head = f"{method} {path} HTTP/1.1\r\nHost: gexdesk\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        line.sendall(head.encode() + body)
        line.settimeout(10)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    head_bytes, _, content = answer.partition(b"\r\n\r\n")
    if b"chunked" in head_bytes.lower():
        raise AssertionError("an answer of known length is expected")
    return int(head_bytes.split()[1]), json.loads(content)
