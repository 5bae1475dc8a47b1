"""The audit: who did what, why, and how it stood before and after; and whether the chain that holds it is whole."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway, GexdeskError
from gexdesk.model.look.record import AuditLook, AuditSeen
from gexdesk.model.record_view import ActView
from gexdesk.tui import figures
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.lines import LinesPane, facts
from gexdesk.tui.widgets.listing import Listing
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

LIMIT = 1_000
COLUMNS = (
    Column("", 9),
    Column("who", 10, grows=6),
    Column("did", 10, grows=4),
    Column("to", 16, grows=12),
    Column("before", 12, rank=2, grows=20),
    Column("after", 12, rank=1, grows=24),
    Column("because", 18, grows=60),
)


class AuditPage(Page):
    """Show the last acts, newest first."""

    KEYS: ClassVar[tuple[Key, ...]] = (Key("v", "check", "v", "check", "read the whole chain again, link by link"),)
    EVERY_S = 2.0

    def __init__(self, house: House) -> None:
        self.seen: AuditSeen | None = None
        self._check = True
        self._refused = ""
        """Why the engine does not show it; then it is asked again only when the operator does."""
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return what the chain is worth, the acts, and all of the one under the cursor."""
        self.acts: Listing[ActView] = Listing(
            "acts", self.sight, "AUDIT", COLUMNS, row=self._row, nothing="no act to show",
            text=lambda a: f"{a.actor} {a.act} {a.target} {a.before} {a.after} {a.reason}",
        )  # fmt: skip
        self.table = self.acts
        self.chain, self.about = LinesPane("chain", self.sight, self._chain), LinesPane("act", self.sight, self._act)
        return (self.chain, self.acts, self.about)

    def place(self, space: Region) -> dict[str, Region]:
        """Give the chain a line, the act under the cursor five, the list the rest."""
        x, y, width, height = space
        rows = 6
        return {
            "chain": Region(x, y, width, 1), "acts": Region(x, y + 1, width, height - 1 - rows),
            "act": Region(x, y + height - rows, width, rows),
        }  # fmt: skip

    async def fetch(self) -> None:
        """Ask for the last acts, and for a check of the chain where one is wanted. Raises EngineAway, StoreError."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        check, self._check, self._refused = self._check, False, ""
        try:
            self.seen = await desk.look(AuditLook(limit=LIMIT, check=check))
        except GexdeskError as error:
            if error.kind == "not_allowed":
                needs = error.details.get("needs")
                self._refused = f"your key lacks {needs}" if needs else error.message
                return
            self._check = check
            raise
        self.acts.take({str(act.sequence): act for act in reversed(self.seen.acts)})

    def ask(self) -> None:
        """Ask the engine, unless it has said that it shows this to others alone: that does not change by itself."""
        if self._check or not self._refused:
            super().ask()

    def moved(self) -> None:
        """Tell about the act under the cursor."""
        self.about.paint()

    def action_check(self) -> None:
        """Check the chain anew."""
        self._check = True
        self.notice.say("reading the whole chain ...")
        self.ask()

    def _chain(self, width: int) -> list[list[Run]]:
        seen = self.seen
        if self._refused:
            return [[(" CHAIN  ", "faint"), (f"not shown: {self._refused}", "eye")]]
        if seen is None or seen.checked_at is None:
            return [[(" CHAIN  ", "faint"), ("being checked ...", "faint")]]
        at = f"   checked at {figures.time_of_day(int(seen.checked_at))}"
        if seen.broken:
            return [[(" CHAIN  ", "faint"), (f"! BROKEN  {seen.broken}", "eye"), (at, "faint")]]
        return [[(" CHAIN  ", "faint"), (f"{figures.many(seen.checked_lines, 'line')}, every link holds", "bold"), (at, "faint")]]

    def _row(self, act: ActView) -> list[Run]:
        failed = act.act.endswith("failed")
        return [
            (figures.time_of_day(int(act.at)), "faint"),
            (act.actor, "bold"),
            (act.act.replace("_", " "), "eye" if failed else ""),
            (act.target, ""),
            (act.before, "faint"),
            (act.after, ""),
            (act.reason, ""),
        ]

    def _act(self, width: int) -> list[list[Run]]:
        act = self.acts.under_cursor
        if act is None:
            return []
        head: list[Run] = [(f" {act.sequence:,} ", "badge"), (f"  {figures.day_and_time(int(act.at))} New York", "")]
        return [
            head,
            *facts(
                [
                    ("did", f"{act.actor} {act.act.replace('_', ' ')} {act.target}", "bold"),
                    ("because", act.reason or "no reason was asked for", ""),
                    ("before", act.before, ""),
                    ("after", act.after, ""),
                ],
                width,
            ),
        ]
