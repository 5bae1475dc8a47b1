"""One symbol: what readers have of it, the curve, the ladder of strikes, who feeds it and what was held back."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Verb
from gexdesk.model.look.symbol import SymbolLook, SymbolSeen
from gexdesk.model.symbol_view import StrikeRow
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import Aimed, lever_on_symbol
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.keys import LEVER_KEYS, Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.curve import Curve, CurvePane
from gexdesk.tui.widgets.listing import Listing
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.symbol_facts import FactsPane, FaultPane, FeedsPane
from gexdesk.tui.widgets.table import Column

BAR = 24
MUCH = 0.01
"""Share of gross GEX from which one strike's change is bold."""

LADDER = (
    Column("", 14),
    Column("net GEX", 9, right=True),
    Column("change", 9, right=True, rank=1),
    Column("puts        calls", BAR, rank=1),
    Column("call OI", 8, right=True),
    Column("put OI", 8, right=True),
    Column("call vol", 8, right=True, rank=2),
    Column("put vol", 8, right=True, rank=2),
    Column("by volume", 9, right=True, rank=3),
    Column("", 11, rank=1, grows=24),
)


class SymbolPage(Page):
    """Show one symbol."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("d", "compare", "d", "compare", "the serving source beside another"),
        Key("v", "hedges", "v", "greeks", "delta, vanna and charm exposure, expiries, conventions"),
        Key("h", "drawn", "h", "curve", "net GEX by spot or over the session, spot over its flip or since the open"),
        Key("o", "source", "o", "source", "the source that serves it"),
        Key("p", "payload", "p", "payload", "the payload that the live value came of"),
        Key("x", "quarantine", "x", "held back", "what the checks held back of it"),
        Key("s", "spot", "s", "spot", "cursor to the strike nearest spot"),
        *LEVER_KEYS,
    )

    def __init__(self, house: House, symbol: str) -> None:
        self.symbol = symbol
        self.seen: SymbolSeen | None = None
        self.hedges = False
        self.drawn = 0
        self._placed = False
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return figures, curve, feeds and ladder."""
        self.ladder: Listing[StrikeRow] = Listing(
            "ladder", self.sight, "STRIKES", LADDER, row=self._strike, text=lambda row: f"{row.strike:g}", nothing="no strikes"
        )
        self.table = self.ladder
        seen = lambda: self.seen  # noqa: E731
        self.fault = FaultPane("fault", self.sight, seen)
        return (
            self.fault, FactsPane("facts", self.sight, self.symbol, seen, lambda: self.hedges),
            CurvePane("curve", self.sight, self._curve), FeedsPane("feeds", self.sight, seen), self.ladder,
        )  # fmt: skip

    def place(self, space: Region) -> dict[str, Region]:
        """Put figures beside the curve where there is room, one over the other where there is not."""
        x, y, width, height = space
        rows = len(self.fault.lines(width))
        fault = {"fault": Region(x, y, width, rows)}
        y, height = y + rows, height - rows
        feeds = min(5, 1 + (len(self.seen.feeds) if self.seen is not None else 2))
        if width >= 130 and height >= 30:
            upper = 16
            left = 70
            return fault | {
                "facts": Region(x, y, left, upper), "curve": Region(x + left + 2, y, width - left - 2, upper),
                "feeds": Region(x, y + upper + 1, width, feeds),
                "ladder": Region(x, y + upper + feeds + 2, width, height - upper - feeds - 2),
            }  # fmt: skip
        upper = min(9, height - 8)
        return fault | {
            "facts": Region(x, y, 42, upper), "curve": Region(x + 43, y, width - 43, upper),
            "feeds": Region(x, y + upper, width, min(feeds, 3)),
            "ladder": Region(x, y + upper + min(feeds, 3), width, height - upper - min(feeds, 3)),
        }  # fmt: skip

    async def fetch(self) -> None:
        """Ask for the symbol. Raises EngineAway, UnknownTarget."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        self.seen = await desk.look(SymbolLook(symbol=self.symbol))
        self.ladder.records = {f"{row.strike:,g}": row for row in reversed(self.seen.strikes)}
        if not self._placed and self.ladder.records:
            self._placed = True
            self.ladder.sort()
            self.action_spot()
        elif set(self.ladder.records) != set(self.ladder.rows) and not self.ladder.wanted:
            at = self.ladder.cursor
            self.ladder.sort()
            self.ladder.cursor = at if at in self.ladder.rows else self.ladder.cursor
        self.rearrange()

    # ------------------------------------------------------------------ looking
    def action_spot(self) -> None:
        """Take the cursor to the strike nearest spot."""
        spot = self.seen.view.spot if self.seen is not None else None
        rows = [(abs(record.strike - spot), name) for name, record in self.ladder.records.items() if spot is not None]
        if rows:
            self.ladder.cursor = min(rows)[1]
            at = self.ladder.rows.index(self.ladder.cursor) if self.ladder.cursor in self.ladder.rows else 0
            self.ladder.first = max(0, at - self.ladder.size.height // 2)
        self.ladder.paint()

    def action_hedges(self) -> None:
        """Show the hedging exposures in place of the figures, or the figures again."""
        self.hedges = not self.hedges
        self.paint_body()

    def action_drawn(self) -> None:
        """Draw the next curve that there is something for."""
        drawable = [number for number in range(len(CURVES)) if self._of(number) is not None]
        self.drawn = next((number for number in drawable if number > self.drawn), drawable[0] if drawable else 0)
        self.paint_body()

    def action_source(self) -> None:
        """Open the source that serves it."""
        if self.seen is not None and (source := self.seen.view.served_by or self.seen.view.serving):
            self.open_page("source", source)

    def action_payload(self) -> None:
        """Open the payload of the live value."""
        if self.seen is not None and self.seen.job_id:
            self.open_page("payload", self.seen.job_id)
        else:
            self.notice.say(f"nothing serves {self.symbol}")

    def action_compare(self) -> None:
        """Lay the serving source beside another."""
        self.open_page("compare", self.symbol)

    def action_quarantine(self) -> None:
        """Show what was held back."""
        self.open_page("quarantine", self.symbol)

    def aim(self, verb: Verb) -> Aimed:
        """Aim at the symbol; a pause at the source that serves it."""
        view = self.sight.shown
        symbol = next((s for s in view.symbols if s.symbol == self.symbol), None) if view is not None else None
        if view is None or symbol is None:
            return f"the engine no longer knows {self.symbol}"
        return lever_on_symbol(verb, symbol, view)

    # ------------------------------------------------------------------ drawing
    def _curve(self) -> Curve | None:
        """Return what is chosen; where there is nothing of that, the first of which there is."""
        chosen = self._of(self.drawn)
        return chosen or next(filter(None, map(self._of, range(len(CURVES)))), None)

    def _of(self, number: int) -> Curve | None:
        return CURVES[number](self.seen) if self.seen is not None else None

    def _strike(self, row: StrikeRow) -> list[Run]:
        exposure, rows = (self.seen.exposure, self.seen.strikes) if self.seen is not None else (None, ())
        top = max((abs(r.net_gex) for r in rows if r.net_gex is not None), default=0.0)
        gross = exposure.gross_gex if exposure is not None else None
        return [
            (f"{row.strike:,g}", ""),
            (figures.billions(row.net_gex, gross), ""),
            (figures.billions(row.net_gex_change, gross), "bold" if _much(row.net_gex_change, gross) else "faint"),
            (_diverging(row.net_gex, top), ""),
            *((figures.UNKNOWN if n is None else figures.short_count(int(n)), "") for n in (
                row.call_open_interest, row.put_open_interest, row.call_volume, row.put_volume,
            )),
            (figures.billions(row.net_gex_volume, gross), "faint"),
            (self._marks(row), "bold"),
        ]  # fmt: skip

    def _marks(self, row: StrikeRow) -> str:
        exposure = self.seen.exposure if self.seen is not None else None
        if exposure is None or self.seen is None:
            return ""
        spot = exposure.spot
        nearest = min((abs(r.strike - spot), r.strike) for r in self.seen.strikes)[1] if spot is not None else None
        words = [
            ("spot", row.strike == nearest),
            ("call wall", row.strike == exposure.call_wall),
            ("put wall", row.strike == exposure.put_wall),
            ("abs", row.strike == exposure.absolute_gamma_strike),
        ]
        return " ".join(word for word, there in words if there)


def _profile(seen: SymbolSeen) -> Curve | None:
    exposure = seen.exposure
    if exposure is None or len(exposure.profile_spot) < 2:
        return None
    marks = (
        ("P", exposure.put_wall), ("C", exposure.call_wall), ("F", exposure.zero_gamma.value), ("S", exposure.spot),
    )  # fmt: skip
    title = "NET GEX if spot were ...   S spot  F flip  C call wall  P put wall"
    return Curve(title, exposure.profile_spot, exposure.profile_net_gex, marks)


def _session(seen: SymbolSeen) -> Curve | None:
    return _over_time("NET GEX over the session", [(p.as_of, p.net_gex) for p in seen.history], figures.billions)


def _cushion(seen: SymbolSeen) -> Curve | None:
    points = [(p.as_of, p.spot - p.zero_gamma) for p in seen.history if p.spot is not None and p.zero_gamma is not None]
    return _over_time("SPOT over its FLIP in points, over the session", points, lambda points, _: f"{points:+,.1f}")


def _since_open(seen: SymbolSeen) -> Curve | None:
    opened = seen.opened.spot if seen.opened is not None else None
    if not opened:
        return None
    points = [(p.as_of, (p.spot / opened - 1) * 100) for p in seen.history if p.spot is not None]
    return _over_time("SPOT since the first value of the session", points, lambda share, _: f"{share:+.2f} %")


CURVES: tuple[Callable[[SymbolSeen], Curve | None], ...] = (_profile, _session, _cushion, _since_open)


def _over_time(title: str, points: Sequence[tuple[float, float | None]], y_words: Callable[[float, float], str]) -> Curve | None:
    """Draw values over the market's time; None where fewer than two are known, or no time passed between them."""
    known = [(at, value) for at, value in points if value is not None]
    if len(known) < 2 or known[-1][0] <= known[0][0]:
        return None
    xs, ys = zip(*known, strict=True)
    return Curve(title, xs, ys, (), lambda at: figures.time_of_day(int(at)), y_words)


def _much(change: float | None, gross: float | None) -> bool:
    """Tell whether one strike moved by a notable share of the whole."""
    return change is not None and bool(gross) and abs(change) > MUCH * (gross or 0.0)


def _diverging(value: float | None, top: float) -> str:
    """Draw a bar to the right of the middle for a positive value, to its left for a negative one."""
    half = BAR // 2
    if value is None or not top:
        return " " * half + "|"
    eighths = round(abs(value) / top * (half - 1) * 8)
    full, rest = divmod(eighths, 8)
    if value >= 0:
        return " " * (half - 1) + "|" + "█" * full + ("▌" if rest >= 4 else "")
    return fit(("▐" if rest >= 4 else "") + "█" * full, half - 1, right=True) + "|"
