"""What a row must hold to be shown: ``text``, ``!text`` (must not hold it), ``~regex``, ``!~regex``."""

import re
from collections.abc import Callable
from functools import lru_cache

LOOKED_THROUGH = 400
"""Characters of a row that a pattern sees."""


@lru_cache(maxsize=32)
def matcher(wanted: str) -> Callable[[str], bool]:
    """Return the test that a filter is; case never counts, and an empty one passes everything.

    Raises:
        ValueError: Its regular expression is none: the message says what is wrong with it and where.
    """
    body = wanted.removeprefix("!")
    inverse = body != wanted
    if not body or body == "~":
        return lambda text: True
    if body.startswith("~"):
        try:
            pattern = re.compile(body[1:], re.IGNORECASE)
        except re.error as error:
            where = "" if error.pos is None else f" at character {error.pos + 1}"
            raise ValueError(f"no regular expression: {error.msg}{where}") from None
        return lambda text: (pattern.search(text[:LOOKED_THROUGH]) is None) is inverse
    needle = body.casefold()
    return lambda text: (needle not in text.casefold()) is inverse


def fault_of(wanted: str) -> str:
    """Say what is wrong with a filter; empty where nothing is."""
    try:
        matcher(wanted)
    except ValueError as error:
        return str(error)
    return ""
