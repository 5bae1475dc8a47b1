"""What screens see of the record: a decision and what it rested on, a payload's beginning, an act of the audit, the machine."""

from msgspec import Struct

from gexdesk.model.decision import Decision
from gexdesk.model.level import Level

Plain = bool | float | str | None


class DecidedView(Struct, frozen=True):
    """Show one decision with what it rested on.

    Attributes:
        features: Each of ``Features`` by its name, in its order; None is unknown.
    """

    job_id: str
    at: float
    symbol: str
    source: str
    features: dict[str, Plain]
    decision: Decision


class KeptView(Struct, frozen=True):
    """Show one snapshot that a payload made; GEX in USD per 1% move.

    Attributes:
        revision: Counts the different documents of one symbol, source and stamp.
        quarantined: The checks kept it from readers; None of one that was rebuilt from its strikes.
    """

    symbol: str
    as_of: float
    spot: float | None
    net_gex: float | None
    gross_gex: float | None
    flags: tuple[str, ...]
    quarantined: bool | None
    revision: int


class JobStands(Struct, frozen=True):
    """Say how far a job came; times are UTC seconds, None where it did not get there.

    Attributes:
        status: ``DECIDING``, ``QUEUED``, ``PROCESSING``, ``COMPLETED``, ``DEAD`` or ``DISCARDED``; empty where nobody knows it.
        attempts: Times it was claimed.
    """

    status: str
    level: Level | None = None
    received_at: float | None = None
    decided_at: float | None = None
    started_at: float | None = None
    available_at: float | None = None
    completed_at: float | None = None
    attempts: int = 0
    records: int = 0
    note: str = ""
    error: str = ""


class BeginningView(Struct, frozen=True):
    """Show the first bytes of a payload, safe to print.

    Attributes:
        kind: ``text``, or ``hex`` where it is none; then each line is offset, 16 bytes and what of them can be printed.
        packed: ``gzip`` or ``zstd`` where the sender compressed it; the lines are of what is inside.
        whole: Nothing follows.
        trouble: Why there is nothing, or no more, to show; empty where there is.
    """

    kind: str
    packed: str
    lines: tuple[str, ...]
    shown_bytes: int
    whole: bool
    trouble: str = ""


class ActView(Struct, frozen=True):
    """Show one line of the audit: who did what to what, why, and how it stood before and after."""

    sequence: int
    at: float
    actor: str
    act: str
    target: str
    reason: str
    before: str
    after: str


class SlotView(Struct, frozen=True):
    """Show one slot of work, or one pool process.

    Attributes:
        reserved: It serves CRITICAL alone.
        what: What it has in hand, in words; empty while it has nothing.
        since: When it took that; None while it has nothing.
        pid: Of a pool process; None of a slot, and of a process that is being started.
    """

    name: str
    reserved: bool
    what: str
    since: float | None
    pid: int | None = None


class PartsView(Struct, frozen=True):
    """Sum up what made the scores of one level lately: means of the shares of the way up its band, each 0 to 1."""

    level: Level
    count: int
    score: float
    impact: float
    change: float
    freshness: float
    reliability: float
    urgency: float
