"""The desk as an operator uses it: every key, on a fake engine."""

import asyncio
import random
import subprocess
import sys

import pytest
from desk_pilot import NARROW, WIDE, Hand, seated
from fake_desk import AT, FakeDesk, a_level, a_source, a_symbol, a_view, some_sources
from msgspec.structs import replace
from rich.cells import cell_len

from gexdesk.model.errors import EngineAway, LeverRefused
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import LEVER_LIMIT_S, Lever, Verb
from gexdesk.model.view.incident import IncidentView
from gexdesk.model.view.log import LogLine
from gexdesk.model.view.override import OverrideView
from gexdesk.tui.app import DeskApp
from gexdesk.tui.forms.kill import KillForm
from gexdesk.tui.forms.lever import LeverForm
from gexdesk.tui.screens.beat import STILL_TICKS
from gexdesk.tui.screens.help import HelpScreen, help_lines
from gexdesk.tui.widgets.status import acts


def no_form(seat) -> bool:
    return seat.app.main.dialog.form is None


# ---------------------------------------------------------------------- what is drawn
async def test_the_status_lines_say_who_when_how_old_and_what_is_in_force() -> None:
    async with seated(FakeDesk(a_view(store_lag_s=4.2, promises_kept=1283))) as seat:
        top, force = seat.text("status").splitlines()
        assert "jm" in top
        assert "Mon 23 Nov 09:41:17 New York, regular, closes in 6 h 18 m" in top
        assert "0.0 s behind" in top
        assert "SAMPLE" not in top
        assert "gexbot-spx at least CRITICAL jm 09:56" in force
        assert "backfill PAUSED jm" in force
        assert "1,283 of 1,284 ! 1 late" in force
        assert "worst 2.1 s" in force
        assert "! store 4.2 s behind" in force
        seat.clock.at += 1.4
        await seat.beat()
        assert "09:41:18" in seat.text("status")
        assert "1.4 s behind" in seat.text("status")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_sample_says_so_on_every_screen(size: tuple[int, int]) -> None:
    async with seated(FakeDesk(a_view(mode="sample")), size) as seat:
        assert "SAMPLE" in seat.text("status")
        await seat.press("question_mark")
        assert isinstance(seat.app.screen, HelpScreen)
        assert "SAMPLE" in seat.app.screen._status.text


async def test_the_samples_place_in_its_story_is_seen_at_every_size() -> None:
    view = a_view(mode="sample", replay_position="replay 46 of 120 s")
    async with seated(FakeDesk(view), NARROW) as seat:
        top = seat.text("status").splitlines()[0]
        assert " SAMPLE 46/120 s  jm  09:41:17 NY  regular, closes in 6 h 18 m " in top
        assert top.endswith("0.0 s behind")
    async with seated(FakeDesk(view), WIDE) as seat:
        assert "SAMPLE  replay 46 of 120 s " in seat.text("status")


async def test_needs_you_is_gravest_first_and_forgets_what_was_seen_and_closed_a_minute_ago() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        lines = seat.text("needs").splitlines()
        assert "2 open, 1 closed unseen" in lines[0]
        assert [line.split()[:2] for line in lines[1:4]] == [["!!", "41"], ["!", "38"], ["ok", "37"]]
        assert "wait for the probe in 18 s" in lines[1]
        seat.clock.at += 41
        seat.desk.push(a_view(sequence=2, taken_at=AT + 41))
        await seat.beat()
        assert "ok 37" in seat.text("needs"), "nobody saw it: it stays"
        seen = tuple(replace(i, seen=True) for i in a_view().incidents)
        seat.desk.push(a_view(sequence=3, taken_at=AT + 41, incidents=seen))
        await seat.beat()
        assert "37" not in seat.text("needs")


async def test_needs_you_names_who_is_hit_and_who_took_it_where_there_is_room() -> None:
    taken = replace(a_view().incidents[1], readers=("risk", "pit-qqq"), owner="kd", state="taken")
    view = a_view(incidents=(taken, a_view().incidents[0]))
    async with seated(FakeDesk(view)) as seat:
        head, first, second = seat.text("needs").splitlines()[:3]
        for word, cell in (("readers hit", "risk pit-qqq"), ("owner", "kd"), ("do first", "wait for the probe in 18 s")):
            assert first[head.index(word) :].startswith(cell), word
        assert second[head.index("owner") :].startswith("nobody")
    async with seated(FakeDesk(view), NARROW) as seat:
        assert seat.text("needs").splitlines()[1].endswith("wait for the probe in 18 s")


async def test_a_snoozed_incident_stands_below_the_open_ones_and_says_until_when() -> None:
    first, grave, closed = a_view().incidents
    asleep = replace(grave, state="snoozed", snoozed_until=AT + 900.0)
    async with seated(FakeDesk(a_view(incidents=(asleep, first, closed)))) as seat:
        lines = seat.text("needs").splitlines()
        assert "1 open, 1 snoozed, 1 closed unseen" in lines[0]
        assert [line.split()[1] for line in lines[1:4]] == ["38", "41", "37"]
        assert "sleeps 09:56" in lines[2]


async def test_what_closed_takes_no_room_from_the_advice_on_what_is_open() -> None:
    still = IncidentView(2, 1, "SPY", "1 payload refused", AT, None, "read the reason in the log")
    closed = IncidentView(1, 2, "NDX", "a long story that is over " * 3, AT - 9, AT - 3, "")
    async with seated(FakeDesk(a_view(incidents=(still, closed))), NARROW) as seat:
        assert seat.text("needs").splitlines()[1].endswith("read the reason in the log")


async def test_what_closed_is_read_whole_where_nothing_is_open() -> None:
    closed = IncidentView(1, 2, "NDX", "gexbot-ndx fails: 503 Service Unavailable", AT - 9, AT - 3, "wait for the probe in 18 s")
    async with seated(FakeDesk(a_view(incidents=(closed,))), NARROW) as seat:
        assert "gexbot-ndx fails: 503 Service Unavailable  3.0 s" in seat.text("needs")


async def test_more_incidents_than_lines_are_counted() -> None:
    many = tuple(IncidentView(i, 1, f"s{i}", "late", AT, None, "look") for i in range(1, 9))
    for size, rows in ((NARROW, 4), (WIDE, 6)):
        async with seated(FakeDesk(a_view(incidents=many)), size) as seat:
            assert len(seat.text("needs").splitlines()) == rows
            assert seat.text("needs").splitlines()[-1].strip() == f"{10 - rows} more"


async def test_a_level_past_its_promise_is_marked_without_colour_too() -> None:
    late = a_level(Level.CRITICAL, oldest_received_at=AT - 31.0, max_s=40.0, drain_s=None)
    view = a_view(levels=(late, *(a_level(level) for level in LEVELS[1:])))
    async with seated(FakeDesk(view)) as seat:
        row = seat.text("waiting").splitlines()[1]
        assert "!31 s" in row
        assert "rising" in row
        assert "!40 s" in seat.text("latency").splitlines()[1]


async def test_the_histogram_marks_the_promise_between_kept_and_late() -> None:
    kept, late = [0] * 28, [0] * 28
    kept[17], late[19] = 5, 5
    for counts, before in ((kept, True), (late, False)):
        view = a_view(levels=(a_level(Level.CRITICAL, histogram=tuple(counts)), *(a_level(level) for level in LEVELS[1:])))
        async with seated(FakeDesk(view)) as seat:
            row = seat.text("latency").splitlines()[1]
            assert (row.index("█") < row.index("|")) is before


@pytest.mark.parametrize("size", [NARROW, (120, 40), WIDE])
@pytest.mark.parametrize("pane", ["sources", "symbols"])
async def test_every_column_of_numbers_ends_where_its_heading_ends(size: tuple[int, int], pane: str) -> None:
    numbers = {"last / due", "/min", "queued", "err5m", "ok", "data", "changed", "adds", "net GEX", "flip"}
    async with seated(FakeDesk(a_view()), size) as seat:
        if pane not in seat.app.main.shown:
            await seat.press("tab")
        heading, row = seat.text(pane).splitlines()[:2]
        ends = {word: heading.index(f" {word}") + 1 + len(word) for word in numbers if f" {word}" in heading}
        assert len(ends) >= 3
        for word, end in ends.items():
            assert row[end - 1] != " ", word
            assert row[end : end + 1] in (" ", ""), word


async def test_a_wide_screen_spells_out_which_guideline_won() -> None:
    view = a_view(symbols=(a_symbol("SPX", why="medium-fresh"),))
    async with seated(FakeDesk(view), (190, 48)) as seat:
        assert " medium-fresh " in seat.text("symbols").splitlines()[1]


async def test_a_source_nobody_expects_anything_from_has_no_expectation_in_its_row() -> None:
    async with seated(FakeDesk(a_view(sources=(a_source(due_s=None), a_source("b", due_s=15.0))))) as seat:
        rows = seat.text("sources").splitlines()
        assert "7.0 s / - " in rows[1]
        assert "7.0 s / 15 s " in rows[2]


async def test_a_symbols_age_includes_its_delay_and_its_source_carries_the_mark() -> None:
    async with seated(FakeDesk(a_view(symbols=(a_symbol("NDX", as_of=AT - 20.0, delay_s=900.0, check="silent"),)))) as seat:
        row = seat.text("symbols").splitlines()[1]
        assert "cboe-ndx D15" in row
        assert "15 m" in row
        assert "-3.20 bn" in row
        assert "! silent" in row


async def test_the_log_is_newest_first_and_marks_what_is_grave() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        lines = seat.text("decisions").splitlines()
        assert lines[1].startswith("09:41:16   SPX CRITICAL")
        assert lines[4].startswith("09:40:05 ! gexbot-spx dead letter")


async def test_a_grave_event_outlives_a_burst_of_decisions_for_a_minute() -> None:
    burst = tuple(LogLine(100 + i, AT, "decision", f"SPX decided {i}") for i in range(60))
    async with seated(FakeDesk(a_view())) as seat:
        seat.desk.push(a_view(sequence=2, log=burst))
        await seat.beat()
        lines = seat.text("decisions").splitlines()
        assert "SPX decided 59" in lines[1]
        assert "SPX decided" in lines[-2]
        assert lines[-1] == "09:40:36 ! 41 opened: cboe-qqq silent"
        seat.clock.at += 20
        seat.desk.push(a_view(sequence=3, log=burst, taken_at=AT + 20))
        await seat.beat()
        assert "cboe-qqq silent" not in seat.text("decisions")


async def test_on_a_small_screen_a_grave_event_stays_before_harmless_ones_for_a_while() -> None:
    grave, plain = LogLine(5, AT, "dead", "gexbot-spy dead letter", True), LogLine(6, AT, "decision", "SPX HIGH")
    async with seated(FakeDesk(a_view(log=(grave, plain))), NARROW) as seat:
        assert "! gexbot-spy dead letter" in seat.text("notice")
        seat.clock.at += 16
        seat.desk.push(a_view(sequence=2, log=(grave, plain), taken_at=AT + 16))
        await seat.beat()
        assert "SPX HIGH" in seat.text("notice")


async def test_every_panel_says_something_when_it_is_empty() -> None:
    nothing = a_view(sources=(), symbols=(), guidelines=(), log=(), incidents=(), dead=0, received=0, completed=0)
    async with seated(FakeDesk(nothing)) as seat:
        assert "nothing" in seat.text("needs")
        for pane, words in (
            ("waiting", "CRITICAL"), ("latency", "p99"), ("symbols", "nothing yet"), ("sources", "nothing yet"),
            ("guidelines", "none in force: everything is LOW"), ("decisions", "nothing yet"),
        ):  # fmt: skip
            assert words in seat.text(pane), pane


@pytest.mark.parametrize("size", [NARROW, (100, 30), (120, 40), WIDE, (230, 70)])
async def test_every_painted_line_takes_exactly_the_width_of_its_pane(size: tuple[int, int]) -> None:
    async with seated(FakeDesk(a_view()), size) as seat:
        for name in seat.app.main.shown:
            pane = seat.app.main.panes[name]
            for y in range(pane.size.height):
                strip = pane.render_line(y)
                assert strip.cell_length == sum(cell_len(s.text) for s in strip) == pane.size.width, name


HOSTILE = ("SPX[/]", "[@click=app.quit]x", "[bold red]y[/bold red]", "株式会社" * 8, "A" * 300, "{0}%s\\", "e\u0301" * 9)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_hostile_text_is_drawn_as_it_is(size: tuple[int, int]) -> None:
    sources = tuple(a_source(t, carries=t, last_error=t, paused_by=t, paused_reason=t, state="paused") for t in HOSTILE)
    symbols = tuple(a_symbol(t, served_by=t, why=t, check=t) for t in HOSTILE)
    view = a_view(
        sources=sources,
        symbols=symbols,
        incidents=tuple(IncidentView(i, 2, t, t, AT, None, t) for i, t in enumerate(HOSTILE)),
        log=tuple(LogLine(i, AT, "dead", t, True) for i, t in enumerate(HOSTILE)),
        session=HOSTILE[1],
        guidelines_version=HOSTILE[0],
        replay_position=HOSTILE[2],
    )
    async with seated(FakeDesk(view), size) as seat:
        assert "SPX[/]" in seat.text("sources")
        assert "[@click=app.qu" in seat.text("sources")
        assert "株式" in seat.text("sources")
        assert "[@click=app.quit]x" in seat.text("needs")
        await seat.press("P")
        await seat.press("escape", "tab", "down", "down", "P")
        await seat.type("[/]")
        assert "[/]" in seat.text("dialog")
        for name in seat.app.main.shown:
            pane = seat.app.main.panes[name]
            assert all(pane.render_line(y).cell_length == pane.size.width for y in range(pane.size.height))
        await seat.press("escape")
        assert seat.app.is_running


# ---------------------------------------------------------------------- looking
async def test_the_cursor_is_there_at_once_and_arrows_and_letters_move_it() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        assert seat.row("sources").split()[1] == "gexbot-spx"
        for key, name in (("down", "cboe-qqq"), ("j", "backfill"), ("k", "cboe-qqq"), ("up", "gexbot-spx"), ("up", "gexbot-spx")):
            await seat.strike(key)
            assert seat.row("sources").split()[1] == name


async def test_the_cursor_stays_in_sight_in_a_long_table() -> None:
    many = tuple(a_source(f"s{i:03d}") for i in range(240))
    async with seated(FakeDesk(a_view(sources=many)), NARROW) as seat:
        await seat.press("end")
        assert seat.row("sources").split()[1] == "s239"
        assert "240/240" in seat.text("sources")
        await seat.press("pageup")
        assert seat.row("sources").split()[1] == "s229"
        await seat.press("home")
        assert seat.text("sources").splitlines()[1].split()[1] == "s000"


async def test_tab_goes_to_the_other_table_also_where_only_one_has_room() -> None:
    async with seated(FakeDesk(a_view()), NARROW) as seat:
        assert "symbols" not in seat.app.main.shown
        await seat.press("tab")
        assert seat.row("symbols").split()[1] == "SPX"
        assert "sources" not in seat.app.main.shown
        await seat.press("tab")
        assert seat.row("sources").split()[1] == "gexbot-spx"


async def test_rows_keep_their_places_whatever_order_the_engine_sends() -> None:
    first = a_view()
    async with seated(FakeDesk(first)) as seat:
        names = [line[2:18].strip() for line in seat.text("sources").splitlines()[1:-1]]
        rng = random.Random(3)
        shuffled = list(first.sources)
        rng.shuffle(shuffled)
        seat.desk.push(a_view(sequence=2, sources=(a_source("new-one"), *shuffled)))
        await seat.beat()
        assert [line[2:18].strip() for line in seat.text("sources").splitlines()[1:-1]] == names
        await seat.press("end")
        assert seat.row("sources").split()[1] == "new-one"


async def test_a_source_that_is_gone_keeps_its_row_and_takes_no_lever() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        seat.desk.push(a_view(sequence=2, sources=some_sources()[1:]))
        await seat.beat()
        assert "gone" in seat.row("sources")
        await seat.press("P")
        assert no_form(seat)
        assert "the engine no longer knows gexbot-spx" in seat.text("notice")


async def test_another_engine_brings_its_order_and_the_cursor_stays_on_its_name() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("down")
        seat.desk.push(a_view(engine_id="e2", sequence=1, sources=(a_source("zzz"), a_source("cboe-qqq"))))
        await seat.beat()
        assert seat.row("sources").split()[1] == "cboe-qqq"
        seat.desk.push(a_view(engine_id="e3", sequence=1, sources=(a_source("zzz"), a_source("yyy"))))
        await seat.beat()
        assert not any(line.startswith(">") for line in seat.text("sources").splitlines())
        await seat.press("plus")
        assert no_form(seat)
        await seat.press("down")
        assert seat.row("sources").split()[1] == "zzz"


async def test_enter_opens_the_page_of_what_is_under_the_cursor() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("down", "enter")
        assert type(seat.app.screen).__name__ == "SourcePage"
        await seat.press("escape", "tab", "enter")
        assert type(seat.app.screen).__name__ == "SymbolPage"
        await seat.press("escape")
        assert seat.app.screen is seat.app.main


async def test_digits_put_panels_away_and_one_table_always_stays() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        for key, pane in (("1", "waiting"), ("2", "latency"), ("5", "guidelines"), ("6", "decisions"), ("3", "symbols")):
            await seat.press(key)
            assert pane not in seat.app.main.shown
        await seat.press("4")
        assert "sources" in seat.app.main.shown
        await seat.press("3")
        await seat.press("4")
        assert "sources" not in seat.app.main.shown
        assert seat.row("symbols").split()[1] == "SPX"


async def test_a_text_filter_narrows_as_it_is_typed_and_escape_clears_it() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("slash")
        await seat.type("NDX")
        assert seat.app.main.cursor.sources.rows == ["backfill", "cboe-ndx"]
        assert seat.row("sources").split()[1] == "backfill"
        await seat.press("down")
        assert seat.row("sources").split()[1] == "cboe-ndx"
        await seat.press("enter")
        assert no_form(seat)
        assert 'rows with "NDX", 2 shown' in seat.text("notice")
        await seat.press("escape")
        assert len(seat.app.main.cursor.sources.rows) == 19
        assert seat.row("sources").split()[1] == "cboe-ndx"


async def test_the_faults_filter_lets_nothing_move_while_it_is_on() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("f")
        assert seat.app.main.cursor.sources.rows == ["cboe-qqq", "backfill", "files"]
        states = {"cboe-qqq": "live", "cboe-spx": "late"}
        changed = [replace(s, state=states.get(s.name, s.state), errors_5m=0) for s in some_sources()]
        seat.desk.push(a_view(sequence=2, sources=tuple(changed)))
        await seat.beat()
        assert seat.app.main.cursor.sources.rows == ["cboe-qqq", "backfill", "files", "cboe-spx"]
        await seat.press("f", "f")
        assert "cboe-qqq" not in seat.app.main.cursor.sources.rows


async def test_a_source_whose_payload_was_refused_is_a_fault_though_it_is_live() -> None:
    async with seated(FakeDesk(a_view(sources=(a_source("well"), a_source("refused", errors_5m=1))))) as seat:
        await seat.press("f")
        assert seat.app.main.cursor.sources.rows == ["refused"]


async def test_a_frozen_picture_stands_still_says_so_and_refuses_levers() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("z")
        before = seat.text("waiting"), seat.text("sources"), seat.text("decisions")
        seat.clock.at += 130
        seat.desk.push(a_view(sequence=2, taken_at=AT + 130, levels=tuple(a_level(level, depth=77) for level in LEVELS)))
        await seat.beat()
        assert (seat.text("waiting"), seat.text("sources"), seat.text("decisions")) == before
        assert "FROZEN 09:41:17, 2 m old" in seat.text("status")
        await seat.press("plus")
        assert no_form(seat)
        assert "frozen" in seat.text("notice")
        await seat.press("z")
        assert "77" in seat.text("waiting")
        assert "FROZEN" not in seat.text("status")


async def test_themes_take_turns_and_none_is_without_its_inks() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        seen = [seat.app.theme]
        for _ in range(5):
            await seat.press("t")
            seen.append(seat.app.theme)
        assert seen == ["desk-dark", "desk-ansi", "desk-contrast", "desk-light", "desk-safe", "desk-dark"]


@pytest.mark.parametrize("theme", ["desk-dark", "desk-light", "desk-contrast"])
async def test_without_colour_every_sign_is_still_there(monkeypatch, theme: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    desk = FakeDesk(a_view())

    async def connect() -> FakeDesk:
        return desk

    app = DeskApp(connect, sample=False, operator="jm", clock=Hand(), theme=theme)
    async with app.run_test(size=WIDE) as pilot:
        while app.sight.newest is None:
            await pilot.pause(0.005)
        await pilot.pause()
        strips = app.main._compositor.render_strips()
    text = "\n".join(strip.text for strip in strips)
    assert all(sign in text for sign in ("!! 41", "FAILING", "!6", "! silent", "> gexbot-spx", "PAUSED jm"))
    styles = [segment.style for strip in strips for segment in strip if segment.style]
    assert {colour.name for style in styles for colour in (style.color, style.bgcolor) if colour} <= {"default"}


async def test_help_explains_every_key_and_scrolls_to_its_end_on_the_smallest_screen() -> None:
    async with seated(FakeDesk(a_view()), NARROW) as seat:
        await seat.press("question_mark")
        page = seat.app.screen.query_one("HelpPage")
        seen = {page.render_line(y).text.strip() for y in range(page.size.height)}
        for _ in range(12):
            await seat.press("pagedown")
            await seat.pilot.wait_for_animation()
            seen |= {page.render_line(y).text.strip() for y in range(page.size.height)}
        whole = "\n".join(seen)
        for words in ("promote the symbol or source by one level", "kill switch", "5 unmatched", "dead letter", "D15", "Esc"):
            assert words in whole
        await seat.press("escape")
        assert seat.app.screen is seat.app.main


async def test_a_window_too_small_says_so_and_acts_on_nothing() -> None:
    async with seated(FakeDesk(a_view()), (70, 20)) as seat:
        assert "70x20; the desk needs 80x24" in seat.text("small")
        await seat.press("P")
        assert no_form(seat)
        await seat.press("q")
        assert "leave it running" in seat.text("dialog")
        await seat.press("escape")
        await seat.pilot.resize_terminal(80, 24)
        await seat.rest()
        assert seat.row("sources").split()[1] == "gexbot-spx"


# ---------------------------------------------------------------------- levers
@pytest.mark.parametrize(
    ("key", "row", "verb", "rows"),
    [
        ("plus", 4, Verb.PROMOTE, 6),
        ("minus", 4, Verb.DEMOTE, 6),
        ("C", 0, Verb.CLEAR, 5),
        ("P", 4, Verb.PAUSE, 5),
        ("R", 2, Verb.RESUME, 5),
        ("P", 2, Verb.RESUME, 5),
    ],
)
@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_lever_is_sent_once_with_the_row_under_the_cursor(key, row, verb, rows, size) -> None:
    async with seated(FakeDesk(a_view()), size) as seat:
        await seat.press(*["down"] * row)
        name = seat.row("sources").split()[1]
        await seat.press(key)
        assert seat.text("dialog").splitlines()[0].startswith(f"── {verb.value.upper()} {name} ")
        assert "3.4 -> 0.2 s" in seat.text("dialog")
        assert len(seat.text("dialog").splitlines()) == rows
        await seat.press("enter")
        assert seat.desk.pulled == []
        await seat.press("down", "enter", "enter")
        (lever,) = seat.desk.pulled
        seen = next(s for s in some_sources() if s.name == name)
        shown = {Verb.PROMOTE: seen.level.raised, Verb.DEMOTE: seen.level.lowered}.get(verb)
        assert lever == Lever(
            verb=verb,
            target=name,
            reason="feed lag",
            level=shown,
            actor="jm",
            seen_revision=seen.revision,
            for_s=900.0 if rows == 6 else None,
            not_after=AT + LEVER_LIMIT_S,
        )
        assert no_form(seat)
        assert f"{verb.value} {name}" in seat.text("notice")


async def test_an_override_names_its_level() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("down", "O")
        assert seat.text("dialog").splitlines()[1].startswith(">Level")
        await seat.press("1")
        await seat.type("desk asked")
        await seat.press("right", "enter")
        (lever,) = seat.desk.pulled
        assert (lever.verb, lever.target, lever.level, lever.for_s) == (Verb.OVERRIDE, "cboe-qqq", Level.CRITICAL, 3600.0)
        assert seat.desk.asked[-1].level is Level.CRITICAL
        assert seat.desk.asked[-1].dry_run


async def test_a_level_lever_on_a_symbol_acts_on_the_symbol_and_a_pause_on_the_source_that_serves_it() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("tab", "down", "plus")
        assert "PROMOTE NDX (symbol, serving cboe-ndx)" in seat.text("dialog")
        await seat.press("down", "enter", "P")
        assert "PAUSE cboe-ndx (source serving NDX)" in seat.text("dialog")
        await seat.press("down", "enter")
        assert [(lever.target_kind, lever.target) for lever in seat.desk.pulled] == [("symbol", "NDX"), ("source", "cboe-ndx")]


async def test_failover_names_the_other_sources_of_the_symbol_and_acts_on_nothing_else() -> None:
    spx = a_symbol("SPX", served_by="gexbot-spx", standby="cboe-spx", readers=("pit-spx", "flow-bot"))
    async with seated(FakeDesk(a_view(symbols=(spx,)))) as seat:
        await seat.press("down", "F")
        assert "cboe-qqq serves nothing now: failover acts on symbols" in seat.text("notice")
        await seat.press("up", "F")
        assert "FAILOVER SPX (symbol, serving gexbot-spx)" in seat.text("dialog")
        await seat.press("escape", "tab", "F")
        assert "cboe-spx" in seat.text("dialog")
        assert "readers pit-spx flow-bot" in seat.text("dialog")
        await seat.type("frozen")
        await seat.press("enter")
        (lever,) = seat.desk.pulled
        assert (lever.verb, lever.target_kind, lever.target, lever.to) == (Verb.FAILOVER, "symbol", "SPX", "cboe-spx")


@pytest.mark.parametrize("key", ["plus", "minus", "O", "P", "K"])
async def test_escape_leaves_and_nothing_is_done(key: str) -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press(key, "down", "x", "escape")
        assert no_form(seat)
        assert seat.desk.pulled == []
        assert "keys" in seat.app.main.shown


@pytest.mark.parametrize(("key", "words"), [("R", "is not paused"), ("C", "has no override")])
async def test_a_lever_with_nothing_to_do_says_so(key: str, words: str) -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("down", key)
        assert no_form(seat)
        assert words in seat.text("notice")


async def test_a_lever_that_cannot_help_is_refused_before_it_is_sent() -> None:
    desk = FakeDesk(a_view())
    desk.refusal = lambda lever: LeverRefused("already CRITICAL")
    async with seated(desk) as seat:
        await seat.press("plus")
        assert "already CRITICAL" in seat.text("dialog")
        await seat.press("down", "enter")
        assert desk.pulled == []


async def test_two_hands_the_second_is_told_who_changed_it_and_asked_again() -> None:
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("down", "plus", "down")
        by_kd = {"revision": 9, "override": "at least HIGH", "override_by": "kd", "level": Level.HIGH}
        others = tuple(replace(s, **by_kd) if s.name == "cboe-qqq" else s for s in some_sources())
        desk.push(a_view(sequence=2, sources=others))
        await seat.beat()
        assert "meanwhile changed by kd: now HIGH" in seat.text("dialog")
        asked = len(desk.asked)
        await seat.press("enter")
        assert desk.pulled == []
        assert desk.asked[asked:][0].seen_revision == 9
        assert "changed by kd, now HIGH" in seat.text("dialog")
        assert "Enter does it all the same" in seat.text("dialog")
        await seat.press("enter")
        (lever,) = desk.pulled
        assert (lever.seen_revision, lever.level) == (9, Level.CRITICAL), "what was agreed to is what was shown the second time"


async def test_two_hands_in_the_same_instant_the_engine_refuses_the_second_and_it_is_asked_again() -> None:
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("down", "P", "down")
        desk.refusal = lambda lever: LeverRefused("changed by kd 0.1 s ago") if lever.seen_revision == 3 else None
        await seat.press("enter")
        assert [lever.seen_revision for lever in desk.pulled] == [3]
        assert "changed by kd 0.1 s ago" in seat.text("dialog")
        assert "nothing sent" in seat.text("dialog")
        await seat.press("enter", "enter")
        assert len(desk.pulled) == 1, "the same lever is not sent again"
        log = (LogLine(9, AT, "lever", "kd as root override source cboe-qqq: LOW -> HIGH, 0 queued jobs moved (event)"),)
        others = tuple(replace(s, revision=4) if s.name == "cboe-qqq" else s for s in some_sources())
        desk.push(a_view(sequence=2, sources=others, log=log))
        await seat.beat()
        await seat.press("enter")
        assert "changed by kd as root" in seat.text("dialog")
        await seat.press("enter")
        assert [lever.seen_revision for lever in desk.pulled] == [3, 4]
        assert no_form(seat)


async def test_two_hands_on_a_symbol_its_override_counts_and_not_what_serves_it() -> None:
    held = OverrideView("symbol", "NDX", "at least HIGH", "kd", "event", AT, AT + 900, 2)
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("tab", "down", "plus", "down")
        served = tuple(replace(s, served_by="gexbot-ndx") if s.symbol == "NDX" else s for s in a_view().symbols)
        seat.desk.push(a_view(sequence=2, symbols=served))
        await seat.beat()
        assert "changed" not in seat.text("dialog")
        seat.desk.push(a_view(sequence=3, overrides=(held,)))
        await seat.beat()
        assert "meanwhile changed by kd" in seat.text("dialog")
        await seat.press("enter", "enter")
        assert [lever.seen_revision for lever in seat.desk.pulled] == [2]


async def test_a_silent_engine_leaves_the_dialog_open_and_says_what_is_not_known(monkeypatch) -> None:
    monkeypatch.setattr("gexdesk.tui.screens.levers.ANSWER_S", 0.02)
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("plus", "down")
        desk.answering.clear()
        await seat.press("enter")
        while "sending" in seat.text("dialog"):
            await seat.pilot.pause(0.01)
        assert "not known" in seat.text("dialog")
        assert "the engine was told not to do it later; see DECISIONS" in seat.text("dialog")
        await seat.press("enter")
        assert len(desk.pulled) == 1
        await seat.press("escape")
        assert no_form(seat)


async def test_while_it_is_sent_no_key_leaves_the_dialog_or_sends_it_again() -> None:
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("plus", "down")
        desk.answering.clear()
        await seat.press("enter", "enter", "escape")
        assert "sending" in seat.text("dialog")
        assert len(desk.pulled) == 1
        desk.answering.set()
        await seat.rest()
        assert no_form(seat)


@pytest.mark.parametrize("error", [EngineAway("no engine answers"), RuntimeError("a fault of the client")])
async def test_no_error_of_a_lever_ends_the_desk(error: Exception) -> None:
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("plus", "down")
        desk.refusal = lambda lever: error
        await seat.press("enter")
        assert str(error) in seat.text("dialog")
        assert seat.app.is_running


@pytest.mark.parametrize(
    ("stopped", "words", "verb"), [(False, "pause all", Verb.PAUSE_ALL), (True, "resume all", Verb.RESUME_ALL)]
)
async def test_the_kill_switch_is_typed_in_full(stopped: bool, words: str, verb: Verb) -> None:
    async with seated(FakeDesk(a_view(stopped=stopped))) as seat:
        assert ("EVERYTHING STOPPED" in seat.text("status")) is stopped
        await seat.press("K")
        assert isinstance(seat.app.main.dialog.form, KillForm)
        await seat.type(words[:-1])
        await seat.press("enter", "down", "enter")
        assert seat.desk.pulled == []
        await seat.type(words[-1])
        await seat.press("enter", "down", "enter")
        assert [(lever.verb, lever.target, lever.reason) for lever in seat.desk.pulled] == [(verb, "", "feed lag")]


async def test_no_press_ever_hits_another_row_than_the_one_that_was_seen() -> None:
    """Moment 4: sources, symbols and who serves them change their places all the time, and levers are pulled all the while.

    On a source's row the lever hits the source that was painted there. On a symbol's row it hits the source that serves
    that symbol in the picture at the keypress; the dialog names it, and what changes afterwards does not move it.
    """
    rng = random.Random(7)
    first = a_view()
    names = [s.name for s in first.sources]
    wrong = presses = on_symbols = sequence = 0
    async with seated(FakeDesk(first), NARROW) as seat:

        def shuffle() -> None:
            nonlocal sequence
            sequence += 1
            sources = rng.sample(first.sources, len(first.sources))
            symbols = tuple(replace(s, served_by=rng.choice(names)) for s in rng.sample(first.symbols, len(first.symbols)))
            seat.desk.push(a_view(sequence=1 + sequence, sources=tuple(sources), symbols=symbols))

        while presses < 500:
            if rng.random() < 0.1:
                await seat.press("tab")
            await seat.strike(*rng.choices(("down", "up", "pagedown", "home"), k=2))
            table = "symbols" if "symbols" in seat.app.main.shown else "sources"
            await seat.spin()
            seen = seat.row(table).split()[1]
            shuffle()
            if table == "symbols":
                # Who serves may change with every picture: it counts which one the desk had at the keypress.
                await seat.spin()
            key = rng.choice(("plus", "minus", "O", "P"))
            on_serving = table == "symbols" and key == "P"
            expected = {s.symbol: s.served_by for s in seat.desk.held[-1].symbols}[seen] if on_serving else seen
            await seat.strike(key)
            shuffle()
            await seat.spin()
            form = seat.app.main.dialog.form
            assert isinstance(form, LeverForm)
            title = "".join(text for text, _ in form.draw(0, 80))
            told = (f" {expected} (source serving {seen}) ",) if on_serving else (f" {expected} (",)
            told += (f" {expected}  ",)  # where the line is short, the name alone
            await seat.strike(*(("1",) if key == "O" else ()), "down", "enter")
            presses += 1
            on_symbols += table == "symbols"
            wrong += not any(words in title for words in told)
            wrong += seat.desk.pulled[-1].target != expected or len(seat.desk.pulled) != presses
            seat.app.main.tick()
    assert (presses, wrong) == (500, 0)
    assert 150 < on_symbols < 350


# ---------------------------------------------------------------------- an engine that is slow, gone or wrong
async def test_an_old_picture_dims_and_levers_refuse_until_the_next_one() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        main = seat.app.main
        seat.clock.at += 4.2
        await seat.beat()
        assert {segment.style for segment in main.cursor.sources.render_line(2)} == {main.cursor.sources._inks["old"]}
        assert "engine silent, picture 4.2 s old" in seat.text("status")
        for key in ("plus", "O", "P", "K"):
            await seat.press(key)
            assert no_form(seat)
            assert "the engine's picture is too old: levers are refused until it answers" in seat.text("notice")
        seat.desk.push(a_view(sequence=2, taken_at=AT + 4))
        await seat.beat()
        assert len({segment.style for segment in main.cursor.sources.render_line(2)}) > 1
        await seat.press("plus")
        assert not no_form(seat)


async def test_a_dialog_opened_in_time_sends_nothing_on_an_old_picture() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("plus", "down")
        seat.clock.at += 3.0
        await seat.press("enter")
        assert seat.desk.pulled == []
        assert "the engine's picture is too old: levers are refused until it answers" in seat.text("dialog")
        seat.desk.push(a_view(sequence=2))
        await seat.beat()
        assert "too old" not in seat.text("dialog")
        await seat.press("enter")
        assert len(seat.desk.pulled) == 1


async def test_an_older_picture_never_replaces_a_newer_one() -> None:
    async with seated(FakeDesk(a_view(sequence=5))) as seat:
        seat.desk.push(a_view(sequence=4, levels=tuple(a_level(level, depth=77) for level in LEVELS)))
        await seat.beat()
        assert "77" not in seat.text("waiting")


async def test_connecting_waits_for_the_first_paint_which_says_what_is_awaited() -> None:
    painted: list[str] = []
    desk = FakeDesk(a_view())

    async def connect() -> FakeDesk:
        painted.append(app.main.status.text)
        return desk

    app = DeskApp(connect, sample=False, operator="jm", clock=Hand())
    async with app.run_test(size=NARROW) as pilot:
        while app.sight.newest is None:
            await pilot.pause(0.005)
    assert "looking for the engine ..." in painted[0]


@pytest.mark.parametrize(
    ("error", "words"),
    [(None, "the socket is closed"), (RuntimeError("boom"), "RuntimeError: boom"), (OSError("no route"), "no route")],
)
async def test_a_lost_engine_is_named_and_found_again(monkeypatch, error: Exception | None, words: str) -> None:
    monkeypatch.setattr("gexdesk.tui.app.RETRY_S", (0.05,))
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        desk.lose("the socket is closed", error)
        await seat.rest()
        assert words in seat.text("notice")
        assert "engine away" in seat.text("status")
        desk.push(a_view(sequence=9, engine_id="e2", taken_at=AT + 60))
        while seat.app.sight.running_now < AT + 60:
            await seat.pilot.pause(0.01)
        await seat.beat()
        assert "09:42:17" in seat.text("status")
        assert "engine away" not in seat.text("status")


async def test_an_engine_that_cannot_start_is_said_and_the_desk_can_be_left() -> None:
    async def connect() -> FakeDesk:
        raise EngineAway("the state folder is read-only")

    app = DeskApp(connect, sample=False, operator="jm", clock=Hand())
    async with app.run_test(size=NARROW) as pilot:
        while not app.sight.away:
            await pilot.pause(0.005)
        assert "the state folder is read-only" in app.main.status.text
        await pilot.press("q")
        await pilot.pause()
        assert "no engine answers; Enter leaves" in app.main.dialog.text
        assert "goes on ingesting" not in app.main.dialog.text
        assert "stop the engine" not in app.main.dialog.text
        await pilot.press("s", "enter")
    assert app.return_value == 0


# ---------------------------------------------------------------------- leaving
@pytest.mark.parametrize(
    "keys", [("q", "enter"), ("q", "l"), ("ctrl+c", "ctrl+c"), ("ctrl+q", "enter"), ("question_mark", "ctrl+c", "enter")]
)
async def test_leaving_lets_the_engine_go_on(keys: tuple[str, ...]) -> None:
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        for key in keys:
            await seat.press(key)
    assert desk.stopped == 0
    assert seat.app.return_value == 0


async def test_leaving_can_stop_the_engine_and_starts_no_other(monkeypatch) -> None:
    monkeypatch.setattr("gexdesk.tui.app.RETRY_S", (0.0,))
    desk, connects = FakeDesk(a_view()), 0

    async def connect() -> FakeDesk:
        nonlocal connects
        connects += 1
        return desk

    stop = desk.stop

    async def stop_and_close() -> None:
        await stop()
        desk.lose()
        while app.desk is not None:
            await asyncio.sleep(0)
        # The engine is gone and the answer to "stop" is not yet here: the time to look for another one.
        for _ in range(20):
            await asyncio.sleep(0)

    desk.stop = stop_and_close  # type: ignore[method-assign]
    app = DeskApp(connect, sample=False, operator="jm", clock=Hand())
    async with app.run_test(size=NARROW) as pilot:
        while app.sight.newest is None:
            await pilot.pause(0.005)
        await pilot.press("q", "s")
        await pilot.pause()
    assert (desk.stopped, connects, app.return_value) == (1, 1, 0)


async def test_an_engine_that_does_not_stop_keeps_the_desk_open() -> None:
    desk = FakeDesk(a_view())

    async def stop() -> None:
        raise EngineAway("connection reset")

    desk.stop = stop  # type: ignore[method-assign]
    async with seated(desk) as seat:
        await seat.press("q", "s")
        assert "did not stop: connection reset" in seat.text("dialog")
        await seat.press("escape")
        assert no_form(seat)
        assert seat.app.is_running


async def test_escape_stays() -> None:
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("q", "escape", "down")
        assert seat.row("sources").split()[1] == "cboe-qqq"
        assert seat.app.return_value is None


async def test_leaving_does_not_pass_over_an_engine_that_went_away_before_it_was_stopped() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("q")
        seat.desk.lose()
        await seat.rest()
        await seat.press("s")
        assert seat.app.is_running
        assert "no engine answers: it was not stopped, and may go on; l leaves" in seat.text("dialog")
        assert seat.desk.stopped == 0
        await seat.press("l")
        assert not seat.app.is_running


# ---------------------------------------------------------------------- what a new user tripped over
IN_WORK = tuple(a_level(level, processing=n) for level, n in zip(LEVELS, (1, 40, 100, 5), strict=True))


async def test_what_is_not_decided_yet_and_in_work_stands_beside_the_first_panels_title() -> None:
    async with seated(FakeDesk(a_view(levels=IN_WORK, undecided=310))) as seat:
        assert seat.text("waiting").startswith(" 1 WAITING   +310 undecided   134 in work ")
        seat.desk.push(a_view(sequence=2, levels=IN_WORK, undecided=0))
        await seat.beat()
        assert seat.text("waiting").startswith(" 1 WAITING   134 in work ")
        assert "last 2 min" in seat.text("waiting")
        seat.desk.push(a_view(sequence=3, levels=IN_WORK, undecided=123_456))
        await seat.beat()
        assert "+123,456 undecided" in seat.text("waiting").splitlines()[0]


@pytest.mark.parametrize(("undecided", "words"), [(310, " +310 "), (1_310, " +1.3k "), (99_960, " +99k "), (0, "WAITING      ")])
async def test_a_narrow_screen_says_what_is_not_decided_yet_too(undecided: int, words: str) -> None:
    async with seated(FakeDesk(a_view(levels=IN_WORK, undecided=undecided)), NARROW) as seat:
        heading, row = seat.text("both").splitlines()[:2]
        assert words in heading
        assert heading.index("depth") + len("depth") == row.index(" 3 ") + 2
    async with seated(FakeDesk(a_view(levels=IN_WORK, undecided=undecided)), (120, 40)) as seat:
        assert "134 in work" in seat.text("both").splitlines()[0]


def test_help_explains_the_backlog_conflicts_and_the_stores_lag_and_counts_what_is_counted_nowhere_else() -> None:
    lines = help_lines(80, a_view(levels=IN_WORK, undecided=311, storing=12))
    page = " ".join(" ".join(text for line in lines for text, _ in line).split())
    for words in (
        "+310 undecided", "in work", "store behind",
        "5 conflicts the same symbol and stamp decided at different levels by two sources within a minute",
        "311 not decided yet", "134 in work", "12 available and not stored yet", "STOPPED",
    ):  # fmt: skip
        assert words in page, words


BOUND = {"override": "at least HIGH", "override_by": "root", "override_until": AT + 900.0, "override_reason": "event"}
IN_WORDS = " at least HIGH root 09:56 "


@pytest.mark.parametrize(("size", "words"), [(NARROW, " ≥HIGH "), ((120, 40), IN_WORDS), (WIDE, IN_WORDS)])
async def test_an_override_is_shown_in_its_own_words_not_as_the_present_level(size: tuple[int, int], words: str) -> None:
    bound = a_source("spx", level=Level.CRITICAL, **BOUND)
    async with seated(FakeDesk(a_view(sources=(bound,))), size) as seat:
        row = seat.text("sources").splitlines()[1]
        assert words in row
        assert "CRITICAL" not in row
        assert f"spx{words.rstrip()}" in seat.text("status")
        assert "CRITICAL" not in seat.text("status")


async def test_the_kill_switch_is_said_once_with_who_turned_it_and_r_says_what_starts_it_again() -> None:
    sources = tuple(replace(s, state="paused" if s.paused_by else "stopped") for s in some_sources())
    async with seated(FakeDesk(a_view(stopped=True, stopped_by="kd as desk", sources=sources, log=()))) as seat:
        force = seat.text("status").splitlines()[1]
        assert force.startswith(" IN FORCE  ! EVERYTHING STOPPED by kd as desk  ")
        assert "gexbot-spx" not in force
        assert "backfill" not in force
        *rows, more = seat.text("sources").splitlines()[1:]
        assert more.startswith(f"  {19 - len(rows)} more, {19 - len(rows)} with faults")
        assert [line for line in rows if " STOPPED " not in line] == [line for line in rows if " backfill " in line]
        table = seat.app.main.cursor.sources
        assert [s.style for s in table.render_line(2) if "STOPPED" in s.text] == [table._inks["eye"]]
        await seat.press("R")
        assert no_form(seat)
        assert "everything is stopped: K starts it again" in seat.text("notice")
        await seat.press("down", "down", "R")
        assert "RESUME backfill" in seat.text("dialog")


async def test_the_kill_switch_is_said_also_where_nobody_knows_any_more_who_turned_it() -> None:
    async with seated(FakeDesk(a_view(stopped=True, log=())), NARROW) as seat:
        assert " IN FORCE  ! EVERYTHING STOPPED " in seat.text("status")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_filtered_table_says_so_in_its_title_and_clearing_gives_the_order_back(size: tuple[int, int]) -> None:
    names = ["gexbot-spx", "gexbot-ndx", "gexbot-spy", "cboe-spx"]
    view = a_view(sources=tuple(a_source(n, state="late" if n == "gexbot-spy" else "live") for n in names))
    async with seated(FakeDesk(view), size) as seat:
        table = seat.app.main.cursor.sources
        await seat.press("slash")
        assert "/ in SOURCES" in seat.text("dialog")
        await seat.type("spx")
        assert "4 SOURCES 2 of 4 (/spx)" in seat.text("sources")
        await seat.press("backspace", "y", "enter")
        assert table.rows == ["gexbot-spy"]
        await seat.press("f")
        assert "4 SOURCES 1 of 4 (/spy faults)" in seat.text("sources")
        await seat.press("escape")
        assert table.rows == names
        await seat.press("f")
        assert "4 SOURCES 1 of 4 (faults)" in seat.text("sources")
        await seat.press("f")
        assert table.rows == names
        assert " of 4" not in seat.text("sources")
        await seat.press("tab", "slash")
        assert "/ in SYMBOLS" in seat.text("dialog")


async def test_a_filtered_title_covers_whole_headings_only() -> None:
    async with seated(FakeDesk(a_view()), NARROW) as seat:
        plain = seat.text("sources").splitlines()[0]
        await seat.press("f")
        heading = seat.text("sources").splitlines()[0]
        assert heading.startswith(" 4 SOURCES 3 of 19 (faults) ")
        assert "carries" not in heading
        assert heading[30:] == plain[30:]


async def test_notices_go_when_what_they_say_is_over_and_none_stays_longer_than_six_seconds() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("z", "plus")
        assert "frozen" in seat.text("notice")
        await seat.press("z")
        assert "frozen" not in seat.text("notice")
        seat.clock.at += 3
        await seat.beat()
        await seat.press("plus")
        assert "too old: levers are refused until it answers" in seat.text("notice")
        seat.desk.push(a_view(sequence=2, taken_at=AT + 3))
        await seat.beat()
        assert "too old" not in seat.text("notice")
        await seat.press("down", "C")
        assert "has no override" in seat.text("notice")
        for second in range(7):
            seat.clock.at += 1
            seat.desk.push(a_view(sequence=3 + second, taken_at=AT + 4 + second))
            await seat.beat()
            assert ("has no override" in seat.text("notice")) is (second < 5)


async def test_leaving_a_silent_engine_promises_nothing() -> None:
    async with seated(FakeDesk(a_view(in_flight=1))) as seat:
        await seat.press("q")
        assert seat.text("dialog").endswith("attaches again; 1 job in work")
        await seat.press("escape")
        seat.clock.at += 30
        await seat.beat()
        await seat.press("q")
        assert "goes on ingesting" not in seat.text("dialog")
        assert "whether it goes on is not known" in seat.text("dialog")


async def test_an_engine_that_a_lever_waited_for_is_not_known_to_have_done_nothing(monkeypatch) -> None:
    monkeypatch.setattr("gexdesk.tui.screens.levers.NOT_REACHED_S", 0.0)
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("plus", "down")
        desk.refusal = lambda lever: EngineAway("no engine answers (ReadTimeout)")
        await seat.press("enter", "enter")
        assert "the engine was told not to do it later; see DECISIONS   Esc leaves" in seat.text("dialog")
        assert "not known" in seat.text("dialog")
        assert len(desk.pulled) == 1


async def test_enter_waits_for_what_the_engine_says_and_is_dropped_by_any_other_key() -> None:
    desk = FakeDesk(a_view())
    desk.answering.clear()
    async with seated(desk) as seat:
        await seat.press("down", "plus", "down")
        assert "asking the engine" in seat.text("dialog")
        assert "Enter is off until the engine says what this does" in seat.text("dialog")
        await seat.press("enter")
        assert "done as soon as the engine says" in seat.text("dialog")
        assert desk.pulled == []
        await seat.press("x")
        desk.answering.set()
        await seat.rest()
        assert desk.pulled == []
        assert "next payload available" in seat.text("dialog")
        desk.answering.clear()
        await seat.press("right", "enter")
        assert "asking the engine" in seat.text("dialog")
        assert desk.pulled == []
        desk.answering.set()
        await seat.rest()
        await seat.rest()
        assert [(lever.target, lever.for_s) for lever in desk.pulled] == [("cboe-qqq", 3600.0)]
        assert no_form(seat)


async def test_an_agreed_lever_that_the_engine_would_refuse_is_not_sent() -> None:
    desk = FakeDesk(a_view())
    desk.answering.clear()
    async with seated(desk) as seat:
        await seat.press("down", "plus", "down", "enter")
        desk.refusal = lambda lever: LeverRefused("already MEDIUM")
        desk.answering.set()
        await seat.rest()
        assert "already MEDIUM" in seat.text("dialog")
        assert desk.pulled == []


async def test_a_lever_the_engine_did_not_explain_is_asked_about_again_before_it_is_sent() -> None:
    desk = FakeDesk(a_view())
    desk.refusal = lambda lever: EngineAway("no engine answers")
    async with seated(desk) as seat:
        await seat.press("down", "plus", "down")
        desk.refusal = lambda lever: None
        await seat.press("enter")
        assert (len(desk.asked), len(desk.pulled)) == (2, 0)
        await seat.press("enter")
        assert len(desk.pulled) == 1


@pytest.mark.parametrize(
    ("level", "starts"), [(Level.LOW, "[3 MEDIUM]"), (Level.HIGH, "[1 CRITICAL]"), (Level.CRITICAL, "[1 CRITICAL]")]
)
async def test_an_override_starts_one_level_up(level: Level, starts: str) -> None:
    async with seated(FakeDesk(a_view(sources=(a_source(level=level),)))) as seat:
        await seat.press("O")
        assert starts in seat.text("dialog")


async def test_the_smallest_screen_keeps_the_end_of_advice_and_the_way_out() -> None:
    text = "gexbot-spx: 14 payloads refused: the JSON ends in the middle of a value"
    desk = FakeDesk(a_view(incidents=(IncidentView(2, 2, "SPX", text, AT, None, "the vendor; P pauses the source"),)))
    async with seated(desk, NARROW) as seat:
        line = seat.text("needs").splitlines()[1]
        assert line.endswith("  the vendor; P pauses the source")
        assert "gexbot-spx" in line
        words = "gexbot-spx was changed by root 3 s ago; nothing was sent, look again before you do anything"
        desk.refusal = lambda lever: LeverRefused(words)
        await seat.press("plus")
        assert seat.text("dialog").endswith("   Esc leaves")
        await seat.press("escape", "q")
        assert seat.text("dialog").endswith("; 6 jobs in work")


async def test_one_unit_a_row_and_one_source_in_the_singular() -> None:
    for net, words in ((-9e6, "-0.009 bn"), (0.3e9, "+0.300 bn"), (-1e3, "0.00 bn")):
        async with seated(FakeDesk(a_view(symbols=(a_symbol("VIX", net_gex=net, gross_gex=0.4e9),)))) as seat:
            assert f" {words} " in seat.text("symbols").splitlines()[1]
    async with seated(FakeDesk(a_view(sources=(a_source(),)))) as seat:
        await seat.press("K")
        assert "PAUSE ALL 1 SOURCE " in seat.text("dialog")


async def test_titles_of_one_column_begin_in_one_cell() -> None:
    async with seated(FakeDesk(a_view()), (120, 40)) as seat:
        for pane in ("both", "symbols", "sources", "guidelines"):
            line = seat.text(pane).splitlines()[0]
            assert line[0] == " ", pane
            assert line[1].isdigit(), pane


# ---------------------------------------------------------------------- what it costs
def test_the_screen_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'polars', 'duckdb', 'pydantic', 'fastapi', 'httpx2', 'redis', 'gexdesk.settings'}"
    code = f"import sys, gexdesk.tui.app, gexdesk.tui.screens.help; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == ([], "")


async def test_a_beat_on_a_quiet_desk_refreshes_the_clock_and_nothing_else() -> None:
    quiet = a_view(
        sources=(a_source(last_at=AT - 7200),),
        symbols=(a_symbol(as_of=AT - 7200, changed_at=AT - 7200),),
        incidents=(),
        levels=tuple(a_level(level, oldest_received_at=None, trend=(0,) * 120) for level in LEVELS),
        guidelines=(),
    )
    async with seated(FakeDesk(quiet)) as seat:
        await seat.beat()
        refreshed: list[tuple[str | None, int]] = []
        for pane in seat.app.main.panes.values():
            pane.refresh = lambda *regions, pane=pane, **_: refreshed.extend((pane.id, r.width) for r in regions)  # type: ignore[method-assign]
        seat.clock.at += 1
        seat.desk.push(replace(quiet, sequence=2, taken_at=AT + 1))
        await seat.beat()
        assert {name for name, _ in refreshed} == {"status"}
        assert sum(width for _, width in refreshed) <= 4


async def test_rows_are_drawn_each_second_until_nothing_has_changed_for_a_minute_and_again_at_once_when_it_does() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        main, drawn = seat.app.main, []
        table, view = main.cursor.sources, seat.desk.held[-1]
        paint = table.paint
        table.paint = lambda rows=None: (drawn.extend(rows), paint(rows))[1] if rows is not None else paint()  # type: ignore[method-assign]

        async def rows_in(ticks: int) -> int:
            drawn.clear()
            for _ in range(ticks):
                main.tick()
            return len(drawn)

        height = table.size.height
        assert await rows_in(4) == height
        await rows_in(STILL_TICKS)
        assert await rows_in(16) == height, "each row once in four seconds"
        seat.desk.push(replace(view, sequence=2, taken_at=AT + 90.0))
        await seat.rest()
        assert await rows_in(16) == height, "the time alone is no change"
        sources = (replace(view.sources[0], queued=9), *view.sources[1:])
        seat.desk.push(replace(view, sequence=3, taken_at=AT + 91.0, sources=sources))
        await seat.rest()
        assert await rows_in(4) == height


async def test_what_stands_is_drawn_at_the_next_tick_whatever_its_turn_and_figures_in_their_turns() -> None:
    quiet = a_view(overrides=())
    first = quiet.sources[0]
    changes: list[tuple[dict[str, object], str, str]] = [
        ({"overrides": a_view().overrides}, "status", a_view().overrides[0].target),
        ({"sources": (replace(first, state="ended"), *quiet.sources[1:])}, "sources", "ended"),
        ({"symbols": (replace(quiet.symbols[0], check="REPEATS"), *quiet.symbols[1:])}, "symbols", "REPEATS"),
        ({"incidents": (IncidentView(99, 2, "IWM", "held back", AT, None, "look"),)}, "needs", "held back"),
    ]  # fmt: skip
    for turn in range(4):
        for number, (change, pane, words) in enumerate(changes, 2):
            async with seated(FakeDesk(quiet), WIDE) as seat:
                for _ in range(4 + turn):
                    seat.app.main.tick()
                seat.desk.push(replace(quiet, sequence=number, **change))
                await seat.rest()
                assert words not in seat.text(pane)
                seat.app.main.tick()
                assert words in seat.text(pane), (turn, pane)
    async with seated(FakeDesk(quiet), WIDE) as seat:
        drawn: list[object] = []
        seat.app.main.tick()
        seat.app.main.beat.paint_all = lambda: drawn.append(None)  # type: ignore[method-assign]
        seat.desk.push(replace(quiet, sequence=2, sources=(replace(first, queued=9), *quiet.sources[1:])))
        await seat.rest()
        seat.app.main.tick()
        assert not drawn, "a figure waits for its turn"


def test_what_is_served_from_a_standby_is_in_force_and_many_are_counted() -> None:
    over = [a_symbol(name, serving="gexbot-2", failed_over="jm: feed lag") for name in ("SPX", "NDX", "RUT", "QQQ")]
    assert acts(a_view(symbols=tuple(over[:2])), short=False)[-2:] == ["SPX from gexbot-2 jm", "NDX from gexbot-2 jm"]
    assert acts(a_view(symbols=tuple(over)), short=False)[-1] == "4 symbols failed over"
