"""More CRITICAL than can be carried is told, and nothing of it is refused or lowered."""

from pathlib import Path

from gexdesk.engine.admission import LEAST_BURST, TOLD_S, Admission
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.measure import Measure
from gexdesk.engine.watch.admission import AdmissionBroken
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, hand_in, parts_of, pull, rows, settings_of
from tests.until import until
from tests.virtual_clock import VirtualClock


def admission_on(clock: VirtualClock, burst: int | None = None, per_s: float | None = None) -> tuple[Admission, Measure]:
    measure = Measure(
        clock, pool=(2, 1), workers=(3, 1), limit_s=20.0, lease_s=5.0, sweep_s=1.0, failover_s=0.0, promise_s=30.0
    )  # fmt: skip
    return Admission(measure, clock, burst=burst, per_s=per_s), measure


def texts(admission: Admission) -> list[str]:
    return [condition.text for condition in AdmissionBroken(admission).conditions(0.0)]


def test_a_source_is_held_to_its_own_bucket_and_told_for_a_minute() -> None:
    clock = VirtualClock()
    admission, _ = admission_on(clock, burst=3, per_s=2.0)
    for _ in range(3):
        admission.came("fast")
    assert texts(admission) == []
    clock._now += 1.0
    admission.came("fast", 3)  # two of the three before are gone by now: one too many
    assert texts(admission) == [
        "fast brought 4 CRITICAL at once; 3 and 2.0 a second are carried, beyond that the promise is not proven"
    ]
    clock._now += TOLD_S
    assert texts(admission) == []
    admission.came("fast", 2)
    assert texts(admission) == []


def test_by_default_a_source_may_bring_what_the_desk_can_carry() -> None:
    clock = VirtualClock()
    admission, measure = admission_on(clock)
    carried = measure.burst_carried()
    assert carried == int((30.0 - 5 - 1 - 0.02) / (2 * 0.02))
    admission.came("a", carried)
    assert texts(admission) == []
    admission.came("a")
    [condition] = AdmissionBroken(admission).conditions(0.0)
    assert (condition.kind, condition.source, condition.severity) == (Kind.ADMISSION_BROKEN, "a", 2)


def test_all_together_are_told_where_no_single_one_is_too_much() -> None:
    clock = VirtualClock()
    admission, measure = admission_on(clock)
    each = measure.burst_carried() // 2
    for source in "abc":
        admission.came(source, each)
    [condition] = AdmissionBroken(admission).conditions(0.0)
    assert condition.text.startswith(f"all sources together brought {3 * each:,} CRITICAL at once")
    assert condition.source == ""


def test_what_is_carried_shrinks_with_what_one_takes() -> None:
    clock = VirtualClock()
    admission, measure = admission_on(clock)
    for _ in range(100):
        measure.sliced([clock.monotonic()], 0, True, 5.0)
        clock._now += 10.0
    assert measure.burst_carried() < LEAST_BURST
    admission.came("a", LEAST_BURST)
    assert texts(admission) == []  # it is the bound that says so
    admission.came("a")
    assert len(texts(admission)) == 1


async def test_an_engine_opens_an_incident_and_lowers_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    settings = settings_of(tmp_path / "state", folder_source("drop", folder, level="auto"), critical_burst=3, critical_per_s=0.01)
    async with engine_on(settings) as engine:
        await pull(engine, Verb.OVERRIDE, "drop", level=Level.CRITICAL)
        for number in range(5):
            drop(folder, f"{number}.json", gexbot_at(2.0, f"S{number}"))
        await until(lambda: parts_of(engine).endings.completed == 5)

        async def open_kinds() -> list[str]:
            return [incident.kind for incident in (await engine.view()).incidents if incident.closed_at is None]

        async def told() -> bool:
            return Kind.ADMISSION_BROKEN in await open_kinds()

        await until(told)
        bound = (await engine.view()).bound
        assert bound is not None
        assert (bound.worst_s or 99.0) < 30.0
    assert [row["level"] for row in rows("SELECT level FROM jobs", settings.state)] == ["CRITICAL"] * 5


async def test_what_an_operator_makes_critical_counts_as_come(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    settings = settings_of(tmp_path / "state", folder_source("drop", folder, level="auto"), critical_burst=3, critical_per_s=0.01)
    async with engine_on(settings) as engine:
        await pull(engine, Verb.PAUSE, "drop")
        parts = parts_of(engine)
        await hand_in(engine, "drop", *(gexbot_at(400.0, f"S{number}") for number in range(5)))
        await pull(engine, Verb.OVERRIDE, "drop", level=Level.CRITICAL)
        conditions = parts.watch.conditions(parts.clock.now())
        assert Kind.ADMISSION_BROKEN in [condition.kind for condition in conditions]


async def test_an_engine_whose_disk_is_too_slow_for_the_promise_says_so_and_a_fresh_one_says_nothing(tmp_path: Path) -> None:
    async with engine_on(settings_of(tmp_path / "state", folder_source("drop", tmp_path / "in"))) as engine:
        parts = parts_of(engine)
        later = parts.clock.now() + 1_000.0

        def found() -> list[str]:
            return [c.text for at in (later, later + 6.0) for c in parts.watch.conditions(at) if c.key == "bound CRITICAL"]

        assert found() == []
        parts.picture._measure.received(46.9)
        [text] = found()
        assert "46.9 s to sync what comes: the disk" in text
