"""What a decision on a running desk rests on: standing levels, the first snapshot, hints of requests, a symbol's own history."""

from pathlib import Path

from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.payload import Arrival, Asked
from tests.engine.desk_setting import (
    chain_at,
    drop,
    engine_on,
    folder_source,
    gexbot_at,
    hand_in,
    parts_of,
    pull,
    rows,
    settings_of,
    source_of,
)
from tests.until import until

SMALL = {"volume": 10, "open_interest": 10}


async def test_a_standing_level_is_shown_and_gives_its_turn_and_the_guidelines_decide_the_job(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path / "state",
        folder_source("high", tmp_path / "high", level="HIGH", assume=SMALL),
        folder_source("auto", tmp_path / "auto", level="auto", assume=SMALL),
        folder_source("none", tmp_path / "none", level="", assume=SMALL),
    )
    async with engine_on(settings) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        view = await engine.view()
        assert [(source_of(view, name).level, source_of(view, name).why) for name in ("high", "auto", "none")] == [
            (Level.HIGH, "standing"), (Level.MEDIUM, "decided"), (None, ""),
        ]  # fmt: skip
        assert source_of(view, "none").state == "unassigned"
        await hand_in(engine, "high", gexbot_at(-1.0), b"{no json")
        await hand_in(engine, "auto", gexbot_at(-1.0), b"{no json")
        queued = [job for name in ("high", "auto") for job in await parts_of(engine).queue.jobs_of(name)]
        jobs = {(job.source, job.symbol): job.level for job in queued}
        # What cannot be decided has its source's level: the standing one, or that of the last decision.
        assert jobs == {
            ("high", "SPX"): Level.LOW, ("high", ""): Level.HIGH, ("auto", "SPX"): Level.LOW, ("auto", ""): Level.LOW,
        }  # fmt: skip
        await pull(engine, Verb.RESUME_ALL)
        drop(tmp_path / "none", "a.json", gexbot_at(0.0))
        await until(lambda: parts_of(engine).endings.completed + parts_of(engine).endings.dead == 4)

        async def shown_so() -> bool:  # a picture is up to a quarter of a second old
            return source_of(await engine.view(), "auto").level is Level.LOW

        await until(shown_so)
        assert source_of(await engine.view(), "none").received == 0


async def test_a_hint_asks_and_does_not_decide(tmp_path: Path) -> None:
    async with engine_on(settings_of(tmp_path / "state", folder_source("a", tmp_path / "a", assume=SMALL))) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        for hint in ("low", "critical"):
            asked = Asked(f"req-{hint}", "snapshot", 500, "high", hint)
            body = gexbot_at(-1.0, f"{hint[0].upper()}1")
            arrival = Arrival("a", body, parts_of(engine).clock.now(), asked=asked)
            await parts_of(engine).receive.deliver_asked(arrival, lambda _: None)

        async def both() -> bool:
            return len(await parts_of(engine).queue.jobs_of("a")) == 2

        await until(both)
        [critical, low] = await parts_of(engine).queue.jobs_of("a")
        assert (critical.symbol, low.symbol) == ("C1", "L1")  # the score of the one that was asked for goes before
        assert {critical.level, low.level} == {Level.LOW}
    columns = "data_type, expected_records, data_quality, priority_hint, level"
    decided = rows(f"SELECT {columns} FROM decisions ORDER BY priority_hint", tmp_path / "state")
    assert [tuple(row.values()) for row in decided] == [
        ("snapshot", 500, "high", "critical", "LOW"), ("snapshot", 500, "high", "low", "LOW"),
    ]  # fmt: skip


async def test_what_a_decision_rested_on_is_recorded_with_it(tmp_path: Path) -> None:
    async with engine_on(settings_of(tmp_path / "state", folder_source("a", tmp_path / "a", delay_s=0.0))) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        # Of one minute, and little more: while the market is open what grows by half is held back.
        await hand_in(engine, "a", chain_at(1.0, contracts=200), chain_at(1.0, contracts=201))
        past = parts_of(engine).triage._precedents.history
        assert len(past._open_interest["SPX"]._by_size) == 1  # one a minute
    [first, second] = rows("SELECT * FROM decisions ORDER BY decided_at", tmp_path / "state")
    assert "no previous snapshot in this session: change counts as medium" in first["reason"]
    assert (first["spot_move"], first["gamma_change"], first["minutes_since_changed"]) == (None, None, None)
    assert second["spot_move"] == 0.0
    assert second["gamma_change"] is not None
    assert second["minutes_since_changed"] == 0.0
    assert second["zero_dte_share"] == 0.0  # it expires in a month
    assert (second["gamma_change_5m"], second["volume_percentile"]) == (None, None)
    async with engine_on(settings_of(tmp_path / "state", folder_source("a", tmp_path / "a", delay_s=0.0))) as engine:
        assert len(parts_of(engine).triage._precedents.history._open_interest["SPX"]._by_size) == 1
