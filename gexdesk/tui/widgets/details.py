"""Everything the picture holds about the row under the cursor."""

from collections.abc import Callable, Iterable

from gexdesk.model.view import SourceView, SymbolView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import BLANK, Pane

Fact = tuple[str, str]


def source_facts(s: SourceView, now: float) -> list[Fact]:
    """Return label and text for every field of a source."""

    def ago(at: float | None) -> str:
        return "never" if at is None else f"{figures.age(now - at)} ago, at {figures.time_of_day(int(at))}"

    override = f"by {s.override_by}, {figures.until(s.override_until, now)}: {s.override_reason}" if s.override_by else "none"
    return [
        ("kind", s.kind),
        ("carries", s.carries),
        ("state", s.state),
        ("level", f"{s.level or '-'}, {s.why}"),
        ("standing level", s.standing or "none: unassigned, not processed"),
        ("override", override),
        ("paused", f"by {s.paused_by}: {s.paused_reason}" if s.paused_by else "no"),
        ("last payload", ago(s.last_at)),
        ("due each", figures.promise(s.due_s) if s.due_s is not None else "nobody knows"),
        ("quotes delayed", figures.promise(s.delay_s) if s.delay_s else "no"),
        ("payloads", f"{figures.count(s.rate_per_min)} in the last minute, {figures.count(s.received)} in all"),
        ("queued now", figures.count(s.queued)),
        ("completed", f"{figures.count(s.completed)}, {figures.count(s.dead)} dead letters"),
        ("requests", f"{figures.count(s.successes)} of {figures.count(s.requests)} good, {figures.share(s.successes, s.requests)}"),
        ("errors in 5 min", figures.count(s.errors_5m)),
        ("last error", s.last_error or "none"),
        ("revision", f"{s.revision}, goes up with each lever"),
    ]


def symbol_facts(s: SymbolView, now: float) -> list[Fact]:
    """Return label and text for every field of a symbol."""
    return [
        ("served by", s.served_by),
        ("level", f"{s.level}, {s.why}"),
        ("as of", figures.time_of_day(int(s.as_of))),
        ("quotes delayed", figures.promise(s.delay_s) if s.delay_s else "no"),
        ("data age", f"{figures.age(now - s.as_of + s.delay_s)}, delay included"),
        ("numbers changed", f"{figures.age(now - s.changed_at)} ago"),
        ("available", f"{figures.age(now - s.available_at)} ago; the desk added {figures.latency(s.added_s)}"),
        ("spot", figures.price(s.spot)),
        ("net GEX", f"{figures.billions(s.net_gex)} a 1% move"),
        ("gross GEX", f"{figures.billions(s.gross_gex)} a 1% move"),
        ("flip", figures.price(s.zero_gamma)),
        ("call wall", figures.price(s.call_wall)),
        ("put wall", figures.price(s.put_wall)),
        ("coverage", figures.share(round(s.coverage * 1000), 1000) if s.coverage is not None else figures.UNKNOWN),
        ("check", s.check),
    ]


class DetailsPane(Pane):
    """Draw the facts of the row under the cursor, in two columns where they fit.

    Args:
        subject: Gives the row's name and its facts; None where the cursor is on no row.
    """

    LABEL_CELLS = 17

    def __init__(self, id: str, sight: Sight, subject: Callable[[], tuple[str, list[Fact]] | None]) -> None:
        super().__init__(id, sight)
        self.subject = subject

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the name or a line of facts."""
        subject = self.subject()
        if subject is None:
            return ((" nothing under the cursor", "faint"),) if y == 0 else BLANK
        name, facts = subject
        width, room = self.size.width, self.size.height - 1
        if y == 0:
            return ((f" {name} ", "badge"), ("  Enter or Esc closes, up and down go through the rows", "faint"))
        rows = self._rows(facts, width, room)
        return rows[y - 1] if y <= len(rows) else BLANK

    def _rows(self, facts: list[Fact], width: int, room: int) -> list[list[Run]]:
        if len(facts) <= room:
            return [self._fact(fact, width) for fact in facts]
        half = width // 2
        short = [fact for fact in facts if width_of(fact[1]) <= half - self.LABEL_CELLS - 1]
        long = [fact for fact in facts if fact not in short]
        rows = [self._fact(fact, width) for fact in long]
        middle = -(-len(short) // 2)
        for i in range(middle):
            second = self._fact(short[middle + i], width - half) if middle + i < len(short) else []
            rows.append([*self._fact(short[i], half), *second])
        return rows

    def _fact(self, fact: Fact, width: int) -> list[Run]:
        label, text = fact
        return [(fit(f" {label}", self.LABEL_CELLS), "faint"), (fit(text, width - self.LABEL_CELLS), "")]
