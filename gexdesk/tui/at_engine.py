"""One engine of a fleet, asked through the one that answers."""

from collections.abc import AsyncIterator

from msgspec.structs import replace

from gexdesk.desk import Desk
from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look.base import Look, Seen
from gexdesk.model.view.desk import DeskView


class AtEngine:
    """Be a desk whose questions and levers are another engine's; its pictures are those of the engine that answers.

    Args:
        desk: Answers here.
        engine: The other one's name.
    """

    def __init__(self, desk: Desk, engine: str) -> None:
        self._desk = desk
        self._engine = engine

    async def view(self) -> DeskView:
        """Return the newest picture of the engine that answers."""
        return await self._desk.view()

    def views(self) -> AsyncIterator[DeskView]:
        """Yield its pictures."""
        return self._desk.views()

    async def look(self, question: Look[Seen]) -> Seen:
        """Ask the other engine."""
        return await self._desk.look(replace(question, engine=self._engine))

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Let the other engine do it."""
        return await self._desk.pull(replace(lever, engine=self._engine))

    async def stop(self) -> None:
        """Ask the engine that answers to end."""
        await self._desk.stop()
