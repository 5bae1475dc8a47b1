"""Take a picture of the desk as SVG, without a terminal."""

from collections.abc import AsyncIterator

from gexdesk.model.errors import EngineAway, LeverRefused
from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look import Look, Seen
from gexdesk.model.view import DeskView
from gexdesk.tui.app import DeskApp
from gexdesk.tui.theme import DEFAULT_THEME


class _Still:
    """Be a desk that shows one view and does nothing."""

    def __init__(self, view: DeskView) -> None:
        self._view = view

    async def view(self) -> DeskView:
        return self._view

    async def views(self) -> AsyncIterator[DeskView]:
        import asyncio

        yield self._view
        await asyncio.Event().wait()

    async def look(self, question: Look[Seen]) -> Seen:
        raise EngineAway("this is a picture")

    async def pull(self, lever: Lever) -> LeverOutcome:
        raise LeverRefused("this is a picture")

    async def stop(self) -> None:
        raise EngineAway("this is a picture")


async def picture(view: DeskView, width: int, height: int, operator: str = "jm", theme: str = DEFAULT_THEME) -> str:
    """Draw one view at one size and return the SVG; its clock stands still.

    Args:
        view: What to draw.
        width: Columns, from 80.
        height: Lines, from 24.
        operator: The name on the desk.
        theme: One of the desk's themes.
    """

    async def connect() -> _Still:
        return _Still(view)

    app = DeskApp(connect, sample=view.mode == "sample", operator=operator, clock=lambda: 0.0, theme=theme)
    async with app.run_test(size=(width, height)) as pilot:
        while app.sight.newest is None:
            await pilot.pause(0.01)
        await pilot.pause()
        app.main.paint_all()
        await pilot.pause()
        return app.export_screenshot(title="gexdesk")
