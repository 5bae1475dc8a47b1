"""Raw bytes as received, with their provenance."""

from msgspec import Struct


class Asked(Struct, frozen=True):
    """Name the request that asked for a payload, with what it said of it; None where it did not say.

    Attributes:
        data_type: What kind of data it asked for, whatever its source's other payloads are; None leaves it to the source.
        data_quality: ``low``, ``medium`` or ``high``.
        priority_hint: ``low``, ``normal``, ``high`` or ``critical``: it asks, it does not decide.
    """

    request_id: str
    data_type: str | None = None
    expected_records: int | None = None
    data_quality: str | None = None
    priority_hint: str | None = None


class Arrival(Struct, frozen=True):
    """Hold bytes a source has just got, before anything promised to keep them.

    Attributes:
        source: Name of the configured source.
        body: The bytes as sent, still compressed where they came compressed.
        received_at: When the last byte was in.
        content_type: As the sender declared it; empty where nobody did.
        name: File name or URL path for people; printable and without secrets.
        time_shift_s: Seconds to add to every time inside the payload (a replay makes old data current); else 0.
        asked: The request that brought it; None where its source came by itself.
    """

    source: str
    body: bytes
    received_at: float
    content_type: str = ""
    name: str = ""
    time_shift_s: float = 0.0
    asked: Asked | None = None


class Payload(Struct, frozen=True):
    """Name an acknowledged payload and where it came from; the bytes lie in the spool.

    Attributes:
        payload_id: Unique in the state folder and sortable by arrival; also the id of its job.
        sha256: Hex digest of the body as received.
        size_bytes: Length of the body as received.
    """

    payload_id: str
    source: str
    received_at: float
    sha256: str
    size_bytes: int
    content_type: str = ""
    name: str = ""
    time_shift_s: float = 0.0
    asked: Asked | None = None


class PayloadRef(Struct, frozen=True):
    """Say where a payload's bytes lie, so that a pool process can read them itself.

    Attributes:
        path: File that holds them.
        offset: First byte of the stored form in that file.
        stored_bytes: Length of the stored form.
        zstd: Whether the stored form is zstd-compressed by the spool (apart from any compression of the sender's own).
    """

    path: str
    offset: int
    stored_bytes: int
    zstd: bool
