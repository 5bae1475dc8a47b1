"""Serve the routes on the unix socket, and on TCP when asked; on the socket, operators are who the kernel says they are."""

import asyncio
import contextlib
import socket
from collections.abc import Generator, Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gexdesk.api.door import UNIX, peer

CALLS_AT_ONCE = 512
"""More are answered 503: a flood of calls must not take the memory of the engine they are for."""


class _KnownPeer(H11Protocol):
    """HTTP with the peer's user in ``client``: ASGI itself does not carry SO_PEERCRED."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.client = _caller(transport) or self.client


class _KnownReader(WebSocketsSansIOProtocol):
    """WebSocket likewise."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.client = _caller(transport) or self.client


def _caller(transport: asyncio.BaseTransport) -> tuple[str, int] | None:
    line = transport.get_extra_info("socket")
    return (peer(line), UNIX) if line is not None and line.family == socket.AF_UNIX else None


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to whoever runs the engine."""
        yield


class Server:
    """Answer on listening sockets until stopped."""

    def __init__(self, app: FastAPI, *doors: socket.socket) -> None:
        config = uvicorn.Config(
            app, http=_KnownPeer, ws=_KnownReader, ws_per_message_deflate=False, ws_max_size=64 * 1024, log_config=None,
            access_log=False, lifespan="off", timeout_graceful_shutdown=1, limit_concurrency=CALLS_AT_ONCE, server_header=False,
            date_header=False, proxy_headers=False,
        )  # fmt: skip
        self._server = _Server(config)
        self._doors: Sequence[socket.socket] = doors
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer; returns when it does."""
        self._task = asyncio.create_task(self._server.serve(sockets=list(self._doors)), name="api")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("the API ended while it was starting")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop answering."""
        if self._task is not None:
            self._server.should_exit = True
            await asyncio.gather(self._task, return_exceptions=True)
