"""What hands expect of a terminal's desk: marks, filters, copies, exports, views, keys and themes of their own, a bell."""

import base64
import csv
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from desk_pilot import NARROW, WIDE, seated
from fake_desk import AT, FakeDesk, a_source, a_view, some_sources
from msgspec import Struct
from msgspec.structs import replace

from gexdesk.model.errors import EngineAway, LeverRefused
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.view.engine import BoundView
from gexdesk.model.view.incident import IncidentView
from gexdesk.model.view.override import OverrideView, ScheduleView
from gexdesk.tui import export
from gexdesk.tui.filter import fault_of, matcher
from gexdesk.tui.ink import plain, width_of
from gexdesk.tui.keymap import checked
from gexdesk.tui.keys import KEYS, binding_id, bindings
from gexdesk.tui.widgets.pane import Pane


def no_form(seat) -> bool:
    return seat.app.main.dialog.form is None


# ---------------------------------------------------------------------- the two lines on top
async def test_the_second_line_has_every_override_the_pauses_and_what_arms_next() -> None:
    overrides = (
        OverrideView("symbol", "SPX", "CRITICAL", 'schedule "open"', "open", AT, AT + 900.0, 2),
        OverrideView("job", "0192f7aa-77", "at least HIGH", "kd", "x", AT, None, 2),
    )
    schedules = (
        ScheduleView("cpi", "symbol", "NDX", "at least HIGH", "cpi", AT + 3600.0, AT + 7200.0, False, False),
        ScheduleView("open", "symbol", "SPX", "CRITICAL", "open", AT - 60.0, AT + 900.0, True, False),
    )
    view = a_view(overrides=overrides, schedules=schedules, bound=BoundView(9.8, 30.0, 0.2, "the largest payload"))
    async with seated(FakeDesk(view), (200, 48)) as seat:
        force = seat.text("status").splitlines()[1]
        assert "backfill PAUSED jm" in force
        assert "job 0192f7aa at least HIGH kd no end !" in force
        assert 'SPX CRITICAL schedule "open" 09:56' in force
        assert 'NEXT  NDX ≥HIGH "cpi" 10:41' in force
        assert "bound 9.8 s of 30 s" in force
    async with seated(FakeDesk(view), NARROW) as seat:
        force = seat.text("status").splitlines()[1]
        assert "more" in force, "what does not fit is counted"
        assert "PROMISES" in force


@pytest.mark.parametrize(
    ("worst", "words", "eye"),
    [(14.9, "14 s of", False), (15.1, "15 s of", True), (31.0, "! 31 s of", True), (None, "! none for", True)],
)
async def test_the_bound_draws_the_eye_from_half_of_the_promise_on(worst: float | None, words: str, eye: bool) -> None:
    async with seated(FakeDesk(a_view(bound=BoundView(worst, 30.0, 0.2, "")))) as seat:
        status = seat.app.main.status
        line = status.render_line(1)
        assert [s.style == status._inks["eye"] for s in line if s.text.strip().startswith(f"{words} 30 s")] == [eye]


async def test_a_pager_that_fails_is_said_at_every_size() -> None:
    for size in (NARROW, WIDE):
        async with seated(FakeDesk(a_view(pager="failing: 401 from the pager")), size) as seat:
            assert "! pager failing" in seat.text("status")


async def test_a_read_only_engine_is_said_on_every_screen_and_levers_say_so_before_they_ask() -> None:
    async with seated(FakeDesk(a_view(read_only=True))) as seat:
        assert " READ-ONLY " in seat.text("status")
        for key in ("plus", "P", "K", "U"):
            await seat.press(key)
            assert no_form(seat)
            assert "read-only: this engine was started so, or your key may only read" in seat.text("notice")
        await seat.press("w")
        assert "READ-ONLY" in seat.app.screen.status.text
        assert (seat.desk.asked, seat.desk.pulled) == ([], [])


# ---------------------------------------------------------------------- from the alarm to the act
async def test_from_the_alarm_to_a_promoted_source_in_four_keys_and_to_a_paused_one_in_three_and_the_reason() -> None:
    alarm = IncidentView(41, 2, "QQQ", "silent", AT - 42.0, None, "promote it", source="cboe-qqq")
    for keys, verb in ((("n", "plus", "down", "enter"), Verb.PROMOTE), (("n", "P", "down", "enter"), Verb.PAUSE)):
        async with seated(FakeDesk(a_view(incidents=(alarm,))), NARROW) as seat:
            await seat.press(*keys)
            assert [(lever.verb, lever.target) for lever in seat.desk.pulled] == [(verb, "cboe-qqq")]


async def test_n_goes_through_what_needs_you_gravest_first_and_i_opens_the_gravest() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("n")
        assert seat.row("sources").split()[1] == "cboe-qqq"
        await seat.press("n")
        assert seat.row("symbols").split()[1] == "NDX"
        await seat.press("n")
        assert seat.row("sources").split()[1] == "cboe-qqq"
        await seat.press("i")
        assert seat.app.screen.incidents.cursor == "#41"
    async with seated(FakeDesk(a_view(incidents=()))) as seat:
        await seat.press("n")
        assert "nothing needs you" in seat.text("notice")


# ---------------------------------------------------------------------- marks
async def test_one_key_marks_all_that_the_filter_shows_and_takes_the_marks_back() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("asterisk")
        assert "4 SOURCES 19 marked" in seat.text("sources")
        await seat.press("asterisk")
        assert "marked" not in seat.text("sources")
        await seat.press("slash")
        await seat.type("files")
        await seat.press("enter", "asterisk", "escape")
        assert "4 SOURCES 1 marked" in seat.text("sources")
        await seat.press("asterisk")  # some are marked: then all
        assert "4 SOURCES 19 marked" in seat.text("sources")


async def test_one_dialog_acts_on_all_marked_rows_one_after_the_other() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("space", "space", "down", "space")
        assert "4 SOURCES 3 marked" in seat.text("sources")
        assert [line[1] for line in seat.text("sources").splitlines()[1:5]] == ["*", "*", " ", "*"]
        await seat.press("plus")
        dialog = seat.text("dialog")
        assert dialog.startswith("── PROMOTE 3 sources ")
        assert " ON      gexbot-spx cboe-qqq files" in dialog
        await seat.press("space", "escape")
        assert seat.desk.pulled == []
        await seat.press("plus", "down", "enter")
        pulled = [(lever.target, lever.level, lever.seen_revision, lever.reason) for lever in seat.desk.pulled]
        assert pulled == [
            ("gexbot-spx", None, 4, "feed lag"), ("cboe-qqq", Level.MEDIUM, 3, "feed lag"), ("files", Level.HIGH, 3, "feed lag"),
        ]  # fmt: skip
        [act] = {lever.together for lever in seat.desk.pulled}  # one act: undo takes all of it back
        assert act
        assert "3 done: gexbot-spx cboe-qqq files" in seat.text("notice")
        assert "marked" not in seat.text("sources")
        await seat.press("plus", "down", "enter")
        assert seat.desk.pulled[-1].together == ""


async def test_targets_are_those_that_were_marked_at_the_keypress() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("down", "space", "P")
        seat.app.main.cursor.table.marked["gexbot-spx"] = None
        await seat.press("down", "enter")
        assert [lever.target for lever in seat.desk.pulled] == ["cboe-qqq"]


async def test_rows_on_which_it_means_nothing_are_left_out_and_named() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("down", "space", "space", "P")
        assert "── PAUSE cboe-qqq" in seat.text("dialog")
        await seat.press("escape", "R")
        assert "── RESUME backfill" in seat.text("dialog")
        await seat.press("escape", "down", "down", "space", "space", "R")
        assert "RESUME backfill" in seat.text("dialog")
        await seat.press("escape", "P")
        assert "left out: backfill would be resumed" in seat.text("dialog")


async def test_one_refusal_among_marked_rows_stops_none_of_the_others_and_is_told() -> None:
    desk = FakeDesk(a_view())
    desk.refusal = lambda lever: LeverRefused("already so") if lever.target == "cboe-qqq" else None
    async with seated(desk) as seat:
        await seat.press("space", "space", "home", "plus", "down")
        assert "refused cboe-qqq: already so" in seat.text("dialog")
        await seat.press("enter")
        assert [lever.target for lever in desk.pulled] == ["gexbot-spx", "cboe-qqq"]
        assert "1 of 2 done: gexbot-spx; not cboe-qqq: already so" in seat.text("notice")
    desk = FakeDesk(a_view())
    desk.refusal = lambda lever: LeverRefused("already so")
    async with seated(desk) as seat:
        await seat.press("space", "space", "plus", "down", "enter")
        assert "already so" in seat.text("dialog")
        assert desk.pulled == []


async def test_an_engine_that_goes_away_among_marked_rows_leaves_the_rest_unsent_and_says_which() -> None:
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("space", "space", "space", "P", "down")
        desk.refusal = lambda lever: EngineAway("no engine answers") if lever.target == "cboe-qqq" else None
        await seat.press("home", "enter")
        assert [lever.target for lever in desk.pulled] == ["gexbot-spx", "cboe-qqq"]
        told = seat.text("notice")
        assert told.startswith(" ! 1 of 2 done: gexbot-spx; not cboe-qqq: no engine answers")
    desk = FakeDesk(a_view())
    async with seated(desk) as seat:
        await seat.press("space", "space", "down", "space", "plus", "down")
        desk.refusal = lambda lever: EngineAway("no engine answers") if lever.target == "cboe-qqq" else None
        await seat.press("enter")
        assert "cboe-qqq: no engine answers; files: not sent" in seat.text("notice")
        assert [lever.target for lever in desk.pulled] == ["gexbot-spx", "cboe-qqq"]


async def test_another_operators_change_to_one_of_the_marked_rows_is_said_with_its_name() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("space", "space", "plus", "down")
        changed = tuple(replace(s, revision=8, paused_by="kd") if s.name == "cboe-qqq" else s for s in some_sources())
        seat.desk.push(a_view(sequence=2, sources=changed))
        await seat.beat()
        await seat.press("enter")
        assert seat.desk.pulled == []
        await seat.press("enter")
        assert [lever.seen_revision for lever in seat.desk.pulled] == [4, 8]


async def test_escape_takes_the_filter_back_first_and_then_the_marks() -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("space", "slash")
        await seat.type("qqq")
        await seat.press("enter", "escape")
        assert len(seat.app.main.cursor.table.rows) == 19
        assert "1 marked" in seat.text("notice")
        await seat.press("escape")
        assert "marked" not in seat.text("notice")


# ---------------------------------------------------------------------- filters
@pytest.mark.parametrize(
    ("wanted", "passes", "does_not"),
    [("spx", "CBOE-SPX", "ndx"), ("!spx", "ndx", "cboe-spx"), ("~^cboe-(spx|ndx)", "cboe-ndx live", "gexbot-ndx"),
     ("!~\\d", "abc", "ab1"), ("", "x", None), ("!", "x", None), ("~", "x", None), ("[/]", "a[/]b", "ab")],
)  # fmt: skip
def test_a_filter_takes_text_its_absence_or_a_pattern(wanted: str, passes: str, does_not: str | None) -> None:
    assert matcher(wanted)(passes)
    assert does_not is None or not matcher(wanted)(does_not)


async def test_a_pattern_that_is_none_says_so_and_leaves_the_rows_and_the_line() -> None:
    assert "at character 1" in fault_of("~[a")
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("slash")
        await seat.type("~cboe-(s")
        assert "! no regular expression" in seat.text("dialog")
        before = [s.name for s in some_sources() if "cboe-" in s.name]
        assert seat.app.main.cursor.table.rows == before, "what was typed while it still was a pattern"
        await seat.press("enter")
        assert not no_form(seat)
        await seat.type("p)")
        await seat.press("enter")
        assert seat.app.main.cursor.table.rows == ["cboe-spx", "cboe-spy"]
        await seat.press("slash", *["backspace"] * 12)
        await seat.type("!cboe")
        await seat.press("enter")
        assert seat.app.main.cursor.table.rows == ["gexbot-spx", "backfill", "files"]


async def test_what_is_out_of_sight_is_counted_with_its_faults() -> None:
    well = tuple(a_source(f"s{i:03d}") for i in range(100))
    async with seated(FakeDesk(a_view(sources=well)), NARROW) as seat:
        assert "more, all within limits" in seat.text("sources")
        seat.desk.push(a_view(sequence=2, sources=(*well[:99], a_source("s099", state="late"))))
        await seat.beat()
        assert "more, 1 with faults" in seat.text("sources")
        await seat.press("end")
        assert "more, all within limits" in seat.text("sources")
        assert seat.row("sources").split()[1] == "s099"


# ---------------------------------------------------------------------- copy and export
async def test_a_row_is_copied_over_the_terminal_safe_and_short(monkeypatch) -> None:
    sent: list[str] = []
    async with seated(FakeDesk(a_view(sources=(a_source("evil\u202e[/]", carries="A" * 9000),)))) as seat:
        monkeypatch.setattr(type(seat.app._driver), "write", lambda self, data: sent.append(data))
        await seat.press("y")
        found = re.search(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", "".join(sent))
        assert found is not None
        text = base64.b64decode(found[1]).decode()
        assert text.startswith("evil")
        assert "live" in text or len(text) == 4000
        assert len(text) <= 4000
        assert "handed to the terminal's clipboard" in seat.text("notice")


async def test_where_tmux_would_drop_a_copy_it_is_said(monkeypatch, tmp_path: Path) -> None:
    fake = tmp_path / "tmux"
    fake.write_text("#!/bin/sh\necho external\n")
    fake.chmod(0o755)
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("y")
        for _ in range(100):
            if "tmux drops it" in seat.text("notice"):
                break
            await seat.pilot.pause(0.02)
        assert "tmux set -s set-clipboard on" in seat.text("notice")


async def command(seat, line: str) -> None:
    await seat.press("colon")
    await seat.type(line)
    await seat.press("enter")


async def test_an_export_holds_every_field_of_the_marked_rows_and_never_overwrites(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("down", "space", "space")
        await command(seat, "export csv out.csv")
        assert f"2 rows written to {tmp_path / 'out.csv'}" in seat.text("notice")
        rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
        assert [row["name"] for row in rows] == ["cboe-qqq", "backfill"]
        assert rows[0]["last_error"].startswith("503 Service")
        assert float(rows[0]["last_at"]) == AT - 42.0
        assert rows[1]["override_until"] == ""
        assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
        await command(seat, "export csv out.csv")
        assert "is there already: nothing is overwritten" in seat.text("notice")
        await seat.press("escape")
        await command(seat, "export json")
        (written,) = tmp_path.glob("gexdesk-sources-20261123-0941*.json")
        assert len(json.loads(written.read_text())) == 19
        await command(seat, "export csv /nowhere/at/all.csv")
        assert "was not written" in seat.text("notice")


class Row(Struct):
    text: str
    number: float
    parts: tuple[int, ...] = ()


def test_what_a_spreadsheet_would_run_is_text_and_what_has_no_number_is_empty(tmp_path: Path) -> None:
    rows = [Row("=cmd|' /C calc'!A0", float("nan")), Row("-2+3", -2.5, (1, 2)), Row('a"b,\nc', float("inf"))]
    export.write(tmp_path / "a.csv", rows, "csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        read = list(csv.reader(file))
    assert read[0] == ["text", "number", "parts"]
    assert read[1:] == [["'=cmd|' /C calc'!A0", "", "[]"], ["'-2+3", "-2.5", "[1, 2]"], ['a"b,\nc', "", "[]"]]
    export.write(tmp_path / "a.json", rows, "json")
    assert [row["number"] for row in json.loads((tmp_path / "a.json").read_text())] == [None, -2.5, None]


def test_an_export_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="exists"):
        export.write(tmp_path / "link", [Row("a", 1.0)], "csv")
    assert not (tmp_path / "elsewhere").exists()


# ---------------------------------------------------------------------- views, keys, themes, bell
async def test_a_saved_view_brings_back_panels_table_and_filters(own_folder: Path) -> None:
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("1", "6", "tab", "slash")
        await seat.type('!"spx')
        await seat.press("enter", "f")
        await command(seat, "view save morning")
        assert (own_folder / "views" / "morning.toml").exists()
        await seat.press("1", "f", "escape", "tab", "w")
        await command(seat, "view morning")
        main = seat.app.main
        assert seat.app.screen is main
        assert main.hidden == {1, 6}
        assert (main.cursor.name, main.cursor.symbols.wanted, main.cursor.symbols.faults) == ("symbols", '!"spx', True)
        await command(seat, "view evening")
        assert "no view evening; morning" in seat.text("notice")
        await command(seat, "view save ../x ")
        assert "a view's name is letters" in seat.text("notice")
        (own_folder / "views" / "morning.toml").write_text('table = "nothing"\n')
        await command(seat, "view morning")
        assert "has to be sources or symbols" in seat.text("notice")


async def test_keys_of_ones_own_replace_the_usual_ones_in_hand_line_and_help(own_folder: Path) -> None:
    own_folder.mkdir(parents=True)
    (own_folder / "keys.toml").write_text('freeze = "b"\nlever.pause = "f5"\n')
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("b")
        assert "FROZEN" in seat.text("status")
        await seat.press("z")
        assert "FROZEN" in seat.text("status")
        await seat.press("b", "f5")
        assert "── PAUSE gexbot-spx" in seat.text("dialog")
        await seat.press("escape")
        assert " b freeze" in seat.text("keys")
        assert " f5 pause" in seat.text("keys")
        await seat.press("w", "b")
        assert "FROZEN" in seat.app.screen.status.text


async def test_a_bad_line_of_the_keymap_is_named_and_keeps_its_key(own_folder: Path) -> None:
    own_folder.mkdir(parents=True)
    (own_folder / "keys.toml").write_text('freze = "b"\n')
    async with seated(FakeDesk(a_view())) as seat:
        await seat.rest()
        assert "nothing is called 'freze'" in seat.text("notice")
        await seat.press("z")
        assert "FROZEN" in seat.text("status")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [({"freeze": "w"}, "page.queue's key"), ({"freeze": ""}, "is no key"), ({"freeze": 3}, "is no key"),
     ({"freeze": "escape"}, "stays what it is"), ({"freeze": "hyper"}, "is no key"), ({"nope": "b"}, "nothing is called"),
     ({"freeze": "b", "find": "b"}, "key; move that one first")],
)  # fmt: skip
def test_what_cannot_be_a_key_is_refused(wanted: dict[str, Any], words: str) -> None:
    keymap, faults = checked(wanted)
    assert words in faults[0]
    assert len(keymap) == len(wanted) - len(faults)


def test_two_keys_may_change_places() -> None:
    assert checked({"freeze": "w", "page.queue": "z"}) == ({"freeze": "w", "page.queue": "z"}, [])


def test_every_key_has_a_name_of_its_own_for_the_keymap_and_none_is_bound_twice() -> None:
    made = bindings()
    ids = [binding.id for binding in made]
    keys = [key for binding in made for key in binding.key.split(",")]
    assert None not in ids
    assert len(ids) == len(set(ids))
    assert len(keys) == len(set(keys))
    assert {"freeze", "lever.promote", "page.queue", "panel.1", "down", "back_10s", "command"} <= set(ids)
    assert binding_id(KEYS[0]) == "down"


OWN = 'name = "own"\ndark = true\nprimary = "#ffffff"\naccent = "{}"\nforeground = "#eeeeee"\nbackground = "#000000"\n'


async def test_a_theme_of_ones_own_is_used_while_it_is_edited_and_a_broken_one_is_named(own_folder: Path) -> None:
    folder = own_folder / "themes"
    folder.mkdir(parents=True)
    (folder / "own.toml").write_text(OWN.format("#ff0000"))
    async with seated(FakeDesk(a_view())) as seat:
        await command(seat, "theme own")
        assert seat.app.theme == "own"
        assert seat.app.main.status._inks["eye"].color.name == "#ff0000"
        (folder / "own.toml").write_text(OWN.format("#00ff01"))
        seat.app._reload_themes()
        await seat.rest()
        assert seat.app.main.status._inks["eye"].color.name == "#00ff01"
        (folder / "own.toml").write_text(OWN.format("no colour"))
        seat.app._reload_themes()
        assert "own.toml" in seat.text("notice")
        assert seat.app.main.status._inks["eye"].color.name == "#00ff01", "the last good one stays"


async def test_the_bell_rings_once_for_each_new_incident_that_hits_readers(monkeypatch) -> None:
    rung: list[int] = []

    def grave(number: int, **changes: Any) -> IncidentView:
        return replace(IncidentView(number, 2, "SPX", "silent", AT, None, "look"), **changes)

    desk = FakeDesk(a_view(incidents=(grave(1), grave(2, severity=1))))
    monkeypatch.setattr("gexdesk.tui.app.DeskApp.bell", lambda self: rung.append(1))
    async with seated(desk) as seat:
        assert len(rung) == 1

        async def then(sequence: int, *incidents: IncidentView) -> int:
            desk.push(a_view(sequence=sequence, incidents=incidents))
            await seat.beat()
            return len(rung)

        assert await then(2, grave(1), grave(2, severity=1)) == 1, "the same one"
        assert await then(3, grave(1), grave(2)) == 2, "it got worse"
        assert await then(4, grave(1, seen=True), grave(2)) == 2
        assert await then(5, grave(1), grave(2)) == 3, "it came back after somebody saw it"
        assert await then(6, grave(1), grave(2), grave(3, seen=True)) == 3
        assert await then(7, grave(1), grave(2), grave(4, muted=True)) == 3
        assert await then(8, grave(1), grave(2), grave(5, closed_at=AT)) == 3


# ---------------------------------------------------------------------- without Unicode
def test_every_sign_of_the_desk_has_a_like_one_of_its_width_in_ascii() -> None:
    text = "▁▂▃▄▅▆▇█ ── ≥HIGH a…b · │ ⣿⠁ 株式 é"
    ((shown, _),) = plain(((text, ""),))
    assert shown.isascii()
    assert len(shown) == width_of(text)
    assert shown.startswith("._-=+*## -- >HIGH a~b .")
    assert "????" in shown


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_without_unicode_nothing_but_ascii_is_sent(size: tuple[int, int], monkeypatch) -> None:
    monkeypatch.setattr(Pane, "ascii", True)
    async with seated(FakeDesk(a_view()), size) as seat:
        await seat.press("plus")
        text = "\n".join(strip.text for strip in seat.app.main._compositor.render_strips())
        assert text.isascii()
        assert "-- PROMOTE" in text
        await seat.press("escape", "question_mark")
        page = seat.app.screen.query_one("HelpPage")
        assert all(page.render_line(y).text.isascii() for y in range(page.size.height))


# ---------------------------------------------------------------------- windows
async def test_a_storm_of_sizes_leaves_every_pane_whole() -> None:
    sizes = [(160, 48), (40, 10), (80, 24), (139, 33), (20, 3), (300, 90), (81, 25), (140, 34)]
    async with seated(FakeDesk(a_view())) as seat:
        await seat.press("down", "plus")
        for _ in range(3):
            for size in sizes:
                await seat.pilot.resize_terminal(*size)
                await seat.rest()
                main = seat.app.main
                for name in main.shown:
                    pane = main.panes[name]
                    for y in range(pane.size.height):
                        assert pane.render_line(y).cell_length == pane.size.width, (size, name, y)
        await seat.pilot.resize_terminal(80, 24)
        await seat.rest()
        await seat.press("down", "enter")
        assert [lever.target for lever in seat.desk.pulled] == ["cboe-qqq"]
