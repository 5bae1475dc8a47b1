"""A terminal with the real program in it: what an operator's SSH session sees and does."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pyte
import pytest

DEADLINE_S = 40.0

_IN_A_SESSION = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal the program's own before the program begins: a fork of a process with threads would not be safe."""


class Terminal:
    """A pseudo-terminal and the program that draws on it.

    Every terminal that is open reads whenever one of them does, as terminals do: none makes its program wait for room.

    Args:
        arguments: Of ``python``; without them the sample desk on a state folder.
        environment: Replaces the process's own values of these names.
    """

    _open: ClassVar[list["Terminal"]] = []

    def __init__(
        self, state: Path, columns: int = 80, rows: int = 24, *, arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.bytes_per_s = 0  # of a slow line; 0 takes all there is
        words = arguments or ("-m", "gexdesk", "--state", str(state))
        values = os.environ | {"TERM": "xterm-256color", "XDG_CONFIG_HOME": str(state / "no-config")} | dict(environment or {})
        for name in ("GEXDESK_CONFIG", "COLUMNS", "LINES"):  # the terminal's own size counts, not that of whoever runs the tests
            values.pop(name, None)
        self._fd, inner = pty.openpty()
        termios.tcsetwinsize(self._fd, (rows, columns))
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _IN_A_SESSION, sys.executable, *words], stdin=inner, stdout=inner, stderr=inner, env=values
        )
        os.close(inner)
        self._open.append(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self.screen.display)

    def row(self, text: str) -> int:
        """Return the first line with a text, counted from 0; -1 where there is none."""
        return next((y for y, line in enumerate(self.screen.display) if text in line), -1)

    def ink(self, text: str) -> set[tuple[str, bool]]:
        """Return in which inks the first place with a text is drawn: foreground and whether bold."""
        y = self.row(text)
        x = self.screen.display[y].index(text)
        return {(self.screen.buffer[y][column].fg, self.screen.buffer[y][column].bold) for column in range(x, x + len(text))}

    def press(self, keys: str) -> None:
        self.send(keys.encode())

    def send(self, data: bytes) -> None:
        """Send bytes as they are, whether they are text or not."""
        os.write(self._fd, data)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size, of which the program is told."""
        termios.tcsetwinsize(self._fd, (rows, columns))
        self.screen.resize(rows, columns)

    def until(self, seen: Callable[[str], object], what: str, limit_s: float = DEADLINE_S) -> str:
        """Read until the screen shows something; fail with the screen otherwise."""
        give_up_at = time.monotonic() + limit_s
        while True:
            if seen(self.text):
                return self.text
            if time.monotonic() > give_up_at:
                pytest.fail(f"the screen never showed {what}, {limit_s:g} s long:\n{self.text}")
            self.read(0.02)

    def rest(self, seconds: float) -> str:
        """Read for so long, whatever comes."""
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            self.read(min(left, 0.02))
        return self.text

    def read(self, wait_s: float) -> None:
        """Take what the programs of all open terminals have drawn."""
        by_fd = {terminal._fd: terminal for terminal in self._open}
        ready, _, _ = select.select(list(by_fd), [], [], wait_s)
        for fd in ready:
            slow = by_fd[fd].bytes_per_s
            if slow:
                time.sleep(0.02)
            try:
                data = os.read(fd, slow // 50 or 65536)
            except OSError:  # its program has ended
                self._open.remove(by_fd[fd])
                continue
            by_fd[fd].raw += data
            by_fd[fd]._stream.feed(data)
        if not ready and not by_fd:
            time.sleep(wait_s)

    def wait(self) -> int:
        """Return the exit code, reading on so that the program can finish its last paint."""
        give_up_at = time.monotonic() + DEADLINE_S
        while time.monotonic() < give_up_at:
            self.read(0.02)
            code = self._process.poll()
            if code is not None:
                self._close()
                return code
        pytest.fail(f"the program does not end:\n{self.text}")

    def hang_up(self) -> int:
        """Drop the line, as a lost SSH connection does; return the exit code."""
        self._close()
        return self._process.wait(DEADLINE_S)

    @classmethod
    def close_all(cls) -> None:
        """Drop every line that is still open."""
        for terminal in list(cls._open):
            terminal.hang_up()

    def _close(self) -> None:
        if self in self._open:
            self._open.remove(self)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def engine_pids(state: Path) -> list[int]:
    """Return the engines of a state folder, by what they were started as."""
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


def stop_engine(state: Path) -> None:
    """End the engine of a state folder, one that a failing test left stopped, too."""
    subprocess.run([sys.executable, "-m", "gexdesk", "stop", "--state", str(state)], capture_output=True, check=False)
    for pid in engine_pids(state):
        os.kill(pid, signal.SIGKILL)
