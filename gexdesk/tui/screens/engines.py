"""The engines of this desk: which they are, when each was last heard, what it fetches and how loaded it is."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.look.machine import MachineLook, MachineSeen
from gexdesk.model.view.engine import EngineView
from gexdesk.tui import figures
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.lines import LinesPane, fact
from gexdesk.tui.widgets.listing import Listing, Order
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

LAG_S = 0.5
"""From here on a loop that stood still draws the eye."""

COLUMNS = (
    Column("", 10, grows=14),
    Column("heard", 14, right=True),
    Column("host", 12, rank=1, grows=18),
    Column("runs for", 8, right=True),
    Column("needs you", 9, right=True),
    Column("under way", 9, right=True, rank=1),
    Column("slots", 5, right=True, rank=2),
    Column("done", 10, right=True),
    Column("dead", 5, right=True, rank=1),
    Column("stood still", 11, right=True, rank=1),
    Column("fetches from", 12, rank=3, grows=60),
)


class EnginesPage(Page):
    """Show every engine of the fleet; of the one under the cursor also what it takes of its host."""

    KEYS: ClassVar[tuple[Key, ...]] = (Key("enter", "inside", "Enter", "inside", "how the engine under the cursor works inside"),)

    def __init__(self, house: House) -> None:
        self.machine: MachineSeen | None = None
        self._asked = ""
        super().__init__(house.at(""))  # it lists all of them

    def panes(self) -> Sequence[Pane]:
        """Return the list, and what is known of the one under the cursor."""
        self.engines: Listing[EngineView] = Listing(
            "engines", self.sight, "ENGINES", COLUMNS, row=self._row, nothing="no engine answers",
            text=lambda e: f"{e.engine_id} {e.host} {'silent' if e.silent else ''} {' '.join(e.sources)}",
        )  # fmt: skip
        self.engines.order = Order.STEADY
        self.engines.gone_words = "left the fleet"
        self.table = self.engines
        self.about = LinesPane("about", self.sight, self._about)
        return (self.engines, self.about)

    def place(self, space: Region) -> dict[str, Region]:
        """Give the list what it needs, at most half; what is known of one has the rest."""
        x, y, width, height = space
        rows = min(max(3, len(self.engines.rows) + 2), height // 2)
        return {"engines": Region(x, y, width, rows), "about": Region(x, y + rows, width, height - rows)}

    async def fetch(self) -> None:
        """Ask the engine, or through it the one under the cursor. Raises EngineAway, StoreError."""
        view, desk = self.sight.shown, self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        fleet = view.engines if view is not None else ()
        fleet = fleet or (self._alone(await desk.look(MachineLook())),)
        known = len(self.engines.rows)
        self.engines.take({engine.engine_id: engine for engine in fleet})
        if len(self.engines.rows) != known:
            self.rearrange()
        found = self.engines.under_cursor
        if found is not None and not found.silent:
            self.machine = await desk.look(MachineLook(engine="" if found.this else found.engine_id))
            self._asked = found.engine_id

    def _alone(self, machine: MachineSeen) -> EngineView:
        """Return the one engine of a desk without a fleet, as one of a fleet is told of."""
        view = self.sight.shown
        return EngineView(
            engine_id=machine.engine_id, host=machine.host, pid=machine.pid, since=machine.since,
            heartbeat_at=view.taken_at if view is not None else machine.since, slots=len(machine.slots),
            in_flight=machine.in_flight, sources=tuple(s.name for s in view.sources) if view is not None else (),
            received=view.received if view is not None else 0, repeats=view.repeats if view is not None else 0,
            completed=view.completed if view is not None else 0, dead=view.dead if view is not None else 0, elsewhere=0,
            loop_lag_s=view.loop_lag_s if view is not None else 0.0,
        )  # fmt: skip

    def moved(self) -> None:
        """Tell of the row the cursor came to."""
        self.about.paint()
        self.ask()

    def action_inside(self) -> None:
        """Open the page of how it works inside."""
        found = self.engines.under_cursor
        if found is not None and found.silent:
            self.notice.say(f"{found.engine_id} is silent: nobody can ask it")
        else:
            self.open_page("engineering", engine="" if found is None or found.this else found.engine_id)

    def _needs(self, one: EngineView) -> int:
        """Count what needs somebody on an engine."""
        view, name = self.sight.shown, "" if one.this else one.engine_id
        return sum(i.closed_at is None and i.engine == name for i in view.incidents) if view is not None else 0

    def _row(self, one: EngineView) -> list[Run]:
        heard = figures.age(max(0.0, self.sight.now - one.heartbeat_at))
        lags = one.loop_lag_s > LAG_S
        return [
            (figures.engine(one.engine_id, self.engines.records), "bold" if one.this else ""),
            (f"! SILENT {heard}" if one.silent else heard, "eye" if one.silent else ""),
            (f"{one.host} ({one.pid})", ""),
            (figures.age(self.sight.now - one.since), ""),
            (figures.count(self._needs(one)), "eye" if self._needs(one) else ""),
            (figures.count(one.in_flight), ""),
            (figures.count(one.slots), ""),
            (figures.count(one.completed), ""),
            (figures.count(one.dead), "eye" if one.dead else ""),
            (f"{'! ' if lags else ''}{figures.latency(one.loop_lag_s)}", "eye" if lags else ""),
            (f"{len(one.sources)}: {' '.join(one.sources)}" if one.sources else "nothing", "" if one.sources else "faint"),
        ]

    def _about(self, width: int) -> list[list[Run]]:
        """Write what there is to know of the engine under the cursor."""
        one, width = self.engines.under_cursor, max(20, width - 2)
        if one is None:
            return []
        heard = figures.time_of_day(int(one.heartbeat_at))
        lines: list[list[Run]] = [[], [(f" {one.engine_id} ", "badge"), ("  this one answers" if one.this else "", "faint")]]
        if one.silent:
            lines += fact("silent", f"last heard {heard}; others take its sources over, what it acknowledged waits for it", width)
        lines += fact("fetches", " ".join(one.sources) or "nothing: other engines own every source", width)
        received = f"{figures.count(one.received)} received, {figures.count(one.repeats)} of them repeats"
        ended = f"{figures.count(one.completed)} completed, {figures.count(one.dead)} dead here"
        lines += fact("did", f"{received}; {ended}; {figures.count(one.elsewhere)} ended by others", width)
        machine = self.machine
        if machine is None or one.engine_id != self._asked:
            return lines
        share = figures.UNKNOWN if machine.cpu_share is None else f"{machine.cpu_share * 100:.0f} % of a core"
        load = figures.UNKNOWN if machine.load is None else f"{machine.load:.1f} on {machine.cores} cores"
        lines += fact("takes", f"{share}, {figures.size(machine.memory_bytes)}; host load {load}", width)
        stores = f"{figures.age(machine.store_lag_s)} behind; {figures.size(machine.free_bytes)} free"
        lines += fact("stores", f"{stores}; {machine.state_folder}", width)
        return lines + fact("version", machine.version, width)
