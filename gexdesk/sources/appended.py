"""Tell what was added to a file of lines since it was taken: lines that were handed over are not handed over again."""

import hashlib
from typing import NamedTuple

LINES = (".jsonl", ".ndjson")
"""Files in which each line stands for itself, by their names."""


class Taken(NamedTuple):
    """Hold a file that was read.

    Attributes:
        news: What is to be handed over: all of it, or the lines that were added; empty where those are blank.
        digest: SHA-256 of all of it, in hex, by which it is known again; empty for what is no file of lines.
    """

    news: bytes
    digest: str = ""


def taken(name: str, body: bytes, before_bytes: int, before_digest: str) -> Taken:
    """Return what is new in a file's body, given how long it was when it was handed over last and its digest then.

    Only what begins with every byte of the earlier one, which ended where a line does, was added to; else all of it is new.
    """
    if not name.lower().endswith(LINES):
        return Taken(body)
    digest = hashlib.sha256(body).hexdigest()
    added_to = (
        0 < before_bytes < len(body)
        and b"\n" in body[before_bytes - 1 : before_bytes + 1]
        and hashlib.sha256(memoryview(body)[:before_bytes]).hexdigest() == before_digest
    )
    return Taken(body[before_bytes:].lstrip() if added_to else body, digest)
