"""Make foreign text safe to show: feeds, file names and servers are hostile to a terminal."""

import re
import unicodedata

_LINE_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SYMBOL = re.compile(r"[A-Z0-9._^-]{1,16}")


def printable(text: str, limit: int = 200) -> str:
    """Strip what could steer a terminal and cut to a length.

    Removes C0 and C1 controls, bidirectional overrides, zero-width and unassigned code points and lone surrogates.
    Whoever renders the result still turns markup off.

    Args:
        text: Anything a feed, a file name or an operator gave.
        limit: Longest result in characters; a cut one ends in an ellipsis.
    """
    text = text[: limit * 4]
    if not (text.isascii() and text.isprintable()):  # nearly every text is, and every decision is told in one
        text = _LINE_CONTROLS.sub(" ", text)
        text = "".join(c for c in text if c == " " or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def symbol_of(text: str) -> str | None:
    """Normalise a market symbol, or return None where it cannot be one.

    Upper-cases and drops the index marks of Cboe (``_RUT``, ``^RUT`` -> ``RUT``). Allowed: ``[A-Z0-9._^-]{1,16}``
    without ``..``, so that a symbol is safe in a path, in SQL and on a screen.
    """
    if not text.isascii():
        return None  # before upper(): "ſ" would become an S
    symbol = text.strip().upper().lstrip("_^$")
    if not _SYMBOL.fullmatch(symbol) or ".." in symbol or not any(c.isalnum() for c in symbol):
        return None
    return symbol
