"""Poll one URL at the market's pace."""

import asyncio
import random
import re
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from gexdesk import __version__
from gexdesk.model.clock import Clock
from gexdesk.model.errors import FetchError, GexdeskError, OversizePayload, PayloadError, SettingsError
from gexdesk.model.payload import Arrival
from gexdesk.model.text import printable
from gexdesk.sources.answer import (
    RETRY_AFTER_CAP_S,
    asked_wait,
    may_pass,
    origin_of,
    retry_after_s,
    status_line,
    validators_of,
    why,
)
from gexdesk.sources.backoff import RETRY_FIRST_S, STORE_CAP_S, STORE_FIRST_S, backoff_s
from gexdesk.sources.base import Deliver, Failed, Fetched, Report, Unchanged
from gexdesk.sources.breaker import Breaker
from gexdesk.sources.encoding import ACCEPTED, Expander
from gexdesk.sources.hush import hush
from gexdesk.sources.pace import Bucket, Pace, next_on_grid
from gexdesk.sources.secret import Secret
from gexdesk.sources.tls import trusted
from gexdesk.sources.undivided import undivided
from gexdesk.sources.url import checked_path

if TYPE_CHECKING:
    import httpx2

BODY_CAP_BYTES = 256 << 20

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class _Answer(Struct, frozen=True):
    arrival: Arrival
    validators: dict[str, str]
    elapsed_s: float


class Http:
    """Get a document again and again, and hand it over unless the server says that it has not changed.

    One request at a time on one connection, on a grid of the pace's interval that slow answers do not shift. What may pass (no
    connection, a timeout, a cut-off answer, 5xx) is tried again after 1 s and more, with full jitter; what will not pass so soon
    (any other refusal) at the pace or slower, up to 60 s. After five failures in a row the breaker opens. 429 and 503 may ask for
    another wait (up to 300 s). Redirects are not followed: the key would go along, and https could become http. A body the store
    refuses for now is kept and handed over again before anything newer is fetched. Proxies named in the environment are not used.

    Args:
        name: Of the source.
        url: http or https, without user and password.
        pace: Seconds from one request to the next.
        clock: For the pace and the stamps; ``timeout_s`` runs on the event loop.
        key: Sent with each request; shown nowhere.
        key_header, key_param: Where the key goes; exactly one of them with a key.
        timeout_s: For the whole answer, from connecting to the last byte.
        rate_per_s: Most requests a second, whatever they are for; None is as many as the pace and the retries bring.
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
        pace: Pace,
        clock: Clock,
        key: Secret | None = None,
        key_header: str | None = None,
        key_param: str | None = None,
        timeout_s: float = 10.0,
        rate_per_s: float | None = None,
        cap_bytes: int = BODY_CAP_BYTES,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._pace = pace
        self._clock = clock
        self._key = key
        self._timeout_s = timeout_s
        self._cap_bytes = cap_bytes
        self._jitter = jitter
        self._path = checked_path(name, url, ("http", "https"))
        if min(pace.every_s, pace.outside_s, timeout_s) <= 0 or (rate_per_s is not None and rate_per_s <= 0):
            raise SettingsError(f"source {printable(name)}: intervals, timeout and rate must be more than 0")
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
        self._validators: dict[str, str] = {}
        self._held: _Answer | None = None
        self._breaker = Breaker(clock, jitter)
        self._bucket = Bucket(rate_per_s, clock) if rate_per_s is not None else None

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Poll until cancelled; see ``Source.run``."""
        self._breaker.tell(report)
        if self._held is not None and self._clock.now() - self._held.arrival.received_at > self._interval_s():
            # Stopped for longer than a poll: what can be had now is newer, and another engine may have run the source since.
            self._held = None
        async with await self._open(report) as client:
            due = self._clock.monotonic() + (self._breaker.wait_s if self._held is None else 0.0)
            failures, asked = 0, False
            while True:
                wait_s, early_s = max(0.0, due - self._clock.monotonic()), 0.0
                if failures:
                    early_s = await self._breaker.rest(wait_s, asked=asked)
                    due = min(due, self._clock.monotonic())  # one that was hastened begins the grid anew
                else:
                    await self._clock.sleep(wait_s)
                try:
                    await self._turn(client, deliver, report)
                except FetchError as error:
                    report(Failed(self._clean(error.message)))
                    asked = "retry_after_s" in error.details
                    if early_s and not asked:
                        due += early_s
                        continue
                    failures += 1
                    due = self._clock.monotonic() + self._wait_s(failures, error)
                else:
                    failures, asked = 0, False
                    due = next_on_grid(due, self._clock.monotonic(), self._interval_s())

    def hasten(self) -> None:
        """Ask now; see ``Patient.hasten``."""
        self._breaker.hasten()

    async def _open(self, report: Report) -> "httpx2.AsyncClient":
        failures = 0
        while True:
            try:
                # A quarter of a second of importing and reading certificates, the first time; not on the loop.
                return _client(self._headers, await asyncio.to_thread(trusted))
            except OSError as error:  # SSL_CERT_FILE names something that is not there, or no certificates
                report(Failed(self._clean(f"the trusted certificates cannot be read: {error}")))
                failures += 1
                await self._clock.sleep(backoff_s(failures, self._interval_s(), self._jitter))

    def _interval_s(self) -> float:
        return self._pace.interval_s(self._clock.now())

    def _wait_s(self, failures: int, error: FetchError) -> float:
        asked_s = error.details.get("retry_after_s")
        interval_s = self._interval_s()
        if self._held is not None:  # only to be handed over: that presses no server
            return backoff_s(failures, min(STORE_FIRST_S, interval_s), self._jitter, STORE_CAP_S)
        if isinstance(asked_s, float):
            wait_s = max(interval_s, asked_s)
        else:
            soon = error.details.get("passing") is True
            wait_s = backoff_s(failures, min(RETRY_FIRST_S, interval_s) if soon else interval_s, self._jitter)
        return max(wait_s, self._breaker.wait_s)

    async def _turn(self, client: "httpx2.AsyncClient", deliver: Deliver, report: Report) -> None:
        """Make one try, and report how it went where it did not fail.

        Raises:
            FetchError: It failed, for whatever reason.
        """
        began = self._clock.monotonic()
        if self._held is None:
            if self._bucket is not None:
                await self._bucket.take()
                began = self._clock.monotonic()
            try:
                with self._breaker.attempt():
                    async with asyncio.timeout(self._timeout_s):
                        await self._get(client, began)
            except GexdeskError as error:
                raise FetchError(error.message, **error.details) from None
            except Exception as error:  # whatever it was, the next poll may go well
                raise FetchError(why(error, self._timeout_s), passing=may_pass(error)) from None
        if self._held is None:
            report(Unchanged(self._clock.monotonic() - began))
            return
        # Its own task: what the desk has acknowledged is known as such although a pause comes in between.
        await undivided(self._hand_over(self._held, deliver, report))

    async def _hand_over(self, answer: _Answer, deliver: Deliver, report: Report) -> None:
        """Deliver an answer and let go of it.

        Raises:
            FetchError: It cannot be kept now; it is still held.
        """
        outcome: Fetched | Failed = Fetched(answer.elapsed_s)
        try:
            await deliver(answer.arrival)
        except PayloadError as error:  # refused for good: not offered again, and no fault of the server's to slow down for
            outcome = Failed(self._clean(error.message))
        except Exception as error:
            raise FetchError(f"could not be kept, will be handed over again: {error or type(error).__name__}") from None
        self._held, self._validators = None, answer.validators
        report(outcome)

    async def _get(self, client: "httpx2.AsyncClient", began: float) -> None:
        """Hold the answer where it is new.

        Raises:
            FetchError: With ``retry_after_s`` where the server asked for a wait, at most ``RETRY_AFTER_CAP_S``.
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
            async for raw in response.aiter_raw():
                pieces += expander.feed(raw)
            expander.finish()
            body = b"".join(pieces)
            if not body:
                raise FetchError(f"{status_line(response.status_code)} with an empty body")
            # Set before the next await, so that a pause cannot lose it.
            self._held = _Answer(
                arrival=Arrival(
                    source=self.name,
                    body=body,
                    received_at=self._clock.now(),
                    content_type=self._clean(response.headers.get("content-type", ""), 100),
                    name=self._clean(self._path),
                ),
                validators=validators_of(response.headers),
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
                words = f"{status_line(code)}: {asked_wait(asked_s)}"
                raise FetchError(words, retry_after_s=min(asked_s, RETRY_AFTER_CAP_S))
        raise FetchError(status_line(code), passing=code >= 500 or code in _PASSING)

    def _clean(self, text: str, limit: int = 200) -> str:
        # Redacted after what could split a key is stripped, and before a cut could leave half of one.
        text = printable(text, 10_000)
        return printable(self._key.redact(text) if self._key else text, limit)


def _client(headers: dict[str, str], tls: ssl.SSLContext) -> "httpx2.AsyncClient":
    import httpx2

    hush()
    return httpx2.AsyncClient(
        headers=headers,
        verify=tls,
        http2=True,
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # one deadline for the whole answer; a timeout per read never ends on a slow drip
        limits=httpx2.Limits(max_connections=1, keepalive_expiry=60.0),
    )
