"""Lay out kept payloads on disk: records in a segment, and large bodies in files of their own.

    record = mark (8 bytes) | header length u32 | body length u32 | header crc32 u32 | header | body crc32 u32 | body
    own file = mark (8 bytes) | body crc32 u32 | body          (its record has a body of 0 bytes and names the file)

Everything that is needed to find, check and understand a payload stands in its record, so that a segment whose start is lost
can still be read from the next mark on. The body's checksum lies directly before the body: whoever has a ``PayloadRef`` can
check what it reads without the header. Integers are little-endian.
"""

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

import msgspec
import zstandard

from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Payload, PayloadRef

MARK = b"\x93GEXrec\n"
FILE_MARK = b"\x93GEXone\n"
_HEAD = struct.Struct("<8sIII")
_CRC = struct.Struct("<I")
FILE_BODY_AT = len(FILE_MARK) + _CRC.size
SEALED_AT = _CRC.size
_LONGEST_HEADER = 1 << 16


class Header(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Describe a record.

    Attributes:
        file: Name of the file that holds the body; empty where the record does.
        stored_bytes: Length of the body as stored, here or there.
    """

    payload: Payload
    file: str
    stored_bytes: int
    zstd: bool


class Record(msgspec.Struct, frozen=True, gc=False):
    """Hold what a walk over a segment found.

    Attributes:
        start, body_at: Where the record and its body start in the segment.
    """

    header: Header
    start: int
    body_at: int


class Gap(msgspec.Struct, frozen=True):
    """Say which bytes of a segment are no readable record."""

    path: str
    start: int
    skipped_bytes: int


class _OfThread(threading.local):
    """Hold what only one thread may use at once: to make a decompressor costs more than to expand a small payload."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


_of_thread = _OfThread()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Header).decode


def pack(header: Header, body: bytes) -> tuple[bytes, int]:
    """Return a record, and where its body starts in it."""
    head = _encode(header)
    record = b"".join((_HEAD.pack(MARK, len(head), len(body), zlib.crc32(head)), head, _CRC.pack(zlib.crc32(body)), body))
    return record, len(record) - len(body)


def pack_file(body: bytes) -> bytes:
    """Return the content of a body's own file."""
    return b"".join((FILE_MARK, _CRC.pack(zlib.crc32(body)), body))


def walk(path: Path, size: int) -> Iterator[Record | Gap]:
    """Yield the records in the first ``size`` bytes of a segment as they were written, and the gaps where it is damaged or torn.

    Bodies inside the segment are checked; one that fails its checksum is part of a gap.

    Raises:
        StoreError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = min(size, os.fstat(file.fileno()).st_size)
            if size:
                with mmap(file.fileno(), size, access=ACCESS_READ) as data:
                    yield from _walk(path, data)
    except OSError as error:
        raise StoreError(f"the spool segment {path} cannot be read: {error}") from error


def _walk(path: Path, data: mmap) -> Iterator[Record | Gap]:
    at, end = 0, len(data)
    while at < end:
        found = _record_at(data, at)
        if found is not None:
            record, at = found
            yield record
            continue
        start = at
        while at < end and found is None:
            at = data.find(MARK, at + 1)
            at = end if at < 0 else at
            found = _record_at(data, at)
        yield Gap(str(path), start, at - start)


def _record_at(data: mmap, at: int) -> tuple[Record, int] | None:
    """Return the record that starts here and where it ends, or None where no whole and sound one does."""
    if at + _HEAD.size > len(data):
        return None
    mark, header_bytes, body_bytes, crc = _HEAD.unpack_from(data, at)
    header_at = at + _HEAD.size
    offset = header_at + header_bytes + _CRC.size
    if mark != MARK or header_bytes > _LONGEST_HEADER or offset + body_bytes > len(data):
        return None
    head = data[header_at : header_at + header_bytes]
    with memoryview(data) as view, view[offset : offset + body_bytes] as body:
        if zlib.crc32(head) != crc or zlib.crc32(body) != _CRC.unpack_from(data, offset - _CRC.size)[0]:
            return None
    try:
        return Record(_decode(head), at, offset), offset + body_bytes
    except (msgspec.MsgspecError, ValueError):
        return None


def read_stored(ref: PayloadRef) -> bytes:
    """Return a payload's bytes as the spool holds them, whole: compressed where ``ref`` says so. Raises StoreError."""
    try:
        with open(ref.path, "rb", buffering=0) as file:
            stored = os.pread(file.fileno(), _CRC.size + ref.stored_bytes, ref.offset - _CRC.size)
    except OSError as error:
        raise StoreError(f"the payload in {ref.path} cannot be read: {error}") from error
    body = stored[_CRC.size :]
    if len(stored) != _CRC.size + ref.stored_bytes or zlib.crc32(body) != _CRC.unpack_from(stored)[0]:
        raise StoreError(f"the payload at byte {ref.offset} of {ref.path} is damaged: its checksum does not fit", path=ref.path)
    return body


def sealed(body: bytes) -> bytes:
    """Return a stored form with its checksum before it, as a file of its own that a ``PayloadRef`` to ``SEALED_AT`` can name."""
    return _CRC.pack(zlib.crc32(body)) + body


def unsealed(data: bytes) -> bytes:
    """Return what ``sealed`` was given. Raises ValueError where it is not that any more."""
    body = data[_CRC.size :]
    if len(data) < _CRC.size or zlib.crc32(body) != _CRC.unpack_from(data)[0]:
        raise ValueError("its checksum does not fit")
    return body


def read_payload(ref: PayloadRef) -> bytes:
    """Return a payload's bytes as they were received; made for pool processes, which need nothing else of the spool.

    Raises:
        StoreError: The file is gone, or the bytes are not those that were kept.
    """
    body = read_stored(ref)
    if not ref.zstd:
        return body
    try:
        return _of_thread.decompressor.decompress(body)
    except zstandard.ZstdError as error:
        where = f"the payload at byte {ref.offset} of {ref.path}"
        raise StoreError(f"{where} cannot be decompressed: {error}", path=ref.path) from error
