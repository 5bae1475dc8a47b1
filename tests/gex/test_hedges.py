"""Delta, vanna and charm exposure: by hand, against a plain loop over an oracle, and what counts where IV is missing."""

import math

import numpy as np
import pytest
import QuantLib
from gex_chains import EXPIRY, FLAT, NAN, QUARTER_BEFORE, Row, snapshot_of

from gexdesk.gex.summary import analyse
from gexdesk.model.exposure import Conventions, Exposure
from gexdesk.model.market import settles_at


def summed(rows: list[Row], spot: float | None = 100.0, conventions: Conventions = FLAT) -> Exposure:
    return analyse(snapshot_of(rows, spot=spot), conventions)[0]


def test_one_call_and_one_put_worked_by_hand() -> None:
    # At the money, d1 = 0.05: delta 0.5199388058 and -0.4800611942, vanna 0.0996109785, charm -0.03984439141 a year; M S = 10,000.
    call, put = summed([Row("C", open_interest=30)]), summed([Row("P", open_interest=20)])
    assert call.dex == pytest.approx(30 * 0.5199388058 * 10_000, rel=1e-9)
    assert put.dex == pytest.approx(-20 * 0.4800611942 * 10_000, rel=1e-9)
    assert call.vex == pytest.approx(30 * 0.0996109785 * 10_000 * 0.01, rel=1e-9)
    assert put.vex == pytest.approx(-20 * 0.0996109785 * 10_000 * 0.01, rel=1e-9)
    assert call.chex == pytest.approx(30 * -0.03984439141 * 10_000 / 365, rel=1e-9)
    assert put.chex == pytest.approx(-20 * -0.03984439141 * 10_000 / 365, rel=1e-9)


def test_sums_are_those_of_a_plain_loop_over_the_oracle() -> None:
    rng = np.random.default_rng(11)
    usual, spot = Conventions(), 6123.4
    rows = [
        Row(
            right=str(rng.choice(["C", "P"])),
            strike=float(rng.integers(1000, 1500)) * 5 + float(rng.choice([0.0, 2.5])),
            open_interest=float(rng.integers(0, 5000)),
            iv=float(rng.uniform(0.08, 0.9)),
            root=str(rng.choice(["SPX", "SPXW"])),
            expiry=EXPIRY + int(rng.choice([0, 30, 400])),
        )
        for _ in range(600)
    ]
    dex = vex = chex = 0.0
    for row in rows:
        t = (settles_at(row.root, row.expiry) - QUARTER_BEFORE) / (365 * 86_400)
        right = QuantLib.Option.Call if row.right == "C" else QuantLib.Option.Put
        side = 1.0 if row.right == "C" else -1.0

        def delta(iv: float, years: float, right: int = right, strike: float = row.strike) -> float:
            forward = spot * math.exp((usual.rate - usual.dividend_yield) * years)
            payoff = QuantLib.PlainVanillaPayoff(right, strike)
            priced = QuantLib.BlackCalculator(payoff, forward, iv * math.sqrt(years), math.exp(-usual.rate * years))
            return float(priced.delta(spot))

        usd = row.open_interest * 100 * spot
        dex += delta(row.iv, t) * usd
        h, k = 1e-4 * row.iv, 1e-4 * t
        vex += side * (delta(row.iv + h, t) - delta(row.iv - h, t)) / (2 * h) * usd * 0.01
        chex += side * (delta(row.iv, t - k) - delta(row.iv, t + k)) / (2 * k) * usd / 365
    exposure = summed(rows, spot, usual)
    assert exposure.dex == pytest.approx(dex, rel=1e-9)
    assert exposure.vex == pytest.approx(vex, rel=1e-5)
    assert exposure.chex == pytest.approx(chex, rel=1e-5)


def test_without_iv_the_vendor_s_delta_counts_and_vanna_and_charm_do_not() -> None:
    known = summed([Row("C", open_interest=30)])
    assert known.dex is not None
    deep = [Row(strike=50.0, iv=NAN, delta=0.99, open_interest=7), Row("P", 150.0, iv=NAN, delta=-0.98, open_interest=5)]
    left_out = [
        Row(strike=51.0, iv=NAN, delta=NAN, open_interest=9),  # nobody knows
        Row(strike=52.0, iv=NAN, delta=1.5, open_interest=9),  # no delta
        Row(strike=53.0, iv=NAN, delta=0.9, open_interest=0),  # not open
        Row(strike=54.0, iv=NAN, delta=0.9, open_interest=9, expiry=EXPIRY - 92),  # settled
    ]
    exposure = summed([Row("C", open_interest=30), *deep, *left_out])
    assert exposure.dex == pytest.approx(known.dex + (7 * 0.99 - 5 * 0.98) * 10_000, rel=1e-12)
    assert (exposure.vex, exposure.chex) == (known.vex, known.chex)
    alone = summed(deep)
    assert alone.dex == pytest.approx((7 * 0.99 - 5 * 0.98) * 10_000, rel=1e-12)
    assert (alone.vex, alone.chex) == (None, None)
    assert summed(left_out).dex is None


def test_without_open_interest_volume_counts() -> None:
    traded = summed([Row("C", open_interest=0, volume=30)])
    held = summed([Row("C", open_interest=30)])
    assert (traded.dex, traded.vex, traded.chex) == (held.dex, held.vex, held.chex)
