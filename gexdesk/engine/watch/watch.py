"""Watch: ask every cause what is wrong at this moment."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from gexdesk.engine.incidents.condition import Condition


class Cause(Protocol):
    """Find one sort of trouble. Called once a second, on the event loop: it looks at what is at hand and waits for nothing."""

    def conditions(self, now: float) -> Iterable[Condition]:
        """Return everything of this sort that is wrong at this moment; the same thing with the same key each time."""
        ...


class Watch:
    """Join all causes."""

    def __init__(self, causes: Sequence[Cause]) -> None:
        self._causes = tuple(causes)

    def conditions(self, now: float) -> list[Condition]:
        """Return everything that is wrong at this moment."""
        return [condition for cause in self._causes for condition in cause.conditions(now)]
