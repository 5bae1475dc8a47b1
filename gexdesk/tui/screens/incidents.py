"""The incidents: which are open, what the desk saw and who did what, and what to do by the runbook."""

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look import IncidentLook, IncidentSeen
from gexdesk.model.view import IncidentView
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import Aim, at_incident
from gexdesk.tui.forms.base import Step
from gexdesk.tui.forms.text import TextForm
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.listing import Listing
from gexdesk.tui.widgets.pane import BLANK, Pane
from gexdesk.tui.widgets.table import Column

COLUMNS = (
    Column("", 6),
    Column("", 2),
    Column("about", 10, grows=10),
    Column("what happened", 24, grows=70),
    Column("for", 7, right=True),
    Column("state", 9),
    Column("owner", 8, rank=1, grows=6),
    Column("readers", 8, rank=2, grows=16),
    Column("seen", 4, rank=3),
)


class IncidentsPage(Page):
    """Show the open incidents and those closed of late; the one under the cursor with its story."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("a", "lever('take')", "a", "take", "you are on it", acts=True),
        Key("s", "lever('snooze')", "s", "snooze", "look at it again later, or when it gets worse", acts=True),
        Key("n", "note", "n", "note", "write down what you found", acts=True),
        Key("M", "lever('mute')", "M", "mute", "a maintenance window: shown, paging nobody", acts=True),
        Key("E", "lever('resolve')", "E", "resolve", "end it by hand", acts=True),
        Key("b", "runbook", "b", "runbook", "what it means, what to check, what to press"),
        Key("o", "source", "o", "source", "the source it is about"),
        Key("w", "waiting", "w", "queue", "what waits of that source"),
        Key("left_square_bracket", "before", "[", "before", "the desk a minute before it began"),
    )

    def __init__(self, house: House, number: str = "") -> None:
        self.seen: IncidentSeen | None = None
        self.runbook = False
        self._wanted = number
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the list and the story under it."""
        self.incidents: Listing[IncidentView] = Listing(
            "incidents", self.sight, "INCIDENTS", COLUMNS, row=self._row, nothing="nothing needs you",
            text=lambda i: f"{i.number} {i.subject} {i.text} {i.owner} {i.state} {i.kind} {' '.join(i.readers)}",
        )  # fmt: skip
        self.incidents.gone_words = "closed, and no longer shown"
        self.table = self.incidents
        return (self.incidents, StoryPane("story", self))

    def place(self, space: Region) -> dict[str, Region]:
        """Give the list what it needs, at most two fifths; the story has the rest."""
        x, y, width, height = space
        rows = min(max(4, len(self.incidents.rows) + 2), max(4, height * 2 // 5))
        return {"incidents": Region(x, y, width, rows), "story": Region(x, y + rows, width, height - rows)}

    async def fetch(self) -> None:
        """Take the incidents of the picture, and ask for the story of the one under the cursor. Raises EngineAway."""
        view, desk = self.sight.shown, self.house.desk()
        if view is not None:
            known = len(self.incidents.rows)
            self.incidents.take({f"#{incident.number}": incident for incident in view.incidents})
            if self._wanted and f"#{self._wanted}" in self.incidents.records:
                self.incidents.cursor, self._wanted = f"#{self._wanted}", ""
            if len(self.incidents.rows) != known:
                self.rearrange()
        if desk is None:
            raise EngineAway("no engine answers")
        found = self.incidents.under_cursor
        if found is None:
            self.seen = None
            return
        self.seen = await desk.look(IncidentLook(number=found.number))
        if not found.seen and self.sight.frozen_at is None:
            self.levers.send_now(
                Lever(Verb.SEE, str(found.number), "", target_kind="incident", actor=self.house.operator), quiet=True
            )

    def moved(self) -> None:
        """Ask for the story of the row the cursor came to."""
        self.seen = None
        self.body[1].paint()
        self.ask()

    def aim(self, verb: Verb) -> "tuple[Verb, Aim] | str":
        """Aim at the incident under the cursor."""
        found = self.incidents.under_cursor
        return (verb, at_incident(found)) if found is not None else "no incident under the cursor"

    # ------------------------------------------------------------------ acting and going on
    def action_note(self) -> None:
        """Write a note to the incident under the cursor."""
        found = self.incidents.under_cursor
        if found is None:
            self.notice.say("no incident under the cursor")
            return
        form = TextForm(f"NOTE to #{found.number} {found.subject}", "Note")

        def step(step: Step) -> None:
            if step is Step.SEND:
                lever = Lever(
                    Verb.NOTE, str(found.number), "", target_kind="incident", text=form.entry.text, actor=self.house.operator
                )
                self.close()
                self.levers.send_now(lever)

        self.open(form, step)

    def action_runbook(self) -> None:
        """Show the runbook's section in place of the story, or the story again."""
        self.runbook = not self.runbook
        self.body[1].paint()

    def action_source(self) -> None:
        """Open the source it is about."""
        found = self.incidents.under_cursor
        if found is None or not found.source:
            self.notice.say("it is about no single source")
        else:
            self.open_page("source", found.source)

    def action_waiting(self) -> None:
        """Open the queue of the source it is about, or the whole queue."""
        found = self.incidents.under_cursor
        self.open_page("queue", *([found.source] if found is not None and found.source else []))

    def action_before(self) -> None:
        """Wind the desk back to a minute before it began."""
        found = self.incidents.under_cursor
        if found is not None:
            self.app.action_wind_to(found.opened_at - 60.0)  # type: ignore[attr-defined]

    def _row(self, incident: IncidentView) -> list[Run]:
        closed = incident.closed_at is not None
        ink = "faint" if closed else "eye" if incident.severity > 1 else "bold"
        since = self.sight.now - (incident.opened_at if incident.closed_at is None else incident.closed_at)
        state = incident.state if incident.snoozed_until is None else f"to {figures.until(incident.snoozed_until, self.sight.now)}"
        joined = f"  (+{incident.joined - 1})" if incident.joined > 1 else ""
        return [
            (f"#{incident.number}", ink),
            ("ok" if closed else "!!" if incident.severity > 1 else "!", ink),
            (incident.subject, ink),
            (incident.text + joined, "faint" if closed else ""),
            (figures.age(since), ""),
            (state + (" muted" if incident.muted else ""), ""),
            (incident.owner or "nobody", "" if incident.owner else "faint"),
            (" ".join(incident.readers), "bold"),
            ("yes" if incident.seen else "NO", "faint" if incident.seen else "eye"),
        ]


class StoryPane(Pane):
    """Draw what to do first, the causes, and the timeline, newest first; or the runbook."""

    def __init__(self, id: str, page: IncidentsPage) -> None:
        super().__init__(id, page.sight)
        self._page = page
        self._lines: list[list[Run]] = []

    def paint(self, rows: Iterable[int] | None = None) -> None:
        """Write the lines anew."""
        self._lines = self._write()
        super().paint(rows)

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one line."""
        return self._lines[y] if y < len(self._lines) else BLANK

    def _write(self) -> list[list[Run]]:
        seen, width = self._page.seen, max(20, self.size.width - 2)
        if seen is None:
            return []
        incident = seen.incident
        lines: list[list[Run]] = [[], [(f" #{incident.number} {incident.subject} ", "badge"), (f"  {incident.kind}", "faint")]]
        if self._page.runbook:
            for line in seen.runbook.splitlines():
                for part in wrap(line, width) or [""]:
                    lines.append([(f" {part}", "")])
            return lines
        lines.append([(" DO FIRST  ", "faint"), (incident.do_first or "see the runbook: b", "bold")])
        for member in seen.members[:6] if len(seen.members) > 1 else ():
            mark = "! " if member.present else "ok "
            lines.append([(f"   {mark}", "eye" if member.present else "faint"), (f"{fit(member.subject, 10)} {member.text}", "")])
        for entry in reversed(seen.timeline):
            who = (fit(entry.who, 9), "" if entry.who == "desk" else "bold")
            first: list[Run] = [(f" {figures.time_of_day(int(entry.at))} ", "faint"), who, (f" {fit(entry.what, 9)} ", "")]
            parts = wrap(entry.text, max(20, width - 30)) or [""]
            lines.append([*first, (parts[0], "")])
            lines += [[(" " * 30 + part, "")] for part in parts[1:]]
        return lines
