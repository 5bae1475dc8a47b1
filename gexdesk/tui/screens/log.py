"""The log: everything that happened since the engine started, to be followed, searched, and wound to a time."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.look.record import LogLook, LogSeen
from gexdesk.model.view.log import LogLine
from gexdesk.tui import figures
from gexdesk.tui.forms.base import Step
from gexdesk.tui.forms.text import TextForm
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.lines import LinesPane
from gexdesk.tui.widgets.listing import Listing
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

LIMIT = 1_000
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("everything", ()),
    ("without decisions", ("lever", "dead", "source", "incident", "engine")),
    ("levers", ("lever",)),
    ("incidents and sources", ("incident", "source", "dead")),
    ("engine", ("engine",)),
)
COLUMNS = (Column("", 9), Column("", 1), Column("kind", 8), Column("what happened", 50, grows=200))
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


class LogPage(Page):
    """Show the log, newest first; while it follows, what comes stands on top."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("f", "follow", "f", "follow", "follow what comes, or hold the page still"),
        Key("v", "kinds", "v", "kinds", "everything, without decisions, levers, incidents and sources, the engine"),
        Key("at", "jump", "@", "to a time", "show what happened up to a time, e.g. 09:41 or 09:41:17; empty is now"),
        Key("enter", "wind", "Enter", "then", "the desk as it was at the line under the cursor"),
    )

    def __init__(self, house: House) -> None:
        self.seen: LogSeen | None = None
        self.follows = True
        self.to_at: float | None = None
        self.kinds = 0
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the heading and the lines."""
        self.log_lines: Listing[LogLine] = Listing(
            "log", self.sight, "time", COLUMNS, row=self._row, nothing="nothing of this happened yet",
            text=lambda line: f"{line.kind} {line.text}",
        )  # fmt: skip
        self.table = self.log_lines
        self.head = LinesPane("head", self.sight, self._head)
        return (self.head, self.log_lines)

    def place(self, space: Region) -> dict[str, Region]:
        """Give the heading a line, the log the rest."""
        x, y, width, height = space
        return {"head": Region(x, y, width, 1), "log": Region(x, y + 1, width, height - 1)}

    async def fetch(self) -> None:
        """Ask for the log, unless it is held still. Raises EngineAway."""
        if not self.follows and self.seen is not None:
            return
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        kinds = KINDS[self.kinds][1]
        self.seen = await desk.look(LogLook(limit=LIMIT, to_at=self.to_at, kinds=kinds, text=_plain(self.log_lines.wanted)))
        self.log_lines.take({str(line.sequence): line for line in reversed(self.seen.lines)})

    # ------------------------------------------------------------------ looking
    def action_follow(self) -> None:
        """Follow, or hold still."""
        self.follows = not self.follows
        if self.follows:
            self.to_at = None
            self._anew()
        self.head.paint()

    def action_kinds(self) -> None:
        """Show the next selection of kinds."""
        self.kinds = (self.kinds + 1) % len(KINDS)
        self._anew()

    def action_jump(self) -> None:
        """Ask for a time and show the log up to it."""
        form = TextForm("LOG up to a time of today or the night before, New York", "Time")

        def step(step: Step) -> None:
            if step is not Step.SEND:
                return
            at = moment_of(form.entry.text, self.sight.now)
            self.close()
            if at is None:
                self.notice.say(f"{form.entry.text.strip()!r} is no time: write 09:41 or 09:41:17", grave=True)
                return
            self.to_at, self.follows = at, False
            self._anew()

        self.open(form, step)

    def action_wind(self) -> None:
        """Wind the desk to the moment of the line under the cursor."""
        if (line := self.log_lines.under_cursor) is not None:
            self.app.action_wind_to(line.at)  # type: ignore[attr-defined]

    def _anew(self) -> None:
        """Ask anew, from the top."""
        self.seen = None
        self.log_lines.cursor = None
        self.ask()

    # ------------------------------------------------------------------ drawing
    def _head(self, width: int) -> list[list[Run]]:
        seen = self.seen
        runs: list[Run] = [(" LOG  ", "bold"), (KINDS[self.kinds][0], "bold")]
        if self.to_at is not None:
            runs.append((f"   up to {figures.day_and_time(int(self.to_at))}; f follows again", "eye"))
        else:
            runs.append(("   follows" if self.follows else "   held still; f follows again", "" if self.follows else "eye"))
        if seen is not None and seen.first_at is not None:
            more = f"   the newest {len(seen.lines):,}" if seen.more else f"   {figures.many(len(seen.lines), 'line')}"
            runs.append((f"{more} since {figures.time_of_day(int(seen.first_at))}", "faint"))
        return [runs]

    def _row(self, line: LogLine) -> list[Run]:
        return [
            (figures.time_of_day(int(line.at)), "faint"),
            ("!" if line.grave else "", "eye"),
            (line.kind, "faint"),
            (line.text, "eye" if line.grave else "bold" if line.kind == "lever" else ""),
        ]


def moment_of(text: str, now: float) -> float | None:
    """Return the last moment with a time of day in New York, UTC seconds, up to now; None where the text is no time."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups())
    if hour > 23 or minute > 59 or second > 59:
        return None
    today = datetime.fromtimestamp(now, figures.NEW_YORK)
    # To the end of the named second, or minute where no second is named.
    end = today.replace(hour=hour, minute=minute, second=second if found[3] else 59, microsecond=999_999)
    return (end if end <= today or end - today < timedelta(minutes=1) else end - timedelta(days=1)).timestamp()


def _plain(wanted: str) -> str:
    """Return the part of a filter that the engine can look for: it holds far more lines than it gives."""
    return "" if wanted.startswith(("!", "~")) else wanted
