"""What a lever would do is said beforehand from the queue as it stands, and how it came, afterwards."""

from pathlib import Path

from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.expectations import Expectations, Expected
from gexdesk.engine.flow import Flow
from gexdesk.engine.impact import Foreseen, Impact
from gexdesk.metrics.bound import critical_bound_s
from gexdesk.model.job import Job
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Verb
from gexdesk.queues.embedded import EmbeddedQueue
from tests.engine.desk_setting import chain_at, engine_on, folder_source, gexbot_at, hand_in, parts_of, pull, settings_of
from tests.engine.test_levers import stopped_engine
from tests.until import until
from tests.virtual_clock import VirtualClock

C, H, M, L = LEVELS


def job(job_id: str, source: str, level: Level, score: float) -> Job:
    return Job(job_id, source, job_id, level, score, 0, 1_800_000_000.0, 1_800_000_000.0, None)


async def foreseen(folder: Path, move: list[str], level: Level, to: Level, *, rate: int = 0, delay_s: float = 0.0) -> Foreseen:
    """Foresee what moving jobs of a queue of ten HIGH, ten MEDIUM and ten LOW ones does, of which each level's last is ``x``'s."""
    clock = VirtualClock()
    queue, flow = EmbeddedQueue(folder / "queue.sqlite", clock=clock), Flow(clock)
    await queue.open()
    jobs = [job(f"{x}{n}", "x" if n == 9 else "other", x, x.band[1] - n / 100) for x in (H, M, L) for n in range(10)]
    jobs = [replace(known, received_at=known.received_at + place / 100) for place, known in enumerate(jobs)]
    await queue.put(jobs)
    for second in range(10):
        for _ in range(rate):
            flow._out[L].add(clock.now() - 9 + second)
    flow.served(C, 2.0)
    flow.served(L, 6.0)
    waiting = [known for known in jobs if known.job_id in move]
    moves = {(to, to.band[1], "override by jm"): waiting} if waiting else {}
    try:
        impact = Impact(queue, flow, slots=3, reserved=1)
        return await impact.of("x", waiting, moves, level=level, to=to, delay_s=delay_s)
    finally:
        await queue.close()


async def test_the_next_jobs_place_and_wait_before_and_after_and_what_it_costs(tmp_path: Path) -> None:
    found = await foreseen(tmp_path, ["LOW9"], L, H, rate=9)
    assert found.helps == "1 queued job moved up; the next one: number 30 -> 2, in about 3.0 s -> in about 0.2 s"
    assert found.costs == "up to 28 other jobs wait behind them, each about 0.1 s longer"
    assert (found.job_id, round(found.wait_s or 0, 2)) == ("LOW9", 0.2)


async def test_nobody_can_tell_a_wait_where_nothing_is_served(tmp_path: Path) -> None:
    found = await foreseen(tmp_path, ["LOW9"], L, M)
    assert found.helps == "1 queued job moved up; the next one: number 30 -> 12"
    assert (found.costs, found.wait_s) == ("up to 18 other jobs wait behind them", None)


async def test_critical_says_what_it_does_to_the_bound(tmp_path: Path) -> None:
    found = await foreseen(tmp_path, ["LOW9", "MEDIUM9", "HIGH9"], H, C, rate=9)
    assert found.costs.endswith("; the bound on CRITICAL 0.0 s -> 6.0 s")  # three of 2 s each in one reserved slot
    assert found.job_id == "HIGH9"


async def test_delayed_quotes_are_not_made_younger(tmp_path: Path) -> None:
    found = await foreseen(tmp_path, ["LOW9"], L, H, rate=9, delay_s=900.0)
    assert "would not help: its quotes are 900 s old when they come, whatever their level" in found.helps


async def test_a_demotion_says_who_goes_before(tmp_path: Path) -> None:
    found = await foreseen(tmp_path, ["HIGH9"], H, L, rate=9)
    assert found.helps == "up to 10 other jobs go before them"
    assert found.costs == "1 queued job moved down; the next one: number 10 -> 20, in about 1.0 s -> in about 2.0 s"


async def test_with_nothing_waiting_it_speaks_of_the_next_to_come(tmp_path: Path) -> None:
    found = await foreseen(tmp_path, [], L, M, rate=9)
    assert found.helps == "none of x waits now; its next one would be number 11, in about 1.1 s"


def test_the_bound_is_the_lesser_of_the_reserve_alone_and_all_slots_once_they_are_free() -> None:
    # The simulated rows of the design: c = 4, C = 0.5 s, 20 arrive at once, B = 60 s.
    bounds = [critical_bound_s(20, reserved=r, slots=4, longest_s=0.5, longest_other_s=60.0) for r in (0, 1, 2)]
    assert bounds == [62.5, 10.0, 5.0]
    assert critical_bound_s(20, reserved=1, slots=4, longest_s=0.5, longest_other_s=0.0) == 2.5


def test_the_first_affected_job_says_how_the_prediction_came_out() -> None:
    clock = VirtualClock(100.0)
    chronicle = Chronicle(clock)
    expectations = Expectations(chronicle)
    one, two = job("1", "x", H, 0.8), replace(job("2", "x", H, 0.8), received_at=105.0)
    expectations.expect("x", Expected("jm promote x", "1", 2.0, 100.0))
    expectations.available(two, 101.0, 102.0)
    assert chronicle.lines() == ()
    expectations.available(one, 102.5, 104.0)
    expectations.available(one, 102.5, 104.0)
    expectations.expect("symbol:2", Expected("jm override symbol 2", "", None, 103.0))
    expectations.available(replace(two, received_at=102.0), 106.0, 107.0)  # it was there before the lever
    expectations.available(two, 106.0, 107.0)
    assert [line.text for line in chronicle.lines()] == [
        "jm promote x: foreseen about 2.0 s; began after 2.5 s, available after 4.0 s",
        "jm override symbol 2: foreseen nobody could tell; began after 1.0 s, available after 2.0 s",
    ]


async def test_a_lever_on_a_real_desk_is_followed_to_the_job_it_moved(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        await pull(engine, Verb.OVERRIDE, "small", level=C)
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: parts_of(engine).endings.completed == 6)
        told = [line.text for line in parts_of(engine).chronicle.lines() if "jm override small: foreseen" in line.text]
        assert len(told) == 1
        assert "available after" in told[0]


async def test_a_dry_run_on_delayed_quotes_says_that_it_would_not_help(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "state", folder_source("slow", tmp_path / "slow"))
    async with engine_on(settings) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        await hand_in(engine, "slow", chain_at(1.0), gexbot_at(1.0, "QQQ"), chain_at(0.5, "NDX"))
        outcome = await pull(engine, Verb.OVERRIDE, "slow", "", level=C, dry_run=True)
        assert "would not help: its quotes are 900 s old" in outcome.helps
