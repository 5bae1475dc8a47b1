"""A batch of any conditions over any rows is decided exactly as one by one."""

import random
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.guidelines.batch import decide_batch
from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.fields import HINTS, NUMBERS, ORDERED, TEXTS
from gexdesk.guidelines.rules import DEFAULT_FILE, load_default, read
from gexdesk.model.errors import GuidelineError
from gexdesk.model.features import Features
from gexdesk.model.level import LEVELS

HEAD = DEFAULT_FILE.read_text(encoding="utf-8").partition("[[guideline]]")[0]
WORDS = {"symbol": ("SPX", "NDX"), "source": ("a", "b"), **{name: words for name, words in TEXTS.items() if words}}
NAMED = tuple(Features.__struct_fields__)

ODD = [None, 0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 5e-324]
EDGES = [9_999.0, 10_000.0, 25_000.0, 50_000.0, 50_001.0, 100_000.0, 100_001.0, 0.05, 0.1, -2.0, -2.5, 5.0, 300.0, 1.0, 2.0]
SIGNS = ["<", "<=", ">", ">=", "==", "!="]


@st.composite
def operand(draw, depth):
    kind = draw(st.sampled_from(["field", "number", "sum", "minus"])) if depth else draw(st.sampled_from(["field", "number"]))
    if kind == "sum":
        return f"({draw(operand(depth - 1))} {draw(st.sampled_from('+-*/'))} {draw(operand(depth - 1))})"
    if kind == "minus":
        return f"(-{draw(operand(depth - 1))})"
    return draw(st.sampled_from(NUMBERS if kind == "field" else ["0", "1", "3", "2.5", "10_000", "1e300", "0.05"]))


@st.composite
def comparison(draw):
    kind = draw(st.sampled_from(["number", "number", "list", "class", "text", "flag"]))
    negation = draw(st.sampled_from(["in", "not in"]))
    if kind == "flag":
        return "clock_skew"
    if kind == "number":
        rest = "".join(f" {draw(st.sampled_from(SIGNS))} {draw(operand(2))}" for _ in range(draw(st.integers(1, 2))))
        return f"{draw(st.sampled_from(NUMBERS))} + {draw(operand(1))}{rest}"
    if kind == "list":
        values = draw(st.lists(st.sampled_from(["0", "-0", "1", "2", "-1", "5.0", "10_000"]), min_size=1, max_size=4))
        return f"{draw(st.sampled_from(NUMBERS))} {negation} [{', '.join(values)}]"
    if kind == "class":
        name = draw(st.sampled_from(sorted(ORDERED)))
        words = st.sampled_from(ORDERED[name])
        if draw(st.booleans()):
            return f"{name} {negation} [{', '.join(draw(st.lists(words, min_size=1, max_size=3)))}]"
        return f"{name} {draw(st.sampled_from(SIGNS))} {draw(words | st.just(name))}"
    name = draw(st.sampled_from(sorted(WORDS)))
    words = st.sampled_from(WORDS[name]).map(repr)
    if draw(st.booleans()):
        return f"{name} {negation} [{', '.join(draw(st.lists(words, min_size=1, max_size=3)))}]"
    return f"{name} {draw(st.sampled_from(['==', '!=']))} {draw(words | st.just(name))}"


@st.composite
def condition(draw, depth=3):
    kind = draw(st.sampled_from(["compare", "and", "or", "not"])) if depth else "compare"
    if kind == "compare":
        return draw(comparison())
    if kind == "not":
        return f"not ({draw(condition(depth - 1))})"
    return f"({draw(condition(depth - 1))}) {kind} ({draw(condition(depth - 1))})"


@st.composite
def guideline(draw, name):
    level = draw(st.sampled_from(LEVELS))
    low, top = level.band
    lines = [f'name = "{name}"', f'level = "{level}"', f'when = """{draw(condition())}"""']
    if draw(st.integers(0, 3)) == 0:
        lines.append(f"score = {draw(st.sampled_from([low, top, (low + top) / 2, top - 1e-12]))}")
    if draw(st.integers(0, 4)) == 0:
        lines.append("active = false")
    if draw(st.integers(0, 3)) == 0:
        lines.append(f'symbols = ["{draw(st.sampled_from(WORDS["symbol"]))}"]')
    if draw(st.integers(0, 3)) == 0:
        lines.append(f"sessions = {list(draw(st.sets(st.sampled_from(WORDS['session']), min_size=1)))}")
    if draw(st.integers(0, 3)) == 0:
        lines.append(f"expires = {draw(st.sampled_from(['1970-01-01T00:00:10Z', '1970-01-01T00:00:20+00:00']))}")
    return "\n[[guideline]]\n" + "\n".join(lines) + "\n"


def rows_of(seed, count):
    """Make rows from a seed: drawing each value by hypothesis would take most of the test's time."""
    random_ = random.Random(seed)
    made = []
    for _ in range(count):
        numbers = [float(random_.randint(-3, 12)), random_.uniform(-10, 1e6), random_.uniform(-3, 9)]
        found = {name: random_.choice([random_.choice(ODD), random_.choice(EDGES), *numbers]) for name in NUMBERS}
        found |= {name: random_.choice(words) for name, words in WORDS.items()}
        found |= {name: random_.choice([None, *words]) for name, words in HINTS.items()}
        made.append((Features(**found, clock_skew=random_.random() < 0.3), random_.choice([None, 9.0, 10.0, 19.99, 20.0, 21.0])))
    return made


ROWS = st.builds(rows_of, st.integers(0, 10**9), st.integers(0, 40))


def frame_of(rows):
    columns = {name: [getattr(features, name) for features, _ in rows] for name in NAMED}
    kinds = dict.fromkeys(NUMBERS, pl.Float64) | dict.fromkeys((*TEXTS, *HINTS), pl.String) | {"clock_skew": pl.Boolean}
    return pl.DataFrame(columns | {"decided_at": [at for _, at in rows]}, schema=kinds | {"decided_at": pl.Float64})


def one_by_one(rows, rules):
    decided = [decide(features, rules, at=at) for features, at in rows]
    return [(decision.winner, decision.level, decision.score) for decision in decided]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_rules_over_any_rows_are_decided_alike(data):
    text = HEAD + "".join(data.draw(guideline(f"r{number}")) for number in range(data.draw(st.integers(1, 4))))
    try:
        rules = read(text)
    except GuidelineError as error:
        faults = ("divided by zero", "can never hold", "too long", "compares no field")
        assert any(fault in error.message for fault in faults), error.message  # noqa: PT017  # the only faults this can draw
        return
    rows = data.draw(ROWS)
    assert decide_batch(frame_of(rows), rules).rows() == one_by_one(rows, rules), text


def test_division_rounds_once_in_both():
    # Polars would multiply by 1/49, which gives 0.9999999999999999 for 49.
    rules = read(HEAD + '[[guideline]]\nname = "one"\nlevel = "HIGH"\nwhen = "volume / 49 == 1"\n')
    rows = [(Features("SPX", "a", "snapshot", 49.0, None, None, 1.0), None)] * 20
    assert decide_batch(frame_of(rows), rules)["winner"].to_list() == ["one"] * 20


@given(ROWS)
@settings(max_examples=40, deadline=None)
def test_the_default_set_over_any_rows(rows):
    assert decide_batch(frame_of(rows), load_default()).rows() == one_by_one(rows, load_default())


def test_scores_that_meet_at_the_top_of_their_band_go_to_the_stricter_freshness_in_both():
    weights = HEAD
    for weight in ("impact = 30", "change = 30", "freshness = 20", "source_reliability = 10"):
        weights = weights.replace(f"\n{weight}", f"\n{weight.partition(' =')[0]} = 0")
    lax = '[[guideline]]\nname = "lax"\nlevel = "HIGH"\nscore = 0.8\nwhen = "volume > 1"\n'
    strict = '[[guideline]]\nname = "strict"\nlevel = "HIGH"\nwhen = "volume > 1 and freshness >= real_time"\n'
    rules = read(weights + lax + strict)
    rows = [(Features("SPX", "a", "snapshot", 10.0, None, None, 1.0, priority_hint=hint), None) for hint in ("critical", "high")]
    assert [winner for winner, _, _ in one_by_one(rows, rules)] == ["strict", "lax"]
    assert decide_batch(frame_of(rows), rules).rows() == one_by_one(rows, rules)


@pytest.mark.parametrize("sign", ["<", ">=", "==", "!="])
def test_infinity_less_infinity_is_not_known_in_both(sign):
    endless = "volume * 1e308 * 1e308"
    rules = read(HEAD + f'[[guideline]]\nname = "one"\nlevel = "HIGH"\nwhen = "{endless} - {endless} {sign} 0"\n')
    rows = [(Features("SPX", "a", "snapshot", 5.0, None, None, 1.0), None)] * 9
    assert decide_batch(frame_of(rows), rules).rows() == one_by_one(rows, rules)
    assert one_by_one(rows, rules)[0][0] == "unmatched"


def test_columns_with_a_default_may_be_missing_and_others_are_named():
    when = "session == 'regular' and not priority_hint == low"
    rules = read(HEAD + f'[[guideline]]\nname = "open"\nlevel = "HIGH"\nwhen = "{when}"\n')
    few = {"symbol": ["SPX"], "source": ["a"], "data_type": ["snapshot"], "volume": [1], "open_interest": [None]}
    few |= {"gamma_change": [None], "data_age_s": [2]}
    assert decide_batch(pl.DataFrame(few), rules)["winner"].to_list() == ["open"]
    with pytest.raises(GuidelineError, match="no column volume"):
        decide_batch(pl.DataFrame(few).drop("volume"), rules)
    with pytest.raises(GuidelineError, match="cannot be decided"):
        decide_batch(pl.DataFrame(few | {"volume": ["many"]}), rules)


def test_five_hundred_guidelines_decide_a_batch():
    made = "".join(
        f'[[guideline]]\nname = "r{n}"\nlevel = "{LEVELS[n % 4]}"\nwhen = "volume == {n} or not open_interest != {n}"\n'
        for n in range(500)
    )
    rules = read(HEAD + made)
    rows = [(Features("SPX", "a", "snapshot", float(n), 600.0, None, 1.0), None) for n in range(510)]
    assert decide_batch(frame_of(rows), rules).rows() == one_by_one(rows, rules)


@pytest.mark.parametrize("module", ["rules", "decide", "batch", "reload", "backtest", "labelled"])
def test_importing_a_module_does_not_load_polars(module):
    code = f"import sys, gexdesk.guidelines.{module}; print('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
