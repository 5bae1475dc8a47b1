"""Roots and expiration dates as groups, and how long each has to live."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from gex_chains import EXPIRY, Row, chain_of
from hypothesis import given
from hypothesis import strategies as st

from gexdesk.gex.series import Series, distinct, iso_date, series_of
from gexdesk.model.snapshot import F8, Chain


def day(year: int, month: int, of_month: int) -> int:
    return (date(year, month, of_month) - date(1970, 1, 1)).days


def years(chain: Chain, quoted_at: float) -> F8:
    series = series_of(chain, quoted_at)
    return series.years[series.of]


def test_years_count_to_each_root_s_own_settlement() -> None:
    friday = day(2026, 1, 16)
    quoted_at = datetime(2026, 1, 15, 14, 30, tzinfo=UTC).timestamp()  # 09:30 in New York on Thursday
    rows = [Row(root="SPXW", expiry=friday), Row(root="SPX", expiry=friday), Row(root="SPXW", expiry=friday - 1)]
    # SPXW Friday 16:00 is 30.5 h = 1,830 minutes away, SPX 09:30 24 h = 1,440 minutes, SPXW Thursday 16:00 390 minutes.
    assert years(chain_of(rows), quoted_at) == pytest.approx([1830 / 525_600, 1440 / 525_600, 390 / 525_600], rel=1e-12)


def test_years_are_shorter_over_the_spring_change_and_negative_after_settlement() -> None:
    monday = day(2026, 3, 9)
    friday_close = datetime(2026, 3, 6, 21, 0, tzinfo=UTC).timestamp()
    found = years(chain_of([Row(expiry=monday), Row(expiry=monday - 4)]), friday_close)
    # Friday 16:00 to Monday 16:00 is 71 hours on that weekend; Thursday's contracts ended 24 hours ago.
    assert found == pytest.approx([71 * 60 / 525_600, -24 * 60 / 525_600], rel=1e-12)


def test_an_early_close_ends_the_day_s_contracts_at_one() -> None:
    early = day(2026, 11, 27)
    at_noon = datetime(2026, 11, 27, 17, 0, tzinfo=UTC).timestamp()
    assert years(chain_of([Row(expiry=early)]), at_noon) == pytest.approx([60 / 525_600], rel=1e-12)


def test_groups_are_in_order_of_date_and_know_their_contracts() -> None:
    rows = [Row(root=root, expiry=EXPIRY + offset) for root, offset in [("B", 7), ("A", 7), ("B", 0), ("A", 7)]]
    series = series_of(chain_of(rows), 0.0)
    assert (series.expiry.tolist(), series.root.tolist()) == ([EXPIRY, EXPIRY + 7, EXPIRY + 7], [1, 0, 1])
    assert series.of.tolist() == [2, 1, 0, 1]
    days, of = series.days()
    assert (days.tolist(), of.tolist()) == ([EXPIRY, EXPIRY + 7], [0, 1, 1])


def test_no_contracts_make_no_groups() -> None:
    series = series_of(chain_of([]), 0.0)
    assert (len(series), len(series.of), len(series.days()[0])) == (0, 0, 0)


def test_a_date_beyond_the_calendar_is_refused() -> None:
    with pytest.raises((ValueError, OverflowError)):
        series_of(chain_of([Row(expiry=2**31 - 1)]), 0.0)


@given(st.lists(st.one_of(st.integers(-50, 50), st.integers(-(2**40), 2**40)), max_size=30))
def test_distinct_is_what_a_sort_says(values: list[int]) -> None:
    found, of = distinct(np.array(values, dtype=np.int64))
    assert found.tolist() == sorted(set(values))
    assert [found[place] for place in of] == values


def test_dates_read_as_iso() -> None:
    assert iso_date(day(2026, 3, 20)) == "2026-03-20"
    assert isinstance(series_of(chain_of([Row()]), 0.0), Series)
