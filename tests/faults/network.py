"""Spoil the wires of a running engine, to a polled server, to one that pushes and to Redis: cut, holes, drips, half closes, resets.

Nothing may get stuck: each hop has a deadline, after which the desk says so, and works again by itself once the wire is whole.
``run(full=False)`` spoils all three in two ways at once for a second, ``run(full=True)`` each in five ways for ten seconds.
"""

import asyncio
import socket
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

from websockets.asyncio.server import ServerConnection

from gexdesk.engine.engine import Engine
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import engine_on, folder_source, gexbot_at, parts_of, source_of
from tests.faults.cut_wire import CutWire
from tests.feed_server import Answer, FeedServer, Request
from tests.queues.valkey_server import ValkeyServer
from tests.sources.test_websocket import PushServer
from tests.until import until

WAYS = ("cut", "hole", "drip", "half", "reset")
SHORT_WAYS = ("hole", "reset")
FULL_S, SHORT_S = 10.0, 1.0
EVERY_S = 0.3
TIMEOUT_S = 1.0
SAID_S = 6.0
"""A request's second, the pause before it, three intervals of a feed, or Redis's two; and the second in which the engine looks."""

AGAIN_S = 45.0
"""A breaker that opened is asked again after half a minute and some; what failed a few times, after seconds."""

PADDING = b" " * 20_000
WIRES = ("polled", "pushed", "redis")


class Outcome(NamedTuple):
    """Hold seconds by wire and way.

    Attributes:
        said_s: From the moment the wire was spoiled until the desk said so; only where it was spoiled for long.
        again_s: From the moment it was whole until something new was done that had come over it.
        stuck: What never worked again.
        unsaid: What the desk never said.
        broken_documents: Half documents that were taken for whole ones.
    """

    said_s: dict[str, float]
    again_s: dict[str, float]
    stuck: tuple[str, ...]
    unsaid: tuple[str, ...]
    documents: int
    broken_documents: int
    open_in_the_end: int

    @property
    def sound(self) -> bool:
        """Say whether everything was said and went on."""
        wrong = self.stuck or self.unsaid or self.broken_documents or self.open_in_the_end
        enough = len(self.again_s) >= len(WIRES) * len(SHORT_WAYS) and self.documents > 10
        return not wrong and enough and max(self.again_s.values()) <= AGAIN_S


def run(full: bool) -> Outcome:
    """Spoil them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ValkeyServer(port=port)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return asyncio.run(_Wires(Path(folder), port, full).through())
    finally:
        server.close()


class _Polled(FeedServer):
    def answer_to(self, request: Request) -> Answer:
        return Answer(body=gexbot_at(0.1, "SPX") + PADDING, headers={"Content-Type": "application/json"})


async def _push(connection: ServerConnection) -> None:
    while True:
        await connection.send(gexbot_at(0.1, "NDX") + PADDING)
        await asyncio.sleep(EVERY_S)


class _Wires:
    def __init__(self, folder: Path, redis_port: int, full: bool) -> None:
        self._folder, self._redis_port = folder, redis_port
        self._ways, self._seconds = (WAYS, FULL_S) if full else (SHORT_WAYS, SHORT_S)
        self._said: dict[str, float] = {}
        self._again: dict[str, float] = {}
        self._stuck: list[str] = []
        self._unsaid: list[str] = []
        self._full = full

    async def through(self) -> Outcome:
        async with AsyncExitStack() as stack:
            polled = await stack.enter_async_context(_Polled())
            pushed = await stack.enter_async_context(PushServer(_push))
            ports = {"polled": _port_of(polled.url), "pushed": _port_of(pushed.url), "redis": self._redis_port}
            wires = {name: CutWire(port) for name, port in ports.items()}
            at = {name: await wire.start() for name, wire in wires.items()}
            for wire in wires.values():
                stack.push_async_callback(wire.stop)
            engine = await stack.enter_async_context(engine_on(self._settings(at)))
            await until(lambda: min(_done(engine, name) for name in ("polled", "pushed")) > 2)
            for way in self._ways:
                if self._full:
                    for name in WIRES:
                        await self._spoiled(engine, way, {name: wires[name]})
                else:
                    await self._spoiled(engine, way, wires)
            await parts_of(engine).supply.stop_all()
            await until(lambda: engine.closing().open == 0, limit_s=30.0)
            closing = engine.closing()
            return Outcome(
                self._said, self._again, tuple(self._stuck), tuple(self._unsaid), closing.completed, closing.dead, closing.open
            )  # fmt: skip

    def _settings(self, at: dict[str, int]) -> Settings:
        common = {"always": True, "every_s": EVERY_S, "level": "auto", "timeout_s": TIMEOUT_S}
        sources = [
            {"name": "polled", "kind": "http", "url": f"http://127.0.0.1:{at['polled']}/spx"} | common,
            {"name": "pushed", "kind": "websocket", "url": f"ws://127.0.0.1:{at['pushed']}/ndx"} | common,
            folder_source("calm", self._folder / "in", symbols=["RUT"]),
        ]  # fmt: skip
        redis = {"url": f"redis://127.0.0.1:{at['redis']}/0", "prefix": "wires"}
        return Settings.model_validate({"state": self._folder / "state", "sources": sources, "redis": redis})

    async def _spoiled(self, engine: Engine, way: str, wires: dict[str, CutWire]) -> None:
        began = time.monotonic()
        for wire in wires.values():
            wire.spoil(way)
        if self._full:
            await asyncio.gather(*(self._told(engine, f"{name} {way}", name, began) for name in wires))
        await asyncio.sleep(max(0.0, began + self._seconds - time.monotonic()))
        for wire in wires.values():
            wire.mend()
        await asyncio.gather(*(self._works(engine, f"{name} {way}", name) for name in wires))

    async def _told(self, engine: Engine, what: str, name: str, began: float) -> None:
        async def told() -> bool:
            if name == "redis":
                return parts_of(engine).queue.away
            return source_of(await engine.view(), name).state in ("late", "failing")

        try:
            await until(told, limit_s=SAID_S)
            self._said[what] = round(time.monotonic() - began, 2)
        except AssertionError:
            self._unsaid.append(what)

    async def _works(self, engine: Engine, what: str, name: str) -> None:
        """Wait until something new is done: of the source, or through Redis."""
        began, before = time.monotonic(), _done(engine, name)
        try:
            await until(lambda: _done(engine, name) > before, limit_s=AGAIN_S)
            self._again[what] = round(time.monotonic() - began, 2)
        except AssertionError:
            self._stuck.append(what)


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def _done(engine: Engine, name: str) -> int:
    """Return how many documents of a source are done; all, for what goes through Redis."""
    if name == "redis":
        return engine.closing().completed
    return engine.closing().sources[name].completed
