from collections import Counter
from itertools import islice, pairwise

import pytest

from gexdesk.certify.load import FEEDS, PEAK_S, ROUND_S, Size, Turn, schedule


def counted(seconds: float, peak: tuple[float, float] | None, begins: float, ends: float) -> Counter[Size]:
    return Counter(due.feed.size for due in schedule(seconds, peak) if begins <= due.at_s < ends)


def test_a_round_is_the_promised_one() -> None:
    found = counted(4 * ROUND_S, None, ROUND_S, 2 * ROUND_S)
    assert found == {Size.LARGE: 1, Size.MIDDLE: 2, Size.SMALLER: 4, Size.SMALL: 40, Size.DOCUMENT: 300}
    assert len(FEEDS) == len({feed.name for feed in FEEDS}) == 30
    assert {feed.kind for feed in FEEDS} == {"http", "directory", "replay"}


def test_the_peak_brings_ten_times_the_documents_and_the_small_chains() -> None:
    found = counted(90, (30, 60), 30, 60)
    assert found[Size.DOCUMENT] == 10 * 20 * PEAK_S
    assert found[Size.SMALL] == 10 * 40 * PEAK_S / ROUND_S
    assert (found[Size.LARGE], found[Size.MIDDLE], found[Size.SMALLER]) == (2, 4, 8)
    assert counted(90, (30, 60), 60, 75)[Size.DOCUMENT] == pytest.approx(300, abs=6)  # and is over when it is over


def test_a_twentieth_is_critical() -> None:
    for peak in (None, (30.0, 60.0)):
        turns = Counter(due.feed.turn(due.number) for due in schedule(600, peak))
        assert turns[Turn.CRITICAL] / turns.total() == pytest.approx(0.05, abs=0.005)
        assert all(turns[turn] for turn in Turn)


def test_each_critical_document_of_a_symbol_goes_over_to_the_other_shape_and_no_other_does() -> None:
    for feed in FEEDS:
        for place in range(len(feed.symbols)):
            numbers = range(place, 80 * len(feed.symbols), len(feed.symbols))
            for before, number in pairwise(numbers):
                assert (feed.moved(before) != feed.moved(number)) == (feed.turn(number) is Turn.CRITICAL)
            assert not feed.moved(place)


def test_every_large_chain_is_critical_in_its_second_round() -> None:
    for feed in FEEDS:
        if feed.size in (Size.LARGE, Size.MIDDLE, Size.SMALLER):
            assert feed.turn(1) is Turn.CRITICAL


def test_it_is_in_order_of_time_and_the_same_each_time() -> None:
    first = list(islice(schedule(120, (60, 90)), 5_000))
    assert first == list(islice(schedule(120, (60, 90)), 5_000))
    assert all(a.at_s <= b.at_s for a, b in pairwise(first))
    numbers: dict[str, int] = {}
    for due in first:
        assert due.number == numbers.get(due.feed.name, 0)
        numbers[due.feed.name] = due.number + 1


def test_what_is_critical_matters_and_nothing_of_the_delayed_or_minor_is() -> None:
    for feed in FEEDS:
        critical = any(feed.turn(number) is Turn.CRITICAL for number in range(500))
        assert critical == feed.matters
        if feed.delay_s or (feed.size is Size.DOCUMENT and feed.open_interest <= 100_000):
            assert not critical
