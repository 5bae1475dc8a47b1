"""What every format owes, whatever its layout. Subclass ``FormatContract`` once a format."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gexdesk.formats.base import Format
from gexdesk.formats.detect import FORMATS, choose, decode
from gexdesk.model.errors import PayloadError
from gexdesk.model.market import DERIBIT
from gexdesk.model.snapshot import Chain, Snapshot, StrikeTable
from gexdesk.model.text import printable, symbol_of
from tests.contracts.decode_child import Apart

HEAD = 65_536
bounded = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


def assert_sound(snapshot: Snapshot) -> None:
    """Check all that the readers of a snapshot rely on."""
    assert snapshot.format in FORMATS
    assert symbol_of(snapshot.symbol) == snapshot.symbol
    assert 631_152_000 <= snapshot.quoted_at < 4_133_980_800
    assert math.isfinite(snapshot.as_of)
    assert snapshot.spot is None or 0 < snapshot.spot < math.inf
    assert snapshot.multiplier is None or 0 < snapshot.multiplier < math.inf
    assert snapshot.vendor_net_gex is None or math.isfinite(snapshot.vendor_net_gex)
    assert snapshot.vendor_zero_gamma is None or 0 < snapshot.vendor_zero_gamma < math.inf
    assert all(warning and warning == printable(warning, 1000) for warning in snapshot.warnings)
    assert (snapshot.chain is None) != (snapshot.given is None)
    if snapshot.chain is not None:
        assert_sound_chain(snapshot.chain)
    if snapshot.given is not None:
        assert_sound_table(snapshot.given)


def assert_sound_chain(chain: Chain) -> None:
    n = len(chain)
    assert n > 0
    assert (chain.root.dtype, chain.expiry.dtype, chain.is_call.dtype) == (np.int32, np.int32, np.bool_)
    assert len(chain.root) == len(chain.expiry) == len(chain.is_call) == n
    assert sorted(set(chain.root.tolist())) == list(range(len(chain.roots)))
    names = [root.removesuffix(DERIBIT) for root in chain.roots]
    assert all(1 <= len(name) <= 6 and name.isascii() and name.isalnum() for name in names)
    assert len(set(chain.roots)) == len(chain.roots)
    keys = set(zip(chain.root.tolist(), chain.expiry.tolist(), chain.is_call.tolist(), chain.strike.tolist(), strict=True))
    assert len(keys) == n
    for name in ("strike", "bid", "ask", "iv", "gamma", "delta", "open_interest", "volume"):
        column = getattr(chain, name)
        assert column.dtype == np.float64
        assert len(column) == n
        assert not np.isinf(column).any()
    assert (chain.strike > 0).all()
    for name in ("bid", "ask", "open_interest", "volume"):
        assert not (getattr(chain, name) < 0).any()
    assert not (chain.iv <= 0).any()


def assert_sound_table(table: StrikeTable) -> None:
    n = len(table)
    assert n > 0
    assert (np.diff(table.strike) > 0).all()
    assert (table.strike > 0).all()
    for name in table.__slots__:
        column = getattr(table, name)
        assert column.dtype == np.float64
        assert len(column) == n
        assert not np.isinf(column).any()
    for name in ("call_open_interest", "put_open_interest", "call_volume", "put_volume"):
        assert not (getattr(table, name) < 0).any()


def decode_or_refuse(part: Format, body: bytes) -> list[Snapshot] | None:
    """Decode, or return None on the one kind of error that is allowed, whose word must be one printable line."""
    try:
        snapshots = part.decode(body)
    except PayloadError as error:
        refused = error.message
    else:
        refused = ""
    if refused:
        assert refused == printable(refused, 2000)
        return None
    assert len(snapshots) > 0
    for snapshot in snapshots:
        assert_sound(snapshot)
    return list(snapshots)


class FormatContract:
    """Give ``part``, one good ``sample`` (small), and the samples of the others; every test below then holds.

    Attributes:
        cut_is_seen: Whether a document that lost its end is always refused; rows of a table or whole lines can go unseen.
        is_text: Whether it is a text format; one that is not is broken in a process of its own, which its reader may abort.
    """

    part: Format
    sample: bytes
    strangers: Mapping[str, bytes]
    cut_is_seen: bool = True
    is_text: bool = True
    apart: Apart

    @pytest.fixture(autouse=True, scope="class")
    def _process(self, request: pytest.FixtureRequest) -> Iterator[None]:
        request.cls.apart = Apart(self.part.name)
        yield
        request.cls.apart.close()

    def decodes(self, body: bytes) -> bool:
        """Decode a broken document: False where it is refused (or ends its process, where it has one of its own)."""
        if self.is_text:
            return decode_or_refuse(self.part, body) is not None
        outcome = self.apart.outcome(body)
        assert outcome in ("sound", "refused", "died"), outcome
        return outcome == "sound"

    def test_is_listed_under_its_name(self) -> None:
        assert FORMATS[self.part.name].name == self.part.name
        assert self.part.default_delay_s >= 0

    def test_recognises_and_decodes_its_own(self) -> None:
        assert self.part.recognises(self.sample[:HEAD]) == ""
        assert choose(self.sample[:HEAD], None).name == self.part.name
        assert decode_or_refuse(self.part, self.sample) is not None

    def test_takes_a_byte_order_mark_before_a_text_alone(self) -> None:
        marked = b"\xef\xbb\xbf" + self.sample
        if not self.is_text:
            assert decode_or_refuse(self.part, marked) is None
            return
        assert choose(marked[:HEAD], None).name == self.part.name
        assert decode_or_refuse(self.part, marked) is not None

    def test_refuses_every_other_layout_and_says_why(self) -> None:
        for name, body in self.strangers.items():
            why = self.part.recognises(body[:HEAD])
            assert why, name
            assert why == printable(why, 200)
            with pytest.raises(PayloadError):
                self.part.decode(body)

    def test_any_cut_is_refused_or_leaves_a_sound_snapshot(self) -> None:
        end = len(self.sample.rstrip())
        for offset in sorted({*range(0, end, max(1, end // 160)), *range(max(0, end - 40), end)}):
            assert not self.decodes(self.sample[:offset]) or not self.cut_is_seen, f"cut at byte {offset} of {end}"

    def test_a_shift_moves_as_of_alone(self) -> None:
        for plain, shifted in zip(self.part.decode(self.sample), self.part.decode(self.sample, 86_400.5), strict=True):
            assert shifted.as_of == plain.as_of + 86_400.5
            assert shifted.quoted_at == plain.quoted_at == plain.as_of
            assert shifted.spot == plain.spot
            if plain.chain is not None and shifted.chain is not None:
                assert (shifted.chain.expiry == plain.chain.expiry).all()

    @bounded
    @given(data=st.data())
    def test_flipped_bytes_are_refused_or_leave_a_sound_snapshot(self, data: st.DataObject) -> None:
        body = bytearray(self.sample)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(body) - 1))
            body[at] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'0-9eE+.,:"{}[]\n\\ \x00\xff')))
        self.decodes(bytes(body))

    @bounded
    @given(data=st.data())
    def test_moved_pieces_are_refused_or_leave_a_sound_snapshot(self, data: st.DataObject) -> None:
        place = st.integers(0, len(self.sample))
        first, last = sorted((data.draw(place), data.draw(place)))
        at = data.draw(place)
        self.decodes(self.sample[:at] + self.sample[first:last] + self.sample[at:])
        self.decodes(self.sample[:first] + self.sample[last:])

    @bounded
    @given(st.binary(max_size=200))
    def test_any_bytes_are_refused(self, body: bytes) -> None:
        assert not self.decodes(body)
        with pytest.raises(PayloadError) as refused:
            decode(body)
        assert refused.value.message == printable(refused.value.message, 2000)
