"""Simulate the scheduling core under a virtual clock with seeded faults: one seed is one run, the same every time.

Queue, leases, escalation, flow, admission and the measured bound are the real ones. The disk is a dictionary that takes a while,
refuses now and then and forgets what was not synced when the engine is killed; workers die, come back after their lease, fail and
give up; sources burst, are paused, promoted; everything is stopped and started. ``run(full=False)`` simulates five minutes for
each of 20 seeds, ``run(full=True)`` an hour for each of 1,000; ``python -m tests.faults.simulation SEED [SECONDS]`` repeats one.
"""

import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import ceil, inf
from pathlib import Path
from typing import Any, NamedTuple

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.leases import Leases
from gexdesk.engine.standing import Standing
from gexdesk.metrics.bound import critical_bound_s
from gexdesk.metrics.bucket import Bucket
from gexdesk.model.errors import LeaseLost, StoreError
from gexdesk.model.job import Claim, Job, JobStatus, Place
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level
from gexdesk.model.payload import Payload, PayloadRef
from gexdesk.queues import roll
from gexdesk.queues.commit import Commit
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.queues.journal import Journal
from gexdesk.queues.order import Entry
from gexdesk.queues.rows import Kept, read
from tests.running_clock import RunningClock

SEEDS, SECONDS = 20, 300.0
FULL_SEEDS, FULL_SECONDS = 1_000, 3_600.0
SOURCES = ("a", "b", "c", "d", "e")
SLOTS, RESERVED = 4, 1
LEASE_S, SWEEP_S = 5.0, 1.0
CRITICAL_S, OTHER_S = 0.5, 8.0
"""C and B: no service takes longer."""
PROMISES_S = {**DEFAULT_PROMISE_S, Level.HIGH: 40.0, Level.MEDIUM: 120.0}
"""So short that some cannot be kept without escalation."""

RATE_PER_S = 0.25
"""rho: CRITICAL jobs a second in the long run, of which the reserve does two."""


class Outcome(NamedTuple):
    """Count what happened in all seeds together.

    Attributes:
        broken: Seeds, each with the first promise that did not hold.
        nearest_bound: The longest share of its bound that any CRITICAL job took.
    """

    seeds: int
    simulated_h: float
    jobs: int
    claims: int
    rescued: int
    refused_late: int
    engine_kills: int
    escalated: int
    critical: int
    nearest_bound: float
    broken: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Say whether every promise held in every seed, and the faults were there to break them."""
        return not self.broken and min(self.rescued, self.refused_late, self.engine_kills, self.critical) > 0


class Broken(AssertionError):
    """Say which promise did not hold, and when."""


class _Disk:
    """Hold what is synced."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.rows: dict[int, bytes] = {}
        self.ends: dict[str, JobStatus] = {}
        self.dead: dict[str, tuple[int, bytes]] = {}
        self.held: set[str] = set()

    def take(self, commit: Commit) -> None:
        for job_id in commit.revive.values():
            self.ends.pop(job_id, None)
            self.dead.pop(job_id, None)
        for seq, body in _rows(commit.keep, 2):
            self.rows[seq] = body
        for job_id, status, _, _ in _rows(commit.finish, 4):
            self.ends[job_id] = JobStatus(status)
        for job_id, seq, body, _ in _rows(commit.die, 4):
            self.dead[job_id] = seq, body
        for seq in commit.gone:
            self.rows.pop(seq, None)
        for source, on in commit.hold.items():
            (self.held.add if on else self.held.discard)(source)


class _SimulatedJournal(Journal):
    """Sync in virtual time, one group after the other, as the real one does on a thread."""

    disk: _Disk
    clock: RunningClock

    async def open(self) -> Kept:
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._task = asyncio.create_task(self._write())
        entries, eligible = list[Entry](), dict[int, tuple[float, float]]()
        for seq in sorted(self.disk.rows):
            row = read(self.disk.rows[seq])
            entries.append(row.entry(seq))
            if row.eligible_at is not None:
                eligible[seq] = row.eligible_at, row.after_s
        return Kept(
            entries, eligible, set(self.disk.held), max(self.disk.ends, default=""),
            max((seq for seq, _ in self.disk.dead.values()), default=0),
        )  # fmt: skip

    async def close(self) -> None:
        self.send()
        while self._waiting:
            await asyncio.sleep(0)
        self._task.cancel()

    def kill(self) -> None:
        """Die: what is being written may have reached the disk or not."""
        self._closing = True
        self._task.cancel()

    def send(self) -> None:
        commit, self._open = self._open, None
        if commit is None or self._closing:
            return
        commit.is_open = False
        if commit.is_empty():
            commit.settle(None)
            return
        self._waiting.append(commit)
        self._came.set()

    def statuses(self, job_ids: Sequence[str]) -> dict[str, JobStatus]:
        return {job_id: self.disk.ends[job_id] for job_id in job_ids if job_id in self.disk.ends}

    def dead(self, job_ids: Sequence[str]) -> list[Entry]:
        return [read(self.disk.dead[x][1]).entry(self.disk.dead[x][0]) for x in job_ids if x in self.disk.dead]

    async def _write(self) -> None:
        dice = self.disk.dice
        while True:
            if not self._waiting:
                self._came.clear()
                await self._came.wait()
            group, self._waiting = self._waiting, []
            try:
                await self.clock.sleep(dice.choice((0.002, 0.005, 0.03)))
            except asyncio.CancelledError:
                if dice.random() < 0.5:
                    for commit in group:
                        self.disk.take(commit)
                raise
            if dice.random() < 0.003:
                self._take_back(group, StoreError("the disk refuses"))
                continue
            for commit in group:
                self.disk.take(commit)
            for commit in group:
                commit.settle(None)


class _World:
    """Run one seed.

    What it knows for sure: ``acknowledged`` jobs must end, ``ended`` ones must not come back, ``holder`` has a lease.
    """

    def __init__(self, seed: int, seconds: float, folder: Path) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.clock = RunningClock()
        self.disk = _Disk(self.dice)
        self.folder = folder
        self.seconds = seconds
        self.flights = Flights()
        self.acknowledged: dict[str, Job] = {}
        self.ended: dict[str, JobStatus] = {}
        self.holder: dict[str, Claim] = {}
        self.asked_at: dict[str, float] = {}
        self.excused: set[str] = set()
        self.deaths: dict[str, int] = {}
        self.numbers, self.most = Bucket(), 1.0
        self.count = self.claims = self.rescued = self.refused_late = self.kills = self.critical = self.escalated = 0
        self.nearest = 0.0
        self.faults: list[Exception] = []
        self.ghosts: list[asyncio.Future[None]] = []

    async def run(self) -> None:
        while self.clock.monotonic() < self.seconds:
            life_s = min(self.dice.expovariate(1 / 120.0), self.seconds - self.clock.monotonic())
            await self._life(life_s, last=False)
        await self._life(inf, last=True)
        self._all_ended()

    # ---- one engine ----

    async def _life(self, seconds: float, *, last: bool) -> None:
        self.queue = queue = await self._opened()
        self.leases = Leases(queue, self.clock, lease_s=LEASE_S, sweep_s=SWEEP_S, on_rescue=self._rescued)
        chronicle, self.flow = Chronicle(self.clock), Flow(self.clock)
        escalate = Escalate(
            queue=queue, flights=self.flights, flow=self.flow, standing=Standing(self.folder / "standing.json"),
            chronicle=chronicle, clock=self.clock, promises_s=PROMISES_S,
        )  # fmt: skip
        await self._take_over(escalate)
        self.leases.start()
        escalate.start()
        deeds: list[Callable[[], Awaitable[None]]] = [
            *(partial(self._slot, number) for number in range(SLOTS)),
            *([] if last else [*(partial(self._source, source, escalate) for source in SOURCES), self._operator]),
        ]
        tasks = [asyncio.ensure_future(self._deed(deed())) for deed in deeds]
        if last:
            await self._everything_ends(queue)
        else:
            await self.clock.sleep(seconds)
        self.escalated += escalate.count
        journal = queue._journal
        assert isinstance(journal, _SimulatedJournal)
        journal.kill()  # as kill -9: nobody gets an answer any more
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.leases.stop()
        await escalate.stop()
        queue._notes.close()
        queue._notes.release()
        self.holder.clear()
        self.kills += not last
        self._check()

    async def _opened(self) -> EmbeddedQueue:
        while True:
            queue = EmbeddedQueue(self.folder / "queue.sqlite", clock=self.clock)
            try:
                await queue.open()
            except StoreError:
                continue  # the disk refuses: whoever watches over the engine starts it again
            return queue

    async def _take_over(self, escalate: Escalate) -> None:
        """Do as the engine does: what the queue does not know is put again, and whatever waits is watched."""
        for job_id, job in self.acknowledged.items():
            if job_id in self.ended:
                continue
            status = await self.queue.status(job_id)
            if status is None:
                raise Broken(f"job {job_id} was acknowledged and is unknown to the next engine ({job.level})")
            if status in (JobStatus.COMPLETED, JobStatus.DEAD):
                self._has_ended(job_id, status)  # synced in the moment of the kill, and nobody was told
        self.excused.update(self.asked_at)
        for source in self.queue.state().by_source:
            for job in await self.queue.jobs_of(source):
                self.flights.add(_flight(job.job_id, job.source))
                escalate.watch(job)

    async def _everything_ends(self, queue: EmbeddedQueue) -> None:
        """Let nothing be held any more, and wait until every job has ended."""
        await _insist(lambda: queue.stop_all(False))
        for source in SOURCES:
            await _insist(partial(queue.resume, source))
        give_up_at = self.clock.monotonic() + 20_000.0
        while any(job_id not in self.ended for job_id in self.acknowledged):
            self._check()
            if self.clock.monotonic() > give_up_at:
                raise Broken(f"{sum(x not in self.ended for x in self.acknowledged)} jobs never end")
            await self.clock.sleep(1.0)

    async def _deed(self, deed: Awaitable[None]) -> None:
        try:
            await deed
        except Exception as fault:
            self.faults.append(fault)

    # ---- workers ----

    async def _slot(self, number: int) -> None:
        reserved, worker, dice = number < RESERVED, f"slot-{number}", self.dice
        levels = (Level.CRITICAL,) if reserved else LEVELS
        while True:
            first = await self.queue.peek(1)
            claim = await self.queue.claim(worker, levels, LEASE_S, reserved=reserved)
            if claim is None:
                if first and not reserved and not self.queue.state().stopped:
                    raise Broken(f"{first[0].job_id} is first in line and is not given to a free slot")
                await self.queue.wait(levels, 1.0, reserved=reserved)
                continue
            self._claimed(claim, first, reserved)
            self.leases.hold(claim)
            service_s = dice.uniform(0.05, CRITICAL_S if claim.job.promised is Level.CRITICAL else OTHER_S)
            fate = dice.random()
            if fate < 0.01:  # its process dies with it and nobody is told; the slot has another one at once
                self._silent(claim)
                continue
            if fate < 0.02:  # it hangs past its lease, and speaks up when somebody else has the job
                self._silent(claim)
                late = self._late(claim, LEASE_S + SWEEP_S + dice.uniform(0.1, 20.0))
                self.ghosts.append(asyncio.ensure_future(self._deed(late)))
                continue
            await self.clock.sleep(service_s)
            await self._end(claim, fate)

    def _claimed(self, claim: Claim, first: Sequence[Job], reserved: bool) -> None:
        job, now = claim.job, self.clock.monotonic()
        self.claims += 1
        self.flow.left(job.level)
        if job.job_id in self.ended:
            raise Broken(f"{job.job_id} has ended as {self.ended[job.job_id]} and is run again")
        held = self.holder.get(job.job_id)
        if held is not None and now < held.lease_until:
            raise Broken(f"{job.job_id} is given to {claim.worker} while {held.worker} has it")
        if held is not None and claim.fence <= held.fence:
            raise Broken(f"{job.job_id}: fence {claim.fence} after {held.fence}")
        if reserved and (job.level is not Level.CRITICAL or job.place is Place.ESCALATED):
            raise Broken(f"the reserve took {job.job_id} of {job.level}, {job.place}")
        if not reserved and (not first or first[0].job_id != job.job_id):
            raise Broken(f"{job.job_id} ({job.level}) was taken before {first[0].job_id if first else 'nothing'}")
        self.holder[job.job_id] = claim

    def _silent(self, claim: Claim) -> None:
        self.leases.release(claim)
        self.deaths[claim.job.job_id] = self.deaths.get(claim.job.job_id, 0) + 1

    async def _late(self, claim: Claim, after_s: float) -> None:
        queue = self.queue
        await self.clock.sleep(after_s)
        if queue is not self.queue:
            return
        try:
            await queue.ack(claim)
        except LeaseLost:
            self.refused_late += 1
            return
        except StoreError:
            return
        raise Broken(f"a late word about {claim.job.job_id} was taken")

    async def _end(self, claim: Claim, fate: float) -> None:
        job_id = claim.job.job_id
        held = self.leases.release(claim)
        try:
            if fate < 0.05 and claim.job.attempt < 4:
                self.excused.add(job_id)
                await self.queue.retry(held, self.dice.uniform(0.5, 5.0), "x")
                self.holder.pop(job_id, None)
                return
            if fate < 0.06:
                await self.queue.bury(held, "x")
                self._has_ended(job_id, JobStatus.DEAD)
            else:
                # Available before it is durable: here its latency ends, as in the engine.
                self._available(claim.job)
                await self.queue.ack(held)
                self._has_ended(job_id, JobStatus.COMPLETED)
        except LeaseLost:
            raise Broken(f"{job_id} was worked on under its lease, and the lease is lost") from None
        except StoreError:
            self.excused.add(job_id)  # the lease runs out, and the job is done again

    def _has_ended(self, job_id: str, status: JobStatus) -> None:
        self.ended[job_id] = status
        self.holder.pop(job_id, None)
        self.flights.end(job_id)
        self.asked_at.pop(job_id, None)

    def _rescued(self, jobs: Sequence[Job]) -> None:
        self.rescued += len(jobs)
        for job in jobs:
            if job.promised is Level.CRITICAL:
                self._came()

    # ---- the bound ----

    def _came(self) -> None:
        self.most = max(self.most, self.numbers.add(self.clock.monotonic(), 1, RATE_PER_S))

    def _available(self, job: Job) -> None:
        asked_at = self.asked_at.pop(job.job_id, None)
        if asked_at is None or job.job_id in self.excused or job.promised is not Level.CRITICAL:
            return
        self.critical += 1
        wait_s = critical_bound_s(
            ceil(self.most), reserved=RESERVED, slots=SLOTS, longest_s=CRITICAL_S, longest_other_s=OTHER_S, per_s=RATE_PER_S
        )  # fmt: skip
        bound_s = wait_s + self.deaths.get(job.job_id, 0) * (LEASE_S + SWEEP_S + CRITICAL_S + wait_s)
        took_s = self.clock.monotonic() - asked_at
        self.nearest = max(self.nearest, took_s / bound_s)
        if took_s > bound_s + 1e-6:
            raise Broken(f"{job.job_id} took {took_s:.2f} s from queue to available; {bound_s:.2f} s is the bound")

    # ---- sources and operators ----

    async def _source(self, name: str, escalate: Escalate) -> None:
        dice = self.dice
        while True:
            await self.clock.sleep(dice.expovariate(0.2))
            burst = dice.random() < 0.02
            for _ in range(dice.randint(3, 12) if burst else 1):
                self.count += 1
                level = Level.CRITICAL if burst else dice.choices(LEVELS, (1, 3, 3, 3))[0]
                await self._put(name, level, escalate)

    async def _put(self, source: str, level: Level, escalate: Escalate) -> None:
        now, job_id = self.clock.now(), f"{self.count:08d}"
        promise_s = PROMISES_S[level]
        job = Job(
            job_id, source, self.dice.choice(("", "SPX", "NDX")), level, self.dice.uniform(*level.band), 1, now, now,
            None if promise_s is None else now + promise_s,
        )  # fmt: skip
        self.flights.add(_flight(job_id, source))
        if level is Level.CRITICAL:
            self._came()
        while True:  # as triage does
            self.asked_at[job_id] = self.clock.monotonic()
            try:
                await self.queue.put([job])
            except StoreError:
                self.excused.add(job_id)
                await self.clock.sleep(1.0)
            else:
                break
        self.acknowledged[job_id] = job
        self.flow.entered(level)
        escalate.watch(job)

    async def _operator(self) -> None:
        dice = self.dice
        while True:
            await self.clock.sleep(dice.expovariate(0.05))
            source = dice.choice(SOURCES)
            waiting = await self.queue.jobs_of(source)
            try:
                match dice.choice(("pause", "promote", "demote", "stop", "cancel")):
                    case "pause":
                        self.excused.update(self.asked_at)
                        await self.queue.pause(source)
                        await self.clock.sleep(dice.uniform(0.0, 20.0))
                        self.excused.update(self.asked_at)
                        await _insist(partial(self.queue.resume, source))
                    case "stop":
                        await self.queue.stop_all(True)
                        await self.clock.sleep(dice.uniform(0.0, 5.0))
                        self.excused.update(self.asked_at)
                        await _insist(lambda: self.queue.stop_all(False))
                    case "cancel" if waiting:
                        chosen = dice.choice(waiting).job_id
                        if await self.queue.cancel([chosen], "x"):
                            self._has_ended(chosen, JobStatus.DEAD)
                    case "promote" | "demote" as verb:
                        level = Level.CRITICAL if verb == "promote" else Level.MEDIUM
                        for job in waiting:
                            self.excused.add(job.job_id)
                            if level is Level.CRITICAL:
                                self._came()
                        await self.queue.relevel([j.job_id for j in waiting], level, level.band[1], PROMISES_S[level], "jm")
            except StoreError:
                continue

    # ---- what must hold ----

    def _check(self) -> None:
        if self.faults:
            raise self.faults[0]

    def _all_ended(self) -> None:
        for job_id in self.acknowledged:
            found = self.disk.ends.get(job_id)
            if found is not self.ended[job_id]:
                raise Broken(f"{job_id} was {self.ended[job_id]} and is {found} on disk")


def _flight(job_id: str, source: str) -> Flight:
    return Flight(Payload(job_id, source, 0.0, "", 1), PayloadRef("", 0, 1, False), None)


def _rows(flat: Sequence[Any], width: int) -> Iterator[Sequence[Any]]:
    return (flat[at : at + width] for at in range(0, len(flat), width))


async def _insist(act: Callable[[], Awaitable[Any]]) -> None:
    while True:
        try:
            await act()
        except StoreError:
            continue
        return


@contextmanager
def _simulated(world: _World) -> Iterator[None]:
    class Of(_SimulatedJournal):
        disk, clock = world.disk, world.clock

    real, roll.Journal = roll.Journal, Of  # type: ignore[misc]
    try:
        yield
    finally:
        roll.Journal = real  # type: ignore[misc]


def simulate(seed: int, seconds: float) -> _World:
    """Run one seed. Raises Broken."""
    with tempfile.TemporaryDirectory() as folder:
        world = _World(seed, seconds, Path(folder))
        with _simulated(world):
            asyncio.run(world.run())
    return world


def run(full: bool) -> Outcome:
    """Run the seeds, each to its end or to its first broken promise."""
    seeds, seconds = (FULL_SEEDS, FULL_SECONDS) if full else (SEEDS, SECONDS)
    sums, broken, nearest = Counter[str](), list[str](), 0.0
    for seed in range(seeds):
        try:
            world = simulate(seed, seconds)
        except Exception as fault:
            broken.append(f"seed {seed}: {type(fault).__name__}: {fault}")
            sys.stderr.write(f"{broken[-1]}; python -m tests.faults.simulation {seed} {seconds:g}\n")
            continue
        nearest = max(nearest, world.nearest)
        sums.update(
            jobs=len(world.acknowledged), claims=world.claims, rescued=world.rescued, refused_late=world.refused_late,
            engine_kills=world.kills, escalated=world.escalated, critical=world.critical,
        )  # fmt: skip
    return Outcome(seeds=seeds, simulated_h=seeds * seconds / 3600, nearest_bound=nearest, broken=tuple(broken), **sums)


if __name__ == "__main__":
    played = simulate(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else FULL_SECONDS)
    sys.stdout.write(f"{len(played.acknowledged)} jobs, {played.claims} claims, all promises held\n")
