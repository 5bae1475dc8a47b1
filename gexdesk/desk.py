"""All that a screen knows of an engine: it observes frozen views and pulls levers.

The engine's own ``Desk`` and the client over the socket both satisfy it and pass one contract suite
(``tests/contracts/desk_contract.py``); tests of screens use a fake one.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look.base import Look, Seen
from gexdesk.model.view.desk import DeskView


class Observe(Protocol):
    """Look at the desk."""

    async def view(self) -> DeskView:
        """Return the newest picture.

        Raises:
            EngineAway: No engine answers.
        """
        ...

    def views(self) -> AsyncIterator[DeskView]:
        """Yield pictures as they are taken, about four a second; a slow reader misses some, never queues them.

        Raises:
            EngineAway: The engine went away; ask again to wait for the next one.
        """
        ...


    async def look(self, question: Look[Seen]) -> Seen:
        """Answer what the picture does not hold: the queue in order, one source, one symbol, one incident.

        Raises:
            UnknownTarget: There is no such thing.
            EngineAway: No engine answers.
        """
        ...


class Control(Protocol):
    """Act on the desk."""

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do what the lever asks, or only say what would happen where it is a dry run.

        Raises:
            LeverRefused: It cannot be done now; nothing was changed.
            UnknownTarget: No such source or job.
            EngineAway: No engine answers.
        """
        ...

    async def stop(self) -> None:
        """Ask the engine to finish what it holds and end."""
        ...


class Desk(Observe, Control, Protocol):
    """Observe and control one engine."""
