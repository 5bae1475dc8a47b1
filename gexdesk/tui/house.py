"""What every screen shares: the sight of the engine, the way to it, and who sits here."""

from collections.abc import Callable
from dataclasses import dataclass

from gexdesk.desk import Desk
from gexdesk.tui.sight import Sight


@dataclass(frozen=True)
class House:
    """Hold what a screen is given.

    Attributes:
        sight: The newest picture, how old it is, and whether it is frozen.
        desk: Gives the engine; None while none answers.
        sample: Whether this is the sample desk; said on every screen.
        operator: Who sits here, as the engine will know them.
    """

    sight: Sight
    desk: Callable[[], Desk | None]
    sample: bool
    operator: str
