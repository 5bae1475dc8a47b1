"""High water: LOW is set aside and comes back by itself, MEDIUM waits at the door, HIGH and CRITICAL go on; nothing is lost."""

import asyncio
from pathlib import Path

from gexdesk.engine.engine import Engine
from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.clock import SystemClock
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.payload import Arrival
from gexdesk.settings.desk import Settings
from gexdesk.stores.spool import Spool
from tests.engine.desk_setting import engine_on, folder_source, gexbot_at, parts_of, pull, rows, settings_of
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

LEVELS = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


def settings_at(tmp_path: Path, **engine: object) -> Settings:
    sources = [folder_source(level.lower(), tmp_path / level, level=level, format="gexbot") for level in LEVELS]
    return settings_of(tmp_path / "state", *sources, **{"high_jobs": 20, **engine})


async def hand_in(engine: Engine, source: str, numbers: range) -> None:
    """Deliver stale documents, LOW by the guidelines, until all are decided."""
    parts = parts_of(engine)
    for number in numbers:
        body = gexbot_at(4_000.0, f"{source[:3].upper()}{number}")
        await parts.receive.deliver(Arrival(source, body, parts.clock.now()))
        await until(lambda: parts.triage.undecided == 0, every_s=0.001)


async def test_low_is_set_aside_and_comes_back_below_half(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    async with engine_on(settings) as engine:
        parts = parts_of(engine)
        await pull(engine, Verb.PAUSE_ALL)
        await hand_in(engine, "low", range(30))
        assert (len(parts.flights), parts.water.aside, parts.water.shed) == (15, 15, 15)  # with the next it were 80% of 20
        view = await anext(engine.views())
        assert (view.received, view.in_flight, view.shed, view.aside) == (30, 30, 15, 15)
        assert engine.closing().open == 30

        async def told() -> bool:
            incidents = (await engine.view()).incidents
            return any(one.kind == Kind.SHEDDING and "15 LOW are set aside" in one.text for one in incidents)

        await until(told)
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: parts.endings.completed == 30)
        assert (parts.water.aside, parts.water.shed, engine.closing().open) == (0, 15, 0)
        assert len(parts.flights) == parts.flights.size_bytes == 0
    jobs = rows("SELECT status, payload_sha256 FROM jobs", settings.state)
    assert len({job["payload_sha256"] for job in jobs}) == 30
    assert {job["status"] for job in jobs} == {"COMPLETED"}


async def test_bytes_fill_it_as_well_as_numbers(tmp_path: Path) -> None:
    async with engine_on(settings_at(tmp_path, high_jobs=10_000, high_gb=4e-6)) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        await hand_in(engine, "low", range(30))
        assert 0 < parts_of(engine).water.aside < 30


async def test_medium_waits_at_the_door_while_high_and_critical_come_in(tmp_path: Path) -> None:
    async with engine_on(settings_at(tmp_path)) as engine:
        parts = parts_of(engine)
        await pull(engine, Verb.PAUSE_ALL)
        for level in LEVELS[:3]:
            await pull(engine, Verb.OVERRIDE, level.lower(), level=Level(level))
        await hand_in(engine, "high", range(18))
        held = asyncio.create_task(hand_in(engine, "medium", range(1)))
        await until(lambda: parts.water.held == ("medium",))
        await hand_in(engine, "critical", range(5))
        await hand_in(engine, "high", range(18, 25))
        assert parts.water.level == 1.5
        assert (parts.water.shed, held.done()) == (0, False)
        await pull(engine, Verb.RESUME_ALL)
        await held
        await until(lambda: parts.endings.completed == 31)
        assert parts.water.held == ()


async def test_what_is_set_aside_outlives_a_kill_and_is_sorted_anew(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    async with engine_on(settings) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        await hand_in(engine, "low", range(25))
        assert parts_of(engine).water.aside == 10
    # Nothing of it is in the journal: to the next engine it is what a kill between acknowledgement and queueing leaves.
    spool = Spool(settings.state / "spool", clock=SystemClock())
    await spool.open()
    assert len(list(spool.scan())) == 25
    await spool.close()
    async with engine_on(settings) as engine:
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: parts_of(engine).endings.completed == 25)


async def test_what_comes_back_is_queued_as_overrides_want_it_now_watched_and_put_again_where_redis_lost_it(tmp_path: Path) -> None:
    server = ValkeyServer()
    settings = settings_at(tmp_path)
    redis = {"url": server.url, "prefix": "water"}
    try:
        async with engine_on(Settings.model_validate(settings.model_dump(exclude_unset=True) | {"redis": redis})) as engine:
            parts = parts_of(engine)
            await pull(engine, Verb.PAUSE_ALL)
            await hand_in(engine, "low", range(20))
            assert parts.water.aside == 5
            await pull(engine, Verb.OVERRIDE, "low", level=Level.HIGH)
            parts.water._high_jobs = 1_000  # the water has fallen, and nothing was claimed

            async def all_high() -> bool:
                return [job.level for job in await parts.queue.jobs_of("low")] == [Level.HIGH] * 20

            await until(all_high)
            assert parts.water.aside == 0
            assert len({job.job_id for _, _, _, job in parts.escalate._watched[Level.HIGH]}) == 20
            server.blunt().flushall()
            await until(lambda: parts.queue.losses == 1)
            await until(all_high)
    finally:
        server.close()
