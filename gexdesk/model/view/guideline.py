"""One guideline: how often it won."""

from msgspec import Struct

from gexdesk.model.level import Level


class GuidelineView(Struct, frozen=True):
    """Count the wins of one guideline, and those over data that was decided at another level within a minute."""

    name: str
    level: Level
    last_minute: int
    session: int
    last_symbol: str
    last_at: float | None
    conflicts: int = 0
