"""The freshness a condition asks for is read from it, whatever way it is written."""

import pytest

from gexdesk.guidelines.condition import parse
from gexdesk.guidelines.freshness import asked_of
from gexdesk.guidelines.rules import load_default
from gexdesk.model.decision import Freshness

CLASSES = load_default().classes


@pytest.mark.parametrize(
    ("condition", "asks"),
    [
        ("freshness >= real_time", Freshness.REAL_TIME),
        ("real_time <= freshness", Freshness.REAL_TIME),
        ("freshness == real_time and impact >= high", Freshness.REAL_TIME),
        ("freshness > fresh", Freshness.REAL_TIME),
        ("fresh < freshness <= real_time", Freshness.REAL_TIME),
        ("freshness >= fresh", Freshness.FRESH),
        ("not freshness == stale", Freshness.FRESH),
        ("freshness != stale", Freshness.FRESH),
        ("freshness in [real_time, fresh]", Freshness.FRESH),
        ("freshness not in (stale,)", Freshness.FRESH),
        ("freshness in [real_time]", Freshness.REAL_TIME),
        ("freshness >= real_time or freshness >= fresh and volume > 1", Freshness.FRESH),
        ("freshness >= real_time or symbol == 'SPX'", Freshness.STALE),
        ("not (freshness >= real_time and volume > 5)", Freshness.STALE),
        ("not (freshness == stale or volume > 5)", Freshness.FRESH),
        ("volume > 5", Freshness.STALE),
        ("freshness == stale", Freshness.STALE),
        ("freshness <= fresh", Freshness.STALE),
        ("data_age_s < 5", Freshness.REAL_TIME),
        ("5 > data_age_s", Freshness.REAL_TIME),
        ("data_age_s <= 5", Freshness.FRESH),
        ("data_age_s < 300", Freshness.FRESH),
        ("data_age_s < 301", Freshness.STALE),
        ("data_age_s == 20", Freshness.FRESH),
        ("not data_age_s >= 5", Freshness.REAL_TIME),
        ("data_age_s + 0 < 5", Freshness.STALE),
        ("data_age_s in [1, 2]", Freshness.STALE),
        ("freshness >= real_time and freshness == stale", None),
        ("data_age_s < 5 and freshness == stale", None),
        ("not (freshness <= fresh or freshness > fresh)", None),
    ],
)
def test_asks_for(condition, asks):
    assert asked_of(parse(condition).test, CLASSES) == asks
