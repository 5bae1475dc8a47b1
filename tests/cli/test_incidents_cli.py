"""``incidents`` and ``handover`` on a real engine, which is killed in between."""

import getpass
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from gexdesk.cli import launch
from tests.cli.program import Said, gexdesk, in_here, started
from tests.engine.desk_setting import rows

CONFIGURATION = """
[pager]
command = ["/bin/sh", "-c", "cat >> pages"]
min_severity = 1

[[sources]]
kind = "directory"
name = "files"
path = "in"
symbols = ["SPX"]

[[symbols]]
name = "SPX"
readers = ["pit-spx"]
"""


def wait_for(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, "it does not come"
        time.sleep(0.05)


def test_an_incident_from_opening_to_report_across_a_kill(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "gexdesk.toml").write_text(CONFIGURATION)
    me = getpass.getuser()

    def run() -> "subprocess.Popen[str]":
        engine = started(tmp_path, "run", "--config", "gexdesk.toml", "--state", "state")
        wait_for(lambda: launch.runs(tmp_path / "state"))
        wait_for(lambda: bool(in_here("incidents", "list", "--json", "--state", tmp_path / "state").document["incidents"]))
        return engine

    def said(*words: object) -> Said:
        return in_here(*words, "--state", tmp_path / "state")

    engine = run()
    try:
        listed = said("incidents", "list")
        assert "source_unassigned" in listed.out
        assert "open, unseen" in listed.out
        assert said("incidents", "take", 1).err == f"{me} take #1: taken by {me}\n"
        assert said("incidents", "note", 1, "asked *the* vendor").code == 0
        assert said("incidents", "report", "flip is off", "--symbol", "SPX").code == 0
        assert said("incidents", "mute", "--source", "files", "--for", "1h", "--reason", "maintenance").code == 0
        assert said("incidents", "snooze", 2, "--for", "worse", "--reason", "known").code == 0
        assert said("handover", "--take").code == 0
        wait_for((tmp_path / "pages").exists)
        os.kill(engine.pid, signal.SIGKILL)
        engine.communicate(timeout=10)

        engine = run()
        shown = said("incidents", "show", 1, "--json").document
        assert (shown["incident"]["owner"], shown["incident"]["state"], shown["incident"]["muted"]) == (me, "taken", True)
        assert [e["text"] for e in shown["timeline"] if e["what"] == "note"] == ["asked *the* vendor"]
        second = said("incidents", "show", 2, "--json").document["incident"]
        assert (second["state"], second["readers"], second["subject"]) == ("snoozed", ["pit-spx"], "SPX")
        wait_for(lambda: "unclean_start" in said("incidents", "list").out)
        handover = said("handover").out
        assert handover.startswith(f"Shift: {me} since ")
        assert "muted source files" in handover
        report = said("incidents", "export", 1).out
        assert report.startswith("# Incident 1: SPX\n")
        assert "asked \\*the\\* vendor" in report
        assert "**Press.** Give it" in report
        assert said("incidents", "export", 1, "--file", tmp_path / "1.md").code == 0
        assert (tmp_path / "1.md").read_text() == report
        assert said("incidents", "resolve", 2, "--reason", "vendor corrected it").code == 0
        assert said("incidents", "resolve", 2, "--reason", "again").err == "gexdesk: incident 2 is resolved already\n"
        assert said("incidents", "mute", 1, "--source", "files", "--for", "1h", "--reason", "x").code == 1
        assert (tmp_path / "pages").read_text().count('"number":1,') == 1, "nobody is paged twice, not across a kill either"
        engine.terminate()
        engine.communicate(timeout=30)
        found = rows("SELECT number, kind, owner, closed_at IS NULL AS still FROM incidents ORDER BY number", tmp_path / "state")
        assert found[:2] == [
            {"number": 1, "kind": "source_unassigned", "owner": me, "still": True},
            {"number": 2, "kind": "reported", "owner": me, "still": False},
        ]
    finally:
        engine.kill()
        engine.communicate(timeout=30)


def test_a_source_in_place_of_a_number_is_told_how_a_source_is_muted(tmp_path: Path) -> None:
    said = gexdesk(tmp_path, "incidents", "mute", "south", "--for", "1h", "--reason", "x", "--state", tmp_path)
    assert said.code == 1
    assert "'south' is no incident's number" in said.err
    assert "--source south" in said.err
    odd = gexdesk(tmp_path, "incidents", "mute", "my feed", "--for", "1h", "--reason", "x", "--state", tmp_path)
    assert "--source 'my feed'" in odd.err
    shown = gexdesk(tmp_path, "incidents", "show", "south", "--state", tmp_path)
    assert "--source" not in shown.err


def test_verbs_say_that_no_engine_runs(tmp_path: Path) -> None:
    for words in (("incidents", "list"), ("incidents", "show", "1"), ("incidents", "take", "1"), ("handover",)):
        said = gexdesk(tmp_path, *words, "--state", tmp_path)
        assert said.code == 1
        assert said.err.startswith(f"gexdesk: no engine answers in {tmp_path}")
