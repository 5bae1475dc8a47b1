"""Rates and trends against plain lists of events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.metrics.rate import Rate, Trend
from gexdesk.model.view.level import TREND_SECONDS

STEPS = st.lists(st.tuples(st.floats(0, 4), st.integers(0, 5)), max_size=60)


@given(STEPS, st.floats(0, 15), st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_the_window_holds_what_a_list_of_events_says(steps, later, window_s):
    rate, events, at = Rate(window_s), [], 1_000.0
    for step, count in steps:
        at += step
        rate.add(at, count)
        events.append((at, count))
    now = at + later
    assert rate.total(now) == sum(count for when, count in events if int(when) > int(now) - window_s)


def test_a_steady_stream_is_read_as_it_is():
    rate = Rate()
    for tick in range(4 * 60):
        rate.add(50.0 + tick / 4)
    for now in (109.75, 109.9, 109.999):
        assert rate.per_s(now) == pytest.approx(4.0, abs=0.12)


def test_it_falls_to_zero_when_nothing_comes():
    rate = Rate()
    rate.add(100.0, 50)
    assert rate.per_s(100.5) == pytest.approx(50 / 9.5)
    assert rate.total(109.9) == 50
    assert rate.per_s(110.0) == 0.0
    assert rate.per_s(1e6) == 0.0


def test_a_cell_is_used_again_for_another_second():
    rate = Rate(10)
    rate.add(5.0, 3)
    rate.add(15.0, 1)
    assert rate.total(15.5) == 1


def test_the_future_does_not_count_yet():
    rate = Rate()
    rate.add(105.0)
    assert rate.total(100.0) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), min_size=1, max_size=80))
@settings(max_examples=200, deadline=None)
def test_a_trend_has_one_sample_a_second(steps):
    trend, by_second, second = Trend(), {}, 1_000
    for step, value in steps:
        second += step
        trend.sample(second + 0.4, value)
        by_second[second] = value
    expected, last = [], 0
    for each in range(min(by_second), second + 1):
        last = by_second.get(each, last)
        expected.append(last)
    assert trend.values() == tuple(expected[-TREND_SECONDS:])


def test_a_trend_keeps_two_minutes_and_survives_a_long_gap_and_a_clock_set_back():
    trend = Trend()
    assert trend.values() == ()
    for second in range(500):
        trend.sample(float(second), second)
    assert trend.values() == tuple(range(380, 500))
    trend.sample(1e9, 7)
    assert trend.values() == (499,) * 119 + (7,)
    trend.sample(5.0, 8)
    assert trend.values() == (499,) * 119 + (8,)
