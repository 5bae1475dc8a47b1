"""Panel 4: the sources, on which every lever acts."""

from collections.abc import Callable

from gexdesk.model.view import SourceView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.table import Column, Table

COLUMNS = (
    Column("", 16, grows=8),
    Column("carries", 8, rank=4, grows=16),
    Column("state", 11, grows=8),
    Column("level", 8),
    Column("why", 10, rank=5, grows=8),
    Column("last / due", 13, right=True),
    Column("/min", 5, right=True, rank=6),
    Column("queued", 6, right=True, rank=1),
    Column("err5m", 5, right=True, rank=1),
    Column("ok", 6, right=True, rank=7),
)

NO_FAULT = ("live", "ended")
"""States that are no fault by themselves."""


def why_words(source: SourceView, now: float) -> str:
    """Say where the level comes from: who and until when, the standing one, or the guidelines."""
    if source.override_by:
        return f"{source.override_by} {figures.until(source.override_until, now)}"
    return {"standing": "standing", "decided": "rules"}.get(source.why, source.why)


def state_run(source: SourceView) -> Run:
    """Say the state; what wants an eye in capitals, so that colour is not the only sign."""
    if source.state == "paused":
        return (f"PAUSED {source.paused_by}".rstrip(), "bold")
    return (source.state, "") if source.state in ("live", "waiting", "ended") else (source.state.upper(), "eye")


class SourcesTable(Table):
    """Draw the sources in the order of the configuration."""

    def __init__(self, id: str, sight: Sight, has_cursor: Callable[[], bool]) -> None:
        super().__init__(id, sight, "4 SOURCES", COLUMNS, has_cursor)

    def _sources(self) -> dict[str, SourceView]:
        return {s.name: s for s in self.sight.shown.sources} if self.sight.shown else {}

    def items(self) -> dict[str, tuple[str, bool]]:
        """Look through name, kind, what it carries and its level; faulty is what is not live or failed in the last minutes."""
        return {
            name: (f"{name} {s.kind} {s.carries} {s.level or ''}", s.state not in NO_FAULT or s.errors_5m > 0)
            for name, s in self._sources().items()
        }

    def cells(self, name: str) -> list[Run] | None:
        """Return one run a column."""
        s = self.sight.source(name)
        if s is None:
            return None
        now = self.sight.now
        since = None if s.last_at is None else now - s.last_at
        # Without an expectation a dash, or the age would stand where the others' expectation does.
        due = figures.UNKNOWN if s.due_s is None else figures.age(s.due_s) if s.due_s < 9.95 else figures.promise(s.due_s)
        return [
            (name, ""),
            (f"{s.carries} D{s.delay_s / 60:.0f}" if s.delay_s else s.carries, ""),
            state_run(s),
            (str(s.level) if s.level else "-", "bold" if s.override_by else ""),
            (why_words(s, now), "bold" if s.override_by else "faint"),
            (f"{figures.age(since)} / {due}", "eye" if s.state in ("late", "failing") else ""),
            (figures.count(s.rate_per_min), ""),
            (figures.count(s.queued), ""),
            (f"!{s.errors_5m}" if s.errors_5m else "0", "eye" if s.errors_5m else "faint"),
            (figures.share(s.successes, s.requests), ""),
        ]
