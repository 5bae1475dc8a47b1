"""The curve over hypothetical spots, and every flip in it, against a plain sum of gammas and scipy's brentq."""

import math

import numpy as np
import pytest
from gex_chains import FLAT, gamma
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from gexdesk.gex.greeks import price
from gexdesk.gex.profile import DRAWN, Curve, curve, find_root, scan, zero_gamma
from gexdesk.model.exposure import Conventions, ZeroGamma
from gexdesk.model.snapshot import F8

USUAL = Conventions()
Contract = tuple[float, float, float, float]
"""Strike, IV, years and signed contracts."""


def columns(contracts: list[Contract]) -> tuple[F8, F8, F8, F8]:
    strike, iv, years, signed = np.array(contracts, dtype=np.float64).T
    return strike, iv, years, signed


def curve_of(contracts: list[Contract], spot: float = 100.0, conventions: Conventions = FLAT) -> Curve:
    strike, iv, years, signed = columns(contracts)
    priced = price(spot, strike, iv, years, conventions.rate, conventions.dividend_yield)
    return curve(priced, signed, conventions.multiplier)


def plain(contracts: list[Contract], at: float, conventions: Conventions = FLAT) -> float:
    """Sum s gamma(S') OI M S'^2 0.01 in float64, contract by contract."""
    strike, iv, years, signed = columns(contracts)
    gammas = gamma(at, strike, iv, years, conventions.rate, conventions.dividend_yield)
    return float(np.sum(gammas * signed) * conventions.multiplier * at * at * 0.01)


def flips(contracts: list[Contract], spot: float = 100.0, conventions: Conventions = FLAT) -> ZeroGamma:
    drawn = curve_of(contracts, spot, conventions)
    return zero_gamma(drawn, *scan(drawn))


def oracle(contracts: list[Contract], spot: float, conventions: Conventions) -> list[float]:
    grid = spot * np.linspace(0.85, 1.15, 6001)
    strike, iv, years, signed = columns(contracts)
    deviation, drift = iv * np.sqrt(years), (conventions.rate - conventions.dividend_yield + iv * iv / 2) * years
    d1 = (np.log(grid[:, None] / strike) + drift) / deviation
    net = np.exp(-d1 * d1 / 2 - conventions.dividend_yield * years) / deviation @ signed
    return [
        float(brentq(lambda s: plain(contracts, s, conventions), grid[i], grid[i + 1], xtol=1e-9))
        for i in range(len(grid) - 1)
        if net[i] * net[i + 1] < 0
    ]


def index_chain(seed: int, count: int, spot: float, days: list[float]) -> list[Contract]:
    """Draw a chain with puts below and calls above spot, as indices have it."""
    rng = np.random.default_rng(seed)
    strike = np.round(spot * np.exp(rng.normal(0, 0.08, count)) / 5) * 5
    iv = 0.12 + 0.6 * np.abs(np.log(strike / spot)) + rng.uniform(0, 0.03, count)
    years = rng.choice(days, count) / 365
    puts = rng.random(count) < 0.5 - 2.5 * np.log(strike / spot)
    signed = np.where(puts, -1.0, 1.0) * rng.integers(1, 5000, count)
    return list(zip(strike.tolist(), iv.tolist(), years.tolist(), signed.tolist(), strict=True))


def test_curve_at_spot_is_gamma_times_contracts_worked_by_hand() -> None:
    # The contract of test_exposure: 3,984.439141 USD per 1% at 100.
    assert curve_of([(100.0, 0.2, 0.25, 10.0)]).net_gex(100.0) == pytest.approx(3984.439141, rel=1e-9)
    # At 110, d1 = ln(1.1) / 0.1 + 0.05 = 1.0031017980, n = 0.2412202, gamma = 0.2412202 / 11, times 10 * 100 * 12,100 * 0.01.
    assert curve_of([(100.0, 0.2, 0.25, 10.0)]).net_gex(110.0) == pytest.approx(11_000 * 0.2412202, rel=1e-6)


@pytest.mark.parametrize("conventions", [FLAT, USUAL])
def test_curve_is_the_plain_sum(conventions: Conventions) -> None:
    contracts = index_chain(1, 200, 6000.0, [0.2, 1.3, 30, 400])
    drawn = curve_of(contracts, 6000.0, conventions)
    for at in (5100.0, 5833.3, 6000.0, 6900.0):
        assert drawn.net_gex(at) == pytest.approx(plain(contracts, at, conventions), rel=1e-9)


def test_grid_is_121_even_spots_around_spot_and_finer_ones_near_it() -> None:
    spots, net = scan(curve_of([(100.0, 0.2, 0.25, 10.0)]))
    assert spots[DRAWN] == pytest.approx(np.linspace(85, 115, 121), rel=1e-12)
    assert 100.0 in spots[DRAWN]
    near = spots[(spots > 99 - 1e-9) & (spots < 101 + 1e-9)]
    assert np.diff(near) == pytest.approx(0.025, rel=1e-6)
    assert len(net) == len(spots)
    assert (np.diff(spots) > 0).all()


@pytest.mark.parametrize(
    "days",
    [[30, 90, 400], [1 / 1440], [5 / 1440, 30], [0.05, 0.3, 1.3], [0.2, 7, 30, 900]],
    ids=["months", "last minute", "last minutes and a month", "today", "usual"],
)
def test_curve_is_right_to_a_hundred_thousandth_of_its_peak(days: list[float]) -> None:
    contracts = index_chain(2, 3000, 6000.0, days)
    spots, net = scan(curve_of(contracts, 6000.0, USUAL))
    expected = np.array([plain(contracts, s, USUAL) for s in spots])
    assert np.abs(net - expected).max() <= 1e-5 * np.abs(expected).max()
    assert list(np.sign(net[np.abs(expected) > 1e-9])) == list(np.sign(expected[np.abs(expected) > 1e-9]))


def test_a_contract_within_minutes_of_its_end_is_drawn_in_full_precision() -> None:
    # One peak at spot - 10% that is a 25,000th of it wide, and a level of the grid on its steepest flank (d1 = 1).
    deviation = 0.03 * math.sqrt(1 / 525_600)
    contracts = [(5400.0 * math.exp(-deviation), 0.03, 1 / 525_600, 100.0)]
    spots, net = scan(curve_of(contracts, 6000.0))
    level = int(np.argmin(np.abs(spots - 5400.0)))
    assert net[level] == pytest.approx(plain(contracts, float(spots[level])), rel=1e-8)


def test_flip_between_a_put_and_a_call_worked_by_hand() -> None:
    # Same IV and time, so the weights n(d1) are equal where d1 differs in sign only: with sigma sqrt(T) = 0.1,
    # ln(S / 95) / 0.1 + 0.05 = -(ln(S / 105) / 0.1 + 0.05), S = sqrt(95 * 105) * exp(-0.005) = 99.376556.
    flip = flips([(95.0, 0.2, 0.25, -10.0), (105.0, 0.2, 0.25, 10.0)])
    assert flip.status == "found"
    assert flip.value == pytest.approx(math.sqrt(95 * 105) * math.exp(-0.005), abs=1e-6)
    assert flip.roots == (flip.value,)


def test_flip_above_spot_is_found() -> None:
    flip = flips([(100.0, 0.2, 0.25, -10.0), (118.0, 0.2, 0.25, 10.0)])
    assert flip.value == pytest.approx(math.sqrt(100 * 118) * math.exp(-0.005), abs=1e-6)
    assert flip.value is not None
    assert flip.value > 108


def test_all_roots_and_the_nearest() -> None:
    contracts = [(91.0, 0.1, 0.05, 10.0), (97.0, 0.1, 0.05, -12.0), (104.0, 0.1, 0.05, 11.0), (111.0, 0.1, 0.05, -9.0)]
    expected = oracle(contracts, 100.0, FLAT)
    assert len(expected) == 3
    flip = flips(contracts)
    assert flip.roots == pytest.approx(expected, abs=1e-6)
    assert flip.value == min(flip.roots, key=lambda root: abs(root - 100))
    assert flips(contracts, spot=107.0).value == pytest.approx(expected[2], abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("days", [[30, 90, 400], [0.3, 1.3, 7, 30]], ids=["months", "usual"])
def test_flips_are_brentq_s(seed: int, days: list[float]) -> None:
    contracts = index_chain(seed, 250, 6000.0, days)
    expected = oracle(contracts, 6000.0, USUAL)
    flip = flips(contracts, 6000.0, USUAL)
    assert expected
    assert flip.roots == pytest.approx(expected, abs=0.01)
    assert flip.value == min(flip.roots, key=lambda root: abs(root - 6000))


@pytest.mark.parametrize("seed", range(6))
def test_in_the_last_hours_the_nearest_flip_is_brentq_s_and_no_root_is_invented(seed: int) -> None:
    contracts = index_chain(seed, 250, 6000.0, [2 / 24, 30])
    expected = np.array(oracle(contracts, 6000.0, USUAL))
    flip = flips(contracts, 6000.0, USUAL)
    assert flip.value == pytest.approx(expected[np.argmin(np.abs(expected - 6000))], abs=0.01)
    assert all(np.abs(expected - root).min() < 0.01 for root in flip.roots)


def test_two_roots_a_few_points_apart_near_spot_are_seen() -> None:
    # The last minutes: each strike is a peak of its own, narrower than 0.25% of spot.
    contracts = [(5990.0, 0.1, 6e-6, 50.0), (6003.0, 0.1, 6e-6, -50.0), (6012.0, 0.1, 6e-6, 50.0)]
    assert flips(contracts, 6000.0).roots == pytest.approx(oracle(contracts, 6000.0, FLAT), abs=0.01)
    assert len(flips(contracts, 6000.0).roots) == 2


def test_none_in_range_is_a_status_and_no_number() -> None:
    flip = flips([(100.0, 0.2, 0.25, 10.0), (105.0, 0.2, 0.25, 3.0)])
    assert flip == ZeroGamma("none_in_range", None, ())
    beyond = [(100.0, 0.2, 0.25, -10.0), (160.0, 0.2, 0.25, 10.0)]
    assert plain(beyond, 115.0) < 0 < plain(beyond, 140.0)
    assert flips(beyond) == ZeroGamma("none_in_range", None, ())


def test_a_root_on_the_grid_itself() -> None:
    # Spot put exactly on the root, and so in the middle of the grid.
    spot = math.sqrt(95 * 105) * math.exp(-0.005)
    flip = flips([(95.0, 0.2, 0.25, -10.0), (105.0, 0.2, 0.25, 10.0)], spot)
    assert flip.roots == pytest.approx([spot], abs=1e-6)


def test_where_nothing_is_left_of_gamma_there_is_no_flip() -> None:
    # A minute before the end only strikes near a spot have gamma; the emptiness beside them is no change of sign.
    assert flips([(6000.0, 0.1, 1 / 525_600, 10.0), (6005.0, 0.1, 1 / 525_600, 20.0)], 6000.0).status == "none_in_range"


def test_rounding_makes_no_flip_in_a_book_that_cancels() -> None:
    hedged = [(k, 0.2, 0.25, side * 1000.0 / 3) for k in (90.0, 97.5, 100.0, 103.0, 111.0) for side in (1, -1)]
    np.random.default_rng(3).shuffle(hedged)
    assert flips([tuple(row) for row in hedged]).status == "none_in_range"


def test_no_weight_is_not_enough_data() -> None:
    assert flips([(100.0, 0.2, 0.25, 0.0)]).status == "not_enough_data"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 60))
def test_every_root_changes_the_sign_of_the_plain_sum(seed: int, count: int) -> None:
    contracts = index_chain(seed, count, 6000.0, [0.3, 2, 30])
    for root in flips(contracts, 6000.0, USUAL).roots:
        before, after = plain(contracts, root - 0.01, USUAL), plain(contracts, root + 0.01, USUAL)
        assert before * after < 0 or abs(plain(contracts, root, USUAL)) <= 1e-9 * abs(plain(contracts, 6000.0, USUAL))


@pytest.mark.parametrize(
    ("function", "low", "high", "root"),
    [
        (lambda x: x**3 - 2, 0.0, 5.0, 2 ** (1 / 3)),
        (lambda x: math.exp(-x) - 1e-6, 0.0, 100.0, 6 * math.log(10)),
        (lambda x: math.copysign(abs(x - 1) ** 0.2, x - 1), -50.0, 2.0, 1.0),
        (lambda x: -1.0 if x < 3.7 else 1.0, 0.0, 10.0, 3.7),  # a step: only bisection works
        (lambda x: x, 0.0, 1.0, 0.0),  # the end of the bracket is the root
    ],
)
def test_roots_are_found_whatever_the_shape(function: object, low: float, high: float, root: float) -> None:
    calls = []

    def counted(x: float) -> float:
        calls.append(x)
        return function(x)  # type: ignore[operator]

    assert find_root(counted, low, high, 1e-7) == pytest.approx(root, abs=2e-7)
    assert len(calls) < 60
