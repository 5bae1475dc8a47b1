"""Every verb with ``--json`` that ends with 1: one document on stdout for a program, one line a reason on stderr for a person."""

import json
from pathlib import Path

import pytest

from tests.cli.program import VERBS, in_here

WHY = ("--reason", "x")
JOB = "18ea9ed400bf9400-00000001-724b7057"
AWAY = "engine_away"
FAILS: dict[str, tuple[tuple[str, ...], str]] = {
    "audit show": ((), "store_error"),
    "audit verify": ((), ""),
    "backfill": (("gap", *WHY), AWAY),
    "cancel": ((JOB, *WHY), AWAY),
    "certify": (("--report", "/nonexistent/page.md"), "settings_error"),
    "clear": (("spx", *WHY), AWAY),
    "dead discard": ((JOB, *WHY), AWAY),
    "dead list": ((), AWAY),
    "dead retry": ((JOB, *WHY), AWAY),
    "dead show": ((JOB,), AWAY),
    "demote": (("spx", *WHY), AWAY),
    "doctor": (("--config", "/nonexistent/gexdesk.toml"), ""),
    "failover": (("SPX", *WHY), AWAY),
    "gaps": ((), AWAY),
    "guidelines apply": (WHY, AWAY),
    "guidelines check": (("/nonexistent/rules.toml",), "guideline_error"),
    "guidelines diff": (("/nonexistent/rules.toml",), "guideline_error"),
    "guidelines explain": (("--symbol", "!", "--data-age-s", "1"), "guideline_error"),
    "guidelines history": ((), "guideline_error"),
    "guidelines list": (("--guidelines", "/nonexistent/rules.toml"), "guideline_error"),
    "guidelines rollback": (("v-1", *WHY), AWAY),
    "guidelines test": (("/nonexistent/rows.csv",), "guideline_error"),
    "handover": ((), AWAY),
    "import": (("BAD",), ""),
    "incidents export": (("1",), AWAY),
    "incidents list": ((), AWAY),
    "incidents mute": (("1", "--for", "1h", *WHY), AWAY),
    "incidents note": (("1", "seen"), AWAY),
    "incidents report": (("the flip is off",), AWAY),
    "incidents resolve": (("1", *WHY), AWAY),
    "incidents show": (("1",), AWAY),
    "incidents snooze": (("1", *WHY), AWAY),
    "incidents take": (("1",), AWAY),
    "inspect": (("BAD",), "unrecognised_format"),
    "key create": (("--scope", "fly"), "settings_error"),
    "key list": ((), "store_error"),
    "key revoke": (("1f00ba12",), "store_error"),
    "override": (("spx", "--to", "LOW", *WHY), AWAY),
    "pause": (("spx", *WHY), AWAY),
    "promote": (("spx", *WHY), AWAY),
    "quarantine list": ((), AWAY),
    "quarantine refuse": (("1", *WHY), AWAY),
    "quarantine release": (("1", *WHY), AWAY),
    "query": (("DROP TABLE jobs",), "store_error"),
    "queue": ((), AWAY),
    "resume": (("spx",), AWAY),
    "run": (("--config", "/nonexistent/gexdesk.toml"), "settings_error"),
    "sources": ((), AWAY),
    "status": ((), AWAY),
    "submit": (("https://feed.example/SPX.json", "--symbol", "SPX"), AWAY),
    "undo": (WHY, AWAY),
}
"""How each fails on ``damaged``, and with which error; empty where the document is the verb's own."""


def test_every_verb_with_json_is_in_the_table() -> None:
    assert {" ".join(words) for words in VERBS if "--json" in in_here(*words, "--help").out} == FAILS.keys()


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Return a state folder without an engine, in which nothing can be read."""
    for name in ("audit.jsonl", "keys.json", "guidelines/index.jsonl"):
        (tmp_path / "state" / name).mkdir(parents=True)
    return tmp_path / "state"


@pytest.mark.parametrize("verb", FAILS)
def test_what_fails_says_so_in_a_line_and_in_one_document(verb: str, damaged: Path) -> None:
    words, error = FAILS[verb]
    bad = damaged.parent / "bad.json"
    bad.write_bytes(b"{}")
    takes_state = "--state" in in_here(*verb.split(), "--help").out
    if verb == "audit verify":
        (damaged / "audit.jsonl").rmdir()
        (damaged / "audit.jsonl").write_text("{}\n")
    said = in_here(
        *verb.split(), *(str(bad) if word == "BAD" else word for word in words),
        *(("--state", damaged) if takes_state else ()), "--json",
    )  # fmt: skip
    assert said.code == 1
    document = json.loads(said.out)
    assert said.err.strip(), "a person is told nothing"
    assert "Traceback" not in said.err
    if error:
        assert document["error"] == error
        assert document.keys() == {"error", "message", "details"}
        assert said.err == f"gexdesk: {document['message']}\n"


@pytest.mark.parametrize("verb", ["show", "verify"])
def test_a_folder_that_is_not_there_has_no_audit_that_holds(tmp_path: Path, verb: str) -> None:
    said = in_here("audit", verb, "--state", tmp_path / "misspelt", "--json")
    assert (said.code, said.document["error"]) == (1, "store_error")
    assert f"no desk has kept anything in {tmp_path / 'misspelt'}" in said.err
    assert not (tmp_path / "misspelt").exists()
