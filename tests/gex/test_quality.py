"""A chain's score and the reasons for it."""

import numpy as np
import pytest
from gex_chains import EXPIRY, FLAT, NAN, QUARTER_BEFORE, Row, chain_of

from gexdesk.gex.exposure import weigh
from gexdesk.gex.quality import Quality, judge, judge_given


def judged(rows: list[Row], spot: float | None = 100.0, **known: float | None) -> Quality:
    chain = chain_of(rows)
    weighed = weigh(chain, spot, QUARTER_BEFORE, FLAT)
    return judge(chain, weighed, spot, np.unique(chain.strike, return_inverse=True)[1], **known)


GOOD = [Row(strike=95.0), Row("P", strike=95.0), Row(strike=105.0), Row("P", strike=105.0)]


def test_a_sound_chain_scores_one_without_words() -> None:
    assert judged(GOOD) == Quality(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, ())


def test_coverage_counts_live_contracts_with_open_interest_worked_by_hand() -> None:
    rows = [
        *GOOD,
        Row(strike=96.0, iv=NAN),  # missing
        Row(strike=97.0, iv=0.0),  # 0 is missing too
        Row(strike=98.0, iv=NAN, open_interest=0.0),  # holds nothing
        Row(strike=99.0, iv=NAN, open_interest=NAN),  # unknown
        Row(strike=99.0, iv=NAN, expiry=EXPIRY - 92),  # settled
    ]
    quality = judged(rows)
    assert quality.coverage == pytest.approx(4 / 6)
    assert quality.timeliness == pytest.approx(8 / 9)
    assert quality.score == pytest.approx(4 / 6 * 8 / 9)
    assert quality.reasons == (
        "coverage 67%: the other contracts with open interest have no usable IV",
        "expired: 1 of 9 contracts have settled and are left out",
    )


def test_nine_in_ten_covered_is_no_warning() -> None:
    rows = [Row(strike=91.0 + i) for i in range(18)] + [Row("P", strike=95.0, iv=NAN), Row("P", strike=96.0, iv=NAN)]
    assert judged(rows).coverage == 0.9
    assert judged(rows).reasons == ()


def test_without_open_interest_coverage_is_unknown_and_iv_counts_by_rows() -> None:
    rows = [row._replace(open_interest=0.0) for row in GOOD[:3]] + [Row("P", strike=105.0, open_interest=0.0, iv=NAN)]
    quality = judged(rows)
    assert quality.coverage is None
    assert quality.score == pytest.approx(3 / 4)
    assert quality.reasons == ("coverage: only 75% of the contracts have a usable IV, and none has open interest",)


@pytest.mark.parametrize(
    "row",
    [
        Row(strike=100.0, ask=-1.0),
        Row(strike=100.0, volume=-1.0),
        Row(strike=100.0, open_interest=-1.0),
        Row(strike=100.0, bid=-0.1),
        Row(strike=100.0, delta=-1.01),
    ],
)
def test_numbers_out_of_range_lower_the_score(row: Row) -> None:
    quality = judged([*GOOD, row])
    assert quality.ranges == pytest.approx(4 / 5)
    assert quality.score == pytest.approx(4 / 5)
    assert quality.reasons == ("range: 1 of 5 contracts have a negative count or price, or a delta beyond 1",)


def test_a_bid_above_its_ask_is_out_of_order() -> None:
    quality = judged([*GOOD, Row(strike=100.0, bid=1.2, ask=1.1)])
    assert (quality.ordering, quality.ranges) == (pytest.approx(4 / 5), 1.0)
    assert quality.reasons == ("order: 1 of 5 contracts have a bid above the ask",)


@pytest.mark.parametrize(("late_s", "timeliness"), [(None, 1.0), (-30.0, 1.0), (300.0, 1.0), (600.0, 0.5), (86_400.0, 1 / 288)])
def test_what_comes_late_counts_less(late_s: float | None, timeliness: float) -> None:
    quality = judged(GOOD, late_s=late_s)
    assert quality.timeliness == quality.score == pytest.approx(timeliness)
    told = () if timeliness == 1 else (f"late: it came {late_s:,.0f} s after its stamp, beyond the known delay",)
    assert quality.reasons == told


def test_the_vendor_s_total_is_compared_worked_by_hand() -> None:
    # Apart by 2 bn of the gross 10 bn; then of the vendor's own total where that is the larger.
    quality = judged(GOOD, net=3e9, gross=10e9, vendor_net=5e9)
    assert quality.agreement == quality.score == pytest.approx(0.8)
    assert quality.reasons == ("vendor's total: 5.00 bn per 1%, ours is 3.00 bn",)
    assert judged(GOOD, net=3e6, gross=5e6, vendor_net=20e6).agreement == pytest.approx(1 - 17 / 20)
    assert judged(GOOD, net=3.0, gross=5.0, vendor_net=-100.0).agreement == 0.0
    assert judged(GOOD, net=5.04e9, gross=10e9, vendor_net=5e9).reasons == ()
    assert judged(GOOD, net=0.0, gross=0.0, vendor_net=0.0).agreement == 1.0


@pytest.mark.parametrize("unknown", ["net", "gross", "vendor_net"])
def test_nothing_to_compare_is_no_disagreement(unknown: str) -> None:
    numbers: dict[str, float | None] = {"net": 3e9, "gross": 10e9, "vendor_net": 5e9, unknown: None}
    assert judged(GOOD, **numbers).agreement == 1.0


def test_given_strikes_are_judged_by_what_is_there() -> None:
    half = judge_given(np.array([1.0, NAN]), net=1.0, gross=1.0, vendor_net=1.5, late_s=600.0)
    assert (half.completeness, half.timeliness, half.agreement) == (0.5, 0.5, pytest.approx(2 / 3))
    assert half.score == pytest.approx(1 / 6)
    assert half.coverage is None
    assert half.reasons == (
        "coverage 50%: 1 of 2 strikes come without an exposure",
        "late: it came 600 s after its stamp, beyond the known delay",
        "vendor's total: 2 per 1%, ours is 1",
    )
    assert judge_given(np.array([NAN]), net=None, gross=None, vendor_net=None).score == 0.0


def test_an_unquoted_ask_and_missing_quotes_are_in_range() -> None:
    assert judged([*GOOD, Row(strike=100.0, bid=0.05, ask=0.0), Row("P", strike=100.0, bid=NAN, ask=NAN)]).score == 1.0


@pytest.mark.parametrize("spot", [94.9, 105.1])
def test_a_spot_outside_the_strikes_is_worth_nothing(spot: float) -> None:
    quality = judged(GOOD, spot)
    assert quality.score == 0.0
    assert quality.reasons == (f"range: spot {spot:g} lies outside the strikes 95 to 105",)
    assert judged(GOOD, 95.0).score == judged(GOOD, 105.0).score == 1.0


def test_repeated_contracts_are_counted_but_not_those_of_another_root() -> None:
    quality = judged([*GOOD, GOOD[1]])
    assert quality.ordering == pytest.approx(4 / 5)
    assert quality.reasons == ("repeated: 1 of 5 contracts stand in the chain more than once and are counted each time",)
    assert judged([*GOOD, GOOD[1]._replace(root="XYW"), GOOD[1]._replace(expiry=EXPIRY + 7)]).ordering == 1.0


def test_a_chain_without_spot_or_rows_scores_nothing() -> None:
    assert judged(GOOD, None).score == 0.0
    assert judged([]) == Quality(0.0, None, 0.0, 0.0, 0.0, 0.0, 0.0, ("empty: the chain has no contracts",))


def test_a_chain_that_has_settled_scores_nothing() -> None:
    quality = judged([row._replace(expiry=EXPIRY - 92) for row in GOOD])
    assert quality.score == 0.0
    assert quality.reasons == ("expired: all 4 contracts have settled",)
