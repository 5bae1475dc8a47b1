"""The hand-over: what the shift that comes has to know, on one page, and the key that takes the shift."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.handover import HandOverLook, HandOverSeen, StandingView
from gexdesk.model.text import printable
from gexdesk.model.view.incident import IncidentView, MuteView
from gexdesk.tui import figures
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.lines import LinesPane, facts
from gexdesk.tui.widgets.listing import Listing, Order
from gexdesk.tui.widgets.needs import about
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

COLUMNS = (
    Column("", 13),
    Column("", 2),
    Column("about", 16, grows=20),
    Column("what the next shift has to know", 26, grows=80),
    Column("since", 8, right=True, rank=1),
    Column("ends", 9, rank=0),
    Column("who", 8, rank=2, grows=6),
)

GAPS_SHOWN = 20

Left = IncidentView | StandingView | MuteView | str
"""What a shift can leave; text is a gap."""


class HandoverPage(Page):
    """Show what is open, what stands and what is missing; each row opens what it is about."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("enter", "open_row", "Enter", "open", "the incident, the source or symbol, the gaps"),
        Key("T", "take_shift", "T", "take the shift", "you are on duty: what nobody saw counts as seen; audited", acts=True),
    )

    def __init__(self, house: House) -> None:
        self.seen: HandOverSeen | None = None
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the sum and the rows."""
        self.left: Listing[Left] = Listing(
            "left", self.sight, "HAND-OVER", COLUMNS, row=self._row, nothing="nothing is open, nothing stands, nothing is missing",
            text=lambda one: " ".join(text for text, _ in self._row(one)),
        )  # fmt: skip
        self.left.order = Order.STEADY
        self.left.gone_words = "over meanwhile"
        self.table = self.left
        self.about = LinesPane("about", self.sight, self._about)
        return (LinesPane("sum", self.sight, self._sum), self.left, self.about)

    def place(self, space: Region) -> dict[str, Region]:
        """Give the sum three lines, the row under the cursor four, the rows the rest."""
        x, y, width, height = space
        return {
            "sum": Region(x, y, width, 3), "left": Region(x, y + 3, width, height - 7),
            "about": Region(x, y + height - 4, width, 4),
        }  # fmt: skip

    async def fetch(self) -> None:
        """Ask what is handed over. Raises EngineAway."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        self.seen = seen = await desk.look(HandOverLook())
        rows: dict[str, Left] = {f"#{incident.name}": incident for incident in _gravest_first(seen.incidents)}
        rows |= {f"{one.what} {one.target}": one for one in seen.standing}
        rows |= {f"mute {one.target_kind} {one.target}": one for one in seen.mutes}
        # What is lost is lost: a row tells of all of it; a row each of what goes on or can be filled.
        matters = [gap for gap in seen.gaps if "goes on" in gap or "can be filled" in gap][:GAPS_SHOWN]
        rows |= {f"gap {gap}": gap for gap in matters}
        if len(seen.gaps) > len(matters):
            rows["gaps"] = "all gaps: the others are over, and nothing that is known fills them"
        self.left.take(rows)

    def moved(self) -> None:
        """Tell all of the row under the cursor."""
        self.about.paint()

    def action_open_row(self) -> None:
        """Open what the row under the cursor is about."""
        match self.left.under_cursor:
            case IncidentView() as incident:
                self.open_page("incidents", incident.name)
            case StandingView(target=target) | MuteView(target=target):
                self._open_target(target)
            case str():
                self.open_page("gaps")

    def _open_target(self, target: str) -> None:
        view = self.sight.shown
        if view is not None and any(source.name == target for source in view.sources):
            self.open_page("source", target)
        elif view is not None and any(symbol.symbol == target for symbol in view.symbols):
            self.open_page("symbol", target)
        else:
            self.notice.say(f"{target} has no page of its own")

    def action_take_shift(self) -> None:
        """Take the shift over."""
        self.levers.send_now(Lever(Verb.HAND_OVER, "", "", target_kind="shift", actor=self.house.operator))
        self.set_timer(0.3, self.ask)

    # ------------------------------------------------------------------ drawing
    def _sum(self, width: int) -> list[list[Run]]:
        seen = self.seen
        if seen is None:
            return [[(" asking the engine ...", "faint")]]
        now = self.sight.now
        on_duty: list[Run] = [(" ON DUTY  ", "faint")]
        if seen.shift_by:
            since = "" if seen.shift_since is None else f"  since {figures.time_of_day(int(seen.shift_since))[:5]}"
            on_duty += [(seen.shift_by, "bold"), (f"{since}, {figures.age(now - (seen.shift_since or now))}", "")]
        else:
            on_duty += [("nobody has taken a shift here yet", "bold")]
        # Who operates under a login that several share is told with it: "kd as desk"; who comes over TCP with their key's id.
        me, by_key = self.house.operator, seen.shift_by.rpartition(" (key ")[0]
        mine = seen.shift_by == me or seen.shift_by.startswith(f"{me} as ") or printable(by_key, len(me)) == me
        on_duty.append(("   the shift is yours" if mine else f"   T takes it for {self.house.operator}", "faint"))
        return [on_duty, [(" LEAVES   ", "faint"), (seen.summary, "bold")]]

    def _about(self, width: int) -> list[list[Run]]:
        match self.left.under_cursor:
            case IncidentView() as one:
                pairs = [(f"#{one.number}", one.text, ""), ("do first", one.do_first, "bold")]
            case StandingView() as one:
                pairs = [(one.what, f"{one.target} {one.words}, by {one.author}", ""), ("because", one.reason, "bold")]
            case MuteView() as one:
                words = f"{one.target_kind} {one.target}, by {one.author}: it pages nobody"
                pairs = [("muted", words, ""), ("because", one.reason, "bold")]
            case str() as one:
                pairs = [("gap", one, "")]
            case _:
                return []
        return [[], *facts(pairs, width)]

    def _row(self, one: Left) -> list[Run]:
        now = self.sight.now
        match one:
            case IncidentView():
                grave = one.severity > 1 and one.closed_at is None
                word = "closed" if one.closed_at is not None else one.state
                unseen = "" if one.seen else "NOT SEEN: "
                ends = "" if one.snoozed_until is None else figures.until(one.snoozed_until, now)
                return [
                    (f"#{one.number} {word}", "eye" if grave else "bold"), ("!!" if grave else "!", "eye" if grave else ""),
                    (about(one, self.sight.shown), "bold"), (f"{unseen}{one.text}", "" if one.seen else "bold"),
                    (figures.age(now - one.opened_at), ""), (ends, ""), (one.owner or "nobody", "" if one.owner else "faint"),
                ]  # fmt: skip
            case StandingView():
                forever = one.until is None
                return [
                    (one.what, "bold"), ("!" if forever else "", "eye"), (one.target, "bold"), (f"{one.words}: {one.reason}", ""),
                    (figures.age(now - one.since), ""), (figures.until(one.until, now), "eye" if forever else ""), (one.author, ""),
                ]  # fmt: skip
            case MuteView():
                whose = one.target if one.target_kind == "source" else f"{one.target_kind} {one.target}"
                return [
                    ("pages nobody", ""), ("", ""), (whose, "bold"), (one.reason, ""), (figures.age(now - one.since), ""),
                    (figures.until(one.until, now), ""), (one.author, ""),
                ]  # fmt: skip
        what, _, words = one.partition(": ")
        return [("gap", ""), ("", ""), (what, "bold"), (words, ""), ("", ""), ("", ""), ("", "")]


def _gravest_first(incidents: Sequence[IncidentView]) -> list[IncidentView]:
    return sorted(incidents, key=lambda i: (i.closed_at is not None, -i.severity, i.opened_at))
