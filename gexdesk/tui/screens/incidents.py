"""The incidents: which are open, what the desk saw and who did what, and what to do by the runbook."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import ClassVar

from msgspec.structs import replace
from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.incident_report import as_markdown
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.incident import IncidentLook, IncidentSeen, MemberView
from gexdesk.model.view.incident import IncidentView
from gexdesk.tui import clipboard, export, figures
from gexdesk.tui.forms.aim import ABOUT_SYMBOLS, Aimed, at_incident, compared, lever_on_incident
from gexdesk.tui.forms.base import Step
from gexdesk.tui.forms.text import TextForm
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.keys import LEVER_KEYS, Key
from gexdesk.tui.screens.reading import CROSS, ReadingPage
from gexdesk.tui.widgets.lines import LinesPane, fact
from gexdesk.tui.widgets.listing import Listing, Order
from gexdesk.tui.widgets.needs import about
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

FIRST_CAUSES = 5
"""Of an incident that joins many, so many stand before its timeline, the others after it."""

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


ON_INCIDENTS = (Verb.TAKE, Verb.SNOOZE, Verb.MUTE, Verb.RESOLVE)
"""Levers that act on an incident itself."""


class IncidentsPage(ReadingPage):
    """Show the open incidents and those closed of late; the one under the cursor with its story."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("enter", "open_row", "Enter", "", "what it is about: what is held back, two sources, the symbol, payload or source"),
        Key("a", "lever('take')", "a", "take", "you are on it", acts=True),
        Key("s", "lever('snooze')", "s", "snooze", "look at it again later, or when it gets worse", acts=True),
        Key("n", "note", "n", "note", "write down what you found", acts=True),
        Key("M", "lever('mute')", "M", "mute", "a maintenance window: shown, paging nobody", acts=True),
        Key("E", "lever('resolve')", "E", "resolve", "end it by hand", acts=True),
        Key("b", "runbook", "b", "runbook", "what it means, what to check, what to press"),
        Key("p", "payload", "p", "payload", "the payload that caused it: its bytes, its decisions, what became of it"),
        Key("d", "compare", "d", "compare", "the sources of the symbol it is about side by side", narrow=False),
        Key("o", "source", "o", "source", "the source it is about"),
        Key("c", "report", "c", "copy", "its story as Markdown to your clipboard, or to a file where it is too long for that"),
        Key("w", "waiting", "w", "queue", "what waits of that source"),
        CROSS,
        Key("left_square_bracket", "before", "[", "before", "the desk a minute before it began"),
        # The line at the bottom has room for the words of what acts on incidents themselves, and of two more.
        *(key if key.keys in ("P", "F") else key._replace(word="") for key in LEVER_KEYS),
    )

    def __init__(self, house: House, name: str = "") -> None:
        self.seen: IncidentSeen | None = None
        self.runbook = False
        self._read = ""
        self._wanted = name
        super().__init__(house.at(""))  # it lists those of every engine

    def panes(self) -> Sequence[Pane]:
        """Return the list and the story under it."""
        self.incidents: Listing[IncidentView] = Listing(
            "incidents", self.sight, "INCIDENTS", COLUMNS, row=self._row, nothing="nothing needs you",
            text=lambda i: f"{i.name} {i.subject} {i.text} {i.owner} {i.state} {i.kind} {' '.join(i.readers)}",
        )  # fmt: skip
        self.incidents.order = Order.STEADY
        self.incidents.gone_words = "closed, and no longer shown"
        self.table = self.incidents
        self.lines = LinesPane("story", self.sight, self._story)
        return (self.incidents, self.lines)

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
            self.incidents.take({f"#{incident.name}": incident for incident in view.incidents})
            if self._wanted and f"#{self._wanted}" in self.incidents.records:
                self.incidents.cursor, self._wanted = f"#{self._wanted}", ""
            if len(self.incidents.rows) != known:
                self.rearrange()
        if desk is None:
            raise EngineAway("no engine answers")
        found = self.incidents.under_cursor
        if found is None:
            if self.incidents.cursor != self._read:  # a story that is being read stays, also when its incident is shown no more
                self.seen = None
            return
        self.seen = await desk.look(IncidentLook(number=found.number, engine=found.engine))
        self._read = f"#{found.name}"
        if not found.seen and self.sight.frozen_at is None:
            self.levers.send_now(self._lever(Verb.SEE, found), quiet=True)

    def _lever(self, verb: Verb, found: IncidentView, text: str = "") -> Lever:
        return Lever(
            verb, str(found.number), "", target_kind="incident", text=text, actor=self.house.operator, engine=found.engine
        )

    def moved(self) -> None:
        """Ask for the story of the row the cursor came to."""
        self.seen, self._read = None, ""
        self.lines.paint()
        self.ask()

    def aim(self, verb: Verb) -> Aimed:
        """Aim at the incident under the cursor; what acts on symbols and sources, at what it is about."""
        found, view = self.incidents.under_cursor, self.sight.shown
        if found is None or view is None:
            return "no incident under the cursor"
        return (verb, at_incident(found)) if verb in ON_INCIDENTS else lever_on_incident(verb, found, view)

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
                self.close()
                self.levers.send_now(self._lever(Verb.NOTE, found, form.entry.text))

        self.open(form, step)

    def action_runbook(self) -> None:
        """Show the runbook's section in place of the story, or the story again."""
        self.runbook = not self.runbook
        self.lines.first = 0
        self.lines.paint()

    def action_source(self) -> None:
        """Open the source it is about."""
        found = self.incidents.under_cursor
        if found is None or not found.source:
            self.notice.say("it is about no single source")
        else:
            self.open_page("source", found.source, engine=found.engine)

    def action_open_row(self) -> None:
        """Open what the incident under the cursor is about."""
        found = self.incidents.under_cursor
        match found:
            case None:
                self.notice.say("no incident under the cursor")
            case IncidentView(kind="quarantine", subject=subject, joined=joined, engine=engine):
                self.open_page("quarantine", *([subject] if joined == 1 else []), engine=engine)
            case IncidentView(kind="disagree"):
                self.action_compare()
            case IncidentView(kind=kind, subject=subject, engine=engine) if kind in ABOUT_SYMBOLS and self._known(subject):
                self.open_page("symbol", subject, engine=engine)
            case IncidentView(job_id=job_id, engine=engine) if job_id:
                self.open_page("payload", job_id, engine=engine)
            case _:
                self.action_source()

    def _known(self, symbol: str) -> bool:
        return self.sight.shown is not None and any(s.symbol == symbol for s in self.sight.shown.symbols)

    def action_compare(self) -> None:
        """Lay the sources of the symbol it is about side by side; of several symbols the first that is still in it."""
        found, view, seen = self.incidents.under_cursor, self.sight.shown, self.seen
        if found is None or view is None:
            self.notice.say("no incident under the cursor")
            return
        members = seen.members if seen is not None and seen.incident.number == found.number else ()
        joined = [symbol for member in members if member.present for symbol in member.symbols if self._known(symbol)]
        if symbol := compared(found.subject, view) or next(iter(joined), "") or compared(found.source, view):
            self.open_page("compare", symbol, engine=found.engine)
        else:
            self.notice.say(f"#{found.number} is about no symbol")

    def action_payload(self) -> None:
        """Open the payload that caused it, or the dead letters or the source where no single one did."""
        found = self.incidents.under_cursor
        if found is None:
            self.notice.say("no incident under the cursor")
        elif found.job_id:
            self.open_page("payload", found.job_id, engine=found.engine)
        elif found.kind == "dead_letters" and found.source:
            self.open_page("dead", found.source, engine=found.engine)
        elif job_id := self._refused_of(found):
            self.open_page("payload", job_id, engine=found.engine)
        else:
            self.notice.say("no single payload caused it: o opens the source, Tab the text")

    def _refused_of(self, found: IncidentView) -> str:
        """Return the payload of its source that another open incident is about: what is silent may send what nobody can use."""
        others = self.incidents.records.values() if found.source else ()
        same = (other for other in others if (other.source, other.engine) == (found.source, found.engine))
        return next((other.job_id for other in same if other.job_id and other.closed_at is None), "")

    def action_report(self) -> None:
        """Copy the story of the incident under the cursor as Markdown, or write it where a terminal takes no so long text."""
        seen = self.seen
        if seen is None:
            self.notice.say("no incident under the cursor" if self.incidents.under_cursor is None else "asking the engine ...")
            return
        text, number = as_markdown(seen), seen.incident.number
        if len(text) <= clipboard.MOST_CHARACTERS:
            self.copy(text, f"#{number} as Markdown")
            return
        stamp = figures.stamp(self.sight.now)
        path = Path(f"gexdesk-incident-{number}-{stamp}.md").absolute()
        try:
            export.put(path, text)
        except OSError as error:
            self.notice.say(f"{path} was not written: {error.strerror}", grave=True)
        else:
            self.notice.say(f"longer than a terminal's clipboard takes: written to {path}")

    def action_waiting(self) -> None:
        """Open the queue of the source it is about, or the whole queue."""
        found = self.incidents.under_cursor
        self.open_page("queue", *([found.source] if found is not None and found.source else []))

    def action_before(self) -> None:
        """Wind the desk back to a minute before it began."""
        found = self.incidents.under_cursor
        if found is not None:
            self.app.action_wind_to(found.opened_at - 60.0, found.opened_at - 1.0)  # type: ignore[attr-defined]

    def _row(self, incident: IncidentView) -> list[Run]:
        closed = incident.closed_at is not None
        ink = "faint" if closed else "eye" if incident.severity > 1 else "bold"
        since = self.sight.now - (incident.opened_at if incident.closed_at is None else incident.closed_at)
        state = incident.state if incident.snoozed_until is None else f"to {figures.until(incident.snoozed_until, self.sight.now)}"
        joined = f"  (+{incident.joined - 1})" if incident.joined > 1 else ""
        return [
            (f"#{incident.number}", ink),
            ("ok" if closed else "!!" if incident.severity > 1 else "!", ink),
            (about(incident, self.sight.shown), ink),
            (incident.text + joined, "faint" if closed else ""),
            (figures.age(since), ""),
            (state + (" muted" if incident.muted else ""), ""),
            (incident.owner or "nobody", "" if incident.owner else "faint"),
            (" ".join(incident.readers), "bold"),
            ("yes" if incident.seen else "NO", "faint" if incident.seen else "eye"),
        ]

    def _story(self, width: int) -> list[list[Run]]:
        """Write what to do first, the causes, and the timeline, newest first; or the runbook."""
        seen, width = self.seen, max(20, width - 2)
        if seen is None:
            return []
        incident, found = seen.incident, self.incidents.under_cursor
        whose = replace(incident, engine=found.engine if found is not None else "")
        title = f" #{incident.number} {about(whose, self.sight.shown)} "
        lines: list[list[Run]] = [[], [(title, "badge"), (f"  {incident.kind.replace('_', ' ')}", "faint")]]
        if self.runbook:
            for line in seen.runbook.splitlines():
                # A section's paragraphs begin with what they are about, in bold: **Means.** **Check.** **Press.**
                topic, _, words = line.removeprefix("**").partition(".**") if line.startswith("**") else ("", "", line)
                lines += fact(topic.lower(), words.strip().replace("`", ""), width)
            return lines
        lines.append([(" DO FIRST  ", "faint"), (incident.do_first or "see the runbook: b", "bold")])
        if incident.readers:
            lines.append([(" READERS   ", "faint"), (" ".join(incident.readers), "bold")])
        lines += [[(" " + " " * 10, ""), (part, "")] for part in wrap(incident.text, width - 11)]
        if len(seen.members) > 1:
            there = sum(member.present for member in seen.members)
            lines.append([(f" JOINS     {len(seen.members)} causes, {there} of them there", "faint")])
        causes = [_cause(member) for member in seen.members] if len(seen.members) > 1 else []
        lines += [*causes[:FIRST_CAUSES], []]
        for entry in reversed(seen.timeline):
            who = (fit(entry.who, 9), "" if entry.who == "desk" else "bold")
            first: list[Run] = [(f" {figures.time_of_day(int(entry.at))} ", "faint"), who, (f" {fit(entry.what, 9)} ", "")]
            parts = wrap(entry.text, max(20, width - 30)) or [""]
            lines.append([*first, (parts[0], "")])
            lines += [[(" " * 30 + part, "")] for part in parts[1:]]
        rest = causes[FIRST_CAUSES:]
        return [*lines, [], [(" THE OTHER CAUSES", "faint")], *rest] if rest else lines


def _cause(member: MemberView) -> list[Run]:
    mark, ink = ("!  ", "eye") if member.present else ("ok ", "faint")
    ended = "" if member.present else f"  gone {figures.time_of_day(int(member.last_at))}"
    return [(f"   {mark}", ink), (f"{fit(member.subject, 12)} {member.text}", ""), (ended, "faint")]
