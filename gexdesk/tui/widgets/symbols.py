"""Panel 3: the symbols, and what readers really have of each."""

from collections.abc import Callable

from gexdesk.model.view.symbol import SymbolView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.table import Column, Table

COLUMNS = (
    Column("", 9, grows=9),
    Column("served by", 14, grows=8),
    Column("standby", 9, rank=6, grows=8),
    Column("level", 8),
    Column("why", 7, rank=5, grows=16),
    Column("data", 6, right=True),
    Column("changed", 7, right=True),
    Column("adds", 6, right=True, rank=4),
    Column("net GEX", 9, right=True, rank=2),
    Column("flip", 7, right=True, rank=3),
    Column("check", 10, rank=1, grows=10),
)


class SymbolsTable(Table):
    """Draw the symbols in the order in which they came."""

    tells_faults = True

    def __init__(self, id: str, sight: Sight, has_cursor: Callable[[], bool]) -> None:
        super().__init__(id, sight, "3 SYMBOLS", COLUMNS, has_cursor)

    def symbol(self, name: str) -> SymbolView | None:
        """Find a symbol of the shown picture."""
        return next((s for s in self.sight.shown.symbols if s.symbol == name), None) if self.sight.shown else None

    def record(self, name: str) -> SymbolView | None:
        """Return the symbol as the picture has it."""
        return self.symbol(name)

    def names(self) -> set[str]:
        """Return the names of the shown picture."""
        return {s.symbol for s in self.sight.shown.symbols} if self.sight.shown else set()

    def items(self) -> dict[str, tuple[str, bool]]:
        """Look through symbol, its source and its level; faulty is what has a warning."""
        view = self.sight.shown
        return {s.symbol: (f"{s.symbol} {s.served_by} {s.level or ''}", not _fine(s)) for s in view.symbols} if view else {}

    def cells(self, name: str) -> list[Run] | None:
        """Return one run a column."""
        s = self.symbol(name)
        if s is None:
            return None
        now = self.sight.now
        fine = _fine(s)
        return [
            (name, ""),
            (f"{s.served_by} D{s.delay_s / 60:.0f}" if s.delay_s else s.served_by or "nothing", ""),
            (self._standby(s), "faint"),
            (str(s.level or figures.UNKNOWN), ""),
            (s.why, "faint"),
            (figures.age(None if s.as_of is None else now - s.as_of + s.delay_s), ""),
            (figures.age(None if s.changed_at is None else now - s.changed_at), ""),
            (figures.latency(s.added_s), ""),
            (figures.billions(s.net_gex, s.gross_gex), ""),
            (figures.price(s.zero_gamma), ""),
            (s.check if fine else f"! {s.check}", "faint" if fine else "eye"),
        ]

    def _standby(self, s: SymbolView) -> str:
        if not s.standby:
            return "none"
        return f"{s.standby} D{s.standby_delay_s / 60:.0f}" if s.standby_delay_s else s.standby


FINE = ("ok", "waiting", "closed")


def _fine(s: SymbolView) -> bool:
    """Say whether nothing is wrong with it: a known delay is no fault, nor that nothing is due."""
    return s.check in FINE or (s.check.startswith("D") and s.check[1:].isdecimal())
