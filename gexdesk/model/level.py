"""The four levels, their bands and their promises."""

from enum import StrEnum


class Level(StrEnum):
    """Rank what matters first.

    Attributes:
        rank: 0 for CRITICAL, which goes first, to 3 for LOW.
    """

    rank: int  # an attribute, not a property: the queue asks for it with every job

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"

    @property
    def raised(self) -> "Level":
        """Return the next level up; CRITICAL stays."""
        return LEVELS[max(0, self.rank - 1)]

    @property
    def lowered(self) -> "Level":
        """Return the next level down; LOW stays."""
        return LEVELS[min(3, self.rank + 1)]

    @property
    def band(self) -> tuple[float, float]:
        """Return the lowest and highest score of the level."""
        return _BAND[self]


LEVELS: tuple[Level, ...] = tuple(Level)
for _rank, _level in enumerate(LEVELS):
    _level.rank = _rank
_BAND = {Level.CRITICAL: (0.90, 1.00), Level.HIGH: (0.70, 0.89), Level.MEDIUM: (0.40, 0.69), Level.LOW: (0.00, 0.39)}

DEFAULT_PROMISE_S: dict[Level, float | None] = {
    Level.CRITICAL: 30.0,
    Level.HIGH: 300.0,
    Level.MEDIUM: 1800.0,
    Level.LOW: None,
}
"""Seconds from receipt to available; None is best effort. Configuration may tighten or widen them."""
