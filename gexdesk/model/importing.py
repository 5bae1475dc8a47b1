"""How files are handed to an engine for import: where they lie, what they are called, and whose they are."""

from gexdesk.model.text import printable

FOLDER = "import"
"""Folder of a state folder; whoever hands a file over renames it in, complete."""

SOURCE = "import"
"""The source that imported payloads are counted under."""

_SEPARATOR = "~"


def entry(number: int, name: str) -> str:
    """Return what a file is called in the folder: in order, and with its own name for people."""
    return f"{number:012d}{_SEPARATOR}{printable(name.replace('/', '_'), 120)}"


def name_of(called: str) -> str:
    """Return a file's own name."""
    return called.partition(_SEPARATOR)[2] or called
