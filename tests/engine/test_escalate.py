"""What cannot keep its promise where it waits is raised one level, never into CRITICAL's reserve."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.standing import Standing
from gexdesk.metrics.rate import Rate
from gexdesk.model.decision import Bound, Override
from gexdesk.model.job import Job, Place
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level
from gexdesk.model.payload import Payload, PayloadRef
from gexdesk.queues.embedded import EmbeddedQueue
from tests.virtual_clock import VirtualClock

C, H, M, L = LEVELS


class Setting:
    """A real queue on a standing clock, with as many jobs begun a second as a test says."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.queue = EmbeddedQueue(folder / "queue.sqlite", clock=self.clock)
        self.flights, self.flow = Flights(), Flow(self.clock)
        self.standing = Standing(folder / "standing.json")
        self.chronicle = Chronicle(self.clock)
        self.escalate = Escalate(
            queue=self.queue, flights=self.flights, flow=self.flow, standing=self.standing, chronicle=self.chronicle,
            clock=self.clock, promises_s=DEFAULT_PROMISE_S,
        )  # fmt: skip
        self.begun_per_s = 0.0
        self.arriving_per_s = 0.0

    async def put(self, job_id: str, level: Level, **fields: object) -> Job:
        job = self.made(job_id, level, **fields)
        await self.queue.put([job])
        self.escalate.watch(job)
        return job

    def made(self, job_id: str, level: Level, *, age_s: float = 0.0, score: float | None = None, **fields: object) -> Job:
        now = self.clock.now()
        promise_s = DEFAULT_PROMISE_S[level]
        job = Job(
            job_id=job_id, source="a", symbol="", level=level, score=level.band[1] if score is None else score, freshness=0,
            received_at=now - age_s, as_of=now - age_s, deadline_at=None if promise_s is None else now - age_s + promise_s,
            decided=level, decided_score=level.band[0],
        )  # fmt: skip
        job = replace(job, **fields)
        payload = Payload(job_id, job.source, job.received_at, "", 1)
        self.flights.add(Flight(payload, PayloadRef("", 0, 0, False), None))
        return job

    async def fill(self, count: int, level: Level, name: str = "", **fields: object) -> None:
        """Put jobs in the way that nobody watches."""
        await self.queue.put([self.made(f"{name or level}-{number:06d}", level, **fields) for number in range(count)])

    async def look(self) -> None:
        """Let the flow show its rates over the last ten seconds, then look."""
        self.flow._out[L], self.flow._in[C] = Rate(), Rate()
        for second in range(10):
            at = self.clock.now() - 9 + second
            self.flow._out[L].add(at, 9 * self.begun_per_s / 10)
            self.flow._in[C].add(at, 9 * self.arriving_per_s / 10)
        await self.escalate.look()

    async def job(self, job_id: str) -> Job:
        return next(job for job in await self.queue.jobs_of("a") if job.job_id == job_id)

    def told(self) -> list[str]:
        return [line.text for line in self.chronicle.lines()]


@asynccontextmanager
async def setting(folder: Path) -> AsyncIterator[Setting]:
    made = Setting(folder)
    await made.queue.open()
    try:
        yield made
    finally:
        await made.queue.close()


async def test_a_job_that_would_be_late_is_raised_behind_the_levels_own_with_its_reason(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s = 1.0
        await s.fill(199, H, score=0.85)
        late = await s.put("late", H, age_s=160.0, score=0.7)
        await s.put("medium", M, age_s=160.0)
        await s.put("critical", C)
        await s.look()
        raised = await s.job("late")
        assert (raised.level, raised.place, raised.promised, raised.decided) == (C, Place.ESCALATED, H, H)
        assert raised.note == "escalated from HIGH: waited 160 s, 201 s more foreseen, 300 s promised"
        assert (raised.deadline_at, raised.received_at) == (late.deadline_at, late.received_at)
        assert [job.job_id for job in await s.queue.peek(2)] == ["critical", "late"]
        assert s.escalate.count == 1
        assert s.told() == [f"a {raised.note}"]
        own = await s.queue.claim("reserved", (C,), 5.0, reserved=True)
        assert own is not None
        assert own.job.job_id == "critical"
        assert await s.queue.claim("reserved", (C,), 5.0, reserved=True) is None
        claim = await s.queue.claim("any", LEVELS, 5.0)
        assert claim is not None
        assert claim.job.job_id == "late"
        await s.clock.advance(60.0)
        await s.look()
        assert s.escalate.count == 1  # one level, once


async def test_what_keeps_its_promise_where_it_stands_stays(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s = 1.0
        await s.fill(100, H, score=0.85)
        await s.put("in time", H, age_s=160.0, score=0.7)  # 101 jobs at one a second: 261 s
        await s.fill(100, H, "lower", score=0.6)  # by counts alone it might be late
        await s.look()
        assert (await s.job("in time")).level is H
        s.begun_per_s = 0.5
        await s.clock.advance(20.0)  # looked at again by then: half of what was left has gone
        await s.look()
        assert (await s.job("in time")).level is C


async def test_a_medium_job_rises_to_high_and_a_low_one_never(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s = 1.0
        await s.fill(300, H)
        await s.put("medium", M, age_s=1_600.0)
        await s.put("low", L, age_s=100_000.0)
        await s.look()
        assert ((await s.job("medium")).level, (await s.job("medium")).place) == (H, Place.ESCALATED)
        assert ((await s.job("low")).level, (await s.job("low")).place) == (L, Place.OWN)


async def test_a_critical_job_at_risk_goes_to_the_head_of_its_level(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s = 2.0
        await s.fill(40, C, score=0.99)
        await s.put("risk", C, age_s=16.0, score=0.9)
        await s.look()
        risk = await s.job("risk")
        assert (risk.level, risk.place, risk.promised) == (C, Place.HEAD, C)
        assert risk.note.startswith("put at the head: waited 16 s, 20")
        assert (await s.queue.peek(1))[0].job_id == "risk"


async def test_what_keeps_coming_above_counts_and_where_nobody_can_predict_most_of_the_promise_has_to_be_over(
    tmp_path: Path,
) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s, s.arriving_per_s = 4.0, 3.0
        await s.fill(160, H, score=0.85)
        await s.put("late", H, age_s=160.0, score=0.7)  # one a second is left for HIGH
        await s.look()
        assert (await s.job("late")).level is C
        s.begun_per_s, s.arriving_per_s = 0.0, 0.0
        await s.clock.advance(30.0)
        await s.put("young", H, age_s=200.0, score=0.7)
        await s.put("old", H, age_s=241.0, score=0.7)
        await s.look()
        assert [(await s.job(name)).level for name in ("young", "old")] == [H, C]
        assert "nobody can tell how long it would still wait" in (await s.job("old")).note


async def test_an_operators_exact_level_is_not_exceeded_and_a_floor_is_where_the_job_is_watched(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s = 1.0
        await s.fill(300, H, score=0.85)
        await s.put("exact", H, age_s=160.0, score=0.7, source="exact")
        await s.put("floor", M, age_s=160.0, source="floor")
        for name, bound in (("exact", Bound.EXACTLY), ("floor", Bound.AT_LEAST)):
            s.standing.set_override(name, Override(H, "jm", "x", 0.0, None, bound))
        await s.queue.relevel(["floor"], H, H.band[0], 300.0, "override by jm")
        await s.look()
        assert (await s.queue.jobs_of("exact"))[0].level is H
        await s.clock.advance(800.0)
        await s.look()  # the floor's job is found due at MEDIUM, and from now on watched at HIGH
        await s.look()
        [floor] = await s.queue.jobs_of("floor")
        assert (floor.level, floor.place) == (C, Place.ESCALATED)
        assert (await s.queue.jobs_of("exact"))[0].level is H
        s.standing.set_override("exact", None)
        await s.clock.advance(6.0)
        await s.look()
        assert (await s.queue.jobs_of("exact"))[0].level is C


async def test_a_stamp_in_the_future_supersedes_nothing_that_comes_after_it(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        await s.put("ahead", H, symbol="SPX", age_s=200.0, as_of=s.clock.now() + 3_600.0)
        await s.put("next", H, symbol="SPX", age_s=190.0)
        assert not s.escalate._is_superseded(await s.job("next"))
        assert s.escalate._is_superseded(await s.job("ahead"))


async def test_held_stopped_superseded_and_finished_jobs_are_left_alone(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s = 1.0
        await s.put("old", H, age_s=280.0, symbol="SPX")
        await s.put("new", H, age_s=1.0, symbol="SPX")
        await s.put("gone", H, age_s=280.0)
        await s.fill(50, H)
        s.flights.end("gone")
        await s.queue.stop_all(True)
        await s.look()
        assert s.escalate.count == 0
        await s.queue.stop_all(False)
        await s.queue.pause("a")
        await s.look()
        assert s.escalate.count == 0
        await s.queue.resume("a")
        await s.clock.advance(12.0)
        await s.look()
        assert s.escalate.count == 0
        assert (await s.job("old")).superseded


async def test_many_at_once_are_raised_in_one_go_and_looking_is_cheap(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s = 1.0
        jobs = [s.made(f"{number:03d}", H, age_s=200.0) for number in range(400)]
        await s.queue.put(jobs)
        for job in jobs:
            s.escalate.watch(job)
        await s.look()
        assert 8 < s.escalate.count < 300  # the first hundred are in time; a turn has its limit
        [line] = s.told()
        assert line.startswith(f"a and {s.escalate.count - 1} more escalated from HIGH: waited 200 s, 101 s more")
        for _ in range(9):
            await s.look()
        assert s.escalate.count == 300
        assert [job.job_id for job in await s.queue.peek(300)] == [f"{number:03d}" for number in range(100, 400)]


async def test_a_backlog_of_a_hundred_thousand_is_looked_at_within_a_frame(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.begun_per_s = 1_000.0
        jobs = []
        now = s.clock.now()
        for number in range(100_000):
            job = Job(f"{number:06d}", f"s{number % 40}", "", H, 0.7 + number % 19 / 100, 0, now - 160.0, now, now + 140.0)
            jobs.append(job)
            s.flights.add(Flight(Payload(job.job_id, job.source, job.received_at, "", 1), PayloadRef("", 0, 0, False), None))
        for at in range(0, len(jobs), 10_000):
            await s.queue.put(jobs[at : at + 10_000])
        for job in jobs:
            s.escalate.watch(job)
        took_s = []
        for _ in range(5):  # all of them are in time: 100 s to go, 140 s left; none is asked for its position
            began = time.perf_counter()
            await s.look()
            took_s.append(time.perf_counter() - began)
        assert s.escalate.count == 0
        assert min(took_s) < 0.25


@pytest.mark.parametrize("level", [C, H, M])
async def test_a_job_is_first_looked_at_when_half_its_promise_is_over(tmp_path: Path, level: Level) -> None:
    promise_s = DEFAULT_PROMISE_S[level] or 0.0
    async with setting(tmp_path) as s:
        s.begun_per_s = 1.0
        await s.put("young", level, age_s=0.4 * promise_s)
        await s.fill(round(promise_s), level, score=level.band[1])
        await s.look()
        assert s.escalate.count == 0
