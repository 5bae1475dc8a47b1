"""Forms as plain state: keys in, levers out."""

from dataclasses import replace as replace_aim

import pytest
from fake_desk import AT, a_source, a_view
from msgspec.structs import replace

from gexdesk.model.level import Level
from gexdesk.model.lever import LeverOutcome, Verb
from gexdesk.model.view.incident import IncidentView
from gexdesk.tui.forms.aim import Aim, at_incident, at_source
from gexdesk.tui.forms.base import PICKS, Entry, Step
from gexdesk.tui.forms.kill import KillForm
from gexdesk.tui.forms.lever import LeverForm


def form(verb: Verb, session_ends_at: float = AT + 22_723.0) -> LeverForm:
    return LeverForm(verb, at_source(a_source()), now=lambda: AT, session_ends_at=session_ends_at, operator="jm")


def typed(form: LeverForm | KillForm, text: str) -> None:
    for c in text:
        form.press("space" if c == " " else c, c)


@pytest.mark.parametrize("width", [80, 160])
def test_an_undo_names_what_it_takes_back(width: int) -> None:
    f = LeverForm(Verb.UNDO, Aim("", "", "your own last lever"), now=lambda: AT, session_ends_at=AT, operator="jm")
    assert "UNDO your own last lever" in "".join(text for text, _ in f.draw(0, width))
    f.answer(LeverOutcome(False, "nothing sent", "paused", "running", 0, 1, undoes="pause of gexbot-spx"))
    assert "UNDO pause of gexbot-spx  paused -> running" in "".join(text for text, _ in f.draw(0, width))


def test_a_level_can_stand_to_the_sessions_end_also_when_that_is_another_day() -> None:
    for ends_at in (AT + 22_723.0, AT + 3 * 86_400.0):
        f = form(Verb.PROMOTE, ends_at)
        f.press("right", None)
        f.press("right", None)
        assert f.levers(False)[0].for_s == ends_at - AT
        (words,) = {text.strip() for text, _ in f.draw(1, 120) if "ends " in text}
        assert words == {AT + 22_723.0: "ends 16:00", AT + 3 * 86_400.0: "ends Thu 09:41"}[ends_at]


def test_helps_and_costs_are_the_engines_own_words() -> None:
    f = form(Verb.PROMOTE)
    f.answer(LeverOutcome(False, "nothing sent", "HIGH", "CRITICAL", 37, 3, "37 queued jobs move up", "no other job waits"))
    lines = ["".join(text for text, _ in f.draw(y, 120)) for y in (2, 3)]
    told = [line.strip().split(maxsplit=1) for line in lines]
    assert told == [["HELPS", "37 queued jobs move up"], ["COSTS", "no other job waits"]]


LONG_COSTS = (
    "what the checks said: 62.1 % of the open interest moved within the session where 30.0 % is usual, from 1,399,229 to "
    "2,268,132; the newest of 1,204 snapshots is released, those before it stay apart"
)


@pytest.mark.parametrize(("width", "lines"), [(80, 3), (160, 2)])
def test_what_a_lever_costs_is_told_whole_and_the_lines_below_stay_where_they_are(width: int, lines: int) -> None:
    f = LeverForm(
        Verb.RELEASE, Aim("quarantine", "7", "#7 SPX of cboe-spx", readers=("pit-spx", "risk")), now=lambda: AT, session_ends_at=AT,
        operator="jm",
    )  # fmt: skip
    assert f.rows(width) == 5
    f.answer(LeverOutcome(False, "", "held", "released", 0, 1, "readers get it at once", LONG_COSTS))
    assert f.rows(width) == 4 + lines
    drawn = ["".join(text for text, _ in f.draw(y, width)) for y in range(f.rows(width))]
    assert all(len(line) <= width for line in drawn[2 : 2 + lines])
    assert " ".join(line[9:].strip() for line in drawn[2 : 2 + lines]) == LONG_COSTS
    assert [line[:9].strip() for line in drawn[1:]] == ["HELPS", "COSTS", *[""] * (lines - 1), ">Reason", "Enter is"]
    f.ask()
    again = ["".join(text for text, _ in f.draw(y, width)) for y in range(f.rows(width))]
    assert again[-2:] == [drawn[-2], drawn[-1]], "what is typed into does not jump while the engine is asked again"
    assert f.rows(width) == 4 + lines
    assert list(f.draw(f.rows(width), width)) == []


def test_what_takes_more_than_three_lines_shows_both_ends_and_readers_stay_beside_the_first() -> None:
    f = form(Verb.PAUSE)
    f.aims = (replace_aim(f.aim, readers=("pit-spx", "risk")),)
    f.answer(LeverOutcome(False, "", "running", "paused", 0, 1, " ".join(f"help{n}" for n in range(60)), "nothing"))
    lines = ["".join(text for text, _ in f.draw(y, 80)) for y in range(f.rows(80))]
    assert len(lines) == 7
    assert lines[1].startswith(" HELPS   help0 help1 ")
    assert lines[1].endswith("   readers pit-spx risk")
    assert "…" in lines[3]
    assert lines[3].rstrip().endswith("help59")


def test_enter_is_off_until_there_is_a_reason() -> None:
    f = form(Verb.PROMOTE)
    assert f.press("enter", None) is Step.STAY
    f.press("space", " ")
    assert f.press("enter", None) is Step.STAY
    f.answer(LeverOutcome(False, "", "HIGH", "at least CRITICAL", 0, 3))
    typed(f, "lag")
    assert f.press("enter", None) is Step.SEND
    assert f.levers(False)[0].reason == "lag"


def test_a_dry_run_refusal_turns_enter_off() -> None:
    f = form(Verb.PROMOTE)
    typed(f, "lag")
    f.refuse("already CRITICAL", for_good=True)
    assert f.press("enter", None) is Step.STAY
    f.answer(LeverOutcome(False, "", "HIGH", "CRITICAL", 0, 3))
    assert f.press("enter", None) is Step.SEND


def test_left_and_right_choose_how_long_without_leaving_the_reason() -> None:
    f = form(Verb.DEMOTE)
    assert f.levers(False)[0].for_s == 900
    assert f.press("right", None) is Step.ASK
    assert f.levers(False)[0].for_s == 3600
    f.press("right", None)
    assert f.levers(False)[0].for_s == 22_723
    f.press("right", None)
    f.press("right", None)
    assert f.levers(False)[0].for_s is None
    typed(f, "x")
    assert f.reason.text == "x"


def test_an_override_takes_its_level_first_and_digits_are_text_afterwards() -> None:
    f = form(Verb.OVERRIDE)
    typed(f, "x")
    assert f.reason.text == ""
    assert f.press("1", "1") is Step.ASK
    typed(f, "503 x6")
    assert f.reason.text == "503 x6"
    lever = f.levers(False)[0]
    assert (lever.level, lever.target, lever.seen_revision, lever.for_s) == (Level.CRITICAL, "cboe-spx", 3, 900)


def test_pausing_has_no_end_and_no_level() -> None:
    lever = form(Verb.PAUSE).levers(False)[0]
    assert lever.for_s is None
    assert lever.level is None


def test_down_picks_reasons_in_a_circle() -> None:
    f = form(Verb.PAUSE)
    seen = []
    for _ in range(len(PICKS) + 1):
        f.press("down", None)
        seen.append(f.reason.text)
    assert seen == [*PICKS, PICKS[0]]


def test_nothing_can_be_pressed_twice_while_it_is_sent() -> None:
    f = form(Verb.PAUSE)
    typed(f, "lag")
    f.sending = True
    assert {f.press(key, None) for key in ("enter", "escape", "tab")} == {Step.STAY}


def test_a_change_by_another_hand_is_news_once() -> None:
    f = form(Verb.PROMOTE)
    assert not f.compare(a_view(sources=(a_source(),)))
    changed = a_view(sources=(a_source(revision=4, override_by="kd", level=Level.CRITICAL),))
    assert f.compare(changed)
    assert not f.compare(changed)
    assert "kd" in f.changed
    assert f.levers(False)[0].seen_revision == 3


def test_another_hand_on_an_incident_or_the_guidelines_is_named_too() -> None:
    incident = IncidentView(41, 2, "QQQ", "silent", AT, None, "look", revision=1)
    taken = replace(incident, owner="kd", state="taken", revision=2)
    assert at_incident(incident).changed(a_view(incidents=(incident,))) == ""
    assert at_incident(incident).changed(a_view(incidents=(taken,))) == "meanwhile changed by kd: now taken"
    assert "no longer knows it" in at_incident(incident).changed(a_view(incidents=()))
    rules = Aim("guidelines", "", "guidelines v15", state="v14", revision=0)
    words = rules.changed(replace(a_view(), guidelines_revision=1, guidelines_author="lw", guidelines_version="v15"))
    assert rules.changed(a_view()) == ""
    assert words == "meanwhile changed by lw: now v15"
    assert Aim("gap", "SPX:1", "a gap").changed(a_view()) == "", "what no picture holds is the engine's to compare"


def test_the_kill_switch_wants_its_words_and_a_reason() -> None:
    f = KillForm(stopped=False, sources=3, operator="jm")
    typed(f, "pause al")
    f.press("enter", None)
    assert f.at == "typed"
    typed(f, "l")
    f.press("enter", None)
    assert f.at == "reason"
    assert f.press("enter", None) is Step.STAY
    f.press("down", None)
    assert f.press("enter", None) is Step.SEND
    assert (f.levers(False)[0].verb, f.levers(False)[0].target, f.levers(False)[0].reason) == (Verb.PAUSE_ALL, "", PICKS[0])


def test_the_kill_switch_says_what_it_does_before_and_after_the_engine_counted() -> None:
    def told(form: KillForm) -> list[str]:
        return ["".join(text for text, _ in form.draw(y, 80)) for y in (1, 4)]

    f = KillForm(stopped=False, sources=3, operator="jm")
    assert told(f)[0] == " fetching stops, held: queued jobs; readers keep the last values"
    f.answer(LeverOutcome(False, "nothing sent", "running", "stopped", 1_204, 0, "1204 waiting jobs", "every source"))
    assert told(f)[0] == " fetching stops, held: 1,204 jobs; readers keep the last values"
    assert len(told(f)[1]) <= 80, "the way out stays in sight"
    assert told(f)[1].endswith("Esc leaves, nothing done")
    f = KillForm(stopped=True, sources=3, operator="jm")
    f.answer(LeverOutcome(False, "nothing sent", "stopped", "running", 1, 0, "1 waiting jobs", "every source"))
    assert told(f)[0] == " fetching starts, held until now: 1 job"


def test_a_reason_without_the_words_kills_nothing() -> None:
    f = KillForm(stopped=False, sources=3, operator="jm")
    f.press("tab", None)
    f.press("down", None)
    assert f.reason.text == PICKS[0]
    assert f.press("enter", None) is Step.STAY
    assert not f.ready


def test_the_kill_switch_words_cannot_be_pasted() -> None:
    f = KillForm(stopped=True, sources=3, operator="jm")
    f.paste("resume all")
    assert f.typed.text == ""


def test_pasted_text_is_made_safe() -> None:
    entry = Entry()
    entry.paste("a\x1b]52;c;eA==\x07b\x9b31mc")
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in entry.text)


def test_a_line_forgets_by_character_word_and_whole() -> None:
    entry = Entry()
    entry.paste("one two three")
    entry.press("backspace", None)
    assert entry.text == "one two thre"
    entry.press("ctrl+w", None)
    assert entry.text == "one two"
    entry.press("ctrl+u", None)
    assert entry.text == ""
