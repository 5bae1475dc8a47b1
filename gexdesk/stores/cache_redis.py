"""Keep what readers get now in Redis or Valkey, too: one key a symbol that ends by itself, and a notice of each change.

The embedded cache decides what is newer, for this engine; the server holds what programs elsewhere read. A value of another
engine that is newer stays, so that engines which share a server never take a reader back in time.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from gexdesk.model.text import printable
from gexdesk.stores.base import LiveValue
from gexdesk.stores.cache import EmbeddedCache, Subscription, stamp_of

_SET_NEWER = """
local held = redis.call('HMGET', KEYS[1], 'source', 'stamp')
if held[1] == ARGV[1] and held[2] and tonumber(held[2]) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'source', ARGV[1], 'stamp', ARGV[2], 'value', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[3])
return 1
"""

ANSWER_S = 1.0
"""A value waits for the server no longer than this before it counts as available here alone."""

BEGIN_S = 20.0
LISTEN_S = 1.0
AT_ONCE = 64
SENT_KNOWN = 256
AGAIN_S = 1.0
"""A server that was away is asked again after this."""

_DECODER = msgspec.msgpack.Decoder(LiveValue)
_ENCODER = msgspec.msgpack.Encoder()


class RedisCache:
    """Implement ``LiveCache`` over one server.

    ``get`` and ``all`` answer from memory, as the desk's own screens need. Programs elsewhere ask the server: field ``value`` of
    the hash ``<prefix>:live:<symbol>`` is the value as MessagePack, for its ``ttl_s``; each change is told on the channel
    ``<prefix>:live:changes``. A server that is away holds up nobody: what it missed is brought to it with the next value, and
    ``away`` says why.

    Args:
        client: Answers bytes (``decode_responses`` off).
        prefix: Before every key, e.g. ``gexdesk``.

    Attributes:
        away: Why the server did not take the last value, one line; empty while it does.
    """

    def __init__(self, client: "Redis", prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._own = EmbeddedCache()
        self._set_newer = client.register_script(_SET_NEWER)
        self._behind: dict[str, LiveValue] = {}
        self._round: asyncio.Future[None] | None = None
        self._bringing: asyncio.Task[None] | None = None
        self._sent: dict[bytes, None] = {}
        self._again_at = 0.0
        self.away = ""

    def serve(self, symbol: str, source: str) -> None:
        """Make a source the serving one of a symbol."""
        self._own.serve(symbol, source)

    async def publish(self, value: LiveValue) -> bool:
        """Make the value readable here and in the server, and tell subscribers of both; as ``EmbeddedCache.publish``."""
        if not await self._own.publish(value):
            return False
        await self._bring(value.symbol)
        return True

    async def mark(self, symbol: str, flag: str) -> None:
        """Put one more flag on what readers have of a symbol."""
        await self._own.mark(symbol, flag)
        await self._bring(symbol)

    def get(self, symbol: str) -> LiveValue | None:
        """Return what this engine last published, whatever its age."""
        return self._own.get(symbol)

    def all(self) -> Sequence[LiveValue]:
        """Return every value of this engine, by symbol."""
        return self._own.all()

    def subscribe(self, limit: int = 1024) -> Subscription:
        """Return the values this engine publishes from now on."""
        return self._own.subscribe(limit)

    async def follow(self, adopted: Callable[[LiveValue | None, LiveValue], None]) -> None:
        """Take over what other engines publish, for ever: what is there first, then each notice.

        Args:
            adopted: Told of the value before and the new one, where readers here have another one now.
        """
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with self._client.pubsub() as channel:
                    async with asyncio.timeout(BEGIN_S):
                        await channel.subscribe(self._channel)
                        async for key in self._client.scan_iter(match=f"{self._prefix}:live:*", count=1000):
                            held = await cast("Any", self._client.hget(key, "value"))
                            if held is not None:
                                self._adopt(held, adopted)
                        if self._behind:
                            await self._bring_late()
                    while True:
                        message = await cast("Any", channel).get_message(timeout=LISTEN_S)
                        if message is not None and message["type"] == "message":
                            self._adopt(message["data"], adopted)
            await asyncio.sleep(AGAIN_S)

    def load(self, path: Path) -> int:
        """Take over values saved by an earlier process, so that a start without the server shows the last ones."""
        return self._own.load(path)

    def save(self, path: Path) -> None:
        """Write every live value to a file. Raises StoreError."""
        self._own.save(path)

    def _adopt(self, held: bytes, adopted: Callable[[LiveValue | None, LiveValue], None]) -> None:
        if held in self._sent:
            del self._sent[held]
            return
        try:
            value = _DECODER.decode(held)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # an engine of another version, or somebody else writes there
        before = self._own.get(value.symbol)
        if self._own.adopt(value):
            adopted(before, value)

    async def _bring(self, symbol: str) -> None:
        value = self._own.get(symbol)
        if value is None:
            return
        self._behind[symbol] = value
        if self.away and monotonic() < self._again_at:
            return
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        if self._bringing is None:
            self._bringing = asyncio.create_task(self._rounds(), name="live values")
        await asyncio.wait([self._round])

    async def _rounds(self) -> None:
        """Bring what is behind, together what comes while an answer is awaited."""
        try:
            while (round_ := self._round) is not None:
                self._round = None
                try:
                    async with asyncio.timeout(ANSWER_S):
                        await self._bring_late()
                except (RedisError, OSError, TimeoutError) as error:
                    self.away = printable(str(error), 200) or type(error).__name__
                    # One that refuses costs nothing to ask again; one that does not answer at all would cost every value a second.
                    self._again_at = monotonic() + AGAIN_S if isinstance(error, TimeoutError | RedisTimeout) else 0.0
                else:
                    self.away = ""
                finally:
                    round_.set_result(None)
        finally:
            self._bringing = None

    async def _bring_late(self) -> None:
        late = list(self._behind.values())
        for at in range(0, len(late), AT_ONCE):
            await self._bring_some(late[at : at + AT_ONCE])

    async def _bring_some(self, some: Sequence[LiveValue]) -> None:
        while some:
            async with self._client.pipeline(transaction=False) as pipe:
                for value in some:
                    stamp, life_ms, body = f"{stamp_of(value):.6f}", max(1, round(value.ttl_s * 1000)), _ENCODER.encode(value)
                    self._told_by_us(body)
                    pipe.evalsha(self._set_newer.sha, 1, self._key(value.symbol), value.source, stamp, body, life_ms, self._channel)
                answers = await pipe.execute(raise_on_error=False)
            unknown = [value for value, answer in zip(some, answers, strict=True) if isinstance(answer, NoScriptError)]
            for value, answer in zip(some, answers, strict=True):
                if isinstance(answer, Exception) and not isinstance(answer, NoScriptError):
                    raise answer
                if not isinstance(answer, Exception) and self._behind.get(value.symbol) is value:
                    del self._behind[value.symbol]
            if unknown:
                await self._client.script_load(_SET_NEWER)
            some = unknown

    def _told_by_us(self, body: bytes) -> None:
        """Remember what comes back as a notice, so that it is not read again."""
        if len(self._sent) >= SENT_KNOWN:
            del self._sent[next(iter(self._sent))]
        self._sent[body] = None

    @property
    def _channel(self) -> str:
        return f"{self._prefix}:live:changes"

    def _key(self, symbol: str) -> str:
        return f"{self._prefix}:live:{symbol}"
