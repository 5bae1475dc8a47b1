"""What needs somebody, and the windows in which it pages nobody."""

from msgspec import Struct


class IncidentView(Struct, frozen=True):
    """Show something an operator must look at.

    Attributes:
        number: Counted from 1 per state folder, across restarts; ``name`` is the one in a fleet.
        severity: 2 readers are hit, 1 worth a look.
        closed_at: None while it is open.
        do_first: The one line of advice.
        kind: Its section in the runbook, e.g. ``feed_failing``.
        owner: Who took it; empty while nobody has.
        state: ``open``, ``taken``, ``snoozed``, ``resolved`` (by hand; its cause may still be there) or ``closed`` (by itself).
        seen: An operator saw it, since it last opened or got worse; a closed one that nobody saw stays until somebody does.
        readers: Names of the readers it hits, as the configuration has them.
        snoozed_until: None where it is not snoozed, or until it gets worse.
        muted: By a maintenance window: it pages nobody.
        revision: Goes up with what operators do to it; a lever names the one it saw.
        joined: How many causes it holds, those that have gone included.
        source: The source it is about, to jump to; empty where it is about none, or about several.
        job_id: The job of the payload that caused it; empty without one.
        like: What joins it with its like, e.g. the vendor of its source; empty where nothing does.
        engine: The engine of the fleet that has it, where that is another than the one that answers.
    """

    number: int
    severity: int
    subject: str
    text: str
    opened_at: float
    closed_at: float | None
    do_first: str
    kind: str = ""
    owner: str = ""
    state: str = "open"
    seen: bool = False
    readers: tuple[str, ...] = ()
    snoozed_until: float | None = None
    muted: bool = False
    revision: int = 1
    joined: int = 1
    source: str = ""
    job_id: str = ""
    like: str = ""
    engine: str = ""

    @property
    def name(self) -> str:
        """Return what tells it from every other one of the fleet, e.g. ``41`` or ``desk2-0f3a91c27be4#41``."""
        return f"{self.engine}#{self.number}" if self.engine else str(self.number)


class MuteView(Struct, frozen=True):
    """Show a maintenance window: what fails in it pages nobody.

    Attributes:
        target_kind: ``source``, ``vendor`` or ``symbol``.
    """

    target_kind: str
    target: str
    author: str
    reason: str
    since: float
    until: float
