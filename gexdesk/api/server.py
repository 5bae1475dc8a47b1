"""Serve the routes on the unix socket; on it, operators are who the kernel says they are."""

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from gexdesk.api.door import peer


class _KnownPeer(H11Protocol):
    """HTTP with the peer's user in ``client``: ASGI itself does not carry SO_PEERCRED."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        line = transport.get_extra_info("socket")
        if line is not None and line.family == socket.AF_UNIX:
            self.client = (peer(line), 0)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to whoever runs the engine."""
        yield


class Server:
    """Answer on a listening socket until stopped."""

    def __init__(self, app: FastAPI, door: socket.socket) -> None:
        config = uvicorn.Config(
            app, http=_KnownPeer, ws="websockets-sansio", ws_per_message_deflate=False, log_config=None, access_log=False,
            lifespan="off", timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = _Server(config)
        self._door = door
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer; returns when it does."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._door]), name="api")
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
