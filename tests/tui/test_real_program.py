"""Drive the real program in a pseudo-terminal: what an operator's SSH session sees and does."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import DEADLINE_S, Terminal, engine_pids, stop_engine


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    Terminal.close_all()
    stop_engine(tmp_path)


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
