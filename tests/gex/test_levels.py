"""Walls, max pain and ratios on numbers small enough to see."""

import numpy as np
import pytest
from gex_chains import NAN
from hypothesis import given
from hypothesis import strategies as st

from gexdesk.gex.levels import absolute_gamma_strike, call_wall, max_pain, put_wall, ratio

STRIKES = np.array([95.0, 100.0, 102.5, 105.0])


def test_walls_are_the_extremes_of_net() -> None:
    net = np.array([-4.0, 3.0, NAN, -9.0])
    assert (call_wall(STRIKES, net), put_wall(STRIKES, net)) == (100.0, 105.0)


def test_there_is_no_wall_where_no_strike_has_its_sign() -> None:
    assert call_wall(STRIKES, np.array([-4.0, -3.0, NAN, 0.0])) is None
    assert put_wall(STRIKES, np.array([4.0, 3.0, NAN, 0.0])) is None
    assert call_wall(STRIKES, np.full(4, NAN)) is None
    assert call_wall(np.zeros(0), np.zeros(0)) is None


def test_equal_walls_name_the_lowest_strike_whatever_the_last_digit() -> None:
    assert call_wall(STRIKES, np.array([1.0, 3.0, 2.0, 3.0 * (1 + 1e-15)])) == 100.0
    assert put_wall(STRIKES, np.array([-1.0, -3.0, 2.0, -3.0 * (1 + 1e-15)])) == 100.0
    assert call_wall(STRIKES, np.array([1.0, 3.0, 2.0, 3.0 * (1 + 1e-6)])) == 105.0


def test_absolute_gamma_strike_does_not_net() -> None:
    calls, puts = np.array([5.0, 50.0, 1.0, NAN]), np.array([0.0, -49.0, -2.0, -60.0])
    # Un-netted 5, 99, 3 and 60; netted, 100.0 would be the smallest of them all.
    assert absolute_gamma_strike(STRIKES, np.abs(np.nan_to_num(calls)) + np.abs(np.nan_to_num(puts))) == 100.0
    assert absolute_gamma_strike(STRIKES, np.array([NAN, 0.0, 0.0, 0.0])) is None


def test_max_pain_worked_by_hand() -> None:
    calls, puts = np.array([10.0, 5.0, 0.0, 20.0]), np.array([1.0, 8.0, NAN, 30.0])
    # at  95: calls 0;              puts 8*5 + 30*10 = 340          -> 340
    # at 100: calls 10*5 = 50;      puts 30*5 = 150                 -> 200
    # at 102.5: 10*7.5 + 5*2.5 = 87.5; puts 30*2.5 = 75             -> 162.5
    # at 105: 10*10 + 5*5 = 125;    puts 0                          -> 125
    assert max_pain(STRIKES, calls, puts) == 105.0
    assert max_pain(STRIKES, calls, np.array([1.0, 8.0, NAN, 0.0])) == 95.0  # 40, 50, ... : the calls now weigh more


def test_max_pain_needs_open_interest() -> None:
    assert max_pain(STRIKES, np.zeros(4), np.full(4, NAN)) is None
    assert max_pain(np.zeros(0), np.zeros(0), np.zeros(0)) is None


def test_a_flat_minimum_names_the_lowest_strike() -> None:
    # Puts at 100 and calls at 105: nothing is paid from 100 to 105.
    assert max_pain(STRIKES, np.array([0, 0, 0, 7.0]), np.array([0, 7.0, 0, 0])) == 100.0
    # From 95.93 to 107.33 five calls gain what five puts lose; only the last digit differs between its three strikes.
    odd = np.array([95.63, 95.93, 98.83, 107.33])
    assert max_pain(odd, np.array([5.0, 0, 0, 8]), np.array([0, 8.0, 0, 5])) == 95.93


@given(
    st.lists(
        st.tuples(st.integers(1, 4000), st.integers(0, 100_000), st.integers(0, 100_000)),
        min_size=1,
        max_size=30,
        unique_by=lambda row: row[0],
    )
)
def test_max_pain_pays_least(rows: list[tuple[int, int, int]]) -> None:
    rows.sort()
    strike = np.array([row[0] / 4 for row in rows])
    calls, puts = np.array([float(row[1]) for row in rows]), np.array([float(row[2]) for row in rows])

    def paid(settlement: float) -> float:
        return sum(
            c * max(settlement - k, 0.0) + p * max(k - settlement, 0.0) for k, c, p in zip(strike, calls, puts, strict=True)
        )

    least = max_pain(strike, calls, puts)
    if least is None:
        assert calls.sum() + puts.sum() == 0
    else:
        assert paid(least) <= min(map(paid, strike)) + 1e-6


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(3.0, 4.0, 0.75), (0.0, 4.0, 0.0), (3.0, 0.0, None), (None, 4.0, None), (3.0, None, None)]
)
def test_ratio(part: float | None, whole: float | None, expected: float | None) -> None:
    assert ratio(part, whole) == expected
