"""Levers on pages: what a key means there, which source a fail-over is to, and by whose clock a lever is too late."""

from typing import Any

import pytest
from desk_pilot import NARROW, seated
from fake_desk import AT, FakeDesk, a_source, a_symbol, a_view
from msgspec.structs import replace
from test_tui_pages import answered, in_front, laid, opened

from gexdesk.model.lever import LEVER_LIMIT_S, Lever, LeverOutcome, Verb
from gexdesk.model.look.incident import IncidentLook, IncidentSeen, MemberView
from gexdesk.model.view.incident import IncidentView
from gexdesk.tui.screens.pages import page_of


@pytest.mark.parametrize("name", ["source", "symbol", "queue"])
async def test_r_never_pauses_and_p_lets_a_paused_source_run_again(name: str) -> None:
    async with opened(name) as (seat, page):
        await seat.press("down", "R")
        assert page.dialog.form is None
        assert "gexbot-spx is not paused" in page.notice.text
    view = a_view()
    stopped = tuple(replace(source, state="stopped") for source in view.sources)
    async with opened(name, laid(replace(view, stopped=True, sources=stopped))) as (seat, page):
        await seat.press("down", "R")
        assert page.dialog.form is None
        assert "everything is stopped: K starts it again" in page.notice.text
    paused = tuple(replace(source, state="paused", paused_by="kd") for source in view.sources)
    async with opened(name, laid(replace(view, sources=paused))) as (seat, page):
        await seat.press("down")
        for key in ("R", "P"):
            await seat.press(key)
            assert page.dialog.text.startswith("── RESUME gexbot-spx ")
            assert {lever.verb for lever in seat.desk.asked} == {Verb.RESUME}
            await seat.press("escape")


async def test_a_symbol_without_an_override_has_none_to_clear() -> None:
    async with opened("symbol") as (seat, page):
        await seat.press("C")
        assert page.dialog.form is None
        assert "SPX has no override of its own" in page.notice.text


# ------------------------------------------------------------------ too late by whose clock
async def test_a_screen_says_by_the_engines_clock_when_a_lever_is_too_late() -> None:
    async with seated(laid()) as seat:
        seat.clock.at += 0.5
        await seat.press("down", "P")
        seat.clock.at += 0.5
        await seat.press("down", "enter")
        assert [lever.not_after for lever in seat.desk.asked] == [AT + 0.5 + LEVER_LIMIT_S]
        assert [lever.not_after for lever in seat.desk.pulled] == [AT + 1.0 + LEVER_LIMIT_S]
    async with opened("incidents") as (seat, _):
        await seat.press("a")
        assert {lever.not_after for lever in seat.desk.pulled} == {AT + LEVER_LIMIT_S}


# ------------------------------------------------------------------ from an incident to what it is about
SPX = a_symbol("SPX", served_by="gexbot-spx", standby="cboe-spx")


def an_incident(kind: str, subject: str, source: str = "") -> IncidentView:
    return IncidentView(50, 2, subject, "what was found", AT - 42.0, None, "do this", kind=kind, source=source, seen=True)


def desk_of(incident: IncidentView, **changes: Any) -> FakeDesk:
    """Return a desk with one incident, and one symbol of two sources."""
    sources = (a_source("gexbot-spx", carries="SPX"), a_source("cboe-spx"), a_source("files", carries="SPX NDX QQQ"))
    view = a_view(incidents=(incident,), sources=sources, symbols=(SPX, a_symbol("NDX", served_by="files")), **changes)
    desk = laid(view)
    desk.answers[IncidentLook] = IncidentSeen(incident, (), (), "")
    return desk


@pytest.mark.parametrize("kind", ["symbol_frozen", "symbol_silent", "symbol_missing"])
async def test_enter_on_a_symbols_incident_opens_the_symbol(kind: str) -> None:
    async with opened("incidents", desk_of(an_incident(kind, "SPX", "gexbot-spx"))) as (seat, _):
        await seat.press("enter")
        await answered(seat)
        assert in_front(seat) == "symbol"
    async with opened("incidents", desk_of(an_incident(kind, "gexbot", "gexbot-spx"))) as (seat, _):
        await seat.press("enter")
        await answered(seat)
        assert in_front(seat) == "source", "several symbols of a source"


AIMED = [
    ("symbol_silent", "SPX", "gexbot-spx", "F", "FAILOVER SPX (symbol, serving gexbot-spx)"),
    ("symbol_silent", "SPX", "gexbot-spx", "P", "PAUSE gexbot-spx (source serving SPX)"),
    ("symbol_silent", "SPX", "cboe-spx", "P", "PAUSE cboe-spx (source)"),
    ("symbol_silent", "SPX", "gexbot-spx", "plus", "PROMOTE SPX (symbol"),
    ("feed_silent", "gexbot-spx", "gexbot-spx", "F", "FAILOVER SPX (symbol"),
    ("feed_silent", "gexbot-spx", "gexbot-spx", "minus", "DEMOTE gexbot-spx (source)"),
    ("kill_switch", "everything", "", "K", "KILL SWITCH"),
]


@pytest.mark.parametrize(("kind", "subject", "source", "key", "title"), AIMED)
async def test_a_lever_on_an_incident_acts_on_what_it_is_about(kind: str, subject: str, source: str, key: str, title: str) -> None:
    async with opened("incidents", desk_of(an_incident(kind, subject, source))) as (seat, page):
        await seat.press(key)
        assert page.dialog.text.startswith(f"── {title}")


REFUSED = [
    ("feed_silent", "files", "files", "R", "files is not paused"),
    ("feed_silent", "cboe-spx", "cboe-spx", "F", "cboe-spx serves nothing now: failover acts on symbols"),
    ("disk_low", "disk", "", "P", "#50 is about no single source or symbol"),
    ("disk_low", "disk", "", "d", "#50 is about no symbol"),
]


@pytest.mark.parametrize(("kind", "subject", "source", "key", "words"), REFUSED)
async def test_where_an_incident_names_nothing_to_act_on_its_keys_say_so(kind, subject, source, key, words) -> None:
    async with opened("incidents", desk_of(an_incident(kind, subject, source))) as (seat, page):
        await seat.press(key)
        assert page.dialog.form is None
        assert in_front(seat) == "incidents"
        assert words in page.notice.text


async def test_d_compares_what_an_incident_is_about_also_of_several_symbols_the_first_that_is_still_in_it() -> None:
    async with opened("incidents", desk_of(an_incident("disagree", "SPX", "files"))) as (seat, _):
        await seat.press("d")
        await answered(seat)
        assert (in_front(seat), seat.app.screen.symbol) == ("compare", "SPX")
    joined = an_incident("disagree", "gexbot and cboe", "files")
    gone, there = (
        MemberView(symbol, "apart", "disagree", 1, "files", (symbol,), AT, AT, present)
        for symbol, present in (("SPX", False), ("NDX", True))
    )
    desk = desk_of(joined)
    desk.answers[IncidentLook] = IncidentSeen(joined, (), (gone, there), "")
    for key in ("d", "enter"):
        async with opened("incidents", desk) as (seat, _):
            await seat.press(key)
            await answered(seat)
            assert (in_front(seat), seat.app.screen.symbol) == ("compare", "NDX")


async def test_of_marked_incidents_a_lever_acts_on_what_is_of_one_kind_and_names_the_rest() -> None:
    desk = desk_of(an_incident("symbol_silent", "SPX", "gexbot-spx"))
    others = tuple(
        replace(an_incident("feed_silent", name, name), number=number) for number, name in ((51, "files"), (52, "gexbot-spx"))
    )
    desk.held[0] = replace(desk.held[0], incidents=(*desk.held[0].incidents, *others))
    async with opened("incidents", desk) as (seat, page):
        await seat.press("asterisk", "minus")
        assert page.dialog.text.startswith("── DEMOTE SPX (symbol")
        assert "left out: files is a source; gexbot-spx is a source" in page.dialog.text
        await seat.type("lag")
        await seat.press("enter")
        assert [(lever.target_kind, lever.target) for lever in seat.desk.pulled if lever.verb is Verb.DEMOTE] == [("symbol", "SPX")]


async def test_d_on_the_desk_compares_the_symbol_under_the_cursor_or_the_only_one_of_its_source() -> None:
    async with seated(desk_of(an_incident("disagree", "SPX", "files"))) as seat:
        await seat.press("d")
        await answered(seat)
        assert (in_front(seat), seat.app.screen.symbol) == ("compare", "SPX"), "gexbot-spx carries it alone"
        await seat.press("escape", "tab", "down", "d")
        await answered(seat)
        assert (in_front(seat), seat.app.screen.symbol) == ("compare", "NDX")
        await seat.press("escape", "tab", "down", "down", "d")
        assert in_front(seat) == ""
        assert "files carries no single symbol" in seat.text("notice")


async def test_n_goes_to_the_symbol_where_the_advice_is_about_the_symbol() -> None:
    async with seated(desk_of(an_incident("symbol_silent", "NDX", "files"))) as seat:
        await seat.press("n", "d")
        await answered(seat)
        assert (in_front(seat), seat.app.screen.symbol) == ("compare", "NDX")


class Costly(FakeDesk):
    """A desk whose levers cost more than a line says."""

    async def pull(self, lever: Lever) -> LeverOutcome:
        outcome = await super().pull(lever)
        costs = "what the checks said: " + "open interest 2,268,132 where 1,399,229 is usual, " * 3 + "and so on to the end"
        return replace(outcome, helps="readers get it at once", costs=costs)


@pytest.mark.parametrize("page_name", ["quarantine", "desk"])
async def test_a_dialog_grows_with_what_the_engine_says_and_its_last_line_stays_in_sight(page_name: str) -> None:
    desk = Costly(a_view())
    desk.answers |= laid().answers
    desk.answering.clear()
    async with seated(desk, NARROW) as seat:
        page: Any = seat.app.main
        if page_name == "quarantine":
            page = page_of("quarantine", seat.app.house)
            await seat.app.push_screen(page)
            await answered(seat)
        await seat.press("L" if page_name == "quarantine" else "P")
        before = page.dialog.text.splitlines()
        assert (len(before), before[1].split()[:2], before[2].split()) == (5, ["HELPS", "asking"], ["COSTS"])
        desk.answering.set()
        await seat.rest()
        lines = page.dialog.text.splitlines()
        assert page.dialog.region.bottom == NARROW[1]
        assert [line[:9].strip() for line in lines[1:]] == ["HELPS", "COSTS", "", "", ">Reason", "Enter is"]
        assert lines[4].endswith("and so on to the end")


@pytest.mark.parametrize("name", ["incidents", "queue", "symbol", "source", "compare", "log"])
async def test_the_kill_switch_is_one_key_away_on_every_page(name: str) -> None:
    async with opened(name) as (seat, page):
        await seat.press("K")
        assert 'Type "pause all"' in page.dialog.text
