"""Hold the queue in Redis or Valkey, for engines on several hosts: every act is one step of a FUNCTION library there.

Order, leases, attempts and ends live in the server (see ``redis_lua/layout.lua``); this side asks, keeps its last look for
``state`` and survives whatever happens to the connection (see ``redis_line``). Leases run by the server's clock. What an
engine's former life held waits again when the engine opens; what a silent host held, when its lease has run out.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from functools import partial
from math import inf, isfinite

import msgspec
from redis.asyncio import Redis

from gexdesk.model.clock import Clock
from gexdesk.model.errors import QueueAway, QueueError
from gexdesk.model.event import QueueEvent
from gexdesk.model.job import Claim, Job, JobStatus, LevelDepth, Place
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.text import printable
from gexdesk.queues.base import QueueState
from gexdesk.queues.redis_bell import LISTENING_S, Bell
from gexdesk.queues.redis_calls import PIECE, Calls, decoder
from gexdesk.queues.redis_library import Library, base, shipped
from gexdesk.queues.redis_line import Line
from gexdesk.queues.redis_puts import Puts
from gexdesk.queues.redis_repair import repair
from gexdesk.queues.redis_server import check_server
from gexdesk.queues.redis_together import Together
from gexdesk.queues.redis_wire import Answer, Counted, Lane, Placed, Reply, Taken, WireJob

LOOK_S = 0.2
"""How old ``state`` may be while the server answers."""

WORRY_S = 30.0
"""How often the server is asked how it is set up: what was wrong may have been mended, and the reverse."""

FAULT_TOLD_S = 600.0
"""So long ``warning`` names what was broken or lost and is over."""

_BLIND_WAIT_S = 0.25
_STALE_LOOK_S = 2.0
_EMPTY = QueueState({level: LevelDepth(0, 0, 0, 0, None) for level in LEVELS}, {}, frozenset(), False, 0)


class RedisQueue:
    """Satisfy ``Queue`` over one server, together with any number of engines.

    A delayed job of a paused source counts as delayed; ``by_source`` and the answers of ``pause`` and ``resume`` count every
    job that is queued. ``Claim.lease_until`` is UTC by the server's clock.
    """

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str,
        engine: str,
        clock: Clock,
        allow_unauthenticated: bool = False,
        patience_s: float = 10.0,
        library: Library | None = None,
    ) -> None:
        """Prepare a queue.

        Args:
            client: Of redis-py; the queue takes connections from its pool and closes nothing else of it.
            prefix: Of every key, in braces.
            engine: Name of this engine, the same in its next life; no two engines may run under one name.
            patience_s: How long an act is tried while the server is away, before QueueAway.
            library: None takes the one of this version.
        """
        self._client = client
        self._clock = clock
        self._engine = engine
        self._allow_unauthenticated = allow_unauthenticated
        self._patience_s = patience_s
        self._keys = base(prefix)
        self._name = f"{engine}/{secrets.token_hex(6)}"
        self._line = Line(
            client,
            library or shipped(),
            self._keys,
            self._name,
            patience_s=patience_s,
            heard=self._heard,
            gone=self._gone,
            older=self._older,
            back=self._back,
        )
        self._calls = Calls(self._line, self._keys)
        self._puts = Puts(self._line, self._calls, self._keys)
        self._renewals = Together(self._line, "heartbeat", self._calls.read)
        self._acks = Together(self._line, "ack", self._calls.read, self._calls.let_go)
        self._bell = Bell(client, self._keys, self._rung)
        self._state = _EMPTY
        self._looked_at = -inf  # by the loop's clock
        self._conflated = 0
        self._looking: asyncio.Task[None] | None = None
        self._waiters: dict[asyncio.Future[None], frozenset[Level]] = {}
        self._worry = ""
        self._fault = ""
        self._fault_at = -inf
        self._losses = 0
        self._server_us = 0
        self._swept: tuple[int, float] | None = None  # when the last sweep was, by the server's clock and by the monotonic one

    # ---- life ----

    @property
    def warning(self) -> str:
        """Say what the server lost, what somebody broke there, or how it is set up badly; empty when all is well."""
        away = "" if self._line.away_since is None else self._line.words()
        if not self._calls.opened:
            away = self._calls.unreached()
        fault = self._fault if self._clock.monotonic() - self._fault_at < FAULT_TOLD_S else ""
        return "; ".join(words for words in (away, fault, self._worry) if words)

    @property
    def shared(self) -> bool:
        """Say yes."""
        return True

    @property
    def away(self) -> bool:
        """Say whether the last call failed and none has succeeded since, or the server was never reached."""
        return not self._calls.opened or self._line.away_since is not None

    @property
    def opened(self) -> bool:
        """Say whether ``open`` has succeeded."""
        return self._calls.opened

    @property
    def losses(self) -> int:
        """Return how often the server turned out to have lost everything, or what came last."""
        return self._losses

    async def open(self, *, patience_s: float | None = None) -> None:
        """Check the server, mend what others broke, and let wait again what this engine's former life held.

        Args:
            patience_s: How long to try; None takes the queue's own. It may be opened again after a failure.

        Raises:
            QueueError: The server cannot be used, with what to change; QueueAway when it does not answer.
        """
        try:
            self._worry = await self._line.aside(self._check, 5.0, patience_s)
        except QueueError as error:
            self._worry = error.message
            raise
        self._line.start()
        self._calls.opened = True
        try:
            await self._settle_in()
        except BaseException:
            self._calls.opened = False
            await self._line.stop()
            raise
        await self._bell.start()
        self._looking = asyncio.create_task(self._look(), name="redis look")

    async def close(self) -> None:
        """Give back what this engine holds, attempts counted, and let go of the connections; waiting workers return."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        self.nudge()
        with contextlib.suppress(QueueError):
            await self._line.ask(("reclaim", self._engine), patience_s=0)
        await self._bell.stop()
        await self._line.stop()
        await self._client.connection_pool.disconnect(inuse_connections=False)  # idle ones; whoever else uses it connects again

    # ---- jobs in ----

    async def put(
        self, jobs: Sequence[Job], parcels: Sequence[bytes] = (), *, ready: bool = False, patience_s: float | None = None
    ) -> None:
        """Add jobs, 500 a step; a known id is ignored. Older queued snapshots of the same source and symbol are superseded.

        Args:
            ready: As ``Queue.put``; of jobs with a parcel.
            patience_s: How long to try while the server is away; None takes the queue's own.

        Raises:
            QueueError: A number of a job has no place in the order; none was added. QueueAway: the server is away or full;
                what was added of several steps stays, and putting them again adds the rest.
        """
        await self._puts.put(jobs, parcels, ready=ready, patience_s=patience_s)
        self.nudge({job.level for job in jobs})

    async def parcel(self, job_id: str) -> bytes | None:
        """Return what travels with a job; None without.

        Raises:
            QueueError: The job should have one and it is gone from the server. QueueAway: as ``put``.
        """
        return await self._puts.parcel(job_id)

    # ---- a worker's way ----

    async def claim(
        self, worker: str, levels: Sequence[Level], lease_s: float, *, reserved: bool = False, patience_s: float | None = None
    ) -> Claim | None:
        """Take the next job of the strictest of these levels.

        A caller that is cancelled leaves no job behind. Raises as ``put``.
        """
        claims = await self.claims(worker, levels, lease_s, reserved=reserved, patience_s=patience_s)
        return claims[0] if claims else None

    async def claims(
        self, worker: str, levels: Sequence[Level], lease_s: float, *, reserved: bool = False, most: int = 1,
        patience_s: float | None = None,
    ) -> Sequence[Claim]:  # fmt: skip
        """Take the next jobs in order: those that this queue put as ready and the first that it did not, ``most`` at most.

        A caller that is cancelled leaves no job behind. Raises as ``put``.
        """
        taken: list[Taken] = await self._calls.ask(
            "claim", list[Taken], worker, _ranks(levels), _us(lease_s), reserved, most,
            patience_s=patience_s, arrived=partial(self._claimed, worker),
        )  # fmt: skip
        return [Claim(one.job.job(), worker, one.job.attempt, one.until_us / 1e6, one.passed_over) for one in taken]

    async def wait(self, levels: Sequence[Level], timeout_s: float, *, reserved: bool = False) -> None:
        """Return when such a claim may succeed, or after the timeout; while nobody can wake us, look again every 250 ms."""
        until = self._clock.monotonic() + timeout_s
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[woken] = frozenset(levels)
        asleep: asyncio.Future[None] | None = None
        try:
            left_s = timeout_s if self._bell.heard else min(timeout_s, _BLIND_WAIT_S)
            with contextlib.suppress(QueueAway):
                due = await self._calls.ask("doze", int, _ranks(levels), reserved, _us(timeout_s), patience_s=0)
                if due == 0:
                    return
                left_s = min(until - self._clock.monotonic(), left_s, due / 1e6 if due > 0 else left_s)
            asleep = asyncio.ensure_future(self._clock.sleep(max(0.0, left_s)))
            await asyncio.wait((woken, asleep), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiters.pop(woken, None)
            if asleep is not None:
                asleep.cancel()

    async def heartbeat(self, claim: Claim, lease_s: float) -> Claim:
        """Renew the lease, together with what else is renewed in this turn of the loop. Raises LeaseLost, and as ``put``."""
        self._calls.reached()
        until_us = await self._renewals.ask(claim, _us(lease_s))
        return msgspec.structs.replace(claim, lease_until=until_us / 1e6)

    async def ack(self, claim: Claim) -> None:
        """Mark the job COMPLETED, together with what else ends in this turn of the loop. Raises LeaseLost, and as ``put``."""
        self._calls.reached()
        await self._acks.ask(claim)

    async def retry(self, claim: Claim, after_s: float, error: str) -> None:
        """Put the job back at its place, eligible after a time. Raises LeaseLost, and as ``put``."""
        if not isfinite(after_s):
            raise QueueError(f"job {claim.job.job_id} cannot wait for {after_s} s before it is tried again")
        note = printable(f"attempt {claim.job.attempt} failed: {error}")
        await self._calls.ask("retry", int, claim.job.job_id, claim.fence, claim.worker, _us(max(0.0, after_s)), note, claim=claim)
        self.nudge()

    async def bury(self, claim: Claim, error: str) -> None:
        """Mark the job DEAD. Raises LeaseLost, and as ``put``."""
        await self._calls.ask("bury", int, claim.job.job_id, claim.fence, claim.worker, printable(error), claim=claim)

    async def rescue(self) -> Sequence[Job]:
        """Put back every job whose lease has run out, of whatever engine, and return them. Raises as ``put``."""
        swept_us, swept_at = self._swept or (0, 0.0)
        expected_us = self._swept is not None and swept_us + _us(self._clock.monotonic() - swept_at)
        jobs = [wire.job() for wire in await self._calls.ask("rescue", list[WireJob], expected_us)]
        self._swept = self._server_us, self._clock.monotonic()
        if jobs:
            self.nudge()
        return jobs

    # ---- an operator's way ----

    async def relevel(
        self, job_ids: Sequence[str], level: Level, score: float, deadline_after_s: float | None, note: str,
        *, place: Place = Place.OWN,
    ) -> int:  # fmt: skip
        """Give queued jobs another level, place and score, keeping their age; 500 a step.

        Raises as ``put``, soon: where QueueAway is raised nobody knows which of them moved.
        """
        if not isfinite(score):
            raise QueueError(f"score {score} is not a finite number; a job needs one to have a place")
        after = False if deadline_after_s is None else deadline_after_s
        moved = await self._calls.in_pieces("relevel", job_ids, level.rank, score, after, note, int(place))
        self.nudge()
        return moved

    async def cancel(self, job_ids: Sequence[str], note: str) -> int:
        """Let queued jobs become DEAD with this error; 500 a step. Raises as ``relevel``."""
        return await self._calls.in_pieces("cancel", job_ids, printable(note))

    async def revive(self, job_ids: Sequence[str]) -> int:
        """Let DEAD jobs wait again at their places, never attempted; 500 a step. Raises as ``relevel``."""
        back = await self._calls.in_pieces("revive", job_ids)
        self.nudge()
        return back

    async def pause(self, source: str, *, patience_s: float | None = None) -> int:
        """Hold a source's jobs; returns how many are queued. Raises as ``put``."""
        held = int(await self._calls.ask("pause", int, source, patience_s=patience_s))
        self._state = msgspec.structs.replace(self._state, paused=self._state.paused | {source})
        return held

    async def resume(self, source: str, *, patience_s: float | None = None) -> int:
        """Release a source's jobs at their places; returns how many are queued. Raises as ``put``."""
        released = int(await self._calls.ask("resume", int, source, patience_s=patience_s))
        self._state = msgspec.structs.replace(self._state, paused=self._state.paused - {source})
        self.nudge()
        return released

    async def stop_all(self, stopped: bool, *, patience_s: float | None = None) -> None:
        """Turn the kill switch, for every engine. Raises as ``put``."""
        await self._calls.ask("stop_all", int, stopped, patience_s=patience_s)
        self._state = msgspec.structs.replace(self._state, stopped=stopped)
        self.nudge()

    async def prune(self, before: float) -> int:
        """Forget jobs that finished before a time, 2,000 a step, with the parcels of DEAD ones; returns how many."""
        total = 0
        while True:
            pruned: tuple[int, int] = await self._calls.ask("prune", tuple[int, int], _us(before))
            total += pruned[0]
            if not pruned[1]:
                return total

    # ---- looking ----

    def state(self) -> QueueState:
        """Return the last look, at most ``LOOK_S`` old while the server answers."""
        return self._state

    async def refresh(self) -> None:
        """Look now. Raises as ``put``."""
        counted = await self._calls.ask("state", Counted)
        levels = {
            level: LevelDepth(d.waiting, d.paused, d.delayed, d.processing, None if d.oldest is False else d.oldest)
            for level, d in zip(LEVELS, counted.levels, strict=True)
        }
        by_source = dict(zip(counted.sources[::2], map(int, counted.sources[1::2]), strict=True))
        self._state = QueueState(levels, by_source, frozenset(counted.held), bool(counted.stopped), self._conflated)
        self._looked_at = asyncio.get_running_loop().time()

    async def peek(self, limit: int) -> Sequence[Job]:
        """Return the next jobs in true order over all levels, held and delayed ones left out. Raises as ``put``, soon."""
        return [wire.job() for wire in await self._calls.ask("peek", list[WireJob], max(0, limit), soon=True)]

    async def position(self, job_id: str) -> int | None:
        """Return a job's number in the order of ``peek``, from 1: O(sources log jobs). None where it is not eligible.

        Raises as ``put``, soon.
        """
        return await self._calls.ask("position", int, job_id, soon=True) or None

    async def jobs_of(self, source: str) -> Sequence[Job]:
        """Return a source's queued jobs in true order, held and delayed ones included, 500 a step. Raises as ``put``, soon."""
        delayed = await self._calls.ask("delayed", list[Placed], source, soon=True)
        found = {placed.job.job_id: placed for placed in delayed}
        for rank in range(len(LEVELS)):
            at, lane = 0, Lane(PIECE, [])
            while lane.count == PIECE:
                lane = await self._calls.ask("lane", Lane, source, rank, at, PIECE, soon=True)
                at += lane.count
                found.update((placed.job.job_id, placed) for placed in lane.jobs)
        return [placed.job.job() for placed in sorted(found.values(), key=lambda placed: (placed.rank, placed.key))]

    async def status(self, job_id: str) -> JobStatus | None:
        """Return where a job stands; None when unknown. Raises as ``put``, soon."""
        return (await self.statuses([job_id], soon=True))[0]

    async def statuses(self, job_ids: Sequence[str], *, soon: bool = False) -> Sequence[JobStatus | None]:
        """Return where each of many jobs stands, 500 a step. Raises as ``put``."""
        found: list[JobStatus | None] = []
        for at in range(0, len(job_ids), PIECE):
            answers = await self._calls.ask("statuses", list[str], job_ids[at : at + PIECE], soon=soon)
            found += [JobStatus(status) if status else None for status in answers]
        return found

    def events(self) -> AsyncIterator[QueueEvent]:
        """Return what happens to the queue, by whichever engine, from now on."""
        self._line.post(("listen", LISTENING_S))
        return self._bell.events()

    # ---- the bridge's way ----

    async def withdraw(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Forget queued jobs that somebody holds outside of the server; returns those that are worked on here or have ended."""
        return [str(job_id) for job_id in await self._calls.ask("withdraw", list[str], list(job_ids), weight=len(job_ids))]

    async def settle(self, job_ids: Sequence[str]) -> None:
        """Take jobs for completed that were completed outside of the server."""
        await self._calls.ask("settle", int, list(job_ids), weight=len(job_ids))

    def nudge(self, levels: Collection[Level] = LEVELS) -> None:
        """Let workers who wait for any of these levels look again."""
        for waiter, wanted in self._waiters.items():
            if not waiter.done() and not wanted.isdisjoint(levels):
                waiter.set_result(None)

    def relay(self, event: QueueEvent) -> None:
        """Tell listeners what happened outside of the server."""
        self._bell.relay(event)

    # ---- inside ----

    def _rung(self, strictest: Level, by: str) -> None:
        """Let workers look again for what came at this level or below; what this very client put it has told them itself."""
        if by != self._name or strictest is Level.CRITICAL:
            self.nudge(LEVELS[strictest.rank :])

    def _claimed(self, worker: str, reply: Reply, gone: bool) -> None:
        """Note what is held; undo a claim whose caller has gone."""
        for taken in decoder(list[Taken]).decode(reply.value) if reply.ok else ():
            if gone:
                self._line.post(("give_back", taken.job.job_id, taken.job.attempt, worker))
            else:
                self._calls.holds.add(taken.job.job_id)

    def _back(self) -> None:
        """Give back what was claimed by calls whose answers were lost."""
        self._line.post(("unheard", list(self._calls.holds)))

    async def _ask_for_worries(self) -> None:
        try:
            self._worry = await self._line.aside(self._check, 5.0, 0.0)
        except QueueAway:
            pass  # nobody knows
        except QueueError as error:
            self._worry = error.message

    async def _check(self, client: Redis) -> str:
        return await check_server(client, allow_unauthenticated=self._allow_unauthenticated)

    async def _settle_in(self) -> None:
        await self._be_born()
        mended = await repair(self._calls.ask)
        if mended:
            self._broken(mended)
        await self._calls.ask("reclaim", int, self._engine)
        await self.refresh()

    async def _be_born(self) -> None:
        """Learn the mark of the queue's data, or set it where there is none yet."""
        key = f"{self._keys}birth"
        await self._line.aside(lambda client: client.set(key, secrets.token_hex(8), nx=True), 5.0)
        mark = await self._line.aside(lambda client: client.get(key), 5.0)
        self._line.birth = mark.decode() if isinstance(mark, bytes) else str(mark)

    async def _gone(self) -> None:
        """Begin again on a server that has lost the queue: what was paused stays paused, and an operator is told."""
        before = self._state
        await self._be_born()
        lost = sum(before.by_source.values()) + sum(depth.processing for depth in before.levels.values())
        self._losses += 1
        self._broken(
            f"Redis at {self._line.where} lost the whole queue (it was flushed or came back empty): about {lost} jobs were gone "
            "there; every engine puts what its spool holds again"
        )
        for source in before.paused:
            self._line.post(("pause", source))
        if before.stopped:
            self._line.post(("stop_all", True))

    async def _older(self) -> None:
        """Go on with a server whose data are older than what it answered: it holds what was held last, and an operator is told."""
        before = self._state
        names = await self._line.aside(lambda client: client.smembers(f"{self._keys}held"), 5.0)
        held = {name.decode() if isinstance(name, bytes) else str(name) for name in names}
        stopped = bool(await self._line.aside(lambda client: client.exists(f"{self._keys}stopped"), 5.0))
        self._losses += 1
        self._broken(
            f"Redis at {self._line.where} came back with older data (a copy, a replica that was behind, a log that was cut): "
            "what it took last is gone there; every engine puts what its spool holds again"
        )
        for source in before.paused - held:
            self._line.post(("pause", source))
        if before.stopped:
            self._line.post(("stop_all", True))
        now = asyncio.get_running_loop().time()
        if (self._line.away_since or now) - self._looked_at > _STALE_LOOK_S:
            return  # an engine that stood still does not know what was held last: it releases nothing
        for source in held - before.paused:
            self._line.post(("resume", source))
        if stopped and not before.stopped:
            self._line.post(("stop_all", False))

    def _heard(self, answer: Answer) -> None:
        self._conflated += answer.conflated
        self._server_us = answer.now_us
        if answer.faults:
            job_id, why = answer.faults[0]
            more = f" (and {len(answer.faults) - 1} more)" if len(answer.faults) > 1 else ""
            self._broken(f"job {printable(job_id)} in Redis at {self._line.where}: {why}{more}")

    def _broken(self, words: str) -> None:
        self._fault, self._fault_at = words, self._clock.monotonic()

    async def _look(self) -> None:
        told_at, asked_at = -inf, self._clock.monotonic()
        while True:
            await self._clock.sleep(LOOK_S)
            if not self.away and self._clock.monotonic() - asked_at > WORRY_S:
                asked_at = self._clock.monotonic()
                await self._ask_for_worries()
            with contextlib.suppress(QueueError):
                if self._bell.listening and self._clock.monotonic() - told_at > LISTENING_S / 3:
                    told_at = self._clock.monotonic()
                    await self._line.ask(("listen", LISTENING_S))
                await self.refresh()


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def _ranks(levels: Iterable[Level]) -> list[int]:
    return sorted(level.rank for level in levels)
