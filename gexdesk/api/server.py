"""Serve the routes on the unix socket, and on TCP when asked; on the socket, operators are who the kernel says they are."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gexdesk.api.answers import refusal
from gexdesk.api.door import UNIX, peer
from gexdesk.api.refusals import BadRequest, Busy

CALLS_AT_ONCE = 256
"""Calls over TCP answered at once; more are refused with 503, so that a flood does not take the engine's memory."""

LINES_AT_ONCE = 512
"""Connections over TCP; for one more a line that has not sent a whole request head is dropped, and where there is none the new one.
The unix socket is held to nothing: whoever has to act gets in."""

UNIX_HOST = "the unix socket"

PROBES = frozenset(("/healthz", "/readyz"))
"""Answered however many calls there are: an engine that is busy is alive, and whoever asks would end it otherwise."""

WATCHERS_AT_ONCE = 64
"""WebSockets over TCP."""

HEAD_LIMIT_S = 10.0
"""A connection that sends no whole request head for so long is dropped."""

LINGER_S = 2.0
"""What a reader has not taken so long after its end is thrown away."""


class _KnownPeer(H11Protocol):
    """HTTP with the peer's user in ``client``: ASGI itself does not carry SO_PEERCRED. Lines that say nothing are dropped."""

    _late: asyncio.TimerHandle | None = None
    """Runs while a whole request head is waited for."""
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        caller = _caller(transport)
        self.client = caller or self.client
        self._since = self.loop.time()
        if caller is None and self._too_many() and not self._make_room():
            transport.abort()
            return
        self._late = self.loop.call_later(HEAD_LIMIT_S, transport.abort)

    def _too_many(self) -> bool:
        """Say whether there are too many connections over TCP; those on the unix socket take nobody's place."""
        if len(self.connections) <= LINES_AT_ONCE:
            return False
        ours = (line.client for line in self.connections if isinstance(line, _KnownPeer | _KnownReader))
        return sum(client is None or client[1] != UNIX for client in ours) > LINES_AT_ONCE

    def _make_room(self) -> bool:
        """Drop the line over TCP that has said least for longest, of the address that has most such; say whether there was one."""
        silent = [line for line in self.connections if isinstance(line, _KnownPeer) and line._late and line.host != UNIX_HOST]
        if not silent:
            return False
        crowd = Counter(line.host for line in silent)
        dropped = max(silent, key=lambda line: (crowd[line.host], -line._since))
        dropped._forget_late()
        dropped.transport.abort()
        return True

    @property
    def host(self) -> str:
        """Return the peer's address, ``UNIX_HOST`` on the unix socket."""
        host, port = self.client or ("", 0)
        return UNIX_HOST if port == UNIX else host

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        between = self.cycle is None or self.cycle.response_complete
        if not between or self.transport.get_protocol() is not self:
            self._forget_late()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_LIMIT_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_late()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        body = refusal(BadRequest(msg)).body
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        try:
            for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=bytes(body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            pass  # an answer is under way already; the line is broken either way
        self.transport.close()

    def _forget_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _KnownReader(WebSocketsSansIOProtocol):
    """WebSocket likewise; a reader that does not take its end is cut off."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.client = _caller(transport) or self.client

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(LINGER_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


class _Bounded:
    """Answer so many calls at once and no more."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._under_way = {"http": 0, "websocket": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, most = scope["type"], CALLS_AT_ONCE if scope["type"] == "http" else WATCHERS_AT_ONCE
        client = scope.get("client")
        if scope["path"] in PROBES or (client is not None and client[1] == UNIX):
            await self._app(scope, receive, send)
            return
        if self._under_way[kind] >= most:
            await refusal(Busy("too many calls at once; send it again in a moment"))(scope, receive, send)
            return
        self._under_way[kind] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way[kind] -= 1


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
            _Bounded(app), http=_KnownPeer, ws=_KnownReader, ws_per_message_deflate=False, ws_max_size=64 * 1024, log_config=None,
            log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False,
            date_header=False, proxy_headers=False, backlog=256, interface="asgi3",
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
