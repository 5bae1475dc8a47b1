"""What the next shift has to know."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.look.base import Look
from gexdesk.model.view.incident import IncidentView, MuteView


class StandingView(Struct, frozen=True):
    """Show something that stands until somebody ends it: an ``override``, a ``pause`` or a ``fail-over``.

    The kill switch is a pause of ``everything``.

    Attributes:
        until: None has no end.
    """

    what: str
    target: str
    words: str
    author: str
    reason: str
    since: float
    until: float | None


class HandOverSeen(Struct, frozen=True):
    """Sum up what one shift leaves to the next.

    Attributes:
        shift_by, shift_since: Who has the shift, and since when; empty and None before the first hand-over.
        incidents: Open and snoozed ones, and closed ones that nobody saw.
        standing: Overrides and pauses in force, those without an end first.
        gaps: Holes in the data that are not filled, one line each, newest first.
        summary: The whole in one line.
    """

    shift_by: str
    shift_since: float | None
    incidents: tuple[IncidentView, ...]
    standing: tuple[StandingView, ...]
    mutes: tuple[MuteView, ...]
    gaps: tuple[str, ...]
    summary: str


class HandOverLook(Look[HandOverSeen], frozen=True):
    """Ask what the shift that comes has to know."""

    answer: ClassVar[Any] = HandOverSeen
