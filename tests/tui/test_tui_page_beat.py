"""The beat of a page: what is sent while nothing changes, and by whose clock ages are told."""

import pytest
from desk_pilot import Seat
from test_tui_pages import opened
from textual._compositor import CompositorUpdate

from gexdesk.tui.app import DeskApp
from gexdesk.tui.screens.page import TICKS_A_SECOND
from gexdesk.tui.screens.pages import PAGES


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
