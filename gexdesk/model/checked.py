"""Small files that people can read and a flipped bit cannot change: JSON that holds the digest of what it says."""

import hashlib
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace


class Checked(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Be the content of such a file.

    Attributes:
        sha256: Of everything else, hex; empty where a person wrote the file.
    """

    sha256: str = ""


C = TypeVar("C", bound=Checked)


def as_checked(content: Checked) -> bytes:
    """Return the text of a file."""
    return msgspec.json.format(msgspec.json.encode(replace(content, sha256=_digest(content))))


def read_checked(text: bytes, kind: type[C]) -> C:
    """Return what a file says. Raises msgspec.DecodeError, UnicodeDecodeError where it is damaged."""
    content = msgspec.json.decode(text, type=kind)
    if content.sha256 and content.sha256 != _digest(content):
        raise msgspec.DecodeError("what it says does not fit the sha256 in it; take that line out if the change is yours")
    return content


def _digest(content: Checked) -> str:
    return hashlib.sha256(msgspec.json.encode(replace(content, sha256=""))).hexdigest()
