"""Levers on symbols, single jobs and dead letters; and taking one's last lever back."""

import json
from pathlib import Path

import pytest

from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.job import Job, JobStatus
from gexdesk.model.level import Level
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.look.source import DeadLook, DeadSeen
from tests.engine.desk_setting import engine_on, gexbot_at, hand_in, parts_of, pull, rows, source_of
from tests.engine.test_levers import audit_of, in_order, jobs_of, settings_in, stopped_engine
from tests.until import until

C, H, M, L = Level


async def of_symbol(engine, verb: Verb, symbol: str, **fields) -> LeverOutcome:  # type: ignore[no-untyped-def]
    return await pull(engine, verb, symbol, target_kind="symbol", **fields)


async def by_symbol(engine) -> dict[str, Level]:  # type: ignore[no-untyped-def]
    jobs: list[Job] = [*await jobs_of(engine, "small"), *await jobs_of(engine, "big")]
    return {job.symbol: job.level for job in jobs}


async def test_an_override_of_a_symbol_moves_its_jobs_of_any_source_and_what_comes_later(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        await hand_in(engine, "big", gexbot_at(-1.0, "S1"))
        outcome = await of_symbol(engine, Verb.OVERRIDE, "S1", level=C, reason="CPI")
        assert (outcome.before, outcome.after, outcome.moved_jobs, outcome.revision) == ("HIGH", "CRITICAL by jm", 2, 2)
        moved = [job for source in ("small", "big") for job in await jobs_of(engine, source) if job.symbol == "S1"]
        assert [(job.level, job.note) for job in moved] == [(C, "override by jm")] * 2
        assert (await by_symbol(engine))["S0"] is L
        await hand_in(engine, "small", gexbot_at(-0.5, "S1"), gexbot_at(-0.5, "S3"))
        assert [job.level for job in await jobs_of(engine, "small") if job.symbol in {"S1", "S3"} and not job.superseded] == [C, L]
        [shown] = (await newest(engine)).overrides
        assert (shown.kind, shown.target, shown.words, shown.author, shown.reason) == ("symbol", "S1", "CRITICAL", "jm", "CPI")
        await of_symbol(engine, Verb.CLEAR, "S1", seen_revision=2)
        assert (await by_symbol(engine))["S1"] is H
        with pytest.raises(LeverRefused, match="symbol S1 was changed by jm"):
            await of_symbol(engine, Verb.PROMOTE, "S1", seen_revision=2)
    line = audit_of(tmp_path)[-2]
    assert (line.act, line.target, line.before, line.after) == ("override", "symbol S1", "HIGH", "CRITICAL by jm")
    [kept] = rows("SELECT * FROM overrides", tmp_path / "state")
    assert (kept["target_kind"], kept["target"], kept["level"]) == ("symbol", "S1", "CRITICAL")


async def newest(engine):  # type: ignore[no-untyped-def]
    before = (await engine.view()).sequence

    async def newer() -> bool:
        return (await engine.view()).sequence > before

    await until(newer)
    return await engine.view()


async def test_a_jobs_override_beats_its_symbols_which_beats_its_sources(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        [s0, s1, _] = await jobs_of(engine, "small")
        await pull(engine, Verb.OVERRIDE, "small", level=C)
        await of_symbol(engine, Verb.OVERRIDE, "S0", level=M)
        await pull(engine, Verb.OVERRIDE, s0.job_id, target_kind="job", level=H)
        assert await by_symbol(engine) == {"S0": H, "S1": C, "S2": C, "B0": H, "B1": H, "B2": H}
        await pull(engine, Verb.CLEAR, "small")
        assert await by_symbol(engine) == {"S0": H, "S1": L, "S2": L, "B0": H, "B1": H, "B2": H}
        await pull(engine, Verb.CLEAR, s0.job_id, target_kind="job")
        assert (await by_symbol(engine))["S0"] is M
        await of_symbol(engine, Verb.CLEAR, "S0")
        assert (await by_symbol(engine))["S0"] is L
        await pull(engine, Verb.PROMOTE, s1.job_id, target_kind="job")
        assert (await by_symbol(engine))["S1"] is M


async def test_overrides_outlive_a_restart_and_recovered_jobs_go_back_where_they_were_decided(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        before = await jobs_of(engine, "small")
        await of_symbol(engine, Verb.OVERRIDE, "S0", level=C)
        await pull(engine, Verb.OVERRIDE, before[1].job_id, target_kind="job", level=H, for_s=3600)
        await pull(engine, Verb.PROMOTE, "big", level=C)
    async with engine_on(settings_in(tmp_path)) as engine:
        assert await by_symbol(engine) == {"S0": C, "S1": H, "S2": L, "B0": C, "B1": C, "B2": C}
        assert {shown.target for shown in (await newest(engine)).overrides} == {"S0", before[1].job_id, "big"}
        await of_symbol(engine, Verb.CLEAR, "S0")
        await pull(engine, Verb.CLEAR, before[1].job_id, target_kind="job")
        await pull(engine, Verb.CLEAR, "big")
        assert await jobs_of(engine, "small") == before
        assert {job.level for job in await jobs_of(engine, "big")} == {H}


async def test_a_jobs_override_ends_with_its_job(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        [s0, *_] = await jobs_of(engine, "small")
        await pull(engine, Verb.OVERRIDE, s0.job_id, target_kind="job", level=C)
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: parts_of(engine).endings.completed == 6)
        await until(lambda: json.loads((tmp_path / "state" / "standing.json").read_bytes())["overrides"] == {})
    line = audit_of(tmp_path)[-1]
    assert (line.actor, line.target, line.reason) == ("clock", f"job {s0.job_id}", "its job has ended")
    [critical] = rows("SELECT symbol FROM jobs WHERE level = 'CRITICAL'", tmp_path / "state")
    assert critical["symbol"] == "S0"


async def dead(engine, **fields) -> DeadSeen:  # type: ignore[no-untyped-def]
    return await engine.look(DeadLook(**fields))


async def test_a_cancelled_job_is_a_dead_letter_that_can_be_had_back_at_its_place(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        parts = parts_of(engine)
        [s0, s1, s2] = await jobs_of(engine, "small")
        outcome = await pull(engine, Verb.CANCEL, s1.job_id, "sent twice", target_kind="job")
        assert (outcome.before, outcome.after, outcome.moved_jobs) == ("LOW waiting", "a dead letter", 1)
        assert await jobs_of(engine, "small") == [s0, s2]
        assert await parts.queue.status(s1.job_id) is JobStatus.DEAD

        async def listed() -> bool:
            return bool((await dead(engine)).letters)

        await until(listed)
        [letter] = (await dead(engine)).letters
        assert (letter.job_id, letter.stage, letter.kind, letter.bytes_kept) == (s1.job_id, "queue", "cancelled", True)
        assert letter.reason == "cancelled by jm: sent twice"
        view = await newest(engine)
        assert (view.dead, view.in_flight, source_of(view, "small").dead) == (1, 5, 1)
        assert (await dead(engine, source="big")).letters == ()
        outcome = await pull(engine, Verb.RETRY, s1.job_id, "it was not", target_kind="dead")
        assert outcome.after == "waiting at its place"
        assert await jobs_of(engine, "small") == [s0, s1, s2]
        view = await newest(engine)
        assert (view.dead, view.in_flight, source_of(view, "small").dead) == (0, 6, 0)
        await until(lambda: _is_settled(engine))
        with pytest.raises(LeverRefused, match="is no dead letter: it is QUEUED"):
            await pull(engine, Verb.RETRY, s1.job_id, target_kind="dead")
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: parts.endings.completed == 6)
    kept = rows(f"SELECT status, symbol FROM jobs WHERE job_id = '{s1.job_id}'", tmp_path / "state")
    assert kept == [{"status": "COMPLETED", "symbol": "S1"}]
    assert [line.act for line in audit_of(tmp_path)] == ["pause_all", "cancel", "retry", "resume_all"]


async def _is_settled(engine) -> bool:  # type: ignore[no-untyped-def]
    return not (await dead(engine)).letters


async def test_a_dead_letter_of_an_earlier_engine_is_tried_again_or_discarded(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        await hand_in(engine, "small", b"{no json", b"[1")
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: parts_of(engine).endings.dead == 2)
    async with engine_on(settings_in(tmp_path)) as engine:
        letters = (await dead(engine)).letters
        assert [letter.bytes_kept for letter in letters] == [True, True]
        await pull(engine, Verb.RETRY, letters[0].job_id, "the decoder was mended", target_kind="dead")
        await until(lambda: parts_of(engine).endings.dead == 1)
        await until(lambda: _count(engine, 2))
        await pull(engine, Verb.DISCARD, letters[1].job_id, "not ours", target_kind="dead")
        await until(lambda: _count(engine, 1))
        assert len(parts_of(engine).flights) == 0
    kept = rows("SELECT status, note FROM jobs WHERE status <> 'COMPLETED' ORDER BY status", tmp_path / "state")
    assert kept == [{"status": "DEAD", "note": "refused at triage"}, {"status": "DISCARDED", "note": "discarded by jm: not ours"}]
    assert rows("SELECT count(*) AS n FROM dead_letters", tmp_path / "state") == [{"n": 2}]


async def _count(engine, expected: int) -> bool:  # type: ignore[no-untyped-def]
    return len((await dead(engine)).letters) == expected


async def test_what_cannot_be_cancelled_or_settled_is_refused_with_words(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        [s0, *_] = await jobs_of(engine, "small")
        refusals: list[tuple[Lever, type[Exception], str]] = [
            (Lever(Verb.CANCEL, "nothing", "x", "job"), UnknownTarget, "no job 'nothing' is known; .*queue --list"),
            (Lever(Verb.CANCEL, s0.job_id, "", "job"), LeverRefused, "cancel needs a reason"),
            (Lever(Verb.CANCEL, "small", "x"), LeverRefused, "cancel acts on a job, not on a source"),
            (Lever(Verb.RETRY, s0.job_id, "x", "dead"), LeverRefused, "is no dead letter: it is QUEUED"),
            (Lever(Verb.DISCARD, "nothing", "x", "dead"), UnknownTarget, "dead list` shows the dead letters"),
            (Lever(Verb.RETRY, "small", "x"), LeverRefused, "retry acts on a dead letter, not on a source"),
        ]
        for lever, kind, words in refusals:
            with pytest.raises(kind, match=words):
                await engine.pull(lever)
        assert not (await pull(engine, Verb.CANCEL, s0.job_id, "", target_kind="job", dry_run=True)).done
        assert len(await jobs_of(engine, "small")) == 3
        await pull(engine, Verb.RESUME_ALL)
        await until(lambda: parts_of(engine).endings.completed == 6)
        with pytest.raises(LeverRefused, match="does not wait any more: it is COMPLETED"):
            await pull(engine, Verb.CANCEL, s0.job_id, target_kind="job")


async def test_undo_takes_back_what_the_operator_did_last(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        with pytest.raises(LeverRefused, match="nothing of yours is left to take back"):
            await engine.pull(Lever(Verb.UNDO, "", "oops", actor="rk"))
        before = await jobs_of(engine, "small")
        await pull(engine, Verb.PROMOTE, "small", level=H, for_s=900)
        await pull(engine, Verb.OVERRIDE, "small", level=C)
        outcome = await pull(engine, Verb.UNDO, "", "wrong source")
        assert (outcome.undoes, outcome.before, outcome.after) == ("override of small", "CRITICAL by jm", "at least HIGH by jm")
        assert {job.level for job in await jobs_of(engine, "small")} == {H}
        with pytest.raises(LeverRefused, match="nothing of yours is left to take back"):
            await pull(engine, Verb.UNDO, "", "again")  # an undo is not undone
        await pull(engine, Verb.CLEAR, "small")
        await pull(engine, Verb.UNDO, "", "not yet")
        assert {job.level for job in await jobs_of(engine, "small")} == {H}
        await pull(engine, Verb.CLEAR, "small")
        assert await jobs_of(engine, "small") == before
        await pull(engine, Verb.CANCEL, before[0].job_id, target_kind="job")
        assert not (await pull(engine, Verb.UNDO, "", "", dry_run=True)).done
        await pull(engine, Verb.UNDO, "", "it was right")
        assert await jobs_of(engine, "small") == before
        await pull(engine, Verb.PAUSE, "small")
        await pull(engine, Verb.UNDO, "", "wrong one")
        assert parts_of(engine).standing.pause_of("small") is None
        await pull(engine, Verb.RESUME_ALL)
        with pytest.raises(LeverRefused, match="resume_all everything cannot be taken back"):  # the kill switch is typed in full
            await pull(engine, Verb.UNDO, "", "too early")
        assert not (await newest(engine)).stopped
    assert [line.reason for line in audit_of(tmp_path)][-2:] == ["undo of pause small: wrong one", "a test"]


async def test_undo_takes_an_act_on_several_targets_back_whole_and_names_what_it_cannot(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        await pull(engine, Verb.PROMOTE, "small", level=H)  # an act of its own, which stays
        before = [*await jobs_of(engine, "small"), *await jobs_of(engine, "big")]
        for source in ("small", "big"):
            await pull(engine, Verb.OVERRIDE, source, level=C, together="a1")
        asked = await pull(engine, Verb.UNDO, "", "", dry_run=True)
        assert (asked.done, asked.moved_jobs, asked.undoes) == (False, 6, "override of small, big")
        outcome = await pull(engine, Verb.UNDO, "", "wrong ones")
        assert outcome.done
        assert outcome.message == "2 done: big small"
        assert [*await jobs_of(engine, "small"), *await jobs_of(engine, "big")] == before
        assert {job.level for job in before} == {H}
        with pytest.raises(LeverRefused, match="nothing of yours is left to take back"):
            await pull(engine, Verb.UNDO, "", "again")

        for source in ("small", "big"):
            await pull(engine, Verb.OVERRIDE, source, level=C, together="a2")
        await engine.pull(Lever(Verb.OVERRIDE, "big", "mine now", level=H, actor="rk"))
        outcome = await pull(engine, Verb.UNDO, "", "wrong ones")
        assert not outcome.done
        assert "1 of 2 done: small; not override big cannot be taken back: big was changed by rk" in outcome.message
        assert {job.level for job in await jobs_of(engine, "big")} == {H}
        assert C not in {job.level for job in await jobs_of(engine, "small")}


async def test_undo_is_refused_where_somebody_acted_since_or_nothing_can_take_it_back(tmp_path: Path) -> None:
    async with stopped_engine(tmp_path) as engine:
        await pull(engine, Verb.PROMOTE, "small")
        await engine.pull(Lever(Verb.PAUSE, "small", "incident", actor="rk"))
        with pytest.raises(LeverRefused, match="promote small cannot be taken back: small was changed by rk 0 s ago"):
            await pull(engine, Verb.UNDO, "", "oops")
        await engine.pull(Lever(Verb.UNDO, "", "oops", actor="rk"))  # the other one's own last lever
        assert parts_of(engine).standing.pause_of("small") is None
        await hand_in(engine, "small", b"{no json")
        [*_, bad] = await jobs_of(engine, "small")
        await pull(engine, Verb.CANCEL, bad.job_id, target_kind="job")
        await pull(engine, Verb.DISCARD, bad.job_id, target_kind="dead")
        with pytest.raises(LeverRefused, match=f"discard job {bad.job_id} cannot be taken back"):
            await pull(engine, Verb.UNDO, "", "oops")
        assert await in_order(engine) == ["B0", "B1", "B2", "S0", "S1", "S2"]
