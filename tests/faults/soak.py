"""Soak: two trading days of a small desk at twenty times the world's pace, with faults, and nothing may grow.

The engine's whole clock is paced, not only its data: sessions, sweeps, records of a minute, leases and polls all pass as often
as in two days. Faults come as they do: servers that fail and come back, half documents, decoders killed, guidelines changed,
sources paused, the engine killed in mid-day and started again, and stopped over night.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

from gexdesk.api.client import Client
from gexdesk.certify.changes import Changes
from gexdesk.certify.documents import Documents
from gexdesk.certify.load import Feed, Size, Turn
from gexdesk.certify.offered import Offered
from gexdesk.certify.outlets import Polled, Pushed
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.errors import EngineAway, GexdeskError, LeverRefused
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.market import NEW_YORK, is_trading_day
from tests.faults.paced_engine import PacedClock

PACE = 20.0
DAY_S = 6.5 * 3600
BRIEF_DAY_S = 160.0
SAMPLE_EVERY_S = 0.5
"""Of the world."""

DRAIN_S = 40.0
KEEP_GB = 0.05
GROWTH, GROWTH_MB = 1.15, 40.0
DESCRIPTORS = 12
SIZE = 1.35
SIZE_SLACK_MB = 8.0
DRIFT, DRIFT_MS = 2.0, 150.0
FEWEST_SAMPLES = 40
"""With fewer of them a trend is not judged."""

PAUSED = "push-0"
_MATTERS = {"volume": 600_000.0, "open_interest": 1_400_000.0}
FEEDS = (
    *(Feed(f"poll-{n}", "http", Size.DOCUMENT, ("P" + "ABCD"[n],), 5.0, **_MATTERS) for n in range(4)),
    Feed(PAUSED, "directory", Size.DOCUMENT, tuple("DK" + letter for letter in "ABCDEFGH"), 4.0, **_MATTERS),
    Feed("names-0", "directory", Size.SMALL, ("NVA", "NVB", "NVC"), 30.0),
    Feed("folder-0", "directory", Size.SMALLER, ("RUT",), 90.0),
)  # fmt: skip


class Soaked(NamedTuple):
    """Sum up a soak; sizes in MB, times in milliseconds of the world."""

    pace: float
    virtual_hours: float
    offered: int
    completed: int
    dead: int
    lost: int
    twice: int
    wrong_ends: int
    decoders_killed: int
    guideline_changes: int
    changes_held: int
    engine_lives: int
    memory_mb: str
    memory_flat: bool
    descriptors: str
    descriptors_flat: bool
    latency_p50_ms: str
    latency_p99_ms: str
    latency_flat: bool
    sizes: str
    sizes_as_predicted: bool

    @property
    def sound(self) -> bool:
        """Say whether nothing was lost and nothing grew."""
        whole = self.lost == self.twice == self.wrong_ends == 0 and self.changes_held == self.guideline_changes
        flat = self.memory_flat and self.descriptors_flat and self.latency_flat and self.sizes_as_predicted
        return whole and flat and self.completed > 0 and self.dead > 0 and self.decoders_killed > 0


class Sample(NamedTuple):
    """Hold one look at the engine; ``life`` counts its starts."""

    life: int
    at: float
    resident_mb: float
    pool_mb: float
    descriptors: int
    completed: int
    sizes_mb: dict[str, float]


def run(full: bool) -> Soaked:
    """Soak for two days, or for a few minutes of each."""
    with tempfile.TemporaryDirectory(prefix="gexdesk-soak-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_Soak(Path(folder), DAY_S if full else BRIEF_DAY_S).days())


class _Soak:
    def __init__(self, folder: Path, day_s: float) -> None:
        self._folder, self._day_s = folder, day_s
        self._state, self._config = folder / "state", folder / "gexdesk.toml"
        self._client = Client(self._state)
        self._offered = Offered()
        self._clock = PacedClock(0.0, 0.0, PACE)
        self._samples: list[Sample] = []
        self._latency: list[tuple[float, float]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._life = 0
        self._killed = 0
        self._changes: list[bool] = []
        self._unheard: set[str] = set()

    async def days(self) -> Soaked:
        """Run both days and judge them."""
        mornings = _mornings(2)
        self._set_clock(mornings[0])
        polled = Polled(tuple(f for f in FEEDS if f.kind == "http"), self._offered, self._now)
        pushed = Pushed(self._folder / "in", self._offered, self._now)
        await polled.start()
        self._configure(polled.url)
        try:
            for morning in mornings:
                polled.documents = pushed.documents = await asyncio.to_thread(Documents, morning, (Size.SMALL, Size.SMALLER))
                polled.quiet = False
                for feed in FEEDS:
                    if feed.kind == "directory":
                        pushed.folder_of(feed)
                self._set_clock(morning)
                await self._day(pushed, polled, first=morning == mornings[0])
            return self._judged()
        finally:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            await polled.stop()

    async def _day(self, pushed: Pushed, polled: Polled, *, first: bool) -> None:
        await self._start()
        lasts = self._day_s / PACE
        began = time.monotonic()
        tasks = [
            asyncio.create_task(self._push(pushed)), asyncio.create_task(self._watch()), asyncio.create_task(self._hurt(polled))
        ]  # fmt: skip
        try:
            await _first_fault(tasks, lasts * 0.3)
            if first:
                assert self._process is not None
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()
                self._unheard = self._last_polled(self._clock.now())
                await self._start()
                await self._resume()  # a pause outlives a kill
            await _first_fault(tasks, began + lasts - time.monotonic())
        finally:
            tasks[0].cancel()
            tasks[2].cancel()
            polled.quiet = True
        try:
            await self._resume()
            await self._drained(pushed)
        finally:
            tasks[1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._stop()
        self._latency += self._latencies()

    async def _push(self, pushed: Pushed) -> None:
        feeds = [feed for feed in FEEDS if feed.kind == "directory"]
        due = dict.fromkeys((feed.name for feed in feeds), self._clock.now())
        while True:
            now = self._clock.now()
            for feed in feeds:
                while due[feed.name] <= now:
                    pushed.push(feed)
                    due[feed.name] += feed.every_s
            await asyncio.sleep(0.02)

    async def _watch(self) -> None:
        while True:
            with suppress(OSError, GexdeskError):
                view = await self._client.view()
                self._samples.append(self._sample(self._life, view.completed))
            await asyncio.sleep(SAMPLE_EVERY_S)

    def _sample(self, life: int, completed: int) -> Sample:
        assert self._process is not None
        pid = self._process.pid
        pool = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
        return Sample(
            life=life,
            at=self._clock.now(),
            resident_mb=_resident_mb(pid),
            pool_mb=max((_resident_mb(int(child)) for child in pool), default=0.0),
            descriptors=len(os.listdir(f"/proc/{pid}/fd")),
            completed=completed,
            sizes_mb={name: _size_mb(self._state / path) for name, path in STORES.items()},
        )

    async def _hurt(self, polled: Polled) -> None:
        """Hurt it in turns, once in a twentieth of the day each."""
        pause = self._day_s / PACE / 20
        turn = 0
        while True:
            await asyncio.sleep(pause)
            with suppress(OSError, EngineAway):  # it is being started again
                match turn % 4:
                    case 0:
                        self._kill_a_decoder()
                    case 1:
                        await self._change_guidelines()
                    case 2:
                        await self._client.pull(Lever(Verb.PAUSE, PAUSED, "soak"))
                        await asyncio.sleep(pause / 4)
                        await self._resume()
                    case _:
                        polled.quiet = True
                        await asyncio.sleep(pause / 2)
                        polled.quiet = False
            turn += 1

    async def _resume(self) -> None:
        with suppress(LeverRefused):  # it is not paused
            await self._client.pull(Lever(Verb.RESUME, PAUSED, "soak"))

    def _kill_a_decoder(self) -> None:
        assert self._process is not None
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                if b"pool_child" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
                    self._killed += 1
                    return

    async def _change_guidelines(self) -> None:
        changes = Changes(self._client, ("NVA",))
        changes.end()
        await changes.run(0.1)
        self._changes += [change.held for change in changes.made]

    async def _start(self) -> None:
        """Start an engine that keeps our time."""
        self._life += 1
        log = open(self._folder / "engine.log", "ab")  # noqa: SIM115
        at = self._clock
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.paced_engine", str(self._config), str(self._state), repr(at.virtual_at),
             repr(at.real_at), repr(PACE)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        log.close()
        give_up_at = time.monotonic() + 40
        while time.monotonic() < give_up_at:
            with suppress(EngineAway):
                await self._client.view()
                return
            assert self._process.poll() is None, f"the engine ended: {self._said()}"
            await asyncio.sleep(0.05)
        raise AssertionError(f"the engine does not answer: {self._said()}")

    async def _stop(self) -> None:
        assert self._process is not None
        await self._client.stop()
        await asyncio.to_thread(self._process.wait, 40)
        assert self._process.returncode == 0, self._said()

    def _said(self) -> str:
        return (self._folder / "engine.log").read_text(errors="replace")[-600:]

    async def _drained(self, pushed: Pushed) -> None:
        """Wait until everything offered has ended, as the engine's tables have it."""
        give_up_at = time.monotonic() + DRAIN_S
        while time.monotonic() < give_up_at:
            view = await self._client.view()
            if view.in_flight == 0 and pushed.waiting == 0 and not await asyncio.to_thread(self._untaken):
                return
            await asyncio.sleep(0.25)

    def _untaken(self) -> bool:
        """Say whether a file lies in a folder that its source has not noted as taken."""
        for feed in FEEDS:
            if feed.kind == "directory":
                taken = self._state / f"taken-{feed.name}.jsonl"
                noted = taken.read_bytes().count(b"\n") if taken.exists() else 0
                if noted < self._offered.by_feed.get(feed.name, 0):
                    return True
        return False

    def _configure(self, url: str) -> None:
        # Ages and promises are of the paced clock: a machine's own second is twenty of its.
        rules = DEFAULT_FILE.read_text("utf-8").replace("under = 5 ", "under = 100 ").replace("under = 300", "under = 6000")
        assert "under = 100 " in rules
        (self._folder / "rules.toml").write_text(rules, encoding="utf-8")
        lines = [
            'guidelines = "rules.toml"', "[engine]", f"lease_s = {5 * PACE}", f"sweep_s = {PACE}", f"keep_gb = {KEEP_GB}",
            "[promises_s]", f"CRITICAL = {30 * PACE}", f"HIGH = {300 * PACE}", f"MEDIUM = {1800 * PACE}",
        ]  # fmt: skip
        for feed in FEEDS:
            where = f'url = "{url}{feed.name}"\nevery_s = {feed.every_s}\nalways = true' if feed.kind == "http" else ""
            where = where or f'path = "in/{feed.name}"'
            lines += [f'[[sources]]\nname = "{feed.name}"\nkind = "{feed.kind}"\nlevel = "auto"\ndelay_s = 0\n{where}']
            if feed.volume:
                lines.append(f"assume = {{ volume = {feed.volume}, open_interest = {feed.open_interest} }}")
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _now(self) -> float:
        return self._clock.now()  # which day's clock it is changes

    def _set_clock(self, virtual_at: float) -> None:
        self._clock = PacedClock(virtual_at, time.time(), PACE)

    def _latencies(self) -> list[tuple[float, float]]:
        """Return receipt (of the paced clock) and latency (ms of the world) of what is not returned yet, but what pauses held."""
        after = max((at for at, _ in self._latency), default=0.0)
        with duckdb.connect(str(self._state / "metadata.duckdb"), read_only=True) as connection:
            found = connection.execute(
                "SELECT epoch(received_at), epoch(available_at) - epoch(received_at) FROM jobs "
                "WHERE available_at IS NOT NULL AND epoch(received_at) > ? AND source <> ? ORDER BY 1", [after, PAUSED]
            ).fetchall()  # fmt: skip
        return [(at, took / PACE * 1e3) for at, took in found]

    def _last_polled(self, at: float) -> set[str]:
        """Return the last answer of each poll before a kill: it may have been read and not acknowledged, and is not sent again."""
        last: dict[str, tuple[float, str]] = {}
        for digest, offer in self._offered.by_digest.items():
            if offer.feed.kind == "http" and offer.at <= at:
                last[offer.feed.name] = max(last.get(offer.feed.name, (0.0, "")), (offer.at, digest))
        return {digest for _, digest in last.values()}

    def _judged(self) -> Soaked:
        with duckdb.connect(str(self._state / "metadata.duckdb"), read_only=True) as connection:
            ends = connection.execute("SELECT job_id, payload_sha256, status FROM jobs").fetchall()
        broken = {digest for digest, offer in self._offered.by_digest.items() if offer.turn is Turn.BROKEN}
        status = {digest: how for _, digest, how in ends}
        quarters = list(_quarters(self._latency))
        p50 = [statistics.median(part) for part in quarters]
        p99 = [sorted(part)[int(len(part) * 0.99)] for part in quarters]
        longest = self._longest_life()
        early, late = _second_and_last([s.resident_mb for s in longest])
        few, many = _second_and_last([float(s.descriptors) for s in longest])
        judged = len(longest) >= FEWEST_SAMPLES
        sizes, as_predicted = self._sizes(longest)
        return Soaked(
            pace=PACE,
            virtual_hours=2 * self._day_s / 3600,
            offered=self._offered.documents,
            completed=sum(how == "COMPLETED" for _, _, how in ends),
            dead=sum(how == "DEAD" for _, _, how in ends),
            lost=sum(digest not in status for digest in self._offered.by_digest.keys() - self._unheard),
            twice=len(ends) - len({job for job, _, _ in ends}),
            wrong_ends=sum((how == "DEAD") != (digest in broken) for digest, how in status.items()),
            decoders_killed=self._killed,
            guideline_changes=len(self._changes),
            changes_held=sum(self._changes),
            engine_lives=self._life,
            memory_mb=f"{early:.0f} -> {late:.0f}, pool {max(s.pool_mb for s in self._samples):.0f} at most",
            memory_flat=not judged or late <= early * GROWTH + GROWTH_MB,
            descriptors=f"{few:.0f} -> {many:.0f}",
            descriptors_flat=many <= few + DESCRIPTORS,
            latency_p50_ms=" ".join(f"{value:.0f}" for value in p50),
            latency_p99_ms=" ".join(f"{value:.0f}" for value in p99),
            latency_flat=not judged or p50[-1] <= DRIFT * min(p50[:2]) + DRIFT_MS,
            sizes=sizes,
            sizes_as_predicted=not judged or as_predicted,
        )

    def _longest_life(self) -> list[Sample]:
        lives: dict[int, list[Sample]] = {}
        for sample in self._samples:
            lives.setdefault(sample.life, []).append(sample)
        return max(lives.values(), key=len)

    def _sizes(self, life: list[Sample]) -> tuple[str, bool]:
        """Compare each store's size at the end with what its growth a document over the second quarter of a life foretells."""
        first, then, last = life[len(life) // 4], life[len(life) // 2], life[-1]
        told, good = [], True
        for name in STORES:
            done = max(1, then.completed - first.completed)
            each = max(0.0, then.sizes_mb[name] - first.sizes_mb[name]) / done
            predicted = then.sizes_mb[name] + each * (last.completed - then.completed)
            found = last.sizes_mb[name]
            told.append(f"{name} {found:.1f} of {predicted:.1f} MB")
            good = good and found <= predicted * SIZE + SIZE_SLACK_MB
        return ", ".join(told), good


STORES = {
    "lake": "lake", "metadata": "metadata.duckdb", "spool": "spool", "journal": "queue.sqlite", "history": "history",
    "audit": "audit.jsonl",
}  # fmt: skip


async def _first_fault(tasks: "list[asyncio.Task[None]]", seconds: float) -> None:
    """Wait so long; a task that fails meanwhile fails the soak."""
    done, _ = await asyncio.wait(tasks, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _mornings(count: int) -> list[float]:
    """Return the opens of the last trading days that are over, oldest first: what a client sends is never from before then."""
    found: list[float] = []
    day = datetime.now(UTC).date() - timedelta(days=1)
    while len(found) < count:
        if is_trading_day((day - datetime(1970, 1, 1, tzinfo=UTC).date()).days):
            found.append(datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK).timestamp())
        day -= timedelta(days=1)
    return found[::-1]


def _quarters(latency: list[tuple[float, float]]) -> Iterator[list[float]]:
    for n in range(4):
        part = [took for _, took in latency[len(latency) * n // 4 : len(latency) * (n + 1) // 4]]
        yield part or [0.0]


def _second_and_last(values: list[float]) -> tuple[float, float]:
    """Return the medians of the second and of the last quarter: the first is that of a start."""
    count = len(values)
    return statistics.median(values[count // 4 : max(count // 2, 1)]), statistics.median(values[count * 3 // 4 :])


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _size_mb(path: Path) -> float:
    total = 0
    for one in [path, *path.rglob("*")] if path.is_dir() else path.parent.glob(path.name + "*"):
        with suppress(OSError):
            total += one.stat().st_size if one.is_file() else 0
    return total / 1e6
