"""The beat of a page: what is sent while nothing changes, and by whose clock ages are told."""

from typing import Any

import pytest
from desk_pilot import Seat, seated
from fake_desk import AT, a_view
from msgspec.structs import replace
from page_answers import a_letter
from test_tui_pages import answered, laid, opened, text
from textual._compositor import CompositorUpdate

from gexdesk.model.look.history import HistoryLook, HistorySeen
from gexdesk.model.look.source import DeadLook, DeadSeen
from gexdesk.model.view.incident import IncidentView
from gexdesk.tui.app import DeskApp
from gexdesk.tui.screens.page import TICKS_A_SECOND
from gexdesk.tui.screens.pages import PAGES, page_of


def shown(app: DeskApp, update: CompositorUpdate | None) -> str:
    """Return what a terminal is sent."""
    return "" if update is None else update.render_segments(app.console)


def on_screen(seat: Seat) -> str:
    """Return the text that the terminal shows."""
    return "\n".join(strip.text for strip in seat.app.screen._compositor.render_strips())


@pytest.mark.parametrize("frozen", [False, True], ids=["running", "frozen"])
@pytest.mark.parametrize("name", list(PAGES))
async def test_a_page_on_which_nothing_changes_sends_nothing(name: str, frozen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    async with opened(name) as (seat, page):
        if frozen:
            await seat.press("z")
        for _ in range(2):  # an answer may still be on its way
            page.tick()
            await seat.rest()
        monkeypatch.setattr(seat.app, "_display", lambda screen, update: sent.append(shown(seat.app, update)))
        for _ in range(2 * TICKS_A_SECOND):
            page.tick()
            await seat.rest()
        assert "".join(sent) == ""
        seat.app.action_next_theme()
        await seat.rest()
        assert len("".join(sent)) > 1000, "what is sent is seen here"


async def test_what_changes_on_a_screen_that_another_covers_sends_nothing_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    async with opened("log") as (seat, page):
        monkeypatch.setattr(seat.app, "_display", lambda screen, update: sent.append(shown(seat.app, update)))

        async def settle() -> str:
            """Return what is sent until nothing more is."""
            found = ""
            while True:
                sent.clear()
                await seat.pilot.pause(0.1)
                if not "".join(sent):
                    return found
                found += "".join(sent)

        await settle()
        seat.app.main.notice.say("the desk has news")
        assert await settle() == ""
        await seat.press("question_mark")
        await settle()
        page.notice.say("the page has news")
        assert await settle() == ""
        await seat.press("escape")
        await settle()
        assert "the page has news" in on_screen(seat)
        await seat.press("escape")
        await settle()
        assert "the desk has news" in on_screen(seat)


# ------------------------------------------------------------------ by whose clock
async def test_a_page_opened_while_the_desk_is_frozen_says_that_it_is_of_now_and_counts_from_now() -> None:
    desk = laid()
    async with seated(desk) as seat:
        await seat.press("z")
        seat.clock.at += 60.0
        later = replace(a_view(), sequence=2, taken_at=AT + 60.0, incidents=(
            IncidentView(44, 2, "QQQ", "came while frozen", AT + 50.0, None, "look"),))  # fmt: skip
        desk.push(later)
        await seat.rest()
        desk.answers[DeadLook] = DeadSeen((a_letter("new", buried_at=AT + 55.0, received_at=AT + 54.0),))
        await seat.press("x")
        await answered(seat)
        page: Any = seat.app.screen
        assert "6.0 s ago" in text(page, "letter"), "the age of an answer counts from when it was given"
        assert "FROZEN 09:41:17, this page is of now, 09:42:17" in page.status.text
        await seat.press("escape", "i")
        await answered(seat)
        page = seat.app.screen
        assert "came while frozen" in text(page, "incidents"), "nothing of the frozen picture beside answers of now"
        assert "FROZEN 09:41:17, this page is of now" in page.status.text
        await seat.press("escape")
        await seat.beat()
        assert "FROZEN 09:41:17, 1 m old" in seat.text("status")
        assert "this page" not in seat.text("status")


async def test_a_page_opened_in_history_shows_now_and_says_so() -> None:
    desk = laid()
    async with seated(desk) as seat:
        then = replace(a_view(), taken_at=AT - 600.0, sources=())
        desk.answers[HistoryLook] = HistorySeen((then,), AT - 3600.0, AT, None)
        await seat.press("left_square_bracket")
        await seat.rest()
        assert "HISTORY" in seat.text("status")
        page = page_of("source", seat.app.house, "gexbot-spx")
        await seat.app.push_screen(page)
        await answered(seat)
        assert "does not know it" not in text(page, "facts")
        assert "HISTORY 09:31:17, this page is of now, 09:41:17" in page.status.text
        await seat.press("z")
        assert "this page" not in page.status.text
        assert "HISTORY" not in page.status.text


async def test_a_page_that_is_frozen_stands_still_as_it_was() -> None:
    async with opened("dead", laid()) as (seat, page):
        await seat.press("z")
        before = text(page)
        seat.clock.at += 60.0
        await seat.press("down", "up")
        page.paint_body()
        assert text(page) == before
        assert "this page" not in page.status.text
        assert "FROZEN 09:41:17" in page.status.text
