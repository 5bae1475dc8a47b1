"""The verbs that move jobs, settle dead letters and change the guidelines, on a real engine of its own process."""

import os
import pwd
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gexdesk.cli import launch
from gexdesk.cli.levers import named
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.errors import LeverRefused
from gexdesk.stores.audit import Audit
from tests.cli.program import Said, in_here, started
from tests.cli.test_engine_verbs import wait_for
from tests.engine.desk_setting import drop, gexbot_at

CONFIGURATION = """
[[sources]]
kind = "directory"
name = "drop"
path = "in"
level = "auto"
assume = { volume = 10, open_interest = 10 }

[guidelines]
file = "rules.toml"
"""
RULES = DEFAULT_FILE.read_text(encoding="utf-8")
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Run an engine with one dead letter and, behind its kill switch, two jobs that wait."""
    (tmp_path / "gexdesk.toml").write_text(CONFIGURATION)
    (tmp_path / "rules.toml").write_text(RULES)
    drop(tmp_path / "in", "bad.json", b"{}")
    running = started(tmp_path, "run", "--config", "gexdesk.toml", "--state", "state")
    folder = tmp_path / "state"
    try:
        wait_for(lambda: launch.runs(folder))
        wait_for(lambda: in_here("sources", "--json", "--state", folder).document["sources"][0]["dead"] == 1)
        assert in_here("pause", "--all", "--reason", "test", "--state", folder).code == 0
        assert in_here("pause", "--all", "--reason", "test", "--state", folder).code == 1
        yield folder
        assert running.poll() is None
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)


def test_the_way_of_a_dead_letter(state: Path) -> None:
    where = ("--state", state)
    wait_for(lambda: bool(in_here("dead", "list", "--json", *where).document["letters"]))
    [letter] = in_here("dead", "list", "--json", *where).document["letters"]
    assert (letter["source"], letter["payload_name"], letter["bytes_kept"]) == ("drop", "bad.json", True)
    assert letter["job_id"] in in_here("dead", "list", *where).out
    assert "no dead letters wait" in in_here("dead", "list", "--source", "other", *where).err
    assert letter["payload_sha256"] in in_here("dead", "show", letter["job_id"], *where).out
    assert in_here("dead", "show", letter["job_id"], "--json", *where).document == letter
    assert in_here("dead", "show", "nothing", *where).err.startswith("gexdesk: no dead letter of job 'nothing' waits")
    said = in_here("dead", "retry", letter["job_id"], "--reason", "mended", *where)
    assert said.err == f"{ME} retry job {letter['job_id']} (mended)\n"
    [job] = in_here("queue", "--list", "--json", *where).document["jobs"]
    assert job["job_id"] == letter["job_id"]
    listed = in_here("queue", "--list", *where).out
    assert letter["job_id"] in listed
    said = in_here("promote", letter["job_id"], "--reason", "first", "--json", *where)
    assert (said.document["after"], said.document["moved_jobs"]) == (f"at least HIGH by {ME}", 1)
    assert in_here("cancel", letter["job_id"], "--reason", "sent twice", *where).code == 0
    assert in_here("undo", "--reason", "it was not", *where).code == 0
    assert in_here("cancel", letter["job_id"], "--reason", "sent twice", *where).code == 0
    discard = ("dead", "discard", letter["job_id"], "--reason", "not ours", *where)
    assert in_here(*discard, "--dry-run").err.startswith("a dead letter ->")
    assert in_here(*discard).code == 0
    wait_for(lambda: not in_here("dead", "list", "--json", *where).document["letters"])
    acts = [line.act for line in Audit(state / "audit.jsonl").read(20) if line.actor == ME]
    assert acts == ["pause_all", "retry", "promote", "cancel", "retry", "cancel", "discard"]


def test_the_guidelines_are_applied_and_rolled_back(state: Path, tmp_path: Path) -> None:
    where = ("--state", state)
    candidate = tmp_path / "candidate.toml"
    candidate.write_text(RULES.replace("50_000", "60_000"))
    before = in_here("guidelines", "history", "--json", *where).document["versions"][-1]["version"]
    said = in_here("guidelines", "apply", candidate, "--reason", "calmer", "--dry-run", *where)
    assert said.code == 0
    assert said.err.startswith(f"{before} by {ME} -> v-")
    said = in_here("guidelines", "apply", candidate, "--reason", "calmer", "--json", *where)
    assert said.document["done"] is True
    applied = said.document["after"]
    assert in_here("guidelines", "list", "--json", *where).document["version"] == applied
    candidate.write_text(RULES.replace("impact >= high", "impact >= hihg", 1))
    said = in_here("guidelines", "apply", candidate, "--reason", "x", "--json", *where)
    assert (said.code, said.document["error"], said.document["details"]["did_you_mean"]) == (1, "guideline_error", "high")
    assert "candidate.toml, line " in said.err
    said = in_here("guidelines", "rollback", before, "--reason", "too calm", *where)
    assert said == Said(0, "", f"{ME} rollback guidelines: {applied} by {ME} -> {before} (too calm)\n")
    versions = in_here("guidelines", "history", "--json", *where).document["versions"]
    assert [version["version"] for version in versions] == [before, applied, before]
    assert in_here("guidelines", "apply", "--reason", "x", *where).err.startswith("gexdesk: nothing is staged")
    (tmp_path / "rules.toml").write_text(RULES.replace("50_000", "70_000"))
    wait_for(lambda: in_here("guidelines", "apply", "--reason", "as saved", "--dry-run", *where).code == 0)
    assert in_here("guidelines", "apply", "--reason", "as saved", *where).code == 0
    assert "70_000" in in_here("guidelines", "history", "--json", *where).out


def test_symbols_are_named_bare_where_no_source_has_the_name(state: Path, tmp_path: Path) -> None:
    where = ("--state", state)
    assert in_here("override", "QQQ", "--to", "HIGH", "--reason", "x", *where).err.startswith(
        "gexdesk: no source carries the symbol 'QQQ'"
    )
    assert in_here("resume", "--all", *where).code == 0
    drop(tmp_path / "in", "a.json", gexbot_at(0.5, "SPX"))
    wait_for(lambda: in_here("sources", "--json", *where).document["sources"][0]["completed"] == 1)
    said = in_here("override", "spx", "--to", "HIGH", "--reason", "CPI", "--json", *where)
    assert (said.document["before"], said.document["after"]) == ("LOW", f"HIGH by {ME}")
    assert in_here("clear", "symbol:SPX", "--reason", "over", *where).code == 0


@pytest.mark.parametrize(
    ("target", "kind", "expected"),
    [
        ("spx", "", ("source", "spx")),
        ("SPX", "", ("symbol", "SPX")),
        ("$spx", "", ("symbol", "SPX")),
        ("spx", "symbol", ("symbol", "SPX")),
        ("symbol:spx", "", ("symbol", "SPX")),
        ("source:QQQ", "", ("source", "QQQ")),
        ("18ea9ed400bf9400-00000001-724b7057", "", ("job", "18ea9ed400bf9400-00000001-724b7057")),
        ("job:1", "", ("job", "1")),
        ("no such thing", "", ("symbol", "no such thing")),
    ],
)
def test_a_name_is_a_source_else_a_job_else_a_symbol(target: str, kind: str, expected: tuple[str, str]) -> None:
    assert named(target, kind, {"spx", "cboe"}) == expected


def test_another_kind_is_refused() -> None:
    with pytest.raises(LeverRefused, match="'gap' is no kind of target; there are source, symbol, job"):
        named("1", "gap", set())
