"""A candidate on recorded decisions: what would change, for whom, and what load it would ask for."""

from datetime import UTC, datetime

import polars as pl
import pytest

from gexdesk.guidelines.backtest import MOVERS, backtest
from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.hours import hours
from gexdesk.guidelines.rules import DEFAULT_FILE, load_default, read
from gexdesk.model.errors import GuidelineError
from gexdesk.model.features import Features
from gexdesk.model.level import Level

TEXT = DEFAULT_FILE.read_text(encoding="utf-8")
HEAD = TEXT.partition("[[guideline]]")[0]
RULES = load_default()
NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # 12:00 in New York
EARLY = read(TEXT.replace("volume_over = 50_000", "volume_over = 20_000"))


def record(count=600, **columns):
    plain = {
        "decided_at": [NOON.timestamp() + second / 2 for second in range(count)],
        "symbol": ["SPX" if number % 3 else "NDX" for number in range(count)],
        "source": ["a"] * count,
        "data_type": ["real_time"] * count,
        "volume": [30_000.0 if number % 2 else 60_000.0 for number in range(count)],
        "open_interest": [None] * count,
        "gamma_change": [0.2] * count,
        "data_age_s": [1.0 if number % 4 else 400.0 for number in range(count)],
    }
    return pl.DataFrame(plain | columns, schema_overrides={"open_interest": pl.Float64})


def test_counts_agree_with_deciding_one_by_one():
    frame = record()
    found = backtest(frame, RULES, EARLY)
    rows = [Features(*row) for row in frame.drop("decided_at").iter_rows()]
    pairs = [(decide(row, RULES).level, decide(row, EARLY).level, row.symbol) for row in rows]
    assert found.rows == 600
    for one in Level:
        for other in Level:
            assert found.confusion[one][other] == sum(pair[:2] == (one, other) for pair in pairs)
    assert found.changed == sum(before != after for before, after, _ in pairs) == 300
    movers = [(mover.symbol, mover.before, mover.after, mover.count) for mover in found.movers]
    assert movers == [("SPX", Level.HIGH, Level.CRITICAL, 200), ("NDX", Level.HIGH, Level.CRITICAL, 100)]
    assert (found.critical_before, found.critical_after, found.critical_ratio) == (150, 450, 3.0)


def test_the_busiest_minute_against_what_the_desk_serves():
    found = backtest(record(), RULES, EARLY, capacity_per_min=30.0)
    assert (found.critical_peak_before, found.critical_peak_after) == (30, 90)
    assert found.capacity_ratio == 3.0
    assert found.words.endswith("450 CRITICAL instead of 150 (3x); its busiest minute would ask for 3x the CRITICAL capacity")
    assert backtest(record().drop("decided_at"), RULES, EARLY, 30.0).capacity_ratio is None


def test_what_an_operator_decided_is_left_out():
    levels = ["CRITICAL" if number < 100 else None for number in range(600)]
    assert backtest(record(override_level=levels), RULES, EARLY).rows == 500


def test_sessions_and_the_end_of_a_guideline_follow_the_time_of_each_decision():
    scope = 'sessions = ["regular"]\nexpires = 2026-11-23\nwhen = "minutes_to_close < 60"\n'
    regular = f'[[guideline]]\nname = "r"\nlevel = "HIGH"\n{scope}'
    hours_of = ((23, 14), (23, 17), (23, 20), (23, 22), (24, 20), (28, 20))
    stamps = [datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in hours_of]
    assert [hours(stamp.timestamp()) for stamp in stamps[:3]] == [("pre", None), ("regular", 240.0), ("regular", 60.0)]
    stamps[2] = datetime(2026, 11, 23, 20, 1, tzinfo=UTC)
    frame = record(6, decided_at=[stamp.replace(tzinfo=None) for stamp in stamps], symbol=[f"S{number}" for number in range(6)])
    found = backtest(frame, read(HEAD + regular.replace('"HIGH"', '"LOW"')), read(HEAD + regular))
    assert [mover.symbol for mover in found.movers] == ["S2"]
    recorded = backtest(frame.with_columns(session=pl.lit("regular"), minutes_to_close=5.0), RULES, read(HEAD + regular))
    assert sum(row["HIGH"] for row in recorded.confusion.values()) == 4, "the first four stand before its end"


def test_only_the_largest_movers_are_named():
    found = backtest(record(600, symbol=[f"S{number}" for number in range(600)]), RULES, EARLY)
    assert len(found.movers) == MOVERS
    assert found.changed == 300


def test_nothing_recorded_and_no_critical_before():
    empty = backtest(record(0), RULES, EARLY)
    assert (empty.rows, empty.changed, empty.critical_ratio) == (0, 0, None)
    with pytest.raises(GuidelineError, match="no column gamma_change"):
        backtest(record().drop("gamma_change"), RULES, EARLY)
    with pytest.raises(GuidelineError, match="decided_at is no column of times"):
        backtest(record(2, decided_at=["now", "then"]), RULES, EARLY)
