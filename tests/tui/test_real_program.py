"""Drive the real program in a pseudo-terminal: what an operator's SSH session sees and does."""

import asyncio
import os
import re
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gexdesk.api.client import Client
from tests.terminal import DEADLINE_S, Terminal, engine_pids, stop_engine


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    Terminal.close_all()
    stop_engine(tmp_path)


WORKED = """[[sources]]
name = "drop"
kind = "directory"
path = "{folder}"
level = "auto"
"""


def received(text: str) -> bool:
    """Whether live numbers are there: some promise was kept already."""
    return re.search(r"PROMISES [1-9]", text) is not None


def test_an_operator_opens_pauses_leaves_and_comes_back(state: Path) -> None:
    first = Terminal(state)
    screen = first.until(received, "a kept promise")
    assert "SAMPLE" in screen
    assert "> gexbot-spx" in screen, "the cursor stands in the main table"

    first.press("j")
    first.until(lambda text: "> gexbot-ndx" in text, "the cursor one row down")
    first.press("P")
    first.until(lambda text: "PAUSE gexbot-ndx" in text, "the pause dialog")
    first.press("\r")  # without a reason: must not send
    first.press("vendor call\r")
    first.until(lambda text: re.search(r"gexbot-ndx.*PAUSED", text), "the source paused")

    pids = engine_pids(state)
    assert len(pids) == 1
    first.hang_up()
    assert engine_pids(state) == pids, "the engine outlives the terminal"

    second = Terminal(state, 160, 48)
    screen = second.until(received, "the desk attached again")
    assert re.search(r"gexbot-ndx.*PAUSED", screen), "what was set stays set"
    second.press("q")
    second.until(lambda text: "stop the engine" in text, "the question on leaving")
    second.press("s")
    assert second.wait() == 0
    give_up_at = time.monotonic() + DEADLINE_S
    while engine_pids(state) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not engine_pids(state), "stopped as asked"


def test_what_is_said_on_leaving_opens_the_same_desk_again(state: Path) -> None:
    (config := state / "my desk.toml").write_text(WORKED.format(folder=state / "drop"))
    opened = ("--config", str(config), "--state", str(state))
    desk = Terminal(state, 240, 40, arguments=("-m", "gexdesk", *opened))
    desk.until(lambda text: "NEEDS YOU" in text and "> drop" in text, "the desk")
    desk.press("q")
    desk.until(lambda text: "leave it running" in text, "the question on leaving")
    desk.press("l")
    assert desk.wait() == 0
    said = re.search(r"`gexdesk (.+?)` opens the desk again", desk.raw.decode())
    assert said is not None
    assert tuple(shlex.split(said[1])) == opened


@pytest.mark.parametrize("editor", ["/nonexistent/ed", "/etc/passwd", "ed 'odd"])
def test_an_editor_that_cannot_be_started_gives_the_desk_back(state: Path, editor: str) -> None:
    desk = Terminal(state, 120, 40, environment={"EDITOR": editor, "VISUAL": ""})
    desk.until(received, "a kept promise")
    desk.press("g")
    desk.until(lambda text: "e edit" in text and "> critical-large-realtime" in text, "the guidelines")
    desk.press("e")
    desk.until(lambda text: "EDITOR" in text, "why it was not edited")
    desk.press("\x1b")
    desk.until(lambda text: "NEEDS YOU" in text, "the desk, which takes keys")


UNTOLD = (
    "import signal, subprocess, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    "sys.exit(abs(subprocess.run([sys.executable, '-m', 'gexdesk', '--state', sys.argv[1]], start_new_session=True).returncode))"
)
"""Runs the desk below ``nohup`` and in a session that the terminal is not of: no signal tells it that the line is gone."""


def test_a_screen_that_no_signal_tells_of_it_ends_with_its_terminal_too(state: Path) -> None:
    screen = Terminal(state, arguments=("-c", UNTOLD, str(state)))
    screen.until(received, "a kept promise")
    pids = engine_pids(state)
    assert screen.hang_up() == signal.SIGHUP
    assert engine_pids(state) == pids, "the engine outlives the terminal"


def test_a_frozen_terminal_a_storm_of_sizes_and_a_slow_line_harm_nobody(state: Path) -> None:
    desk = Terminal(state)
    desk.until(received, "a kept promise")
    before = asyncio.run(Client(state).view())
    desk.press("t" * 60)  # more whole screens than a terminal holds, and nobody reads
    time.sleep(4.0)
    after = asyncio.run(Client(state).view())
    assert after.sequence - before.sequence >= 12, "the engine takes its pictures all the same"
    assert after.received > before.received
    desk.until(lambda text: re.search(r"\b0\.\d s behind", text), "a fresh picture once it is read again")

    for step in range(60):
        desk.resize(60 + 3 * (step % 40), 10 + step % 50)
        desk.read(0.005)
    desk.resize(100, 30)

    def whole(text: str) -> bool:
        lines = text.splitlines()
        return "PROMISES" in lines[1] and "NEEDS YOU" in lines[3] and "> gexbot-spx" in text and "? help" in lines[-1]

    desk.until(whole, "the whole desk at its last size")
    desk.hang_up()

    slow = Terminal(state)
    slow.bytes_per_s = 32_000
    slow.until(received, "the desk over a line of 32 KB/s")
    slow.press("jjjk")
    slow.until(lambda text: "> gexbot-spy" in text, "every key, none lost", limit_s=5.0)
    slow.press("P")
    slow.until(lambda text: "PAUSE gexbot-spy" in text, "the dialog", limit_s=5.0)
    slow.press("\x1b")


def test_a_hung_engine_is_said_and_a_killed_one_is_started_again(state: Path) -> None:
    desk = Terminal(state)
    desk.until(received, "a kept promise")
    (pid,) = engine_pids(state)
    os.kill(pid, signal.SIGSTOP)
    desk.until(lambda text: re.search(r"engine silent, picture \d", text), "how old its picture is")
    os.kill(pid, signal.SIGCONT)
    desk.until(lambda text: re.search(r"\b0\.\d s behind", text), "a fresh picture")
    os.kill(pid, signal.SIGKILL)
    desk.until(lambda _: engine_pids(state) not in ([], [pid]), "another engine")
    desk.until(lambda text: re.search(r"\b0\.\d s behind", text) and received(text), "its picture")
    desk.press("q")
    desk.until(lambda text: "stop the engine" in text, "the question on leaving")
    desk.press("s")
    assert desk.wait() == 0


def test_bytes_that_are_no_text_are_left_out_and_the_rest_of_what_is_typed_or_pasted_counts(state: Path) -> None:
    desk = Terminal(state)
    desk.until(received, "a kept promise")
    desk.send(b"\xff\xed\xa0\x80j")
    desk.until(lambda text: "> gexbot-ndx" in text, "the cursor one row down")
    desk.send(b":")
    desk.send(b"caf\xc3")
    desk.until(lambda text: "caf" in text, "what was text of it")
    desk.send(b"x")
    desk.until(lambda text: "cafx" in text, "what came after it")
    desk.send("é".encode()[:1])
    desk.rest(0.3)
    desk.send("é".encode()[1:])  # one character in two reads
    desk.until(lambda text: "cafxé" in text, "the whole character")
    desk.send(b"\x1b[200~P\xff" + b"y" * 9 + b"\xfeq\x1b[201~")  # a paste stays one, and never becomes keys
    desk.until(lambda text: "cafxéPyyyyyyyyyq" in text, "the paste, in the line")
    desk.send(b"\x1b")
    desk.until(lambda text: "cafx" not in text, "the line gone")
    assert "Traceback" not in desk.raw.decode(errors="replace")
    desk.press("q")
    desk.until(lambda text: "stop the engine" in text, "the question on leaving")
    desk.press("s")
    assert desk.wait() == 0
