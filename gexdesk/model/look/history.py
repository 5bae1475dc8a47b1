"""How the desk stood before: one recorded picture, or the trend of its levels."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.look.base import Look
from gexdesk.model.view.desk import DeskView


class HistorySeen(Struct, frozen=True):
    """Give recorded pictures, oldest first.

    Attributes:
        pictures: Each as it was drawn then; its ``taken_at`` says when.
        first_at, last_at: What the record spans; None where it is empty.
        fine_from: From here on there is a picture a second, before it one a minute; None where there is none a second.
        more: There were more between the two times than were asked for.
    """

    pictures: tuple[DeskView, ...]
    first_at: float | None
    last_at: float | None
    fine_from: float | None
    more: bool = False


class HistoryLook(Look[HistorySeen], frozen=True):
    """Wind the desk back: the picture at ``at`` (the last one taken by then), or those between two times.

    Attributes:
        from_at, to_at: Both or none; the pictures between them, at most ``limit``, evenly thinned.
    """

    answer: ClassVar[Any] = HistorySeen
    at: float | None = None
    from_at: float | None = None
    to_at: float | None = None
    limit: int = 60


class TrendSeen(Struct, frozen=True):
    """Give recorded figures, oldest first: one row a second for the last minutes, one a minute before.

    Attributes:
        columns: ``at`` (end of the second or minute), then the names of the figures.
        rows: One value a column; None is unknown.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[float | None, ...], ...]


class TrendLook(Look[TrendSeen], frozen=True):
    """Ask for the figures of one level or one source between two times.

    Attributes:
        what: ``level`` or ``source``.
        name: Which one.
    """

    answer: ClassVar[Any] = TrendSeen
    what: str
    name: str
    from_at: float
    to_at: float
