"""Turn entries into rows of the journal and back."""

import msgspec

from gexdesk.model.job import Job
from gexdesk.queues.order import Entry, Key, key_of


class Kept(msgspec.Struct, frozen=True):
    """Hand back what the journal holds, entries by arrival.

    Attributes:
        eligible: Arrival number -> (UTC time of the retry, seconds it was put off) of those that wait for a retry.
        held: Paused sources; the empty name is the kill switch.
        newest_finished: Greatest id of a finished job; empty without any.
        last_dead: Greatest arrival number of a DEAD job that may be revived; 0 without any.
    """

    entries: list[Entry]
    eligible: dict[int, tuple[float, float]]
    held: set[str]
    newest_finished: str
    last_dead: int = 0


class Body(msgspec.Struct, frozen=True, array_like=True):
    """Lay out an entry that is more than its job.

    Attributes:
        key: Only where conflation gave it one that is not the job's own.
        eligible_at: When a delayed one may run, UTC seconds, and how long it was put off.
    """

    job: Job
    key: Key | None = None
    raised: bool = False
    eligible_at: float | None = None
    after_s: float = 0.0

    def entry(self, seq: int) -> Entry:
        """Return the entry that this was."""
        return Entry(seq, self.job, key_of(self.job, seq) if self.key is None else self.key, self.key is not None, self.raised)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Body).decode
_decode_job = msgspec.msgpack.Decoder(Job).decode
_BODY_BEGINS = bytes([0x90 + len(Body.__struct_fields__)])  # a msgpack array of that many; a job is a longer one


def body_of(entry: Entry, eligible_at: float | None = None, after_s: float = 0.0) -> bytes:
    """Return an entry as the journal keeps it: as its job alone where that says all, as nearly always."""
    if eligible_at is None and not entry.placed and not entry.raised:
        return _encode(entry.job)
    return _encode(Body(entry.job, entry.key if entry.placed else None, entry.raised, eligible_at, after_s))


def read(body: bytes) -> Body:
    """Return what ``body_of`` wrote. Raises msgspec.MsgspecError."""
    return _decode(body) if body[:1] == _BODY_BEGINS else Body(_decode_job(body))
