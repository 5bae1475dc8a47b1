"""The ledger of gaps: when something expected did not come, how much is missing, and what can be filled."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Verb
from gexdesk.model.look.symbol import GapsLook
from gexdesk.model.symbol_view import GapView
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import Aim
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.lines import LinesPane, facts
from gexdesk.tui.widgets.listing import Listing, Order
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

COLUMNS = (
    Column("", 10),
    Column("symbol", 7, grows=3),
    Column("source", 12, grows=10),
    Column("from", 10),
    Column("lasted", 9, right=True),
    Column("missed", 6, right=True),
    Column("there", 6, right=True),
    Column("state", 10, grows=6),
    Column("why, and from where it can be filled", 20, rank=1, grows=90),
)


class GapsPage(Page):
    """Show gaps, of all symbols or of one."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("enter", "symbol", "Enter", "symbol", "the symbol's page"),
        Key("o", "source", "o", "source", "the source that gave nothing"),
        Key("h", "filled", "h", "filled", "with those that are filled, or without"),
        Key("B", "lever('backfill')", "B", "backfill", "fill it from history, behind all live data", acts=True),
    )

    def __init__(self, house: House, symbol: str = "") -> None:
        self._symbol = symbol
        self._filled = False
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the list and all of the gap under the cursor."""
        title = f"GAPS of {self._symbol}" if self._symbol else "GAPS"
        self.gaps: Listing[GapView] = Listing(
            "gaps", self.sight, title, COLUMNS, row=self._row, nothing="no gap: all that was expected came",
            text=lambda g: f"{g.symbol} {g.source} {g.reason} {_state(g)} {g.gap}",
        )  # fmt: skip
        self.gaps.order = Order.STEADY
        self.gaps.gone_words = "filled"
        self.table = self.gaps
        self.about = LinesPane("gap", self.sight, self._about)
        return (self.gaps, self.about)

    def place(self, space: Region) -> dict[str, Region]:
        """Give the gap under the cursor five lines, the list the rest."""
        x, y, width, height = space
        return {"gaps": Region(x, y, width, height - 5), "gap": Region(x, y + height - 5, width, 5)}

    async def fetch(self) -> None:
        """Ask for the gaps. Raises EngineAway."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        seen = await desk.look(GapsLook(symbol=self._symbol, filled=self._filled))
        self.gaps.take({gap.gap: gap for gap in seen.gaps})

    def moved(self) -> None:
        """Tell about the gap under the cursor."""
        self.about.paint()

    def action_symbol(self) -> None:
        """Open the symbol's page."""
        if (gap := self.gaps.under_cursor) is not None and gap.symbol:
            self.open_page("symbol", gap.symbol)

    def action_source(self) -> None:
        """Open the source's page."""
        if (gap := self.gaps.under_cursor) is not None:
            self.open_page("source", gap.source)

    def action_filled(self) -> None:
        """Show filled ones as well, or no longer."""
        self._filled = not self._filled
        self.notice.say("with those that are filled" if self._filled else "without those that are filled")
        self.gaps.cursor = None
        self.ask()

    def aim(self, verb: Verb) -> "tuple[Verb, Aim] | str":
        """Aim at the gap under the cursor."""
        gap = self.gaps.under_cursor
        if gap is None:
            return "no gap under the cursor"
        if gap.filled_at is not None and not gap.short:
            return f"it was filled at {figures.time_of_day(int(gap.filled_at))}{f', {gap.there} are there' if gap.there else ''}"
        if not gap.fillable:
            return f"it cannot be filled: {gap.how}"
        words = f"{gap.symbol} of {gap.source} (gap of {_lasted(gap, self.sight.now)})"
        return verb, Aim("gap", gap.gap, words, state=_state(gap))

    def _row(self, gap: GapView) -> list[Run]:
        state = _state(gap)
        return [
            (gap.gap, "faint"),
            (gap.symbol or "all of it", "bold"),
            (gap.source, ""),
            (_short(gap.from_at, self.sight.now), ""),
            (_lasted(gap, self.sight.now), "eye" if gap.to_at is None else ""),
            (figures.UNKNOWN if gap.missed is None else figures.count(gap.missed), ""),
            (figures.UNKNOWN if gap.wanted is None else figures.count(gap.brought), "bold" if gap.short else ""),
            (state, "eye" if gap.to_at is None else "bold" if gap.fillable and gap.filled_at is None else "faint"),
            (f"{gap.reason}; {gap.how}", ""),
        ]

    def _about(self, width: int) -> list[list[Run]]:
        gap = self.gaps.under_cursor
        if gap is None:
            return []
        end = ", goes on" if gap.to_at is None else f" to {figures.day_and_time(int(gap.to_at))}"
        span = f"{figures.day_and_time(int(gap.from_at))}{end}, {_lasted(gap, self.sight.now)}"
        filling = "" if gap.filling_since is None else f"; being filled for {figures.age(self.sight.now - gap.filling_since)}"
        there = f"; {gap.there} snapshots that it lacked are there" if gap.there else ""
        there += "; B fills in what else history has" if gap.short and gap.fillable else ""
        return [[], *facts([("from", span, ""), ("why", gap.reason, ""), ("fill", f"{gap.how}{filling}{there}", "bold")], width)]


def _state(gap: GapView) -> str:
    if gap.to_at is None:
        return "goes on"
    if gap.filling_since is not None:
        return "filling"
    if gap.filled_at is not None:
        return "filled"
    if gap.fillable and gap.there:
        return gap.there
    return "B fills it" if gap.fillable else "lost"


def _short(at: float, now: float) -> str:
    """Write a moment in ten cells: its time today, else its day."""
    words = figures.day_and_time(int(at))
    return figures.time_of_day(int(at)) if words[:10] == figures.day_and_time(int(now))[:10] else words[:10]


def _lasted(gap: GapView, now: float) -> str:
    return figures.age((now if gap.to_at is None else gap.to_at) - gap.from_at)
