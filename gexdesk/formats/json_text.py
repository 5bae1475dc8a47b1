"""Turn foreign JSON bytes into typed values, or into one line that says where they are wrong."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from gexdesk.model.errors import MalformedPayload, PayloadError
from gexdesk.model.text import printable

T = TypeVar("T")
R = TypeVar("R")
_RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOTHING = msgspec.Raw(b"[]")
_ROW = msgspec.json.Decoder(msgspec.Raw)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])

HEAD_BYTES = 65_536
"""How much of a document a format looks at to recognise it."""


def text(body: bytes) -> bytes:
    """Return a text document without its byte order mark.

    A text that a decoder uses is checked as it is read; a vendor's broken byte in a field that nobody reads costs no document.

    Raises:
        MalformedPayload: Empty, or UTF-16.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body or body.isspace():
        raise MalformedPayload("the document is empty")
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MalformedPayload("the document is UTF-16 text; allowed: UTF-8")
    return body


def utf8(body: bytes) -> bytes:
    """Return a text document without its byte order mark, every byte of it valid UTF-8.

    Raises:
        MalformedPayload: Empty, or not UTF-8; says at which byte.
    """
    body = text(body)
    if not body.isascii():
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedPayload(f"byte {error.start} is not valid UTF-8 ({error.reason}); allowed: UTF-8 text") from None
    return body


def starts(head: bytes, pattern: bytes) -> bool:
    """Say whether a document begins with what a pattern describes, a byte order mark and blanks aside."""
    return re.match(pattern, head.removeprefix(b"\xef\xbb\xbf").lstrip()) is not None


def decode(decoder: msgspec.json.Decoder[T], body: bytes, where: str = "") -> T:
    """Decode one JSON value.

    Args:
        decoder: Knows the type.
        body: A document, see ``text``.
        where: Goes before the message, e.g. ``line 3``; empty for a whole document.

    Raises:
        MalformedPayload: With msgspec's path or byte offset.
    """
    try:
        return decoder.decode(body)
    except RecursionError:
        found = "nested too deep"
    except msgspec.ValidationError as error:
        found = str(error)
    except (ValueError, OverflowError) as error:
        found = str(error)
        if "truncated" in found:
            found = f"the JSON ends in the middle of a value, or has a broken escape ({len(body)} bytes read)"
    raise MalformedPayload(at(where, printable(found, 300)))


def at(where: str, field: str) -> str:
    """Name a field of a record: ``line 3: spot``, or ``spot`` where there is one record only."""
    return f"{where}: {field}" if where else field


def refuse_repeated_keys(body: bytes, where: str = "") -> None:
    """Refuse JSON in which an object has one key twice: a decoder would silently take the last.

    Slow (it parses all of ``body``): for small documents and envelopes.

    Raises:
        MalformedPayload: Names the key.
    """
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise MalformedPayload(at(where, f"the key '{printable(twice, 40)}' stands twice in one object; allowed: once"))
        return found

    try:
        json.loads(body, object_pairs_hook=unique)
    except PayloadError:
        raise
    except RecursionError:
        raise MalformedPayload(at(where, "nested too deep")) from None
    except ValueError as error:
        raise MalformedPayload(at(where, printable(str(error), 300))) from None


def records(body: bytes, arrays: bool) -> Iterator[tuple[str, bytes]]:
    """Yield each JSON object of one document, of JSON lines or, where allowed, of an array.

    Args:
        body: A document, see ``text``.
        arrays: Whether a top-level array holds records too.

    Yields:
        What to call the record (empty for the only one, else ``line 3`` or ``record 2``, the first being 1), its bytes.

    Raises:
        MalformedPayload: Broken JSON, an empty array, or an array where none is allowed.
    """
    if body.lstrip().startswith(b"["):
        if not arrays:
            raise MalformedPayload("the document is an array; allowed: one object, or one object a line")
        rows = decode(_ROWS, body)
        if not rows:
            raise MalformedPayload("the array holds no record; allowed: one or more")
        for number, row in enumerate(rows, start=1):
            yield f"record {number}", bytes(row)
        return
    if b"\n" not in body.strip():
        yield "", body
        return
    try:
        decode(_ROW, body)
    except MalformedPayload as error:
        if "trailing characters" not in error.message:
            raise
    else:
        yield "", body
        return
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            yield f"line {number}", line


def decode_listing(
    decoder: msgspec.json.Decoder[T], body: bytes, where: str, path: str, row: msgspec.json.Decoder[R]
) -> T:
    """Decode one JSON value that holds a long list, and name the first bad row of it.

    A typed decoder's path says ``[...]`` instead of a row's number, so the rows are looked at again once one is bad.

    Args:
        where: As in ``decode``.
        path: Where the list stands, e.g. ``data.options``.
        row: Decodes one row.

    Raises:
        MalformedPayload: With the path, for a bad row also its number and how many there are.
    """
    try:
        return decode(decoder, body, where)
    except MalformedPayload as error:
        if f"$.{path}[" in error.message:
            _refuse_first_bad_row(_raw_rows(body, where, path), row, at(where, path))
        raise


def _raw_rows(body: bytes, where: str, path: str) -> list[msgspec.Raw]:
    """Return the list at a path; no rows where a key stands twice and its last value holds none."""
    for key in path.split("."):
        body = bytes(decode(_RAW_OBJECT, body, where).get(key, _NOTHING))
    return decode(_ROWS, body, where)


def _refuse_first_bad_row(raws: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[R], where: str) -> None:
    first: tuple[int, str] | None = None
    count = 0
    for i, raw in enumerate(raws):
        try:
            decoder.decode(raw)
        except (ValueError, OverflowError, RecursionError) as error:
            first = first or (i, str(error))
            count += 1
    if first is not None:
        row, found = first
        more = f" ({count} such rows of {len(raws)}; this is the first)" if count > 1 else ""
        raise MalformedPayload(f"{where}[{row}]: {printable(found, 200)}{more}")


def refuse_other_format(error: MalformedPayload, name: str, why_not: str) -> None:
    """Put a word on the layout before a decoder's word on a document of some other layout; else return.

    Args:
        error: What the decoder said.
        name: The format that was tried.
        why_not: What its ``recognises`` said; empty where the document looks like the format.

    Raises:
        MalformedPayload: ``why_not`` is not empty.
    """
    if why_not:
        raise MalformedPayload(f"this is no {name} document: {why_not} ({error.message})") from error
