"""The engine: start the stages in order, watch over them, stop them in order. It is a ``Desk`` itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from gexdesk.engine.closing import Closing, LevelClosing, SourceClosing
from gexdesk.engine.housekeeping import LIVE_NAME, Housekeeping
from gexdesk.engine.inbox import Inbox
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.open_letters import HELD
from gexdesk.engine.parts import Parts
from gexdesk.engine.relay import Relay
from gexdesk.engine.takeover import TakeOver
from gexdesk.model.errors import GexdeskError, StoreError, UnknownTarget
from gexdesk.model.event import QueueEvent
from gexdesk.model.level import LEVELS
from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look.base import Look, Seen
from gexdesk.model.market import session, session_id
from gexdesk.model.request import Accepted, RequestStands, Submission
from gexdesk.model.text import printable
from gexdesk.model.view.desk import DeskView
from gexdesk.stores.newest import Wanted

VIEWS_PER_S = 4
DRAIN_S = 10.0
COPIES_NAME = "copies"
RUNNING_NAME = "running"
HISTORY_S = 8 * 86_400.0


class Engine:
    """Run one desk.

    Attributes:
        stopping: Set once it was asked to end, or cannot go on.
        fault: Why it cannot go on; empty where it was asked.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._takeover = TakeOver(parts)
        self._house = Housekeeping(parts)
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
        try:
            await asyncio.to_thread(parts.cache.load, parts.state / LIVE_NAME)
        except StoreError as error:
            self.tell(error.message)
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
        await asyncio.to_thread(parts.incidents.open)
        parts.incidents.record_anew()
        parts.shift.open()
        if parts.fleet is not None:
            await parts.fleet.start()
        await parts.schedules.start()
        await parts.pool.start()
        await parts.requests.open()
        await parts.rewind.open()
        if parts.queue.away:
            parts.chronicle.tell("engine", f"{parts.queue.warning}; until it answers CRITICAL alone goes on", grave=True)
        else:
            await self._takeover.run()
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
            "views": self._take_views, "seconds": self._each_second, "retention": self._house.retain, "live": self._house.keep_live,
            "import": inbox.run,
            "exports": self._house.export, "audit": self._house.check_audit,
            "counts": self._house.keep_counts, "history": self._record, "host": parts.host.run, "lag": parts.lag.run,
        }  # fmt: skip
        self._tasks = [asyncio.create_task(loop(), name=name) for name, loop in loops.items()]
        if parts.queue.shared:
            elsewhere = parts.elsewhere
            follow = {"queue": self._takeover.follow(taken_over), "news": elsewhere.listen(), "elsewhere": elsewhere.sweep()}
            self._tasks += [asyncio.create_task(coroutine, name=name) for name, coroutine in follow.items()]
            self._tasks += [asyncio.create_task(loop(), name="live of others") for loop in parts.follow]
        if parts.fleet is not None:
            parts.fleet.run()
        if parts.relay is not None:
            self._tasks.append(asyncio.create_task(parts.relay.serve(), name="other engines"))
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
        if parts.relay is not None:
            await parts.relay.stop()
        await parts.requests.stop_fetching()
        await parts.backfill.stop()
        await parts.triage.stop()
        await parts.work.stop(DRAIN_S)
        await parts.requests.close()
        await parts.leases.stop()
        await parts.pool.stop()
        await parts.pager.stop()
        parts.keeper.sources(self._house.source_records())
        await parts.keeper.stop()
        try:
            await self._house.save()
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
        """Answer what the picture does not hold, or let the engine answer that is asked for; errors as in ``Observe.look``."""
        if (relay := self._relay(question.engine)) is not None:
            return await relay.look(question)
        return await self._parts.lookout.answer(question)

    async def submit(self, asked: Submission, who: str) -> Accepted:
        """Take a request for one document; errors as in ``Requests.submit``."""
        return await self._parts.requests.submit(asked, who)

    async def request(self, request_id: str) -> RequestStands:
        """Return how a request stands. Raises UnknownTarget."""
        return self._parts.requests.stands(request_id)

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do what an operator asks, or let the engine do it that is asked for; errors as in ``Control.pull``."""
        if (relay := self._relay(lever.engine)) is not None:
            return await relay.pull(lever)
        return await self._parts.levers.pull(lever)

    def tell(self, words: str) -> None:
        """Put one line that wants an eye into the engine's log."""
        self._parts.chronicle.tell("engine", words, grave=True)

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

    def _relay(self, engine: str) -> Relay | None:
        """Return what asks another engine; None where this one is meant. Raises UnknownTarget."""
        if not engine:
            return None
        relay = self._parts.relay
        if relay is None:
            raise UnknownTarget("this desk has no other engine: it shares no Redis with one")
        return None if relay.own(engine) else relay

    async def _restore_counts(self) -> None:
        """Let each source's lifetime go on where the last engine wrote it down."""
        counts = await self._parts.keeper.reading(lambda metadata: metadata.source_counts())
        for account in self._parts.ledger.all():
            account.tries.requests_before, account.tries.successes_before = counts.get(account.name, (0, 0))

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

    def _supervise(self, *loops: asyncio.Task[None]) -> None:
        """Let the engine end where one of these ends by itself: half a desk looks well and is not."""
        for loop in loops:
            loop.add_done_callback(self._loop_ended)

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fault = printable(f"{task.get_name()} ended: {type(error).__name__}: {error}")
            self._parts.chronicle.tell("engine", self.fault, grave=True)
            self.stopping.set()


def _clear(folder: Path) -> None:
    """Make a folder, without what a crash left in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
