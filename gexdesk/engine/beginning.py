"""Show the first bytes of a payload so that nothing in them can steer a terminal."""

import codecs
import unicodedata

from gexdesk.formats.compression import beginning
from gexdesk.model.record_view import BeginningView

LIMIT_BYTES = 64 * 1024
_HEX_BYTES = 16
_BINARY_SHARE = 0.1


def beginning_of(body: bytes, limit_bytes: int) -> BeginningView:
    """Return the beginning of a payload as lines: as text where it is text, else in hex.

    Args:
        body: As received.
        limit_bytes: How much of what is inside, at most ``LIMIT_BYTES``.
    """
    packed, plain, whole, trouble = beginning(body, min(max(limit_bytes, 1), LIMIT_BYTES))
    text = _text(plain)
    lines = _lines(text) if text is not None else _hex(plain)
    return BeginningView("hex" if text is None else "text", packed, tuple(lines), len(plain), whole, trouble)


def _text(plain: bytes) -> str | None:
    """Return the bytes as UTF-8 or UTF-16 text, None where they are none."""
    coding = "utf-16" if plain.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    # A character that the cut halves is dropped; one broken inside stands as the replacement mark.
    text = codecs.getincrementaldecoder(coding)("replace").decode(plain)
    odd = sum(c == "\ufffd" or (c < " " and c not in "\t\n\r") for c in text)
    return None if odd > max(2, _BINARY_SHARE * len(text)) or "\0" in text else text.removeprefix("\ufeff")


def _lines(text: str) -> list[str]:
    return [_printed(line.expandtabs(4)) for line in text.replace("\r\n", "\n").split("\n")]


def _printed(text: str) -> str:
    """Put a middle dot where a character must not reach a terminal: here, unlike in a name, its place matters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else "·" for c in text)


def _hex(plain: bytes) -> list[str]:
    lines = []
    for at in range(0, len(plain), _HEX_BYTES):
        row = plain[at : at + _HEX_BYTES]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row.hex(' ', 1):<{3 * _HEX_BYTES - 1}}  {seen}")
    return lines
