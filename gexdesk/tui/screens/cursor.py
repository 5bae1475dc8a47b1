"""Where the operator stands: a row of one of the two tables."""

from gexdesk.model.lever import Verb
from gexdesk.tui.forms.aim import Aimed, lever_on_source, lever_on_symbol
from gexdesk.tui.sight import Sight
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

    def go_to(self, *names: str) -> bool:
        """Go to the first of some sources or symbols that has a row; return whether one has."""
        for name in filter(None, names):
            for table in (self.sources, self.symbols):
                if name in table.rows:
                    self.table, table.cursor = table, name
                    return True
        return False

    def adopt(self) -> None:
        """Let both tables learn new names."""
        for table in (self.symbols, self.sources):
            if table.adopt():
                table.paint()

    def aim(self, verb: Verb) -> Aimed:
        """Return the lever that a key means and what it is aimed at, as it is seen now; or why there is none."""
        name, view = self.table.target, self.sight.shown
        if name is None or view is None:
            return "nothing under the cursor: move it to a row first"
        if self.table is self.symbols:
            symbol = self.symbols.symbol(name)
            if symbol is None:
                return f"the engine no longer knows {name}"
            return lever_on_symbol(verb, symbol, view)
        source = self.sight.source(name)
        if source is None:
            return f"the engine no longer knows {name}"
        return lever_on_source(verb, source, view)

    def filter_words(self) -> str:
        """Say which filter is on; empty without one."""
        said = self.table.said_of_rows()
        return f"{self.name}: {said}" if said else ""
