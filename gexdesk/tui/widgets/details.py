"""Everything the picture holds about the row under the cursor."""

from collections.abc import Callable, Iterable
from textwrap import wrap
from typing import NamedTuple

from gexdesk.model.view import LogLine, SourceView, SymbolView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import BLANK, Pane

Fact = tuple[str, str]
LABEL_CELLS = 17
LEAST_EVENT_LINES = 4
"""Lines of events that are shown even where facts must stand in two columns, and the last of them go, for it."""


class Subject(NamedTuple):
    """Hold what is known of one row.

    Attributes:
        facts: Label and text of every field.
        events: What happened to it, newest first.
    """

    name: str
    facts: list[Fact]
    events: list[LogLine]



def source_facts(s: SourceView, now: float) -> list[Fact]:
    """Return label and text for every field of a source, what a small screen must not cut first."""

    def ago(at: float | None) -> str:
        return "never" if at is None else f"{figures.age(now - at)} ago, at {figures.time_of_day(int(at))}"

    override = "none"
    if s.override:
        override = f"{s.override} by {s.override_by}, {figures.until(s.override_until, now)}: {s.override_reason}"
    return [
        ("state", s.state),
        ("level", f"{s.level or '-'}, {s.why}"),
        ("override", override),
        ("paused", f"by {s.paused_by}: {s.paused_reason}" if s.paused_by else "no"),
        ("last error", s.last_error or "none"),
        ("last refused", s.last_refusal or "nothing"),
        ("completed", f"{figures.count(s.completed)}, {figures.many(s.dead, 'dead letter')}"),
        ("standing level", s.standing or "none: not processed"),
        ("queued now", figures.count(s.queued)),
        ("received", figures.count(s.received)),
        ("per minute", figures.count(s.rate_per_min)),
        ("requests good", f"{figures.count(s.successes)} of {figures.count(s.requests)}, {figures.share(s.successes, s.requests)}"),
        ("errors in 5 min", figures.count(s.errors_5m)),
        ("last payload", ago(s.last_at)),
        ("due each", figures.promise(s.due_s) if s.due_s is not None else "nobody knows"),
        ("quotes delayed", figures.promise(s.delay_s) if s.delay_s else "no"),
        ("carries", s.carries),
        ("kind", s.kind),
        ("revision", str(s.revision)),
    ]


def symbol_facts(s: SymbolView, now: float) -> list[Fact]:
    """Return label and text for every field of a symbol."""
    if s.as_of is None or s.changed_at is None or s.available_at is None:
        return [("served by", "nothing"), ("check", s.check), ("why", s.check_text)]
    return [
        ("served by", s.served_by),
        ("level", f"{s.level}, {s.why}"),
        ("as of", figures.time_of_day(int(s.as_of))),
        ("quotes delayed", figures.promise(s.delay_s) if s.delay_s else "no"),
        ("data age", f"{figures.age(now - s.as_of + s.delay_s)}, delay included"),
        ("numbers changed", f"{figures.age(now - s.changed_at)} ago"),
        ("available", f"{figures.age(now - s.available_at)} ago; the desk added {figures.latency(s.added_s)}"),
        ("spot", figures.price(s.spot)),
        ("net GEX", f"{figures.billions(s.net_gex, s.gross_gex)} a 1% move"),
        ("gross GEX", f"{figures.billions(s.gross_gex)} a 1% move"),
        ("flip", figures.price(s.zero_gamma)),
        ("call wall", figures.price(s.call_wall)),
        ("put wall", figures.price(s.put_wall)),
        ("coverage", figures.share(round(s.coverage * 1000), 1000) if s.coverage is not None else figures.UNKNOWN),
        ("check", f"{s.check}: {s.check_text}" if s.check_text else s.check),
    ]


class DetailsPane(Pane):
    """Draw the facts of the row under the cursor, in two columns where rows are few, and what happened to it.

    Args:
        subject: Gives what is known of the row; None where the cursor is on no row.
    """

    def __init__(self, id: str, sight: Sight, subject: Callable[[], Subject | None]) -> None:
        super().__init__(id, sight)
        self.subject = subject
        self._page: list[list[Run]] = []

    def paint(self, rows: Iterable[int] | None = None) -> None:
        """Write the page anew and paint rows of it, or all."""
        self._page = self._write()
        super().paint(rows)

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the name, a line of facts or an event."""
        return self._page[y] if y < len(self._page) else BLANK

    def _write(self) -> list[list[Run]]:
        subject = self.subject()
        if subject is None:
            return [[(" nothing under the cursor", "faint")]]
        width, room = self.size.width, self.size.height - 1
        events = [line for event in subject.events for line in self._event(event, width)]
        title: list[Run] = [(f" {subject.name} ", "badge"), ("  Enter or Esc closes, up and down go through the rows", "faint")]
        return [title, *self._facts(subject.facts, width, room - min(LEAST_EVENT_LINES, len(events))), *events]

    def _facts(self, facts: list[Fact], width: int, room: int) -> list[list[Run]]:
        lines = [line for fact in facts for line in self._fact(fact, width)]
        if len(lines) <= room:
            return lines
        half = width // 2
        short = [fact for fact in facts if width_of(fact[1]) < half - LABEL_CELLS]
        lines = [line for fact in facts if fact not in short for line in self._fact(fact, width)]
        for i in range(0, len(short), 2):
            pair = zip(short[i : i + 2], (half, width - half), strict=False)
            lines.append([run for fact, cells in pair for run in self._fact(fact, cells)[0]])
        return lines[: max(0, room)]

    def _fact(self, fact: Fact, width: int) -> list[list[Run]]:
        label, text = fact
        cells = max(8, width - LABEL_CELLS)
        labels = [fit(f" {label}", LABEL_CELLS)]
        return [
            [(labels.pop() if labels else " " * LABEL_CELLS, "faint"), (fit(line, cells), "")] for line in wrap(text, cells) or [""]
        ]

    def _event(self, event: LogLine, width: int) -> list[list[Run]]:
        ink, mark = ("eye", "!") if event.grave else ("", " ")
        lines = wrap(event.text, max(8, width - 13)) or [""]
        first: list[Run] = [(f" {figures.time_of_day(int(event.at))} ", "faint"), (f"{mark} {lines[0]}", ink)]
        return [first, *([(" " * 12 + line, ink)] for line in lines[1:])]
