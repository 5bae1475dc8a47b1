"""Figures recorded a second each, and folded to minutes."""

import math

import pytest

from gexdesk.metrics.recorder import RING_S, Fold, Minute, Recorder

FIGURES = {"rate": Fold.MEAN, "depth": Fold.WORST, "count": Fold.LAST}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(FIGURES)


def test_seconds_come_back_as_they_were_oldest_first_and_between_two_times(recorder: Recorder) -> None:
    for second in range(10):
        recorder.record(100.0 + second, {"HIGH": (second / 2, second, 7), "LOW": (None, 1, None)})
    assert recorder.seconds("HIGH", 103.0, 105.0) == [(103.0, 1.5, 3.0, 7.0), (104.0, 2.0, 4.0, 7.0), (105.0, 2.5, 5.0, 7.0)]
    assert recorder.seconds("LOW", 109.0, 200.0) == [(109.0, None, 1.0, None)]
    assert recorder.seconds("nobody", 0.0, 200.0) == []
    assert recorder.since() == 100.0
    assert Recorder(FIGURES).since() is None


def test_a_new_minute_gives_the_one_before_folded(recorder: Recorder) -> None:
    for second in range(60):
        found = recorder.record(120.0 + second, {"HIGH": (second, second % 30, second), "LOW": (None, None, None)})
        assert found is None
    assert recorder.record(180.0, {"HIGH": (0, 0, 0)}) == Minute(180.0, {"HIGH": (29.5, 29.0, 59.0)})


def test_a_subject_that_comes_or_goes_in_a_minute_is_folded_over_the_seconds_it_was_there(recorder: Recorder) -> None:
    recorder.record(0.0, {"a": (1, 1, 1)})
    recorder.record(1.0, {"a": (3, 9, 2), "b": (5, 5, 5)})
    recorder.record(2.0, {"b": (7, 2, 6)})
    assert recorder.record(61.0, {"b": (0, 0, 0)}) == Minute(60.0, {"a": (2.0, 9.0, 2.0), "b": (6.0, 5.0, 6.0)})
    assert recorder.seconds("a", 0.0, 99.0) == [(0.0, 1.0, 1.0, 1.0), (1.0, 3.0, 9.0, 2.0)]


def test_the_ring_forgets_what_is_older_than_it_holds(recorder: Recorder) -> None:
    for second in range(RING_S + 50):
        recorder.record(float(second), {"a": (second, 0, 0)})
    found = recorder.seconds("a", 0.0, math.inf)
    assert (len(found), found[0][0], found[-1][0]) == (RING_S, 50.0, RING_S + 49.0)
    assert recorder.since() == 50.0
    assert RING_S >= 900


def test_a_subject_that_is_gone_leaves_nothing_behind_in_the_ring(recorder: Recorder) -> None:
    recorder.record(0.0, {"a": (1, 1, 1), "b": (1, 1, 1)})
    for second in range(1, RING_S + 1):
        recorder.record(float(second), {"b": (1, 1, 1)})
    assert recorder.seconds("a", 0.0, math.inf) == []
