"""The IV that a mid price implies: against two oracles, and where it must say nothing."""

import numpy as np
import pytest
import QuantLib
from gex_chains import EXPIRY, FLAT, NAN, QUARTER_BEFORE, Row, chain_of, snapshot_of
from scipy.optimize import brentq
from scipy.stats import norm

from gexdesk.gex.implied import MID, implied_volatility, recover
from gexdesk.gex.summary import analyse, measure
from gexdesk.model.exposure import Conventions

RATES = Conventions(rate=0.043, dividend_yield=0.013)


def black_scholes(spot, strike, iv, years, is_call, rate, dividend_yield):
    """Price by scipy's normal distribution."""
    d1 = (np.log(spot / strike) + (rate - dividend_yield + iv * iv / 2) * years) / (iv * np.sqrt(years))
    sign = np.where(is_call, 1.0, -1.0)
    carried, discounted = spot * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
    return sign * (carried * norm.cdf(sign * d1) - discounted * norm.cdf(sign * (d1 - iv * np.sqrt(years))))


def test_what_was_priced_is_found_again_where_the_price_depends_on_it() -> None:
    random = np.random.default_rng(7)
    n, spot = 20_000, 6000.0
    strike = spot * np.exp(random.uniform(-1.5, 1.5, n))
    years = 10.0 ** random.uniform(-4.0, 1.0, n)
    iv = 10.0 ** random.uniform(-1.7, 0.9, n)
    is_call = random.random(n) < 0.5
    price = black_scholes(spot, strike, iv, years, is_call, 0.043, 0.013)
    d1 = (np.log(spot / strike) + (0.03 + iv * iv / 2) * years) / (iv * np.sqrt(years))
    vega = spot * np.exp(-0.013 * years) * norm.pdf(d1) * np.sqrt(years)
    found = implied_volatility(price, is_call, spot=spot, strike=strike, t_years=years, rate=0.043, dividend_yield=0.013)
    significant = vega * iv > 1e-6 * spot
    assert np.count_nonzero(significant) > 8000
    np.testing.assert_allclose(found[significant], iv[significant], rtol=1e-6)


def test_quantlib_and_a_bracketing_solver_find_the_same() -> None:
    spot, rate, dividend_yield, years = 5000.0, 0.043, 0.013, 0.31
    cases = [(4200.0, False, 13.7), (4900.0, False, 101.0), (5000.0, True, 140.0), (5000.0, False, 99.0), (5600.0, True, 3.35)]
    price = np.array([case[2] for case in cases])
    strike, is_call = np.array([case[0] for case in cases]), np.array([case[1] for case in cases])
    found = implied_volatility(
        price, is_call, spot=spot, strike=strike, t_years=np.full(len(cases), years), rate=rate, dividend_yield=dividend_yield
    )
    forward, discount = spot * np.exp((rate - dividend_yield) * years), np.exp(-rate * years)
    for i, (k, call, points) in enumerate(cases):
        side = QuantLib.Option.Call if call else QuantLib.Option.Put
        deviation = QuantLib.blackFormulaImpliedStdDev(side, k, forward, points, discount, 0.0, 0.2, 1e-14, 1000)
        root = brentq(
            lambda v, k=k, call=call, p=points: float(black_scholes(spot, k, v, years, call, rate, dividend_yield)) - p,
            1e-3, 5, xtol=1e-14,
        )  # fmt: skip
        assert found[i] == pytest.approx(deviation / np.sqrt(years), rel=1e-6)
        assert found[i] == pytest.approx(root, rel=1e-8)


@pytest.mark.parametrize(
    ("price", "is_call", "strike", "years"),
    [
        (10.0, True, 90.0, 0.25),  # the intrinsic value and not more
        (9.0, True, 90.0, 0.25),
        (100.0, True, 90.0, 0.25),  # the bound of a call
        (110.0, False, 110.0, 0.25),  # the bound of a put
        (0.0, True, 100.0, 0.25),
        (-1.0, True, 100.0, 0.25),
        (NAN, True, 100.0, 0.25),
        (2.0, True, 100.0, 0.0),
        (2.0, True, 100.0, -0.1),
        (2.0, True, 100.0, NAN),
        (2.0, True, 0.0, 0.25),
        (2.0, True, NAN, 0.25),
    ],
)
def test_no_volatility_without_a_price_free_of_arbitrage(price: float, is_call: bool, strike: float, years: float) -> None:
    found = implied_volatility(
        np.array([price, 4.0]), np.array([is_call, True]),
        spot=100.0, strike=np.array([strike, 100.0]), t_years=np.array([years, 0.25]), rate=0.0, dividend_yield=0.0,
    )  # fmt: skip
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.2006, abs=1e-4)  # its neighbour does not mind


def test_extreme_prices_end_and_stay_bounded() -> None:
    price = 10.0 ** np.linspace(-300, 1.99, 4000)
    for strike in (1e-3, 50.0, 100.0, 100.0001, 1e6):
        found = implied_volatility(
            price, np.ones(4000, dtype=bool),
            spot=100.0, strike=np.full(4000, strike), t_years=np.full(4000, 0.01), rate=0.0, dividend_yield=0.0,
        )  # fmt: skip
        assert not np.isinf(found).any()
        known = found[~np.isnan(found)]
        assert (known > 0).all()
        assert (np.diff(known) >= -1e-9 * known[1:]).all()


def priced(row: Row, iv: float, half_spread: float = 0.01, conventions: Conventions = FLAT) -> Row:
    """Quote a row around the price of an IV, and take its own IV away."""
    mid = float(black_scholes(
        100.0, row.strike, iv, 0.25, row.right == "C", conventions.rate, conventions.dividend_yield
    ))  # fmt: skip
    return row._replace(iv=NAN, bid=mid - half_spread, ask=mid + half_spread)


def test_a_missing_iv_comes_from_the_mid_and_one_that_is_there_stays() -> None:
    rows = [priced(Row(strike=105.0), 0.31), Row(iv=0.2, bid=9.0, ask=9.1), priced(Row("P", 95.0), 0.27)]
    chain, count = recover(chain_of(rows), 100.0, QUARTER_BEFORE, FLAT)
    assert count == 2
    assert chain.iv.tolist() == pytest.approx([0.31, 0.2, 0.27], rel=1e-6)


@pytest.mark.parametrize(
    "row",
    [
        priced(Row(), 0.2)._replace(bid=0.0),
        priced(Row(), 0.2)._replace(bid=NAN),
        priced(Row(), 0.2)._replace(ask=NAN),
        priced(Row(), 0.2)._replace(bid=4.1, ask=4.0),
        priced(Row(), 0.2)._replace(open_interest=0.0, volume=0.0),
        priced(Row(), 0.2)._replace(open_interest=NAN, volume=NAN),
        priced(Row(), 0.2)._replace(expiry=EXPIRY - 200),
        priced(Row(), 0.2, half_spread=1.5),  # so wide that it tells nothing
        Row(strike=60.0, iv=NAN, bid=39.99, ask=40.0),  # below the intrinsic value
        Row(iv=NAN, bid=0.0, ask=0.0),
    ],
    ids=[
        *("no bid", "bid unknown", "ask unknown", "crossed", "counts for nothing", "counts unknown", "settled"),
        *("wide", "below", "none"),
    ],
)
def test_what_a_quote_does_not_tell_is_left_missing(row: Row) -> None:
    chain = chain_of([row, Row(strike=110.0)])
    same, count = recover(chain, 100.0, QUARTER_BEFORE, FLAT)
    assert count == 0
    assert same is chain


def test_a_volatility_that_no_option_has_is_left_missing() -> None:
    a_minute_before = QUARTER_BEFORE + 0.25 * 365 * 86_400 - 60
    chain = chain_of([Row(iv=NAN, bid=59.99, ask=60.01), Row(iv=NAN, bid=0.13, ask=0.14)])
    filled, count = recover(chain, 100.0, a_minute_before, FLAT)
    assert count == 1
    assert np.isnan(filled.iv[0])
    assert 2 < filled.iv[1] < 3


def test_a_deep_one_whose_price_is_mostly_assumed_carry_is_left_missing() -> None:
    deep, near = Row(strike=50.0), Row(strike=104.0)
    for conventions, count in ((FLAT, 2), (RATES, 1)):
        rows = [priced(deep, 0.7, conventions=conventions), priced(near, 0.2, conventions=conventions)]
        chain, found = recover(chain_of(rows), 100.0, QUARTER_BEFORE, conventions)
        assert found == count, conventions
        assert chain.iv[1] == pytest.approx(0.2, rel=1e-6)


def test_the_exposure_says_how_many_and_the_measures_agree() -> None:
    given, rows = Row(iv=0.25), [Row(iv=0.25), priced(Row(strike=103.0), 0.25)]
    snapshot = snapshot_of(rows)
    exposure, _ = analyse(snapshot, FLAT)
    full, _ = analyse(snapshot_of([given, Row(strike=103.0, iv=0.25)]), FLAT)
    assert exposure.net_gex == pytest.approx(full.net_gex, rel=1e-6)
    assert exposure.net_gex == measure(snapshot, FLAT).net_gex
    assert (exposure.coverage, full.coverage) == (1.0, 1.0)
    assert (exposure.conventions.gamma_source, full.conventions.gamma_source) == (MID, "iv")
    assert [w for w in exposure.warnings if "mid" in w] == [
        "IV from mid: 1 of 2 contracts (50.00%) take what their quote implies"
    ]
    assert not [w for w in full.warnings if "mid" in w]


def test_nothing_is_recovered_without_a_spot_or_under_the_vendors_gamma() -> None:
    chain = chain_of([priced(Row(), 0.2)])
    assert recover(chain, None, QUARTER_BEFORE, FLAT) == (chain, 0)
    vendor = Conventions(gamma_source="vendor")
    assert recover(chain, 100.0, QUARTER_BEFORE, vendor) == (chain, 0)
