"""Overrides with a calendar: armed and ended on time, shown before, warned of, by New York's clock on every date."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from gexdesk.assemble.desk import assemble
from gexdesk.engine.levers.targets import Target
from gexdesk.engine.schedules import Schedule
from gexdesk.model.clock import SystemClock
from gexdesk.model.daytime import days_since_1970, read_span
from gexdesk.model.decision import Bound
from gexdesk.model.errors import StoreError
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.market import NEW_YORK
from gexdesk.settings.desk import Settings
from gexdesk.stores.audit import Audit
from tests.engine.desk_setting import folder_source, gexbot_at, hand_in, parts_of, pull, rows
from tests.engine.test_levers import jobs_of
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

WEEKDAYS = frozenset(range(5))


def at(text: str, fold: int = 0) -> float:
    """Return a moment of New York's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold).timestamp()


def daily(span: str, *days: int) -> Schedule:
    """Return a schedule that does not ask whether the exchange trades."""
    return schedule(span, weekdays=frozenset(days), trading_days=False)


def on_dates(span: str, *dates: str) -> Schedule:
    return schedule(span, weekdays=frozenset(), dates=dates)


def schedule(span: str, *, weekdays: frozenset[int] = WEEKDAYS, dates: tuple[str, ...] = (), trading_days: bool = True) -> Schedule:
    return Schedule(
        "cpi", Target("symbol", "SPX"), Level.CRITICAL, Bound.EXACTLY, "CPI", read_span(span), weekdays,
        frozenset(map(days_since_1970, dates)), trading_days,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "now", "begins", "ends"),
    [
        (schedule("08:25-08:45"), "2026-03-02T08:00", "2026-03-02T08:25", "2026-03-02T08:45"),
        (schedule("08:25-08:45"), "2026-03-02T08:25", "2026-03-02T08:25", "2026-03-02T08:45"),
        (schedule("08:25-08:45"), "2026-03-02T08:45", "2026-03-03T08:25", "2026-03-03T08:45"),
        (schedule("08:25-08:45"), "2026-03-06T09:00", "2026-03-09T08:25", "2026-03-09T08:45"),  # over the weekend the clocks change
        (schedule("08:25-08:45"), "2026-11-25T09:00", "2026-11-27T08:25", "2026-11-27T08:45"),  # Thanksgiving is no trading day
        (daily("08:25-08:45", *range(7)), "2026-11-25T09:00", "2026-11-26T08:25", "2026-11-26T08:45"),
        (schedule("08:25-08:45", weekdays=frozenset({5})), "2026-03-02T09:00", None, None),  # no Saturday trades
        (schedule("23:00-01:00", weekdays=frozenset({0})), "2026-03-03T00:30", "2026-03-02T23:00", "2026-03-03T01:00"),
        (on_dates("08:25-08:45", "2026-06-10"), "2026-03-02T09:00", "2026-06-10T08:25", "2026-06-10T08:45"),
        (on_dates("08:25-08:45", "2026-02-10"), "2026-03-02T09:00", None, None),
        # The night the clocks go back has 01:30 twice, the one they go forward has no 02:30.
        (daily("01:30-03:30", 6), "2026-11-01T00:00", "2026-11-01T01:30", "2026-11-01T03:30"),
        (daily("02:30-04:00", 6), "2026-03-08T00:00", "2026-03-08T03:30", "2026-03-08T04:00"),
    ],
)
def test_the_occurrence_that_is_on_or_the_next_one(made: Schedule, now: str, begins: str | None, ends: str | None) -> None:
    expected = None if begins is None or ends is None else (at(begins), at(ends))
    assert made.occurrence(at(now)) == expected


def test_a_span_over_the_hour_that_comes_twice_is_an_hour_longer() -> None:
    begins, ends = schedule("00:30-03:30", trading_days=False).span.on(days_since_1970("2026-11-01"))
    assert ends - begins == 4 * 3600
    begins, ends = schedule("00:30-03:30", trading_days=False).span.on(days_since_1970("2026-03-08"))
    assert ends - begins == 2 * 3600


class ShiftedClock(SystemClock):
    """The machine's clock, set to another time; it runs on, and a test can push it."""

    def __init__(self, now: float) -> None:
        self.shift_s = now - SystemClock().now()

    def now(self) -> float:
        return super().now() + self.shift_s


@asynccontextmanager
async def desk(
    folder: Path, clock: ShiftedClock, *, redis: dict[str, str] | None = None, **fields: object
) -> AsyncIterator:  # type: ignore[type-arg]
    """Run a desk whose ``small`` is LOW and is CRITICAL by a schedule from 08:25 to 08:45."""
    table = {"name": "cpi", "target": "small", "level": "CRITICAL", "from": "08:25", "to": "08:45", "reason": "CPI at 08:30"}
    settings = Settings.model_validate(
        {
            "state": folder / "state",
            "sources": [folder_source("small", folder / "small", assume={"volume": 10, "open_interest": 10})],
            "schedules": [table | fields],
        }
        | ({} if redis is None else {"redis": redis})
    )
    engine = assemble(settings, clock)
    await engine.start()
    try:
        if parts_of(engine).standing.stopped is None:
            await pull(engine, Verb.PAUSE_ALL)
        yield engine
    finally:
        await engine.close()


def snapshot(clock: ShiftedClock, symbol: str) -> bytes:
    """Return a fresh snapshot by the desk's clock."""
    return gexbot_at(-clock.shift_s, symbol)


async def test_it_arms_within_a_second_warns_and_ends_on_time_and_the_audit_has_it(tmp_path: Path) -> None:
    clock = ShiftedClock(at("2026-03-02T08:20"))
    async with desk(tmp_path, clock) as engine:
        await hand_in(engine, "small", snapshot(clock, "S0"))
        [shown] = (await engine.view()).schedules
        assert (shown.name, shown.target, shown.words, shown.in_force) == ("cpi", "small", "CRITICAL", False)
        assert (shown.arms_at, shown.ends_at) == (at("2026-03-02T08:25"), at("2026-03-02T08:45"))
        before = await jobs_of(engine, "small")
        assert {job.level for job in before} == {Level.LOW}
        clock.shift_s += at("2026-03-02T08:24:59.500") - clock.now()
        await until(lambda: _levels(engine, {Level.CRITICAL}))
        assert clock.now() - at("2026-03-02T08:25") < 1.0
        await hand_in(engine, "small", snapshot(clock, "S1"))
        assert {job.level for job in await jobs_of(engine, "small")} == {Level.CRITICAL}
        clock.shift_s += at("2026-03-02T08:44:00") - clock.now()
        await until(lambda: any("schedule cpi ends at 08:45:00" in line.text for line in parts_of(engine).chronicle.lines()))
        assert parts_of(engine).standing.override("small", clock.now()) is not None
        clock.shift_s += at("2026-03-02T08:44:59.500") - clock.now()
        await until(lambda: _levels(engine, {Level.LOW}))
        assert 0.0 <= clock.now() - at("2026-03-02T08:45") < 1.0
        assert before[0] in await jobs_of(engine, "small")
        await until(lambda: _shown_next(engine))
    acts = [(line.actor, line.act, line.target, line.after) for line in Audit(tmp_path / "state" / "audit.jsonl").read(9)[1:]]
    assert acts == [
        ("schedule", "armed", "small", "CRITICAL until 08:45:00 New York"),
        ("schedule", "ended", "small", "as the guidelines decide"),
    ]


async def _levels(engine, expected: set[Level]) -> bool:  # type: ignore[no-untyped-def]
    return {job.level for job in await jobs_of(engine, "small")} == expected


async def _shown_next(engine) -> bool:  # type: ignore[no-untyped-def]
    [shown] = (await engine.view()).schedules
    return not shown.in_force and shown.arms_at == at("2026-03-03T08:25")


async def test_what_is_on_at_the_start_governs_the_first_decision(tmp_path: Path) -> None:
    clock = ShiftedClock(at("2026-03-02T08:30"))
    async with desk(tmp_path, clock) as engine:
        await hand_in(engine, "small", snapshot(clock, "S0"))
        assert {job.level for job in await jobs_of(engine, "small")} == {Level.CRITICAL}
    async with desk(tmp_path, ShiftedClock(at("2026-03-02T08:50"))) as engine:
        assert await _levels(engine, {Level.LOW})  # ended while no engine ran


async def test_an_operator_goes_before_a_schedule_and_may_end_it_early_for_this_time(tmp_path: Path) -> None:
    clock = ShiftedClock(at("2026-03-02T08:30"))
    async with desk(tmp_path, clock) as engine:
        await hand_in(engine, "small", snapshot(clock, "S0"))
        await pull(engine, Verb.OVERRIDE, "small", "quiet", level=Level.HIGH)
        assert await _levels(engine, {Level.HIGH})
        outcome = await pull(engine, Verb.CLEAR, "small", "enough")
        assert outcome.after == "CRITICAL by schedule cpi"
        assert await _levels(engine, {Level.CRITICAL})
        outcome = await pull(engine, Verb.CLEAR, "small", "the release was postponed")
        assert (outcome.before, outcome.after) == ("CRITICAL by schedule cpi", "as the guidelines decide")
        assert await _levels(engine, {Level.LOW})
        await until(lambda: _skipped(engine))
    async with desk(tmp_path, ShiftedClock(at("2026-03-02T08:40"))) as engine:
        assert await _levels(engine, {Level.LOW})  # also after a restart
    async with desk(tmp_path, ShiftedClock(at("2026-03-03T08:40"))) as engine:
        assert await _levels(engine, {Level.CRITICAL})


async def test_an_act_on_what_a_schedule_governs_that_fails_leaves_the_schedules_and_nothing_of_an_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ShiftedClock(at("2026-03-02T08:30"))
    async with desk(tmp_path, clock) as engine:
        await hand_in(engine, "small", snapshot(clock, "S0"))
        parts = parts_of(engine)

        async def refuses(*_: object, **__: object) -> int:
            raise StoreError("the disk is full")

        for verb, fields in ((Verb.OVERRIDE, {"level": Level.HIGH}), (Verb.CLEAR, {})):
            with monkeypatch.context() as broken:
                broken.setattr(parts.queue, "relevel", refuses)
                with pytest.raises(StoreError, match="disk is full"):
                    await pull(engine, verb, "small", **fields)
            assert parts.standing.own("small") is None
            await until(lambda: parts.standing.scheduled("small", clock.now()) is not None)
            assert not parts.standing.skips("cpi", at("2026-03-02T08:45"))
        assert await _levels(engine, {Level.CRITICAL})


async def test_an_engine_starts_without_redis_and_a_schedule_governs_at_once_and_moves_when_redis_is_back(tmp_path: Path) -> None:
    server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    redis = {"url": server.url}
    try:
        clock = ShiftedClock(at("2026-03-02T08:20"))
        async with desk(tmp_path, clock, redis=redis) as engine:
            await hand_in(engine, "small", snapshot(clock, "S0"))
            assert await _levels(engine, {Level.LOW})
        server.kill()
        async with desk(tmp_path, (clock := ShiftedClock(at("2026-03-02T08:30"))), redis=redis) as engine:
            governing = parts_of(engine).standing.override("small", clock.now())
            assert governing is not None
            assert governing.level is Level.CRITICAL
            server.start()
            await until(lambda: not parts_of(engine).queue.away)
            await until(lambda: _levels(engine, {Level.CRITICAL}))
            server.kill()
            await until(lambda: parts_of(engine).queue.away)
            clock.shift_s += at("2026-03-02T08:45:01") - clock.now()
            await until(lambda: not parts_of(engine).standing.armed)
            server.start()
            await until(lambda: not parts_of(engine).queue.away)
            await until(lambda: _levels(engine, {Level.LOW}))
        acts = [line.act for line in Audit(tmp_path / "state" / "audit.jsonl").read(9) if line.actor == "schedule"]
        assert acts == ["armed", "ended"]
    finally:
        server.close()


async def test_a_schedules_override_is_recorded_as_one_with_its_author_and_its_end(tmp_path: Path) -> None:
    """Set, ended by a stop, in force again for the next engine of the same occurrence, ended early by an operator, and on time."""

    def recorded() -> list[dict[str, object]]:
        names = "target_kind, target, level, author, reason"
        times = ", ".join(f"epoch({name}) AS {name}" for name in ("since", "until", "ended_at"))
        return rows(f"SELECT {names}, {times} FROM overrides ORDER BY since", tmp_path / "state")

    begins, ends = at("2026-03-02T08:25"), at("2026-03-02T08:45")
    held = {"target_kind": "source", "target": "small", "level": "CRITICAL", "author": "schedule cpi", "reason": "CPI at 08:30"}
    async with desk(tmp_path, (clock := ShiftedClock(at("2026-03-02T08:30")))) as engine:
        await until(lambda: _held(engine, 1))
    [first] = recorded()
    assert first == held | {"since": begins, "until": ends, "ended_at": pytest.approx(clock.now(), abs=5.0)}
    async with desk(tmp_path, (clock := ShiftedClock(at("2026-03-02T08:35")))) as engine:
        await until(lambda: _held(engine, 1))
        await pull(engine, Verb.CLEAR, "small", "postponed")
        cleared_at = clock.now()
        await until(lambda: _held(engine, 0))
        clock.shift_s += at("2026-03-03T08:44:59") - clock.now()
        await until(lambda: _levels_armed(engine))
        await until(lambda: not parts_of(engine).standing.armed)
    one, two = recorded()
    assert one == held | {"since": begins, "until": ends, "ended_at": pytest.approx(cleared_at, abs=5.0)}
    day = 86_400.0
    assert two == held | {"since": begins + day, "until": ends + day, "ended_at": pytest.approx(ends + day, abs=1.0)}


async def _held(engine, count: int) -> bool:  # type: ignore[no-untyped-def]
    sql = "SELECT 1 FROM overrides WHERE ended_at IS NULL"
    return len(await parts_of(engine).keeper.reading(lambda metadata: metadata._found(sql, {}))) == count


async def _levels_armed(engine) -> bool:  # type: ignore[no-untyped-def]
    return bool(parts_of(engine).standing.armed)


async def _skipped(engine) -> bool:  # type: ignore[no-untyped-def]
    [shown] = (await engine.view()).schedules
    return shown.skipped and not shown.in_force


async def test_a_schedule_of_a_symbol_with_a_floor_lowers_nothing(tmp_path: Path) -> None:
    clock = ShiftedClock(at("2026-03-02T08:30"))
    source = folder_source("small", tmp_path / "small", symbols=["S0"], assume={"volume": 10, "open_interest": 10})
    table = {"name": "open", "target": "S0", "level": "MEDIUM", "from": "08:25", "to": "08:45", "reason": "open"}
    table["bound"] = "at_least"
    settings = Settings.model_validate({"state": tmp_path / "state", "sources": [source], "schedules": [table]})
    engine = assemble(settings, clock)
    await engine.start()
    try:
        await pull(engine, Verb.PAUSE_ALL)
        await hand_in(engine, "small", snapshot(clock, "S0"), snapshot(clock, "S1"))
        assert {job.symbol: job.level for job in await jobs_of(engine, "small")} == {"S0": Level.MEDIUM, "S1": Level.LOW}
        [shown] = (await engine.view()).schedules
        assert (shown.kind, shown.words) == ("symbol", "at least MEDIUM")
    finally:
        await engine.close()
