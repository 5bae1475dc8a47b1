"""Undo a Content-Encoding piece by piece: bounded, complete, one layer.

The HTTP library's own decoders let a cut-off gzip body pass as whole and drop the second member of one that has two;
here a body that is not complete is no body.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

from gexdesk.model.errors import FetchError, OversizePayload
from gexdesk.model.text import printable

ACCEPTED = "zstd, gzip"
"""What a request offers to take, as an Accept-Encoding header."""

_RATIO = 100
_FREE_BYTES = 4 << 20  # only above this is a bomb told from dense data
_GZIP_STEP_BYTES = 1 << 20
_ZSTD_INPUT_BYTES = 1 << 10  # zstd packs up to 32,573:1, so one step gives 32 MB at the worst
_ZSTD_WINDOW_BYTES = 8 << 20  # RFC 9659: no content coding needs a larger window


class _Coding(Protocol):
    complete: bool

    def expand(self, data: bytes) -> Iterator[bytes]: ...


class _Identity:
    complete = True

    def expand(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Gzip:
    def __init__(self) -> None:
        self.complete = False
        self._member = zlib.decompressobj(wbits=31)

    def expand(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self.complete:  # another member follows
                    self.__init__()  # type: ignore[misc]
                yield from self._one_member(data)
                self.complete = self._member.eof
                data = self._member.unused_data
        except zlib.error as error:
            raise FetchError(f"the body is not the gzip it claims to be: {printable(str(error), 80)}") from None

    def _one_member(self, data: bytes) -> Iterator[bytes]:
        while True:
            yield self._member.decompress(data, _GZIP_STEP_BYTES)
            data = self._member.unconsumed_tail
            # Output that stays inside comes out with the checksum, which follows every member.
            if self._member.eof or not data:
                return


class _Zstd:
    def __init__(self) -> None:
        import zstandard

        self.complete = False
        self._fault = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._frame = self._decompressor.decompressobj()

    def expand(self, data: bytes) -> Iterator[bytes]:
        try:
            for start in range(0, len(data), _ZSTD_INPUT_BYTES):
                part = data[start : start + _ZSTD_INPUT_BYTES]
                while part:
                    if self.complete:  # another frame follows
                        self._frame = self._decompressor.decompressobj()
                    yield self._frame.decompress(part)
                    self.complete = self._frame.eof
                    part = self._frame.unused_data if self.complete else b""
        except self._fault as error:
            raise FetchError(f"the body is not the zstd it claims to be: {printable(str(error), 80)}") from None


class _Deflate:
    """Undo ``deflate``, which is zlib's format by RFC 9110 and the bare one by the habit of some servers."""

    def __init__(self) -> None:
        self.complete = False
        self._stream = zlib.decompressobj()
        self._begun = b""

    def expand(self, data: bytes) -> Iterator[bytes]:
        if self.complete:
            raise FetchError("the body is not the deflate it claims to be: bytes behind its end")
        if len(self._begun) < 2:
            data, self._begun = self._begun + data, (self._begun + data)[:2]
            if len(self._begun) < 2:
                return
            # RFC 1950: method 8 in the low bits, and the two bytes a multiple of 31.
            if self._begun[0] & 15 != 8 or int.from_bytes(self._begun, "big") % 31:
                self._stream = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        try:
            full = True
            while (data or full) and not self._stream.eof:
                piece = self._stream.decompress(data, _GZIP_STEP_BYTES)
                yield piece
                data, full = self._stream.unconsumed_tail, len(piece) == _GZIP_STEP_BYTES
        except zlib.error as error:
            raise FetchError(f"the body is not the deflate it claims to be: {printable(str(error), 80)}") from None
        self.complete = self._stream.eof
        if self._stream.unused_data:
            raise FetchError("the body is not the deflate it claims to be: bytes behind its end")


_CODINGS: dict[str, type[_Identity] | type[_Gzip] | type[_Deflate] | type[_Zstd]] = {
    "": _Identity,
    "identity": _Identity,
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,  # not offered, for its two readings; taken where it comes all the same
    "zstd": _Zstd,
}


class Expander:
    """Turn a body as sent into the body as meant.

    Args:
        encoding: The Content-Encoding header; empty and ``identity`` mean none.
        cap_bytes: Most bytes that may come out.

    Raises:
        FetchError: The encoding was not offered, or there are several layers.
    """

    def __init__(self, encoding: str, cap_bytes: int) -> None:
        coding = _CODINGS.get(encoding.strip().lower())
        if coding is None:
            raise FetchError(f"the answer came in content encoding {printable(encoding, 40)!r}: only one of {ACCEPTED} was offered")
        self._coding: _Coding = coding()
        self._cap_bytes = cap_bytes
        self._in_bytes = 0
        self._out_bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what this piece of the body expands to, in bounded steps.

        Raises:
            OversizePayload: More than ``cap_bytes`` came out, or more than 100 times what went in.
            FetchError: The bytes are not in the encoding they claim.
        """
        self._in_bytes += len(data)
        if self._in_bytes > self._cap_bytes:  # empty gzip members give nothing for ever
            raise OversizePayload(f"the body is larger than {self._cap_bytes:,} bytes: given up")
        for piece in self._coding.expand(data):
            self._out_bytes += len(piece)
            if self._out_bytes > self._cap_bytes:
                raise OversizePayload(f"the body is larger than {self._cap_bytes:,} bytes: given up")
            if self._out_bytes > max(_FREE_BYTES, _RATIO * self._in_bytes):
                raise OversizePayload(f"the body expands to more than {_RATIO} times its size: given up")
            yield piece

    def finish(self) -> None:
        """Check that the body was complete.

        Raises:
            FetchError: It ended inside a member or frame.
        """
        if self._in_bytes and not self._coding.complete:
            raise FetchError(f"the compressed body was cut off after {self._in_bytes:,} bytes", passing=True)
