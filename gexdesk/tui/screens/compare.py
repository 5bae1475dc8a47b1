"""Two sources of one symbol side by side: figures, how far apart they may be, and whether they are."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway, GexdeskError
from gexdesk.model.lever import Verb
from gexdesk.model.look.symbol import CompareLook, CompareSeen, SymbolLook
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import Aim, at_symbol
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.pane import BLANK, Pane

OF_WHAT = (" GEX is apart by a share of the larger gross GEX,", " flip, walls and spot by a share of the spot")


class ComparePage(Page):
    """Compare the serving source with another."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("o", "other", "o", "other", "compare with the next source"),
        Key("enter", "symbol", "Enter", "symbol", "the symbol's page"),
        Key("F", "lever('failover')", "F", "failover", "serve the symbol from another source", acts=True),
    )

    def __init__(self, house: House, symbol: str) -> None:
        self.symbol = symbol
        self.seen: CompareSeen | None = None
        self._other = ""
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the one pane."""
        return (SidesPane("sides", self),)

    def place(self, space: Region) -> dict[str, Region]:
        """Give it all."""
        return {"sides": space}

    async def fetch(self) -> None:
        """Ask for the comparison. Raises EngineAway, UnknownTarget."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        self.seen = await desk.look(CompareLook(symbol=self.symbol, other=self._other))

    def action_other(self) -> None:
        """Compare with the next source of the symbol."""

        async def turn() -> None:
            desk, seen = self.house.desk(), self.seen
            try:
                if desk is None:
                    raise EngineAway("no engine answers")
                symbol = await desk.look(SymbolLook(symbol=self.symbol, points=1))
            except GexdeskError as error:
                self.notice.say(error.message, grave=True)
                return
            feeds = [feed.source for feed in symbol.feeds if seen is None or feed.source != seen.left]
            if not feeds or (seen is not None and feeds == [seen.right]):
                self.notice.say(f"{self.symbol} has no further source to compare with")
                return
            at = feeds.index(seen.right) if seen is not None and seen.right in feeds else -1
            self._other = feeds[(at + 1) % len(feeds)]
            self.ask()

        self.work(turn(), "other")

    def action_symbol(self) -> None:
        """Open the symbol's page."""
        self.open_page("symbol", self.symbol)

    def aim(self, verb: Verb) -> "tuple[Verb, Aim] | str":
        """Aim at the symbol."""
        view = self.sight.shown
        symbol = next((s for s in view.symbols if s.symbol == self.symbol), None) if view is not None else None
        if view is None or symbol is None:
            return f"the engine no longer knows {self.symbol}"
        aim = at_symbol(symbol, verb, view)
        return (verb, aim) if aim.choices else f"{self.symbol} has no other source"


class SidesPane(Pane):
    """Draw one line a figure."""

    def __init__(self, id: str, page: ComparePage) -> None:
        super().__init__(id, page.sight)
        self._page = page

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading, a figure, or what is to be said."""
        seen = self._page.seen
        if seen is None:
            return ((" asking the engine ...", "faint"),) if y == 0 else BLANK
        if y == 0:
            word, text = _verdict(seen)
            return ((f" COMPARE {seen.symbol}  ", "bold"), word, (f"   {text}", "" if not seen.disagree else "eye"))
        wide = self.size.width >= 100
        cells, apart_cells = (24, 12) if wide else (17, 9)
        if y == 2:
            heads = (_head(seen.left, seen.left_delay_s), _head(seen.right or "no second source", seen.right_delay_s))
            return (
                (fit(" ", 16), ""), *((fit(head, cells, right=True) + "  ", "bold") for head in heads),
                (fit("apart", apart_cells, right=True), "faint"), (fit("may be", apart_cells, right=True), "faint"),
            )  # fmt: skip
        if y == 3:
            stamps = (figures.UNKNOWN if at is None else figures.time_of_day(int(at)) for at in (seen.left_as_of, seen.right_as_of))
            return ((fit(" market time", 16), "faint"), *((fit(stamp, cells, right=True) + "  ", "") for stamp in stamps))
        legend = y - 5 - len(seen.rows)
        if seen.rows and 0 <= legend < len(OF_WHAT):
            return ((OF_WHAT[legend], "faint"),)
        if not 0 <= y - 4 < len(seen.rows):
            return BLANK
        row = seen.rows[y - 4]
        left, right = _value(row.name, row.left), _value(row.name, row.right)
        apart = row.agrees is False
        return (
            (fit(f" {row.name.replace('_', ' ')}", 16), "faint"),
            *((fit(value, cells, right=True) + "  ", "bold" if apart else "") for value in (left, right)),
            (fit(_distance(row.name, row.difference), apart_cells, right=True), "eye" if apart else ""),
            (fit(_distance(row.name, row.tolerance), apart_cells, right=True), "faint"),
            ("  !" if apart else "", "eye"),
        )


def _verdict(seen: CompareSeen) -> tuple[Run, str]:
    if seen.disagree:
        return ("DISAGREE", "eye"), seen.text
    if any(row.agrees is False for row in seen.rows):
        return ("APART", "eye"), "at this one moment; the two that serve and stand by DISAGREE once the next one says so too"
    return ("agree", "") if seen.rows else ("not comparable", "faint"), seen.text


def _head(source: str, delay_s: float) -> str:
    return f"{source} D{delay_s / 60:.0f}" if delay_s else source


def _value(name: str, value: float | None) -> str:
    if value is None:
        return figures.UNKNOWN
    if "gex" in name:
        return figures.billions(value)
    return figures.age(value) if "age" in name else figures.price(value)


def _distance(name: str, value: float | None) -> str:
    """Write how far apart two figures are, in the unit of their tolerance."""
    if value is None:
        return figures.UNKNOWN
    return figures.age(value) if name == "age_s" else f"{value:.2%}"
