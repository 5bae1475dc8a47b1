"""What an earlier engine had completed and the tables have lost is done again, and what Redis lost is put again."""

from pathlib import Path

import duckdb

from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.lever import Verb
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, hand_in, parts_of, pull, rows, settings_of
from tests.queues.valkey_server import ValkeyServer
from tests.until import until


async def test_payloads_that_were_completed_and_have_no_rows_are_done_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = settings_of(state, folder_source("s", tmp_path / "in"))
    for number in range(6):
        drop(tmp_path / "in", f"{number}.json", b"{" + b" " * number if number in (2, 5) else gexbot_at(1.0, f"S{number}"))
    async with engine_on(settings, once=True) as engine:
        await engine.idle()
    before = {row["payload_name"]: row["status"] for row in rows("SELECT payload_name, status FROM jobs", state)}
    assert sorted(before.values()) == ["COMPLETED"] * 4 + ["DEAD"] * 2
    with duckdb.connect(str(state / "metadata.duckdb")) as tables:  # as where the end of its log is lost
        for table in ("dead_letters", "snapshots", "jobs"):
            lost = "SELECT job_id FROM jobs WHERE payload_name IN ('0.json', '5.json')"
            tables.execute(f"DELETE FROM {table} WHERE job_id IN ({lost})")
    async with engine_on(settings, once=True) as engine:
        await engine.idle()
        log = [line.text for line in (await engine.view()).log if line.grave]
    assert any("1 payloads were completed and have no rows" in text and "1 dead letters have none" in text for text in log)
    del before["5.json"]  # it may have been cancelled just before a kill: nobody does it again
    assert {row["payload_name"]: row["status"] for row in rows("SELECT payload_name, status FROM jobs", state)} == before
    [counts] = rows("SELECT count(*) AS n, count(DISTINCT payload_sha256) AS documents FROM snapshots", state)
    assert counts == {"n": 4, "documents": 4}
    [strikes] = rows("SELECT count(*) AS n FROM strikes", state)
    assert strikes == {"n": 8}
    async with engine_on(settings, once=True) as engine:
        await engine.idle()
        assert not any("1 payloads were completed" in line.text for line in (await engine.view()).log)
        assert engine.closing().received == 0


async def test_what_a_redis_with_an_older_file_has_lost_is_put_again_and_ends_once(tmp_path: Path) -> None:
    server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    settings = settings_of(tmp_path / "state", folder_source("s", tmp_path / "in"))
    settings = Settings.model_validate(settings.model_dump(exclude_unset=True) | {"redis": {"url": server.url}})
    try:
        async with engine_on(settings) as engine:
            parts = parts_of(engine)
            drop(tmp_path / "in", "old.json", gexbot_at(1.0, "OLD"))
            await until(lambda: parts.endings.completed == 1)
            await pull(engine, Verb.PAUSE, "s")
            await hand_in(engine, "s", gexbot_at(1.0, "KEPT"))
            copy = server.keep()
            await hand_in(engine, "s", *(gexbot_at(1.0, f"S{number}") for number in range(5)))
            server.start_from(copy)

            async def back() -> bool:
                return not parts.queue.away and len(await parts.queue.jobs_of("s")) == 6

            await until(back)

            async def told() -> bool:
                view = await engine.view()
                said = any(line.grave and "older" in line.text for line in view.log)
                return said and any(one.kind == Kind.REDIS_AWAY and "older" in one.text for one in view.incidents)

            await until(told)
            await pull(engine, Verb.RESUME, "s")
            await until(lambda: parts.endings.completed == 7)
            assert len(parts.flights) == 0
        [counts] = rows("SELECT count(*) AS n, count(DISTINCT payload_sha256) AS documents FROM snapshots", settings.state)
        assert counts == {"n": 7, "documents": 7}
        assert [row["n"] for row in rows("SELECT count(*) AS n FROM jobs WHERE status = 'COMPLETED'", settings.state)] == [7]
    finally:
        server.close()
