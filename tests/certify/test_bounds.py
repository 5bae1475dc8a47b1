import math
import random

import pytest
from scipy.stats import binomtest

from gexdesk.certify.bounds import mean_at_most, none_of, percentile, wilson


@pytest.mark.parametrize(("hits", "of"), [(0, 10_000), (12, 10_000), (1, 7), (7, 7), (500, 100_000)])
def test_the_interval_is_wilsons(hits: int, of: int) -> None:
    oracle = binomtest(hits, of).proportion_ci(0.95, method="wilson")
    assert wilson(hits, of) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert none_of(0) == 1.0
    assert mean_at_most([1.0]) == math.inf
    assert math.isnan(percentile([], 99))


def test_none_in_three_hundred_leaves_one_in_a_hundred_possible() -> None:
    assert none_of(300) == pytest.approx(0.00994, abs=1e-5)
    assert (1 - none_of(300)) ** 300 == pytest.approx(0.05)


def test_the_bound_of_a_mean_holds_in_about_nineteen_of_twenty() -> None:
    chance = random.Random(5)
    held = sum(mean_at_most([chance.expovariate(1.0) for _ in range(200)]) >= 1.0 for _ in range(1_000))
    assert 900 < held < 980


def test_percentiles_are_nearest_rank() -> None:
    assert percentile([3.0, 1.0, 2.0, 4.0], 50) == 2.0
    assert percentile([3.0, 1.0, 2.0, 4.0], 99) == 4.0
