"""A real engine behind its real socket, in this process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gexdesk.api import door
from gexdesk.api.app import make_app
from gexdesk.api.guard import Guard
from gexdesk.api.server import Server
from gexdesk.engine.engine import Engine
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


