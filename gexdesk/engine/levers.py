"""Levers: do what an operator asks, once, with a reason, and write it to the audit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.flight import Flights
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.standing import Pause, Standing
from gexdesk.engine.supply import Supply
from gexdesk.engine.triage import Triage
from gexdesk.model.clock import Clock
from gexdesk.model.decision import Bound, Override
from gexdesk.model.errors import GexdeskError, LeverRefused, UnknownTarget
from gexdesk.model.job import Job
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.text import printable
from gexdesk.queues.base import Queue
from gexdesk.stores.audit import Audit
from gexdesk.stores.base import OverrideRecord

SHORTEST_S = 1.0
LONGEST_S = 30 * 86_400.0
REASON_LIMIT = 300


class Levers:
    """Change levels and pauses of sources. One lever at a time: two operators never interleave."""

    def __init__(
        self, *, queue: Queue, ledger: Ledger, standing: Standing, supply: Supply, triage: Triage, flights: Flights, keeper: Keeper,
        audit: Audit, chronicle: Chronicle, clock: Clock, promises_s: Mapping[Level, float | None],
    ) -> None:  # fmt: skip
        self._queue = queue
        self._ledger = ledger
        self._standing = standing
        self._supply = supply
        self._triage = triage
        self._flights = flights
        self._keeper = keeper
        self._audit = audit
        self._chronicle = chronicle
        self._clock = clock
        self._promises_s = promises_s
        self._turn = asyncio.Lock()
        self._last_by: dict[str, tuple[str, float]] = {}

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do.

        Raises:
            LeverRefused: No reason, nothing to change, or the target changed since the operator looked.
            UnknownTarget: No such source.
        """
        async with self._turn:
            if lever.not_after is not None and self._clock.now() > lever.not_after:
                raise LeverRefused(f"{lever.verb} came when its sender had stopped waiting; nothing was done")
            lever = replace(lever, reason=printable(lever.reason, REASON_LIMIT))
            if not lever.reason and not lever.dry_run:
                raise LeverRefused(f"{lever.verb} needs a reason; it goes to the audit")
            if lever.verb in (Verb.PAUSE_ALL, Verb.RESUME_ALL):
                return await self._kill_switch(lever)
            account = self._target(lever)
            if lever.verb in (Verb.PAUSE, Verb.RESUME):
                return await self._pause(lever, account)
            return await self._relevel(lever, account)

    async def end_expired(self) -> None:
        """End overrides whose time has come; queued jobs go back to what the guidelines decided."""
        async with self._turn:
            for source, override in self._standing.expired(self._clock.now()).items():
                # The jobs first: should that fail, the override is still there to be ended a second later.
                moved = await self._move(source, None)
                await self._audited(
                    actor="clock", act="override_ended", target=source, reason="its time had come",
                    before=_words(override), after="as the guidelines decide",
                )  # fmt: skip
                await self._keep(source, None)
                words = f"{source} override {_words(override)} ended; {moved} queued jobs went back"
                self._chronicle.tell("lever", words)

    def _target(self, lever: Lever) -> Account:
        if lever.target_kind != "source":
            raise LeverRefused(f"levers act on sources; a {lever.target_kind} cannot be moved")
        if lever.target not in self._ledger:
            known = ", ".join(account.name for account in self._ledger.all()[:8])
            raise UnknownTarget(f"no source is named {printable(lever.target, 40)!r}; there are {known}")
        account = self._ledger[lever.target]
        if lever.seen_revision is not None and lever.seen_revision != account.revision:
            who, at = self._last_by.get(account.name, ("somebody", self._clock.now()))
            raise LeverRefused(
                f"{account.name} was changed by {who} {self._clock.now() - at:.0f} s ago; nothing was sent, look again",
                revision=account.revision,
            )
        return account

    async def _relevel(self, lever: Lever, account: Account) -> LeverOutcome:
        now = self._clock.now()
        level = self._triage.level_of(account, now)
        override = self._standing.override(account.name, now)
        before = _words(override) if override is not None else str(level)
        if lever.verb is Verb.CLEAR:
            if override is None:
                raise LeverRefused(f"{account.name} has no override to clear")
            wanted = None
        else:
            wanted = self._wanted(lever, account, level, override)
        moving = sum(len(job_ids) for job_ids in self._moves(account.name, wanted).values())
        after = _words(wanted) if wanted is not None else "as the guidelines decide"
        helps, costs = self._effect(account, level, wanted, moving)
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, moving, account.revision, helps, costs)
        async with self._on_record(lever, account.name, before, after):
            await self._keep(account.name, wanted)
            async with _undone(lambda: self._keep(account.name, override)):
                moved = await self._move(account.name, wanted)
        words = f"{lever.actor} {lever.verb} {account.name}: {before} -> {after}, {moved} queued jobs moved ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, after, moved, account.revision, helps, costs)

    def _wanted(self, lever: Lever, account: Account, level: Level, override: Override | None) -> Override:
        match lever.verb:
            case Verb.PROMOTE:
                to, bound = lever.level or level.raised, Bound.AT_LEAST
            case Verb.DEMOTE:
                to, bound = lever.level or level.lowered, Bound.AT_MOST
            case _:
                if lever.level is None:
                    raise LeverRefused(f"override needs a level: one of {', '.join(LEVELS)}")
                to, bound = lever.level, Bound.EXACTLY
        same = override is not None and (override.level, override.bound) == (to, bound)
        if same or (to is level and lever.level is None):
            raise LeverRefused(f"{account.name} is {level} already")
        if lever.for_s is not None and not SHORTEST_S <= lever.for_s <= LONGEST_S:
            allowed = f"{SHORTEST_S:g} s to {LONGEST_S / 86_400:g} days, or without end"
            raise LeverRefused(f"an override stands {allowed}; not {lever.for_s:g} s")
        now = self._clock.now()
        until = None if lever.for_s is None else now + lever.for_s
        return Override(to, lever.actor, printable(lever.reason), since=now, until=until, bound=bound)

    async def _keep(self, source: str, override: Override | None) -> None:
        ended = self._standing.override(source, 0.0)
        await asyncio.to_thread(self._standing.set_override, source, override)
        self._ledger.adopt(source).revision += 1
        if ended is not None:
            self._keeper.override(OverrideRecord("source", source, ended, self._clock.now()))
        if override is not None:
            self._keeper.override(OverrideRecord("source", source, override))

    async def _move(self, source: str, override: Override | None) -> int:
        """Give a source's queued jobs the level they have under an override, or without one."""
        moved = 0
        for (level, score, note), job_ids in self._moves(source, override).items():
            moved += await self._queue.relevel(job_ids, level, score, self._promises_s[level], note)
        return moved

    def _moves(self, source: str, override: Override | None) -> dict[tuple[Level, float, str], list[str]]:
        """Return the queued jobs that change their level, by what they get."""
        moves: dict[tuple[Level, float, str], list[str]] = {}
        for job in self._queue.jobs_of(source):
            level, score = self._decided(job)
            note = ""
            if override is not None and override.moves(level):
                level, score, note = override.level, override.level.band[1], f"override by {override.author}"
            if job.level is not level and not job.superseded:
                moves.setdefault((level, score, note), []).append(job.job_id)
        return moves

    def _decided(self, job: Job) -> tuple[Level, float]:
        """Return what the guidelines said of a job; what it has now where that was said to an earlier engine."""
        flight = self._flights.get(job.job_id)
        decision = flight.decision if flight is not None else None
        if decision is None:
            return job.level, job.score
        if not decision.matches:
            return Level.LOW, Level.LOW.band[0]
        return decision.matches[0].level, decision.matches[0].score

    def _effect(self, account: Account, level: Level, wanted: Override | None, moving: int) -> tuple[str, str]:
        if wanted is None:
            return f"{_jobs(moving)} moved back to the guidelines' level", ""
        state = self._queue.state()
        between = [x for x in LEVELS if min(level.rank, wanted.level.rank) <= x.rank < max(level.rank, wanted.level.rank)]
        others = sum(state.levels[x].waiting for x in between)
        delayed = f" (its quotes are {account.delay_s:.0f} s old when they come: no level changes that)" if account.delay_s else ""
        if wanted.level.rank < level.rank:
            costs = f"up to {others} other jobs wait behind them" if others else "no other job waits longer"
            return f"{_jobs(moving)} moved up{delayed}", costs
        helps = f"up to {others} other jobs go before them" if others else "no other job waits now"
        return helps, f"{_jobs(moving)} moved down"

    async def _pause(self, lever: Lever, account: Account) -> LeverOutcome:
        pausing = lever.verb is Verb.PAUSE
        held = self._standing.pause_of(account.name)
        if pausing == (held is not None):
            raise LeverRefused(f"{account.name} is {'paused already' if held else 'not paused'}")
        before, after = ("paused", "running") if held else ("running", "paused")
        count = len(self._queue.jobs_of(account.name))
        if pausing:
            helps, costs = f"fetching stops, {_jobs(count)} held", "readers keep the last value"
        else:
            helps, costs = f"fetching starts, {_jobs(count)} back at their places", ""
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, count, account.revision, helps, costs)
        async with self._on_record(lever, account.name, before, after):
            pause = Pause(lever.actor, printable(lever.reason), self._clock.now()) if pausing else None
            there, back = (self._queue.pause, self._queue.resume) if pausing else (self._queue.resume, self._queue.pause)
            moved = await there(account.name)
            async with _undone(lambda: back(account.name)):
                await asyncio.to_thread(self._standing.set_pause, account.name, pause)
            if pausing:
                await self._supply.stop(account.name)
            else:
                moved = count  # what was released is claimed before it could be counted
                if self._standing.stopped is None:
                    self._supply.start(account.name)
            account.revision += 1
        words = f"{lever.actor} {lever.verb} {account.name}: {moved} jobs {'held' if pausing else 'released'} ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, after, moved, account.revision, helps, costs)

    async def _kill_switch(self, lever: Lever) -> LeverOutcome:
        stopping = lever.verb is Verb.PAUSE_ALL
        if stopping == (self._standing.stopped is not None):
            raise LeverRefused("everything is stopped already" if stopping else "nothing is stopped")
        before, after = ("running", "stopped") if stopping else ("stopped", "running")
        waiting = sum(depth.waiting for depth in self._queue.state().levels.values())
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, waiting, 0, f"{waiting} waiting jobs", "every source")
        async with self._on_record(lever, "everything", before, after):
            pause = Pause(lever.actor, printable(lever.reason), self._clock.now()) if stopping else None
            await self._queue.stop_all(stopping)
            async with _undone(lambda: self._queue.stop_all(not stopping)):
                await asyncio.to_thread(self._standing.set_stopped, pause)
            if stopping:
                await self._supply.stop_all()
            else:
                for account in self._ledger.all():
                    if self._standing.pause_of(account.name) is None:
                        self._supply.start(account.name)
        words = f"{lever.actor} {'stopped' if stopping else 'started'} everything ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, after, waiting, 0)

    @asynccontextmanager
    async def _on_record(self, lever: Lever, target: str, before: str, after: str) -> AsyncIterator[None]:
        """Write an act to the audit before it is done, and again where it then fails: nothing is done unlogged."""
        act, reason = str(lever.verb), printable(lever.reason)
        await self._audited(actor=lever.actor, act=act, target=target, reason=reason, before=before, after=after)
        try:
            yield
        except Exception as error:
            why = printable(str(error))
            await self._audited(actor=lever.actor, act=f"{act} failed", target=target, reason=why, before=after, after=before)
            raise

    async def _audited(self, *, actor: str, act: str, target: str, reason: str, before: str, after: str) -> None:
        at = self._clock.now()
        await asyncio.to_thread(
            self._audit.append, actor=actor, act=act, target=target, reason=reason, before=before, after=after, at=at
        )
        self._last_by[target] = (actor, at)


@asynccontextmanager
async def _undone(undo: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Take the first half of an act back where the second fails."""
    try:
        yield
    except Exception:
        with suppress(GexdeskError):  # the same disk may refuse this, too: the audit has the failure
            await undo()
        raise


def _words(override: Override) -> str:
    return f"{override.words} by {override.author}"


def _jobs(count: int) -> str:
    return "1 queued job" if count == 1 else f"{count:,} queued jobs"
