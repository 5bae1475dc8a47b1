"""The engine: start the stages in order, watch over them, stop them in order. It is a ``Desk`` itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from gexdesk.engine.backfill import Backfill
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.closing import Closing, LevelClosing, SourceClosing
from gexdesk.engine.elsewhere import Elsewhere
from gexdesk.engine.endings import Endings
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.fleet import Fleet
from gexdesk.engine.flight import Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.inbox import Inbox
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.keep import Keeper
from gexdesk.engine.lag import Lag
from gexdesk.engine.leases import Leases
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.levels import LevelLevers
from gexdesk.engine.levers.levers import Levers
from gexdesk.engine.lock import StateLock
from gexdesk.engine.lookout import Lookout
from gexdesk.engine.open_letters import HELD, OpenLetters
from gexdesk.engine.pager import Pager
from gexdesk.engine.picture import Picture
from gexdesk.engine.pool import Pool
from gexdesk.engine.provision import Provision
from gexdesk.engine.receive import Receive
from gexdesk.engine.requests import Requests
from gexdesk.engine.rewind import Rewind
from gexdesk.engine.rulebook import Rulebook
from gexdesk.engine.schedules import Schedules
from gexdesk.engine.shift import Shift
from gexdesk.engine.standing import Standing
from gexdesk.engine.supply import Supply
from gexdesk.engine.triage import Triage
from gexdesk.engine.watch.host import Host
from gexdesk.engine.watch.watch import Watch
from gexdesk.engine.water import Water
from gexdesk.engine.work import Work
from gexdesk.guidelines.tally import Tally
from gexdesk.metrics.deviation import Deviation
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError, StoreError
from gexdesk.model.event import QueueEvent
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS
from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look.base import Look, Seen
from gexdesk.model.market import session, session_id
from gexdesk.model.request import Accepted, RequestStands, Submission
from gexdesk.model.text import printable
from gexdesk.model.view import DeskView
from gexdesk.queues.base import Queue
from gexdesk.stores.audit import Audit
from gexdesk.stores.base import DeskCache, SourceRecord
from gexdesk.stores.newest import Wanted
from gexdesk.stores.spool import Spool

VIEWS_PER_S = 4
DRAIN_S = 10.0
RETENTION_EVERY_S = 600.0
LIVE_EVERY_S = 10.0
COUNTS_EVERY_S = 60.0
EXPORT_EVERY_S = 15.0
LIVE_NAME = "live.msgpack"
COPIES_NAME = "copies"
RUNNING_NAME = "running"
HISTORY_S = 8 * 86_400.0


@dataclass(frozen=True)
class Parts:
    """Hold everything an engine joins; ``assemble`` alone makes them."""

    clock: Clock
    state: Path
    lock: StateLock
    queue: Queue
    spool: Spool
    pool: Pool
    ledger: Ledger
    flights: Flights
    standing: Standing
    keeper: Keeper
    triage: Triage
    receive: Receive
    requests: Requests
    backfill: Backfill
    leases: Leases
    work: Work
    endings: Endings
    letters: OpenLetters
    elsewhere: Elsewhere
    supply: Supply
    rulebook: Rulebook
    schedules: Schedules
    escalate: Escalate
    water: Water
    audit: Audit
    levers: Levers
    levels: LevelLevers
    lookout: Lookout
    picture: Picture
    cache: DeskCache
    fleet: Fleet | None
    follow: tuple[Callable[[], Coroutine[None, None, None]], ...]
    provision: Provision
    incidents: Incidents
    pager: Pager
    shift: Shift
    rewind: Rewind
    watch: Watch
    host: Host
    lag: Lag
    flow: Flow
    chronicle: Chronicle
    tally: Tally
    promises: Promises
    deviation: Deviation
    replay_position: Callable[[], str]
    keep_s: float
    keep_bytes: int
    lake_keep_days: float | None


class Engine:
    """Run one desk.

    Attributes:
        stopping: Set once it was asked to end, or cannot go on.
        fault: Why it cannot go on; empty where it was asked.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tasks: list[asyncio.Task[None]] = []
        self._view: DeskView | None = None
        self._viewed = asyncio.Condition()
        self.stopping = asyncio.Event()
        self.fault = ""

    async def start(self) -> None:
        """Take the state folder, open the stores, recover what an earlier engine left, then let work and sources begin.

        Raises:
            StoreError: Another engine holds the folder, or a store cannot be opened; no source was asked for anything.
        """
        self._parts.lock.take()
        try:
            await self._start()
        except BaseException:
            self._parts.lock.release()
            raise

    async def _start(self) -> None:
        parts = self._parts
        # The calendar takes a sixth of a second to load: not while data comes.
        await asyncio.to_thread(session_id, parts.clock.now())
        parts.standing.open()
        await parts.queue.open()
        await parts.spool.open()
        await asyncio.to_thread(parts.cache.load, parts.state / LIVE_NAME)
        parts.supply.open_threads()
        await parts.keeper.start()
        await parts.provision.open()
        await self._restore_counts()
        parts.letters.load(await parts.keeper.reading(lambda metadata: metadata.open_letters(HELD)))
        since = parts.clock.now() - HISTORY_S
        parts.triage.begin(await parts.keeper.reading(lambda metadata: metadata.symbol_minutes(since)))
        for name in (COPIES_NAME, "columns"):
            await asyncio.to_thread(_clear, parts.state / name)
        await parts.rulebook.start()
        if parts.fleet is not None:
            await parts.fleet.start()
        await parts.schedules.start()
        await parts.pool.start()
        await parts.requests.open()
        await asyncio.to_thread(parts.incidents.open)
        parts.incidents.record_anew()
        parts.shift.open()
        await parts.rewind.open()
        if parts.queue.away:
            parts.chronicle.tell("engine", f"{parts.queue.warning}; until it answers CRITICAL alone goes on", grave=True)
        else:
            await self._take_over()
        parts.escalate.start()
        await self._mark_running()
        taken_over = not parts.queue.away
        parts.leases.start()
        parts.work.start()
        parts.water.start()
        parts.requests.start()
        if parts.standing.stopped is None:
            for account in parts.ledger.all():
                if parts.standing.pause_of(account.name) is None:
                    parts.supply.start(account.name)
        inbox = Inbox(parts.state, parts.receive.deliver, parts.ledger, parts.chronicle, parts.clock)
        loops = {
            "views": self._take_views, "seconds": self._each_second, "retention": self._retain, "live": self._keep_live,
            "import": inbox.run,
            "exports": self._export,
            "counts": self._keep_counts, "history": self._record, "host": parts.host.run, "lag": parts.lag.run,
        }  # fmt: skip
        self._tasks = [asyncio.create_task(loop(), name=name) for name, loop in loops.items()]
        if parts.queue.shared:
            elsewhere = parts.elsewhere
            follow = {"queue": self._follow_queue(taken_over), "news": elsewhere.listen(), "elsewhere": elsewhere.sweep()}
            self._tasks += [asyncio.create_task(coroutine, name=name) for name, coroutine in follow.items()]
            self._tasks += [asyncio.create_task(loop(), name="live of others") for loop in parts.follow]
        if parts.fleet is not None:
            parts.fleet.run()
        self._supervise(
            *self._tasks, *parts.keeper.loops, *parts.work.loops, *parts.pool.loops, *parts.leases.loops, *parts.escalate.loops,
            *parts.water.loops, *parts.requests.loops, *parts.schedules.loops, *parts.rulebook.loops,
            *(parts.fleet.loops if parts.fleet is not None else ()),
        )  # fmt: skip

    async def close(self) -> None:
        """Stop sources first, finish what is being stored, leave the rest to the journal."""
        parts = self._parts
        self.stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with self._viewed:
            self._viewed.notify_all()  # whoever still waits for a picture learns that none will come
        await parts.escalate.stop()
        await parts.water.stop()
        await parts.schedules.stop()
        await parts.rulebook.stop()
        await parts.supply.stop_all()
        if parts.fleet is not None:
            await parts.fleet.stop()
        await parts.requests.stop_fetching()
        await parts.backfill.stop()
        await parts.triage.stop()
        await parts.work.stop(DRAIN_S)
        await parts.requests.close()
        await parts.leases.stop()
        await parts.pool.stop()
        await parts.pager.stop()
        parts.keeper.sources(self._source_records())
        await parts.keeper.stop()
        try:
            await asyncio.to_thread(parts.cache.save, parts.state / LIVE_NAME)
            await parts.provision.save()
        except StoreError as error:
            parts.chronicle.tell("engine", error.message, grave=True)
        await asyncio.to_thread((parts.state / RUNNING_NAME).unlink, missing_ok=True)
        await parts.queue.close()
        await parts.spool.close()
        parts.lock.release()

    async def view(self) -> DeskView:
        """Return the newest picture."""
        return self._view if self._view is not None else self._parts.picture.take()

    async def views(self) -> AsyncIterator[DeskView]:
        """Yield pictures as they are taken; a slow reader misses some."""
        while not self.stopping.is_set():
            async with self._viewed:
                await self._viewed.wait()
                view = self._view
            if view is not None:
                yield view

    async def look(self, question: Look[Seen]) -> Seen:
        """Answer what the picture does not hold; errors as in ``Observe.look``."""
        return await self._parts.lookout.answer(question)

    async def submit(self, asked: Submission, who: str) -> Accepted:
        """Take a request for one document; errors as in ``Requests.submit``."""
        return await self._parts.requests.submit(asked, who)

    async def request(self, request_id: str) -> RequestStands:
        """Return how a request stands. Raises UnknownTarget."""
        return self._parts.requests.stands(request_id)

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do what an operator asks; errors as in ``Control.pull``."""
        return await self._parts.levers.pull(lever)

    async def stop(self) -> None:
        """Ask whoever runs the engine to close it."""
        self.stopping.set()

    async def idle(self) -> None:
        """Return once every source has ended and everything received is stored or dead."""
        parts = self._parts
        while parts.backfill.under_way or not (
            parts.supply.finished() and len(parts.flights) + parts.water.aside == 0 and parts.requests.waiting == 0
        ):
            await parts.clock.sleep(0.05)

    def closing(self) -> Closing:
        """Sum up the run so far."""
        parts = self._parts
        return Closing(
            received=sum(a.received for a in parts.ledger.all()),
            completed=parts.endings.completed,
            failed=parts.endings.failed,
            dead=parts.endings.dead,
            repeats=sum(a.repeats for a in parts.ledger.all()),
            open=len(parts.flights) + parts.water.aside,
            conflated=parts.queue.state().conflated,
            escalated=parts.escalate.count,
            shed=parts.water.shed,
            deviation=parts.deviation.share or 0.0,
            dispatches=parts.deviation.dispatches,
            levels={level: LevelClosing.of(parts.promises[level]) for level in LEVELS},
            sources={
                a.name: SourceClosing(a.received, a.completed, a.dead, a.requests, a.successes, a.repeats)
                for a in parts.ledger.all()
            },
        )

    async def rows(self, relation: str, limit: int, symbol: str | None = None, after: float | None = None) -> list[dict[str, Any]]:
        """Return the newest rows of what was kept. Raises UnknownTarget, StoreError."""
        wanted = Wanted(relation, limit, symbol, after)
        return await self._parts.keeper.reading(lambda metadata: metadata.newest(wanted))

    async def arrow(self, relation: str, limit: int, symbol: str | None = None, after: float | None = None) -> bytes:
        """Return them as an Arrow IPC stream."""
        wanted = Wanted(relation, limit, symbol, after)
        return await self._parts.keeper.reading(lambda metadata: metadata.newest_arrow(wanted))

    async def audit(self, limit: int) -> list[dict[str, Any]]:
        """Return the last lines of the audit, the newest first. Raises StoreError."""
        lines = await asyncio.to_thread(self._parts.audit.read, limit)
        return [to_builtins(line) for line in reversed(lines)]

    def updates(self) -> AsyncIterator[QueueEvent]:
        """Return what happens to jobs from this call on."""
        return self._parts.queue.events()

    async def copy_metadata(self) -> Path:
        """Write a consistent copy of the metadata for a reader of its own, who removes it; the next start removes what is left."""
        to = self._parts.state / COPIES_NAME / f"{secrets.token_hex(8)}.duckdb"
        await self._parts.keeper.reading(lambda metadata: metadata.copy_to(to))
        return to

    async def _take_over(self) -> None:
        """Take up what the spool and the queue hold; called once the queue answers."""
        await self._recover()
        await self._agree_on_pauses()
        await self._watch_promises()

    async def _follow_queue(self, taken_over: bool) -> None:
        """Take over once the queue answers at last, and put again what it says it lost."""
        parts = self._parts
        losses = parts.queue.losses
        while True:
            await parts.clock.sleep(0.5)
            if parts.queue.away or (taken_over and parts.queue.losses == losses):
                continue
            try:
                if taken_over:
                    losses = parts.queue.losses
                    await self._recover()
                else:
                    await self._take_over()
                    taken_over = True
            except GexdeskError as error:
                losses = -1  # half done: again from the beginning
                parts.chronicle.tell("engine", f"queue: {error.message}; trying again", grave=True)

    async def _recover(self) -> None:
        parts = self._parts
        kept = await asyncio.to_thread(lambda: list(parts.spool.scan(done=False)))
        untriaged = waiting = 0
        statuses = await parts.queue.statuses([payload.payload_id for payload, _ in kept])
        for (payload, ref), status in zip(kept, statuses, strict=True):
            known = parts.flights.get(payload.payload_id)
            if known is not None and (status is not None or known.queued_at is None):
                continue  # it came since, and is on its way
            parts.requests.tie(payload)
            if status is not JobStatus.DEAD:
                parts.receive.remember(payload)
            if status is None:
                parts.receive.take_up(payload, ref)
                untriaged += 1
            elif status in (JobStatus.QUEUED, JobStatus.PROCESSING):
                parts.flights.add(parts.receive.flight_of(payload, ref))
                waiting += 1
            else:
                await parts.requests.settle(payload.payload_id)  # a kill may have come before its end was noted
            if status is JobStatus.COMPLETED:
                parts.spool.forget(payload.payload_id)  # a dead letter's bytes stay
        if parts.queue.warning:
            parts.chronicle.tell("engine", parts.queue.warning, grave=True)
        for gap in parts.spool.gaps:
            words = f"{gap.skipped_bytes:,} damaged bytes skipped at byte {gap.start:,} of {gap.path}"
            parts.chronicle.tell("engine", f"spool: {words}", grave=True)
        if untriaged or waiting:
            parts.chronicle.tell("engine", f"recovered {waiting} queued and {untriaged} unsorted payloads of the last run")

    async def _restore_counts(self) -> None:
        """Let each source's lifetime go on where the last engine wrote it down."""
        counts = await self._parts.keeper.reading(lambda metadata: metadata.source_counts())
        for account in self._parts.ledger.all():
            account.tries.requests_before, account.tries.successes_before = counts.get(account.name, (0, 0))

    async def _agree_on_pauses(self) -> None:
        """Let the queue hold what operators paused and nothing else: a crash may have come between the two records."""
        parts = self._parts
        wanted = {account.name for account in parts.ledger.all() if parts.standing.pause_of(account.name) is not None}
        held = parts.queue.state().paused
        for source in wanted - held:
            await parts.queue.pause(source)
        for source in held - wanted:
            await parts.queue.resume(source)
        if parts.queue.state().stopped != (parts.standing.stopped is not None):
            await parts.queue.stop_all(parts.standing.stopped is not None)

    async def _watch_promises(self) -> None:
        """Let what an earlier engine queued be watched as what comes is."""
        parts = self._parts
        for source in parts.queue.state().by_source:
            for job in await parts.queue.jobs_of(source):
                parts.escalate.watch(job)

    async def _mark_running(self) -> None:
        """Leave a mark that a clean end removes; where one is left over, say that the last engine did not end as asked."""
        parts = self._parts
        mark = parts.state / RUNNING_NAME
        if mark.exists():
            words = "the last engine did not end as asked; counts begin anew, what it had acknowledged goes on"
            parts.host.tell(Kind.UNCLEAN_START, words, parts.clock.now())
            parts.chronicle.tell("engine", words, grave=True)
        await asyncio.to_thread(mark.touch, 0o600)

    async def _take_views(self) -> None:
        parts = self._parts
        while True:
            self._view = parts.picture.take(parts.replay_position())
            async with self._viewed:
                self._viewed.notify_all()
            await parts.clock.sleep(1 / VIEWS_PER_S)

    async def _each_second(self) -> None:
        parts = self._parts
        trading_day, hours = session_id(parts.clock.now()), session(parts.clock.now())
        while True:
            parts.flow.sample(parts.queue.state().levels)
            now = parts.clock.now()
            if session_id(now) != trading_day:
                trading_day = session_id(now)
                parts.tally.start_session()
                parts.chronicle.tell("engine", "a new trading day: the guidelines' counts begin anew")
            if now >= hours.changes_at:
                hours = session(now)
                parts.chronicle.tell("engine", f"session roll: {hours.words}")
            await parts.provision.look(now)
            await parts.incidents.look(parts.watch.conditions(now))
            try:
                await parts.levels.end_expired()
            except (GexdeskError, OSError) as error:
                parts.chronicle.tell("engine", f"an override could not be ended: {error}", grave=True)
            await parts.clock.sleep(1.0)

    async def _record(self) -> None:
        """Keep a picture a second, so that any screen can be wound back."""
        while True:
            if self._view is not None:
                await self._parts.rewind.record(self._view)
            await self._parts.clock.sleep(1.0)

    async def _retain(self) -> None:
        parts = self._parts
        while True:
            await parts.clock.sleep(RETENTION_EVERY_S)
            try:
                await self._sweep()
                await parts.incidents.prune()
            except GexdeskError as error:
                parts.chronicle.tell("engine", f"{error.message}; trying again later", grave=True)

    async def _keep_counts(self) -> None:
        """Write the sources' lifetime counts down now and then: an engine that is killed loses no more than the last of them."""
        while True:
            await self._parts.clock.sleep(COUNTS_EVERY_S)
            self._parts.keeper.sources(self._source_records())

    async def _export(self) -> None:
        """Let other hosts of a fleet ask what this one has stored."""
        while True:
            await self._parts.clock.sleep(EXPORT_EVERY_S)
            await self._parts.keeper.export()

    async def _keep_live(self) -> None:
        """Save the live values now and then, so that readers of a restarted engine have the last ones, with their age."""
        parts = self._parts
        while True:
            await parts.clock.sleep(LIVE_EVERY_S)
            try:
                await asyncio.to_thread(parts.cache.save, parts.state / LIVE_NAME)
                await parts.provision.save()
            except StoreError as error:
                parts.chronicle.tell("engine", f"{error.message}; trying again", grave=True)

    async def _sweep(self) -> None:
        """Drop payloads past their time, then what the journal knows of them; what is open or dead was never forgotten."""
        parts = self._parts
        await parts.spool.retain(max_age_s=parts.keep_s, max_bytes=parts.keep_bytes)
        oldest = await asyncio.to_thread(lambda: next(iter(parts.spool.scan()), None))
        oldest_at = oldest[0].received_at if oldest is not None else parts.clock.now()
        await parts.queue.prune(before=min(oldest_at, parts.clock.now() - parts.keep_s))
        await parts.keeper.sweep(parts.lake_keep_days)

    def _supervise(self, *loops: asyncio.Task[None]) -> None:
        """Let the engine end where one of these ends by itself: half a desk looks well and is not."""
        for loop in loops:
            loop.add_done_callback(self._loop_ended)

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fault = printable(f"{task.get_name()} ended: {type(error).__name__}: {error}")
            self._parts.chronicle.tell("engine", self.fault, grave=True)
            self.stopping.set()

    def _source_records(self) -> list[SourceRecord]:
        now = self._parts.clock.now()
        return [
            SourceRecord(
                name=a.name, kind=a.kind, symbols=a.symbols or tuple(sorted(a.seen_symbols)), format=a.format, standing=a.standing,
                delay_s=a.delay_s, paused=self._parts.standing.pause_of(a.name) is not None,
                requests=a.tries.requests_before + a.requests, successes=a.tries.successes_before + a.successes,
                last_success_at=a.last_heard_at, last_error=a.last_error, updated_at=now,
            )
            for a in self._parts.ledger.all()
        ]


def _clear(folder: Path) -> None:
    """Make a folder, without what a crash left in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
