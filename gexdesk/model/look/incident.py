"""One incident with its causes and its story."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.look.base import Look
from gexdesk.model.view.incident import IncidentView


class EntryView(Struct, frozen=True):
    """Show one line of an incident's timeline.

    Attributes:
        who: ``desk``, or the operator.
        what: ``opened``, ``joined``, ``worse``, ``changed``, ``gone``, ``back``, ``closed``, ``reopened``, ``paged``, or an
            operator's verb.
    """

    at: float
    who: str
    what: str
    text: str


class MemberView(Struct, frozen=True):
    """Show one of the causes that an incident joins; ``present`` while it is there."""

    subject: str
    text: str
    kind: str
    severity: int
    source: str
    symbols: tuple[str, ...]
    first_at: float
    last_at: float
    present: bool


class IncidentSeen(Struct, frozen=True):
    """Tell everything about one incident; ``runbook`` is the section of its kind, Markdown without the heading."""

    incident: IncidentView
    timeline: tuple[EntryView, ...]
    members: tuple[MemberView, ...]
    runbook: str


class IncidentLook(Look[IncidentSeen], frozen=True):
    """Ask for one incident by its number, closed ones of the last weeks included."""

    answer: ClassVar[Any] = IncidentSeen
    number: int
