"""One layer of gzip or zstd, and every way it can be wrong."""

import gzip
import tracemalloc

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.formats.compression import FREE_BYTES, expand
from gexdesk.model.errors import MalformedPayload, OversizePayload, PayloadError
from gexdesk.model.text import printable

MB = 1024 * 1024
TEXT = b"".join(b"%d,%d\n" % (i, i * i % 7919) for i in range(60_000))


def zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


def zstd_streamed(body: bytes) -> bytes:
    """Compress without the size in the frame's header."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(body) + stream.flush()


LAYERS = {"gzip": gzip.compress, "zstd": zstd, "zstd_streamed": zstd_streamed}
every_layer = pytest.mark.parametrize("pack", LAYERS.values(), ids=LAYERS)


@every_layer
@pytest.mark.parametrize("body", [b"", b"x", b'{"a": 1}', TEXT], ids=["nothing", "a byte", "json", "large"])
def test_one_layer_comes_off(pack, body: bytes) -> None:
    assert expand(pack(body)) == body


@every_layer
def test_members_in_a_row_are_one_document(pack) -> None:
    assert expand(pack(TEXT) + pack(b"") + pack(b"end")) == TEXT + b"end"


@pytest.mark.parametrize("body", [b"", b"plain", b'{"a":1}', b"\x1f", b"PAR1", b"\x28\xb5\x2f"])
def test_other_bytes_pass(body: bytes) -> None:
    assert expand(body) == body


@every_layer
def test_a_cut_payload_is_refused(pack) -> None:
    packed = pack(TEXT)
    for keep in {4, 10, 20, len(packed) // 2, len(packed) - 9, len(packed) - 4, len(packed) - 1}:
        with pytest.raises(MalformedPayload, match=r"cut|broken"):
            expand(packed[:keep])


@every_layer
@pytest.mark.parametrize("tail", [b"x", b"\x00" * 8, b"\x1f", b"{}" * 5000])
def test_bytes_behind_it_are_refused(pack, tail: bytes) -> None:
    packed = pack(TEXT)
    with pytest.raises(MalformedPayload, match=rf"other bytes follow the \w+ payload at byte {len(packed)}"):
        expand(packed + tail)


def test_a_wrong_checksum_is_refused() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-5] ^= 1
    with pytest.raises(MalformedPayload, match="broken"):
        expand(bytes(packed))


@pytest.mark.parametrize("outer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("inner", LAYERS.values(), ids=LAYERS)
def test_a_second_layer_is_refused(outer, inner) -> None:
    with pytest.raises(MalformedPayload, match="one layer"):
        expand(outer(inner(TEXT)))


@every_layer
def test_the_cap_is_exact(pack) -> None:
    packed = pack(TEXT)
    assert expand(packed, cap_bytes=len(TEXT)) == TEXT
    with pytest.raises(OversizePayload, match=f"beyond {len(TEXT) - 1} bytes"):
        expand(packed, cap_bytes=len(TEXT) - 1)
    with pytest.raises(OversizePayload, match="allowed: 9"):
        expand(b"0123456789", cap_bytes=9)


@every_layer
def test_a_high_ratio_is_free_up_to_a_megabyte_and_no_further(pack) -> None:
    assert len(expand(pack(b"0" * FREE_BYTES))) == FREE_BYTES
    with pytest.raises(OversizePayload, match="100 times its"):
        expand(pack(b"0" * (FREE_BYTES + 1)))


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_a_bomb_never_unfolds(pack) -> None:
    bomb = pack(b"\0" * (200 * MB))
    tracemalloc.start()
    try:
        with pytest.raises(OversizePayload):
            expand(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 70 * MB


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(sorted(LAYERS)), st.integers(0, 10**6), st.integers(0, 255), st.binary(max_size=40))
def test_damaged_bytes_are_refused_or_expand(layer: str, at: int, byte: int, tail: bytes) -> None:
    packed = bytearray(LAYERS[layer](TEXT[:5000]))
    packed[at % len(packed)] = byte
    for body in (bytes(packed), bytes(packed[:4]) + tail):
        try:
            refused = ""
            expand(body)
        except PayloadError as error:
            refused = error.message
        assert refused == printable(refused, 1000)
