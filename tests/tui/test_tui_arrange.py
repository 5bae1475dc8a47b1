"""Where panes stand, at every size and with everything open."""

from itertools import combinations

import pytest
from textual.geometry import Region, Size

from gexdesk.tui.arrange import Wants, arrange

SIZES = [(80, 24), (80, 25), (100, 30), (120, 40), (139, 60), (140, 34), (160, 48), (220, 60), (300, 100)]
WANTS = [
    Wants(hidden=frozenset(hidden), table=table, dialog_rows=rows, sources=sources)
    for hidden in [(), (1,), (2,), (1, 2), (3,), (4,), (5,), (6,), (5, 6), (1, 2, 3, 5, 6)]
    for table in ("sources", "symbols")
    for rows in (0, 1, 5, 8)
    for sources in (1, 13, 240)
]


@pytest.mark.parametrize("size", SIZES)
def test_panes_never_overlap_and_never_leave_the_screen(size: tuple[int, int]) -> None:
    screen = Region(0, 0, *size)
    for wants in WANTS:
        regions = arrange(Size(*size), wants)
        assert all(screen.contains_region(region) for region in regions.values()), (wants, regions)
        for (one, a), (other, b) in combinations(regions.items(), 2):
            assert not a.overlaps(b), (wants, one, other, regions)


@pytest.mark.parametrize("size", SIZES)
def test_needs_you_stays_where_it_is_whatever_opens(size: tuple[int, int]) -> None:
    plain = arrange(Size(*size), Wants())
    assert plain["needs"].height == (6 if size[1] >= 44 else 4)
    for wants in WANTS:
        regions = arrange(Size(*size), wants)
        assert regions["needs"] == plain["needs"]
        assert regions["status"] == plain["status"]


@pytest.mark.parametrize("size", SIZES)
def test_the_table_with_the_cursor_is_always_there_with_rows(size: tuple[int, int]) -> None:
    for wants in WANTS:
        number = 3 if wants.table == "symbols" else 4
        if number in wants.hidden:
            continue
        assert arrange(Size(*size), wants)[wants.table].height >= 3, wants


def test_the_smallest_screen_keeps_what_it_must() -> None:
    regions = arrange(Size(80, 24), Wants())
    assert regions["both"].height == 5
    assert regions["sources"].height >= 9
    assert regions["guidelines"].height == 1
    assert {"status", "needs", "notice", "keys"} <= set(regions)


def test_a_wide_screen_shows_all_six_panels() -> None:
    assert {"waiting", "latency", "symbols", "sources", "guidelines", "decisions"} <= set(arrange(Size(160, 48), Wants()))


def test_sources_take_the_rows_they_need_and_symbols_the_rest() -> None:
    few, many = (arrange(Size(160, 48), Wants(sources=sources)) for sources in (13, 240))
    assert few["sources"].height == 14
    assert few["symbols"].height == 15
    assert few["sources"].bottom == few["symbols"].bottom + 15 == 46
    assert many["symbols"].height >= 11


def test_a_window_too_small_shows_only_that_and_a_dialog() -> None:
    assert set(arrange(Size(79, 24), Wants())) == {"small"}
    assert set(arrange(Size(60, 10), Wants(dialog_rows=3))) == {"small", "dialog"}


def test_tables_have_what_they_need_before_the_foot_has_the_rest() -> None:
    short, high = (arrange(Size(120, rows), Wants(sources=13, symbols=9)) for rows in (40, 60))
    assert short["guidelines"].height == 5
    assert short["sources"].height + short["symbols"].height >= 17
    assert (high["sources"].height, high["symbols"].height) == (14, 10)
    assert high["guidelines"].height > 9
    few = arrange(Size(120, 40), Wants(sources=13, symbols=2))
    assert few["sources"].height == 14


def test_a_small_desk_shows_both_tables_wherever_a_large_one_does() -> None:
    """What readers have is never hidden because there is little of it."""
    for rows in range(30, 60):
        large, small = (arrange(Size(120, rows), Wants(sources=many, symbols=many)) for many in (12, 2))
        assert {"symbols", "sources"} & set(large) <= {"symbols", "sources"} & set(small), rows
    assert {"symbols", "sources"} <= set(arrange(Size(120, 40), Wants(sources=2, symbols=2)))
