"""More under way than the desk can hold: LOW set aside, MEDIUM held back."""

from collections.abc import Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.water import Water


class HighWater:
    """Find that the desk sheds load."""

    def __init__(self, water: Water) -> None:
        self._water = water

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition; readers are hit once sources are held back."""
        if words := self._water.words():
            yield Condition(
                kind=Kind.SHEDDING, key="water", severity=2 if self._water.held else 1, subject="queue", text=words,
                do_first="find the source that floods; P pauses it, and what is set aside comes back by itself",
            )  # fmt: skip
