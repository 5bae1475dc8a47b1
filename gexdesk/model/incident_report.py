"""An incident as text for a report: what it was, what it joined, who did what, and what the runbook says of its kind."""

from datetime import UTC, datetime

from gexdesk.model.look.incident import IncidentSeen
from gexdesk.model.text import printable

_MARKS = "\\`*_{}[]<>#|!"


def as_markdown(seen: IncidentSeen) -> str:
    """Return an incident as Markdown; what others wrote is escaped. Times are UTC."""
    return "\n".join(incident_lines(seen, plain=False)) + "\n"


def incident_lines(seen: IncidentSeen, *, plain: bool) -> list[str]:
    """Tell an incident in Markdown; ``plain`` leaves the escapes out, for a terminal."""

    def text(words: str) -> str:
        words = printable(words, 400)
        return words if plain else "".join("\\" + c if c in _MARKS else c for c in words)

    i = seen.incident
    closed = f", over {moment(i.closed_at)}" if i.closed_at is not None else ""
    lines = [
        f"# Incident {i.number}: {text(i.subject)}", "", f"{text(i.text)}", "",
        f"- kind: {i.kind}, severity {i.severity}, {state_words(i.state, i.seen, i.muted)}",
        f"- opened {moment(i.opened_at)}{closed}",
        f"- owner: {text(i.owner) or 'nobody'}",
        f"- readers hit: {text(' '.join(i.readers)) or 'none named'}",
        f"- do first: {text(i.do_first)}",
    ]  # fmt: skip
    if seen.members:
        lines += ["", "## Causes", ""]
        lines += [f"- {text(m.subject)}: {text(m.text)}{'' if m.present else ' (gone)'}" for m in seen.members]
    lines += ["", "## Timeline", ""]
    lines += [f"- {moment(e.at)} {text(e.who)} {e.what}{': ' + text(e.text) if e.text else ''}" for e in seen.timeline]
    return [*lines, "", "## Runbook", "", seen.runbook]


def state_words(state: str, seen: bool, muted: bool) -> str:
    """Say how an incident stands."""
    return f"{state}{'' if seen else ', unseen'}{', muted' if muted else ''}"


def moment(at: float) -> str:
    """Write a time in UTC to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
