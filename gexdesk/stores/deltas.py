"""Compress a sequence of documents that resemble each other: now and then one whole, the others against it."""

import zstandard
from msgspec import Struct

from gexdesk.model.errors import StoreError

COMPRESSION = 3
LARGEST_BYTES = 64 * 1024 * 1024
"""A document that claims to be larger is damaged."""


class Delta(Struct, frozen=True):
    """Hold one compressed document; ``whole`` where it needs no other to be read, else it needs the last whole one before it."""

    whole: bool
    data: bytes


class Deltas:
    """Compress one document after the other.

    Args:
        every: A whole one comes after so many.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._count = 0
        self._against: zstandard.ZstdCompressor | None = None

    def add(self, document: bytes) -> Delta:
        """Compress the next document."""
        if self._against is None or self._count >= self._every:
            self._count = 1
            self._against = zstandard.ZstdCompressor(level=COMPRESSION, dict_data=_as_dictionary(document))
            return Delta(True, zstandard.ZstdCompressor(level=COMPRESSION).compress(document))
        self._count += 1
        return Delta(False, self._against.compress(document))

    def begin_anew(self) -> None:
        """Make the next one whole."""
        self._against = None


def restored(delta: Delta, whole: Delta) -> bytes:
    """Return a document again.

    Args:
        whole: The last whole one up to it; itself where it is whole.

    Raises:
        StoreError: The bytes are damaged.
    """
    try:
        base = zstandard.ZstdDecompressor().decompress(whole.data, max_output_size=LARGEST_BYTES)
        if delta.whole:
            return base
        return zstandard.ZstdDecompressor(dict_data=_as_dictionary(base)).decompress(delta.data, max_output_size=LARGEST_BYTES)
    except zstandard.ZstdError as error:
        raise StoreError(f"a recorded document is damaged: {error}") from error


def _as_dictionary(document: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(document, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
