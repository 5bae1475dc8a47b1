"""One value for every field of the condition language, and the way to the matcher for any of them."""

from gexdesk.guidelines.classes import Reading
from gexdesk.guidelines.fields import FIELDS, HINTS
from gexdesk.model.features import Features

NAN = float("nan")
VALUES = {
    "volume": 60_000.0,
    "open_interest": 20_000.0,
    "gamma_change": 0.08,
    "data_age_s": 1.5,
    "source_reliability": 0.99,
    "coverage": 0.8,
    "minutes_to_close": 90.0,
    "zero_dte_share": 0.4,
    "spot_move": -0.01,
    "expected_records": 500.0,
    "gamma_change_5m": 0.3,
    "volume_percentile": 99.0,
    "open_interest_percentile": 50.0,
    "change_percentile": 97.5,
    "minutes_since_changed": 0.0,
    "symbol": "SPX",
    "source": "gexbot-spx",
    "data_type": "real_time",
    "session": "regular",
    "volume_from": "payload",
    "impact": 2,
    "change": 1,
    "freshness": 2,
    "data_quality": 1,
    "priority_hint": 2,
    "clock_skew": False,
}
assert set(VALUES) == set(FIELDS)


def arguments(**changed):
    """Return what a matcher takes; ranks and numbers that are NaN are not known."""
    values = {**VALUES, **changed}
    for name, words in HINTS.items():
        values[name] = words[values[name]] if values[name] == values[name] else None
    reading = {name: values[name] for name in Reading.__struct_fields__ if name != "skewed"}
    features = {name: values[name] for name in Features.__struct_fields__}
    return Reading(**reading, skewed=values["clock_skew"]), Features(**features), NAN
