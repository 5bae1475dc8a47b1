"""What the checks held back: the wrong value beside the good one, to be released or refused."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Verb
from gexdesk.model.look.symbol import QuarantineLook
from gexdesk.model.symbol_view import Figures, QuarantineCase
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import Aim
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.listing import Listing, Order
from gexdesk.tui.widgets.pane import BLANK, Pane
from gexdesk.tui.widgets.table import Column

COLUMNS = (
    Column("", 6),
    Column("symbol", 7),
    Column("source", 14, grows=8),
    Column("state", 9),
    Column("held", 5, right=True),
    Column("newest", 7, right=True),
    Column("because", 20, grows=90),
)
ROWS: tuple[tuple[str, str], ...] = (
    ("spot", "spot"), ("implied spot", "implied_spot"), ("net GEX", "net_gex"), ("gross GEX", "gross_gex"), ("flip", "zero_gamma"),
    ("call wall", "call_wall"), ("put wall", "put_wall"), ("open interest", "total_open_interest"), ("volume", "total_volume"),
    ("coverage", "coverage"), ("contracts", "contracts"), ("strikes", "strikes"),
)  # fmt: skip


class QuarantinePage(Page):
    """Show held snapshots, of all symbols or of one; both values side by side."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("enter", "symbol", "Enter", "symbol", "the symbol's page"),
        Key("p", "payload", "p", "payload", "the payload that is held back: its bytes, and the decision on it"),
        Key("d", "compare", "d", "compare", "the symbol's sources side by side"),
        Key("h", "settled", "h", "settled", "with those that were released or refused, or without"),
        Key("L", "lever('release')", "L", "release", "it is right: publish it if it is still the newest", acts=True),
        Key("J", "lever('refuse')", "J", "refuse", "it is wrong: never publish it", acts=True),
    )

    def __init__(self, house: House, symbol: str = "") -> None:
        self._symbol = symbol
        self._settled = False
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the list and the two values."""
        title = f"HELD BACK of {self._symbol}" if self._symbol else "HELD BACK"
        self.cases: Listing[QuarantineCase] = Listing(
            "cases", self.sight, title, COLUMNS, row=self._row, nothing="nothing is held back",
            text=lambda c: f"{c.symbol} {c.source} {c.state} {' '.join(f.text for f in c.findings)}",
        )  # fmt: skip
        self.cases.order = Order.STEADY
        self.cases.gone_words = "released or refused meanwhile"
        self.table = self.cases
        return (self.cases, BothPane("both", self.cases))

    def place(self, space: Region) -> dict[str, Region]:
        """Give the two values what they need, the list the rest."""
        x, y, width, height = space
        both = min(len(ROWS) + 4, max(8, height - 5))
        return {"cases": Region(x, y, width, height - both), "both": Region(x, y + height - both, width, both)}

    async def fetch(self) -> None:
        """Ask what is held back. Raises EngineAway."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        seen = await desk.look(QuarantineLook(symbol=self._symbol, settled=self._settled))
        self.cases.take({f"#{case.number}": case for case in seen.cases})

    def moved(self) -> None:
        """Draw the two values of the row under the cursor."""
        self.body[1].paint()

    def action_symbol(self) -> None:
        """Open the symbol's page."""
        if (case := self.cases.under_cursor) is not None:
            self.open_page("symbol", case.symbol)

    def action_payload(self) -> None:
        """Open the payload of the newest snapshot that is held back."""
        if (case := self.cases.under_cursor) is not None:
            if case.job_id:
                self.open_page("payload", case.job_id)
            else:
                self.notice.say("an earlier engine held it back and did not say of which payload")

    def action_compare(self) -> None:
        """Lay the symbol's sources side by side."""
        if (case := self.cases.under_cursor) is not None:
            self.open_page("compare", case.symbol)

    def action_settled(self) -> None:
        """Show settled ones as well, or no longer."""
        self._settled = not self._settled
        self.notice.say("with those that are settled" if self._settled else "without those that are settled")
        self.cases.cursor = None
        self.ask()

    def aim(self, verb: Verb) -> "tuple[Verb, Aim] | str":
        """Aim at the case under the cursor."""
        case = self.cases.under_cursor
        if case is None:
            return "nothing held back under the cursor"
        if case.state != "held":
            return f"#{case.number} was {case.state} by {case.settled_by}"
        words = f"#{case.number} {case.symbol} of {case.source}"
        return verb, Aim("quarantine", str(case.number), words, state="held back", revision=case.revision, readers=case.readers)

    def _row(self, case: QuarantineCase) -> list[Run]:
        because = "; ".join(finding.text for finding in case.findings)
        if case.state != "held":
            because = f"by {case.settled_by}: {case.settled_reason}"
        return [
            (f"#{case.number}", ""),
            (case.symbol, "bold"),
            (case.source, ""),
            (case.state, "eye" if case.state == "held" else "faint"),
            (figures.count(case.count), ""),
            (figures.age(self.sight.now - case.last_at), ""),
            (because, ""),
        ]


class BothPane(Pane):
    """Draw the held value, the last good one of its source, and what readers have, side by side."""

    def __init__(self, id: str, cases: "Listing[QuarantineCase]") -> None:
        super().__init__(id, cases.sight)
        self._cases = cases

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one figure."""
        case = self._cases.under_cursor
        if case is None or y == 0:
            return BLANK
        cells = min(34, (self.size.width - 18) // 3)
        if y == 1:
            heads = ("held back", f"last good of {case.source}", f"readers have ({case.live_source or 'nothing'})")
            return ((fit(f" {case.symbol}", 16), "bold"), *((fit(head, cells, right=True) + " ", "faint") for head in heads))
        if y == 2:
            stamps = (figures.time_of_day(int(f.as_of)) if f is not None else "-" for f in (case.suspect, case.good, case.live))
            return ((fit(" as of", 16), "faint"), *((fit(stamp, cells, right=True) + " ", "") for stamp in stamps))
        known = [(label, values) for label, values in map(self._side, ROWS) if set(values) != {figures.UNKNOWN}]
        if y - 3 >= len(known):
            return BLANK
        label, values = known[y - 3]
        apart = values[1] != figures.UNKNOWN and values[0] != values[1]
        return (
            (fit(f" {label}", 16), "faint"),
            (fit(values[0], cells, right=True) + " ", "bold" if apart else ""),
            *((fit(value, cells, right=True) + " ", "") for value in values[1:]),
        )


    def _side(self, row: tuple[str, str]) -> tuple[str, list[str]]:
        """Return a figure's label and what each of the three has for it."""
        case = self._cases.under_cursor
        sides = (case.suspect, case.good, case.live) if case is not None else ()
        return row[0], [_value(side, row[1]) for side in sides]


def _value(found: Figures | None, field: str) -> str:
    value = getattr(found, field) if found is not None else None
    if value is None or (field == "strikes" and not value):
        return figures.UNKNOWN
    if field in ("net_gex", "gross_gex"):
        return figures.billions(value, found.gross_gex if found is not None else None)
    if field == "coverage":
        return f"{value * 100:.1f} %"
    return figures.price(value) if "spot" in field or "wall" in field or field == "zero_gamma" else figures.count(int(value))
