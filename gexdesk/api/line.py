"""The line to an engine: its unix socket, or TCP to where it listens."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket

from gexdesk.api.door import connect, short_path
from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable

if TYPE_CHECKING:
    import httpx2

LARGEST_BYTES = 16 * 1024 * 1024
KNOWN_AS = "X-Known-As"
"""Header in which an engine says as whom it knows its caller, as the audit will name them."""


class Line(Protocol):
    """Reach one engine.

    Attributes:
        name: Where it is, for a sentence.
        to_start: What to do where none is.
    """

    name: str
    to_start: str

    def http(self, timeout_s: float) -> "AbstractAsyncContextManager[httpx2.AsyncClient]":
        """Open a client whose paths are the engine's."""
        ...

    def websocket(self, path: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[ClientConnection]:
        """Open a WebSocket; raises OSError and WebSocketException."""
        ...


class SocketLine:
    """Reach the engine of a state folder on this host."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.name = f"in {printable(str(state), 200)}"
        self.to_start = "start one with `gexdesk`, or `gexdesk run --config FILE` without a screen; --state FOLDER reaches another"

    @asynccontextmanager
    async def http(self, timeout_s: float) -> "AsyncIterator[httpx2.AsyncClient]":
        """Open a client over the socket."""
        import httpx2

        with short_path(self._state) as path:
            # No TLS on a socket: to read the host's certificates for each question took most of what a page cost.
            transport = httpx2.AsyncHTTPTransport(uds=path, verify=False)
            async with httpx2.AsyncClient(
                transport=transport, timeout=timeout_s, trust_env=False, base_url="http://gexdesk"
            ) as client:
                yield client

    @asynccontextmanager
    async def websocket(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket over the socket."""
        line = await asyncio.to_thread(connect, self._state)
        line.setblocking(False)
        async with websocket(
            f"ws://gexdesk{path}", sock=line, compression=None, max_size=LARGEST_BYTES, proxy=None, ping_interval=None,
            additional_headers=dict(headers),
        ) as socket:  # fmt: skip
            yield socket


class TcpLine:
    """Reach an engine that listens on TCP.

    Args:
        url: ``http://host:port`` or ``https://host`` of a proxy that ends TLS before it.

    Raises:
        SettingsError: That is no such URL.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or "@" in parts.netloc:
            raise SettingsError(f"{printable(url, 80)!r} is not where an engine listens; write http://HOST:PORT")
        self._netloc = parts.netloc
        self._secure = "s" if parts.scheme == "https" else ""
        self.name = f"at {printable(parts.netloc, 80)}"
        self.to_start = "start one over there with `gexdesk run --listen HOST:PORT`, or look whether the network lets you reach it"

    @asynccontextmanager
    async def http(self, timeout_s: float) -> "AsyncIterator[httpx2.AsyncClient]":
        """Open a client over TCP."""
        import httpx2

        async with httpx2.AsyncClient(
            timeout=timeout_s, trust_env=False, follow_redirects=False, base_url=f"http{self._secure}://{self._netloc}",
            verify=bool(self._secure),  # certificates are read where there are any, and checked there
        ) as client:  # fmt: skip
            yield client

    @asynccontextmanager
    async def websocket(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket over TCP; pings find out when the other host is gone without a word."""
        async with websocket(
            f"ws{self._secure}://{self._netloc}{path}", max_size=LARGEST_BYTES, proxy=None, ping_interval=5, ping_timeout=5,
            additional_headers=dict(headers),
        ) as socket:  # fmt: skip
            yield socket
