"""What each contract weighs, and sums by strike."""

import math

import numpy as np
import pytest
from gex_chains import EXPIRY, FLAT, NAN, QUARTER_BEFORE, Row, chain_of

from gexdesk.gex.exposure import by_strike, known_sum, net_and_gross, total, weigh
from gexdesk.model.exposure import Conventions
from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import StrikeTable

AT_THE_MONEY = 0.03984439141
"""Gamma at S = K = 100, sigma 0.2, T 0.25, r = q = 0; worked in test_greeks."""


def table(rows: list[Row], spot: float | None = 100.0, conventions: Conventions = FLAT) -> StrikeTable:
    chain = chain_of(rows)
    strike, of = np.unique(chain.strike, return_inverse=True)
    return by_strike(chain, weigh(chain, spot, QUARTER_BEFORE, conventions), strike, of)


def test_gex_of_a_contract_worked_by_hand() -> None:
    # gamma 0.0398443914 * 10 contracts * 100 units * 100^2 * 0.01 = 3,984.439141 USD per 1%; by 4 traded ones 1,593.7756564.
    weighed = weigh(chain_of([Row("C", volume=4), Row("P", volume=4)]), 100.0, QUARTER_BEFORE, FLAT)
    assert weighed.gex == pytest.approx([3984.439141, -3984.439141], rel=1e-9)
    assert weighed.gex_volume == pytest.approx([1593.7756564, -1593.7756564], rel=1e-9)
    assert weighed.series.years == pytest.approx([0.25], rel=1e-12)


def test_the_multiplier_counts() -> None:
    mini = Conventions(rate=0.0, dividend_yield=0.0, multiplier=10.0)
    assert weigh(chain_of([Row()]), 100.0, QUARTER_BEFORE, mini).gex == pytest.approx([398.4439141], rel=1e-9)


def test_gamma_is_recomputed_even_where_the_vendor_rounded_it_to_zero() -> None:
    weighed = weigh(chain_of([Row(gamma=0.0), Row(gamma=0.9)]), 100.0, QUARTER_BEFORE, FLAT)
    assert weighed.gex == pytest.approx([3984.439141, 3984.439141], rel=1e-9)
    assert not weighed.by_vendor.any()


def test_only_a_contract_without_iv_takes_a_positive_vendor_gamma() -> None:
    rows = [Row(iv=NAN, gamma=0.05), Row(iv=NAN, gamma=0.0), Row(iv=NAN), Row(iv=0.0, gamma=0.05)]
    weighed = weigh(chain_of(rows), 100.0, QUARTER_BEFORE, FLAT)
    # 0.05 * 10 * 100 * 10,000 * 0.01 = 5,000; a rounded 0 and no gamma at all are unknown.
    assert weighed.gex == pytest.approx([5000.0, NAN, NAN, 5000.0], rel=1e-12, nan_ok=True)
    assert list(weighed.by_vendor) == [True, False, False, True]
    assert list(weighed.usable_iv) == [False, False, False, False]


@pytest.mark.parametrize(("iv", "usable"), [(1e-5, False), (1e-4, True), (26.0, True), (1e300, False), (float("inf"), False)])
def test_what_cannot_be_an_iv_is_missing(iv: float, usable: bool) -> None:
    weighed = weigh(chain_of([Row(iv=iv)]), 100.0, QUARTER_BEFORE, FLAT)
    assert list(weighed.usable_iv) == [usable]
    assert list(np.isnan(weighed.gex)) == [not usable]


def test_vendor_convention_takes_the_vendor_s_gamma_throughout() -> None:
    vendor = Conventions(rate=0.0, dividend_yield=0.0, gamma_source="vendor")
    weighed = weigh(chain_of([Row(gamma=0.05), Row(gamma=0.0), Row()]), 100.0, QUARTER_BEFORE, vendor)
    assert weighed.gex == pytest.approx([5000.0, 0.0, NAN], rel=1e-12, nan_ok=True)


def test_zero_open_interest_weighs_exactly_nothing_and_unknown_stays_unknown() -> None:
    rows = [Row(open_interest=0.0, iv=NAN), Row(open_interest=NAN), Row(open_interest=-3.0)]
    weighed = weigh(chain_of(rows), 100.0, QUARTER_BEFORE, FLAT)
    assert weighed.gex == pytest.approx([0.0, NAN, NAN], nan_ok=True)


def test_a_settled_contract_weighs_nothing() -> None:
    rows = [Row(), Row(expiry=EXPIRY - 92), Row(expiry=EXPIRY - 92, gamma=0.5, iv=NAN)]
    weighed = weigh(chain_of(rows), 100.0, QUARTER_BEFORE, FLAT)
    assert list(weighed.live) == [True, False, False]
    assert weighed.gex == pytest.approx([3984.439141, 0.0, 0.0], rel=1e-9)


def test_settlement_itself_is_the_end() -> None:
    end = settles_at("XYZ", EXPIRY)
    assert list(weigh(chain_of([Row()]), 100.0, end, FLAT).live) == [False]
    assert list(weigh(chain_of([Row()]), 100.0, end - 1, FLAT).live) == [True]


def test_am_and_pm_roots_of_one_expiry_and_strike_differ() -> None:
    rows = [Row(root="SPX"), Row(root="SPXW")]
    end = settles_at("SPX", EXPIRY)
    day_before = weigh(chain_of(rows), 100.0, end - 86400, FLAT)
    # sqrt(T) stands below: 24 h against 30.5 h, and d1 = sigma sqrt(T) / 2 is all but 0, so gamma is up by sqrt(30.5 / 24).
    assert day_before.gex[0] / day_before.gex[1] == pytest.approx(math.sqrt(30.5 / 24), rel=1e-4)
    noon = weigh(chain_of(rows), 100.0, end + 9000, FLAT)
    assert list(noon.live) == [False, True]
    assert noon.gex[0] == 0.0


def test_without_spot_every_exposure_is_unknown() -> None:
    weighed = weigh(chain_of([Row(), Row(open_interest=0.0)]), None, QUARTER_BEFORE, FLAT)
    assert np.isnan(weighed.gex).all()
    assert np.isnan(weighed.gex_volume).all()


def test_strikes_sum_over_roots_and_expiries_worked_by_hand() -> None:
    rows = [
        Row("C", 100.0, 10, 4),
        Row("P", 100.0, 30, 1),
        Row("C", 100.0, 5, 2, root="XYW"),
        Row("P", 99.5, 0, 7),
        Row("C", 100.0, 8, 3, expiry=EXPIRY - 92),  # settled: counted in open interest and volume, without gamma
    ]
    result = table(rows)
    assert list(result.strike) == [99.5, 100.0]
    assert result.call_open_interest == pytest.approx([NAN, 10 + 5 + 8], nan_ok=True)
    assert list(result.put_open_interest) == [0, 30]
    assert result.call_volume == pytest.approx([NAN, 4 + 2 + 3], nan_ok=True)
    assert list(result.put_volume) == [7, 1]
    # One contract is 398.4439141: calls 15 of them, puts -30, net -15; by volume 6 - 1 = 5.
    assert result.call_gex == pytest.approx([NAN, 15 * 398.4439141], rel=1e-9, nan_ok=True)
    assert result.put_gex == pytest.approx([0.0, -30 * 398.4439141], rel=1e-9)
    assert result.net_gex == pytest.approx([0.0, -15 * 398.4439141], rel=1e-9)
    assert result.net_gex_volume[1] == pytest.approx(5 * 398.4439141, rel=1e-9)


def test_fractional_strikes_stay_apart() -> None:
    result = table([Row(strike=477.78), Row(strike=477.5), Row(strike=477.0), Row(strike=477.78)])
    assert list(result.strike) == [477.0, 477.5, 477.78]
    assert list(result.call_open_interest) == [10, 10, 20]


def test_a_cell_of_zeros_and_unknowns_is_unknown() -> None:
    unknown = Row(iv=NAN, open_interest=50)
    result = table([Row(open_interest=0.0), unknown, Row("P")])
    assert math.isnan(result.call_gex[0])
    assert result.net_gex == pytest.approx([-3984.439141], rel=1e-9)
    assert table([Row(), unknown]).call_gex == pytest.approx([3984.439141], rel=1e-9)


def test_a_table_without_spot_keeps_counts() -> None:
    result = table([Row("C", open_interest=7), Row("P", volume=3)], spot=None)
    assert np.isnan(result.net_gex).all()
    assert (list(result.call_open_interest), list(result.put_volume)) == ([7], [3])


def test_known_sums() -> None:
    assert known_sum(np.array([1.0, NAN, 1.0, NAN]), np.array([2.0, 2.0, NAN, NAN])) == pytest.approx([3, 2, 1, NAN], nan_ok=True)
    assert total(np.array([1.0, NAN, 2.5])) == 3.5
    assert total(np.array([NAN, NAN])) is None
    assert total(np.array([0.0, NAN])) == 0.0
    assert net_and_gross(np.array([3.0, -5.0, NAN])) == (-2.0, 8.0)
    assert net_and_gross(np.array([0.0, 0.0])) == (0.0, 0.0)
    assert net_and_gross(np.array([0.0, NAN])) == (None, None)
    assert net_and_gross(np.array([])) == (None, None)
