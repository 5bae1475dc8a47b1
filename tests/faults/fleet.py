"""Three engines over one Redis and one shared folder: one is killed, one stands still past its leases, one is cut off.

Feeds go on all the while. Afterwards every document that was taken is stored, and none twice; sources that lost their engine had
another within seconds; what an operator set through one engine acted on all; and the queue gave its jobs out in order, also to
engines that were restarted one after the other.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from gexdesk.api.client import Client
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import GexdeskError
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.view.desk import DeskView
from gexdesk.queues.redis import RedisQueue
from gexdesk.queues.redis_library import base
from tests.engine.desk_setting import drop, gexbot_at, rows
from tests.faults.cut_wire import CutWire
from tests.queues.valkey_server import ValkeyServer

PREFIX = "fleet"
SOURCES = {"north": "N", "south": "S", "west": "W"}
LEVEL_OF = {"north": Level.CRITICAL, "south": Level.HIGH, "west": Level.LOW}
LIMIT_S = 60.0
EVERY_S = 0.05
HELD_EACH = 12
PICTURES_S = 0.5
"""So old the pictures of three engines may be, one asked after the other, by which a lever is seen to act."""


class Outcome(NamedTuple):
    """Count what happened; times are the longest seen, in seconds.

    Attributes:
        lost, twice: Documents without rows, and rows beyond one a document.
        out_of_order: Jobs given out before a stricter one that waited.
        took_over_s: From an engine's last sign of life until another ran its sources.
        override_s, kill_switch_s, guidelines_s: Until a lever pulled at one engine acted on all.
    """

    documents: int
    lost: int
    twice: int
    done_for_others: int
    out_of_order: int
    given_out_in_order: int
    took_over_s: float
    override_s: float
    kill_switch_s: float
    guidelines_s: float

    @property
    def sound(self) -> bool:
        """Say whether every promise held, on enough happening to say so."""
        return (
            self.lost == self.twice == self.out_of_order == 0
            and self.documents > 100
            and self.done_for_others >= 3  # of the lives that were not killed: a kill takes its count along
            and self.given_out_in_order >= 3 * HELD_EACH
            and self.took_over_s < 12.0
            and self.kill_switch_s < 1.0 + PICTURES_S
            and max(self.override_s, self.guidelines_s) < 3.0
        )


def run(full: bool) -> Outcome:
    """Hurt each engine once, or three times."""
    folder = Path(tempfile.mkdtemp(prefix="gexdesk-fleet-"))
    try:
        return asyncio.run(_run(folder, rounds=3 if full else 1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Host:
    """Hold one engine's state folder, configuration and process."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.state = folder / name
        self.client = Client(self.state)
        self._folder = folder
        self._config = folder / f"{name}.toml"
        self._process: subprocess.Popen[bytes] | None = None
        sources = "".join(
            f'[[sources]]\nkind = "directory"\nname = "{source}"\npath = "in/{source}"\nlevel = "auto"\n'
            f"symbols = [{', '.join(f'{chr(34)}{letter}{n}{chr(34)}' for n in range(5))}]\n"
            "assume = { volume = 600000, open_interest = 1400000 }\n"
            for source, letter in SOURCES.items()
        )
        self._config.write_text(f'[redis]\nurl = "{url}"\nprefix = "{PREFIX}"\n[engine]\nshared = "shared"\n{sources}')

    def start(self) -> None:
        """Start its engine."""
        with open(self._folder / f"{self.state.name}.log", "ab") as log:
            command = [sys.executable, "-m", "gexdesk", "run", "--config", self._config, "--state", self.state]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its engine."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    async def ended(self) -> None:
        """Wait until its engine is gone."""
        assert self._process is not None
        await asyncio.to_thread(self._process.wait, LIMIT_S)

    def kill(self) -> None:
        """End it whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def view(self) -> DeskView | None:
        """Return its picture; None while it does not answer."""
        try:
            async with asyncio.timeout(1.0):
                return await self.client.view()
        except (GexdeskError, TimeoutError, OSError):
            return None

    async def pull(self, verb: Verb, target: str = "", **fields: object) -> None:
        """Pull a lever there."""
        await self.client.pull(Lever(verb, target, "a test", **fields))  # type: ignore[arg-type]


class Feed:
    """Drop a document into a folder every few milliseconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.dropped = 0
        for source in SOURCES:
            (folder / "in" / source).mkdir(parents=True)

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self.one(list(SOURCES)[self.dropped % 3])
            await asyncio.sleep(EVERY_S)

    def one(self, source: str) -> None:
        """Drop one; no two are the same bytes."""
        number = self.dropped
        body = gexbot_at(2.0, f"{SOURCES[source]}{number // 3 % 5}", net=float(number))
        drop(self._folder / "in" / source, f"{number:05d}.json", body + b" " * (number % 977))
        self.dropped += 1


async def _run(folder: Path, rounds: int) -> Outcome:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always", port=port)
    wire = CutWire(port)
    cut_off = f"redis://127.0.0.1:{await wire.start()}"
    hosts = [Host(folder, name, url) for name, url in (("a", server.url), ("b", server.url), ("c", cut_off))]
    feed, feeding = Feed(folder), None
    try:
        for host in hosts:
            host.start()
        await _until(hosts, _all_owned)
        levers = await _levers(hosts)
        feeding = asyncio.create_task(feed.run())
        took_over = [await _hurt(hosts, wire) for _ in range(rounds)]
        feeding.cancel()
        for_others = sum([view.for_others for host in hosts if (view := await host.view()) is not None])
        wrong, given = await _held_and_restarted(hosts, server, feed, everyone=rounds > 1)
        await _until(hosts, _idle)
        for host in hosts:
            host.send(signal.SIGTERM)
        for host in hosts:
            await host.ended()
        lost, twice = await asyncio.to_thread(_stored, hosts, feed.dropped)
        return Outcome(feed.dropped, lost, twice, for_others, wrong, given, max(took_over), *levers)
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            sys.stderr.write(f"---- {log.name}\n{log.read_text()[-3000:]}\n")
        raise
    finally:
        if feeding is not None:
            feeding.cancel()
        for host in hosts:
            host.kill()
        await wire.stop()
        server.close()


async def _hurt(hosts: Sequence[Host], wire: CutWire) -> float:
    """Kill one and let one stand still at once, then cut the third off; returns the longest that a source had no engine."""
    killed, still, cut = hosts
    await asyncio.sleep(1.0)
    killed.send(signal.SIGKILL)
    still.send(signal.SIGSTOP)
    first = await _until([cut], lambda views: set(views[0].engines[0].sources) == SOURCES.keys())
    await killed.ended()
    killed.start()
    still.send(signal.SIGCONT)
    await _until([still], lambda views: bool(views[0].engines) and not views[0].engines[0].silent)
    wire.cut()
    second = await _until([still], lambda views: _run_by_the_living(views[0], but=2))
    wire.mend()
    await _until(hosts, _all_owned)
    return max(first, second)


async def _levers(hosts: Sequence[Host]) -> tuple[float, float, float]:
    """Pull levers at one engine after the other; returns how long each took to act on all."""
    a, b, c = hosts
    for source, level in LEVEL_OF.items():
        await a.pull(Verb.OVERRIDE, source, level=level)
    shown = {source: str(level) for source, level in LEVEL_OF.items()}
    override_s = await _until(hosts, lambda views: all({s.name: s.override for s in v.sources} == shown for v in views))
    await b.pull(Verb.PAUSE_ALL)
    kill_s = await _until(hosts, lambda views: all(v.stopped and {s.state for s in v.sources} == {"stopped"} for v in views))
    with contextlib.suppress(GexdeskError):
        await c.pull(Verb.PAUSE_ALL)
        raise AssertionError("everything was stopped twice")
    await c.pull(Verb.RESUME_ALL)
    await _until(hosts, lambda views: not any(v.stopped for v in views))
    [view] = [await c.client.view()]
    text = (Path(__file__).parents[2] / "gexdesk" / "guidelines" / "default.toml").read_text() + "\n# of the fleet\n"
    await c.pull(Verb.APPLY, target_kind="guidelines", text=text)
    before = view.guidelines_author
    guidelines_s = await _until(
        hosts, lambda views: len({v.guidelines_author for v in views}) == 1 and views[0].guidelines_author != before
    )
    return override_s, kill_s, guidelines_s


async def _held_and_restarted(hosts: Sequence[Host], server: ValkeyServer, feed: Feed, *, everyone: bool) -> tuple[int, int]:
    """Hold the queue full, restart engines, let go, and see in what order jobs are given out."""
    await _until(hosts, _idle)
    blunt, client = server.blunt(), server.client()
    watcher = RedisQueue(client, prefix=PREFIX, engine="watcher", clock=SystemClock())
    await watcher.open()
    ranks: list[int] = []

    async def watch() -> None:
        async for event in watcher.events():
            if event.kind == "claimed" and event.level is not None:
                ranks.append(event.level.rank)

    watching = asyncio.create_task(watch())
    try:
        await asyncio.sleep(0.5)
        blunt.set(f"{base(PREFIX)}stopped", 1)  # the queue alone: the sources go on
        for _ in range(HELD_EACH):
            for source in reversed(SOURCES):
                feed.one(source)
        await _until(hosts[:1], lambda views: _waiting(views[0]) == 3 * HELD_EACH)
        await hosts[1].pull(Verb.PAUSE_ALL)  # and now all of it, so that it stays held over the restarts
        for host in hosts if everyone else hosts[:1]:
            host.send(signal.SIGTERM)
            await host.ended()
            host.start()
            await _until(hosts, _answer)
        assert not ranks
        await hosts[0].pull(Verb.RESUME_ALL)
        await _until(hosts, _idle)
        wrong = sum(1 for at, rank in enumerate(ranks) if any(later < rank for later in ranks[at + 1 :]))
        return wrong, len(ranks)
    finally:
        watching.cancel()
        await watcher.close()
        await client.aclose()
        blunt.close()


def _stored(hosts: Sequence[Host], documents: int) -> tuple[int, int]:
    """Return how many documents have no rows, and how many rows are too many, as one host of the fleet answers."""
    answers = []
    for host in hosts:
        [found] = rows(
            "SELECT count(*) AS n, count(DISTINCT payload_sha256) AS documents, "
            "(SELECT count(*) FROM strikes) AS strikes, "
            "(SELECT count(*) - count(DISTINCT job_id) FROM jobs) AS jobs_twice, "
            "(SELECT count(*) FROM jobs WHERE status <> 'COMPLETED') AS not_completed FROM snapshots",
            host.state,
        )
        answers.append(found)
    assert answers[0] == answers[1] == answers[2], f"hosts answer differently: {answers}"
    found = answers[0]
    lost = documents - found["documents"] + found["not_completed"]
    twice = found["n"] - found["documents"] + abs(found["strikes"] - 2 * found["n"]) + found["jobs_twice"]
    if lost or twice:
        sys.stderr.write(f"{documents} documents came to {found}\n")
    return lost, twice


def _answer(views: Sequence[DeskView]) -> bool:
    return all(sum(not engine.silent for engine in view.engines) >= len(views) for view in views)


def _all_owned(views: Sequence[DeskView]) -> bool:
    owned = [source for view in views for source in view.engines[0].sources]
    return sorted(owned) == sorted(SOURCES) and _answer(views)


def _run_by_the_living(view: DeskView, but: int) -> bool:
    """Say whether every source is run by an engine that is heard; ``but`` is how many engines that can be at most."""
    heard = [engine for engine in view.engines if not engine.silent]
    return len(heard) <= but and {source for engine in heard for source in engine.sources} == SOURCES.keys()


def _waiting(view: DeskView) -> int:
    return sum(level.depth + level.processing + level.delayed for level in view.levels)


def _idle(views: Sequence[DeskView]) -> bool:
    return all(view.in_flight == view.undecided == view.storing == _waiting(view) == 0 for view in views)


async def _until(hosts: Sequence[Host], condition: Callable[[Sequence[DeskView]], bool]) -> float:
    """Return after how long the condition held on the pictures of all these hosts."""
    began = time.monotonic()
    while True:
        views = [view for host in hosts if (view := await host.view()) is not None]
        if len(views) == len(hosts) and condition(views):
            return time.monotonic() - began
        if time.monotonic() - began > LIMIT_S:
            stand = [(v.engines, v.in_flight, v.undecided, v.storing, _waiting(v), [s.state for s in v.sources]) for v in views]
            raise AssertionError(f"it does not come; {len(views)} engines answer: {stand}")
        await asyncio.sleep(0.05)


assert tuple(LEVEL_OF.values()) == tuple(sorted(LEVEL_OF.values(), key=LEVELS.index))
