"""The set that ships says what the two tables of the domain say, at every boundary."""

import math
import random
from itertools import product

import pytest

from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.rules import load_default
from gexdesk.model.decision import Freshness
from gexdesk.model.features import Features
from gexdesk.model.level import Level

RULES = load_default()
NAN = float("nan")

IMPACT = {
    "high": [(50_001, 0), (0, 100_001), (None, 100_001), (50_001, None), (50_000.5, 0), (10_000, 100_001), (90_000, 900_000)],
    "medium": [(50_000, 0), (10_000, 0), (0, 100_000), (0, 25_000), (None, 25_000), (10_000, None), (50_000, 100_000)],
    "low": [(9_999, 24_999), (0, 0), (None, 24_999), (9_999, None)],
    "unknown": [(None, None), (NAN, None), (float("inf"), NAN)],
}
CHANGE = {"large": [0.100001, 0.5, 3.0], "medium": [0.10, 0.07, 0.05, None, NAN], "small": [0.0499999, 0.0]}
AGE = {
    "real_time": [(0.0, False), (4.999, False), (-2.0, False)],
    "fresh": [(5.0, False), (299.999, False), (0.5, True), (-2.001, False), (-30.0, True)],
    "stale": [(300.0, False), (901.0, False), (NAN, False), (301.0, True)],
}
EXPECTED = [
    ("high", "large", "real_time", "CRITICAL", "critical-large-realtime"),
    ("high", "large", "fresh", "HIGH", "high-large-fresh"),
    ("high", "large", "stale", "LOW", "low-stale"),
    ("high", "medium", "real_time", "HIGH", "high-realtime"),
    ("high", "medium", "fresh", "MEDIUM", "medium-fresh"),
    ("high", "medium", "stale", "LOW", "low-stale"),
    ("high", "small", "real_time", "HIGH", "high-realtime"),
    ("high", "small", "fresh", "MEDIUM", "medium-fresh"),
    ("high", "small", "stale", "LOW", "low-stale"),
    ("medium", "large", "real_time", "HIGH", "high-large-fresh"),
    ("medium", "large", "fresh", "HIGH", "high-large-fresh"),
    ("medium", "large", "stale", "LOW", "low-stale"),
    ("medium", "medium", "real_time", "MEDIUM", "medium-fresh"),
    ("medium", "medium", "fresh", "MEDIUM", "medium-fresh"),
    ("medium", "medium", "stale", "LOW", "low-stale"),
    ("medium", "small", "real_time", "MEDIUM", "medium-fresh"),
    ("medium", "small", "fresh", "MEDIUM", "medium-fresh"),
    ("medium", "small", "stale", "LOW", "low-stale"),
    ("low", "large", "real_time", "MEDIUM", "medium-large-realtime"),
    ("low", "large", "fresh", "LOW", "low-impact"),
    ("low", "large", "stale", "LOW", "low-stale"),
    ("low", "medium", "real_time", "LOW", "low-impact"),
    ("low", "medium", "fresh", "LOW", "low-impact"),
    ("low", "medium", "stale", "LOW", "low-stale"),
    ("low", "small", "real_time", "LOW", "low-impact"),
    ("low", "small", "fresh", "LOW", "low-impact"),
    ("low", "small", "stale", "LOW", "low-stale"),
    ("unknown", "large", "real_time", "MEDIUM", "medium-large-realtime"),
    ("unknown", "large", "fresh", "LOW", "unmatched"),
    ("unknown", "large", "stale", "LOW", "low-stale"),
    ("unknown", "medium", "real_time", "LOW", "unmatched"),
    ("unknown", "medium", "fresh", "LOW", "unmatched"),
    ("unknown", "medium", "stale", "LOW", "low-stale"),
    ("unknown", "small", "real_time", "LOW", "unmatched"),
    ("unknown", "small", "fresh", "LOW", "unmatched"),
    ("unknown", "small", "stale", "LOW", "low-stale"),
]
FRESHNESS = {"real_time": Freshness.REAL_TIME, "fresh": Freshness.FRESH, "stale": Freshness.STALE}


@pytest.mark.parametrize(("impact", "change", "age", "level", "winner"), EXPECTED)
def test_every_row_of_the_table_at_every_boundary(impact, change, age, level, winner):
    for (volume, open_interest), moved, (age_s, skew) in product(IMPACT[impact], CHANGE[change], AGE[age]):
        features = Features("SPX", "s", "snapshot", volume, open_interest, moved, age_s, clock_skew=skew)
        decision = decide(features, RULES)
        assert (decision.level, decision.winner, decision.freshness) == (level, winner, FRESHNESS[age]), features


@pytest.mark.parametrize(("impact", "change", "age"), [row[:3] for row in EXPECTED])
def test_every_boundary_falls_into_its_class(impact, change, age):
    ranks = {"low": 0, "medium": 1, "high": 2, "small": 0, "large": 2, "stale": 0, "fresh": 1, "real_time": 2}
    for (volume, open_interest), moved, (age_s, skew) in product(IMPACT[impact], CHANGE[change], AGE[age]):
        reading = RULES.classes.read(Features("SPX", "s", "snapshot", volume, open_interest, moved, age_s, clock_skew=skew))
        assert (reading.change, reading.freshness) == (ranks[change], ranks[age])
        assert math.isnan(reading.impact) if impact == "unknown" else reading.impact == ranks[impact]


def test_the_table_holds_every_combination_once():
    assert len({row[:3] for row in EXPECTED}) == len(EXPECTED) == len(IMPACT) * len(CHANGE) * len(AGE)


def test_data_type_symbol_and_source_play_no_part():
    for data_type, symbol, source in product(("real_time", "snapshot", "historical"), ("SPX", "ZZZ"), ("a", "b")):
        decision = decide(Features(symbol, source, data_type, 60_000, 1, 0.2, 1.0), RULES)
        assert decision.level is Level.CRITICAL


def _by_the_book(features):
    """Read the domain's tables aloud, without classes, names or a condition language."""
    volume, open_interest, age = features.volume or 0, features.open_interest or 0, features.data_age_s
    big = volume > 50_000 or open_interest > 100_000
    some = big or volume >= 10_000 or open_interest >= 25_000
    moved = features.gamma_change is not None and features.gamma_change > 0.10
    skewed = features.clock_skew
    if age >= 300:
        return Level.LOW
    if big and moved and age < 5 and not skewed:
        return Level.CRITICAL
    if (big and age < 5 and not skewed) or (some and moved):
        return Level.HIGH
    if some or (moved and age < 5 and not skewed):
        return Level.MEDIUM
    return Level.LOW


def test_five_thousand_random_rows_agree_with_the_book():
    random_ = random.Random(20261123)
    counts = dict.fromkeys(Level, 0)
    for _ in range(5_000):
        volume = random_.choice([None, 0, 9_999, 10_000, 50_000, 50_001, random_.uniform(0, 120_000)])
        open_interest = random_.choice([None, 0, 24_999, 25_000, 100_000, 100_001, random_.uniform(0, 250_000)])
        moved = random_.choice([None, 0.0, 0.05, 0.1, 0.1000001, random_.uniform(0, 0.3)])
        age_s = random_.choice([0.0, 4.999, 5.0, 299.99, 300.0, random_.uniform(0, 10), random_.uniform(0, 900)])
        features = Features("SPX", "s", "snapshot", volume, open_interest, moved, age_s, clock_skew=random_.random() < 0.1)
        expected = _by_the_book(features)
        assert decide(features, RULES).level is expected, features
        counts[expected] += 1
    assert min(counts.values()) > 100, counts
