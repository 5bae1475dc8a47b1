"""The engines of this desk: which they are, since when, how loaded."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.look import MachineLook, MachineSeen
from gexdesk.tui import figures
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.listing import Listing
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

COLUMNS = (
    Column("", 10),
    Column("host", 12, grows=14),
    Column("version", 8),
    Column("runs for", 9, right=True),
    Column("processor", 9, right=True),
    Column("memory", 9, right=True),
    Column("host load", 11, right=True, rank=2),
    Column("under way", 9, right=True, rank=1),
    Column("stores lag", 10, right=True, rank=1),
    Column("state folder", 16, rank=3, grows=50),
)


class EnginesPage(Page):
    """Show the engine that answers."""

    KEYS: ClassVar[tuple[Key, ...]] = (Key("enter", "inside", "Enter", "inside", "how it works inside"),)

    def panes(self) -> Sequence[Pane]:
        """Return the list."""
        self.engines: Listing[MachineSeen] = Listing(
            "engines", self.sight, "ENGINES", COLUMNS, row=self._row, nothing="no engine answers",
            text=lambda e: f"{e.engine_id} {e.host} {e.state_folder}",
        )  # fmt: skip
        self.engines.gone_words = "no longer answers"
        self.table = self.engines
        return (self.engines,)

    def place(self, space: Region) -> dict[str, Region]:
        """Give it all."""
        return {"engines": space}

    async def fetch(self) -> None:
        """Ask the engine. Raises EngineAway, StoreError."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        seen = await desk.look(MachineLook())
        self.engines.take({seen.engine_id: seen})

    def action_inside(self) -> None:
        """Open the page of how it works inside."""
        self.open_page("engineering")

    def _row(self, one: MachineSeen) -> list[Run]:
        load = figures.UNKNOWN if one.load is None else f"{one.load:.1f} of {one.cores}"
        lag = one.store_lag_s > 2.0
        return [
            (one.engine_id, "bold"),
            (f"{one.host} ({one.pid})", ""),
            (one.version, ""),
            (figures.age(self.sight.now - one.since), ""),
            (figures.UNKNOWN if one.cpu_share is None else f"{one.cpu_share * 100:.0f} %", ""),
            (figures.size(one.memory_bytes), ""),
            (load, "eye" if one.load is not None and one.load > 2 * one.cores else ""),
            (figures.count(one.in_flight), ""),
            (f"{'! ' if lag else ''}{figures.age(one.store_lag_s)}", "eye" if lag else ""),
            (one.state_folder, "faint"),
        ]
