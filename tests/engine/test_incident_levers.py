"""What operators do about incidents, on a real engine: taken, snoozed, muted, noted, resolved, seen, reported, handed over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gexdesk.engine.engine import Engine
from gexdesk.engine.watch.dead import DeadLetters
from gexdesk.model.errors import LeverRefused, StoreError, UnknownTarget
from gexdesk.model.level import Level
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.look.handover import HandOverLook, HandOverSeen
from gexdesk.model.look.incident import IncidentLook, IncidentSeen
from gexdesk.model.look.source import DeadLook
from gexdesk.model.view.incident import IncidentView
from gexdesk.stores.audit import Audit, verify
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, parts_of, rows, settings_of
from tests.until import until


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Engine]:
    """Run an engine with one source that has no standing level: incident 1, which stays."""
    unassigned = folder_source("files", folder / "files", level="", symbols=["SPX"])
    async with engine_on(settings_of(folder / "state", folder_source("drop", folder / "drop"), unassigned)) as engine:
        await until(lambda: any_shown(engine))
        yield engine


async def shown(engine: Engine) -> tuple[IncidentView, ...]:
    return (await engine.view()).incidents


async def any_shown(engine: Engine) -> bool:
    return bool(await shown(engine))


async def act(
    engine: Engine, verb: Verb, number: int | str = 1, *, who: str = "jm", kind: str = "incident", **fields: Any
) -> LeverOutcome:
    return await engine.pull(Lever(verb, str(number), **({"reason": "a test", "actor": who, "target_kind": kind} | fields)))


async def seen(engine: Engine, number: int = 1) -> IncidentSeen:
    return await engine.look(IncidentLook(number))


def audit(folder: Path) -> list[tuple[str, str, str, str, str]]:
    lines = Audit(folder / "state" / "audit.jsonl").read(100)
    return [(line.actor, line.act, line.target, line.before, line.after) for line in lines]


async def test_taking_notes_and_seeing_need_no_reason_and_everything_is_audited(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        assert (await seen(engine)).incident.state == "open"
        await act(engine, Verb.SEE, reason="")
        assert (await seen(engine)).incident.seen
        await act(engine, Verb.SEE, who="kd", reason="")
        await act(engine, Verb.TAKE, reason="", seen_revision=1)
        await act(engine, Verb.NOTE, text="left out\x1b[2J on purpose?", reason="")
        with pytest.raises(LeverRefused, match="incident 1 is yours already"):
            await act(engine, Verb.TAKE)
        with pytest.raises(LeverRefused, match="a note needs words"):
            await act(engine, Verb.NOTE, text=" \x07")
        for verb in (Verb.SNOOZE, Verb.RESOLVE, Verb.MUTE):
            with pytest.raises(LeverRefused, match="needs a reason"):
                await act(engine, verb, reason="")
        found = await seen(engine)
        assert (found.incident.state, found.incident.owner, found.incident.kind) == ("taken", "jm", "source_unassigned")
        assert [(e.who, e.what) for e in found.timeline] == [
            ("desk", "opened"), ("jm", "see"), ("jm", "take"), ("jm", "note"),
        ]  # fmt: skip
        assert found.timeline[-1].text == "left out [2J on purpose?"
        assert "**Means.** A configured source has no standing level" in found.runbook
        assert [(m.subject, m.source, m.present) for m in found.members] == [("SPX", "files", True)]
    assert audit(tmp_path) == [
        ("jm", "see", "incident 1", "open", "open"),
        ("jm", "take", "incident 1", "open", "taken by jm"),
        ("jm", "note", "incident 1", "taken by jm", "left out [2J on purpose?"),
    ]
    assert verify(tmp_path / "state" / "audit.jsonl") == 3
    [kept] = rows("SELECT number, kind, owner, timeline FROM incidents", tmp_path / "state")
    assert (kept["number"], kept["kind"], kept["owner"]) == (1, "source_unassigned", "jm")
    assert [entry["what"] for entry in kept["timeline"]] == ["opened", "see", "take", "note"]


async def test_who_looked_before_another_took_it_is_told_who_it_was(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        both = [act(engine, Verb.TAKE, who=who, seen_revision=1) for who in ("jm", "kd")]
        done = await asyncio.gather(*both, return_exceptions=True)
        assert isinstance(done[1], LeverRefused)
        assert "incident 1 was changed by jm 0 s ago; nothing was sent, look again" in done[1].message
        assert done[1].details == {"revision": 2}
        await act(engine, Verb.NOTE, who="kd", text="I wanted it", seen_revision=1)
        outcome = await act(engine, Verb.TAKE, who="kd", seen_revision=2)
        assert (outcome.before, outcome.after, outcome.revision) == ("taken by jm", "taken by kd", 3)


async def test_a_snooze_ends_at_its_time_and_can_be_ended(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        assert (await act(engine, Verb.SNOOZE, for_s=1.0)).after == "snoozed"
        assert (await seen(engine)).incident.snoozed_until is not None
        await until(lambda: in_state(engine, "open"))
        assert [e.what for e in (await seen(engine)).timeline][-1] == "woken"
        await act(engine, Verb.SNOOZE, for_s=None)
        await act(engine, Verb.SNOOZE, for_s=0)
        assert (await seen(engine)).incident.state == "open"
        for for_s, words in ((0.0, "is not snoozed"), (0.5, "not 0.5 s"), (1e9, "7 days"), (float("nan"), "not nan s")):
            with pytest.raises(LeverRefused, match=words):
                await act(engine, Verb.SNOOZE, for_s=for_s)


async def in_state(engine: Engine, state: str) -> bool:
    return (await seen(engine)).incident.state == state


async def test_resolved_by_hand_it_stays_resolved_while_its_cause_does(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        await act(engine, Verb.RESOLVE, reason="on purpose")
        await asyncio.sleep(2.2)  # two looks of the engine
        found = await seen(engine)
        assert (found.incident.state, found.timeline[-1].what, found.timeline[-1].text) == ("resolved", "resolve", "on purpose")
        assert len([i for i in await shown(engine) if i.closed_at is None]) == 0
        for verb in (Verb.TAKE, Verb.SNOOZE, Verb.RESOLVE):
            with pytest.raises(LeverRefused, match="incident 1 is resolved"):
                await act(engine, verb)


async def test_windows_are_for_what_is_there_and_have_an_end(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        asked = await act(engine, Verb.MUTE, for_s=3600, dry_run=True)
        assert "nobody is paged for source files" in asked.helps
        assert "whatever else goes wrong with source files" in asked.costs
        await act(engine, Verb.MUTE, for_s=3600)
        [mute] = (await seen_hand_over(engine)).mutes
        assert (mute.target_kind, mute.target, mute.author, mute.reason) == ("source", "files", "jm", "a test")
        assert (await seen(engine)).incident.muted
        await act(engine, Verb.MUTE, "files", kind="source", for_s=0)
        assert not (await seen(engine)).incident.muted
        await act(engine, Verb.MUTE, "spx", kind="symbol", for_s=60)
        await act(engine, Verb.MUTE, "drop", kind="vendor", for_s=60)
        assert [m.target for m in (await seen_hand_over(engine)).mutes] == ["SPX", "drop"]
        refusals: list[tuple[dict[str, Any], type[Exception], str]] = [
            ({"number": "nobody", "kind": "source", "for_s": 60}, UnknownTarget, "no source is named 'nobody'; there are drop"),
            ({"number": "cboe", "kind": "vendor", "for_s": 60}, UnknownTarget, "no vendor is named 'cboe'; there are drop"),
            ({"number": "../x", "kind": "symbol", "for_s": 60}, UnknownTarget, "is no symbol"),
            ({"number": "drop", "kind": "job", "for_s": 60}, LeverRefused, "a job cannot be muted"),
            ({"for_s": None}, LeverRefused, "a maintenance window needs an end"),
            ({"number": "drop", "kind": "source", "for_s": 0}, LeverRefused, "source drop is not muted"),
            ({"number": 9, "for_s": 60}, UnknownTarget, "there is no incident 9"),
            ({"number": "one", "for_s": 60}, UnknownTarget, "'one' is no number of an incident"),
        ]
        for fields, kind, words in refusals:
            with pytest.raises(kind, match=words):
                await act(engine, Verb.MUTE, **fields)
        with pytest.raises(LeverRefused, match="take acts on incidents, not on a source"):
            await act(engine, Verb.TAKE, "files", kind="source")
    async with desk(tmp_path) as engine:
        assert len((await seen_hand_over(engine)).mutes) == 2


async def seen_hand_over(engine: Engine) -> HandOverSeen:
    return await engine.look(HandOverLook())


async def test_an_operator_reports_one_that_stays_until_it_is_resolved(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        outcome = await act(engine, Verb.REPORT, "spx", kind="symbol", text="pit says the flip is off", reason="")
        assert outcome.message == "jm reported #2: pit says the flip is off"
        await until(lambda: two(engine))
        found = (await seen(engine, 2)).incident
        assert (found.subject, found.severity, found.kind, found.owner, found.state) == ("SPX", 2, "reported", "jm", "taken")
        with pytest.raises(LeverRefused, match="say in a line what is wrong"):
            await act(engine, Verb.REPORT, "", text="")
    async with desk(tmp_path) as engine:
        assert (await seen(engine, 2)).incident.closed_at is None
        await act(engine, Verb.RESOLVE, 2, reason="vendor corrected it")
        assert (await seen(engine, 2)).incident.state == "resolved"


async def two(engine: Engine) -> bool:
    return len(await shown(engine)) == 2


async def test_a_dry_run_and_an_act_that_cannot_be_logged_change_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        assert (await act(engine, Verb.TAKE, dry_run=True)).after == "taken by jm"
        assert (await act(engine, Verb.MUTE, for_s=60, dry_run=True)).after == "muted for 60 s"
        assert not (await act(engine, Verb.HAND_OVER, "", dry_run=True)).done
        assert audit(tmp_path) == []
        (tmp_path / "state" / "audit.jsonl").mkdir()
        for verb, fields in (
            (Verb.TAKE, {}), (Verb.NOTE, {"text": "x"}), (Verb.MUTE, {"for_s": 60}), (Verb.REPORT, {"text": "x", "number": ""}),
            (Verb.HAND_OVER, {}),
        ):  # fmt: skip
            with pytest.raises(StoreError, match="audit"):
                await act(engine, verb, **fields)
        found = await seen(engine)
        assert (found.incident.owner, len(found.timeline), found.incident.muted) == ("", 1, False)
        assert (await seen_hand_over(engine)).shift_by == ""


async def test_the_shift_is_handed_over_with_what_stands(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        await act(engine, Verb.HAND_OVER, "", who="kd", reason="")
        await act(engine, Verb.TAKE, who="kd")
        await act(engine, Verb.REPORT, "", who="kd", text="look at the line", reason="")
        await act(engine, Verb.OVERRIDE, "drop", kind="source", level=Level.HIGH, for_s=900, reason="CPI")
        await act(engine, Verb.PAUSE, "files", kind="source", reason="vendor call")
        before = await seen_hand_over(engine)
        assert before.shift_by == "kd"
        assert before.summary == "2 open, 1 override, 1 pause"
        assert [(s.what, s.target, s.words, s.author, s.until is None) for s in before.standing] == [
            ("pause", "files", "paused", "jm", True), ("override", "drop", "HIGH", "jm", False),
        ]  # fmt: skip
        outcome = await act(engine, Verb.HAND_OVER, "", who="jm", reason="")
        assert outcome.message == "jm takes the shift over from kd: 2 open, 1 override, 1 pause"
        assert {(await seen(engine, n)).incident.owner for n in (1, 2)} == {"jm"}
        assert (await seen(engine)).timeline[-1].text == "from kd"
        with pytest.raises(LeverRefused, match="the shift is yours already"):
            await act(engine, Verb.HAND_OVER, "", who="jm")
        await until(lambda: shift_of(engine, "jm"))
    async with desk(tmp_path) as engine:
        assert await shift_of(engine, "jm")
    assert ("jm", "hand_over", "shift", "kd", "jm: 2 open, 1 override, 1 pause") in audit(tmp_path)


async def shift_of(engine: Engine, who: str) -> bool:
    return (await engine.view()).shift_by == who


async def test_what_a_shift_takes_over_counts_as_seen(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        assert (await seen_hand_over(engine)).summary == "1 open, 1 unseen"
        await act(engine, Verb.HAND_OVER, "", reason="")
        found = (await seen(engine)).incident
        assert (found.seen, found.owner) == (True, "")


async def test_dead_letters_hold_their_incident_until_somebody_settles_them_also_for_the_next_engine(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        drop(tmp_path / "drop", "a.json", b"{")
        drop(tmp_path / "drop", "b.json", b"[1")
        drop(tmp_path / "drop", "c.json", gexbot_at(1.0))
        await until(lambda: two(engine))
    async with desk(tmp_path) as engine:  # it buried nothing, and finds what waits
        letters = (await engine.look(DeadLook())).letters
        cause = DeadLetters(parts_of(engine).ledger, parts_of(engine).letters)
        [found] = cause.conditions(parts_of(engine).clock.now() + 86_400.0)
        assert (found.subject, found.symbols) == ("drop", ()), "SPX came well: it is not to blame"
        assert (found.text.partition(":")[2][:19], found.job_id) == (" 2 payloads refused", letters[0].job_id)
        assert found.came_at == pytest.approx(letters[0].buried_at, abs=1e-3)
        await act(engine, Verb.DISCARD, letters[0].job_id, reason="not ours", kind="dead")
        [found] = cause.conditions(parts_of(engine).clock.now())
        assert found.text.startswith("drop: 1 payload refused: ")
        await act(engine, Verb.RETRY, letters[1].job_id, reason="mended", kind="dead")
        await until(lambda: parts_of(engine).endings.dead == 1)  # refused again: a new letter
        [found] = cause.conditions(parts_of(engine).clock.now())
        assert found.came_at > letters[1].buried_at + 0.001
        await act(engine, Verb.DISCARD, letters[1].job_id, reason="not ours", kind="dead")
        assert list(cause.conditions(parts_of(engine).clock.now())) == []


async def test_dead_letters_open_an_incident_that_leads_to_the_source(tmp_path: Path) -> None:
    async with desk(tmp_path) as engine:
        drop(tmp_path / "drop", "a.json", b"{")
        drop(tmp_path / "drop", "b.json", gexbot_at(1.0))
        await until(lambda: two(engine))
        found = (await seen(engine, 2)).incident
        assert (found.kind, found.source, found.severity, found.subject) == ("dead_letters", "drop", 1, "drop")
        assert found.text.startswith("drop: 1 payload refused: ")
