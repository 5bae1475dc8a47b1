"""The guidelines change while data flows: from the file, by hand, back again; a bad file changes nothing."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from gexdesk.assemble.state_folder import GUIDELINES_NAME
from gexdesk.engine.engine import Engine
from gexdesk.engine.rulebook import SharedRules
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.guidelines.versions import INDEX_NAME, TORN_NAME
from gexdesk.model.errors import GuidelineError, LeverRefused
from gexdesk.model.level import Level
from gexdesk.model.lever import LeverOutcome, Verb
from gexdesk.model.look.guidelines import GuidelinesLook, GuidelinesSeen
from gexdesk.model.market import NEW_YORK
from gexdesk.settings.desk import Settings
from gexdesk.stores.audit import Audit
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, hand_in, parts_of, pull, rows
from tests.until import until

TEXT = DEFAULT_FILE.read_text(encoding="utf-8")
HEAD = TEXT.partition("[[guideline]]")[0]
EVERYTHING_HIGH = HEAD + '[[guideline]]\nname = "all-high"\nlevel = "HIGH"\nwhen = "data_age_s < 1e9"\n'
FAULTY = TEXT.replace("impact >= high", "impact >= hihg", 1)


def settings_in(folder: Path, text: str = TEXT, **guidelines: object) -> Settings:
    """Return one source whose data is LOW by the default set, and a rule file."""
    file = folder / "rules.toml"
    if not file.exists():
        file.write_text(text, encoding="utf-8")
    source = folder_source("small", folder / "small", assume={"volume": 10, "open_interest": 10})
    return Settings.model_validate({"state": folder / "state", "sources": [source], "guidelines": {"file": file} | guidelines})


async def seen(engine: Engine) -> GuidelinesSeen:
    return await engine.look(GuidelinesLook())


async def act(engine: Engine, verb: Verb, reason: str = "a test", **fields: object) -> LeverOutcome:
    return await pull(engine, verb, "", reason, target_kind="guidelines", **fields)


async def levels(engine: Engine) -> list[Level]:
    return [job.level for job in await parts_of(engine).queue.jobs_of("small")]


async def test_a_saved_file_is_staged_with_its_diff_and_tried_and_comes_into_force_when_applied(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path)) as engine:
        drop(tmp_path / "small", "a.json", gexbot_at(-1.0, "S0"))
        await until(lambda: parts_of(engine).endings.completed == 1)
        await pull(engine, Verb.PAUSE_ALL)
        before = await seen(engine)
        assert (before.text, before.staged, before.fault, before.author) == (TEXT, None, None, (tmp_path / "rules.toml").owner())
        assert [(rule.name, rule.session, rule.last_symbol) for rule in before.rules if rule.session] == [("low-impact", 1, "S0")]
        (tmp_path / "rules.toml").write_text(EVERYTHING_HIGH, encoding="utf-8")
        await until(lambda: _tried(engine))
        staged = (await seen(engine)).staged
        assert staged is not None
        assert staged.trial is not None
        assert '+name = "all-high"' in staged.diff
        assert staged.text == EVERYTHING_HIGH
        assert (staged.trial.rows, staged.trial.changed, staged.trial.counts[Level.LOW][Level.HIGH]) == (1, 1, 1)
        [mover] = staged.trial.movers
        assert (mover.symbol, mover.before, mover.after, mover.count) == ("S0", "LOW", "HIGH", 1)
        await hand_in(engine, "small", gexbot_at(-1.0, "S1"))
        assert await levels(engine) == [Level.LOW]
        await until(lambda: parts_of(engine).rulebook.trial.note == "")
        foreseen = await act(engine, Verb.APPLY, "", dry_run=True)
        assert (foreseen.done, foreseen.after) == (False, staged.version)
        assert " decisions would change; 0 CRITICAL instead of 0" in foreseen.helps
        outcome = await act(engine, Verb.APPLY, "quiet day")
        assert (outcome.done, outcome.after) == (True, staged.version)
        await hand_in(engine, "small", gexbot_at(-1.0, "S2"))
        assert sorted(await levels(engine)) == [Level.HIGH, Level.LOW]
        after = await seen(engine)
        assert (after.version, after.author, after.reason, after.staged) == (staged.version, "jm", "quiet day", None)
        assert [version.version for version in after.history] == [staged.version, before.version]
        assert after.revision > before.revision
        back = await act(engine, Verb.ROLLBACK, "too much", to=before.version)
        assert (back.before, back.after) == (f"{staged.version} by jm", before.version)
        await hand_in(engine, "small", gexbot_at(-1.0, "S3"))
        assert sorted(await levels(engine)) == [Level.HIGH, Level.LOW, Level.LOW]
        view = await _next_view(engine)
        assert (view.guidelines_version, view.guidelines_author) == (before.version, "jm")
        # The file still says what was rolled back: it is staged again, not in force.
        assert view.guidelines_staged.startswith(f"{staged.version} by {before.author}: ")
    lines = Audit(tmp_path / "state" / "audit.jsonl").read(10)[1:]
    assert [(line.actor, line.act, line.target, line.before, line.after) for line in lines] == [
        ("jm", "apply", "guidelines", f"{before.version} by {before.author}", staged.version),
        ("jm", "rollback", "guidelines", f"{staged.version} by jm", before.version),
    ]
    kept = rows("SELECT version, author, reason, text FROM guidelines ORDER BY applied_at", tmp_path / "state")
    assert [(row["version"], row["author"], row["text"]) for row in kept] == [
        (before.version, before.author, TEXT), (staged.version, "jm", EVERYTHING_HIGH), (before.version, "jm", TEXT),
    ]  # fmt: skip
    decided = rows("SELECT symbol, guidelines_version FROM decisions ORDER BY decided_at", tmp_path / "state")
    assert [row["guidelines_version"] for row in decided] == [before.version, before.version, staged.version, before.version]


async def _tried(engine: Engine) -> bool:
    staged = (await seen(engine)).staged
    return staged is not None and staged.trial is not None


async def _next_view(engine: Engine):  # type: ignore[no-untyped-def]
    before = (await engine.view()).sequence
    await until(lambda: _newer(engine, before))
    return await engine.view()


async def _newer(engine: Engine, sequence: int) -> bool:
    return (await engine.view()).sequence > sequence


async def test_a_faulty_file_keeps_the_last_good_set_and_its_fault_stands_until_mended(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path)) as engine:
        version = (await seen(engine)).version
        (tmp_path / "rules.toml").write_text(FAULTY, encoding="utf-8")
        await until(lambda: parts_of(engine).rulebook.guidelines.fault is not None)
        found = await seen(engine)
        assert found.fault is not None
        assert found.fault.line is not None
        assert "hihg" in FAULTY.splitlines()[found.fault.line - 1]
        assert FAULTY.splitlines()[found.fault.line - 1][(found.fault.column or 0) - 1 :].startswith("hihg")
        assert (found.version, found.staged, found.fault.did_you_mean) == (version, None, "high")
        assert "did you mean high?" in (await _next_view(engine)).guidelines_fault
        with pytest.raises(LeverRefused, match=r"nothing is staged; the file has a fault: .*line"):
            await act(engine, Verb.APPLY)
        (tmp_path / "rules.toml").unlink()
        await until(lambda: _says(engine, "no such file"))
        (tmp_path / "rules.toml").write_text(TEXT, encoding="utf-8")
        await until(lambda: parts_of(engine).rulebook.guidelines.fault is None)
        assert ((await seen(engine)).version, (await seen(engine)).staged) == (version, None)
        assert (await _next_view(engine)).guidelines_fault == ""


async def _says(engine: Engine, words: str) -> bool:
    fault = (await seen(engine)).fault
    return fault is not None and words in fault.message


async def test_apply_on_save_needs_no_hand_and_says_who_saved(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path, apply_on_save=True)) as engine:
        first = (await seen(engine)).version
        (tmp_path / "rules.toml").write_text(EVERYTHING_HIGH, encoding="utf-8")
        await until(lambda: parts_of(engine).rulebook.rules.version != first)
        (tmp_path / "rules.toml").write_text(FAULTY, encoding="utf-8")
        await until(lambda: parts_of(engine).rulebook.guidelines.fault is not None)
        found = await seen(engine)
        assert [rule.name for rule in found.rules] == ["all-high"]
        assert (found.author, found.reason, found.apply_on_save) == ((tmp_path / "rules.toml").owner(), "saved", True)
    [line] = Audit(tmp_path / "state" / "audit.jsonl").read(10)
    assert (line.act, line.reason, line.actor) == ("apply", "saved", found.author)


async def test_in_locked_hours_nothing_comes_into_force_unless_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path, apply_on_save=True, locked_hours=["09:25-09:45"])
    async with engine_on(settings) as engine:
        book = parts_of(engine).rulebook
        open_at = datetime(2026, 3, 2, 9, 30, tzinfo=NEW_YORK).timestamp()
        saturday = datetime(2026, 3, 7, 9, 30, tzinfo=NEW_YORK).timestamp()
        assert book.locked_until(open_at) == open_at + 900
        assert [book.locked_until(at) for at in (open_at - 301, open_at + 900, saturday)] == [None, None, None]
        monkeypatch.setattr(book, "locked_until", lambda _now: open_at + 900)
        version = book.rules.version
        (tmp_path / "rules.toml").write_text(EVERYTHING_HIGH, encoding="utf-8")
        await until(lambda: book.guidelines.staged is not None)
        with pytest.raises(LeverRefused, match="guidelines are locked until 09:45 New York; force it to act now"):
            await act(engine, Verb.APPLY, "now")
        assert book.rules.version == version
        await act(engine, Verb.APPLY, "now", forced=True)
        assert book.rules.version != version
    line = Audit(tmp_path / "state" / "audit.jsonl").read(10)[-1]
    assert line.after.endswith(", forced in locked hours")


async def test_what_an_operator_put_in_force_outlives_a_restart_and_an_edit_of_the_file_ends_it(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path)) as engine:
        await act(engine, Verb.APPLY, "by hand", text=EVERYTHING_HIGH)
        applied = parts_of(engine).rulebook.rules.version
    async with engine_on(settings_in(tmp_path)) as engine:
        found = await seen(engine)
        assert (found.version, found.author, found.reason) == (applied, "jm", "by hand")
        assert found.staged is not None
        assert found.staged.text == TEXT
    (tmp_path / "rules.toml").write_text(TEXT.replace("50_000", "60_000"), encoding="utf-8")
    async with engine_on(settings_in(tmp_path)) as engine:
        assert "60_000" in (await seen(engine)).text
    (tmp_path / "rules.toml").write_text(FAULTY, encoding="utf-8")
    async with engine_on(settings_in(tmp_path)) as engine:
        found = await seen(engine)
        assert "60_000" in found.text
        assert found.fault is not None
        assert len(found.history) == 3
    line = Audit(tmp_path / "state" / "audit.jsonl").read(10)[-1]
    assert (line.act, line.reason, line.before) == ("apply", "in force at the start", applied)


async def test_a_torn_end_of_the_history_is_put_aside_and_said_and_the_start_goes_on(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path)) as engine:
        decided = parts_of(engine).rulebook.rules.version
        await act(engine, Verb.APPLY, "by hand", text=EVERYTHING_HIGH)
    index = tmp_path / "state" / GUIDELINES_NAME / INDEX_NAME
    whole = index.read_bytes()
    index.write_bytes(whole[:-20])
    async with engine_on(settings_in(tmp_path)) as engine:
        assert parts_of(engine).rulebook.rules.version == decided
        (said,) = [line for line in parts_of(engine).chronicle.lines() if "cut" in line.text]
        assert said.grave
        assert TORN_NAME in said.text
        assert f"{decided} by " in said.text
    assert index.with_name(TORN_NAME).read_bytes().strip() == whole[whole.index(b"\n") + 1 : -20]
    async with engine_on(settings_in(tmp_path)) as engine:
        assert not [line for line in parts_of(engine).chronicle.lines() if "cut" in line.text], "it is said once"
    # What cannot be put aside stops nothing either.
    index.write_bytes(whole[:-20])
    index.with_name(TORN_NAME).unlink()
    index.with_name(TORN_NAME).mkdir()
    async with engine_on(settings_in(tmp_path)) as engine:
        assert parts_of(engine).rulebook.rules.version == decided
        assert any("cannot be put aside: Is a directory" in line.text for line in parts_of(engine).chronicle.lines())


async def test_a_lever_for_the_guidelines_is_refused_with_words(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path)) as engine:
        found = await seen(engine)
        with pytest.raises(GuidelineError, match=r"the text handed in, line .* did you mean high"):
            await act(engine, Verb.APPLY, text=FAULTY)
        assert (await seen(engine)).fault is None
        with pytest.raises(GuidelineError, match="there is no version v-nothing; the newest are v-"):
            await act(engine, Verb.ROLLBACK, to="v-nothing")
        with pytest.raises(LeverRefused, match="is in force already, to the letter"):
            await act(engine, Verb.ROLLBACK, to=found.version)
        with pytest.raises(LeverRefused, match="nothing is staged; hand in a text, or save the rule file"):
            await act(engine, Verb.APPLY)
        with pytest.raises(LeverRefused, match="acts on the guidelines, not on a source"):
            await pull(engine, Verb.APPLY, "small")
        done = await asyncio.gather(
            *(act(engine, Verb.APPLY, text=EVERYTHING_HIGH, seen_revision=found.revision) for _ in range(2)), return_exceptions=True
        )
        assert [type(result) for result in done] == [LeverOutcome, LeverRefused]
        assert "guidelines was changed by jm" in str(done[1])


def one_rule(number: int) -> str:
    """Return a set whose one rule says by its name which set it is."""
    return HEAD + f'[[guideline]]\nname = "set-{number}"\nlevel = "HIGH"\nwhen = "data_age_s < 1e9 or volume > {number}"\n'


async def test_a_storm_of_edits_tears_no_decision_and_each_names_a_version_that_is_kept(tmp_path: Path) -> None:
    edits, documents = 60, 60
    async with engine_on(settings_in(tmp_path, one_rule(0))) as engine:
        done: list[object] = []

        async def edit(number: int) -> None:
            text = one_rule(number) if number % 2 else one_rule(number).replace("volume >", "volum >")
            done.append(*await asyncio.gather(act(engine, Verb.APPLY, "storm", text=text), return_exceptions=True))

        async def storm() -> None:
            editing = []
            for number in range(1, edits + 1):
                editing.append(asyncio.create_task(edit(number)))
                await asyncio.sleep(0.03)
            await asyncio.gather(*editing)

        storming = asyncio.create_task(storm())
        for number in range(documents):
            drop(tmp_path / "small", f"{number}.json", gexbot_at(-1.0, f"S{number % 7}", net=13.0 + number / 100))
            await asyncio.sleep(0.03)
        await storming
        await until(lambda: parts_of(engine).endings.completed == documents)
        good = [result for result in done if isinstance(result, LeverOutcome)]
        bad = [result for result in done if isinstance(result, GuidelineError)]
        assert (len(good), len(bad)) == (edits // 2, edits // 2)
        assert parts_of(engine).rulebook.rules.guidelines[0].name == f"set-{edits - 1}"
        history = (await seen(engine)).history
        assert len(history) == edits // 2 + 1
    decided = rows("SELECT guidelines_version AS version, winner, level FROM decisions", tmp_path / "state")
    assert len(decided) == documents
    names = {row["version"]: row["name"] for row in rows(
        "SELECT version, regexp_extract(text, 'name = \"(set-[0-9]+)\"', 1) AS name FROM guidelines", tmp_path / "state"
    )}  # fmt: skip
    assert [row["winner"] for row in decided] == [names[row["version"]] for row in decided]
    assert {row["level"] for row in decided} == {"HIGH"}
    assert len({row["version"] for row in decided}) > 10


async def test_what_the_fleet_refuses_never_decides_here_and_what_fails_here_is_taken_back_there(tmp_path: Path) -> None:
    async with engine_on(settings_in(tmp_path)) as engine:
        rulebook, shared = parts_of(engine).rulebook, list[str]()
        (tmp_path / "rules.toml").write_text(EVERYTHING_HIGH, encoding="utf-8")
        await until(lambda: rulebook.guidelines.staged is not None)
        refuse = True

        async def share(rules: SharedRules) -> None:
            assert rulebook.guidelines.text == TEXT, "it decides before it is shared"
            shared.append(rules.text)
            if refuse:
                raise LeverRefused("guidelines was changed by kl on other just now; nothing was done, look again")

        rulebook.shares(share)
        with pytest.raises(LeverRefused, match="changed by kl"):
            await act(engine, Verb.APPLY)
        assert (rulebook.guidelines.text, shared) == (TEXT, [EVERYTHING_HIGH])
        refuse = False
        shared.clear()

        def fails(*_: object) -> None:
            raise GuidelineError("the disk is full")

        rulebook.guidelines.apply = fails  # type: ignore[method-assign, assignment]
        with pytest.raises(GuidelineError, match="disk is full"):
            await act(engine, Verb.APPLY)
        assert shared == [EVERYTHING_HIGH, TEXT]
