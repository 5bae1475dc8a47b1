"""Latency histograms against numpy and plain lists."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.metrics.histogram import LatencyHistogram
from gexdesk.model.view.level import HISTOGRAM_EDGES_S

DAY_S = 86_400.0
LATENCIES = st.lists(
    st.floats(1e-6, DAY_S) | st.floats(-6, 4.9).map(lambda power: 10**power) | st.sampled_from([*HISTOGRAM_EDGES_S, 1e-6, DAY_S]),
    min_size=1,
    max_size=60,
)
PERCENTS = st.sampled_from([0, 1, 25, 50, 75, 90, 95, 99, 99.9, 100])


def of(latencies):
    histogram = LatencyHistogram()
    for seconds in latencies:
        histogram.record(seconds)
    return histogram


@given(LATENCIES, PERCENTS)
@settings(max_examples=400, deadline=None)
def test_percentiles_lie_within_one_percent_of_numpys(latencies, percent):
    exact = float(np.percentile(latencies, percent, method="inverted_cdf"))
    assert of(latencies).percentile(percent) == pytest.approx(exact, rel=0.01)


def test_every_single_value_lies_within_one_percent():
    for power in range(1, 11_000):
        seconds = 1e-6 * 1.0023**power
        if seconds > DAY_S:
            break
        assert of([seconds, DAY_S]).percentile(50) == pytest.approx(seconds, rel=0.01)
    assert power > 10_900


@given(LATENCIES)
@settings(max_examples=200, deadline=None)
def test_count_mean_and_max_are_exact(latencies):
    histogram = of(latencies)
    assert histogram.count == len(latencies)
    assert histogram.max_s == max(latencies) == histogram.percentile(100)
    assert histogram.mean_s == pytest.approx(sum(latencies) / len(latencies), rel=1e-12)


@given(LATENCIES)
@settings(max_examples=300, deadline=None)
def test_drawn_counts_every_latency_once_where_it_belongs(latencies):
    drawn = of(latencies).drawn(HISTOGRAM_EDGES_S)
    assert len(drawn) == len(HISTOGRAM_EDGES_S) + 1
    assert sum(drawn) == len(latencies)
    for position, edge in enumerate(HISTOGRAM_EDGES_S):
        least = sum(seconds <= edge for seconds in latencies)
        most = sum(seconds <= edge * (1 + 1 / 64) for seconds in latencies)
        assert least <= sum(drawn[: position + 1]) <= most


def test_an_edge_is_the_upper_one_of_its_bucket():
    for position, edge in enumerate(HISTOGRAM_EDGES_S):
        assert of([edge]).drawn(HISTOGRAM_EDGES_S)[position] == 1
        assert of([edge * 1.02]).drawn(HISTOGRAM_EDGES_S)[position + 1] == 1


def test_the_empty_one_knows_nothing():
    histogram = LatencyHistogram()
    assert (histogram.count, histogram.percentile(50), histogram.max_s, histogram.mean_s) == (0, None, None, None)
    assert histogram.drawn(HISTOGRAM_EDGES_S) == (0,) * 28


def test_beyond_the_range_nothing_is_lost():
    histogram = of([-0.5, 0.0, 1e-9, 3 * DAY_S])
    assert histogram.count == 4
    assert histogram.percentile(50) < 1e-6
    assert histogram.max_s == 3 * DAY_S
    assert histogram.percentile(100) == 3 * DAY_S
    assert histogram.mean_s == pytest.approx((1e-9 + 3 * DAY_S) / 4)
    assert sum(histogram.drawn(HISTOGRAM_EDGES_S)) == 4


@pytest.mark.parametrize("seconds", [math.nan, math.inf])
def test_what_is_no_number_is_refused_and_leaves_no_trace(seconds):
    histogram = LatencyHistogram()
    with pytest.raises(ValueError, match="finite"):
        histogram.record(seconds)
    assert histogram.count == sum(histogram.drawn(HISTOGRAM_EDGES_S)) == 0


@pytest.mark.parametrize("percent", [-0.1, 100.1, math.nan])
def test_there_are_no_percentiles_outside_of_a_hundred(percent):
    with pytest.raises(ValueError, match="between 0 and 100"):
        of([1.0]).percentile(percent)
