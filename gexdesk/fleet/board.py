"""The board on which the engines of a fleet meet, in Redis or Valkey: beats, ownership, and what operators set.

Every act is one script, so that it happens whole or not at all; times are the server's. Keys share one hash tag:

    {<prefix>}:fleet:engines seen owners until    who lives, and who runs which sources until when
    {<prefix>}:fleet:held marks version birth     what is shared by name, its version, the last version, a mark of the whole
    {<prefix>}:fleet:came:<digest>                the job of bytes that came within the hour
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec
from redis.asyncio import Redis

from gexdesk.fleet.server import ANSWER_S, listen, within
from gexdesk.fleet.told import Entry, Heard, Posted, Told
from gexdesk.model.errors import QueueAway

FORGET_S = 3600.0
"""An engine that fell silent is named for so long."""

CAME_S = 3600
CAME_AT_ONCE = 200

SILENT_S = 0.5
"""Longest wait for a server that has owed an answer for too long: an operator's lever waits for it. Only the beat waits longer."""


class Board:
    """Speak to the server for one engine. Every coroutine raises QueueAway where it does not answer.

    Args:
        prefix: As the queue's.
        engine: Name of this engine, as the queue has it.
    """

    def __init__(self, client: Redis, *, prefix: str, engine: str) -> None:
        self._client = client
        self.engine = engine
        self._keys = f"{{{prefix}}}:fleet:"
        lua = files("gexdesk.fleet").joinpath("lua")
        self._beat, self._leave, self._put, self._forget, self._renew, self._came = (
            client.register_script(lua.joinpath(f"{name}.lua").read_text(encoding="utf-8"))
            for name in ("beat", "leave", "put", "forget", "renew", "came")
        )
        self._owed_since: float | None = None  # loop time of the first question since the last answer
        self._coming: list[tuple[str, str, asyncio.Future[str | None]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def beat(self, body: bytes, wanted: Sequence[str], given: Sequence[str], lease_s: float) -> Told:
        """Say that this engine lives, renew and take what it may own, and learn of the others.

        Args:
            body: What others are to know of this engine.
            wanted: Units it can run.
            given: Units it gives up.
        """
        arguments: list[Any] = [self.engine, body, round(lease_s * 1000), round(FORGET_S * 1000), len(wanted), *wanted, *given]
        now, own, took, owners, heard, version, most, birth = await self._answer(
            self._beat(keys=self._roster(), args=arguments), patient=True
        )
        return Told(
            now=now / 1000,
            own=frozenset(map(_text, own)),
            took=_pairs(took),
            owners=_pairs(owners),
            engines=tuple(Heard(_text(name), max(0.0, (now - float(at)) / 1000), bytes(said)) for name, at, said in heard),
            version=version,
            most=most,
            birth=_text(birth),
        )

    async def leave(self) -> None:
        """Say that this engine ends as asked: nobody misses it, and what it owns is free."""
        await within(self._leave(keys=self._roster(), args=[self.engine, f"{self._keys}news"]))

    async def put(self, name: str, entry: Entry, known: int) -> tuple[int, Entry | None]:
        """Share a value under a name.

        Args:
            known: The version the caller acts on; 0 where it knows of none.

        Returns:
            The version it has now, and None; or the version somebody else gave it, and what they set: nothing was changed then.
        """
        held = [f"{self._keys}held", f"{self._keys}marks", f"{self._keys}version"]
        body = msgspec.msgpack.encode(entry)
        arguments: list[Any] = [name, body, known, f"{self._keys}news"]
        done, version, there = await self._answer(self._put(keys=held, args=arguments))
        if done:
            return version, None
        other = _entry(there)
        return version, other if other is not None else Entry(msgspec.Raw(b"\xc0"), "somebody", "", 0.0)

    async def read(self) -> Posted:
        """Return everything that is shared; a board without a mark is given one."""
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.set(f"{self._keys}birth", secrets.token_hex(8), nx=True)
            pipe.get(f"{self._keys}birth")
            pipe.get(f"{self._keys}version")
            pipe.hgetall(f"{self._keys}held")
            pipe.hgetall(f"{self._keys}marks")
            _, birth, version, held, marks = await self._answer(pipe.execute())
        versions = {_text(name): int(mark) for name, mark in marks.items()}
        entries = {}
        for name, body in held.items():
            entry = _entry(body)
            if entry is not None:
                entries[_text(name)] = msgspec.structs.replace(entry, version=versions.get(_text(name), 0))
        return Posted(_text(birth), int(version or 0), entries)

    async def renew(self, birth: str) -> str:
        """Mark that the board has lost something, so that every engine looks at all of it; returns the mark it has now.

        Args:
            birth: The mark the caller found the loss under; where another engine marked it since, that one stays.
        """
        return _text(await self._answer(self._renew(keys=[f"{self._keys}birth"], args=[birth, secrets.token_hex(8)])))

    async def forget(self, versions: Mapping[str, int]) -> None:
        """Drop what was ended long ago, by name, where it has still that version; the version goes with it."""
        if versions:
            known = [str(part) for pair in versions.items() for part in pair]
            await within(self._forget(keys=[f"{self._keys}held", f"{self._keys}marks"], args=known))

    def first(self, digest: str, job_id: str) -> "asyncio.Future[str | None]":
        """Ask which job was the first to bring these bytes within the hour: this one, where nobody came before.

        What is asked while an answer is awaited is asked together. None where the server does not answer.
        """
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._coming.append((digest, job_id, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_first(), name="fleet came")
        return answer

    async def _answer(self, asked: Awaitable[Any], *, patient: bool = False) -> Any:
        """Return the server's answer; ``patient`` waits as long as ever for one that answers nobody."""
        now = asyncio.get_running_loop().time()
        self._owed_since = now if self._owed_since is None else self._owed_since
        answer = await within(asked, ANSWER_S if patient else max(SILENT_S, self._owed_since + ANSWER_S - now))
        self._owed_since = None
        return answer

    async def _ask_first(self) -> None:
        try:
            while self._coming:
                asked, self._coming = self._coming[:CAME_AT_ONCE], self._coming[CAME_AT_ONCE:]
                keys = [f"{self._keys}came:{digest}" for digest, _, _ in asked]
                jobs = [job_id for _, job_id, _ in asked]
                found: list[str | None] = [None] * len(asked)
                try:
                    found = [_text(job_id) for job_id in await self._answer(self._came(keys=keys, args=[CAME_S, *jobs]))]
                except QueueAway:
                    pass
                finally:
                    for (_, _, answer), first in zip(asked, found, strict=True):
                        if not answer.done():
                            answer.set_result(first)
        finally:
            self._asking = None

    async def news(self) -> AsyncIterator[None]:
        """Yield whenever another engine changed or left something, and once after each time the connection was made, for ever."""
        async for _ in listen(self._client, f"{self._keys}news"):
            yield None

    def _roster(self) -> list[str]:
        return [f"{self._keys}{name}" for name in ("engines", "seen", "owners", "until", "version", "birth")]


def _entry(body: bytes) -> Entry | None:
    try:
        return msgspec.msgpack.decode(body, type=Entry)
    except msgspec.MsgspecError:
        return None  # somebody else wrote it: as if it were not there


def _pairs(flat: Sequence[bytes] | Mapping[bytes, bytes]) -> dict[str, str]:
    items = flat.items() if isinstance(flat, Mapping) else zip(flat[::2], flat[1::2], strict=True)
    return {_text(name): _text(value) for name, value in items}


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
