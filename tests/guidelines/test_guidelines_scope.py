"""A guideline may hold for some symbols, in some sessions and until a moment."""

import pytest

from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.rules import DEFAULT_FILE, read
from gexdesk.model.errors import GuidelineError
from gexdesk.model.features import Features

HEAD = DEFAULT_FILE.read_text(encoding="utf-8").partition("[[guideline]]")[0]
RULE = '[[guideline]]\nname = "one"\nlevel = "HIGH"\nwhen = "volume > 1"\n'


def winner(extra, at=None, symbol="SPX", **features):
    given = Features(symbol, "a", "snapshot", 5.0, None, None, 1.0, **features)
    return decide(given, read(HEAD + RULE + extra), at=at).winner


def test_symbols():
    assert winner('symbols = ["SPX", "NDX"]') == "one"
    assert winner('symbols = ["SPX", "NDX"]', symbol="AMD") == "unmatched"


@pytest.mark.parametrize(("session", "holds"), [("pre", True), ("regular", False), ("post", True), ("closed", False)])
def test_sessions(session, holds):
    assert (winner('sessions = ["post", "pre"]', session=session) == "one") is holds


@pytest.mark.parametrize(
    ("expires", "last"),
    [
        ("2026-12-31", 1_798_779_600.0),  # the midnight that ends the day in New York, 05:00 UTC
        ('"2026-12-31"', 1_798_779_600.0),
        ("2026-07-01", 1_782_964_800.0),  # summer time: 04:00 UTC
        ("2026-12-31T16:00:00-05:00", 1_798_750_800.0),
        ("2026-12-31 21:00:00Z", 1_798_750_800.0),
        ('"2026-12-31T21:00:00+00:00"', 1_798_750_800.0),
    ],
)
def test_expires(expires, last):
    extra = f"expires = {expires}"
    assert read(HEAD + RULE + extra).guidelines[0].expires == last
    assert winner(extra, at=last - 0.001) == "one"
    assert winner(extra, at=last) == "unmatched"
    assert winner(extra) == "one", "nobody said what time it is"


def test_order_and_repeats_of_a_list_do_not_make_a_version():
    versions = {read(HEAD + RULE + f"symbols = {words}").version for words in ('["SPX", "NDX"]', '["NDX", "SPX", "NDX"]')}
    assert len(versions) == 1
    assert read(HEAD + RULE).version not in versions


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("symbols = []", "symbols is an empty list"),
        ('symbols = "SPX"', "symbols is the text 'SPX'"),
        ("symbols = [1]", "symbols is a number"),
        ('symbols = ["spx"]', "'spx' is no symbol; did you mean 'SPX'?"),
        ('symbols = ["../x"]', "'../x' is no symbol"),
        ('sessions = ["regualr"]', "'regualr' is no session; did you mean 'regular'?"),
        ('sessions = ["lunch"]', "Allowed: a list among pre, regular, post, closed"),
        ('session = ["pre"]', "session is no key of guideline; did you mean sessions?"),
        ("expires = 2026-12-31T16:00:00", "has no zone"),
        ('expires = "2026-12-31T16:00:00"', "has no zone"),
        ('expires = "soon"', "expires is the text 'soon'"),
        ("expires = 16:00:00", "expires is a date or time"),
        ("expires = 5", "expires is a number"),
        ("expires = 9999-12-31", "too far away"),
        ('expires = "9999-12-31T23:59:59-23:00"', "too far away"),
    ],
)
def test_faults(extra, words):
    with pytest.raises(GuidelineError) as caught:
        read(HEAD + RULE + extra, "desk.toml")
    assert words in caught.value.message
    assert caught.value.details["line"] == (HEAD + RULE).count("\n") + 1


@pytest.mark.parametrize(("old", "new"), [("[classes.freshness]", "[classes.age]"), ("freshness = 20", "age = 20")])
def test_the_word_age_is_led_to_freshness(old, new):
    with pytest.raises(GuidelineError, match=r"age is no key of .*; did you mean freshness"):
        read(HEAD.replace(old, new) + RULE)
