"""Levers on pages: what a key means there, which source a fail-over is to, and by whose clock a lever is too late."""

import pytest
from desk_pilot import seated
from fake_desk import AT, a_view
from msgspec.structs import replace
from test_tui_pages import laid, opened

from gexdesk.model.lever import LEVER_LIMIT_S, Verb


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
