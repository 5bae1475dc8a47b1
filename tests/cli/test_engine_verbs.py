"""``run``, ``stop`` and the levers on a real engine of its own process."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gexdesk.cli import launch
from gexdesk.stores.audit import Audit
from tests.cli.program import Said, environment, gexdesk, in_here, started
from tests.engine.desk_setting import drop, gexbot_at
from tests.engine.pool_samples import alive, pool_children
from tests.until import until

CONFIGURATION = """
[[sources]]
kind = "directory"
name = "drop"
path = "in"
level = "auto"
"""


def wait_for(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Return when the condition holds."""
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, "it does not come"
        time.sleep(0.02)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a configuration whose source has two good files and a bad one."""
    (tmp_path / "gexdesk.toml").write_text(CONFIGURATION)
    for name, body in {"a": gexbot_at(1.0), "b": gexbot_at(0.5, "NDX"), "c": b"{}"}.items():
        drop(tmp_path / "in", f"{name}.json", body)
    return tmp_path


@pytest.fixture
def engine(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run an engine on it in a process of its own."""
    running = started(home, "run", "--config", "gexdesk.toml", "--state", "state")
    try:
        wait_for(lambda: launch.runs(home / "state"))
        yield running
    finally:
        running.terminate()
        running.communicate(timeout=30)


def test_run_until_idle_closes_with_one_document(home: Path) -> None:
    said = gexdesk(home, "run", "--config", "gexdesk.toml", "--state", "state", "--until-idle", "--json")
    assert said.code == 0
    closing = said.document
    assert {"received", "completed", "failed", "dead", "conflated", "escalated", "deviation", "levels", "sources"} <= closing.keys()
    assert (closing["received"], closing["completed"], closing["dead"], closing["open"]) == (3, 2, 1, 0)
    assert list(closing["levels"]) == ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    low = closing["levels"]["LOW"]
    assert low["count"] == low["within_promise"] == 2
    assert 0 < low["p50_s"] <= low["p95_s"] <= low["p99_s"] <= low["max_s"] < 30
    assert closing["sources"]["drop"] == {
        "received": 3, "completed": 2, "dead": 1, "requests": 3, "successes": 3, "repeats": 0,
    }  # fmt: skip
    assert "dead letter: c.json" in said.err
    assert not (home / "state" / "engine.sock").exists()


def test_run_for_a_time_ends_by_itself_without_any_configuration(tmp_path: Path) -> None:
    began = time.monotonic()
    said = gexdesk(tmp_path, "run", "--state", "state", "--for", "0.5s", "--json")
    assert (said.code, said.document["received"], said.err) == (0, 0, "")
    assert time.monotonic() - began < 20


def test_run_means_the_desk_that_every_other_verb_means(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    text = f'state = "{tmp_path}/mine"\n[[sources]]\nname = "own"\nkind = "directory"\npath = "{tmp_path}/in"\nlevel = "auto"\n'
    config = tmp_path / ".config" / "gexdesk" / "gexdesk.toml"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    said = gexdesk(tmp_path, "run", "--for", "0.2s", "--json")
    assert list(said.document["sources"]) == ["own"]
    assert (tmp_path / "mine" / "metadata.duckdb").is_file(), "where status looks, too"
    (tmp_path / "other.toml").write_text(text.replace("own", "other"))
    said = gexdesk(tmp_path, "run", "--for", "0.2s", "--json", GEXDESK_CONFIG="other.toml")
    assert list(said.document["sources"]) == ["other"]
    said = gexdesk(tmp_path, "run", "--for", "0.2s", "--json", "--config", "other.toml")
    assert list(said.document["sources"]) == ["other"], "what is named goes before what is found"
    said = gexdesk(tmp_path, "run", "--sample", "--state", "sample", "--for", "0.2s", "--json", GEXDESK_CONFIG="other.toml")
    assert "gexbot-spx" in said.document["sources"]
    missing = gexdesk(tmp_path, "run", "--for", "0.2s", GEXDESK_CONFIG="missing.toml")
    assert (missing.code, missing.out) == (1, "")
    assert "$GEXDESK_CONFIG names missing.toml" in missing.err


def test_run_without_any_configuration_says_what_to_do_and_starts_nothing(tmp_path: Path) -> None:
    said = gexdesk(tmp_path, "run", "--for", "0.2s", "--json")
    assert (said.code, said.document["error"]) == (1, "settings_error")
    for words in ("gexdesk init", "--config", "$GEXDESK_CONFIG", "gexdesk run --sample", "--state FOLDER"):
        assert words in said.err
    assert not (tmp_path / ".local").exists()


def test_run_refuses_the_sample_and_a_configuration_at_once(home: Path) -> None:
    said = gexdesk(home, "run", "--sample", "--config", "gexdesk.toml", "--state", "state", "--for", "0.2s")
    assert (said.code, said.out) == (1, "")
    assert said.err == "gexdesk: --sample and --config name two desks: leave one out\n"
    assert not (home / "state").exists()


def test_an_engine_that_fails_does_not_end_as_if_all_were_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("gexdesk.engine.watch.watch.Watch.conditions", fails)
    said = in_here("run", "--state", tmp_path / "state", "--for", "20s")
    assert said.code == 1
    assert "gexdesk: the engine ended by a fault of its own: seconds ended: RuntimeError: a fault of ours" in said.err


def test_a_second_engine_is_refused_and_the_first_goes_on(home: Path, engine: "subprocess.Popen[str]") -> None:
    second = gexdesk(home, "run", "--state", "state", "--json")
    assert second.code == 1
    assert second.document["error"] == "store_error"
    assert second.err == f"gexdesk: {second.document['message']}\n"
    assert f"another engine (process {engine.pid}) runs on {home / 'state'}" in second.err
    assert launch.runs(home / "state")
    assert engine.poll() is None


def test_levers_looks_and_stop_reach_the_engine(home: Path, engine: "subprocess.Popen[str]") -> None:
    state = ("--state", home / "state")
    wait_for(lambda: in_here("sources", "--json", *state).document["sources"][0]["completed"] == 2)
    sources = in_here("sources", "--json", *state).document
    assert sources["total_count"] == 1
    assert (sources["sources"][0]["name"], sources["sources"][0]["dead"]) == ("drop", 1)
    assert "drop" in in_here("sources", *state).out
    queue = in_here("queue", "--json", *state).document
    assert (queue["total_queued"], list(queue["levels"])) == (0, ["CRITICAL", "HIGH", "MEDIUM", "LOW"])
    assert in_here("promote", "drop", "--reason", "x", "--dry-run", *state).err.startswith("LOW -> at least MEDIUM by ")
    assert " override drop: LOW -> HIGH by " in in_here("override", "drop", "--to", "high", "--reason", "open", *state).err
    assert in_here("clear", "drop", "--reason", "over", "--json", *state).document["done"] is True
    assert in_here("pause", "drop", "--reason", "incident 41", *state).code == 0
    refused = in_here("pause", "drop", "--reason", "again", *state)
    assert refused == Said(1, "", "gexdesk: drop is paused already\n")
    assert in_here("resume", "drop", *state).code == 0
    assert in_here("pause", "--all", "--reason", "drill", *state).code == 0
    assert in_here("resume", "--all", *state).code == 0
    assert in_here("query", "SELECT count(*) AS n FROM jobs", "--json", *state).document == [{"n": 3}]  # while it runs
    acts = [line.act for line in Audit(home / "state" / "audit.jsonl").read(20)]
    assert acts == ["override", "clear", "pause", "resume", "pause_all", "resume_all"]
    assert in_here("stop", *state) == Said(0, "", "stopped\n")
    assert not launch.held(home / "state")  # stopped is said when the folder is free
    assert engine.wait(20) == 0


def test_stop_says_so_where_the_engine_does_not_end(
    home: Path, engine: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gexdesk.cli.engine.STOP_LIMIT_S", 0.2)
    monkeypatch.setattr("gexdesk.cli.launch.held", lambda _: True)
    said = in_here("stop", "--state", home / "state")
    assert said.code == 1
    assert "was told to end and still holds" in said.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(home: Path, engine: "subprocess.Popen[str]", number: int) -> None:
    engine.send_signal(number)
    assert engine.wait(20) == 0
    assert not (home / "state" / "engine.sock").exists()
    assert not launch.held(home / "state")


def test_an_interrupt_at_the_terminal_while_the_pool_starts_ends_all_of_it_without_a_traceback(home: Path) -> None:
    arguments = [sys.executable, "-m", "gexdesk", "run", "--config", "gexdesk.toml", "--state", "state"]
    running = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(home), cwd=home, process_group=0
    )
    children: list[int] = []
    wait_for(lambda: children.extend(pool_children(running.pid)) or bool(children))
    os.killpg(running.pid, signal.SIGINT)  # what a terminal sends for ^C: to its whole foreground group
    _, said = running.communicate(timeout=30)
    assert not [word for word in ("Traceback", "Fatal Python error", "KeyboardInterrupt") if word in said], said
    assert "pool process" not in said, said
    wait_for(lambda: not any(alive(pid) for pid in children))


@pytest.mark.parametrize("how", ["--config", "GEXDESK_CONFIG"])
def test_a_configuration_that_is_named_and_missing_is_an_error_never_the_sample(tmp_path: Path, how: str) -> None:
    missing = str(tmp_path / "missing.toml")
    said = gexdesk(tmp_path, *((how, missing) if how.startswith("-") else ()), **({} if how.startswith("-") else {how: missing}))
    assert said.code == 1
    assert said.out == ""
    assert missing in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[sources]\n", "not valid TOML"),
        ('[[sources]]\nkind = "fax"\nname = "x"\n', "sources.0"),
        ("[engine]\nworkers = 0\n", "engine.workers"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_line_that_names_it(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    said = gexdesk(tmp_path, "run", "--config", "bad.toml", "--state", "state", "--json")
    assert said.code == 1
    assert said.err.startswith(f"gexdesk: bad.toml: {words}")
    assert said.err.count("\n") == 1
    assert json.loads(said.out)["error"] == "settings_error"
    assert not (tmp_path / "state").exists()


def test_a_key_that_is_not_there_is_named_with_file_source_and_variable(tmp_path: Path) -> None:
    source = '[[sources]]\nname = "gexbot-spx"\nkind = "http"\nurl = "https://x/q"\nkey_param = "key"\nkey_env = "GEXBOT_KEY"'
    (tmp_path / "keyless.toml").write_text(source)
    words = 'keyless.toml: source gexbot-spx: key_env = "GEXBOT_KEY": the environment has no GEXBOT_KEY: export it'
    for verb in ((), ("run",)):
        said = gexdesk(tmp_path, *verb, "--config", "keyless.toml", "--state", "state")
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith(f"gexdesk: {words}")
        assert said.err.count("\n") == 1
    (tmp_path / "key").write_text("abc")
    (tmp_path / "key").chmod(0o644)
    (tmp_path / "keyless.toml").write_text(source.replace('key_env = "GEXBOT_KEY"', 'key_file = "key"'))
    said = gexdesk(tmp_path, "run", "--config", "keyless.toml", "--state", "state")
    assert said.err.startswith("gexdesk: keyless.toml: source gexbot-spx: key_file: key file key has mode 0644")


def test_a_damaged_store_is_named_and_the_folder_is_free_again(home: Path) -> None:
    (home / "state").mkdir(mode=0o700)
    (home / "state" / "metadata.duckdb").write_bytes(b"no database" * 1000)
    said = gexdesk(home, "run", "--config", "gexdesk.toml", "--state", "state", "--until-idle", limit_s=30)
    assert said.code == 1
    assert "metadata.duckdb cannot be opened" in said.err
    assert "Traceback" not in said.err
    assert not launch.held(home / "state")


async def test_starting_twice_at_once_gives_one_engine(home: Path) -> None:
    arguments = ["--config", str(home / "gexdesk.toml")]
    children = [await asyncio.to_thread(launch.start, home / "state", arguments) for _ in range(2)]
    await asyncio.gather(*(launch.ensure(home / "state", arguments, child) for child in children))
    await until(lambda: any(child.poll() == 1 for child in children))
    holder = int((home / "state" / "engine.lock").read_text())
    assert [child.pid for child in children if child.poll() is None] == [holder]
    assert f"another engine (process {holder}) runs on" in (home / "state" / "engine.log").read_text()
    assert (await asyncio.to_thread(gexdesk, home, "stop", "--state", "state")).code == 0


def test_what_is_submitted_is_told_with_seconds_and_in_json_as_the_interface_has_it(home: Path) -> None:
    (home / "gexdesk.toml").write_text(CONFIGURATION + '[submit]\nhosts = ["feed.invalid"]\n')
    running = started(home, "run", "--config", "gexdesk.toml", "--state", "state")
    try:
        wait_for(lambda: launch.runs(home / "state"))
        asked = ("submit", "https://feed.invalid/SPX.json", "--symbol", "SPX", "--state", home / "state")
        said = in_here(*asked)
        assert said.code == 0
        assert re.fullmatch(r"taken at [A-Z]+, place \d+, ready in about \d+(\.\d+)? (s|min)\n", said.err)
        assert re.fullmatch(r"PT\d+\.\d+S", in_here(*asked, "--json").document["estimated_processing_time"])
    finally:
        running.terminate()
        running.communicate(timeout=30)


def test_no_engine_is_started_on_what_is_another_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, or an operator, who opens a service's desk while the service is down must not put files of his into its state."""
    monkeypatch.setattr("gexdesk.cli.launch.os.geteuid", lambda: os.getuid() + 1)
    with pytest.raises(launch.EngineAway, match=rf"no engine answers you in {tmp_path}, which is \w+'s: whoever owns it starts it"):
        launch.start(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


async def test_an_engine_that_cannot_start_is_away_with_its_last_word(home: Path) -> None:
    (home / "bad.toml").write_text("[engine]\nworkers = 0\n")
    with pytest.raises(launch.EngineAway, match=r"the engine ended while starting: gexdesk: .*bad\.toml: engine\.workers"):
        await launch.ensure(home / "state", ["--config", str(home / "bad.toml")])


async def test_whoever_starts_an_engine_waits_for_the_one_that_is_ending(home: Path) -> None:
    arguments = ["--config", str(home / "gexdesk.toml")]
    await launch.ensure(home / "state", arguments)
    first = int((home / "state" / "engine.lock").read_text())
    os.kill(first, signal.SIGTERM)
    wait_for(lambda: not launch.runs(home / "state"))
    await launch.ensure(home / "state", arguments)
    assert int((home / "state" / "engine.lock").read_text()) != first
    assert (await asyncio.to_thread(gexdesk, home, "stop", "--state", "state")).code == 0
