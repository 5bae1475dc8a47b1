"""Run the promised load against a private engine and gather what came of it."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from gexdesk.certify.changes import Change, Changes
from gexdesk.certify.documents import Documents
from gexdesk.certify.grid import write as write_grid
from gexdesk.certify.load import FEEDS, Feed, Size, schedule
from gexdesk.certify.machine import Machine, busy_s, machine_of
from gexdesk.certify.offered import Offered
from gexdesk.certify.outlets import Polled, Pushed, lay_out_story
from gexdesk.certify.plan import Plan
from gexdesk.certify.private import PrivateEngine
from gexdesk.certify.record import Record
from gexdesk.model.errors import EngineAway
from gexdesk.model.view.desk import DeskView

SAMPLE_EVERY_S = 0.25
AHEAD = 600
"""Documents offered and not received yet while counting: enough that the engine never waits for the next."""

AT_ONCE = 50
OVER_S = 120.0
"""Beyond the load: for start, reading and end."""

Say = Callable[[str], None]


class Sample(Struct, frozen=True):
    """Hold what one picture said; ``at`` is seconds from the beginning of the load."""

    at: float
    part: str
    received: int
    ended: int
    waiting: int
    undecided: int
    loop_lag_s: float
    bound_s: float | None


class Measured(Struct, frozen=True):
    """Hold everything that a run came to.

    Attributes:
        parts: Name of each part and when it began and ended, UTC seconds.
        closing: The engine's own, as ``run --json`` prints it.
        graded: What ``guidelines test`` said of the labelled grid.
        raised: Symbols that a changed set makes HIGH.
        versions: Of the changed sets; ``base`` is the one in force before and after.
        used_s, resident_bytes: Processor time of engine and pool, and the engine's memory, at the end of the load.
        others_cores: Processor time that everything else on the machine took meanwhile, in cores.
        killed: A decoder was killed at the peak.
    """

    machine: Machine
    plan: Plan
    parts: dict[str, tuple[float, float]]
    offered: Offered
    record: Record
    closing: dict[str, Any]
    samples: tuple[Sample, ...]
    changes: tuple[Change, ...]
    raised: tuple[str, ...]
    versions: frozenset[str]
    base: str
    graded: dict[str, Any]
    used_s: float
    others_cores: float
    resident_bytes: int
    state_bytes: int
    killed: bool
    took_s: float


class Run:
    """Drive one run.

    Args:
        redis: URL of a server that holds the queue; None keeps it in the state folder.
        say: Told how far it is, a line now and then.
    """

    def __init__(self, plan: Plan, redis: str | None, say: Say) -> None:
        self._plan = plan
        self._redis = None if redis is None else (redis, f"gexdesk-certify-{secrets.token_hex(4)}")
        self._say = say
        self._offered = Offered()
        self._samples: list[Sample] = []
        self._parts: dict[str, tuple[float, float]] = {}
        self._part = ""
        self._began = 0.0
        self._killed = False

    async def measure(self) -> Measured:
        """Run it from an empty folder to the last job, and remove the folder.

        Raises:
            EngineAway: The engine could not be started, or went away.
        """
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="gexdesk-certify-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            machine = machine_of(folder)
            engine = PrivateEngine(folder, self._plan.drained_by_s + OVER_S)
            outlets = Outlets(folder, self._offered)
            try:
                await outlets.polled.start()
                engine.configure(
                    FEEDS, url=outlets.polled.url, folders=outlets.folders, story=outlets.story, redis=self._redis
                )
                self._say("deciding the labelled grid, writing documents")
                graded, documents = await asyncio.gather(
                    asyncio.to_thread(_graded, folder, engine), asyncio.to_thread(Documents, time.time())
                )
                outlets.lay_out(documents)
                await engine.start()
                changes = Changes(engine.client, raised_feed().symbols)
                base = (await engine.client.view()).guidelines_version
                before_s, own_s, from_at = busy_s(), time.process_time(), time.monotonic()
                await self._load(engine, outlets, changes)
                used_s, resident = engine.usage()
                own_s, lasted_s = time.process_time() - own_s, time.monotonic() - from_at
                others = max(0.0, busy_s() - before_s - used_s - own_s) / lasted_s
                record = await self._record(engine)
                state_bytes = await asyncio.to_thread(_size_of, engine.state)
                closing = await engine.stop()
            finally:
                engine.kill()
                await outlets.polled.stop()
                if self._redis is not None:
                    await asyncio.to_thread(_clear_redis, *self._redis)
        return Measured(
            machine=machine, plan=self._plan, parts=self._parts, offered=self._offered, record=record, closing=closing,
            samples=tuple(self._samples), changes=tuple(changes.made), raised=raised_feed().symbols,
            versions=frozenset(changes.versions), base=base, graded=graded, used_s=used_s, others_cores=others,
            resident_bytes=resident, state_bytes=state_bytes, killed=self._killed, took_s=time.monotonic() - began,
        )  # fmt: skip

    async def _load(self, engine: PrivateEngine, outlets: "Outlets", changes: Changes) -> None:
        plan = self._plan
        self._began, at = time.monotonic(), time.time()
        watching = asyncio.create_task(self._watch(engine))
        pushing = asyncio.create_task(self._push(outlets.pushed, plan.counted_by_s))
        changing = asyncio.create_task(changes.run(plan.change_every_s))
        try:
            async with self._as_part("steady"):
                await self._until(plan.steady_s, watching, pushing, changing)
            async with self._as_part("peak"):
                await self._until(plan.steady_s + plan.peak_s / 2, watching, pushing, changing)
                self._killed = engine.kill_a_decoder()
                await self._until(plan.steady_s + plan.peak_s, watching, pushing, changing)
            changes.end()
            await changing
            async with self._as_part("counting"):
                await self._count(engine, outlets.pushed, watching, pushing)
            # As planned, not as it came about: a part that drags on does not let its load look lighter.
            self._parts["steady"] = at, at + plan.steady_s
            self._parts["peak"] = at + plan.steady_s, at + plan.steady_s + plan.peak_s
            pushing.cancel()
            async with self._as_part("drain"):
                outlets.polled.quiet = True
                await self._drain(engine, outlets.pushed)
        finally:
            for task in (watching, pushing, changing):
                task.cancel()
            await asyncio.gather(watching, pushing, changing, return_exceptions=True)

    @asynccontextmanager
    async def _as_part(self, name: str) -> AsyncIterator[None]:
        self._part, began = name, time.time()
        yield
        self._parts[name] = began, time.time()

    async def _until(self, at_s: float, *tasks: "asyncio.Task[None]") -> None:
        """Wait until so many seconds of the load have passed; a task that fails meanwhile fails the run."""
        rest_s = at_s - self._at()
        done, _ = await asyncio.wait(tasks, timeout=max(0.0, rest_s), return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        rest_s = at_s - self._at()
        if rest_s > 0:
            await asyncio.sleep(rest_s)

    async def _push(self, pushed: Pushed, seconds: float) -> None:
        """Push what is due when it is due, and note by how much this process is behind."""
        feeds = tuple(feed for feed in FEEDS if feed.kind == "directory")
        peak = self._plan.steady_s, self._plan.steady_s + self._plan.peak_s
        for due in schedule(seconds, peak, feeds):
            wait_s = due.at_s - self._at()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._offered.behind_s = max(self._offered.behind_s, self._at() - due.at_s)
            pushed.push(due.feed)

    async def _count(self, engine: PrivateEngine, pushed: Pushed, *tasks: "asyncio.Task[None]") -> None:
        """Let small documents come as fast as the engine takes them, beside the promised load, until there were enough."""
        plan = self._plan
        feeds = [feed for feed in FEEDS if feed.kind == "directory" and feed.size is Size.DOCUMENT]
        number = 0
        while self._at() < plan.counted_by_s:
            view = await engine.client.view()
            if view.completed + view.dead >= plan.dispatches:
                return
            more = min(AHEAD - _ahead(self._offered, pushed, view), plan.dispatches + AHEAD - view.received)
            for _ in range(more):
                pushed.push(feeds[number % len(feeds)])
                number += 1
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
            await self._until(self._at() + 0.1, *tasks)

    async def _drain(self, engine: PrivateEngine, pushed: Pushed) -> None:
        played = {feed.name for feed in _of("replay")}
        while self._at() < self._plan.drained_by_s:
            view = await engine.client.view()
            open_here = sum(s.received - s.completed - s.dead - s.repeats for s in view.sources if s.name not in played)
            if open_here <= 0 and _ahead(self._offered, pushed, view) <= 0:
                return
            await asyncio.sleep(0.2)

    def _at(self) -> float:
        """Return the seconds since the load began."""
        return time.monotonic() - self._began

    async def _watch(self, engine: PrivateEngine) -> None:
        said = 0.0
        while True:
            view = await engine.client.view()
            at = self._at()
            ended = view.completed + view.dead
            waiting = sum(level.depth for level in view.levels)
            bound = view.bound.worst_s if view.bound is not None else None
            self._samples.append(Sample(at, self._part, view.received, ended, waiting, view.undecided, view.loop_lag_s, bound))
            if at - said > 5.0:
                said = at
                self._say(f"{self._part}: {at:.0f} s, received {view.received:,}, ended {ended:,}, waiting {waiting:,}")
            await asyncio.sleep(SAMPLE_EVERY_S)

    async def _record(self, engine: PrivateEngine) -> Record:
        copy = await engine.client.copy_metadata()
        try:
            return await asyncio.to_thread(Record, copy)
        finally:
            copy.unlink(missing_ok=True)


class Outlets:
    """Hold the three ways in which the load is offered."""

    def __init__(self, folder: Path, offered: Offered) -> None:
        self.folders, self.story = folder / "in", folder / "story"
        self.polled = Polled(_of("http"), offered)
        self.pushed = Pushed(self.folders, offered)
        self._offered = offered

    def lay_out(self, documents: Documents) -> None:
        """Make the folders that are watched and the story that is replayed; from now on polls are answered."""
        self.polled.documents = self.pushed.documents = documents
        for feed in _of("directory"):
            self.pushed.folder_of(feed)
        lay_out_story(self.story, _of("replay"), documents, self._offered, time.time())


def raised_feed() -> Feed:
    """Return the feed whose symbols a changed set makes HIGH: of documents, and of no impact."""
    return next(f for f in FEEDS if f.kind == "directory" and f.size is Size.DOCUMENT and 0 < f.open_interest < 25_000)


def _of(kind: str) -> tuple[Feed, ...]:
    return tuple(feed for feed in FEEDS if feed.kind == kind)


def _ahead(offered: Offered, pushed: Pushed, view: DeskView) -> int:
    """Return how many files lie in folders, or will in a moment, that the engine has not received yet."""
    names = {feed.name for feed in _of("directory")}
    given = sum(count for name, count in offered.by_feed.items() if name in names)
    return given + pushed.waiting - sum(source.received for source in view.sources if source.name in names)


def _graded(folder: Path, engine: PrivateEngine) -> dict[str, Any]:
    """Let the program decide the labelled grid by the rules this engine is configured with."""
    grid = folder / "grid.csv"
    write_grid(grid)
    command = [sys.executable, "-m", "gexdesk", "guidelines", "test", str(grid), "--state", str(engine.state), "--json"]
    own = {**os.environ, "GEXDESK_CONFIG": str(engine.config)}  # never the rules of whoever runs this
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=own)
    if done.returncode != 0:
        raise EngineAway(f"the labelled grid could not be decided: {done.stderr.strip()[:300]}")
    graded: dict[str, Any] = json.loads(done.stdout)
    return graded


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _clear_redis(url: str, prefix: str) -> None:
    """Remove the private engine's keys, and nothing else."""
    import redis

    with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
        for key in client.scan_iter(match=f"*{prefix}*", count=1000):
            client.delete(key)
