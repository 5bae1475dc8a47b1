"""Take a picture of the desk, or of one of its pages, as SVG, without a terminal."""

from collections.abc import AsyncIterator, Sequence

from gexdesk.desk import Observe
from gexdesk.model.errors import EngineAway, SettingsError
from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look.base import Look, Seen
from gexdesk.model.view.desk import DeskView
from gexdesk.tui.app import DeskApp
from gexdesk.tui.theme import DEFAULT_THEME

LIMIT_S = 10.0
"""How long a page may wait for its engine's answer."""


class _Still:
    """Be a desk that shows one view, asks another desk, and does nothing."""

    def __init__(self, view: DeskView, asked: Observe | None) -> None:
        self._view = view
        self._asked = asked

    async def view(self) -> DeskView:
        return self._view

    async def views(self) -> AsyncIterator[DeskView]:
        import asyncio

        yield self._view
        await asyncio.Event().wait()

    async def look(self, question: Look[Seen]) -> Seen:
        if self._asked is None:
            raise EngineAway("this is a picture")
        return await self._asked.look(question)

    async def pull(self, lever: Lever) -> LeverOutcome:
        return LeverOutcome(False, "this is a picture: nothing is sent", "", "", 0, 0)

    async def stop(self) -> None:
        raise EngineAway("this is a picture")


async def picture(
    view: DeskView, width: int, height: int, operator: str = "jm", theme: str = DEFAULT_THEME, *, page: Sequence[str] = (),
    desk: Observe | None = None,
) -> str:  # fmt: skip
    """Draw one view at one size and return the SVG; its clock stands still.

    Args:
        view: What to draw.
        width: Columns, from 80.
        height: Lines, from 24.
        operator: The name on the desk.
        theme: One of the desk's themes.
        page: A page in place of the desk: its name, and what it is about where it is about one thing.
        desk: Who is asked for what a page shows.

    Raises:
        SettingsError: There is no such page, or it needs to be told what it is about.
    """

    async def connect() -> _Still:
        return _Still(view, desk)

    app = DeskApp(connect, sample=view.mode == "sample", operator=operator, clock=lambda: 0.0, theme=theme)
    async with app.run_test(size=(width, height)) as pilot:
        while app.sight.newest is None:
            await pilot.pause(0.01)
        await pilot.pause()
        app.main.paint_all()
        if page:
            from gexdesk.tui.screens.pages import PAGES, page_of

            if page[0] not in PAGES:
                raise SettingsError(f"no page is named {page[0]!r}; there are {', '.join(PAGES)}")
            try:
                shown = page_of(page[0], app.house, *page[1:])
            except TypeError:
                raise SettingsError(f"the page {page[0]!r} needs one thing that it is about, as in --page \"symbol SPX\"") from None
            await app.push_screen(shown)
            waited_s = 0.0
            while not shown.answered and waited_s < LIMIT_S:
                await pilot.pause(0.02)
                waited_s += 0.02
            shown.paint_body()
        await pilot.pause()
        return app.export_screenshot(title="gexdesk")
