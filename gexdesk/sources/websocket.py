"""Listen to what a server pushes."""

import asyncio
import logging
import random
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from gexdesk import __version__
from gexdesk.model.clock import Clock
from gexdesk.model.errors import FetchError, SettingsError
from gexdesk.model.market import Hours, open_since
from gexdesk.model.payload import Arrival
from gexdesk.model.text import printable
from gexdesk.sources.answer import cause_of, origin_of, status_line
from gexdesk.sources.backoff import RETRY_FIRST_S, backoff_s
from gexdesk.sources.base import Connected, Deliver, Failed, Fetched, Report
from gexdesk.sources.breaker import Breaker
from gexdesk.sources.hand_over import hand_over
from gexdesk.sources.json_path import JsonPath
from gexdesk.sources.secret import Secret
from gexdesk.sources.sequence import Sequence as Count
from gexdesk.sources.undivided import undivided
from gexdesk.sources.url import checked_path

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

MESSAGE_CAP_BYTES = 32 << 20
SILENT_INTERVALS = 2.0
PING_EVERY_S = 20.0
CLOSE_S = 2.0
_QUEUED_FRAMES = 2
_KEY_MARK = "{key}"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class _Held(Struct, frozen=True):
    arrival: Arrival
    heard_at: float  # monotonic


class WebSocket:
    """Hand over each message that a server pushes.

    One message at a time: while one is not acknowledged none is read, so that the server feels the desk's back pressure. A
    message the store refuses for now is kept, over pauses too, and handed over again before anything newer is read; what a server
    pushes while nobody is connected is lost, and shows in ``sequence``. A lost connection is made again after 1 s and more with
    full jitter, and after five failures in a row the breaker opens; a connection counts as a success once it brought data, and
    as a failure where it is lost before, in its ``hours``.
    Redirects are not followed, proxies of the environment are not used. Pings are answered and sent, and are no data: where
    ``every_s`` is known, a connection that brings no data for two intervals while ``hours`` are on is given up.

    Args:
        name: Of the source.
        url: ws or wss, without user and password.
        clock: For silence, waits and stamps; ``timeout_s`` runs on the event loop.
        subscribe: Messages to send once connected; ``{key}`` in them becomes the key.
        every_s: Expected interval between data messages; None where nobody knows.
        hours: When silence means something.
        data: Path of a field that only data messages have: others are read and dropped. None takes every message for data.
        sequence: Path of the field in which the sender counts its messages; what is missing and out of order is reported.
        key: Shown nowhere.
        key_header, key_param: Where the key goes, where it is not in ``subscribe``.
        timeout_s: For connecting, the handshake and the subscription together.
        cap_bytes: Largest message, once expanded.
        jitter: Gives a float in [0, 1).

    Raises:
        SettingsError: The URL or the place of the key cannot be used.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        clock: Clock,
        subscribe: Sequence[str] = (),
        every_s: float | None = None,
        hours: Hours = "always",
        data: str | None = None,
        sequence: str | None = None,
        key: Secret | None = None,
        key_header: str | None = None,
        key_param: str | None = None,
        timeout_s: float = 10.0,
        cap_bytes: int = MESSAGE_CAP_BYTES,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._clock = clock
        self._subscribe = [words.replace(_KEY_MARK, key.reveal()) if key else words for words in subscribe]
        self._every_s = every_s
        self._hours = hours
        self._data = JsonPath(data) if data else None
        self._sequence = JsonPath(sequence) if sequence else None
        self._key = key
        self._timeout_s = timeout_s
        self._cap_bytes = cap_bytes
        self._jitter = jitter
        self._path = checked_path(name, url, ("ws", "wss"))
        ways = [key_header, key_param, any(_KEY_MARK in words for words in subscribe)]
        if sum(map(bool, ways)) != (key is not None):
            places = "a header, a parameter or {key} in a subscription"
            raise SettingsError(f"source {printable(name)}: a key needs one of {places} to go in, and only then")
        if key_header and not _TOKEN.fullmatch(key_header):
            raise SettingsError(f"source {printable(name)}: {printable(key_header)!r} is no header name")
        self._url = url
        self._headers = {}
        if key is not None and key_header:
            self._headers[key_header] = key.reveal()
        elif key is not None and key_param:
            self._url += ("&" if urlsplit(url).query else "?") + urlencode({key_param: key.reveal()})
        # What outlives a pause: a message that is not acknowledged yet, and how far the sender had counted.
        self._held: _Held | None = None
        self._count = Count()
        self._breaker = Breaker(clock, jitter)
        self._data_at = 0.0  # monotonic
        self._heard = 0
        self._others = 0
        self._silent = ""

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Listen until cancelled; see ``Source.run``."""
        self._breaker.tell(report)
        failures, early = 0, False
        await self._hand_over(deliver, report)
        while True:
            await self._breaker.rest(0.0)
            began, heard = self._clock.monotonic(), self._heard
            try:
                with ExitStack() as trying:
                    trying.enter_context(self._breaker.attempt())
                    connection = await self._connect()
                    report(Connected(self._clock.monotonic() - began))
                    if open_since(self._clock.now(), self._hours) is None:
                        trying.close()  # no data is expected: that it stands is all there is to know
                    await self._listen(connection, deliver, report, trying.close)
            except FetchError as error:
                report(Failed(self._clean(error.message)))
            failures = 1 if self._heard > heard else failures + (not early)
            early = await self._breaker.rest(backoff_s(failures, RETRY_FIRST_S, self._jitter)) > 0

    def hasten(self) -> None:
        """Try now; see ``Patient.hasten``."""
        self._breaker.hasten()

    async def _connect(self) -> "ClientConnection":
        """Return a connection that has subscribed.

        Raises:
            FetchError: There is none.
        """
        from websockets.exceptions import InvalidStatus

        connection = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await _dial(self._url, self._headers, self._cap_bytes)
                for words in self._subscribe:
                    await connection.send(words)
            return connection
        except BaseException as error:
            if connection is not None:
                connection.transport.abort()
            if not isinstance(error, Exception):
                raise
            if isinstance(error, InvalidStatus):
                headers = error.response.headers
                raise self._refusal(error.response.status_code, headers.get("Location", "")) from None
            raise FetchError(_why(error, self._timeout_s)) from None

    def _refusal(self, code: int, location: str) -> FetchError:
        words = f"{status_line(code)} instead of a WebSocket"
        if 300 <= code < 400:
            words += f": redirects are not followed; it leads to {origin_of(location)}: configure the final URL"
        elif code in (401, 403):
            words += f": {'the key was refused' if self._key else 'the server wants a key'}"
        return FetchError(words)

    async def _listen(
        self, connection: "ClientConnection", deliver: Deliver, report: Report, brought_data: Callable[[], None]
    ) -> None:
        """Hand over message after message.

        Args:
            brought_data: Called after each message that is data.

        Raises:
            FetchError: The connection is lost, or not worth keeping.
        """
        self._data_at, self._others, self._silent = self._clock.monotonic(), 0, ""
        watch = asyncio.create_task(self._watch_silence(connection))
        try:
            while True:
                try:
                    body = await connection.recv(decode=False)
                except Exception as error:
                    raise FetchError(self._silent or _why(error, self._timeout_s)) from None
                # No await from here until it is held: a pause cannot lose it.
                heard = self._heard
                self._take(body, report)
                if self._heard > heard:
                    brought_data()
                await self._hand_over(deliver, report)
        finally:
            watch.cancel()
            await _close(connection)

    def _take(self, body: bytes, report: Report) -> None:
        """Hold a message where it is data."""
        if self._data is not None and not self._data.stands_in(body):
            self._others += 1
            return
        self._data_at = self._clock.monotonic()
        self._heard += 1
        if not body:
            report(Failed("an empty message"))
            return
        if self._sequence is not None and (noticed := self._count.follow(self._sequence.of(body))) is not None:
            report(noticed)
        arrival = Arrival(source=self.name, body=body, received_at=self._clock.now(), name=self._clean(self._path))
        self._held = _Held(arrival, self._data_at)

    async def _hand_over(self, deliver: Deliver, report: Report) -> None:
        if self._held is None:
            return
        held = self._held

        async def taken(arrival: Arrival) -> None:
            await deliver(arrival)
            self._held = None

        refusal = ""
        try:
            # Each try is a task of its own: what the desk has acknowledged is known as such although a pause comes in between.
            refusal = await hand_over(
                held.arrival, lambda arrival: undivided(taken(arrival)), clock=self._clock, jitter=self._jitter,
                put_off=lambda words: report(Failed(self._clean(words))),
            )  # fmt: skip
            self._held = None
        finally:
            if self._held is None:
                # Waiting for the desk is no silence of the server's.
                self._data_at = self._clock.monotonic()
                report(Failed(self._clean(refusal)) if refusal else Fetched(self._data_at - held.heard_at))

    async def _watch_silence(self, connection: "ClientConnection") -> None:
        """Give the connection up once it has been silent for too long while the market is on."""
        if self._every_s is None:
            return
        limit_s = SILENT_INTERVALS * self._every_s
        while True:
            quiet_s = self._quiet_s()
            if quiet_s is not None and quiet_s >= limit_s:
                others = f", only {self._others:,} messages without any" if self._others else ""
                self._silent = f"the connection stands, and brought no data for {quiet_s:.3g} s{others}: connecting again"
                connection.transport.abort()
                return
            await self._clock.sleep(limit_s if quiet_s is None else max(limit_s - quiet_s, 0.01))

    def _quiet_s(self) -> float | None:
        """Return for how long data could have come and did not; None while none is expected, or the desk itself is busy."""
        now = self._clock.now()
        opened_at = open_since(now, self._hours)
        if opened_at is None or self._held is not None:
            return None
        return min(self._clock.monotonic() - self._data_at, now - opened_at)

    def _clean(self, text: str) -> str:
        # Redacted after what could split a key is stripped, and before a cut could leave half of one.
        text = printable(text, 10_000)
        return printable(self._key.redact(text) if self._key else text, 200)


async def _dial(url: str, headers: dict[str, str], cap_bytes: int) -> "ClientConnection":
    from websockets.asyncio.client import ClientConnection, connect

    class Impatient(ClientConnection):
        """Drop a connection whose end was agreed on and that the server leaves open: the library would wait for ever."""

        _dropping = False

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.protocol.close_expected() and not self._dropping:
                self._dropping = True
                self.loop.call_later(CLOSE_S, self.transport.abort)

    class Straight(connect):
        """Follow no redirect: the key would go along."""

        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    return await Straight(
        url,
        additional_headers=headers,
        user_agent_header=f"gexdesk/{__version__}",
        proxy=None,
        open_timeout=None,
        ping_interval=PING_EVERY_S,
        ping_timeout=PING_EVERY_S,
        close_timeout=CLOSE_S,
        max_size=cap_bytes,
        max_queue=_QUEUED_FRAMES,
        create_connection=Impatient,
        logger=_SILENT,
    )


async def _close(connection: "ClientConnection") -> None:
    """Say goodbye for a moment; a server that does not answer is left at once."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await connection.close()
    except Exception:
        connection.transport.abort()
    except BaseException:
        connection.transport.abort()
        raise


def _why(error: Exception, timeout_s: float) -> str:
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, PayloadTooBig

    if isinstance(error, TimeoutError):
        return f"timed out after {timeout_s:g} s"
    if isinstance(error, ConnectionClosed):
        too_big = isinstance(error.__cause__, PayloadTooBig)
        frame = error.rcvd or error.sent
        if error.sent is not None and not error.rcvd_then_sent:
            return f"{'too large a message' if too_big else 'broken messages'}: {error.sent.reason or error.sent.code}"
        if frame is None:
            return "the connection was lost"
        return f"the server closed the connection: {frame.code}{f' {frame.reason}' if frame.reason else ''}"
    if cause := cause_of(error):
        return cause
    if isinstance(error, InvalidHandshake | InvalidMessage):
        return f"no WebSocket answers there: {error}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


_SILENT = logging.getLogger("gexdesk.sources.websocket.silent")
"""Given to the library, which writes frames and headers, and so keys, at whatever level somebody sets."""
_SILENT.addFilter(lambda record: False)
