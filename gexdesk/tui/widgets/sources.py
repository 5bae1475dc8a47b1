"""Panel 4: the sources, on which every lever acts."""

from collections.abc import Callable

from gexdesk.model.view.source import SourceView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.table import JOINED, Column, Table

COLUMNS = (
    Column("", 16, grows=8),
    Column("carries", 8, rank=4, grows=12),
    Column("state", 11, grows=8),
    Column("level", 9),
    Column("why", 10, rank=5, grows=16),
    Column("last / due", 13, right=True),
    Column("/min", 5, right=True, rank=6),
    Column("queued", 6, right=True, rank=1),
    Column("err5m", 5, right=True, rank=1),
    Column("ok", 6, right=True, rank=7),
    Column("missed", 6, right=True, rank=8),
    Column("again", 6, right=True, rank=9),
)

NO_FAULT = ("live", "quiet", "ended")
"""States that are no fault by themselves."""


LEVEL, WHY = (next(i for i, column in enumerate(COLUMNS) if column.title == title) for title in ("level", "why"))


def override_words(source: SourceView, now: float) -> str:
    """Say an override in force: what it holds, who and until when; empty without one."""
    return f"{source.override} {source.override_by} {figures.until(source.override_until, now)}" if source.override else ""


def short_override(words: str) -> str:
    """Shorten an override's bound to one sign."""
    return words.replace("at least ", "≥", 1).replace("at most ", "≤", 1)


def state_run(source: SourceView, now: float) -> Run:
    """Say the state; what wants an eye in capitals, so that colour is not the only sign."""
    if source.state == "stopped":
        return ("STOPPED", "eye")
    if source.state == "paused":
        return (f"PAUSED {source.paused_by}".rstrip(), "bold")
    if source.breaker != "closed":
        probe = "" if source.probe_at is None else f", probe in {figures.age(max(0.0, source.probe_at - now))}"
        return (f"LEFT ALONE{probe}" if source.breaker == "open" else "PROBING", "eye")
    return (source.state, "") if source.state in ("live", "waiting", "quiet", "ended") else (source.state.upper(), "eye")


class SourcesTable(Table):
    """Draw the sources in the order of the configuration."""

    tells_faults = True

    def __init__(self, id: str, sight: Sight, has_cursor: Callable[[], bool]) -> None:
        super().__init__(id, sight, "4 SOURCES", COLUMNS, has_cursor)

    def _sources(self) -> dict[str, SourceView]:
        return {s.name: s for s in self.sight.shown.sources} if self.sight.shown else {}

    def record(self, name: str) -> SourceView | None:
        """Return the source as the picture has it."""
        return self.sight.source(name)

    def names(self) -> set[str]:
        """Return the names of the shown picture."""
        return {s.name for s in self.sight.shown.sources} if self.sight.shown else set()

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
        level: list[Run] = [
            (str(s.level) if s.level else "-", ""),
            ({"standing": "standing", "decided": "rules"}.get(s.why, s.why), "faint"),
        ]
        if words := override_words(s, now):
            # The present level is not what was asked for: the words take both columns.
            room = self.cells_of(LEVEL, WHY)
            says = next((w for w in (words, short_override(words)) if width_of(w) <= room), short_override(s.override))
            level = [(says, "bold"), JOINED]
        return [
            (name, ""),
            (f"{s.carries} D{s.delay_s / 60:.0f}" if s.delay_s else s.carries, ""),
            state_run(s, now),
            *level,
            (f"{figures.age(since)} / {due}", "eye" if s.state in ("late", "failing") else ""),
            (figures.count(s.rate_per_min), ""),
            (figures.count(s.queued), ""),
            (f"!{s.errors_5m}" if s.errors_5m else "0", "eye" if s.errors_5m else "faint"),
            (figures.share(s.successes, s.requests), ""),
            (figures.count(s.missed), "bold" if s.missed else "faint"),
            (figures.count(s.repeats), "" if s.repeats else "faint"),
        ]
