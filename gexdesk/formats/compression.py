"""Undo one layer of gzip or zstd without trusting what comes out of it."""

import io
import zlib
from collections.abc import Iterator

import zstandard

from gexdesk.model.errors import MalformedPayload, OversizePayload
from gexdesk.model.text import printable

MAX_BYTES = 256 * 1024 * 1024
"""Largest document after expansion."""
MAX_RATIO = 100
"""Largest output over input, once the output is beyond ``FREE_BYTES``. Real chains reach 12 to 15."""
FREE_BYTES = 1024 * 1024
"""Output of any ratio up to here: a tiny document may compress extremely well."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_GZIP_STEP = 64 * 1024
# A zstd block gives 128 KB at most and takes 4 bytes at least: one step gives at most 32 MB before the caps are looked at.
_ZSTD_STEP = 1024
_ZSTD_WINDOW = 128 * 1024 * 1024


def is_compressed(body: bytes) -> bool:
    """Say whether the bytes begin as gzip or zstd."""
    return body.startswith((_GZIP, _ZSTD))


def expand(body: bytes, cap_bytes: int = MAX_BYTES, max_ratio: float = MAX_RATIO) -> bytes:
    """Return the document inside gzip or zstd, known by their magic bytes; anything else as it is.

    Args:
        body: As received.
        cap_bytes: Largest document.
        max_ratio: Largest output over input, beyond the first ``FREE_BYTES`` of output.

    Raises:
        OversizePayload: Over a cap; looked at while expanding, so that a bomb never unfolds.
        MalformedPayload: Broken, cut, followed by other bytes, or compressed twice.
    """
    if body.startswith(_GZIP):
        name, parts = "gzip", _gzip(body)
    elif body.startswith(_ZSTD):
        name, parts = "zstd", _zstd(body)
    else:
        if len(body) > cap_bytes:
            raise OversizePayload(f"the document has {len(body)} bytes; allowed: {cap_bytes}", cap_bytes=cap_bytes)
        return body
    limit = min(cap_bytes, max(FREE_BYTES, int(max_ratio * len(body))))
    out = io.BytesIO()
    try:
        for part in parts:
            out.write(part)
            if out.tell() > limit:
                why = f"{cap_bytes} bytes" if limit == cap_bytes else f"{max_ratio:g} times its {len(body)} compressed bytes"
                raise OversizePayload(f"the {name} payload expands beyond {why}", cap_bytes=cap_bytes, max_ratio=max_ratio)
    except (zlib.error, zstandard.ZstdError) as error:
        raise MalformedPayload(f"the {name} payload is broken: {printable(str(error), 120)}") from None
    plain = out.getvalue()
    if is_compressed(plain):
        raise MalformedPayload(f"the {name} payload holds another compressed one; allowed: one layer")
    return plain


def beginning(body: bytes, limit_bytes: int) -> tuple[str, bytes, bool, str]:
    """Return the first bytes of the document inside gzip or zstd, or of the bytes themselves, without unfolding more than a step.

    Args:
        body: As received.
        limit_bytes: At most so many come back.

    Returns:
        ``gzip``, ``zstd`` or nothing; the bytes; whether nothing follows them; and why no more can be had, empty where it can.
    """
    if not is_compressed(body):
        return "", body[:limit_bytes], len(body) <= limit_bytes, ""
    name, parts = ("gzip", _gzip(body)) if body.startswith(_GZIP) else ("zstd", _zstd(body))
    plain = b""
    try:
        for part in parts:
            plain += part[: limit_bytes + 1 - len(plain)]
            if len(plain) > limit_bytes:
                return name, plain[:limit_bytes], False, ""
    except (zlib.error, zstandard.ZstdError) as error:
        return name, plain, False, f"the {name} payload is broken: {printable(str(error), 120)}"
    except MalformedPayload as error:
        return name, plain, False, error.message
    return name, plain, True, ""


def _gzip(body: bytes) -> Iterator[bytes]:
    """Yield the output of every member, at most ``_GZIP_STEP`` a time."""
    at = 0
    while at < len(body):
        if not body.startswith(_GZIP, at):
            raise MalformedPayload(f"other bytes follow the gzip payload at byte {at}")
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            if at >= len(body) and not member.unconsumed_tail:
                raise MalformedPayload(f"the gzip payload is cut after {len(body)} bytes")
            feed = member.unconsumed_tail
            if not feed:
                feed = body[at : at + _GZIP_STEP]
                at += len(feed)
            yield member.decompress(feed, _GZIP_STEP)
        at -= len(member.unused_data)


def _zstd(body: bytes) -> Iterator[bytes]:
    """Yield the output of every frame, one ``_ZSTD_STEP`` of input a time."""
    at = 0
    while at < len(body):
        if not body.startswith(_ZSTD, at):
            raise MalformedPayload(f"other bytes follow the zstd payload at byte {at}")
        frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        while not frame.eof:
            if at >= len(body):
                raise MalformedPayload(f"the zstd payload is cut after {len(body)} bytes")
            feed = body[at : at + _ZSTD_STEP]
            at += len(feed)
            yield frame.decompress(feed)
        at -= len(frame.unused_data)
