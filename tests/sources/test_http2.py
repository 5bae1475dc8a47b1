"""Polling a server that speaks HTTP/2."""

import asyncio
import gzip
import ssl
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, WindowUpdated

from gexdesk.sources import tls
from gexdesk.sources.base import Failed, Fetched, Unchanged
from gexdesk.sources.http import Http
from gexdesk.sources.pace import Pace
from tests.contracts.source_contract import Desk, run_until
from tests.running_clock import RunningClock

CERTIFICATE = Path(__file__).with_name("loopback_cert.pem")
BODY = b'{"strike": 5000.0}' * 20_000


class _NoRig:
    def taken(self, body: bytes) -> None:
        pass


class Http2Server(asyncio.Protocol):
    """Answer 304 to who knows the tag, else the packed body; the third request's stream is reset."""

    def __init__(self, requests: list[dict[str, str]], connections: list[object]) -> None:
        self._requests = requests
        self._connections = connections
        self._left: dict[int, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._connections.append(self)
        self._transport = transport
        self._protocol = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._protocol.initiate_connection()
        transport.write(self._protocol.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._protocol.receive_data(data):
            if isinstance(event, RequestReceived):
                self._answer(event)
            elif isinstance(event, WindowUpdated):
                self._send_on()
        self._transport.write(self._protocol.data_to_send())

    def _answer(self, event: RequestReceived) -> None:
        asked = dict(event.headers)
        self._requests.append(asked)
        if len(self._requests) == 3:
            self._protocol.reset_stream(event.stream_id)
            return
        if asked.get("if-none-match") == '"7"':
            self._protocol.send_headers(event.stream_id, [(":status", "304")], end_stream=True)
            return
        headers = [(":status", "200"), ("etag", '"7"'), ("content-encoding", "gzip"), ("content-type", "application/json")]
        self._protocol.send_headers(event.stream_id, headers)
        self._left[event.stream_id] = gzip.compress(BODY, compresslevel=0)
        self._send_on()

    def _send_on(self) -> None:
        for stream in list(self._left):
            body = self._left[stream]
            while body and (room := min(self._protocol.local_flow_control_window(stream), 16_384)):
                self._protocol.send_data(stream, body[:room])
                body = body[room:]
            self._left[stream] = body
            if not body:
                self._protocol.end_stream(stream)
                del self._left[stream]


async def test_http_2_is_spoken_where_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.set_alpn_protocols(["h2"])
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    tls.trusted.cache_clear()
    requests: list[dict[str, str]] = []
    connections: list[object] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: Http2Server(requests, connections), "127.0.0.1", 0, ssl=context
    )
    desk = Desk(_NoRig())
    try:
        port = server.sockets[0].getsockname()[1]
        source = Http("spx", f"https://127.0.0.1:{port}/q?x=1", pace=Pace(15.0), clock=RunningClock(), timeout_s=5.0)
        await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.outcomes) >= 4)
    finally:
        server.close()
        tls.trusted.cache_clear()
    assert [type(outcome) for outcome in desk.outcomes[:4]] == [Fetched, Unchanged, Failed, Unchanged]
    assert desk.bodies == [BODY]
    assert requests[0][":path"] == "/q?x=1"
    assert requests[0]["accept-encoding"] == "zstd, gzip"
    assert len(connections) == 1, "one connection for all"
