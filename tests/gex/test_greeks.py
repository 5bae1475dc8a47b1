"""Gamma against an oracle, and time to settlement."""

import math
from datetime import UTC, date, datetime

import numpy as np
import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.gex.greeks import gamma, years_to_settlement


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


def test_years_count_to_each_root_s_own_settlement() -> None:
    friday = (date(2026, 1, 16) - date(1970, 1, 1)).days
    quoted_at = datetime(2026, 1, 15, 14, 30, tzinfo=UTC).timestamp()  # 09:30 in New York on Thursday
    years = years_to_settlement(
        ("SPX", "SPXW"), np.array([1, 0, 1], np.int32), np.array([friday, friday, friday - 1], np.int32), quoted_at
    )
    # SPXW Friday 16:00 is 30.5 h = 1,830 minutes away, SPX 09:30 24 h = 1,440 minutes, SPXW Thursday 16:00 390 minutes.
    assert years == pytest.approx([1830 / 525_600, 1440 / 525_600, 390 / 525_600], rel=1e-12)


def test_years_are_shorter_over_the_spring_change_and_negative_after_settlement() -> None:
    monday = (date(2026, 3, 9) - date(1970, 1, 1)).days
    friday_close = datetime(2026, 3, 6, 21, 0, tzinfo=UTC).timestamp()
    years = years_to_settlement(("QQQ",), np.zeros(2, np.int32), np.array([monday, monday - 4], np.int32), friday_close)
    # Friday 16:00 to Monday 16:00 is 71 hours on that weekend; Thursday's contracts ended 24 hours ago.
    assert years == pytest.approx([71 * 60 / 525_600, -24 * 60 / 525_600], rel=1e-12)


def test_years_of_no_contracts() -> None:
    assert len(years_to_settlement((), np.zeros(0, np.int32), np.zeros(0, np.int32), 0.0)) == 0
