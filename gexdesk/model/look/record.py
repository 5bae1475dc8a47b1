"""What happened: the log and the audit."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.look.base import Look
from gexdesk.model.record_view import ActView
from gexdesk.model.view.log import LogLine


class LogSeen(Struct, frozen=True):
    """Give lines of the log, oldest first.

    Attributes:
        first_at: From when on it is held; None where there is nothing. Decisions are held for a shorter time than the rest.
        more: There are older ones that were not asked for.
    """

    lines: tuple[LogLine, ...]
    first_at: float | None
    more: bool


class LogLook(Look[LogSeen], frozen=True):
    """Ask for the log: the newest ``limit`` lines, or those up to a time.

    Attributes:
        to_at: The newest line is not later than this; None is now.
        kinds: As ``LogLine.kind``; empty for all.
        text: Lines that hold this text, whatever its case.
    """

    answer: ClassVar[Any] = LogSeen
    limit: int = 400
    to_at: float | None = None
    kinds: tuple[str, ...] = ()
    text: str = ""


class AuditSeen(Struct, frozen=True):
    """Give the last acts, oldest first, and whether the chain that holds them is whole.

    Attributes:
        checked_at: When the chain was last checked; None before that.
        checked_lines: How many lines hold together.
        broken: Which line breaks it and why; empty where none does.
    """

    acts: tuple[ActView, ...]
    checked_at: float | None
    checked_lines: int
    broken: str


class AuditLook(Look[AuditSeen], frozen=True):
    """Ask for the last acts; ``check`` reads the whole chain, link by link, which takes a moment where it is long."""

    answer: ClassVar[Any] = AuditSeen
    limit: int = 400
    check: bool = False
