"""A guideline file is taken whole or refused at a line and column."""

import re
import time

import pytest

from gexdesk.guidelines.rules import DEFAULT_FILE, load, load_default, read
from gexdesk.model.decision import Freshness
from gexdesk.model.errors import GuidelineError
from gexdesk.model.level import Level

TEXT = DEFAULT_FILE.read_text(encoding="utf-8")
HEAD = TEXT.partition("[[guideline]]")[0]
RULE = '\n[[guideline]]\nname = "one"\nlevel = "HIGH"\nwhen = "volume > 1"\n'


def line_of(text, part):
    return text[: text.index(part)].count("\n") + 1


def refused(text, file="desk.toml"):
    with pytest.raises(GuidelineError) as caught:
        read(text, file)
    return caught.value


def test_the_default_set():
    rules = load_default()
    assert rules.name == "default"
    assert [(guideline.name, guideline.level, guideline.requires) for guideline in rules.guidelines] == [
        ("critical-large-realtime", Level.CRITICAL, Freshness.REAL_TIME),
        ("high-realtime", Level.HIGH, Freshness.REAL_TIME),
        ("high-large-fresh", Level.HIGH, Freshness.FRESH),
        ("medium-large-realtime", Level.MEDIUM, Freshness.REAL_TIME),
        ("medium-fresh", Level.MEDIUM, Freshness.FRESH),
        ("low-stale", Level.LOW, Freshness.STALE),
        ("low-impact", Level.LOW, Freshness.STALE),
    ]
    assert all(guideline.description and guideline.active for guideline in rules.guidelines)
    assert sum(getattr(rules.weights, name) for name in rules.weights.__struct_fields__) == pytest.approx(1)


def test_the_version_follows_what_the_file_says_and_not_how():
    version = read(TEXT).version
    assert len(version) == 12
    assert version.startswith("v-")
    assert read("# another comment\n" + TEXT.replace("50_000", "50000")).version == version
    assert read(TEXT.replace("\n", "\r\n")).version == version
    changes = {"50_000": "50_001", "impact = 30": "impact = 31", "impact == low": "impact <= low", "Too small": "too small"}
    for changed in changes.items():
        assert read(TEXT.replace(*changed)).version != version, changed


def test_an_inactive_guideline_is_kept_checked_and_left_out():
    rules = read(HEAD + RULE + RULE.replace("one", "two") + "active = false\n")
    assert [guideline.name for guideline in rules.guidelines] == ["one", "two"]
    assert [guideline.name for guideline in rules.active] == ["one"]
    misspelt = RULE.replace("one", "two").replace("volume", "volum") + "active = false\n"
    assert "volum is no field" in refused(HEAD + RULE + misspelt).message


@pytest.mark.parametrize(
    ("old", "new", "marker", "column", "near", "words"),
    [
        ("impact >= high and change >= large", "impact >= hihg and change >= large", "impact >= hihg", 19, "high", "hihg"),
        ('when = "freshness == stale"', "when = 'volum > 1'", "volum > 1", 9, "volume", "guideline low-stale: volum is no field"),
        ('when = "freshness == stale"', 'when  =  "freshness > fresh and freshness == stale"', "when  =", 11, "", "can never hold"),
        ('level = "CRITICAL"', 'level = "critical"', '"critical"', 1, "CRITICAL", "critical is no level"),
        ('level = "CRITICAL"', 'level = "URGENT"', '"URGENT"', 1, "", "CRITICAL, HIGH, MEDIUM, LOW"),
        ('level = "CRITICAL"', "level = 1", "level = 1", 1, "", "a number is no level"),
        ('level = "CRITICAL"', 'levle = "CRITICAL"', "levle", 1, "level", "levle is no key of guideline"),
        ('name = "low-impact"', 'name = "low-stale"', 'name = "low-stale"\ndescription = "Too small', 1, "", "low-stale is taken"),
        ('name = "low-impact"', 'name = "override"', 'name = "override"', 1, "", "'override' cannot be a name"),
        ('name = "low-impact"', 'name = "Low Impact"', 'name = "Low', 1, "", "cannot be a name"),
        ('name = "low-impact"', 'name = ""', 'name = ""', 1, "", "cannot be a name"),
        ('name = "low-impact"', "name = 5", "name = 5", 1, "", "name is a number"),
        ('description = "Too small to hurry"', 'description = "a\\u001b[2Jb"', "[2Jb", 1, "", "printable"),
        ('when = "impact == low"', 'when = ["impact == low"]', 'when = ["impact', 1, "", "when is a list"),
        ('when = "impact == low"', 'when = "impact == low"\nactive = "no"', 'active = "no"', 1, "", "true or false"),
        ('when = "impact == low"', 'when = "impact == low"\nscore = 0.5', "score = 0.5", 1, "", "0.00 to 0.39"),
        ('when = "impact == low"', 'when = "impact == low"\nscore = true', "score = true", 1, "", "score is true"),
        ("volume_over = 50_000", "volume_over = 9_999", "high = {", 1, "", "volume_over 9999 is not above medium.volume_from"),
        ("open_interest_from = 25_000", "open_interest_from = 200_000", "high = {", 1, "", "not above medium.open_interest_from"),
        ("over = 0.10", "over = 0.05", "large = {", 1, "", "large.over 0.05 is not above medium.from 0.05"),
        ("under = 5 ", "under = 300 ", "fresh = {", 1, "", "fresh.under 300 is not above real_time.under 300"),
        ("under = 5 ", "under = 0 ", "real_time = {", 1, "", "real_time.under is 0"),
        ("under = 5 ", "under = -5 ", "real_time = {", 1, "", "real_time.under is -5"),
        ("under = 5 ", "under = inf ", "real_time = {", 1, "", "too large"),
        ("under = 5 ", "under = nan ", "real_time = {", 1, "", "not a finite number"),
        ("under = 5 ", "under = " + "9" * 400 + " ", "real_time = {", 1, "", "too large"),
        ("under = 5 ", 'under = "5 s" ', "real_time = {", 1, "", "the text '5 s'"),
        ("under = 5 ", "below = 5 ", "real_time = {", 1, "", "below is no key of classes.freshness.real_time"),
        ("real_time = {", "realtime = {", "realtime = {", 1, "real_time", "realtime is no key of classes.freshness"),
        ("[classes.change]", "[classes.chnge]", "[classes.chnge]", 1, "change", "chnge is no key of classes"),
        ("urgency = 10", "urgncy = 10", "urgncy", 1, "urgency", "urgncy is no key of weights"),
        ("urgency = 10", "urgency = -1", "urgency = -1", 1, "", "urgency is -1"),
        ("urgency = 10", "# none", "[weights]", 1, "", "weights has no urgency"),
        ('name = "default"', 'name = "default"\nauthor = "jm"', "author = ", 1, "", "author is no key of the file"),
        ('level = "CRITICAL"\n', "", '[[guideline]]\nname = "critical', 1, "", "guideline has no level"),
        ("[weights]", "[weights", "[weights #", None, "", "this is not TOML"),
        ('name = "default"', 'name = "default"\nname = "again"', 'name = "again"', None, "", "this is not TOML"),
    ],
)
def test_a_fault_is_named_where_it_stands(old, new, marker, column, near, words):
    text = TEXT.replace(old, new, 1)
    assert text != TEXT
    error = refused(text)
    line = line_of(text, marker)
    assert error.details["line"] == line, error.message
    assert column is None or error.details["column"] == column, error.message
    assert error.message.startswith(f"desk.toml, line {line}")
    assert error.details["file"] == "desk.toml"
    assert error.details["did_you_mean"] == near
    assert words in error.message


def test_a_fault_inside_a_condition_of_many_lines_is_found_where_it_stands():
    text = HEAD + RULE.replace('"volume > 1"', '"""\n  volume > 1 and\n  volum > 2\n"""')
    error = refused(text)
    assert (error.details["line"], error.details["column"]) == (line_of(text, "volum > 2"), 3)


def test_a_condition_with_escapes_is_placed_at_its_key():
    text = HEAD + RULE.replace('"volume > 1"', '"\\u0076olume > 1 and volum > 2"')
    error = refused(text)
    assert (error.details["line"], error.details["column"]) == (line_of(text, "when ="), 16)


def test_headers_inside_of_texts_do_not_mislead():
    text = HEAD + '\n[[guideline]]\nwhen = """\n[[guideline]]\n"""\nlevel = "LOW"\nname = "Bad Name"\n'
    assert refused(text).details["line"] == line_of(text, 'name = "Bad')


def test_guidelines_written_inline_still_name_the_file():
    text = 'guideline = [{ name = "one", level = "HIGH", when = "volum > 1" }]\n' + HEAD
    error = refused(text)
    assert error.message.startswith("desk.toml, column 1: guideline one: volum is no field; did you mean volume?")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file has no classes"),
        (HEAD, "the file has no guideline"),
        (HEAD.replace('name = "default"', 'name = "default"\nguideline = []'), "there is no guideline"),
        (HEAD.replace('name = "default"', "guideline = 1"), "there is no guideline"),
        ("classes = 1\nweights = 1\nguideline = 1", "classes is a number"),
        (HEAD + "".join(RULE.replace("one", f"r{number}") for number in range(501)), "501 guidelines are too many"),
        (re.sub(r"(?m)^(\w+) = [123]0\b", r"\1 = 0", HEAD) + RULE, "the weights add up to 0"),
        ("a = " + "[" * 100_000, "desk.toml"),
        (HEAD + RULE + "#" * 300_000, "too large"),
        ("a = " + "1" * 5_000, "not TOML"),
        ("\x00", "not TOML"),
        ("name = \"\ud800\"", "the file"),
    ],
    ids=range(12),
)
def test_a_file_without_sense_is_refused(text, words):
    assert words in refused(text).message


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for name, content, words in (
        ("gone.toml", None, "no such file"),
        ("latin.toml", b"name = 'x'\nx = 'b\xf6rse'", "line 2: the byte 0xf6 is not UTF-8"),
        ("big.toml", b"#" * 300_000, "too large"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(GuidelineError) as caught:
            load(path)
        assert words in caught.value.message
        assert str(path) in caught.value.message
    with pytest.raises(GuidelineError, match="a folder"):
        load(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_taken(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load(path).version == load_default().version


def test_five_hundred_guidelines_are_taken():
    rules = read(HEAD + "".join(RULE.replace("one", f"r{number}") for number in range(500)))
    assert len(rules.active) == 500


def test_a_key_of_a_hundred_thousand_parts_is_refused_before_it_is_read() -> None:
    began = time.process_time()
    with pytest.raises(GuidelineError, match="line 2: the line has too many dots"):
        read("\n" + "a." * 131_000 + "b = 1")
    assert time.process_time() - began < 1.0
