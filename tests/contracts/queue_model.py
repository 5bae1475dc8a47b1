"""A queue as simple as can be - a list, sorted when asked - and a machine that holds a real one against it, call by call."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from gexdesk.model.errors import LeaseLost
from gexdesk.model.job import Claim, Job, JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import Queue
from tests.contracts.queue_contract import NOON, Setting

SOURCES = ("a", "b")
T = TypeVar("T")


@dataclass(eq=False)
class Record:
    """Remember a job; ``place`` is where it stands, shared with others of its symbol where conflation says so."""

    job: Job
    arrival: int
    place: tuple[float, ...] = ()
    lent: bool = False
    delayed_until: float = -inf
    claimed: bool = False
    lease_until: float = 0.0
    end: JobStatus | None = None


def own_place(record: Record) -> tuple[float, ...]:
    job = record.job
    if job.superseded:
        return (job.level.rank, job.place, -job.score, 99, -job.as_of, record.arrival)
    return (job.level.rank, job.place, -job.score, job.freshness, inf if job.deadline_at is None else job.deadline_at, record.arrival)


@dataclass
class NaiveQueue:
    """Do what the contract says in the most obvious way."""

    now: float = 0.0
    records: list[Record] = field(default_factory=list)
    paused: set[str] = field(default_factory=set)
    stopped: bool = False
    conflated: int = 0

    def find(self, job_id: str) -> Record | None:
        return next((r for r in self.records if r.job.job_id == job_id), None)

    def queued(self) -> list[Record]:
        rows = [r for r in self.records if r.end is None and not r.claimed]
        return sorted(rows, key=lambda r: (*r.place, -r.job.as_of, r.arrival))

    def eligible(self) -> list[Record]:
        return [r for r in self.queued() if r.job.source not in self.paused and r.delayed_until <= self.now]

    def put(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if self.find(job.job_id) is None:
                record = Record(job, len(self.records))
                record.place = own_place(record)
                self.records.append(record)
                self.conflate(job.source, job.symbol)

    def conflate(self, source: str, symbol: str) -> None:
        chain = [r for r in self.queued() if (r.job.source, r.job.symbol) == (source, symbol) and symbol]
        if not chain:
            return
        head = max(chain, key=lambda r: (r.job.as_of, r.arrival))
        keep: list[Record] = []
        for r in chain:
            if r.job.as_of >= head.job.as_of or (r.job.superseded and r.job.level is Level.LOW):
                continue
            self.conflated += not r.job.superseded
            if r.lent or not (r.job.superseded or r.job.level is Level.CRITICAL):
                r.job = replace(r.job, level=Level.LOW, score=0.0, deadline_at=None, superseded=True)
                r.lent, r.place = False, own_place(r)
            else:
                r.job = replace(r.job, superseded=True)
                keep.append(r)
        if not keep:
            return
        best = min(keep, key=lambda r: (*r.place, -r.job.as_of, r.arrival))
        if (*best.place, -best.job.as_of) < (*head.place, -head.job.as_of):
            if head.job.level is not best.job.level:
                head.lent = True
                head.job = replace(head.job, level=best.job.level, score=best.job.score, deadline_at=best.job.deadline_at)
            head.place = best.place
        for r in keep:
            if r.job.level is head.job.level:
                r.place = head.place

    def claim(self, levels: Sequence[Level], lease_s: float) -> Record | None:
        if self.stopped:
            return None
        record = next((r for r in self.eligible() if r.job.level in levels), None)
        if record is not None:
            record.claimed = True
            record.lease_until = self.now + lease_s
            record.job = replace(record.job, attempt=record.job.attempt + 1)
        return record

    def relevel(self, job_ids: Sequence[str], level: Level, score: float, deadline_after_s: float | None) -> int:
        moved = [r for r in self.queued() if r.job.job_id in job_ids]
        for r in moved:
            gone = r.job.superseded and level is Level.LOW
            deadline = None if gone or deadline_after_s is None else r.job.received_at + deadline_after_s
            r.job = replace(r.job, level=level, score=0.0 if gone else score, deadline_at=deadline)
            r.lent, r.place = False, own_place(r)
        for source, symbol in {(r.job.source, r.job.symbol) for r in moved}:
            self.conflate(source, symbol)
        return len(moved)

    def restart(self) -> None:
        for r in self.records:
            r.claimed = False


levels = st.sampled_from(LEVELS)
some_levels = st.lists(levels, min_size=1, max_size=4, unique=True)
scores = st.sampled_from((0.0, 0.5, 1.0))
new_job = st.tuples(
    st.sampled_from(SOURCES),
    st.sampled_from(("", "SPX", "NDX")),
    levels,
    scores,
    st.integers(0, 2),  # freshness
    st.integers(0, 6),  # as_of
    st.booleans(),  # has a deadline
)


class QueueMachine(RuleBasedStateMachine):
    """Do the same to both and compare all that can be seen. Subclasses give ``setting_in``."""

    def setting_in(self, folder: Path) -> Setting:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="queue-"))
        self.loop = asyncio.new_event_loop()
        self.setting = self.setting_in(self.folder)
        self.model = NaiveQueue()
        self.claims: list[tuple[Claim, Record]] = []
        self.queue: Queue = self.loop.run_until_complete(self.setting.open())

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run_until_complete(self.queue.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    def do(self, act: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(_result(act))

    def look(self, act: Awaitable[Sequence[Job]]) -> Sequence[Job]:
        return self.loop.run_until_complete(_result(act))

    @rule(jobs=st.lists(new_job, min_size=1, max_size=4), again=st.integers(0, 30))
    def put(self, jobs: list[tuple[str, str, Level, float, int, int, bool]], again: int) -> None:
        made = []
        for source, symbol, level, score, freshness, as_of, promised in jobs:
            at = len(self.model.records) + len(made)
            received_at = NOON + at % 3
            deadline = received_at + 60 if promised else None
            made.append(Job(f"{at:04d}", source, symbol, level, score, freshness, received_at, float(as_of), deadline))
        made += [r.job for r in self.model.records[again : again + 1]]
        self.model.put(made)
        self.do(self.queue.put(made))

    @rule(wanted=some_levels, lease_s=st.sampled_from((1.0, 10.0)))
    def claim(self, wanted: list[Level], lease_s: float) -> None:
        record = self.model.claim(wanted, lease_s)
        claim = self.do(self.queue.claim("w", wanted, lease_s))
        assert (claim and claim.job.job_id) == (record and record.job.job_id)
        if record is not None:
            self.claims.append((claim, record))

    def act(self, pick: int, act: object) -> Record | None:
        """Do something with a claim, late ones too; return its record where the lease holds."""
        if not self.claims:
            return None
        claim, record = self.claims[pick % len(self.claims)]
        holds = record.claimed and record.job.attempt == claim.fence
        try:
            self.do(act(claim))
        except LeaseLost:
            assert not holds
            return None
        assert holds
        return record

    @rule(pick=st.integers(0, 9))
    def ack(self, pick: int) -> None:
        if record := self.act(pick, self.queue.ack):
            record.claimed, record.end = False, JobStatus.COMPLETED

    @rule(pick=st.integers(0, 9))
    def bury(self, pick: int) -> None:
        if record := self.act(pick, lambda claim: self.queue.bury(claim, "x")):
            record.claimed, record.end = False, JobStatus.DEAD

    @rule(pick=st.integers(0, 9), after_s=st.sampled_from((0.0, 5.0)))
    def retry(self, pick: int, after_s: float) -> None:
        if record := self.act(pick, lambda claim: self.queue.retry(claim, after_s, "x")):
            record.claimed, record.delayed_until = False, self.model.now + after_s

    @rule(pick=st.integers(0, 9))
    def heartbeat(self, pick: int) -> None:
        if record := self.act(pick, lambda claim: self.queue.heartbeat(claim, 10.0)):
            record.lease_until = self.model.now + 10.0

    @rule(seconds=st.sampled_from((1.0, 4.0, 20.0)))
    def pass_time(self, seconds: float) -> None:
        self.model.now += seconds
        self.do(self.setting.pass_time(seconds))

    @rule()
    def rescue(self) -> None:
        lost = [r for r in self.model.records if r.claimed and r.lease_until <= self.model.now]
        for r in lost:
            r.claimed = False
        rescued = self.do(self.queue.rescue())
        assert {j.job_id for j in rescued} == {r.job.job_id for r in lost}

    @rule(picks=st.lists(st.integers(0, 20), max_size=6), level=levels, score=scores, after_s=st.sampled_from((None, 30.0)))
    def relevel(self, picks: list[int], level: Level, score: float, after_s: float | None) -> None:
        names = [f"{n:04d}" for n in picks]
        moved = self.model.relevel(names, level, score, after_s)
        assert self.do(self.queue.relevel(names, level, score, after_s, "moved")) == moved

    @rule(source=st.sampled_from(SOURCES))
    def pause(self, source: str) -> None:
        self.model.paused.add(source)
        self.do(self.queue.pause(source))

    @rule(source=st.sampled_from(SOURCES))
    def resume(self, source: str) -> None:
        self.model.paused.discard(source)
        self.do(self.queue.resume(source))

    @rule(stopped=st.sampled_from((True, False, False)))
    def stop_all(self, stopped: bool) -> None:
        self.model.stopped = stopped
        self.do(self.queue.stop_all(stopped))

    @rule()
    def restart(self) -> None:
        self.do(self.queue.close())
        self.queue = self.loop.run_until_complete(self.setting.open())
        self.model.restart()
        self.model.conflated = 0

    @invariant()
    def both_show_the_same(self) -> None:
        if not hasattr(self, "queue"):
            return
        eligible, queued, records = self.model.eligible(), self.model.queued(), self.model.records
        assert [seen(j) for j in self.look(self.queue.peek(999))] == [seen(r.job) for r in eligible]
        for source in SOURCES:
            assert [seen(j) for j in self.look(self.queue.jobs_of(source))] == [seen(r.job) for r in queued if r.job.source == source]
        state = self.do(self.setting.state(self.queue))
        for level in LEVELS:
            depth = state.levels[level]
            waiting = [r for r in eligible if r.job.level is level]
            delayed = [r for r in queued if r.job.level is level and r.delayed_until > self.model.now]
            paused = [r for r in queued if r.job.level is level and r not in waiting and r not in delayed]
            processing = [r for r in records if r.claimed and r.job.level is level]
            counts = tuple(map(len, (waiting, paused, delayed, processing)))
            assert (depth.waiting, depth.paused, depth.delayed, depth.processing) == counts
            assert depth.oldest_received_at == min((r.job.received_at for r in waiting), default=None)
        assert (state.paused, state.stopped, state.conflated) == (self.model.paused, self.model.stopped, self.model.conflated)
        by_source = {s: len([r for r in queued if r.job.source == s]) for s in SOURCES}
        assert dict(state.by_source) == {s: n for s, n in by_source.items() if n}
        for r in records:
            expected = r.end or (JobStatus.PROCESSING if r.claimed else JobStatus.QUEUED)
            assert self.do(self.queue.status(r.job.job_id)) is expected
        assert list(self.do(self.queue.known([r.job.job_id for r in records] + ["9999"]))) == [True] * len(records) + [False]

    @invariant()
    def the_newest_is_ahead(self) -> None:
        """Hold the promise itself, however the model keeps it; what has been with a worker keeps its place instead."""
        if not hasattr(self, "queue"):
            return
        worked = {(r.job.source, r.job.symbol) for r in self.model.records if r.job.attempt}
        chains: dict[tuple[str, str], list[Job]] = {}
        for j in self.look(self.queue.peek(999)):
            if j.symbol and (j.source, j.symbol) not in worked:
                chains.setdefault((j.source, j.symbol), []).append(j)
        for chain in chains.values():
            newest = max(chain, key=lambda j: (j.as_of, j.job_id))
            assert chain[0].as_of == newest.as_of
            assert all(j.superseded for j in chain if j.as_of < newest.as_of)
            assert all(j.level is Level.LOW or not j.superseded or j.level.rank >= newest.level.rank for j in chain)


async def _result(act: Awaitable[T]) -> T:
    return await act


def seen(job: Job) -> Job:
    """Leave out the words."""
    return replace(job, note="")
