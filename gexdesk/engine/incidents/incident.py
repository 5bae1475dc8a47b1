"""One incident: its causes, what operators did about it, and its timeline. Frozen: every step makes a new one."""

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.text import printable

FIRST_KEPT, LAST_KEPT = 20, 180
"""A timeline that grows longer than both keeps its beginning and its end."""

NAMED_MEMBERS = 3
LINE_LIMIT = 300
TOGETHER_S = 1.0


class Entry(Struct, frozen=True):
    """Hold one line of a timeline; words as in ``EntryView``."""

    at: float
    who: str
    what: str
    text: str


class Member(Struct, frozen=True):
    """Hold one cause as last stated; ``present`` while it is there."""

    condition: Condition
    first_at: float
    last_at: float
    present: bool = True


class Snooze(Struct, frozen=True):
    """Hold that nobody wants to hear of it until a time, or until it gets worse; None is only the latter."""

    until: float | None


class Incident(Struct, frozen=True, kw_only=True):
    """Hold one incident.

    Attributes:
        members: By key, in the order they came; none for one that an operator reported.
        reported: What an operator reported; None for one that the desk opened.
        joined_at: When the last cause joined it.
        gone_at: Since when no cause is there; None while one is.
        resolved: By hand; it stays so for as long as its cause does not come anew or get worse.
        paged_severity: The severity somebody was last paged for; 0 before the first page, and where it opened again to be paged.
    """

    number: int
    opened_at: float
    members: dict[str, Member] = {}
    reported: Condition | None = None
    joined_at: float = 0.0
    gone_at: float | None = None
    closed_at: float | None = None
    owner: str = ""
    seen: bool = False
    snooze: Snooze | None = None
    resolved: bool = False
    paged_severity: int = 0
    revision: int = 1
    timeline: tuple[Entry, ...] = ()

    @property
    def present(self) -> list[Condition]:
        """Return the causes that are there; where none is, those that were."""
        if self.reported is not None:
            return [self.reported]
        there = [m.condition for m in self.members.values() if m.present]
        return there or [m.condition for m in self.members.values()]

    @property
    def lead(self) -> Condition:
        """Return the cause that speaks for all: the gravest, of those the first."""
        return max(self.present, key=lambda c: c.severity)

    @property
    def kind(self) -> Kind:
        """Return the kind of its lead."""
        return self.lead.kind

    @property
    def severity(self) -> int:
        """Return the severity of its lead."""
        return self.lead.severity

    @property
    def vendor(self) -> str:
        """Return the vendor whose causes it joins; empty where it joins none."""
        return self.lead.vendor

    def gone_for(self, seconds: float, now: float) -> bool:
        """Say whether its cause has been gone for so long."""
        return self.gone_at is not None and now - self.gone_at >= seconds

    @property
    def began_at(self) -> float:
        """Return when it opened, or opened again."""
        return max([self.opened_at, *(entry.at for entry in self.timeline if entry.what == "reopened")])

    @property
    def rose_at(self) -> float:
        """Return when it last opened, got worse or had a cause join it."""
        return max([self.joined_at, *(entry.at for entry in self.timeline if entry.what == "worse")])

    @property
    def over_at(self) -> float:
        """Return since when it is over: closed, and its cause gone; for ever from now where it is not."""
        if self.closed_at is None or self.cause_stays:
            return float("inf")
        return max(self.closed_at, self.gone_at or 0.0)

    @property
    def touched_at(self) -> float:
        """Return when anything last befell it, or an operator did anything about it: that he saw it, too."""
        return self.timeline[-1].at if self.timeline else self.opened_at

    @property
    def cause_stays(self) -> bool:
        """Say whether the desk still finds its cause."""
        return self.reported is None and self.gone_at is None

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return what readers lack by it."""
        return tuple(dict.fromkeys(symbol for c in self.present for symbol in c.symbols))

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the sources it is about."""
        return tuple(dict.fromkeys(c.source for c in self.present if c.source))

    @property
    def names(self) -> frozenset[str]:
        """Return the sources, symbols and jobs that had a part in it at any time."""
        causes = [member.condition for member in self.members.values()] + ([self.reported] if self.reported is not None else [])
        return frozenset(name for c in causes for name in (c.source, c.subject, c.job_id, *c.symbols) if name)

    @property
    def subject(self) -> str:
        """Return what it befalls: what they have in common where it joined several causes."""
        return self.lead.subject if len(self.members) < 2 else self.lead.like

    @property
    def text(self) -> str:
        """Say what was found: how many there are, some by name, and how many more it joined that are back."""
        if len(self.members) < 2:
            return self.lead.text
        if not any(m.condition.source for m in self.members.values()):  # the same befalls no source, in several ways
            ways = sorted(self.present, key=lambda c: -c.severity)
            return printable("; ".join(dict.fromkeys(c.text for c in ways)), LINE_LIMIT)
        several = len({m.condition.source for m in self.members.values()}) > 1
        names = [(m.condition.source if several else m.condition.subject, m.present) for m in self.members.values()]
        every, there = dict.fromkeys(name for name, _ in names), dict.fromkeys(name for name, present in names if present)
        named = list(there or every)
        listed = ", ".join(named[:NAMED_MEMBERS]) + (f" +{len(named) - NAMED_MEMBERS}" if len(named) > NAMED_MEMBERS else "")
        one = len(named) == 1
        what = ("source" if one else "sources") if several else f"symbol{'' if one else 's'} of {self.lead.source}"
        if not there:
            back = f"1 {what} is back" if one else f"all {len(named)} {what} are back"
            return f"{back}: {listed}; {self.lead.text}"
        gone = len(every) - len(there)
        back = f" ({gone} more {'is' if gone == 1 else 'are'} back)" if gone else ""
        return f"{len(there)} {what}: {listed}{back}; {self.lead.text}"

    @property
    def do_first(self) -> str:
        """Return the one line of advice."""
        alone = len(self.members) < 2 or self.lead.group
        return self.lead.do_first if alone else "call the vendor once; Enter lists what it joined"

    @property
    def state(self) -> str:
        """Return its state, the words of ``IncidentView.state``."""
        if self.resolved:
            return "resolved"
        if self.closed_at is not None:
            return "closed"
        if self.snooze is not None:
            return "snoozed"
        return "taken" if self.owner else "open"

    def told(self, at: float, who: str, what: str, text: str = "") -> "Incident":
        """Return it with one more line in its timeline."""
        timeline = (*self.timeline, Entry(at, who, what, text))
        if len(timeline) > FIRST_KEPT + LAST_KEPT:
            timeline = (*timeline[:FIRST_KEPT], *timeline[-LAST_KEPT:])
        return replace(self, timeline=timeline)

    def acted(self, at: float, who: str, what: str, target: str, text: str) -> "Incident":
        """Return it with an act in its timeline: the same done to several targets at once shares a line."""
        last = self.timeline[-1] if self.timeline else None
        if last is None or (last.who, last.what) != (who, what) or at - last.at > TOGETHER_S:
            return self.told(at, who, what, text)
        return replace(self, timeline=(*self.timeline[:-1], replace(last, text=printable(f"{last.text}, {target}", LINE_LIMIT))))

    def told_together(self, at: float, what: str, name: str) -> "Incident":
        """Return it with one more name in its timeline: those to whom the same happens in the same second share a line."""
        last = self.timeline[-1] if self.timeline else None
        if last is None or (last.at, last.what) != (at, what):
            return self.told(at, "desk", what, name)
        return replace(self, timeline=(*self.timeline[:-1], replace(last, text=printable(f"{last.text}, {name}", LINE_LIMIT))))
