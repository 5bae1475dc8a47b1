"""The command line: what completes, what fits, and what each command does."""

import re

import pytest
from desk_pilot import NARROW, WIDE, seated
from fake_desk import AT, FakeDesk, a_source, a_symbol, a_view
from textual.events import Key

from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.look.history import HistoryLook, HistorySeen
from gexdesk.model.view.override import OverrideView
from gexdesk.tui.commands import COMMANDS, find, fitting, rank, read, suggest
from gexdesk.tui.screens.pages import PAGES
from gexdesk.tui.screens.symbol import SymbolPage

WORDS = {"symbol": ["SPX", "SPY", "XSP", "NDX"], "source": ["gexbot-spx", "cboe-spx"], "incident": ["41"]}


def test_the_better_a_word_fits_the_earlier_it_is_offered() -> None:
    words = ["xsp", "spx", "spxw", "cboe-spx", "sop-x"]
    assert fitting("spx", words) == ["spx", "spxw", "cboe-spx", "sop-x"]
    assert fitting("", words) == words
    assert rank("zz", "spx") is None


def test_a_command_is_found_by_its_alias_its_beginning_and_its_letters() -> None:
    assert suggest("fai", WORDS)[0].word == "failover"
    assert suggest("flo", WORDS)[0].word == "failover"
    assert suggest("dl", WORDS)[0].word == "dead"
    assert find("SYM") is find("symbol")
    assert [s.word for s in suggest("", WORDS)] == [c.name for c in COMMANDS]


def test_arguments_are_offered_by_their_kind() -> None:
    assert [s.word for s in suggest("symbol sp", WORDS)] == ["SPX", "SPY", "XSP"]
    assert [s.word for s in suggest("failover SPX ", WORDS)] == ["gexbot-spx", "cboe-spx"]
    assert [s.word for s in suggest("promote SPX c", WORDS)] == ["CRITICAL"]
    assert suggest("queue gexbot-spx more ", WORDS) == []
    assert suggest("nonsense x", WORDS) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [("", "type a command"), ("symbl", "no command symbl: symbol?"), ("symbol", "symbol SYMBOL"), ("undo 3", "takes nothing")],
)
def test_a_line_that_says_nothing_is_answered(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read(line)


def test_the_last_argument_takes_the_rest_of_the_line() -> None:
    assert read("view save morning")[1] == ["save morning"]
    assert read("export csv my file.csv")[1] == ["csv", "my file.csv"]


def test_every_page_has_a_command_and_every_command_of_a_page_has_one() -> None:
    assert {c.page for c in COMMANDS if c.page} == set(PAGES)
    names = [name for c in COMMANDS for name in (c.name, *c.aliases)]
    assert len(names) == len(set(names))


async def command(seat, line: str) -> None:
    await seat.press("colon")
    await seat.type(line)
    await seat.press("enter")


# ---------------------------------------------------------------------- typed on the desk
@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_command_opens_its_page_and_tab_completes_what_is_offered(size: tuple[int, int]) -> None:
    async with seated(FakeDesk(a_view()), size) as seat:
        await seat.press("ctrl+p")
        assert "> incidents" in seat.text("dialog")
        await seat.type("sy")
        assert "> symbol SYMBOL" in seat.text("dialog")
        await seat.press("tab")
        await seat.type("nd")
        await seat.press("enter")
        page = seat.app.screen
        assert isinstance(page, SymbolPage)
        assert page.symbol == "NDX"
        await seat.press("colon")
        await seat.type("queue")
        await seat.press("enter")
        assert type(seat.app.screen).__name__ == "QueuePage"
        await seat.press("escape", "escape")
        assert seat.app.screen is seat.app.main


async def test_arrows_choose_what_enter_takes_and_an_unknown_command_says_what_is_near() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("colon", "down", "down", "enter")
        assert type(seat.app.screen).__name__ == "QueuePage", "the second row: the first stands chosen"
        await seat.press("escape", "colon")
        await seat.type("zzz")
        await seat.press("enter")
        assert "no command zzz" in seat.text("dialog")
        await seat.press("escape")
        assert seat.app.main.dialog.form is None


async def test_a_command_without_what_it_needs_says_how_it_is_typed_and_offers_it() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await command(seat, "symbol")
        assert "it is typed  symbol SYMBOL" in seat.text("dialog")
        assert " SPX" in seat.text("dialog")


@pytest.mark.parametrize(
    ("line", "verb", "kind", "target", "level"),
    [
        ("promote SPX", Verb.PROMOTE, "symbol", "SPX", Level.CRITICAL),
        ("promote cboe-ndx critical", Verb.PROMOTE, "source", "cboe-ndx", Level.CRITICAL),
        ("demote gexbot-spx low", Verb.DEMOTE, "source", "gexbot-spx", Level.LOW),
        ("override ndx medium", Verb.OVERRIDE, "symbol", "NDX", Level.MEDIUM),
        ("clear gexbot-spx", Verb.CLEAR, "source", "gexbot-spx", None),
        ("pause cboe-qqq", Verb.PAUSE, "source", "cboe-qqq", None),
        ("resume backfill", Verb.RESUME, "source", "backfill", None),
        ("snooze 41", Verb.SNOOZE, "incident", "41", None),
        ("resolve #38", Verb.RESOLVE, "incident", "38", None),
        ("backfill SPX:2026-11-20T15:00", Verb.BACKFILL, "gap", "SPX:2026-11-20T15:00", None),
        ("cancel j-17", Verb.CANCEL, "job", "j-17", None),
        ("retry j-17", Verb.RETRY, "dead", "j-17", None),
        ("discard j-17", Verb.DISCARD, "dead", "j-17", None),
        ("undo", Verb.UNDO, "", "", None),
    ],
)
async def test_a_command_that_acts_opens_the_dialog_and_wants_a_reason(line, verb, kind, target, level) -> None:
    async with seated(FakeDesk(a_view(symbols=(a_symbol("SPX"), a_symbol("NDX"))))) as seat:
        await command(seat, line)
        assert seat.text("dialog").splitlines()[0].startswith(f"── {verb.value.upper()} ")
        await seat.press("enter")
        assert seat.desk.pulled == []
        await seat.press("down", "enter")
        (lever,) = seat.desk.pulled
        assert (lever.verb, lever.target_kind, lever.target, lever.level) == (verb, kind, target, level)
        assert lever.reason == "feed lag"


@pytest.mark.parametrize(
    ("typed", "kind", "target"), [("spx", "source", "spx"), ("SPX", "symbol", "SPX"), ("Spx", "symbol", "SPX")]
)
async def test_a_name_means_what_is_written_so_before_what_is_written_otherwise(typed: str, kind: str, target: str) -> None:
    view = a_view(symbols=(a_symbol("SPX", served_by="spx"),), sources=(a_source("spx", carries="SPX"),))
    async with seated(FakeDesk(view)) as seat:
        await command(seat, f"promote {typed}")
        await seat.press("down", "enter")
        assert [(lever.target_kind, lever.target) for lever in seat.desk.pulled] == [(kind, target)]


async def test_failover_by_name_begins_with_the_source_that_was_named() -> None:
    spx = a_symbol("SPX", served_by="gexbot-spx", standby="cboe-spx")
    async with seated(FakeDesk(a_view(symbols=(spx,)))) as seat:
        await command(seat, "failover spx nope")
        assert "no other source of SPX nope is known" in seat.text("notice")
        await command(seat, "failover spx cboe-spx")
        await seat.press("down", "enter")
        assert [(lever.verb, lever.target, lever.to) for lever in seat.desk.pulled] == [(Verb.FAILOVER, "SPX", "cboe-spx")]


async def test_apply_and_rollback_name_the_guidelines_and_the_revision_that_was_seen() -> None:
    view = a_view(guidelines_staged="v15 jm 09:40", guidelines_revision=7)
    async with seated(FakeDesk(view)) as seat:
        await command(seat, "apply")
        await seat.press("down", "enter")
        await command(seat, "rollback v-13")
        await seat.press("down", "enter")
        assert [(lever.verb, lever.target_kind, lever.to, lever.seen_revision) for lever in seat.desk.pulled] == [
            (Verb.APPLY, "guidelines", "", 7), (Verb.ROLLBACK, "guidelines", "v-13", 7),
        ]  # fmt: skip
    async with seated(FakeDesk(a_view())) as seat:
        await command(seat, "apply")
        assert "no guidelines are staged" in seat.text("notice")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pause backfill", "backfill is paused already, by jm"), ("resume cboe-qqq", "cboe-qqq is not paused"),
        ("promote nobody", "no source or symbol nobody"), ("promote SPX urgent", "no level urgent"),
        ("resolve 99", "no incident 99"), ("at 9", "a time is 09:31"), ("theme nope", "no theme nope"),
        ("export xml", "no format xml"),
    ],
)  # fmt: skip
async def test_a_command_that_cannot_be_done_says_why_and_sends_nothing(line: str, words: str) -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await command(seat, f"{line} ")
        assert words in seat.text("notice")
        assert (seat.desk.pulled, seat.desk.asked) == ([], [])


async def test_the_kill_switch_has_no_shorter_way_than_its_words() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await command(seat, "kill")
        await seat.press("enter", "down", "enter")
        assert seat.desk.pulled == []
        assert 'Type "pause all"' in seat.text("dialog")


async def test_the_desk_winds_to_a_time_of_today_and_comes_back() -> None:
    desk = FakeDesk(a_view())
    then = a_view(taken_at=AT - 617.0, session="regular, closes in 6 h 28 m")
    async with seated(desk) as seat:
        desk.answers[HistoryLook] = HistorySeen((then,), AT - 1000, AT, AT - 1000)
        await command(seat, "at 09:31")
        await seat.rest()
        assert "HISTORY 09:31:00" in seat.text("status")
        assert "one a minute" not in seat.text("notice")
        await seat.press("plus")
        assert "the desk shows history" in seat.text("notice")
        await command(seat, "now")
        assert "HISTORY" not in seat.text("status")


async def test_a_picture_that_is_not_of_the_second_asked_for_says_so() -> None:
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        desk.answers[HistoryLook] = HistorySeen((a_view(taken_at=AT - 657.0),), AT - 1000, AT, AT - 100)
        await command(seat, "at 09:31")
        await seat.rest()
        assert "HISTORY 09:30:20" in seat.text("status")
        assert "the last picture before 09:31:00 is of 09:30:20: one a minute is kept" in seat.text("notice")


async def test_help_begins_with_the_keys_of_the_page_it_is_asked_on() -> None:
    async with seated(FakeDesk(a_view()), NARROW) as seat:
        await seat.press("w", "f1")
        page = seat.app.screen.query_one("HelpPage")
        shown = [page.render_line(y).text.strip() for y in range(page.size.height)]
        assert shown[1] == "ON THIS PAGE"
        assert any(line.startswith("X ") and "end the job" in line for line in shown)


async def test_every_command_is_in_the_help() -> None:
    from gexdesk.tui.screens.help import help_lines

    page = "\n".join("".join(text for text, _ in line) for line in help_lines(100))
    for each in COMMANDS:
        assert f" {each.usage} " in page, each.name
    assert "or your key may only read" in page


# ---------------------------------------------------------------------- keys that come at once
async def test_keys_that_come_at_once_go_to_the_dialog_that_the_first_one_opens() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        for key, character in (("down", None), ("P", "P"), ("K", "K"), ("q", "q"), ("f", "f"), ("i", "i")):
            event = Key(key, character)
            event.set_sender(seat.app)
            seat.app.post_message(event)
        await seat.rest()
        dialog = seat.text("dialog")
        assert dialog.startswith("── PAUSE cboe-qqq ")
        assert " Kqfi" in dialog
        assert seat.app.screen is seat.app.main


async def test_keys_that_come_at_once_go_to_the_page_that_the_first_one_opens() -> None:
    held = OverrideView("symbol", "SPX", "exactly LOW", "kd", "event", AT, None, 2)
    async with seated(FakeDesk(a_view(overrides=(held,)))) as seat:
        for key, character in (("w", "w"), ("question_mark", "?")):
            event = Key(key, character)
            event.set_sender(seat.app)
            seat.app.post_message(event)
        await seat.rest()
        assert [type(s).__name__ for s in seat.app.screen_stack] == ["DeskScreen", "QueuePage", "HelpScreen"]
