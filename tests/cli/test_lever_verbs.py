"""The verbs that move jobs, settle dead letters and change the guidelines, on a real engine of its own process."""

import os
import pwd
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from gexdesk.api.refusals import TooMany
from gexdesk.cli import launch
from gexdesk.cli.dead import _settle_all
from gexdesk.cli.levers import named
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.errors import LeverRefused
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.look.source import DeadLook, DeadSeen, DeadView
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


def test_a_name_that_is_nothing_is_told_what_is_like_it(state: Path) -> None:
    told = in_here("promote", "dorp", "--reason", "x", "--state", state)
    assert told.code == 1
    assert "no source carries the symbol 'DORP'; and no source has that name, there are drop" in told.err
    assert "has that name" not in in_here("promote", "symbol:DORP", "--reason", "x", "--state", state).err


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


def test_all_dead_letters_of_a_source_are_settled_as_one_act(state: Path, tmp_path: Path) -> None:
    where = ("--state", state)

    def letters() -> list[str]:
        return [letter["job_id"] for letter in in_here("dead", "list", "--json", *where).document["letters"]]

    assert in_here("resume", "--all", *where).code == 0
    for number in range(4):
        drop(tmp_path / "in", f"bad{number}.json", b"{}" + b" " * (number + 1))
    wait_for(lambda: len(letters()) == 5)
    assert in_here("pause", "--all", "--reason", "test", *where).code == 0
    before = letters()
    retry = ("dead", "retry", "--source", "drop", "--reason", "mended", *where)
    said = in_here(*retry, "--dry-run")
    assert said == Said(0, "", "5 of 5 dead letters of drop would be tried again\n")
    assert letters() == before
    assert in_here(*retry, "--json").document == {
        "source": "drop", "verb": "retry", "dry_run": False, "found": 5, "done": 5, "refused": [], "costs": "", "more": False
    }  # fmt: skip
    assert {job["job_id"] for job in in_here("queue", "--list", "--json", *where).document["jobs"]} == set(before)
    wait_for(lambda: letters() == [])  # the record follows within a batch
    assert in_here("undo", "--reason", "not yet", *where).code == 0, "one act, taken back whole"
    wait_for(lambda: sorted(letters()) == sorted(before))
    said = in_here("dead", "discard", "--source", "drop", "--reason", "not ours", *where)
    assert said.code == 0
    assert said.err.startswith("5 of 5 dead letters of drop let go; its bytes go with the next sweep")
    wait_for(lambda: letters() == [])
    assert in_here(*retry) == Said(0, "", "no dead letters of drop wait for anybody\n")
    said = in_here("dead", "retry", "--source", "dorp", "--reason", "x", "--json", *where)
    assert (said.code, said.document["error"]) == (1, "unknown_target")
    acts = [line.act for line in Audit(state / "audit.jsonl").read(100)]
    assert (acts.count("retry"), acts.count("discard")) == (5, 5), "each its own act"
    for words in (("retry",), ("discard", before[0], "--source", "drop")):
        assert in_here("dead", *words, "--reason", "x", *where).code == 2


async def test_letters_that_are_refused_are_told_one_by_one_and_a_rate_is_waited_for() -> None:
    class Busy:
        """An engine on which somebody else settles a letter meanwhile, and whose key is over its rate once."""

        pulled: ClassVar[list[Lever]] = []

        async def look(self, question: DeadLook) -> DeadSeen:
            letters = [DeadView(job_id, "drop", "", "", 2, 1.0, 2.0, "triage", "x", "x", 1, True) for job_id in "cba"]
            return DeadSeen(tuple(letters), more=True)

        async def pull(self, lever: Lever) -> LeverOutcome:
            self.pulled.append(lever)
            if len(self.pulled) == 1:
                raise TooMany("over 600 calls a minute", retry_after_s=0.01)
            if lever.target == "b":
                raise LeverRefused("job b is no dead letter any more; nothing was done")
            return LeverOutcome(True, "", "", "", 1, 1)

    lever = Lever(Verb.RETRY, "", "mended", target_kind="dead")
    settled = await _settle_all(Busy(), lever, "drop")  # type: ignore[arg-type]
    assert [pulled.target for pulled in Busy.pulled] == ["a", "a", "b", "c"], "the oldest first"
    assert len({pulled.together for pulled in Busy.pulled}) == 1
    assert Busy.pulled[0].together
    assert (settled.found, settled.done, settled.more) == (3, 2, True)
    assert [(one.job_id, one.message[:5]) for one in settled.refused] == [("b", "job b")]


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
