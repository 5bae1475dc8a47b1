"""Fetch one document that a request asked for: from the pinned address, every redirect checked anew, everything capped."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin, urlsplit

from gexdesk import __version__
from gexdesk.model.errors import AddressRefused, FetchError, GexdeskError, OversizePayload
from gexdesk.model.text import printable
from gexdesk.sources.address import Addresses, Destination, Resolver, pinned
from gexdesk.sources.answer import status_line, why
from gexdesk.sources.encoding import ACCEPTED, Expander
from gexdesk.sources.hush import hush
from gexdesk.sources.secret import Secret
from gexdesk.sources.tls import trusted

if TYPE_CHECKING:
    import httpx2

REDIRECTS = 3


@dataclass(frozen=True)
class SourceKey:
    """Say what key goes along to a configured source, and where: in a header or a parameter."""

    key: Secret
    header: str | None
    param: str | None


@dataclass(frozen=True)
class Document:
    """Hold what came back."""

    body: bytes
    content_type: str
    name: str


class FetchOnce:
    """Get documents one at a time; each has a connection of its own.

    Args:
        keys: By source name; sent to URLs under that source's base and nowhere else.
        timeout_s: For one document, redirects included.
        cap_bytes: Largest body, also once expanded.
        resolver: Tests give one of their own.
    """

    def __init__(
        self, addresses: Addresses, keys: Mapping[str, SourceKey], *, timeout_s: float, cap_bytes: int,
        resolver: Resolver | None = None,
    ) -> None:  # fmt: skip
        self._addresses = addresses
        self._keys = keys
        self._timeout_s = timeout_s
        self._cap_bytes = cap_bytes
        self._resolver = resolver or resolve

    async def get(self, url: str) -> Document:
        """Return the document.

        Raises:
            AddressRefused: The URL, or where it was redirected to, is not allowed.
            FetchError: The server did not give it.
            OversizePayload: It is larger than the cap.
        """
        destination = self._addresses.destination(url)
        first = destination
        try:
            async with asyncio.timeout(self._timeout_s):
                for _ in range(REDIRECTS + 1):
                    answer = await self._once(destination)
                    if isinstance(answer, Document):
                        return answer
                    destination = self._addresses.destination(answer)
                    if destination.source != first.source:
                        to = printable(destination.host, 60)
                        raise AddressRefused(f"it is redirected to {to}, away from where it was asked for")
        except GexdeskError:
            raise
        except Exception as error:  # whatever the network did, the request ends with a reason
            raise FetchError(self._clean(why(error, self._timeout_s), first)) from None
        raise FetchError(f"redirected more than {REDIRECTS} times: it goes in a circle, or too far")

    async def _once(self, destination: Destination) -> "Document | str":
        """Return the document, or the URL it is redirected to."""
        address = await pinned(destination, self._resolver)
        url, headers = self._sent(destination)
        parts = urlsplit(url)
        host = f"[{address}]" if ":" in address else address
        async with await _client() as client:
            request = client.build_request(
                "GET",
                parts._replace(netloc=f"{host}:{destination.port}").geturl(),
                headers={**headers, "Host": parts.netloc},
                extensions={"sni_hostname": destination.host},
            )
            response = await client.send(request, stream=True)
            try:
                if response.has_redirect_location:
                    return _joined(destination.url, response.headers["location"])
                return await self._document(response, parts.path, destination)
            finally:
                await response.aclose()

    async def _document(self, response: "httpx2.Response", path: str, destination: Destination) -> Document:
        if response.status_code != HTTPStatus.OK:
            raise FetchError(status_line(response.status_code))
        expander = Expander(response.headers.get("content-encoding", ""), self._cap_bytes)
        pieces: list[bytes] = []
        try:
            async for raw in response.aiter_raw():
                pieces.extend(expander.feed(raw))
            expander.finish()
        except (FetchError, OversizePayload) as error:
            raise type(error)(self._clean(error.message, destination)) from None
        body = b"".join(pieces)
        if not body:
            raise FetchError("200 OK with an empty body")
        content_type = self._clean(response.headers.get("content-type", ""), destination)
        return Document(body, printable(content_type, 100), self._clean(path or "/", destination))

    def _sent(self, destination: Destination) -> tuple[str, dict[str, str]]:
        headers = {"User-Agent": f"gexdesk/{__version__}", "Accept-Encoding": ACCEPTED}
        held = self._keys.get(destination.source or "")
        if held is None:
            return destination.url, headers
        if held.header:
            return destination.url, headers | {held.header: held.key.reveal()}
        joint = "&" if urlsplit(destination.url).query else "?"
        return destination.url + joint + urlencode({held.param or "": held.key.reveal()}), headers

    def _clean(self, words: str, destination: Destination) -> str:
        held = self._keys.get(destination.source or "")
        return printable(held.key.redact(words) if held is not None else words)


def _joined(url: str, location: str) -> str:
    """Return where a redirect leads. Raises AddressRefused."""
    if location.isascii() and location.isprintable():  # joining would quietly drop what else stands in it
        with suppress(ValueError):
            return urljoin(url, location)
    raise AddressRefused("it is redirected to an address that cannot be read")


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return a host's addresses as the system resolves them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _client() -> "httpx2.AsyncClient":
    hush()
    tls = await asyncio.to_thread(trusted)
    import httpx2

    return httpx2.AsyncClient(verify=tls, trust_env=False, follow_redirects=False, timeout=None, http2=False)
