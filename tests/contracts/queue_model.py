"""A machine that holds a real queue against a naive one, call by call; which real one, its subclasses say."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from gexdesk.model.errors import LeaseLost
from gexdesk.model.job import Claim, Job, JobStatus, Place
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import Queue
from tests.contracts.queue_naive import NaiveQueue, Record
from tests.contracts.queue_setting import NOON, Setting

SOURCES = ("a", "b")
T = TypeVar("T")

levels = st.sampled_from(LEVELS)
some_levels = st.lists(levels, min_size=1, max_size=4, unique=True)
scores = st.sampled_from((0.0, 0.5, 1.0))
places = st.sampled_from((Place.OWN, Place.OWN, Place.HEAD, Place.ESCALATED))
some_jobs = st.lists(st.integers(0, 20), max_size=6)
new_job = st.tuples(
    st.sampled_from(SOURCES),
    st.sampled_from(("", "SPX", "NDX")),
    levels,
    scores,
    st.integers(0, 2),  # freshness
    st.integers(0, 6),  # as_of
    st.booleans(),  # has a deadline
    places,
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
    def put(self, jobs: list[tuple[str, str, Level, float, int, int, bool, Place]], again: int) -> None:
        made = []
        for source, symbol, level, score, freshness, as_of, promised, place in jobs:
            at = len(self.model.records) + len(made)
            received_at = NOON + at % 3
            deadline = received_at + 60 if promised else None
            stamp = float(as_of)
            made.append(Job(f"{at:04d}", source, symbol, level, score, freshness, received_at, stamp, deadline, place=place))
        made += [r.job for r in self.model.records[again : again + 1]]
        self.model.put(made)
        self.do(self.queue.put(made))

    @rule(wanted=some_levels, lease_s=st.sampled_from((1.0, 10.0)), reserved=st.booleans())
    def claim(self, wanted: list[Level], lease_s: float, reserved: bool) -> None:
        record = self.model.claim(wanted, lease_s, reserved)
        claim = self.do(self.queue.claim("w", wanted, lease_s, reserved=reserved))
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

    @rule(picks=some_jobs, level=levels, score=scores, after_s=st.sampled_from((None, 30.0)), place=places)
    def relevel(self, picks: list[int], level: Level, score: float, after_s: float | None, place: Place) -> None:
        names = named(picks)
        moved = self.model.relevel(names, level, score, after_s, place)
        assert self.do(self.queue.relevel(names, level, score, after_s, "moved", place=place)) == moved

    @rule(picks=some_jobs)
    def cancel(self, picks: list[int]) -> None:
        assert self.do(self.queue.cancel(named(picks), "called off")) == self.model.cancel(named(picks))

    @rule(picks=some_jobs)
    def revive(self, picks: list[int]) -> None:
        assert self.do(self.queue.revive(named(picks))) == self.model.revive(named(picks))

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
            mine = [seen(r.job) for r in queued if r.job.source == source]
            assert [seen(j) for j in self.look(self.queue.jobs_of(source))] == mine
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
        numbers = {r.job.job_id: number for number, r in enumerate(eligible, 1)}
        ends: list[JobStatus | None] = []
        for r in records:
            assert self.do(self.queue.position(r.job.job_id)) == numbers.get(r.job.job_id)
            expected = r.end or (JobStatus.PROCESSING if r.claimed else JobStatus.QUEUED)
            ends.append(expected)
        assert list(self.do(self.queue.statuses([r.job.job_id for r in records] + ["9999"]))) == [*ends, None]

    @invariant()
    def the_newest_is_ahead(self) -> None:
        """Hold the promise itself, however the model keeps it; what outlives one that was claimed or cancelled keeps its place."""
        if not hasattr(self, "queue"):
            return
        worked = {(r.job.source, r.job.symbol) for r in self.model.records if r.job.attempt or r.end}
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


def named(picks: Sequence[int]) -> list[str]:
    return [f"{n:04d}" for n in picks]


def seen(job: Job) -> Job:
    """Leave out the words."""
    return replace(job, note="")
