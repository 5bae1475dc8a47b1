"""``gexdesk guidelines``: exit codes, the keys of its answers, and refusals that name the line."""

import json
import os

import pytest

from gexdesk.assemble.offline import explain
from gexdesk.assemble.state_folder import GUIDELINES_NAME, METADATA_NAME
from gexdesk.cli.main import main
from gexdesk.guidelines.reload import Guidelines
from gexdesk.guidelines.rules import DEFAULT_FILE, load_default
from gexdesk.guidelines.versions import Versions
from gexdesk.model.clock import SystemClock
from gexdesk.model.features import Features
from gexdesk.stores.base import Batch, DecisionRecord
from gexdesk.stores.metadata import Metadata

TEXT = DEFAULT_FILE.read_text(encoding="utf-8")
CALMER = TEXT.replace("volume_over = 50_000", "volume_over = 60_000")
CSV = """symbol,data_type,volume,open_interest,gamma_change,data_age_s,expected_level
SPX,real_time,55000,0,0.2,1,CRITICAL
AMD,snapshot,5,5,,1,LOW
AMD,snapshot,5,5,,1,HIGH
"""


@pytest.fixture(autouse=True)
def nobodys_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def ask(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["guidelines", *map(str, arguments)])
        shown = capsys.readouterr()
        answer = json.loads(shown.out) if "--json" in arguments and shown.out else None
        return ended.value.code, answer, shown.out + shown.err

    return run


def test_check(ask, tmp_path):
    code, answer, _ = ask("check", "--json")
    assert (code, answer["version"], answer["guidelines"], answer["active"]) == (0, load_default().version, 7, 7)
    bad = tmp_path / "bad.toml"
    bad.write_text(TEXT.replace("impact >= high", "impact >= hihg", 1), encoding="utf-8")
    code, answer, shown = ask("check", bad, "--json")
    assert code == 1
    assert answer["error"] == "guideline_error"
    assert answer["details"]["did_you_mean"] == "high"
    assert "hihg" in bad.read_text(encoding="utf-8").splitlines()[answer["details"]["line"] - 1]
    assert f"{bad}, line {answer['details']['line']}, column" in shown


def test_test_counts_and_exits_0_whatever_the_accuracy(ask, tmp_path):
    labelled = tmp_path / "labelled.csv"
    labelled.write_text(CSV, encoding="utf-8")
    code, answer, _ = ask("test", labelled, "--json")
    assert code == 0
    assert list(answer) == ["rows", "correct", "accuracy", "confusion", "wrong"]
    assert (answer["rows"], answer["correct"], answer["accuracy"]) == (3, 2, pytest.approx(2 / 3))
    assert answer["confusion"]["HIGH"] == {"CRITICAL": 0, "HIGH": 0, "MEDIUM": 0, "LOW": 1}
    assert [(wrong["line"], wrong["decided"]) for wrong in answer["wrong"]] == [(4, "LOW")]
    calmer = tmp_path / "calmer.toml"
    calmer.write_text(CALMER, encoding="utf-8")
    assert ask("test", labelled, "--guidelines", calmer, "--json")[1]["correct"] == 1
    assert "2 of 3 rows are right" in ask("test", labelled)[2]
    labelled.write_text(CSV + "SPX,real_time,many,0,0.2,1,LOW\n", encoding="utf-8")
    code, answer, shown = ask("test", labelled, "--json")
    assert (code, answer["details"]["line"]) == (1, 5)
    assert "line 5: volume is 'many'" in shown
    assert ask("test")[0] == 2


def test_a_decision_is_explained_without_an_engine(ask):
    figures = ("--symbol", "SPX", "--data-type", "real_time", "--volume", 61234, "--open-interest", 120000)
    code, answer, _ = ask("explain", *figures, "--gamma-change", 0.2, "--data-age-s", 1.5, "--json")
    assert (code, answer["level"], answer["winner"]) == (0, "CRITICAL", "critical-large-realtime")
    assert [match["guideline"] for match in answer["matches"]][:2] == ["critical-large-realtime", "high-realtime"]
    low, top = 0.9, 1.0
    assert answer["score"] == pytest.approx(low + (top - low) * sum(answer["parts"].values()))
    code, answer, _ = ask("explain", *figures, "--data-age-s", -1, "--json")
    assert (answer["level"], answer["parts"]["change"]) == ("HIGH", pytest.approx(0.1))
    assert "no previous snapshot" in answer["reason"]
    assert ask("explain", "--symbol", "../x", "--data-age-s", 1)[0] == 1
    assert ask("explain", "--symbol", "SPX", "--data-type", "realtime", "--data-age-s", 1)[0] == 1
    assert ask("explain", "--symbol", "SPX")[0] == 2


def test_list_and_history_show_what_is_in_force(ask, tmp_path):
    state = tmp_path / "desk"
    code, answer, _ = ask("list", "--state", state, "--json")
    assert (code, [g["name"] for g in answer["guidelines"]]) == (0, [g.name for g in load_default().guidelines])
    assert ask("history", "--state", state, "--json")[1] == {"versions": []}
    guidelines = Guidelines(Versions(state / GUIDELINES_NAME), SystemClock())
    guidelines.start(TEXT, "desk")
    ending = '\n[[guideline]]\nname = "x"\nlevel = "LOW"\nwhen = "volume < 1"\nexpires = 2026-12-31\n'
    staged = guidelines.offer(CALMER + ending, "jm")
    guidelines.apply(staged, "jm", "calmer")
    listed = ask("list", "--state", state, "--json")[1]
    assert listed["version"] == staged.rules.version
    assert listed["guidelines"][-1]["expires"] == "2027-01-01 05:00:00Z"
    kept = ask("history", "--state", state, "--json")[1]["versions"]
    assert [(version["author"], version["reason"]) for version in kept] == [("desk", "in force at the start"), ("jm", "calmer")]
    assert "+high = { volume_over = 60_000" in kept[1]["diff"]
    shown = ask("history", "--state", state)[2]
    assert shown.index("calmer") < shown.index("in force at the start")


def test_diff_tries_a_file_on_the_recorded_decisions(ask, tmp_path):
    state = tmp_path / "desk"
    state.mkdir()
    calmer = tmp_path / "calmer.toml"
    calmer.write_text(CALMER, encoding="utf-8")
    code, _, shown = ask("diff", calmer, "--state", state)
    assert code == 1
    assert "has no recorded decisions" in shown
    metadata = Metadata(state / METADATA_NAME)
    rules, records = load_default(), []
    for number in range(30):
        features = Features("SPX" if number % 3 else "NDX", "a", "real_time", 55_000.0, None, 0.2, 1.0 if number % 2 else 900.0)
        decision = explain(features, rules, 1_795_000_000.0 + number)
        records.append(DecisionRecord(f"j{number}", 1_795_000_000.0 + number, features, decision))
    metadata.open()
    metadata.write(Batch(decisions=tuple(records)))
    metadata.close()
    code, answer, _ = ask("diff", calmer, "--state", state, "--json")
    assert (code, answer["rows"], answer["changed"], answer["critical_ratio"]) == (0, 30, 15, 0.0)
    assert answer["confusion"]["CRITICAL"] == {"CRITICAL": 0, "HIGH": 15, "MEDIUM": 0, "LOW": 0}
    movers = [(mover["symbol"], mover["before"], mover["after"], mover["count"]) for mover in answer["movers"]]
    assert movers == [("SPX", "CRITICAL", "HIGH", 10), ("NDX", "CRITICAL", "HIGH", 5)]
    assert ask("diff", calmer, "--state", state, "--last", 6, "--json")[1]["rows"] == 6
    assert "15 of 30 decisions would change; 0 CRITICAL instead of 15" in ask("diff", calmer, "--state", state)[2]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--data-age-s", "nan"), ("--data-age-s", "inf"), ("--volume", "nan"), ("--volume", "-1"),
     ("--volume", "1e308"), ("--open-interest", "inf"), ("--gamma-change", "inf")],
)  # fmt: skip
def test_a_figure_that_is_none_is_refused_in_a_short_line(ask, option, value):
    figures = {"--symbol": "SPX", "--data-age-s": "1"} | {option: value}
    least = "-1e+15" if option == "--data-age-s" else "0"
    code, _, said = ask("explain", *(f"{name}={figure}" for name, figure in figures.items()))
    assert (code, said) == (1, f"gexdesk: {option} {float(value):.6g} is not a number from {least} to 1e+15\n")


def test_check_counts_what_can_decide_now_and_names_what_has_expired(ask, tmp_path):
    rules = tmp_path / "rules.toml"
    rule = '[[guideline]]\nname = "{}"\nlevel = "HIGH"\nwhen = "volume > 1"\n{}'
    text = TEXT[: TEXT.index("[[guideline]]")] + rule.format("old", "expires = 2020-01-01\n") + rule.format("new", "")
    rules.write_text(text)
    code, found, _ = ask("check", rules, "--json")
    assert (code, found["guidelines"], found["active"], found["expired"]) == (0, 2, 1, ["old"])
    assert "1 of 2 guidelines active; expired: old" in ask("check", rules)[2]


def test_what_stands_in_a_rule_file_s_place_is_named(ask, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    found = {"pipe": "a named pipe", "loop": "levels of symbolic links", "dangling": "a link to nothing", "none": "no such file"}
    for name, words in found.items():
        code, _, said = ask("check", tmp_path / name)
        assert code == 1
        assert words in said, said
    assert "/dev/null: a device" in ask("check", "/dev/null")[2]
