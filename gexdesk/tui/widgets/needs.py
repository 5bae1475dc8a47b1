"""NEEDS YOU: the incidents, gravest first; those that closed stay for a minute, and until somebody saw them."""

from collections.abc import Iterable
from typing import NamedTuple

from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.incident import IncidentView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit, fit_middle, width_of
from gexdesk.tui.widgets.pane import BLANK, Pane

CLOSED_SHOWN_S = 60.0
WHEN_CELLS, SHORT_WHEN_CELLS = 12, 6
MARK_CELLS = 8
PEOPLE_FROM_CELLS = 130
"""Width from which there is room for the readers that are hit and for who took it."""


class Cells(NamedTuple):
    """Hold how many cells each column takes; ``readers`` and ``owner`` are 0 where there is no room for people."""

    subject: int
    text: int
    when: int
    readers: int
    owner: int
    advice: int


def needing(view: DeskView, now: float) -> list[IncidentView]:
    """Return what an operator has to look at: open ones that are not snoozed, gravest and oldest first; then snoozed ones; then
    closed ones that nobody saw or that closed in the last minute.
    """
    shown = [i for i in view.incidents if i.closed_at is None or not i.seen or now - i.closed_at < CLOSED_SHOWN_S]
    return sorted(shown, key=lambda i: (i.closed_at is not None, i.state == "snoozed", -i.severity, i.engine, i.number))


def about(incident: IncidentView, view: DeskView | None) -> str:
    """Say what an incident befalls; of another engine's also which engine that is."""
    if not incident.engine:
        return incident.subject
    engines = [engine.engine_id for engine in view.engines] if view is not None else []
    return f"{incident.subject} @{figures.engine(incident.engine, engines)}"


class NeedsPane(Pane):
    """Draw a heading and one line an incident."""

    def incidents(self) -> list[IncidentView]:
        """Return what is shown, in its order."""
        view = self.sight.shown
        return needing(view, self.sight.now) if view is not None else []

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one incident; the last line counts what does not fit."""
        incidents = self.incidents()
        if y == 0:
            return self._heading(incidents)
        room = self.size.height - 1
        if y == room and len(incidents) > room:
            return ((f"    {len(incidents) - room + 1} more", "eye"),)
        return self._incident(incidents[y - 1]) if y <= len(incidents) else BLANK

    def _heading(self, incidents: list[IncidentView]) -> list[Run]:
        still = [i for i in incidents if i.closed_at is None]
        snoozed = sum(i.state == "snoozed" for i in still)
        unseen = sum(i.closed_at is not None and not i.seen for i in incidents)
        seen = len(incidents) - len(still) - unseen
        counts = ((len(still) - snoozed, "open"), (snoozed, "snoozed"), (unseen, "closed unseen"), (seen, "closed"))
        words = ", ".join(f"{number} {word}" for number, word in counts if number)
        ink = "eye" if len(still) > snoozed else "bold" if unseen else ""
        runs: list[Run] = [(" NEEDS YOU  ", "bold"), (words or "nothing", ink)]
        cells = self._cells()
        if not still or not cells.owner:
            return runs
        gap = MARK_CELLS + cells.subject + cells.text + 4 - sum(width_of(text) for text, _ in runs)
        if gap < 1:
            return runs
        runs.append((" " * gap, ""))
        heads = f"{fit('', cells.when)} "
        heads += f"{fit('readers hit', cells.readers)}  " if cells.readers else ""
        heads += f"{fit('owner', cells.owner)}  do first"
        return [*runs, (heads, "faint")]

    def _incident(self, incident: IncidentView) -> list[Run]:
        closed = incident.closed_at is not None
        ink = "faint" if closed or incident.state == "snoozed" else "eye" if incident.severity > 1 else "bold"
        mark = "ok" if closed else "!!" if incident.severity > 1 else "! "
        cells = self._cells()
        since = self.sight.now - (incident.opened_at if incident.closed_at is None else incident.closed_at)
        # A narrow screen says it by the mark alone: ok is closed.
        when = figures.age(since) if cells.when < WHEN_CELLS else f"{'closed' if closed else 'for'} {figures.age(since)}"
        if incident.snoozed_until is not None and not closed and cells.when >= WHEN_CELLS:
            when = f"sleeps {figures.until(incident.snoozed_until, self.sight.now)}"
        runs: list[Run] = [
            (f" {mark} {incident.number:<4}", ink),
            (fit(about(incident, self.sight.shown), cells.subject) + "  ", ink),
            (fit(fit_middle(incident.text, cells.text), cells.text) + "  ", "faint" if closed else ""),
            (fit(when, cells.when) + " ", "faint"),
        ]
        if cells.readers:
            runs += [(fit(" ".join(incident.readers), cells.readers) + "  ", "" if closed else "bold")]
        if cells.owner:
            owner = incident.owner or ("" if closed else "nobody")
            runs += [(fit(owner, cells.owner) + "  ", "" if incident.owner else "faint")]
        return [*runs, ("" if closed else fit_middle(incident.do_first, max(1, cells.advice)), "")]

    def _cells(self) -> Cells:
        """Return the cells of every column: by the widest that is shown, so that all lines stand in columns."""
        shown = self.incidents()[: self.size.height - 1]
        width = self.size.width
        whens = WHEN_CELLS if width >= 120 else SHORT_WHEN_CELLS
        subjects = min(20, max((width_of(about(i, self.sight.shown)) for i in shown), default=0))
        readers = owner = 0
        if width >= PEOPLE_FROM_CELLS:
            hit = max((width_of(" ".join(i.readers)) for i in shown), default=0)
            # Without configured readers there is no column to look at in vain.
            readers = max(len("readers hit"), min(18, hit)) if hit else 0
            owner = max(len("nobody"), min(10, max((width_of(i.owner) for i in shown), default=0)))
        people = (readers + 2 if readers else 0) + (owner + 2 if owner else 0)
        left = width - MARK_CELLS - subjects - 2 - 2 - whens - 1 - people
        # A closed one has no advice: it must not take the room of the others'.
        still = [i for i in shown if i.closed_at is None]
        text = max((width_of(i.text) for i in still or shown), default=0)
        advice = max((width_of(i.do_first) for i in still), default=0)
        # What to do comes whole before what happened does, which has a third of the room for certain.
        texts = min(text, max(left - advice, left // 3))
        return Cells(subjects, texts, whens, readers, owner, left - texts)
