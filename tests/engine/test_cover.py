"""How much of a gap history covers, whatever its pace and however late its stamps are."""

from hypothesis import assume, given
from hypothesis import strategies as st

from gexdesk.engine.cover import PACE_S, cover, touches, window
from gexdesk.stores.base import GapRecord

FROM_AT = 1_770_000_000.0


def gap(lasted_s: float | None, missed: int | None) -> GapRecord:
    to_at = None if lasted_s is None else FROM_AT + lasted_s
    return GapRecord("SPX", "feed", FROM_AT, to_at, missed, True, None, "silent")


@given(st.integers(3, 300), st.sampled_from([1.0, 2.0, 5.0, 30.0]), st.sampled_from([1, 2, 12, 60]), st.floats(0.0, 1_000.0))
def test_history_without_a_hole_fills_a_gap_at_whatever_pace_it_is_kept(
    missed: int, every_s: float, slower: int, delay_s: float
) -> None:
    record = gap(missed * every_s, missed)
    apart_s = every_s * slower
    assume(apart_s <= PACE_S)  # of a single snapshot nobody can tell the pace
    around = range(-int(PACE_S // apart_s), int((missed * every_s + PACE_S) // apart_s) + 1)
    stamps = [FROM_AT - delay_s + apart_s * number for number in around]
    found = cover(record, stamps, every_s, delay_s)
    assert found.enough == (found.brought > 0)
    assert found.wanted <= missed
    assert abs(found.wanted - missed / slower) <= 1.0


@given(st.integers(30, 300), st.floats(0.0, 1_000.0))
def test_history_with_a_hole_of_a_fifth_does_not(missed: int, delay_s: float) -> None:
    record = gap(missed * 5.0, missed)
    stamps = [FROM_AT - delay_s + 5.0 * number for number in range(missed) if number >= missed / 5]
    found = cover(record, stamps, 5.0, delay_s)
    assert (found.brought < missed, found.wanted, found.enough) == (True, missed, False)


def test_what_lies_beside_a_gap_is_none_of_it_and_one_that_goes_on_has_no_end() -> None:
    ended, lasting = gap(60.0, 12), gap(None, None)
    assert cover(ended, [FROM_AT - 5.0, FROM_AT + 70.0], 5.0, 0.0) == (0, 1)
    assert not touches(ended, FROM_AT + 62.0, FROM_AT + 900.0, 0.0)
    assert touches(ended, FROM_AT - 870.0, FROM_AT - 850.0, 900.0), "a feed a quarter of an hour late"
    assert touches(lasting, FROM_AT + 9e6, FROM_AT + 9e6, 0.0)
    assert not touches(lasting, FROM_AT - 60.0, FROM_AT - 10.0, 0.0)
    assert window(ended, 900.0) == (FROM_AT - 900.0 - PACE_S, FROM_AT + 60.0 - 900.0 + PACE_S)


def test_of_a_source_whose_pace_nobody_knows_one_snapshot_is_enough() -> None:
    assert cover(gap(60.0, None), [FROM_AT + 30.0], None, 0.0).enough
    assert not cover(gap(60.0, None), [], None, 0.0).enough
