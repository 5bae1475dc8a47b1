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
        ("age >= real_time", Freshness.REAL_TIME),
        ("real_time <= age", Freshness.REAL_TIME),
        ("age == real_time and impact >= high", Freshness.REAL_TIME),
        ("age > fresh", Freshness.REAL_TIME),
        ("fresh < age <= real_time", Freshness.REAL_TIME),
        ("age >= fresh", Freshness.FRESH),
        ("not age == stale", Freshness.FRESH),
        ("age != stale", Freshness.FRESH),
        ("age in [real_time, fresh]", Freshness.FRESH),
        ("age not in (stale,)", Freshness.FRESH),
        ("age in [real_time]", Freshness.REAL_TIME),
        ("age >= real_time or age >= fresh and volume > 1", Freshness.FRESH),
        ("age >= real_time or symbol == 'SPX'", Freshness.STALE),
        ("not (age >= real_time and volume > 5)", Freshness.STALE),
        ("not (age == stale or volume > 5)", Freshness.FRESH),
        ("volume > 5", Freshness.STALE),
        ("age == stale", Freshness.STALE),
        ("age <= fresh", Freshness.STALE),
        ("data_age_s < 5", Freshness.REAL_TIME),
        ("5 > data_age_s", Freshness.REAL_TIME),
        ("data_age_s <= 5", Freshness.FRESH),
        ("data_age_s < 300", Freshness.FRESH),
        ("data_age_s < 301", Freshness.STALE),
        ("data_age_s == 20", Freshness.FRESH),
        ("not data_age_s >= 5", Freshness.REAL_TIME),
        ("data_age_s + 0 < 5", Freshness.STALE),
        ("data_age_s in [1, 2]", Freshness.STALE),
        ("age >= real_time and age == stale", None),
        ("data_age_s < 5 and age == stale", None),
        ("not (age <= fresh or age > fresh)", None),
    ],
)
def test_asks_for(condition, asks):
    assert asked_of(parse(condition).parsed, CLASSES) == asks
