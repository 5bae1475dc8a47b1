"""One source, its dead letters and its payloads."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.look.base import Look
from gexdesk.model.record_view import BeginningView, DecidedView, JobStands, KeptView
from gexdesk.model.symbol_view import FeedOfSymbol


class DeadView(Struct, frozen=True):
    """Show one dead letter that nobody settled.

    Attributes:
        stage: ``receive``, ``triage``, ``queue`` (an operator cancelled it), ``process`` or ``store``.
        kind: In a word, e.g. ``malformed_payload`` or ``cancelled``.
        bytes_kept: It can be tried again.
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
    bytes_kept: bool


class DeadSeen(Struct, frozen=True):
    """Give dead letters, the newest first; ``more`` says that there were more than asked for."""

    letters: tuple[DeadView, ...]
    more: bool = False


class DeadLook(Look[DeadSeen], frozen=True):
    """Ask for the dead letters: all, one source's, or one."""

    answer: ClassVar[Any] = DeadSeen
    limit: int = 200
    source: str = ""
    job_id: str = ""


class CarriedView(Struct, frozen=True):
    """Show one symbol of a source, and how the source does with it."""

    symbol: str
    feed: FeedOfSymbol


class SourceSeen(Struct, frozen=True):
    """Tell of one source what the picture does not hold.

    Attributes:
        format: As configured; empty where it is found out from the bytes.
        vendor: Who runs it: what fails with it.
        last_payload_at: Receipt of its last payload; None before the first.
        failing_since: First failure after its last success; None while it is well.
        assumed: Volume and open interest it is given where its format carries none; None without.
        symbols: What it carries.
        decisions: The last ones, the newest first.
        letters: Its dead letters that nobody settled, the newest first.
        last_job: The job of its newest decided payload; empty before the first.
    """

    source: str
    taken_at: float
    format: str
    vendor: str
    data_type: str
    last_payload_at: float | None
    failing_since: float | None
    assumed: tuple[float, float] | None
    symbols: tuple[CarriedView, ...]
    decisions: tuple[DecidedView, ...]
    letters: tuple[DeadView, ...]
    last_job: str


class SourceLook(Look[SourceSeen], frozen=True):
    """Ask for one source by name; ``decisions`` bounds the trail."""

    answer: ClassVar[Any] = SourceSeen
    source: str
    decisions: int = 40


class PayloadSeen(Struct, frozen=True):
    """Tell everything about one payload, from its receipt to what became of it.

    Attributes:
        name: File name or path, for people.
        asked_by: The request that brought it; empty where its source came by itself.
        beginning: Its first bytes; None where they were not asked for.
        decisions: All of it, the newest first: more than one where it was triaged again after a crash.
        letter: Its dead letter, where nobody settled that.
        snapshots: What it made, in its own order.
    """

    job_id: str
    source: str
    name: str
    content_type: str
    received_at: float | None
    size_bytes: int
    sha256: str
    time_shift_s: float
    asked_by: str
    stands: JobStands
    beginning: BeginningView | None
    decisions: tuple[DecidedView, ...]
    letter: DeadView | None
    snapshots: tuple[KeptView, ...]


class PayloadLook(Look[PayloadSeen], frozen=True):
    """Ask for one payload by its job; ``bytes_wanted`` of its beginning, none where it is 0."""

    answer: ClassVar[Any] = PayloadSeen
    job_id: str
    bytes_wanted: int = 0
