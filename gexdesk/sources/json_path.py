"""Find one field in a JSON message without building the rest of it."""

from typing import Any

import msgspec

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class JsonPath:
    """Name a field of a JSON document by the names of the objects around it.

    Args:
        path: Names joined by dots, the outermost first, e.g. ``data.seq``.
    """

    def __init__(self, path: str) -> None:
        self._names = path.split(".")

    def stands_in(self, document: bytes) -> bool:
        """Say whether the field is there and not null."""
        return self._raw(document) not in (None, b"null")

    def of(self, document: bytes) -> Any:
        """Return the field's value; None where it is not there or the document is no JSON."""
        raw = self._raw(document)
        try:
            return None if raw is None else msgspec.json.decode(raw)
        except _UNREADABLE:
            return None

    def _raw(self, document: bytes) -> bytes | None:
        for name in self._names:
            try:
                found = _OBJECT.decode(document).get(name)
            except _UNREADABLE:
                return None
            if found is None:
                return None
            document = bytes(found)
        return document
