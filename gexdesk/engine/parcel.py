"""Pack what another engine needs to do a job: the payload's bytes as the spool holds them, and what triage found of it."""

import asyncio
import contextlib
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from gexdesk.engine.flight import Flight
from gexdesk.engine.gatekeeper import Judged
from gexdesk.engine.tasks import Refused, Triaged
from gexdesk.model.decision import Decision
from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Payload, PayloadRef
from gexdesk.model.text import printable
from gexdesk.stores.spool_record import SEALED_AT, read_stored, sealed

LAYOUT = 1
"""Version of a parcel; an engine refuses one it does not know, and the job waits for one that does."""


class Parcel(Struct, frozen=True, array_like=True):
    """Lay a parcel out.

    Attributes:
        zstd: Whether ``body`` is compressed by the spool.
        format: What triage recognised; empty where it did not.
    """

    layout: int
    payload: Payload
    body: bytes
    zstd: bool
    format: str
    judged: tuple[Judged, ...]
    refused: Refused | None
    decision: Decision | None
    decided_at: float | None


AT_ONCE_BYTES = 64 * 1024
"""Payloads up to this size are read where they are asked for: they were written just now, and a thread costs more."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Parcel)


async def wrapped(flight: Flight) -> bytes:
    """Return what travels with a flight's job. Raises StoreError."""
    return wrap(flight) if flight.ref.stored_bytes <= AT_ONCE_BYTES else await asyncio.to_thread(wrap, flight)


def wrap(flight: Flight) -> bytes:
    """Return what travels with a flight's job; reads its bytes from the spool. Raises StoreError."""
    return _ENCODER.encode(
        Parcel(
            LAYOUT, flight.payload, read_stored(flight.ref), flight.ref.zstd,
            flight.triaged.format if flight.triaged is not None else "",
            flight.judged, flight.refused, flight.decision, flight.decided_at,
        )
    )  # fmt: skip


def unwrap(job_id: str, data: bytes, folder: Path) -> Flight:
    """Return the flight of another engine's payload, its bytes in a file of ``folder`` until ``drop``; for a thread.

    The file is not synced: after a crash the job is claimed again, and its parcel is still in the queue.

    Raises:
        StoreError: It is no parcel of this job, or the bytes cannot be written.
    """
    try:
        parcel = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise StoreError(f"what travels with job {job_id} cannot be read: {printable(str(error), 120)}") from error
    if parcel.layout != LAYOUT or parcel.payload.payload_id != job_id:
        of = printable(parcel.payload.payload_id, 60)
        words = f"what travels with job {job_id} is a parcel of layout {parcel.layout} of job {of}"
        raise StoreError(f"{words}; this engine reads {LAYOUT}")
    path = folder / sha256(job_id.encode()).hexdigest()  # an id of another host is never a path here
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_bytes(sealed(parcel.body))
    except OSError as error:
        raise StoreError(f"the payload of job {job_id} cannot be kept in {folder}: {error.strerror}; check space") from error
    return Flight(
        payload=parcel.payload,
        ref=PayloadRef(str(path), SEALED_AT, len(parcel.body), parcel.zstd),
        columns_path=None,
        triaged=Triaged(parcel.format, ()) if parcel.format else None,
        refused=parcel.refused,
        decision=parcel.decision,
        decided_at=parcel.decided_at,
        judged=parcel.judged,
        foreign=True,
    )


def drop(flight: Flight) -> None:
    """Delete the bytes that came with a foreign flight."""
    with contextlib.suppress(OSError):
        Path(flight.ref.path).unlink(missing_ok=True)
