"""Poll one URL at a fixed pace."""

import asyncio
import hashlib
import logging
import random
import re
import ssl
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from gexdesk import __version__
from gexdesk.model.clock import Clock
from gexdesk.model.errors import FetchError, GexdeskError, OversizePayload, PayloadError, SettingsError
from gexdesk.model.payload import Arrival
from gexdesk.model.text import printable
from gexdesk.sources.answer import origin_of, retry_after_s, status_line, validators_of, why
from gexdesk.sources.backoff import STORE_FIRST_S, backoff_s
from gexdesk.sources.base import Deliver, Failed, Fetched, Report, Unchanged
from gexdesk.sources.encoding import ACCEPTED, Expander
from gexdesk.sources.secret import Secret

if TYPE_CHECKING:
    import httpx2

BODY_CAP_BYTES = 256 << 20
RETRY_AFTER_CAP_S = 300.0

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CHATTY = (
    "httpx2",
    *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    "hpack.hpack",
    "hpack.table",
)
"""Loggers that write URLs and headers, and so keys, whatever level somebody sets them to."""


class _Answer(Struct, frozen=True):
    arrival: Arrival
    digest: bytes
    validators: dict[str, str]
    elapsed_s: float


class Http:
    """Get a document again and again, and hand it over when it has changed.

    One request at a time, on a grid of ``every_s`` that slow answers do not shift. After failures the pace slows down
    with full jitter, from ``every_s`` to 60 s at most; 429 and 503 may ask for another wait (up to 300 s). Redirects
    are not followed: the key would go along. A body the store refuses for now is kept and handed over again before
    anything newer is fetched. Proxies named in the environment are not used.

    Args:
        name: Of the source.
        url: http or https, without user and password.
        every_s: Seconds from one request to the next.
        clock: For the pace and the stamps; ``timeout_s`` runs on the event loop.
        key: Sent with each request; shown nowhere.
        key_header, key_param: Where the key goes; exactly one of them with a key.
        timeout_s: For the whole answer, from connecting to the last byte.
        cap_bytes: Largest body, also once expanded.
        jitter: Gives a float in [0, 1).

    Raises:
        SettingsError: The URL or the place of the key cannot be used.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        every_s: float,
        clock: Clock,
        key: Secret | None = None,
        key_header: str | None = None,
        key_param: str | None = None,
        timeout_s: float = 10.0,
        cap_bytes: int = BODY_CAP_BYTES,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._every_s = every_s
        self._clock = clock
        self._key = key
        self._timeout_s = timeout_s
        self._cap_bytes = cap_bytes
        self._jitter = jitter
        self._path = _checked_path(name, url)
        if every_s <= 0 or timeout_s <= 0:
            raise SettingsError(f"source {printable(name)}: interval and timeout must be more than 0 s")
        if (key is None) != (not key_header and not key_param) or (key_header and key_param):
            raise SettingsError(f"source {printable(name)}: a key needs either a header or a parameter to go in, and only then")
        if key_header and not _TOKEN.fullmatch(key_header):
            raise SettingsError(f"source {printable(name)}: {printable(key_header)!r} is no header name")
        self._url = url
        self._headers = {"User-Agent": f"gexdesk/{__version__}", "Accept-Encoding": ACCEPTED}
        if key is not None and key_header:
            self._headers[key_header] = key.reveal()
        elif key is not None and key_param:
            self._url += ("&" if urlsplit(url).query else "?") + urlencode({key_param: key.reveal()})
        # What the last acknowledged answer was, and one that is not acknowledged yet: both outlive a pause.
        self._digest = b""
        self._validators: dict[str, str] = {}
        self._held: _Answer | None = None

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Poll until cancelled; see ``Source.run``."""
        async with await self._open(report) as client:
            due = self._clock.monotonic()
            failures = 0
            while True:
                await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
                try:
                    report(await self._turn(client, deliver))
                except FetchError as error:
                    report(Failed(self._clean(error.message)))
                    failures += 1
                    due = self._clock.monotonic() + self._wait_s(failures, error)
                else:
                    failures = 0
                    missed = max(0, int((self._clock.monotonic() - due) // self._every_s))
                    due += (missed + 1) * self._every_s

    async def _open(self, report: Report) -> "httpx2.AsyncClient":
        failures = 0
        while True:
            try:
                # A quarter of a second of importing and reading certificates, the first time; not on the loop.
                return _client(self._headers, await asyncio.to_thread(_tls))
            except OSError as error:  # SSL_CERT_FILE names something that is not there, or no certificates
                report(Failed(self._clean(f"the trusted certificates cannot be read: {error}")))
                failures += 1
                await self._clock.sleep(backoff_s(failures, self._every_s, self._jitter))

    def _wait_s(self, failures: int, error: FetchError) -> float:
        asked_s = error.details.get("retry_after_s")
        if isinstance(asked_s, float):
            return max(self._every_s, min(asked_s, RETRY_AFTER_CAP_S))
        # What is held already is only to be handed over: that presses no server.
        first_s = self._every_s if self._held is None else min(STORE_FIRST_S, self._every_s)
        return backoff_s(failures, first_s, self._jitter)

    async def _turn(self, client: "httpx2.AsyncClient", deliver: Deliver) -> Fetched | Unchanged | Failed:
        """Make one try.

        Raises:
            FetchError: It failed, for whatever reason.
        """
        began = self._clock.monotonic()
        if self._held is None:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._get(client, began)
            except GexdeskError as error:
                raise FetchError(error.message, **error.details) from None
            except Exception as error:  # whatever it was, the next poll may go well
                raise FetchError(why(error, self._timeout_s)) from None
        if self._held is None:
            return Unchanged(self._clock.monotonic() - began)
        try:
            await deliver(self._held.arrival)
        except PayloadError as error:  # refused for good: not offered again, and no fault of the server's to slow down for
            self._forget_held()
            return Failed(self._clean(error.message))
        except Exception as error:
            raise FetchError(f"could not be kept, will be handed over again: {error or type(error).__name__}") from None
        return Fetched(self._forget_held().elapsed_s)

    def _forget_held(self) -> _Answer:
        answer, self._held = self._held, None
        assert answer is not None
        self._digest, self._validators = answer.digest, answer.validators
        return answer

    async def _get(self, client: "httpx2.AsyncClient", began: float) -> None:
        """Hold the answer where it is new.

        Raises:
            FetchError: With ``retry_after_s`` where the server asked for a wait.
            OversizePayload: The body is over the cap.
        """
        async with client.stream("GET", self._url, headers=self._validators) as response:
            if response.status_code in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
                if response.status_code == HTTPStatus.NOT_MODIFIED and not self._validators:
                    raise FetchError("304 Not Modified, although nothing was asked for conditionally")
                return
            self._check_status(response)
            declared = response.headers.get("content-length", "")
            if declared.isdecimal() and int(declared) > self._cap_bytes:
                raise OversizePayload(f"the body is larger than {self._cap_bytes:,} bytes ({int(declared):,} announced): not read")
            expander = Expander(response.headers.get("content-encoding", ""), self._cap_bytes)
            pieces: list[bytes] = []
            hasher = hashlib.sha256()
            async for raw in response.aiter_raw():
                for piece in expander.feed(raw):
                    pieces.append(piece)
                    hasher.update(piece)
            expander.finish()
            body = b"".join(pieces)
            if not body:
                raise FetchError(f"{status_line(response.status_code)} with an empty body")
            validators = validators_of(response.headers)
            if hasher.digest() == self._digest:
                self._validators = validators
                return
            # Set before the next await, so that a pause cannot lose it.
            self._held = _Answer(
                arrival=Arrival(
                    source=self.name,
                    body=body,
                    received_at=self._clock.now(),
                    content_type=self._clean(response.headers.get("content-type", ""), 100),
                    name=self._clean(self._path),
                ),
                digest=hasher.digest(),
                validators=validators,
                elapsed_s=self._clock.monotonic() - began,
            )

    def _check_status(self, response: "httpx2.Response") -> None:
        code = response.status_code
        if code == HTTPStatus.PARTIAL_CONTENT:
            raise FetchError(f"{status_line(code)}, although the whole document was asked for")
        if 200 <= code < 300:
            return
        if 300 <= code < 400:
            target = origin_of(response.headers.get("location", ""))
            raise FetchError(f"{status_line(code)}: redirects are not followed; it leads to {target}: configure the final URL")
        if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise FetchError(f"{status_line(code)}: {'the key was refused' if self._key else 'the server wants a key'}")
        if code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            asked_s = retry_after_s(response.headers.get("retry-after", ""), self._clock.now())
            if asked_s is not None:
                raise FetchError(f"{status_line(code)}: the server asks to wait {asked_s:.0f} s", retry_after_s=asked_s)
        raise FetchError(status_line(code))

    def _clean(self, text: str, limit: int = 200) -> str:
        # Redacted after what could split a key is stripped, and before a cut could leave half of one.
        text = printable(text, 10_000)
        return printable(self._key.redact(text) if self._key else text, limit)


def _checked_path(name: str, url: str) -> str:
    """Return the URL's path; the errors do not quote the URL, for it may hold what somebody took for the place of a key."""
    where = f"source {printable(name)}: the URL"
    if any(not "!" <= c <= "~" for c in url):
        raise SettingsError(f"{where} holds a space, a control or a character outside ASCII: percent-encode it")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SettingsError(f"{where} cannot be read: {printable(str(error).partition(':')[0])}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{where} must be http://host/... or https://host/...")
    if "@" in parts.netloc or "\\" in url:
        raise SettingsError(f"{where} carries a user, a password or a backslash: give the key as a key")
    if parts.fragment:
        raise SettingsError(f"{where} ends in a #fragment, which is never sent: leave it out")
    return parts.path or "/"


@cache
def _tls() -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context()


def _client(headers: dict[str, str], tls: ssl.SSLContext) -> "httpx2.AsyncClient":
    import httpx2

    for chatty in _CHATTY:
        logging.getLogger(chatty).addFilter(_drop)
    return httpx2.AsyncClient(
        headers=headers,
        verify=tls,
        http2=True,
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # one deadline for the whole answer; a timeout per read never ends on a slow drip
        limits=httpx2.Limits(max_connections=1, keepalive_expiry=60.0),
    )


def _drop(_: logging.LogRecord) -> bool:
    return False
