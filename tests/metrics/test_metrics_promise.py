"""Promises, priority deviation and the time until a queue is empty."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gexdesk.metrics.deviation import Deviation
from gexdesk.metrics.drain import drain_s
from gexdesk.metrics.slo import Promises
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level

PROMISED = {Level.CRITICAL: 30.0, Level.HIGH: 300.0, Level.MEDIUM: 1800.0}


@pytest.mark.parametrize(("level", "promise_s"), PROMISED.items())
def test_a_promise_is_kept_to_the_very_second(level, promise_s):
    promises = Promises()
    assert [promises.record(level, seconds) for seconds in (0.0, promise_s, promise_s + 0.001)] == [True, True, False]
    assert (promises[level].within, promises[level].latency.count, promises[level].latency.max_s) == (2, 3, promise_s + 0.001)
    assert (promises.kept, promises.total) == (2, 3)


def test_best_effort_promises_nothing_and_misses_nothing():
    promises = Promises()
    assert promises.record(Level.LOW, 1e5) is True
    assert (promises[Level.LOW].within, promises[Level.LOW].latency.count) == (1, 1)
    assert (promises.kept, promises.total) == (0, 0)


def test_levels_are_counted_apart_and_promises_can_be_tightened():
    promises = Promises({**DEFAULT_PROMISE_S, Level.HIGH: 60.0, Level.LOW: 3600.0})
    assert promises.record(Level.HIGH, 61.0) is False
    assert promises.record(Level.LOW, 3601.0) is False
    assert promises.record(Level.MEDIUM, 61.0) is True
    assert [promises[level].latency.count for level in LEVELS] == [0, 1, 1, 1]
    assert (promises.kept, promises.total) == (1, 3)


def test_what_is_no_number_counts_nowhere():
    promises = Promises()
    with pytest.raises(ValueError, match="finite"):
        promises.record(Level.CRITICAL, float("nan"))
    assert (promises[Level.CRITICAL].within, promises[Level.CRITICAL].latency.count) == (0, 0)


@pytest.mark.parametrize(("dispatched", "waits"), product(LEVELS, LEVELS))
def test_only_a_strictly_higher_waiting_job_makes_a_dispatch_deviate(dispatched, waits):
    deviation = Deviation()
    assert deviation.record(dispatched, {level: 3 if level is waits else 0 for level in LEVELS}) is (waits.rank < dispatched.rank)
    assert deviation.dispatches == 1
    assert deviation.share == (1.0 if waits.rank < dispatched.rank else 0.0)


def test_the_share_is_over_all_dispatches():
    deviation = Deviation()
    assert deviation.share is None
    for waiting in ({}, {Level.CRITICAL: 1, Level.HIGH: 2}, {Level.LOW: 9}, {Level.CRITICAL: 0}):
        deviation.record(Level.MEDIUM, waiting)
    assert (deviation.deviating, deviation.dispatches, deviation.share) == (1, 4, 0.25)


@pytest.mark.parametrize(
    ("depth", "in_per_s", "out_per_s", "expected"),
    [
        (0, 5.0, 1.0, 0.0),
        (0, 0.0, 0.0, 0.0),
        (41, 22.0, 24.7, 41 / 2.7),
        (10, 0.0, 5.0, 2.0),
        (10, 5.0, 5.0, None),
        (10, 6.0, 5.0, None),
        (1, 0.0, 0.0, None),
    ],
)
def test_when_a_queue_is_empty(depth, in_per_s, out_per_s, expected):
    assert drain_s(depth, in_per_s, out_per_s) == (expected if expected is None else pytest.approx(expected))


@given(st.integers(1, 10**6), st.floats(0, 1e4), st.floats(0, 1e4))
def test_draining_for_that_long_empties_it(depth, in_per_s, out_per_s):
    seconds = drain_s(depth, in_per_s, out_per_s)
    if seconds is None:
        assert out_per_s <= in_per_s
    else:
        assert (out_per_s - in_per_s) * seconds == pytest.approx(depth)
