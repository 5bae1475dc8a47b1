"""Drive the real program in a pseudo-terminal: what an operator's SSH session sees and does."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

DEADLINE_S = 40.0


class Terminal:
    """A terminal of our own with the program in it."""

    def __init__(self, state: Path, columns: int = 80, rows: int = 24) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            environment = os.environ | {"TERM": "xterm-256color", "XDG_CONFIG_HOME": str(state / "no-config")}
            environment.pop("GEXDESK_CONFIG", None)
            os.execve(sys.executable, [sys.executable, "-m", "gexdesk", "--state", str(state)], environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def until(self, seen: Callable[[str], object], what: str) -> str:
        """Read until the screen shows something; fail with the screen otherwise."""
        give_up_at = time.monotonic() + DEADLINE_S
        while time.monotonic() < give_up_at:
            self._read(0.05)
            if seen(self.text):
                return self.text
        pytest.fail(f"the screen never showed {what}:\n{self.text}")

    def _read(self, wait_s: float) -> None:
        ready, _, _ = select.select([self._fd], [], [], wait_s)
        if ready:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                return
            self.raw += data
            self._stream.feed(data)

    def wait(self) -> int:
        """Return the exit code, reading on so that the program can finish its last paint."""
        give_up_at = time.monotonic() + DEADLINE_S
        while time.monotonic() < give_up_at:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        pytest.fail(f"the program does not end:\n{self.text}")

    def hang_up(self) -> None:
        """Drop the line, as a lost SSH connection does."""
        os.close(self._fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run([sys.executable, "-m", "gexdesk", "stop", "--state", str(tmp_path)], capture_output=True, check=False)
    for pid in engine_pids(tmp_path):  # one that a failing test left stopped
        os.kill(pid, signal.SIGKILL)


def engine_pids(state: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"run" in words and str(state).encode() in words:
                found.append(int(entry.name))
    return found


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
