"""Change the level of a source's data: promote, demote, override, clear; and end what was set for a time."""

import asyncio
from collections.abc import Mapping

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.flight import Flights
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.levers.record import Record, jobs, undone
from gexdesk.engine.levers.targets import source_of
from gexdesk.engine.standing import Standing
from gexdesk.engine.triage import Triage
from gexdesk.model.clock import Clock
from gexdesk.model.decision import Bound, Override
from gexdesk.model.errors import LeverRefused
from gexdesk.model.job import Job
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.text import printable
from gexdesk.queues.base import Queue
from gexdesk.stores.base import OverrideRecord

SHORTEST_S = 1.0
LONGEST_S = 30 * 86_400.0


class LevelLevers:
    """Set and end overrides. ``turn`` is the operators' own: what the clock ends does not interleave with what they do."""

    verbs = frozenset({Verb.PROMOTE, Verb.DEMOTE, Verb.OVERRIDE, Verb.CLEAR})

    def __init__(
        self, *, queue: Queue, ledger: Ledger, standing: Standing, triage: Triage, flights: Flights, keeper: Keeper,
        record: Record, chronicle: Chronicle, clock: Clock, promises_s: Mapping[Level, float | None], turn: asyncio.Lock,
    ) -> None:  # fmt: skip
        self._queue = queue
        self._ledger = ledger
        self._standing = standing
        self._triage = triage
        self._flights = flights
        self._keeper = keeper
        self._record = record
        self._chronicle = chronicle
        self._clock = clock
        self._promises_s = promises_s
        self._turn = turn

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``."""
        return await self._relevel(lever, source_of(lever, self._ledger, self._record))

    async def end_expired(self) -> None:
        """End overrides whose time has come; queued jobs go back to what the guidelines decided."""
        async with self._turn:
            for source, override in self._standing.expired(self._clock.now()).items():
                # The jobs first: should that fail, the override is still there to be ended a second later.
                moved = await self._move(source, None)
                await self._record.add(
                    actor="clock", act="override_ended", target=source, reason="its time had come",
                    before=_words(override), after="as the guidelines decide",
                )  # fmt: skip
                await self._keep(source, None)
                words = f"{source} override {_words(override)} ended; {moved} queued jobs went back"
                self._chronicle.tell("lever", words)

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
        moving = sum(len(job_ids) for job_ids in (await self._moves(account.name, wanted)).values())
        after = _words(wanted) if wanted is not None else "as the guidelines decide"
        helps, costs = self._effect(account, level, wanted, moving)
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, moving, account.revision, helps, costs)
        async with self._record.of(lever, account.name, before, after):
            await self._keep(account.name, wanted)
            async with undone(lambda: self._keep(account.name, override)):
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
        for (level, score, note), job_ids in (await self._moves(source, override)).items():
            moved += await self._queue.relevel(job_ids, level, score, self._promises_s[level], note)
        return moved

    async def _moves(self, source: str, override: Override | None) -> dict[tuple[Level, float, str], list[str]]:
        """Return the queued jobs that change their level, by what they get."""
        moves: dict[tuple[Level, float, str], list[str]] = {}
        for job in await self._queue.jobs_of(source):
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
            return f"{jobs(moving)} moved back to the guidelines' level", ""
        state = self._queue.state()
        between = [x for x in LEVELS if min(level.rank, wanted.level.rank) <= x.rank < max(level.rank, wanted.level.rank)]
        others = sum(state.levels[x].waiting for x in between)
        delayed = f" (its quotes are {account.delay_s:.0f} s old when they come: no level changes that)" if account.delay_s else ""
        if wanted.level.rank < level.rank:
            costs = f"up to {others} other jobs wait behind them" if others else "no other job waits longer"
            return f"{jobs(moving)} moved up{delayed}", costs
        helps = f"up to {others} other jobs go before them" if others else "no other job waits now"
        return helps, f"{jobs(moving)} moved down"


def _words(override: Override) -> str:
    return f"{override.words} by {override.author}"
