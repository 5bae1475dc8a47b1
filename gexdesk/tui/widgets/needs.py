"""NEEDS YOU: the incidents, gravest first, and for a minute the ones that closed."""

from collections.abc import Iterable

from gexdesk.model.view import IncidentView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit, fit_middle, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import BLANK, Pane

CLOSED_SHOWN_S = 60.0
WHEN_CELLS, SHORT_WHEN_CELLS = 12, 6


class NeedsPane(Pane):
    """Draw a heading and one line an incident."""

    def __init__(self, id: str, sight: Sight) -> None:
        super().__init__(id, sight)

    def incidents(self) -> list[IncidentView]:
        """Return what is shown: open ones gravest and oldest first, then those closed in the last minute."""
        view = self.sight.shown
        if view is None:
            return []
        now = self.sight.now
        shown = [i for i in view.incidents if i.closed_at is None or now - i.closed_at < CLOSED_SHOWN_S]
        return sorted(shown, key=lambda i: (i.closed_at is not None, -i.severity, i.number))

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one incident; the last line counts what does not fit."""
        incidents = self.incidents()
        if y == 0:
            still = sum(i.closed_at is None for i in incidents)
            closed = f", {len(incidents) - still} closed" if len(incidents) > still else ""
            words = f"{still} open{closed}" if incidents else "nothing"
            return ((" NEEDS YOU  ", "bold"), (words, "eye" if still else ""))
        room = self.size.height - 1
        if y == room and len(incidents) > room:
            return ((f"    {len(incidents) - room + 1} more", "eye"),)
        return self._incident(incidents[y - 1]) if y <= len(incidents) else BLANK

    def _incident(self, incident: IncidentView) -> list[Run]:
        closed = incident.closed_at is not None
        ink = "faint" if closed else "eye" if incident.severity > 1 else "bold"
        mark = "ok" if closed else "!!" if incident.severity > 1 else "! "
        subjects, texts, whens, advice = self._cells()
        since = self.sight.now - (incident.opened_at if incident.closed_at is None else incident.closed_at)
        # A narrow screen says it by the mark alone: ok is closed.
        when = figures.age(since) if whens < WHEN_CELLS else f"{'closed' if closed else 'for'} {figures.age(since)}"
        return [
            (f" {mark} {incident.number:<4}", ink),
            (fit(incident.subject, subjects) + "  ", ink),
            (fit(fit_middle(incident.text, texts), texts) + "  ", "faint" if closed else ""),
            (fit(when, whens) + " ", "faint"),
            ("" if closed else fit_middle(incident.do_first, max(1, advice)), ""),
        ]

    def _cells(self) -> tuple[int, int, int, int]:
        """Return the cells of subject, text, time and advice: by the widest that is shown, so that all lines stand in columns."""
        shown = self.incidents()[: self.size.height - 1]
        width = self.size.width
        whens = WHEN_CELLS if width >= 120 else SHORT_WHEN_CELLS
        subjects = min(20, max((width_of(i.subject) for i in shown), default=0))
        left = width - 8 - subjects - 2 - 2 - whens - 1
        # A closed one has no advice: it must not take the room of the others'.
        still = [i for i in shown if i.closed_at is None]
        text = max((width_of(i.text) for i in still or shown), default=0)
        advice = max((width_of(i.do_first) for i in still), default=0)
        # What to do comes whole before what happened does, which has a third of the room for certain.
        texts = min(text, max(left - advice, left // 3))
        return subjects, texts, whens, left - texts
