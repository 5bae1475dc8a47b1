"""One symbol, what is held back of it, where its sources differ and what is missing."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.exposure import Exposure
from gexdesk.model.look.base import Look
from gexdesk.model.symbol_view import CompareRow, FeedOfSymbol, Figures, GapView, Point, QuarantineCase, StrikeRow
from gexdesk.model.view.symbol import SymbolView


class SymbolSeen(Struct, frozen=True):
    """Hold everything about one symbol that readers have.

    Attributes:
        exposure: Of the live value: profile curve, flip with roots and status, walls, expiries, warnings, conventions; None
            while nothing serves it.
        strikes: The ladder of the live value, ascending.
        previous: The live value before this one; None before the second.
        opened: The session's first live value this engine knows; None before the first.
        history: What readers had since the session began, oldest first, evenly thinned to ``SymbolLook.points``.
        feeds: Every source of the symbol, the serving one first.
        flags: What the checks before publishing said of the live value, a word and a line each.
        cases: What is held back of it now.
        job_id: The job that the live value came of; empty while there is none.
    """

    symbol: str
    taken_at: float
    view: SymbolView
    exposure: Exposure | None
    strikes: tuple[StrikeRow, ...]
    previous: Figures | None
    opened: Figures | None
    history: tuple[Point, ...]
    feeds: tuple[FeedOfSymbol, ...]
    flags: tuple[str, ...]
    cases: tuple[QuarantineCase, ...]
    job_id: str = ""


class SymbolLook(Look[SymbolSeen], frozen=True):
    """Ask for one symbol, by its name or an alias; ``points`` bounds the history."""

    answer: ClassVar[Any] = SymbolSeen
    symbol: str
    points: int = 240


class QuarantineSeen(Struct, frozen=True):
    """Hold what the checks held back, newest first."""

    cases: tuple[QuarantineCase, ...]


class QuarantineLook(Look[QuarantineSeen], frozen=True):
    """Ask what is held back, of one symbol where it is named; ``settled`` includes what was released or refused of late."""

    answer: ClassVar[Any] = QuarantineSeen
    symbol: str = ""
    settled: bool = False


class CompareSeen(Struct, frozen=True):
    """Lay two sources of a symbol side by side.

    Attributes:
        left, right: The sources; ``right`` is empty where there is no second one.
        left_as_of, right_as_of: Stamps of the compared snapshots: those nearest in the market's time, each less its source's
            delay. None where there is none.
        rows: One figure each; empty where the two cannot be compared, and ``text`` says why.
        disagree: At least one figure is apart by more than its tolerance, and was in the comparison before.
    """

    symbol: str
    left: str
    right: str
    left_delay_s: float
    right_delay_s: float
    left_as_of: float | None
    right_as_of: float | None
    rows: tuple[CompareRow, ...]
    disagree: bool
    text: str


class CompareLook(Look[CompareSeen], frozen=True):
    """Ask how the serving source of a symbol compares with its standby, or with the one named."""

    answer: ClassVar[Any] = CompareSeen
    symbol: str
    other: str = ""


class GapsSeen(Struct, frozen=True):
    """Hold the gaps, newest first."""

    gaps: tuple[GapView, ...]


class GapsLook(Look[GapsSeen], frozen=True):
    """Ask for the gaps this engine knows, of one symbol where it is named; ``filled`` includes those that are filled."""

    answer: ClassVar[Any] = GapsSeen
    symbol: str = ""
    filled: bool = False
