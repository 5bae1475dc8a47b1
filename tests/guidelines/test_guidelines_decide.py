"""Deciding: who wins, what an override does, where scores lie, and what the reason says."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.rules import DEFAULT_FILE, load_default, read
from gexdesk.model.decision import Freshness, Override
from gexdesk.model.features import Features
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.text import printable

RULES = load_default()
HEAD = DEFAULT_FILE.read_text().partition("[[guideline]]")[0]


def features(volume=60_000.0, open_interest=120_000.0, change=0.2, age_s=1.0, **rest):
    return Features("SPX", "gexbot-spx", "real_time", volume, open_interest, change, age_s, **rest)


def rules(*guidelines):
    return read(HEAD + "".join(f"\n[[guideline]]\n{text}\n" for text in guidelines))


def test_every_match_is_recorded_and_the_winner_comes_first():
    decision = decide(features(), RULES)
    assert [match.guideline for match in decision.matches] == [
        "critical-large-realtime",
        "high-realtime",
        "high-large-fresh",
        "medium-large-realtime",
        "medium-fresh",
    ]
    assert decision.matches[0].score == decision.score
    assert decision.guidelines_version == RULES.version


def test_equal_scores_go_to_the_stricter_freshness_whatever_the_order():
    lax, strict = (
        'name = "lax"\nlevel = "HIGH"\nwhen = "volume > 1"',
        'name = "strict"\nlevel = "HIGH"\nwhen = "volume > 1 and freshness >= real_time"',
    )
    for order in ((lax, strict), (strict, lax)):
        decision = decide(features(), rules(*order))
        assert [match.guideline for match in decision.matches] == ["strict", "lax"]
        assert decision.matches[0].score == decision.matches[1].score


def test_equal_in_everything_goes_to_the_first_in_the_file():
    one, two = (f'name = "{name}"\nlevel = "HIGH"\nwhen = "volume > 1"' for name in ("one", "two"))
    assert decide(features(), rules(one, two)).winner == "one"
    assert decide(features(), rules(two, one)).winner == "two"


def test_a_score_of_its_own_lifts_a_guideline_over_a_stricter_one():
    lifted = 'name = "lifted"\nlevel = "HIGH"\nscore = 0.8\nwhen = "volume > 1"'
    strict = 'name = "strict"\nlevel = "HIGH"\nwhen = "volume > 1 and freshness >= real_time"'
    decision = decide(features(), rules(strict, lifted))
    assert decision.winner == "lifted"
    assert 0.8 <= decision.score <= 0.89


def test_an_inactive_guideline_does_not_decide():
    off = 'name = "off"\nlevel = "CRITICAL"\nactive = false\nwhen = "volume > 1"'
    on = 'name = "on"\nlevel = "MEDIUM"\nwhen = "volume > 1"'
    decision = decide(features(), rules(off, on))
    assert (decision.winner, [match.guideline for match in decision.matches]) == ("on", ["on"])


def test_nothing_matched_is_low_and_says_so():
    decision = decide(features(volume=5.0), rules('name = "big"\nlevel = "HIGH"\nwhen = "volume > 10"'))
    assert (decision.level, decision.winner, decision.matches) == (Level.LOW, "unmatched", ())
    assert 0 < decision.score <= 0.39
    assert decision.reason.startswith("unmatched: ")


@pytest.mark.parametrize("level", LEVELS)
def test_an_override_beats_all_and_what_matched_stays_recorded(level):
    override = Override(level, "jm", "CPI print", since=0.0, until=1_795_442_400.0)
    plain, forced = decide(features(), RULES), decide(features(), RULES, override)
    assert (forced.level, forced.score, forced.winner) == (level, level.band[1], "override")
    assert forced.matches == plain.matches
    assert forced.override is override
    assert forced.freshness is Freshness.REAL_TIME
    assert forced.reason.startswith(f"override: {level} by jm, until 2026-11-23 14:00:00 UTC: CPI print; ")
    assert "the guidelines say CRITICAL by critical-large-realtime" in forced.reason


def test_an_override_makes_stale_data_critical_and_may_have_no_end():
    decision = decide(features(age_s=5000.0), RULES, Override(Level.CRITICAL, "jm", "hold", since=0.0))
    assert decision.level is Level.CRITICAL
    assert decision.freshness is Freshness.STALE
    assert "by jm, no end: hold" in decision.reason


def test_an_operators_words_cannot_steer_a_terminal():
    reason = decide(features(), RULES, Override(Level.LOW, "j\x1b[2Jm", "a\nb\u202e" + "x" * 500, since=0.0)).reason
    assert printable(reason, 10_000) == reason
    assert len(reason) < 500


def test_the_reason_carries_the_figures():
    assert decide(features(61_234.0, 120_000.0, 0.07, 1.25), RULES).reason == (
        "high-realtime: impact high (volume 61,234, open interest 120,000), change medium (0.07), age 1.25 s (real-time)"
    )


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"change": None}, "no previous snapshot in this session: change counts as medium"),
        ({"volume": None, "open_interest": None}, "impact not known (no volume, no open interest)"),
        ({"volume": None}, "impact high (volume not known, open interest 120,000)"),
        ({"open_interest": None}, "impact high (volume 60,000, open interest not known)"),
        ({"volume_from": "chain"}, "volume and open interest from the symbol's latest chain"),
        ({"volume_from": "assumed"}, "volume and open interest assumed by configuration"),
        ({"age_s": -3.5}, "age -3.5 s (fresh), stamp in the future: clock skew, fresh at best"),
        ({"age_s": 2.0, "clock_skew": True}, "clock skew, fresh at best"),
        ({"age_s": 901.0}, "age 901 s (stale)"),
        ({"age_s": math.nan}, "age not known: counts as stale"),
    ],
)
def test_the_reason_says_what_is_unusual(given_, words):
    assert words in decide(features(**given_), RULES).reason
    assert "\n" not in decide(features(**given_), RULES).reason


def test_an_unknown_change_counts_exactly_as_medium():
    unknown, medium = decide(features(change=None), RULES), decide(features(change=0.05), RULES)
    assert (unknown.level, unknown.score, unknown.winner) == (medium.level, medium.score, medium.winner)


def test_a_hint_moves_the_score_and_never_the_level():
    decisions = [decide(features(change=0.0, priority_hint=hint), RULES) for hint in ("low", "normal", "high", "critical")]
    assert [decision.level for decision in decisions] == [Level.HIGH] * 4
    scores = [decision.score for decision in decisions]
    assert scores == sorted(set(scores))
    assert decide(features(change=0.0), RULES).score == scores[1]
    assert decide(features(change=0.0, priority_hint="now!"), RULES).score == scores[1]


def test_the_score_worked_by_hand():
    # impact twice the threshold: 2/3; change at it: 1/2; age at it: 1/2; reliability 0.8; urgency 1
    press = 0.3 * 2 / 3 + 0.3 / 2 + 0.2 / 2 + 0.1 * 0.8 + 0.1
    decision = decide(features(100_000.0, 0.0, 0.10, 5.0, source_reliability=0.8, priority_hint="critical"), RULES)
    assert decision.level is Level.MEDIUM
    assert decision.score == pytest.approx(0.40 + 0.29 * press)
    parts = decision.parts
    assert (parts.impact, parts.change) == (pytest.approx(0.2), pytest.approx(0.15))
    assert (parts.freshness, parts.reliability, parts.urgency) == (pytest.approx(0.1), pytest.approx(0.08), pytest.approx(0.1))
    assert parts.total == pytest.approx(press)


@pytest.mark.parametrize("age_s", [-30.0, -5.0, -2.5])
def test_skewed_data_scores_as_the_freshest_that_is_not_real_time(age_s):
    at_the_threshold = decide(features(age_s=5.0), RULES)
    skewed = decide(features(age_s=age_s), RULES)
    assert (skewed.level, skewed.score, skewed.winner) == (Level.HIGH, at_the_threshold.score, "high-large-fresh")


NUMBERS = st.none() | st.floats(0, 1e7) | st.sampled_from([9_999.0, 10_000.0, 25_000.0, 50_000.0, 50_001.0, 100_000.0, 100_001.0])
CHANGES = st.none() | st.floats(0, 5) | st.sampled_from([0.05, 0.1, 0.10000001, 0.0499999])
AGES = st.floats(-2, 2_000) | st.sampled_from([4.999, 5.0, 299.999, 300.0])
SHARES = st.floats(0, 1)
HINTS = st.none() | st.sampled_from(["low", "normal", "high", "critical"])


@given(NUMBERS, NUMBERS, CHANGES, st.floats(allow_nan=True), st.booleans(), st.floats(allow_nan=True), HINTS)
@settings(max_examples=300, deadline=None)
def test_any_features_give_one_score_inside_the_band_again_and_again(volume, open_interest, change, age_s, skew, reliability, hint):
    given_ = features(volume, open_interest, change, age_s, clock_skew=skew, source_reliability=reliability, priority_hint=hint)
    decision = decide(given_, RULES)
    low, high = decision.level.band
    assert low <= decision.score <= high
    assert decision == decide(given_, RULES)
    assert all(match.level.band[0] <= match.score <= match.level.band[1] for match in decision.matches)
    assert list(decision.matches) == sorted(decision.matches, key=lambda match: (-match.score, match.requires))


@given(NUMBERS, NUMBERS, CHANGES, AGES, SHARES, st.data())
@settings(max_examples=400, deadline=None)
def test_more_impact_a_larger_change_fresher_or_more_reliable_never_lowers(volume, open_interest, change, age_s, reliability, data):
    worse = features(volume, open_interest, change, age_s, source_reliability=reliability)
    more = st.floats(0, 1) | st.floats(0, 1e6)
    better = features(
        None if volume is None else volume + data.draw(more),
        None if open_interest is None else open_interest + data.draw(more),
        None if change is None else change + data.draw(more),
        max(-2.0, age_s - data.draw(more)),
        source_reliability=min(1.0, reliability + data.draw(SHARES)),
    )
    before, after = decide(worse, RULES), decide(better, RULES)
    assert after.level.rank <= before.level.rank
    assert after.score >= before.score
