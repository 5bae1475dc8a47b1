"""The operator's levers on a real engine whose queue is full of work."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gexdesk.engine.engine import Engine
from gexdesk.model.errors import LeverRefused, QueueAway, StoreError, UnknownTarget
from gexdesk.model.job import Job
from gexdesk.model.level import Level
from gexdesk.model.lever import LEVER_LIMIT_S, Lever, Verb
from gexdesk.model.view.source import SourceView
from gexdesk.settings.desk import Settings
from gexdesk.stores.audit import Audit, AuditLine, verify
from tests.engine.desk_setting import (
    drop,
    engine_on,
    folder_source,
    gexbot_at,
    hand_in,
    in_house_at,
    parts_of,
    pull,
    rows,
    settings_of,
    source_of,
)
from tests.formats.format_samples import strike
from tests.queues.valkey_server import ValkeyServer
from tests.until import until


def settings_in(folder: Path) -> Settings:
    """Return two sources: what ``big`` sends is HIGH, what ``small`` sends is LOW."""
    return settings_of(
        folder / "state",
        folder_source("big", folder / "big", assume={"volume": 600_000, "open_interest": 1_400_000}),
        folder_source("small", folder / "small", assume={"volume": 10, "open_interest": 10}),
    )


@asynccontextmanager
async def stopped_engine(folder: Path) -> AsyncIterator[Engine]:
    """Run an engine whose kill switch is on, with three jobs of each source in its queue, the LOW ones first in time."""
    async with engine_on(settings_in(folder)) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        for source, letter in (("small", "S"), ("big", "B")):
            await hand_in(engine, source, *(gexbot_at(-1.0, f"{letter}{number}") for number in range(3)))
        yield engine


async def in_order(engine: Engine, *sources: str) -> list[str]:
    """Return the symbols of the queue in the order in which they would be served; of no other sources than these."""
    jobs = [job for source in sources or ("big", "small") for job in await parts_of(engine).queue.jobs_of(source)]
    peeked = await parts_of(engine).queue.peek(100)
    assert sorted(job.job_id for job in peeked) == sorted(job.job_id for job in jobs)
    return [job.symbol for job in peeked]


async def jobs_of(engine: Engine, source: str) -> list[Job]:
    return list(await parts_of(engine).queue.jobs_of(source))


async def _stands(engine: Engine, source: str, expected: list[Job]) -> bool:
    return await jobs_of(engine, source) == expected


def audit_of(folder: Path) -> list[AuditLine]:
    return Audit(folder / "state" / "audit.jsonl").read(100)


async def shown(engine: Engine, source: str) -> SourceView:
    """Return a source as a picture shows it that is taken from now on."""
    before = (await engine.view()).sequence
    await until(lambda: newer(engine, before))
    return source_of(await engine.view(), source)


async def newer(engine: Engine, sequence: int) -> bool:
    return (await engine.view()).sequence > sequence


async def test_an_override_moves_queued_jobs_at_once_and_what_comes_later(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        assert await in_order(engine) == ["B0", "B1", "B2", "S0", "S1", "S2"]
        before = await jobs_of(engine, "small")
        outcome = await pull(engine, Verb.OVERRIDE, "small", "CPI at 08:30", level=Level.CRITICAL, for_s=900)
        assert await in_order(engine) == ["S0", "S1", "S2", "B0", "B1", "B2"]
        assert (outcome.done, outcome.moved_jobs, outcome.before, outcome.after) == (True, 3, "LOW", "CRITICAL by jm")
        moved = await jobs_of(engine, "small")
        assert [(job.level, job.note) for job in moved] == [(Level.CRITICAL, "override by jm")] * 3
        assert [job.deadline_at for job in moved] == [job.received_at + 30.0 for job in before]
        assert [job.received_at for job in moved] == [job.received_at for job in before]
        await hand_in(engine, "small", gexbot_at(-1.0, "S3"))
        assert (await in_order(engine))[:4] == ["S0", "S1", "S2", "S3"]
        source = await shown(engine, "small")
        assert (source.level, source.why, source.override_by, source.override_reason) == (
            Level.CRITICAL, "override", "jm", "CPI at 08:30",
        )  # fmt: skip
        assert source.override_until == pytest.approx(time.time() + 900, abs=30)
        assert source.revision == outcome.revision == 2


async def test_promote_and_demote_move_one_level_and_stop_at_the_ends(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        for level in (Level.MEDIUM, Level.HIGH, Level.CRITICAL):
            await pull(engine, Verb.PROMOTE, "small")
            assert {job.level for job in await jobs_of(engine, "small")} == {level}
        with pytest.raises(LeverRefused, match="small is CRITICAL already"):
            await pull(engine, Verb.PROMOTE, "small")
        await pull(engine, Verb.DEMOTE, "big")
        assert await in_order(engine) == ["S0", "S1", "S2", "B0", "B1", "B2"]
        assert {job.level for job in await jobs_of(engine, "big")} == {Level.MEDIUM}
        await pull(engine, Verb.DEMOTE, "big")
        with pytest.raises(LeverRefused, match="big is LOW already"):
            await pull(engine, Verb.DEMOTE, "big")
        await pull(engine, Verb.OVERRIDE, "big", level=Level.LOW)  # exactly LOW says more than at most LOW


async def test_a_promotion_lowers_nothing_and_a_demotion_raises_nothing(tmp_path: Path) -> None:
    heavy = {"strikes": [strike(2000.0, call_open_interest=200_000), strike(2010.0)]}
    light = {"strikes": [strike(2000.0), strike(2010.0)]}
    async with stopped_engine(tmp_path) as engine:
        assert (await pull(engine, Verb.PROMOTE, "small")).after == "at least MEDIUM by jm"
        await hand_in(engine, "small", in_house_at(0.0, "S8", **heavy), in_house_at(0.0, "S9", **light))
        assert {job.symbol: job.level for job in await jobs_of(engine, "small")} == {
            "S0": Level.MEDIUM, "S1": Level.MEDIUM, "S2": Level.MEDIUM, "S8": Level.HIGH, "S9": Level.MEDIUM,
        }  # fmt: skip
        assert (await pull(engine, Verb.DEMOTE, "big")).after == "at most MEDIUM by jm"
        await hand_in(engine, "big", in_house_at(0.0, "B8", **heavy), in_house_at(0.0, "B9", **light))
        assert {job.symbol: job.level for job in await jobs_of(engine, "big")} == {
            "B0": Level.MEDIUM, "B1": Level.MEDIUM, "B2": Level.MEDIUM, "B8": Level.MEDIUM, "B9": Level.LOW,
        }  # fmt: skip


async def test_clear_gives_jobs_back_to_the_guidelines(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        before = await jobs_of(engine, "small")
        with pytest.raises(LeverRefused, match="small has no override to clear"):
            await pull(engine, Verb.CLEAR, "small")
        await pull(engine, Verb.OVERRIDE, "small", level=Level.CRITICAL)
        outcome = await pull(engine, Verb.CLEAR, "small", "open is over")
        assert (outcome.before, outcome.after, outcome.moved_jobs) == ("CRITICAL by jm", "as the guidelines decide", 3)
        assert await jobs_of(engine, "small") == before
        source = await shown(engine, "small")
        assert (source.why, source.override_by, source.override_until) == ("decided", "", None)


async def test_an_override_ends_on_time_and_the_jobs_go_back(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        before = await jobs_of(engine, "small")
        await pull(engine, Verb.OVERRIDE, "small", "for a moment", level=Level.HIGH, for_s=1.0)
        assert await jobs_of(engine, "small") != before
        await until(lambda: _stands(engine, "small", before), limit_s=10)
        await until(lambda: parts_of(engine).standing.own("small") is None)
        assert (await shown(engine, "small")).override_by == ""
    line = audit_of(tmp_path)[-1]
    assert (line.actor, line.target, line.before, line.after) == ("clock", "small", "HIGH by jm", "as the guidelines decide")
    [kept] = rows("SELECT * FROM overrides", tmp_path / "state")
    assert (kept["target"], kept["level"], kept["author"], kept["reason"]) == ("small", "HIGH", "jm", "for a moment")
    assert kept["ended_at"] >= kept["until"] > kept["since"]


async def test_a_lever_needs_a_reason_a_target_a_level_and_a_time_that_can_be(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path)) as engine:
        refusals: list[tuple[Lever, type[Exception], str]] = [
            (Lever(Verb.PAUSE, "big", ""), LeverRefused, "pause needs a reason; it goes to the audit"),
            (Lever(Verb.PAUSE_ALL, "", " \t"), LeverRefused, "pause_all needs a reason"),
            (Lever(Verb.PROMOTE, "nobody[/]\x1b[2J", "x"), UnknownTarget, r"is named 'nobody\[/\] \[2J'; there are big, small"),
            (Lever(Verb.PROMOTE, "0001", "x", target_kind="job"), UnknownTarget, "no job '0001' is known"),
            (Lever(Verb.PROMOTE, "QQQ", "x", target_kind="symbol"), UnknownTarget, "no source carries the symbol 'QQQ'"),
            (Lever(Verb.PROMOTE, "1", "x", target_kind="gap"), LeverRefused, "acts on a source, a symbol or a job, not on a gap"),
            (Lever(Verb.OVERRIDE, "big", "x"), LeverRefused, "override needs a level: one of CRITICAL, HIGH, MEDIUM, LOW"),
            (Lever(Verb.OVERRIDE, "big", "x", level=Level.HIGH, for_s=0.5), LeverRefused, "1 s to 30 days, .* not 0.5 s"),
            (Lever(Verb.PROMOTE, "big", "x", for_s=float("nan")), LeverRefused, "not nan s"),
            (Lever(Verb.PROMOTE, "big", "x", for_s=1e9), LeverRefused, "not 1e"),
            (Lever(Verb.RESUME, "big", "x"), LeverRefused, "big is not paused"),
            (Lever(Verb.RESUME_ALL, "", "x"), LeverRefused, "nothing is stopped"),
        ]
        for lever, kind, words in refusals:
            with pytest.raises(kind, match=words):
                await engine.pull(lever)
        assert (await shown(engine, "big")).revision == 1
    assert audit_of(tmp_path) == []


async def test_who_looked_before_another_acted_is_refused_and_told_who_it_was(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        seen = (await shown(engine, "big")).revision
        mine = Lever(Verb.DEMOTE, "big", "make room", actor="jm", seen_revision=seen)
        theirs = Lever(Verb.PAUSE, "big", "incident 41", actor="rk", seen_revision=seen)
        done = await asyncio.gather(engine.pull(theirs), engine.pull(mine), return_exceptions=True)
        assert not isinstance(done[0], BaseException)
        assert isinstance(done[1], LeverRefused)
        assert "big was changed by rk 0 s ago; nothing was sent, look again" in done[1].message
        assert done[1].details == {"revision": seen + 1}
        assert {job.level for job in await jobs_of(engine, "big")} == {Level.HIGH}
        await engine.pull(Lever(Verb.DEMOTE, "big", "make room", actor="jm", seen_revision=seen + 1))
    assert [(line.actor, line.act) for line in audit_of(tmp_path)] == [("jm", "pause_all"), ("rk", "pause"), ("jm", "demote")]


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        lines, before = len(audit_of(tmp_path)), [await jobs_of(engine, name) for name in ("big", "small")]
        standing = (tmp_path / "state" / "standing.json").read_bytes()
        outcome = await pull(engine, Verb.OVERRIDE, "small", "", level=Level.CRITICAL, dry_run=True)
        assert (outcome.done, outcome.before, outcome.after, outcome.moved_jobs) == (False, "LOW", "CRITICAL by jm", 3)
        assert "3 queued jobs moved up" in outcome.helps
        assert "up to 3 other jobs wait behind them" in outcome.costs
        for verb in (Verb.PROMOTE, Verb.PAUSE):
            assert not (await pull(engine, verb, "small", "", dry_run=True)).done
        assert not (await pull(engine, Verb.RESUME_ALL, dry_run=True)).done
        assert [await jobs_of(engine, name) for name in ("big", "small")] == before
        assert (await shown(engine, "small")).revision == 1
        assert (await engine.view()).stopped
        assert (tmp_path / "state" / "standing.json").read_bytes() == standing
        assert len(audit_of(tmp_path)) == lines


async def test_a_pause_holds_one_source_and_no_other(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        outcome = await pull(engine, Verb.PAUSE, "big", "incident 41")
        assert (outcome.moved_jobs, outcome.before, outcome.after) == (3, "running", "paused")
        with pytest.raises(LeverRefused, match="big is paused already"):
            await pull(engine, Verb.PAUSE, "big")
        drop(tmp_path / "big", "b3.json", gexbot_at(-1.0, "B3"))
        drop(tmp_path / "small", "s3.json", gexbot_at(-1.0, "S3"))
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: engine.closing().sources["small"].completed == 4)
        assert engine.closing().sources["big"].received == 3  # it is not fetched from
        assert engine.closing().completed == 4
        source = await shown(engine, "big")
        assert (source.state, source.paused_by, source.paused_reason, source.queued) == ("paused", "jm", "incident 41", 3)
        assert sum(level.paused for level in (await engine.view()).levels) == 3
        assert (await pull(engine, Verb.RESUME, "big")).moved_jobs == 3
        await until(lambda: engine.closing().sources["big"].completed == 4)
        assert engine.closing().open == 0


async def test_the_kill_switch_holds_everything_and_paused_sources_stay_paused_after_it(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        with pytest.raises(LeverRefused, match="everything is stopped already"):
            await pull(engine, Verb.PAUSE_ALL)
        drop(tmp_path / "big", "b3.json", gexbot_at(-1.0, "B3"))
        await pull(engine, Verb.PAUSE, "small")
        await until(lambda: incident_of(engine, "everything"))
        assert (await shown(engine, "big")).state == "stopped"
        view = await engine.view()
        assert (view.stopped, view.stopped_by) == (True, "jm")
        assert engine.closing().dispatches == 0
        assert engine.closing().received == 6
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: engine.closing().completed == 4)  # the three of big and the one that waited in its folder
        assert {job.symbol for job in await jobs_of(engine, "small")} == {"S0", "S1", "S2"}
        assert (await shown(engine, "big")).state == "live"
        view = await engine.view()
        assert (view.stopped, view.stopped_by) == (False, "")


async def incident_of(engine: Engine, subject: str) -> bool:
    return any(incident.subject == subject for incident in (await engine.view()).incidents)


async def test_what_operators_set_survives_a_restart(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        await pull(engine, Verb.OVERRIDE, "small", "CPI", level=Level.CRITICAL, for_s=3600)
        await pull(engine, Verb.PAUSE, "big", "incident 41")
        until_at = (await shown(engine, "small")).override_until
    async with engine_on(settings_in(tmp_path)) as engine:
        assert await in_order(engine, "small") == ["S0", "S1", "S2"]
        small, big = await shown(engine, "small"), await shown(engine, "big")
        assert (small.level, small.override_by, small.override_reason, small.override_until) == (
            Level.CRITICAL, "jm", "CPI", until_at,
        )  # fmt: skip
        assert (big.paused_by, big.paused_reason, big.queued) == ("jm", "incident 41", 3)
        assert (await engine.view()).stopped
        assert {job.level for job in await jobs_of(engine, "small")} == {Level.CRITICAL}
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: engine.closing().completed == 3)
        assert engine.closing().levels[Level.CRITICAL].count == 3
        await pull(engine, Verb.RESUME, "big")
        await until(lambda: engine.closing().completed == 6)
        await hand_in_one(engine, tmp_path)
        assert engine.closing().levels[Level.CRITICAL].count == 4
    [decision] = rows("SELECT * FROM decisions WHERE symbol = 'S9'", tmp_path / "state")
    assert (decision["winner"], decision["override_author"], decision["override_reason"]) == ("override", "jm", "CPI")


async def hand_in_one(engine: Engine, folder: Path) -> None:
    completed = engine.closing().completed
    drop(folder / "small", "s9.json", gexbot_at(-1.0, "S9"))
    await until(lambda: engine.closing().completed == completed + 1)


async def test_every_act_is_in_the_audit_which_holds_together(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path)) as engine:
        await pull(engine, Verb.PROMOTE, "small", "desk asked\x1b[2J")
        await pull(engine, Verb.CLEAR, "small", "over")
        await pull(engine, Verb.PAUSE, "big", "incident 41")
        await pull(engine, Verb.RESUME, "big", "incident over")
        await pull(engine, Verb.PAUSE_ALL, "", "drill")
        await pull(engine, Verb.RESUME_ALL, "", "drill over")
        await shown(engine, "big")
        log = [line.text for line in (await engine.view()).log if line.kind == "lever"]
    assert [(line.actor, line.act, line.target, line.reason, line.before, line.after) for line in audit_of(tmp_path)] == [
        ("jm", "promote", "small", "desk asked [2J", "MEDIUM", "at least HIGH by jm"),
        ("jm", "clear", "small", "over", "at least HIGH by jm", "as the guidelines decide"),
        ("jm", "pause", "big", "incident 41", "running", "paused"),
        ("jm", "resume", "big", "incident over", "paused", "running"),
        ("jm", "pause_all", "everything", "drill", "running", "stopped"),
        ("jm", "resume_all", "everything", "drill over", "stopped", "running"),
    ]
    assert verify(tmp_path / "state" / "audit.jsonl") == 6
    assert log[0].startswith("jm promote small: MEDIUM -> at least HIGH by jm, 0 queued jobs moved (desk asked [2J)")


async def test_an_act_that_cannot_be_logged_is_not_done(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        audit = tmp_path / "state" / "audit.jsonl"
        audit.rename(audit.with_name("aside"))
        audit.mkdir()
        before = await jobs_of(engine, "small")
        for verb, target in ((Verb.PROMOTE, "small"), (Verb.PAUSE, "small"), (Verb.RESUME_ALL, "")):
            with pytest.raises(StoreError, match="audit"):
                await pull(engine, verb, target)
        source = await shown(engine, "small")
        assert (source.override_by, source.revision) == ("", 1)
        assert parts_of(engine).standing.pause_of("small") is None
        assert await jobs_of(engine, "small") == before
        assert (await engine.view()).stopped


async def test_an_act_that_fails_changes_nothing_and_the_audit_says_so(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        standing = tmp_path / "state" / "standing.json"
        kept = json.loads(standing.read_bytes())
        standing.unlink()
        standing.mkdir()
        (standing / "in the way").touch()
        with pytest.raises(StoreError, match=r"standing\.json could not be written .*; nothing was changed"):
            await pull(engine, Verb.PAUSE, "big", "incident 41")
        assert parts_of(engine).standing.pause_of("big") is None
        assert [job.symbol for job in await parts_of(engine).queue.peek(3)] == ["B0", "B1", "B2"]
    assert set(kept) == {"sha256", "overrides", "pauses", "stopped", "skipped"}
    assert [(line.act, line.target) for line in audit_of(tmp_path)[-2:]] == [("pause", "big"), ("pause failed", "big")]


async def test_a_damaged_standing_file_stops_the_start_and_is_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with engine_on(settings):
        pass
    (tmp_path / "state" / "standing.json").write_text('{"overrides": ')
    with pytest.raises(StoreError, match=r"standing\.json holds overrides and pauses and cannot be read"):
        async with engine_on(settings):
            pass
    (tmp_path / "state" / "standing.json").unlink()
    async with engine_on(settings):  # the folder is free again
        pass


async def test_the_level_an_operator_was_shown_is_the_one_that_is_set(tmp_path: Path) -> None:
    """An auto source's decided level may move between the dialog and Enter; what was agreed to is what is done."""
    async with stopped_engine(tmp_path) as engine:
        outcome = await pull(engine, Verb.PROMOTE, "small", level=Level.CRITICAL)
        assert (outcome.before, outcome.after) == ("LOW", "at least CRITICAL by jm")
        with pytest.raises(LeverRefused, match="small is CRITICAL already"):
            await pull(engine, Verb.PROMOTE, "small", level=Level.CRITICAL)


async def test_a_pause_that_a_crash_left_half_done_is_agreed_on_at_the_next_start(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        await pull(engine, Verb.PAUSE, "small")
    standing = tmp_path / "state" / "standing.json"
    kept = json.loads(standing.read_text())
    kept["pauses"] = {"big": kept["pauses"]["small"]}
    del kept["sha256"]  # as whoever writes it by hand
    standing.write_text(json.dumps(kept))
    async with engine_on(settings_in(tmp_path)) as engine:
        assert parts_of(engine).queue.state().paused == {"big"}


async def test_a_lever_whose_sender_gave_up_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        late = Lever(Verb.PAUSE, "small", "vendor call", not_after=time.time() - 0.1)
        with pytest.raises(LeverRefused, match="nothing was done, try again"):
            await engine.pull(late)
        assert (await shown(engine, "small")).paused_by == ""


async def test_a_reason_of_control_characters_is_none(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        with pytest.raises(LeverRefused, match="needs a reason"):
            await engine.pull(Lever(Verb.PAUSE, "small", "\x1b\x07"))


async def test_an_engine_that_was_killed_is_said_at_the_next_start(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path):
        mark = tmp_path / "state" / "running"
        assert mark.exists()
    assert not mark.exists(), "a clean end takes its mark away"
    mark.touch()
    async with engine_on(settings_in(tmp_path)) as engine:
        await until(lambda: incident_of(engine, "engine"))


async def test_the_kill_switch_acts_in_time_after_a_lever_that_waits_for_a_redis_that_hangs(tmp_path: Path) -> None:
    server = ValkeyServer()
    settings = Settings.model_validate(settings_in(tmp_path).model_dump(exclude_unset=True) | {"redis": {"url": server.url}})
    try:
        async with engine_on(settings) as engine:
            parts = parts_of(engine)
            await pull(engine, Verb.PAUSE, "small")
            await hand_in(engine, "small", gexbot_at(-1.0, "S0"))
            server.freeze()
            began = time.monotonic()
            promote = asyncio.ensure_future(pull(engine, Verb.PROMOTE, "small"))
            await asyncio.sleep(0.1)
            await pull(engine, Verb.PAUSE_ALL, not_after=time.time() + LEVER_LIMIT_S)
            assert time.monotonic() - began < LEVER_LIMIT_S
            assert parts.standing.stopped is not None
            with pytest.raises(LeverRefused, match="Redis does not answer"):
                await promote
            assert parts.standing.own("small") is None
            server.thaw()
            await until(lambda: server.blunt().keys("*stopped*") != [])
    finally:
        server.close()


async def test_jobs_that_a_hanging_redis_moved_for_a_refused_lever_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ValkeyServer()
    settings = Settings.model_validate(settings_in(tmp_path).model_dump(exclude_unset=True) | {"redis": {"url": server.url}})
    try:
        async with engine_on(settings) as engine:
            parts = parts_of(engine)
            await pull(engine, Verb.PAUSE, "small")
            await hand_in(engine, "small", gexbot_at(-1.0, "S0"))
            relevel, moved = parts.queue.relevel, asyncio.Event()

            async def done_and_unanswered(*arguments: Any, **place: Any) -> int:
                await relevel(*arguments, **place)
                if moved.is_set():
                    return 1
                moved.set()
                assert [job.level for job in await jobs_of(engine, "small")] == [Level.MEDIUM]
                raise QueueAway("no answer in time")

            monkeypatch.setattr(parts.queue, "relevel", done_and_unanswered)
            with pytest.raises(LeverRefused, match="small stays as it was, and queued jobs that were moved all the same go back"):
                await pull(engine, Verb.PROMOTE, "small")
            assert parts.standing.own("small") is None
            assert audit_of(tmp_path)[-1].act == "promote failed"

            async def back() -> bool:
                return [job.level for job in await jobs_of(engine, "small")] == [Level.LOW]

            await until(back)
    finally:
        server.close()
