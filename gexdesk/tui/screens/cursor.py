"""Where the operator stands: a row of one of the two tables."""

from gexdesk.model.view import SourceView
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.details import Subject, source_facts, symbol_facts
from gexdesk.tui.widgets.sources import SourcesTable
from gexdesk.tui.widgets.symbols import SymbolsTable
from gexdesk.tui.widgets.table import Table


class Cursor:
    """Hold both tables, one of which has the cursor.

    Args:
        sight: What there is to draw.
    """

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self.symbols = SymbolsTable("symbols", sight, lambda: self.table is self.symbols)
        self.sources = SourcesTable("sources", sight, lambda: self.table is self.sources)
        self.table: Table = self.sources

    @property
    def name(self) -> str:
        """Return ``symbols`` or ``sources``: the table with the cursor."""
        return str(self.table.id)

    @property
    def other(self) -> Table:
        """Return the table without the cursor."""
        return self.symbols if self.table is self.sources else self.sources

    def cross(self) -> None:
        """Go to the other table."""
        self.table = self.other
        self.symbols.paint()
        self.sources.paint()

    def adopt(self) -> None:
        """Let both tables learn new names."""
        for table in (self.symbols, self.sources):
            if table.adopt():
                table.paint()

    def source(self) -> tuple[SourceView, str] | None:
        """Return the source a lever would act on, and the symbol it serves where the row is a symbol's; None on no row."""
        name, serves = self.table.target, ""
        if name is not None and self.table is self.symbols:
            symbol = self.symbols.symbol(name)
            name, serves = (symbol.served_by, name) if symbol is not None else (None, name)
        source = self.sight.source(name) if name is not None else None
        return None if source is None else (source, serves)

    def subject(self) -> Subject | None:
        """Return what the picture holds of the row under the cursor."""
        name = self.table.target
        if name is None:
            return None
        now = self.sight.now
        if self.table is self.symbols:
            symbol = self.symbols.symbol(name)
            if symbol is None:
                return None
            return Subject(name, symbol_facts(symbol, now), self.sight.about(name, symbol.served_by))
        source = self.sight.source(name)
        return None if source is None else Subject(name, source_facts(source, now), self.sight.about(name))

    def filter_words(self) -> str:
        """Say which filter is on; empty without one."""
        table = self.table
        parts = [f'rows with "{table.wanted}"'] if table.wanted else []
        parts += ["faults only"] if table.faults else []
        return f"{self.name}: {' and '.join(parts)}, {len(table.rows)} shown" if parts else ""
