"""What processing hands to the stores, and what the live cache owes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from gexdesk.model.decision import Decision, Override
from gexdesk.model.exposure import Exposure
from gexdesk.model.features import Features
from gexdesk.model.level import Level

LEAST_TTL_S = 300.0


class LiveValue(Struct, frozen=True, gc=False):
    """Hold what readers get for a symbol, and the change notice's content.

    Attributes:
        changed_at: ``as_of`` of the first snapshot with these very numbers.
        revision: Goes up with each published value of the symbol.
        flags: What the checks before publishing found, one word each; ``older_data`` where its source was made to serve the symbol
            although its stamp is older than the value before.
        inputs: Digest of the numbers it was computed from: equal numbers, equal digest. None where nobody took one.
        ttl_s: How long a server gives it to programs elsewhere, once it was brought there: ``LEAST_TTL_S``, or three of its
            source's intervals where that is longer. The desk's own readers go on to have the last value, with its age and flags.
    """

    symbol: str
    source: str
    job_id: str
    level: Level
    why: str
    received_at: float
    available_at: float
    changed_at: float
    delay_s: float
    revision: int
    exposure: Exposure
    flags: tuple[str, ...] = ()
    inputs: int | None = None
    ttl_s: float = LEAST_TTL_S


class LiveCache(Protocol):
    """Keep one live value a symbol: newest ``as_of`` of the serving source wins, a late job never overwrites a newer value."""

    def serve(self, symbol: str, source: str) -> None:
        """Make a source the serving one of a symbol. Without this, the first source that publishes a symbol serves it."""
        ...

    async def publish(self, value: LiveValue) -> bool:
        """Make the value readable and tell subscribers; False where a newer one (or another source's) already serves."""
        ...

    async def mark(self, symbol: str, flag: str) -> None:
        """Put one more flag on what readers have of a symbol, and tell subscribers; nothing where it has it already."""
        ...

    def get(self, symbol: str) -> LiveValue | None:
        """Return what readers have now."""
        ...

    def all(self) -> Sequence[LiveValue]:
        """Return every live value, by symbol."""
        ...


class DeskCache(LiveCache, Protocol):
    """A live cache that outlives the desk's own restart."""

    def load(self, path: Path) -> int:
        """Take over values saved by an earlier process; returns how many. Raises StoreError where they are damaged."""
        ...

    def save(self, path: Path) -> None:
        """Write every live value to a file. Raises StoreError."""
        ...


class KeptSnapshot(Struct, frozen=True, gc=False):
    """Hold one processed snapshot on its way to the durable stores.

    Attributes:
        ordinal: Position in its payload; a JSON-lines file holds many.
        strikes: The per-strike rows, as ``StrikeTable.to_bytes`` gives them.
        flags: What the checks before publishing found, one word each.
        quarantined: The checks kept it from readers; it is stored apart from what was served.
    """

    job_id: str
    ordinal: int
    source: str
    payload_sha256: str
    received_at: float
    delay_s: float
    exposure: Exposure
    strikes: bytes
    flags: tuple[str, ...] = ()
    quarantined: bool = False


class JobRecord(Struct, frozen=True, gc=False):
    """Record how one job went; written once, when it is stored or dead. Times are UTC seconds, None where it did not get there.

    Attributes:
        level: Whose promise it was given and whose capacity it used (``Job.promised``), after every override: an escalated job
            stands at the level below the one it waited at, and ``note`` says that it was raised. What the guidelines said of it
            is in its decision.
    """

    job_id: str
    source: str
    symbol: str
    level: Level
    score: float
    status: str
    received_at: float
    decided_at: float | None
    started_at: float | None
    available_at: float | None
    completed_at: float | None
    attempts: int
    records: int
    size_bytes: int
    payload_sha256: str
    payload_name: str
    note: str = ""
    error: str = ""


class DecisionRecord(Struct, frozen=True, gc=False):
    """Record one decision with the features it rested on."""

    job_id: str
    at: float
    features: Features
    decision: Decision


class SymbolMinute(Struct, frozen=True):
    """Sum up a minute's decisions on one symbol of one source: the last known values; None where there was none.

    Attributes:
        volume, open_interest: Of payloads that carried them themselves.
    """

    symbol: str
    source: str
    minute_at: float
    volume: float | None
    open_interest: float | None
    gamma_change: float | None


class DeadLetter(Struct, frozen=True):
    """Record a payload that ended outside the stores; its bytes stay in the spool.

    Attributes:
        stage: ``receive``, ``triage``, ``process`` or ``store``.
        kind: ``GexdeskError.kind``, e.g. ``malformed_payload``.
        reason: One printable line for an operator.
    """

    job_id: str
    source: str
    payload_name: str
    payload_sha256: str
    size_bytes: int
    received_at: float
    buried_at: float
    stage: str
    kind: str
    reason: str
    attempts: int


class OpenLetter(Struct, frozen=True):
    """Name a dead letter that nobody tried again or let go; ``symbol`` is empty where the payload does not say."""

    job_id: str
    source: str
    symbol: str
    reason: str
    buried_at: float


class OverrideRecord(Struct, frozen=True):
    """Record an override as it was set (``ended_at`` None) or ended."""

    target_kind: str
    target: str
    override: Override
    ended_at: float | None = None


class SourceRecord(Struct, frozen=True):
    """Record a source's lifetime counters; the newest row of a name replaces the older."""

    name: str
    kind: str
    symbols: tuple[str, ...]
    format: str
    standing: str
    delay_s: float
    paused: bool
    requests: int
    successes: int
    last_success_at: float | None
    last_error: str
    updated_at: float


class RequestRecord(Struct, frozen=True):
    """Record one asked-for ingestion as it stands; the newest record of a request replaces the older.

    Attributes:
        source_url: What was asked for, without its secrets.
        requested_by: Who asked: a key's id, or the user at the socket.
        status: ``QUEUED``, ``PROCESSING``, ``COMPLETED``, ``FAILED`` or ``CANCELLED``.
        estimated_s: Seconds from the request to available, as told to who asked.
        job_id: The job of its payload; None until that is there.
        records: Snapshots it brought; None until it is processed.
    """

    request_id: str
    source_url: str
    data_type: str
    symbol: str
    requested_at: float
    requested_by: str
    level: Level
    score: float | None
    status: str
    estimated_s: float | None = None
    expected_records: int | None = None
    data_quality: str | None = None
    priority_hint: str | None = None
    job_id: str | None = None
    started_at: float | None = None
    completed_at: float | None = None
    records: int | None = None
    error: str = ""


class GuidelineRecord(Struct, frozen=True):
    """Record that a set of guidelines came into force; ``version`` is what decisions name, ``text`` the whole rule file."""

    version: str
    author: str
    at: float
    reason: str
    text: str


class IncidentRecord(Struct, frozen=True):
    """Record an incident as it stands; the newest record of one (number, opened_at) replaces the older.

    Attributes:
        kind: What sort of thing happened, in a word, e.g. ``late_source``.
        severity: 2 readers are hit, 1 worth a look.
        closed_at: None while it is open.
        owner: Who took it; empty while nobody has.
        timeline: JSON array of ``{at, who, what, text}``, oldest first.
    """

    number: int
    kind: str
    severity: int
    subject: str
    text: str
    opened_at: float
    closed_at: float | None = None
    owner: str = ""
    timeline: str = "[]"


class GapRecord(Struct, frozen=True):
    """Record a time in which an expected symbol or source gave nothing; known by symbol, source and ``from_at``.

    Attributes:
        symbol: Empty where a whole source was silent.
        to_at: None while it lasts.
        missed: How many snapshots should have come; None where nobody knows.
        fillable: History for it can be had.
        filled_at: When a backfill closed it; None until then.
        reason: One printable line.
    """

    symbol: str
    source: str
    from_at: float
    to_at: float | None
    missed: int | None
    fillable: bool
    filled_at: float | None
    reason: str


class Batch(Struct, frozen=True):
    """Hand several things to the durable stores in one commit."""

    snapshots: tuple[KeptSnapshot, ...] = ()
    jobs: tuple[JobRecord, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    overrides: tuple[OverrideRecord, ...] = ()
    sources: tuple[SourceRecord, ...] = ()
    requests: tuple[RequestRecord, ...] = ()
    guidelines: tuple[GuidelineRecord, ...] = ()
    incidents: tuple[IncidentRecord, ...] = ()
    gaps: tuple[GapRecord, ...] = ()
