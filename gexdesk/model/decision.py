"""Which level a payload gets, and why."""

from enum import IntEnum, StrEnum

from msgspec import Struct

from gexdesk.model.level import Level


class Freshness(IntEnum):
    """Class data by age; the smaller value is the stricter class."""

    REAL_TIME = 0
    FRESH = 1
    STALE = 2


class Match(Struct, frozen=True, gc=False):
    """Record one guideline that applied.

    Attributes:
        requires: The freshness the guideline asks for, which decides between equal scores; STALE asks for nothing.
    """

    guideline: str
    level: Level
    score: float
    requires: Freshness


class Bound(StrEnum):
    """Say how an override's level is meant: a promotion never lowers anything, a demotion never raises anything."""

    EXACTLY = "exactly"
    AT_LEAST = "at least"
    AT_MOST = "at most"


class Override(Struct, frozen=True, gc=False):
    """Hold an operator's level for a source or a job: who, why, until when.

    Attributes:
        until: When it ends; None has no end.
    """

    level: Level
    author: str
    reason: str
    since: float
    until: float | None = None
    bound: Bound = Bound.EXACTLY

    def moves(self, level: Level) -> bool:
        """Say whether data the guidelines put at a level gets this override's level instead."""
        if self.bound is Bound.AT_LEAST:
            return self.level.rank < level.rank
        if self.bound is Bound.AT_MOST:
            return self.level.rank > level.rank
        return True

    @property
    def words(self) -> str:
        """Name it as a screen does, e.g. ``at least HIGH``."""
        return str(self.level) if self.bound is Bound.EXACTLY else f"{self.bound} {self.level}"


class ScoreParts(Struct, frozen=True):
    """Say what lifted a score: shares of the way from its guideline's floor to its level's top; together 0 to 1."""

    impact: float = 0.0
    change: float = 0.0
    freshness: float = 0.0
    reliability: float = 0.0
    urgency: float = 0.0

    @property
    def total(self) -> float:
        """Return how far up its band the score went."""
        return self.impact + self.change + self.freshness + self.reliability + self.urgency


class Decision(Struct, frozen=True, gc=False):
    """Record the level of one payload, everything that matched and the reason in words.

    Attributes:
        winner: Name of the guideline that decided, ``override`` or ``unmatched``.
        matches: Every guideline that applied, winner first.
        guidelines_version: Which set decided.
        parts: What made the score; without meaning for an override, whose score is its level's top.
        reason: One line for a person, e.g. ``high-real-time: impact high, change 0.02, age 1.2 s``.
    """

    level: Level
    score: float
    freshness: Freshness
    winner: str
    matches: tuple[Match, ...]
    guidelines_version: str
    reason: str
    override: Override | None = None
    parts: ScoreParts = ScoreParts()

    @property
    def guidelines_say(self) -> tuple[Level, float]:
        """Return level and score without the override; nothing matched: LOW."""
        if self.override is None:
            return self.level, self.score
        return (self.matches[0].level, self.matches[0].score) if self.matches else (Level.LOW, Level.LOW.band[0])
