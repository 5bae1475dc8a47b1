"""One event, as it happened."""

from msgspec import Struct


class LogLine(Struct, frozen=True):
    """Show one event as it happened.

    Attributes:
        sequence: Goes up by one a line, so that a screen can tell what is new.
        kind: ``decision``, ``lever``, ``dead``, ``source``, ``incident`` or ``engine``.
        grave: Whether it wants an eye.
    """

    sequence: int
    at: float
    kind: str
    text: str
    grave: bool = False
