"""What every verb owes: help with an example, one line where it refuses, the right exit code."""

from pathlib import Path

import pytest

from tests.cli.program import VERBS, Said, gexdesk, in_here


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_has_an_example_that_names_the_verb(words: tuple[str, ...]) -> None:
    said = in_here(*words, "--help")
    assert said.code == 0
    assert "Example:" in said.out
    assert f"gexdesk {' '.join(words)}" in said.out[said.out.index("Example:") :]


def test_help_of_the_program_names_every_verb() -> None:
    said = in_here("--help")
    assert said.code == 0
    assert all(words[0] in said.out for words in VERBS)
    assert len(VERBS) > 10


@pytest.mark.parametrize(
    "arguments",
    [
        ("explode",),
        ("promote",),  # no target
        ("promote", "spx"),  # no reason
        ("run", "--no-such"),
        ("query",),
        ("run", "--config"),
        ("inspect",),
        ("dead", "list", "--limit", "0"),
        ("dead", "list", "--limit", "1001"),
        ("queue", "--list", "--limit", "-3"),
        ("audit", "show", "--limit", "0"),
    ],
)
def test_wrong_usage_is_two(arguments: tuple[str, ...]) -> None:
    said = in_here(*arguments)
    assert said.code == 2
    assert (said.out + said.err).strip()


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("guidelines", "rollback", "--reason", "x"), "--version: Which version; `gexdesk guidelines history` lists them."),
        (("guidelines", "test"), "symbol, data_type, volume, open_interest, gamma_change, data_age_s, expected_level"),
        (("override", "spx", "--reason", "x"), "--to: The level: CRITICAL, HIGH, MEDIUM or LOW."),
        (("override", "--to", "LOW", "--reason", "x"), "`gexdesk sources` lists sources, `gexdesk queue --list` jobs."),
        (("backfill", "--reason", "x"), "--gap: Id of the gap; `gexdesk gaps` lists them."),
        (("cancel", "--reason", "x"), "`gexdesk queue --list` lists them."),
        (("dead", "retry", "--reason", "x"), "`gexdesk dead list` lists them."),
        (("incidents", "take"), "`gexdesk incidents list` lists them."),
        (("quarantine", "release", "--reason", "x"), "`gexdesk quarantine list` lists them."),
        (("promote", "spx"), "--reason: Why; goes to the audit."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_left_out_is_told_with_where_to_find_it(arguments: tuple[str, ...], where: str) -> None:
    said = in_here(*arguments)
    assert said.code == 2
    assert where in said.err.splitlines()[-1]


@pytest.mark.parametrize("title", ["1", "#41", " 7 "])
def test_a_report_takes_words_and_a_number_is_an_incident_to_show(title: str, tmp_path: Path) -> None:
    said = in_here("incidents", "report", title, "--state", tmp_path)
    number = title.strip(" #")
    assert said.code == 1
    assert "takes words" in said.err
    assert f"`gexdesk incidents show {number}`" in said.err
    assert f"`gexdesk incidents export {number}`" in said.err
    assert "no engine answers" in in_here("incidents", "report", "1 strike is off", "--state", tmp_path).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("override", "spx", "--to", "URGENT", "--reason", "x"), "'URGENT' is no level; there are CRITICAL, HIGH, MEDIUM, LOW"),
        (("promote", "spx", "--reason", "x", "--for", "soon"), "'soon' is not a time; write 30s, 5m or 1h"),
        (("pause", "--reason", "x"), "name one source, or give --all"),
        (("pause", "spx", "--all", "--reason", "x"), "name one source, or give --all"),
        (("run", "--for", "3 weeks"), "'3 weeks' is not a time; write 30s, 5m or 1h"),
    ],
)
def test_what_cannot_be_done_is_one_with_one_line(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    assert in_here(*arguments, "--state", tmp_path) == Said(1, "", f"gexdesk: {words}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("sources",), ("queue",), ("stop",), ("status",), ("handover",), ("gaps",), ("incidents", "list"), ("dead", "list"),
        ("promote", "spx", "--reason", "x"), ("pause", "--all", "--reason", "x"),
    ],
)
def test_verbs_that_need_an_engine_say_that_none_runs(arguments: tuple[str, ...], tmp_path: Path) -> None:
    said = in_here(*arguments, "--state", tmp_path)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"gexdesk: no engine answers in {tmp_path}: start one with `gexdesk`, or `gexdesk run ")
    assert said.err.count("\n") == 1
    assert "Error" not in said.err, "the class of an error is no help"


def test_with_json_a_refusal_is_also_a_document(tmp_path: Path) -> None:
    said = in_here("sources", "--json", "--state", tmp_path)
    assert said.code == 1
    assert sorted(said.document) == ["details", "error", "message"]
    assert said.document["error"] == "engine_away"
    assert said.err == f"gexdesk: {said.document['message']}\n"


def test_the_program_runs_as_a_module_and_tells_its_version(tmp_path: Path) -> None:
    from gexdesk import __version__

    assert gexdesk(tmp_path, "--version").out.strip() == __version__


@pytest.mark.parametrize("words", [(), *VERBS], ids=" ".join)
def test_an_argument_that_is_no_text_is_refused_in_one_line(words: tuple[str, ...]) -> None:
    said = in_here(*words, "caf\udcff")  # as Python hands on the byte FF
    assert (said.code, said.out) == (2, "")
    assert said.err == f"gexdesk: argument {len(words) + 1} is not valid UTF-8: caf\\xff; write it as text\n"
