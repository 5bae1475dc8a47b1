"""Gamma against an oracle, and time to settlement."""

import math

import numpy as np
import pytest
import QuantLib
from gex_chains import gamma
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.gex.greeks import price, upper_tail


def oracle(spot: float, strike: float, iv: float, t: float, rate: float, dividend_yield: float) -> float:
    forward = spot * math.exp((rate - dividend_yield) * t)
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call, strike)
    return float(QuantLib.BlackCalculator(payoff, forward, iv * math.sqrt(t), math.exp(-rate * t)).gamma(spot))


def test_gamma_worked_by_hand() -> None:
    # S = K = 100, r = q = 0, sigma sqrt(T) = 0.2 * 0.5 = 0.1: d1 = 0.1 / 2 = 0.05,
    # n(0.05) = 0.3989422804 * exp(-0.00125) = 0.3984439141, gamma = 0.3984439141 / (100 * 0.1).
    assert gamma(100.0, 100.0, 0.2, 0.25, 0.0, 0.0) == pytest.approx(0.03984439141, rel=1e-9)


def test_dividends_discount_and_shift() -> None:
    # r = 0.04, q = 0.02, sigma = 0.2, T = 1, S = 100, K = 110: d1 = (-0.0953101798 + 0.02 + 0.02) / 0.2 = -0.276550899,
    # n(d1) = 0.3989422804 * exp(-0.0382401999) = 0.3839746543, exp(-0.02) * 0.3839746543 / 20 = 0.0188185723.
    assert gamma(100.0, 110.0, 0.2, 1.0, 0.04, 0.02) == pytest.approx(0.0188185723, rel=1e-8)


# sigma sqrt(T) stays above 2e-4: below, the oracle's own forward loses the tenth digit of d1.
@settings(max_examples=300, deadline=None)
@given(
    spot=st.floats(0.5, 50_000),
    moneyness=st.floats(-3, 3),
    iv=st.floats(0.05, 26),
    minutes=st.floats(10, 3 * 525_600),
    rate=st.floats(-0.02, 0.12),
    dividend_yield=st.floats(0, 0.08),
)
def test_gamma_is_the_oracle_s(
    spot: float, moneyness: float, iv: float, minutes: float, rate: float, dividend_yield: float
) -> None:
    t = minutes / 525_600
    strike = spot * math.exp(moneyness * iv * math.sqrt(t))
    if not 1e-12 < strike < 1e12:
        return
    expected = oracle(spot, strike, iv, t, rate, dividend_yield)
    assert gamma(spot, strike, iv, t, rate, dividend_yield) == pytest.approx(expected, rel=1e-10, abs=1e-300)


@pytest.mark.parametrize("strike", [200.0, 3000.0, 5999.5, 6000.0, 6000.25, 12_000.0])
@pytest.mark.parametrize("iv", [0.05, 0.15, 2.5, 26.0])
@pytest.mark.parametrize("minutes", [1.0, 390.0, 43_200.0, 1_051_200.0])
def test_gamma_on_an_index(strike: float, iv: float, minutes: float) -> None:
    expected = oracle(6000.0, strike, iv, minutes / 525_600, 0.043, 0.013)
    assert gamma(6000.0, strike, iv, minutes / 525_600, 0.043, 0.013) == pytest.approx(expected, rel=1e-10, abs=1e-250)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("bad", [float("nan"), 0.0, -1.0])
def test_what_is_unknown_or_not_positive_gives_nan(place: int, bad: float) -> None:
    values = [100.0, 100.0, 0.2, 0.25]
    values[place] = bad
    assert math.isnan(float(gamma(*values, 0.0, 0.0)))


def test_columns_broadcast_and_only_the_bad_row_is_nan() -> None:
    value = gamma(100.0, np.array([95.5, 100.0, 105.0]), np.array([0.2, np.nan, 0.2]), np.array([0.25, 0.25, -0.1]), 0.0, 0.0)
    assert value.dtype == np.float64
    assert list(np.isnan(value)) == [False, True, True]


def oracle_delta(right: int, spot: float, strike: float, iv: float, t: float, rate: float, dividend_yield: float) -> float:
    forward, payoff = spot * math.exp((rate - dividend_yield) * t), QuantLib.PlainVanillaPayoff(right, strike)
    return float(QuantLib.BlackCalculator(payoff, forward, iv * math.sqrt(t), math.exp(-rate * t)).delta(spot))


def delta_of(is_call: bool, spot: float, strike: float, iv: float, t: float, rate: float, dividend_yield: float) -> float:
    return float(price(spot, strike, iv, t, rate, dividend_yield).delta(np.array(is_call)))


usual = st.tuples(
    st.booleans(), st.floats(0.5, 50_000), st.floats(-3, 3), st.floats(0.05, 5), st.floats(60, 3 * 525_600), st.floats(-0.02, 0.12),
    st.floats(0, 0.08),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(usual)
def test_delta_is_the_oracle_s(drawn: tuple[bool, float, float, float, float, float, float]) -> None:
    is_call, spot, moneyness, iv, minutes, rate, dividend_yield = drawn
    t = minutes / 525_600
    strike = spot * math.exp(moneyness * iv * math.sqrt(t))
    right = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    expected = oracle_delta(right, spot, strike, iv, t, rate, dividend_yield)
    assert delta_of(is_call, spot, strike, iv, t, rate, dividend_yield) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(usual)
def test_vanna_and_charm_are_the_slopes_of_the_oracle_s_delta(drawn: tuple[bool, float, float, float, float, float, float]) -> None:
    is_call, spot, moneyness, iv, minutes, rate, dividend_yield = drawn
    t = minutes / 525_600
    strike = spot * math.exp(moneyness * iv * math.sqrt(t))
    right = QuantLib.Option.Call if is_call else QuantLib.Option.Put

    def slope(step: float, *, by_iv: bool) -> float:
        """Differentiate by five points, right to the fourth power of the step."""
        def at(n: int) -> float:
            sigma, years = (iv + n * step, t) if by_iv else (iv, t - n * step)
            return oracle_delta(right, spot, strike, sigma, years, rate, dividend_yield)

        return (at(-2) - 8 * at(-1) + 8 * at(1) - at(2)) / (12 * step)

    priced = price(spot, strike, iv, t, rate, dividend_yield)
    vanna = float(priced.vanna())
    charm = float(priced.charm(priced.delta(np.array(is_call))))
    assert vanna == pytest.approx(slope(iv * 2e-3, by_iv=True), rel=1e-6, abs=2e-7 / iv)
    assert charm == pytest.approx(slope(t * 2e-3, by_iv=False), rel=1e-6, abs=2e-7 / t)


def test_greeks_worked_by_hand() -> None:
    # S = K = 100, r = q = 0, sigma sqrt(T) = 0.1: d1 = 0.05, d2 = -0.05, n(d1) = 0.3984439141, N(d1) = 0.5199388058.
    priced = price(100.0, np.array([100.0, 100.0]), 0.2, 0.25, 0.0, 0.0)
    delta = priced.delta(np.array([True, False]))
    assert delta == pytest.approx([0.5199388058, -0.4800611942], rel=1e-9)
    assert priced.vanna() == pytest.approx([0.3984439141 * 0.05 / 0.2] * 2, rel=1e-9)
    # charm = n(d1) d2 / (2 T) = 0.3984439141 * -0.05 / 0.5 a year.
    assert priced.charm(delta) == pytest.approx([-0.03984439141] * 2, rel=1e-9)


def test_the_normal_tail_is_that_of_the_library() -> None:
    x = np.concatenate((np.linspace(0, 12, 2001), [7.0710678, 7.0710679, 30.0]))
    expected = np.array([0.5 * math.erfc(value / math.sqrt(2)) for value in x])
    assert upper_tail(x, np.exp(-x * x / 2)) == pytest.approx(expected, rel=1e-7, abs=1e-300)
    near = x <= 3
    assert upper_tail(x[near], np.exp(-x[near] ** 2 / 2)) == pytest.approx(expected[near], rel=1e-12)
