"""The screen's counts of what the guidelines did."""

from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.rules import load_default
from gexdesk.guidelines.tally import Tally
from gexdesk.model.decision import Override
from gexdesk.model.features import Features
from gexdesk.model.level import Level

RULES = load_default()


def count(tally, at, symbol="SPX", volume=60_000.0, age_s=1.0, as_of=None, source="a", override=None):
    features = Features(symbol, source, "real_time", volume, volume, 0.0, age_s)
    tally.record(features, decide(features, RULES, override), at, at if as_of is None else as_of)


def view(tally, name, now):
    return next(view for view in tally.views(RULES, now) if view.name == name)


def test_wins_of_the_minute_and_of_the_session_and_the_last_one():
    tally = Tally()
    for at in (100.0, 100.5, 130.0):
        count(tally, at, symbol="NDX" if at == 130.0 else "SPX")
    shown = view(tally, "high-realtime", 130.0)
    assert (shown.last_minute, shown.session, shown.last_symbol, shown.last_at) == (3, 3, "NDX", 130.0)
    assert shown.level is Level.HIGH
    assert view(tally, "high-realtime", 159.9).last_minute == 3
    assert view(tally, "high-realtime", 160.0).last_minute == 1
    assert view(tally, "high-realtime", 500.0).last_minute == 0
    assert view(tally, "high-realtime", 500.0).session == 3


def test_every_active_guideline_is_shown_in_the_files_order():
    shown = Tally().views(RULES, 0.0)
    assert [view.name for view in shown] == [guideline.name for guideline in RULES.active]
    assert {(view.last_minute, view.session, view.last_symbol, view.last_at) for view in shown} == {(0, 0, "", None)}


def test_only_the_winner_counts_and_an_override_counts_nowhere():
    tally = Tally()
    count(tally, 10.0)
    count(tally, 10.0, override=Override(Level.LOW, "jm", "noise", 0.0))
    count(tally, 10.0, volume=None, symbol="NDX")
    assert view(tally, "medium-fresh", 10.0).session == 0
    assert view(tally, "high-realtime", 10.0).session == 1
    assert (tally.unmatched, tally.conflicts) == (1, 0)


def test_the_same_data_at_two_levels_is_a_conflict():
    tally = Tally()
    count(tally, 10.0, as_of=9.0)
    count(tally, 11.0, as_of=9.0, volume=20_000.0, source="b")
    assert tally.conflicts == 1
    count(tally, 12.0, as_of=9.0, volume=20_000.0, source="c")
    assert tally.conflicts == 1


def test_other_symbols_other_stamps_the_same_level_overrides_aged_and_old_ones_are_none():
    tally = Tally()
    count(tally, 10.0, as_of=9.0)
    count(tally, 11.0, as_of=9.0, source="b")
    count(tally, 11.0, as_of=9.0, symbol="NDX", volume=20_000.0)
    count(tally, 11.0, as_of=8.0, volume=20_000.0)
    count(tally, 11.0, as_of=9.0, override=Override(Level.LOW, "jm", "noise", 0.0))
    count(tally, 11.0, as_of=9.0, age_s=6.0)
    assert tally.conflicts == 0
    count(tally, 71.0, as_of=9.0, age_s=6.0, volume=None)
    assert tally.conflicts == 0


def test_what_it_remembers_for_conflicts_does_not_grow_for_ever():
    tally = Tally()
    for second in range(1_000):
        count(tally, float(second))
    assert len(tally._decided) <= 61


def test_a_new_session_begins_anew():
    tally = Tally()
    count(tally, 10.0)
    count(tally, 10.0, volume=None)
    tally.start_session()
    assert tally.unmatched == 0
    assert view(tally, "high-realtime", 10.0).session == 0
