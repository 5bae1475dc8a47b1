"""Read a Redis stream as one consumer of a group."""

import asyncio
import ipaddress
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from gexdesk.model.clock import Clock
from gexdesk.model.errors import FetchError, SettingsError
from gexdesk.model.payload import Arrival
from gexdesk.model.text import printable
from gexdesk.sources.answer import cause_of
from gexdesk.sources.backoff import RETRY_FIRST_S, backoff_s
from gexdesk.sources.base import Connected, Deliver, Failed, Fetched, Missed, Report
from gexdesk.sources.breaker import Breaker
from gexdesk.sources.hand_over import hand_over
from gexdesk.sources.secret import Secret
from gexdesk.sources.undivided import undivided
from gexdesk.sources.url import checked_path

if TYPE_CHECKING:
    from redis.asyncio import Redis

BLOCK_S = 1.0
RECLAIM_EVERY_S = 30.0
DEAD_AFTER_S = 60.0
CLOSE_S = 2.0
_BATCH = 4  # entries in memory at once; a chain may have 13 MB

T = TypeVar("T")
_Entry = tuple[bytes, dict[bytes, bytes] | None]


class RedisStream:
    """Hand over the entries of a stream, each acknowledged to Redis (XACK) only once the desk has acknowledged it.

    At least once: what was read and not acknowledged is read again after a restart, under the same consumer name; what another
    consumer of the group left unacknowledged for a minute is taken over (XAUTOCLAIM). Only a kill between the desk's
    acknowledgement and XACK brings an entry twice, which the desk counts as a repeat.

    Entries that were trimmed away before they were read are reported as missed, with how many (Redis 7 and later tell). An entry
    without the field, or with an empty one, is reported and acknowledged. The connection is its own; a lost one is made again
    after 1 s and more with full jitter, and after five failures in a row the breaker opens.

    Args:
        name: Of the source.
        url: ``redis://host:port/db``, ``rediss://...`` or ``unix:///path``, without user and password.
        clock: For pace and stamps; ``timeout_s`` and the blocking read run on the event loop.
        stream: Key of the stream.
        group: Made where it is not there; it then begins with what the stream holds.
        consumer: Name of this reader in the group, the same after a restart and no other reader's.
        field: Of an entry, holding the payload.
        username, password: Of the ACL.
        timeout_s: For connecting and for each answer.
        dead_after_s: How long an entry stays with another consumer that does not acknowledge it.
        jitter: Gives a float in [0, 1).

    Raises:
        SettingsError: The URL cannot be used, or names another host without a password.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        clock: Clock,
        stream: str,
        group: str,
        consumer: str,
        field: str = "payload",
        username: str | None = None,
        password: Secret | None = None,
        timeout_s: float = 10.0,
        dead_after_s: float = DEAD_AFTER_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._url = _checked(name, url, password)
        self._clock = clock
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._field = field.encode()
        self._username = username
        self._password = password
        self._timeout_s = timeout_s
        self._dead_after_s = dead_after_s
        self._jitter = jitter
        self._breaker = Breaker(clock, jitter)
        # Entries the desk has acknowledged, whose XACK is not certain: they outlive a pause. Those read and not handed over do
        # not: they are pending in Redis, and read again.
        self._done: set[bytes] = set()
        self._held: deque[_Entry] = deque()
        self._own_from: bytes | None = None
        self._reclaim_at = 0.0

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Read until cancelled; see ``Source.run``."""
        self._breaker.tell(report)
        failures, early = 0, False
        while True:
            await self._breaker.rest(0.0)
            client = await asyncio.to_thread(self._client)  # a tenth of a second of importing, the first time
            try:
                with self._breaker.attempt():
                    began = self._clock.monotonic()
                    await self._answer(self._join(client))
                report(Connected(self._clock.monotonic() - began))
                failures = 0
                await self._read_on(client, deliver, report)
            except FetchError as error:
                report(Failed(self._clean(error.message)))
            finally:
                await _close(client)
            failures += not early
            early = await self._breaker.rest(backoff_s(failures, RETRY_FIRST_S, self._jitter)) > 0

    def hasten(self) -> None:
        """Try now; see ``Patient.hasten``."""
        self._breaker.hasten()

    async def _join(self, client: "Redis") -> None:
        """Make the group where there is none, and begin with what this consumer left unacknowledged."""
        from redis.exceptions import ResponseError

        try:
            await client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._held.clear()
        self._own_from = b"0"
        self._reclaim_at = self._clock.monotonic()

    async def _read_on(self, client: "Redis", deliver: Deliver, report: Report) -> None:
        """Read and hand over for ever.

        Raises:
            FetchError: The connection is lost, or Redis refuses.
        """
        while True:
            if self._done:
                await self._answer(client.xack(self._stream, self._group, *self._done))
                self._done.clear()
            elif self._held:
                # Its own task: what the desk has acknowledged is known as such although a pause comes in between.
                await undivided(self._hand_over(self._held[0], deliver, report))
            elif self._own_from is not None:
                own = await self._answer(self._read(client, self._own_from))
                self._own_from = own[-1][0] if own else None
                self._hold(own, report)
            elif self._clock.monotonic() >= self._reclaim_at:
                await self._reclaim(client, report)
            else:
                await self._read_new(client, report)

    async def _hand_over(self, entry: _Entry, deliver: Deliver, report: Report) -> None:
        entry_id, fields = entry
        body = (fields or {}).get(self._field)
        where = f"{self._stream} {entry_id.decode('ascii', 'replace')}"
        if not body:
            refusal = f"{where} has no field {self._field.decode()!r}, or an empty one: it is left out"
        else:
            began = self._clock.monotonic()
            arrival = Arrival(source=self.name, body=body, received_at=self._clock.now(), name=self._clean(where))
            refusal = await hand_over(
                arrival, deliver, clock=self._clock, jitter=self._jitter, put_off=lambda words: report(Failed(self._clean(words)))
            )
        self._done.add(entry_id)
        self._held.popleft()
        report(Failed(self._clean(refusal)) if refusal else Fetched(self._clock.monotonic() - began))

    async def _read_new(self, client: "Redis", report: Report) -> None:
        """Hold what nobody has read yet; wait a moment for some."""
        # In one transaction, so that what the group has advanced by and what was read can be compared.
        async with client.pipeline(transaction=True) as pipe:
            pipe.xinfo_groups(self._stream)
            pipe.xreadgroup(self._group, self._consumer, {self._stream: ">"}, count=_BATCH)
            pipe.xinfo_groups(self._stream)
            before, answer, after = await self._answer(pipe.execute())
        found = _entries(answer)
        self._hold(found, report)
        advanced = _read_count(after, self._group) - _read_count(before, self._group)
        if (missed := advanced - len(found)) > 0:  # NaN where the server does not count
            report(Missed(int(missed), self._clean(f"{self._stream} was trimmed before they were read")))
        if not found:
            self._hold(await self._answer(self._read(client, b">", BLOCK_S), BLOCK_S), report)

    async def _reclaim(self, client: "Redis", report: Report) -> None:
        """Take over what another consumer has left unacknowledged for too long."""
        idle_ms = int(self._dead_after_s * 1000)
        claim = client.xautoclaim(self._stream, self._group, self._consumer, idle_ms, "0-0", count=_BATCH)
        answer = await self._answer(claim)
        claimed, gone = answer[1], answer[2] if len(answer) > 2 else []
        if not claimed:
            self._reclaim_at = self._clock.monotonic() + min(RECLAIM_EVERY_S, self._dead_after_s)
        if gone:
            report(Missed(len(gone), self._clean(f"{self._stream} was trimmed before a dead reader's entries were taken over")))
        self._hold(claimed, report)

    async def _read(self, client: "Redis", after: bytes, block_s: float | None = None) -> list[_Entry]:
        block_ms = None if block_s is None else int(block_s * 1000)
        answer = await client.xreadgroup(self._group, self._consumer, {self._stream: after}, count=_BATCH, block=block_ms)
        return _entries(answer)

    def _hold(self, entries: list[_Entry], report: Report) -> None:
        for entry in entries:
            if entry[1]:
                self._held.append(entry)
                continue
            # Pending with us, and trimmed since.
            self._done.add(entry[0])
            where = f"{self._stream} {entry[0].decode('ascii', 'replace')}"
            report(Missed(1, self._clean(f"{where} was trimmed before it was handed over")))

    async def _answer(self, work: Awaitable[T], wait_s: float = 0.0) -> T:
        try:
            async with asyncio.timeout(self._timeout_s + wait_s):
                return await work
        except Exception as error:
            raise FetchError(_why(error, self._timeout_s)) from None

    def _client(self) -> "Redis":
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        password = self._password.reveal() if self._password else None
        return Redis.from_url(
            self._url, username=self._username, password=password, protocol=2, retry=Retry(NoBackoff(), 0), max_connections=2,
            socket_timeout=None, socket_connect_timeout=self._timeout_s,
        )  # fmt: skip

    def _clean(self, text: str) -> str:
        text = printable(text, 10_000)
        return printable(self._password.redact(text) if self._password else text, 200)


def _entries(answer: Any) -> list[_Entry]:
    return list(answer[0][1]) if answer else []


def _read_count(groups: list[dict[str, Any]], group: str) -> float:
    """Return how many entries a group has read, trimmed ones included; NaN where the server does not tell."""
    counts = [found.get("entries-read") for found in groups if found["name"] == group.encode()]
    return counts[0] if counts and counts[0] is not None else math.nan


async def _close(client: "Redis") -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await client.aclose()
    except Exception:
        return  # it is lost already


def _why(error: Exception, timeout_s: float) -> str:
    from redis.exceptions import AuthenticationError, ResponseError

    if isinstance(error, TimeoutError):
        return f"Redis did not answer within {timeout_s:g} s"
    if cause := cause_of(error):
        return f"Redis: {cause}"
    if isinstance(error, AuthenticationError) or isinstance(error.__cause__ or error.__context__, AuthenticationError):
        return f"Redis refused the user or the password: {error}"
    return f"Redis refused: {error}" if isinstance(error, ResponseError) else f"Redis: {error or type(error).__name__}"


def _checked(name: str, url: str, password: Secret | None) -> str:
    """Return the URL.

    Raises:
        SettingsError: It cannot be used, or names another host without a password.
    """
    where = f"source {printable(name)}: the URL"
    if urlsplit(url).scheme == "unix":
        path = urlsplit(url).path
        if not path.startswith("/") or "@" in url:
            raise SettingsError(f"{where} must be unix:///path/of/the/socket, without a user and a password")
        return url
    checked_path(name, url, ("redis", "rediss"))
    if password is None and not _is_here(urlsplit(url).hostname or ""):
        raise SettingsError(f"{where} names another host, and there is no password: give one by key_env or key_file")
    return url


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
