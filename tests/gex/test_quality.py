"""A chain's score and the reasons for it."""

import numpy as np
import pytest
from gex_chains import EXPIRY, FLAT, NAN, QUARTER_BEFORE, Row, chain_of

from gexdesk.gex.exposure import weigh
from gexdesk.gex.quality import Quality, judge


def judged(rows: list[Row], spot: float | None = 100.0) -> Quality:
    chain = chain_of(rows)
    weighed = weigh(chain, spot, QUARTER_BEFORE, FLAT)
    return judge(chain, weighed, spot, np.unique(chain.strike, return_inverse=True)[1])


GOOD = [Row(strike=95.0), Row("P", strike=95.0), Row(strike=105.0), Row("P", strike=105.0)]


def test_a_sound_chain_scores_one_without_words() -> None:
    assert judged(GOOD) == Quality(1.0, 1.0, 1.0, 1.0, 1.0, ())


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
    assert quality.live == pytest.approx(8 / 9)
    assert quality.score == pytest.approx(4 / 6 * 8 / 9)
    assert quality.warnings == (
        "coverage 67%: the other contracts with open interest have no usable IV",
        "expired: 1 of 9 contracts have settled and are left out",
    )


def test_nine_in_ten_covered_is_no_warning() -> None:
    rows = [Row(strike=91.0 + i) for i in range(18)] + [Row("P", strike=95.0, iv=NAN), Row("P", strike=96.0, iv=NAN)]
    assert judged(rows).coverage == 0.9
    assert judged(rows).warnings == ()


def test_without_open_interest_coverage_is_unknown_and_iv_counts_by_rows() -> None:
    rows = [row._replace(open_interest=0.0) for row in GOOD[:3]] + [Row("P", strike=105.0, open_interest=0.0, iv=NAN)]
    quality = judged(rows)
    assert quality.coverage is None
    assert quality.score == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    "row",
    [
        Row(strike=100.0, bid=1.2, ask=1.1),
        Row(strike=100.0, volume=-1.0),
        Row(strike=100.0, open_interest=-1.0),
        Row(strike=100.0, bid=-0.1),
        Row(strike=100.0, delta=-1.01),
    ],
)
def test_numbers_out_of_range_lower_the_score(row: Row) -> None:
    quality = judged([*GOOD, row])
    assert quality.in_range == pytest.approx(4 / 5)
    assert quality.score == pytest.approx(4 / 5)
    assert quality.warnings == ("range: 1 of 5 contracts have a negative count, a bid above the ask or a delta beyond 1",)


def test_an_unquoted_ask_and_missing_quotes_are_in_range() -> None:
    assert judged([*GOOD, Row(strike=100.0, bid=0.05, ask=0.0), Row("P", strike=100.0, bid=NAN, ask=NAN)]).score == 1.0


@pytest.mark.parametrize("spot", [94.9, 105.1])
def test_a_spot_outside_the_strikes_is_worth_nothing(spot: float) -> None:
    quality = judged(GOOD, spot)
    assert quality.score == 0.0
    assert quality.warnings == (f"range: spot {spot:g} lies outside the strikes 95 to 105",)
    assert judged(GOOD, 95.0).score == judged(GOOD, 105.0).score == 1.0


def test_repeated_contracts_are_counted_but_not_those_of_another_root() -> None:
    quality = judged([*GOOD, GOOD[1]])
    assert quality.distinct == pytest.approx(4 / 5)
    assert quality.warnings == ("repeated: 1 of 5 contracts stand in the chain more than once and are counted each time",)
    assert judged([*GOOD, GOOD[1]._replace(root="XYW"), GOOD[1]._replace(expiry=EXPIRY + 7)]).distinct == 1.0


def test_a_chain_without_spot_or_rows_scores_nothing() -> None:
    assert judged(GOOD, None).score == 0.0
    assert judged([]) == Quality(0.0, None, 0.0, 0.0, 0.0, ("empty: the chain has no contracts",))


def test_a_chain_that_has_settled_scores_nothing() -> None:
    quality = judged([row._replace(expiry=EXPIRY - 92) for row in GOOD])
    assert quality.score == 0.0
    assert quality.warnings == ("expired: all 4 contracts have settled",)
