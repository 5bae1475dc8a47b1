"""Lookout: answer what screens ask beyond the picture."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gexdesk.model.errors import UnknownTarget
from gexdesk.model.look.base import Look, Seen

Handler = Callable[[Any], Awaitable[Any]]


class Lookout:
    """Hand each question to what knows the answer.

    Args:
        handlers: By the question's type; each returns that type's ``answer``.
    """

    def __init__(self, handlers: Mapping[type[Look[Any]], Handler]) -> None:
        self._handlers = dict(handlers)

    async def answer(self, question: Look[Seen]) -> Seen:
        """Return the answer.

        Raises:
            UnknownTarget: What it asks about is not there.
        """
        handler = self._handlers.get(type(question))
        if handler is None:
            raise UnknownTarget(f"this engine does not answer {type(question).__name__}")
        seen: Seen = await handler(question)
        return seen
