"""Let Redis do what servers do short of dying: sleep, stand still, be a replica, hang up, run full, forget its library or all else.

A real engine goes on feeding two sources meanwhile. CRITICAL must be done here while Redis is away and handed over afterwards, all
else within seconds of its answering again, nothing lost or done twice. A server that evicts is refused at the start.
"""

import asyncio
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import redis

from gexdesk.engine.engine import Engine
from gexdesk.model.errors import GexdeskError
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Verb
from gexdesk.model.payload import Arrival
from gexdesk.queues.redis_library import base
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import engine_on, gexbot_at, parts_of, pull, rows
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

FULL_S, SHORT_S = 20.0, 4.5
BRIEF_S = 0.5
AGAIN_S = 5.0
EVERY_S = 0.1
PREFIX = "pause"
MEMORY = "20mb"
AWAY = frozenset({"sleep", "stand still", "replica", "full"})
"""While one of these lasts, only what is journalled here goes on."""


class Outcome(NamedTuple):
    """Count what became of it, by what was done to the server.

    Attributes:
        again_s: From its answering again to the first job done that is not CRITICAL.
        twice: Documents that were done, or are stored, more than once.
        critical: CRITICAL documents that readers had while Redis was away, and ``critical_max_s`` the longest any of them took.
        orphans: Keys of jobs or payloads that were left in Redis when nothing was open any more.
        eviction_refused: Whether a server that evicts was refused, with what to change.
    """

    again_s: dict[str, float]
    critical: dict[str, int]
    critical_max_s: float
    documents: int
    lost: int
    twice: int
    orphans: int
    eviction_refused: bool

    @property
    def sound(self) -> bool:
        """Say whether it went on by itself every time."""
        went_on = len(self.again_s) == 8 and all(seconds <= AGAIN_S for seconds in self.again_s.values())
        here = all(self.critical[name] > 0 for name in AWAY)
        whole = not (self.lost or self.twice or self.orphans)
        return went_on and here and whole and self.critical_max_s < 30.0 and self.eviction_refused


def run(full: bool) -> Outcome:
    """Do all of it, for 20 s each or for as long as it takes to be noticed."""
    server = ValkeyServer(
        "--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes", "--maxmemory", MEMORY,
        "--maxmemory-policy", "noeviction",
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory() as folder:
            return asyncio.run(_Life(server, Path(folder) / "state", full).through())
    finally:
        server.close()


class _Life:
    def __init__(self, server: ValkeyServer, state: Path, full: bool) -> None:
        self._server, self._state = server, state
        self._blunt = server.blunt()
        self._long_s, self._brief_s = (FULL_S, FULL_S) if full else (SHORT_S, BRIEF_S)
        self._given = 0
        self._over = False
        self._again: dict[str, float] = {}
        self._critical: dict[str, int] = {}

    async def through(self) -> Outcome:
        async with engine_on(self._settings("state")) as engine:
            await pull(engine, Verb.OVERRIDE, "urgent", level=Level.CRITICAL, for_s=7200.0)
            feeding = [asyncio.create_task(self._feed(engine, name)) for name in ("urgent", "calm")]
            await until(lambda: all(_done(engine, urgent) > 3 for urgent in (True, False)))
            await self._during(engine, "sleep", self._long_s, self._sleep, self._awake)
            await self._during(engine, "stand still", self._long_s, self._server.freeze, self._server.thaw)
            await self._during(engine, "replica", self._brief_s, self._replica, self._master)
            await self._during(engine, "connections killed", self._brief_s, self._kill_connections, lambda: None)
            await self._during(engine, "full", self._brief_s, self._fill, self._empty)
            await self._during(engine, "functions flushed", 0.0, self._blunt.function_flush, lambda: None)
            await self._during(engine, "scripts flushed", 0.0, self._blunt.script_flush, lambda: None)
            await self._during(engine, "all flushed", 0.0, self._blunt.flushall, lambda: None)
            self._over = True
            await asyncio.gather(*feeding)
            parts = parts_of(engine)
            await until(lambda: engine.closing().open == 0, limit_s=60.0)
            await until(lambda: parts.queue.agreed, limit_s=10.0)  # type: ignore[attr-defined]
            done_again = engine.closing().completed - self._given
            worst_s = parts.promises[Level.CRITICAL].latency.max_s or 0.0
            orphans = self._orphans()
        done = rows("SELECT job_id FROM jobs WHERE status = 'COMPLETED'", self._state)
        [kept] = rows("SELECT count(*) AS n, count(DISTINCT payload_sha256) AS documents FROM snapshots", self._state)
        return Outcome(
            self._again, self._critical, round(worst_s, 2), self._given,
            lost=self._given - min(kept["documents"], len({row["job_id"] for row in done})),
            twice=kept["n"] - kept["documents"] + len(done) - len({row["job_id"] for row in done}) + max(0, done_again),
            orphans=orphans, eviction_refused=await self._refused(),
        )  # fmt: skip

    def _settings(self, name: str) -> Settings:
        folder = self._state.with_name(name)
        sources = [
            {"kind": "directory", "name": source, "path": str(folder / "in" / source), "level": "auto", "symbols": [symbol]}
            for source, symbol in (("urgent", "SPX"), ("calm", "RUT"))
        ]  # fmt: skip
        redis_table = {"url": self._server.url, "prefix": PREFIX}
        return Settings.model_validate({"state": folder, "sources": sources, "redis": redis_table})

    async def _feed(self, engine: Engine, source: str) -> None:
        """Hand documents over as a source does: one is acknowledged before the next one comes."""
        symbol, number = ("SPX" if source == "urgent" else "RUT"), 0
        while not self._over:
            number += 1
            body = gexbot_at(1.0, symbol, net=float(number % 40), seq=number)
            await parts_of(engine).receive.deliver(Arrival(source, body, time.time()))
            self._given += 1
            await asyncio.sleep(EVERY_S)

    async def _during(
        self, engine: Engine, name: str, seconds: float, begin: Callable[[], object], end: Callable[[], object]
    ) -> None:
        before = _done(engine, urgent=True)
        began = time.monotonic()
        await asyncio.to_thread(begin)
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        if name in AWAY:  # on a busy machine it may take longer to be noticed, and then to go on here
            with suppress(AssertionError):
                await until(lambda: _done(engine, urgent=True) > before, limit_s=10.0)
        self._critical[name] = _done(engine, urgent=True) - before
        await asyncio.to_thread(end)
        await asyncio.to_thread(self._blunt.ping)
        calm, answers_at = _done(engine, urgent=False), time.monotonic()
        with suppress(AssertionError):
            await until(lambda: _done(engine, urgent=False) > calm, limit_s=3 * AGAIN_S)
            self._again[name] = round(time.monotonic() - answers_at, 2)

    def _sleep(self) -> None:
        # Not by a client, which would ask again when no answer comes, and the server would sleep as often.
        self._asleep = socket.socket(socket.AF_UNIX)
        self._asleep.connect(str(self._server.socket))
        self._asleep.sendall(f"DEBUG SLEEP {self._long_s}\r\n".encode())

    def _awake(self) -> None:
        self._asleep.recv(64)
        self._asleep.close()

    def _replica(self) -> None:
        self._blunt.execute_command("REPLICAOF", "127.0.0.1", "1")

    def _master(self) -> None:
        self._blunt.execute_command("REPLICAOF", "NO", "ONE")

    def _kill_connections(self) -> None:
        ends_at = time.monotonic() + self._brief_s
        while time.monotonic() < ends_at:
            for kind in ("normal", "pubsub"):
                self._blunt.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            time.sleep(0.02)

    def _fill(self) -> None:
        number = 0
        for size in (1_000_000, 10_000, 100):  # to the last bytes: a small write is refused, too
            with suppress(redis.OutOfMemoryError):
                while number < 10_000:
                    number += 1
                    self._blunt.set(f"junk:{number}", b"x" * size)

    def _empty(self) -> None:
        for key in self._blunt.scan_iter("junk:*", count=10_000):
            self._blunt.delete(key)

    def _orphans(self) -> int:
        keys = base(PREFIX)
        parcels = sum(1 for _ in self._blunt.scan_iter(f"{keys}parcel:*"))
        return parcels + self._blunt.hlen(f"{keys}jobs")

    async def _refused(self) -> bool:
        self._blunt.config_set("maxmemory-policy", "allkeys-lru")
        try:
            async with engine_on(self._settings("second")):
                return False
        except GexdeskError as error:
            return "maxmemory-policy noeviction" in error.message


def _done(engine: Engine, urgent: bool) -> int:
    """Return how many documents readers have had."""
    promises = parts_of(engine).promises
    return sum(promises[level].latency.count for level in LEVELS if (level is Level.CRITICAL) == urgent)
