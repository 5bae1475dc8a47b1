"""The guidelines: what is in force, what is staged, what would change."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.level import Level
from gexdesk.model.look.base import Look


class RuleView(Struct, frozen=True):
    """Show one guideline in force and what it did.

    Attributes:
        when: Its condition as written.
        score: The least it gives.
        symbols, sessions: It holds for these alone; empty for all.
        expires: UTC seconds; None has no end.
        last_minute, session: How often it won.
        conflicts: How often it won over data that was decided at another level within a minute.
    """

    name: str
    level: Level
    description: str
    when: str
    active: bool
    score: float
    symbols: tuple[str, ...]
    sessions: tuple[str, ...]
    expires: float | None
    last_minute: int = 0
    session: int = 0
    last_symbol: str = ""
    last_at: float | None = None
    conflicts: int = 0


class VersionView(Struct, frozen=True):
    """Show one version that decided; ``diff`` is against the version before, as ``diff -u`` writes it."""

    version: str
    author: str
    at: float
    reason: str
    diff: str


class MoverView(Struct, frozen=True):
    """Count a symbol's decisions that would change from one level to another."""

    symbol: str
    before: Level
    after: Level
    count: int


class TrialView(Struct, frozen=True):
    """Show what a staged set would have decided of the last ``rows`` decisions.

    Attributes:
        counts: ``counts[level before][level after]``.
        critical_before, critical_after: CRITICAL decisions.
        capacity_ratio: CRITICAL decisions of the busiest minute over what the desk serves in one; None where nobody knows.
        words: All of it in one line.
    """

    rows: int
    changed: int
    counts: dict[Level, dict[Level, int]]
    movers: tuple[MoverView, ...]
    critical_before: int
    critical_after: int
    capacity_ratio: float | None
    words: str


class StagedView(Struct, frozen=True):
    """Show a set that was checked and waits to be applied.

    Attributes:
        diff: Against the text in force.
        trial: None while it is not known; ``trial_note`` then says why.
    """

    version: str
    author: str
    at: float
    text: str
    diff: str
    trial: TrialView | None
    trial_note: str


class FaultView(Struct, frozen=True):
    """Say why the rule file as it stands cannot be used; what is in force stays. None and empty where it cannot be told."""

    message: str
    author: str
    at: float
    file: str
    line: int | None
    column: int | None
    found: str
    allowed: str
    did_you_mean: str


class GuidelinesSeen(Struct, frozen=True):
    """Hold the guidelines: what is in force, what waits, what was.

    Attributes:
        text: In force.
        file: The rule file that is watched; empty where the shipped set was taken.
        history: Every version, the newest first.
        locked_hours: New York, on trading days; ``locked_until`` is when the lock that stands now ends.
        revision: What ``apply`` and ``rollback`` name as seen.
        unmatched, conflicts: Decisions of this session that no guideline held for, and that differ on the same data.
    """

    name: str
    version: str
    author: str
    at: float
    reason: str
    text: str
    file: str
    rules: tuple[RuleView, ...]
    history: tuple[VersionView, ...]
    staged: StagedView | None
    fault: FaultView | None
    apply_on_save: bool
    locked_hours: tuple[str, ...]
    locked_until: float | None
    revision: int
    unmatched: int
    conflicts: int


class GuidelinesLook(Look[GuidelinesSeen], frozen=True):
    """Ask for the guidelines, their history and what waits to be applied."""

    answer: ClassVar[Any] = GuidelinesSeen
