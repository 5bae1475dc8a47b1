"""What the engine asks a pool process, and what comes back. Bytes stay in files; only names and numbers cross the pipe."""

import struct

from msgspec import Raw, Struct, msgpack

from gexdesk.engine.slices import in_slices
from gexdesk.gates.facts import Evidence
from gexdesk.model.exposure import ConventionBook, Exposure
from gexdesk.model.payload import PayloadRef


class TriageTask(Struct, frozen=True, tag="triage", gc=False):
    """Decode a payload and measure what the guidelines need.

    Attributes:
        columns_path: Where to leave the decoded columns for processing; None where decoding twice costs less than a file.
        names: The desk's names of symbols that feeds carry under others.
        whole: Compute every exposure at once: for a small payload a second turn of the pipe would cost more.
        received_at, delay_s: As for processing; used where ``whole`` is.
    """

    ref: PayloadRef
    format: str | None
    time_shift_s: float
    conventions: ConventionBook
    columns_path: str | None
    names: dict[str, str] = {}
    whole: bool = False
    received_at: float | None = None
    delay_s: float | None = None


class ProcessTask(Struct, frozen=True, tag="process", gc=False):
    """Compute every exposure of a payload, from the columns triage left where they are still there.

    Attributes:
        received_at: Receipt, to tell how late the document came; None for history, which nobody waits for.
        delay_s: Known delay of the source's quotes; None takes the format's own.
        names: As for triage.
        judged: Triage has measured what the checks need; False after a restart, when it is measured here.
    """

    ref: PayloadRef
    format: str | None
    time_shift_s: float
    conventions: ConventionBook
    columns_path: str | None
    received_at: float | None = None
    delay_s: float | None = None
    names: dict[str, str] = {}
    judged: bool = True


Task = TriageTask | ProcessTask


class Head(Struct, frozen=True, gc=False):
    """Sum up one snapshot for triage; units and nulls as in ``Features`` and ``Exposure``.

    Attributes:
        delay_s: Known delay of the format's quotes, 0 where the format fixes none.
        zero_dte_share: Share of gross GEX that expires today, 0 to 1.
        evidence: What the checks before publishing need beyond these.
    """

    symbol: str
    as_of: float
    delay_s: float
    contracts: int | None
    spot: float | None
    zero_dte_share: float | None
    open_interest: float | None
    volume: float | None
    net_gex: float | None
    gross_gex: float | None
    coverage: float | None
    evidence: Evidence | None = None


class Triaged(Struct, frozen=True, tag="triaged", gc=False):
    """Answer a TriageTask: the format that recognised it and one head a snapshot, in file order.

    Attributes:
        results: Every exposure, in the order of ``heads``, where the task asked for the whole; else empty.
    """

    format: str
    heads: tuple[Head, ...]
    results: "tuple[Computed, ...]" = ()


class Computed(Struct, frozen=True, gc=False):
    """Hold one snapshot's exposure and its per-strike rows as ``StrikeTable.to_bytes`` gives them; ``delay_s`` as in ``Head``.

    Attributes:
        head: What triage would have measured; None where it did.
    """

    exposure: Exposure
    delay_s: float
    strikes: bytes
    head: Head | None = None


class Processed(Struct, frozen=True, tag="processed", gc=False):
    """Answer a ProcessTask, one a snapshot, in file order."""

    results: tuple[Computed, ...]


LIVE_SYMBOLS = 2_000
"""Distinct symbols that one source may bring live: many times what a desk watches. Each has its checks' memory, its value before
readers and its place in every picture; names that a feed invents without end would hold up the loop that serves all others."""


class Refused(Struct, frozen=True, tag="refused"):
    """Answer any task: the payload cannot be used; ``kind`` as in ``GexdeskError.kind``.

    Attributes:
        final: The same bytes would fail again; False where the machine, not the payload, is at fault.
    """

    kind: str
    message: str
    final: bool


Reply = Triaged | Processed | Refused

TASKS_DECODER = msgpack.Decoder(tuple[Task, ...])
REPLIES_DECODER = msgpack.Decoder(tuple[Reply, ...])
ENCODER = msgpack.Encoder()
LENGTH = struct.Struct("<I")
"""Frame of the pipe: every message is its length in bytes, then that many bytes: an array of tasks, or of their replies."""

PIPE_BYTES = 1024 * 1024
"""Room for what sixteen small payloads come to. In a pipe's usual 64 KB they go in pieces, each a turn of the loop."""

BEGUN = b"\x01"
"""What a pool process sends once it has tasks: from here on its death is theirs."""


class _ManyTriaged(Struct, frozen=True, tag="triaged"):
    format: str
    heads: tuple[Raw, ...]
    results: tuple[Raw, ...] = ()


class _ManyProcessed(Struct, frozen=True, tag="processed"):
    results: tuple[Raw, ...]


_ROUGHLY = msgpack.Decoder(tuple[_ManyTriaged | _ManyProcessed | Refused, ...])
_HEAD, _COMPUTED = msgpack.Decoder(Head), msgpack.Decoder(Computed)
AT_ONCE_BYTES = 1024 * 1024
"""Replies up to this size are decoded at once, in a few milliseconds."""


async def replies_of(data: bytes) -> tuple[Reply, ...]:
    """Return the replies of a message; those of a large one piece by piece, so that the loop goes on. Raises DecodeError."""
    if len(data) <= AT_ONCE_BYTES:
        return REPLIES_DECODER.decode(data)
    replies: list[Reply] = []
    for rough in _ROUGHLY.decode(data):
        if isinstance(rough, Refused):
            replies.append(rough)
            continue
        results = tuple([_COMPUTED.decode(raw) async for raw in in_slices(rough.results)])
        if isinstance(rough, _ManyProcessed):
            replies.append(Processed(results))
        else:
            heads = tuple([_HEAD.decode(raw) async for raw in in_slices(rough.heads)])
            replies.append(Triaged(rough.format, heads, results))
    return tuple(replies)
