"""Change the level of a source's, a symbol's or one job's data: promote, demote, override, clear; and end what has ended."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from gexdesk.engine.admission import Admission
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.expectations import Expectations, Expected
from gexdesk.engine.flight import Flights
from gexdesk.engine.impact import Impact
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.record import Record, undone
from gexdesk.engine.levers.targets import Target, Targets
from gexdesk.engine.standing import Armed, Standing
from gexdesk.engine.triage import Triage
from gexdesk.model.clock import Clock
from gexdesk.model.decision import Bound, Override
from gexdesk.model.errors import LeverRefused, QueueAway
from gexdesk.model.job import Job, Place
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.text import printable
from gexdesk.model.view.override import OverrideView
from gexdesk.queues.base import Queue
from gexdesk.stores.base import OverrideRecord

SHORTEST_S = 1.0
LONGEST_S = 30 * 86_400.0
DECIDED = "as the guidelines decide"
_AWAY = "Redis does not answer: queued jobs cannot be moved; nothing was done. Pause and kill act meanwhile"


class LevelLevers:
    """Set and end overrides. ``turn`` is the operators' own: what the clock ends does not interleave with what they do.

    Of several overrides the one of the job beats that of its symbol, which beats that of its source.
    """

    verbs = frozenset({Verb.PROMOTE, Verb.DEMOTE, Verb.OVERRIDE, Verb.CLEAR})

    def __init__(
        self, *, queue: Queue, ledger: Ledger, standing: Standing, triage: Triage, flights: Flights, keeper: Keeper,
        targets: Targets, impact: Impact, escalate: Escalate, expectations: Expectations, record: Record,
        admission: Admission, chronicle: Chronicle, clock: Clock,
        promises_s: Mapping[Level, float | None], turn: asyncio.Lock, leads: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        """Prepare.

        Args:
            leads: Says whether this engine is the one of its fleet that ends what the clock ends.
        """
        self._leads = leads
        self._queue = queue
        self._ledger = ledger
        self._standing = standing
        self._triage = triage
        self._flights = flights
        self._keeper = keeper
        self._targets = targets
        self._impact = impact
        self._escalate = escalate
        self._admission = admission
        self._expectations = expectations
        self._record = record
        self._chronicle = chronicle
        self._clock = clock
        self._promises_s = promises_s
        self._turn = turn
        self._revisions: Counter[str] = Counter()
        self._unsettled: set[str] = set()  # targets of refused levers, of whose jobs nobody knows whether they moved

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``, and LeverRefused while the queue does not answer."""
        if self._queue.away:
            raise LeverRefused(_AWAY)
        try:
            return await self._pull(lever)
        except QueueAway:
            raise LeverRefused(_AWAY) from None

    async def _pull(self, lever: Lever) -> LeverOutcome:
        target = await self._targets.of(lever)
        self._record.unchanged(lever, str(target), self._revision(target))
        now = self._clock.now()
        level, override = await self._level(target, now), self._standing.override(target.key, now)
        before = _words(override) if override is not None else str(level)
        if lever.verb is Verb.CLEAR:
            if override is None:
                raise LeverRefused(f"{target} has no override to clear")
            wanted, then = None, self._standing.scheduled(target.key, now) if self._standing.own(target.key) is not None else None
        else:
            wanted = then = self._wanted(lever, target, level, override)
        after = _words(then) if then is not None else DECIDED
        moves = await self._moves(target, then)
        to = then.level if then is not None else self._standing_level(target, level)
        waiting = await self._targets.jobs(target)
        foreseen = await self._impact.of(
            str(target), waiting, moves, level=level, to=to, delay_s=self._targets.delay_s(target)
        )
        moving = sum(map(len, moves.values()))
        if lever.dry_run:
            revision = self._revision(target)
            return LeverOutcome(False, "nothing sent", before, after, moving, revision, foreseen.helps, foreseen.costs)
        own, armed = self._standing.own(target.key), self._standing.armed.get(target.key)
        async with self._record.of(lever, str(target), before, after):
            await self._keep(target, wanted)
            async with undone(lambda: self._take_back(target, own, armed)):
                moved = await self._move_or_refuse(target, then)
        words = f"{lever.actor} {lever.verb} {target}: {before} -> {after}, {moved} queued jobs moved ({lever.reason})"
        self._chronicle.tell("lever", words)
        act = f"{lever.actor} {lever.verb} {target}"
        self._expectations.expect(target.key, Expected(act, foreseen.job_id, foreseen.wait_s, now))
        return LeverOutcome(True, words, before, after, moved, self._revision(target), foreseen.helps, foreseen.costs)

    async def inverse(self, lever: Lever) -> Lever | None:
        """Return the lever that would bring back what is in force now, before this one is pulled; None for a schedule's."""
        target, now = await self._targets.of(lever), self._clock.now()
        override = self._standing.own(target.key)
        if override is None and lever.verb is Verb.CLEAR:
            return None
        if override is None:
            return Lever(Verb.CLEAR, target.name, "", target_kind=target.kind)
        verb = {Bound.AT_LEAST: Verb.PROMOTE, Bound.AT_MOST: Verb.DEMOTE, Bound.EXACTLY: Verb.OVERRIDE}[override.bound]
        for_s = None if override.until is None else max(SHORTEST_S, override.until - now)
        return Lever(verb, target.name, "", target_kind=target.kind, level=override.level, for_s=for_s)

    async def end_expired(self) -> None:
        """End overrides whose time has come or whose job has ended; queued jobs go back to what the guidelines decided.

        So do those of a lever that was refused while Redis may have moved them all the same.

        While the queue is away nothing is: operators would wait with their levers for what cannot be moved. Nor while one of
        them acts: a second later will do, and what looks each second must not wait for that.
        """
        if self._turn.locked() or self._queue.away or not (self._unsettled or self._leads()):
            return
        async with self._turn:
            now = self._clock.now()
            for key in sorted(self._unsettled):
                await self._move(Target.of(key), self._standing.override(key, now))
                self._unsettled.discard(key)
            if not self._leads():
                return
            for key in self._standing.expired(now):
                await self._end(Target.of(key), "its time had come")
            for key in self._standing.overrides(now):
                if not await self._targets.is_open(Target.of(key)):
                    # Whoever cancelled the job can still take that back.
                    await self._end(Target.of(key), "its job has ended", follows=True)

    def touched(self, key: str) -> None:
        """Note that a target's override was changed through another engine, which moved its jobs."""
        self._count(Target.of(key))

    async def apply_schedule(self, key: str) -> int:
        """Move the queued jobs of a target where its overrides now put them; the caller holds the turn. Returns how many moved.

        Raises:
            QueueError: The queue is away or refused; nobody who waits for the turn is kept waiting for it.
        """
        if self._queue.away:
            raise QueueAway("queued jobs are moved once the queue answers")
        target = Target.of(key)
        self._count(target)
        return await self._move(target, self._standing.override(key, self._clock.now()))

    def views(self, now: float) -> tuple[OverrideView, ...]:
        """Show every override in force, those of schedules too."""
        return tuple(
            OverrideView(
                kind=target.kind, target=target.name, words=override.words, author=override.author, reason=override.reason,
                since=override.since, until=override.until, revision=self._revision(target),
            )
            for key, override in sorted(self._standing.in_force(now).items())
            for target in [Target.of(key)]
        )  # fmt: skip

    async def _end(self, target: Target, why: str, *, follows: bool = False) -> None:
        override = self._standing.own(target.key)
        if override is None:
            return
        # The jobs first: should that fail, the override is still there to be ended a second later.
        moved = await self._move(target, self._standing.scheduled(target.key, self._clock.now()))
        await self._record.add(
            actor="clock", act="override_ended", target=str(target), reason=why, before=_words(override), after=DECIDED,
            follows=follows,
        )  # fmt: skip
        await self._keep(target, None)
        self._chronicle.tell("lever", f"{target} override {_words(override)} ended, {why}; {moved} queued jobs went back")

    def _wanted(self, lever: Lever, target: Target, level: Level, override: Override | None) -> Override:
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
            raise LeverRefused(f"{target} is {level} already")
        if lever.for_s is not None and not SHORTEST_S <= lever.for_s <= LONGEST_S:
            allowed = f"{SHORTEST_S:g} s to {LONGEST_S / 86_400:g} days, or without end"
            raise LeverRefused(f"an override stands {allowed}; not {lever.for_s:g} s")
        now = self._clock.now()
        until = None if lever.for_s is None else now + lever.for_s
        return Override(to, lever.actor, printable(lever.reason), since=now, until=until, bound=bound)

    async def _level(self, target: Target, now: float) -> Level:
        """Return the level a target's data has now: a source's, a job's own, a symbol's next or last."""
        if target.kind == "source":
            return self._triage.level_of(self._ledger[target.name], now)
        if target.kind == "job":
            return (await self._targets.job(target.name)).level
        waiting = await self._targets.jobs(target)
        own = min((job.level for job in waiting), key=lambda x: x.rank, default=self._triage.decided.get(target.name, Level.MEDIUM))
        override = self._standing.override(target.key, now)
        return override.level if override is not None and override.moves(own) else own

    def _standing_level(self, target: Target, level: Level) -> Level:
        """Return the level without an override; of a job or a symbol the one it has, since each job has its own."""
        return self._triage.own_level(self._ledger[target.name]) if target.kind == "source" else level

    def _revision(self, target: Target) -> int:
        return self._ledger.adopt(target.name).revision if target.kind == "source" else 1 + self._revisions[target.key]

    def _count(self, target: Target) -> None:
        if target.kind == "source":
            self._ledger.adopt(target.name).revision += 1
        else:
            self._revisions[target.key] += 1

    async def _keep(self, target: Target, override: Override | None) -> None:
        ended = self._standing.own(target.key)
        if ended is None and override is None:
            await asyncio.to_thread(self._standing.skip, target.key)  # what is cleared is a schedule's
        else:
            await asyncio.to_thread(self._standing.set_override, target.key, override)
        self._count(target)
        if ended is not None:
            self._keeper.override(OverrideRecord(target.kind, target.name, ended, self._clock.now()))
        if override is not None:
            self._keeper.override(OverrideRecord(target.kind, target.name, override))

    async def _take_back(self, target: Target, own: Override | None, armed: Armed | None) -> None:
        """Let stand again what an operator had set, or nothing of one; a schedule arms its own again by itself."""
        if own is None and self._standing.own(target.key) is None and armed is not None:
            await asyncio.to_thread(self._standing.unskip, armed.schedule)
            self._count(target)
        else:
            await self._keep(target, own)

    async def _move_or_refuse(self, target: Target, override: Override | None) -> int:
        """Move; where Redis stops answering meanwhile, have looked later at what moved all the same, and refuse."""
        try:
            return await self._move(target, override)
        except QueueAway:
            self._unsettled.add(target.key)
            words = f"{target} stays as it was, and queued jobs that were moved all the same go back when it answers"
            raise LeverRefused(f"Redis stopped answering: {words}. Pause and kill act meanwhile") from None

    async def _move(self, target: Target, override: Override | None) -> int:
        """Give a target's queued jobs the level they have with this override of it, or without one."""
        moved = 0
        for (level, score, note), changed in (await self._moves(target, override)).items():
            moved += await self._queue.relevel([job.job_id for job in changed], level, score, self._promises_s[level], note)
            for job in changed:
                if level is Level.CRITICAL:
                    self._admission.came(job.source)
                self._escalate.watch(replace(job, level=level, score=score, place=Place.OWN))
        return moved

    async def _moves(self, target: Target, override: Override | None) -> dict[tuple[Level, float, str], list[Job]]:
        """Return the queued jobs that change their level, by what they get."""
        moves: dict[tuple[Level, float, str], list[Job]] = {}
        now = self._clock.now()
        for job in await self._targets.jobs(target):
            level, score, note = *self._decided(job), ""
            governing = self._standing.governing(job.job_id, job.symbol, job.source, now, instead=(target.key, override))
            if governing is not None and governing.moves(level):
                level, score, note = governing.level, governing.level.band[1], f"override by {governing.author}"
            if job.superseded or job.level is level:
                continue
            lowering = governing is not None and governing.bound is not Bound.AT_LEAST
            if job.place is Place.ESCALATED and job.level.rank < level.rank and not lowering:
                continue  # it was raised to keep its promise, which nothing here takes back
            moves.setdefault((level, score, note), []).append(job)
        return moves

    def _decided(self, job: Job) -> tuple[Level, float]:
        """Return what the guidelines said of a job; what it has now where an engine before this version put it in."""
        if job.decided is not None:
            return job.decided, job.decided_score
        flight = self._flights.get(job.job_id)
        decision = flight.decision if flight is not None else None
        if decision is None:
            return job.level, job.score
        return decision.guidelines_say


def _words(override: Override) -> str:
    return f"{override.words} by {override.author}"
