"""Run a program in a terminal of our own and time what it writes; nothing is emulated, so that no cost of ours is measured."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
import zlib
from pathlib import Path
from types import TracebackType

_BYTECODE = tempfile.TemporaryDirectory()
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT |= {"PYTHONPYCACHEPREFIX": _BYTECODE.name, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
"""Programs find bytecode, as installed ones do, also in a checkout that keeps none."""


class Terminal:
    """A pseudo-terminal with a Python module in it.

    Args:
        arguments: Of the Python interpreter.
        columns, rows: Size of the window.
        bytes_per_s: Reads no faster than that, as a slow line does; 0 reads at once.
    """

    def __init__(self, arguments: list[str], columns: int = 120, rows: int = 40, bytes_per_s: int = 0) -> None:
        self.bytes_per_s = bytes_per_s
        self._may_read_at = 0.0
        self.began_at = time.perf_counter()
        self.pid, self._line = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, *arguments], ENVIRONMENT)
        fcntl.ioctl(self._line, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._line)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._line, keys)

    def read(self, wait_s: float) -> bytes:
        """Return what was written meanwhile, after at most so many seconds."""
        now = time.perf_counter()
        if now < self._may_read_at:
            time.sleep(min(wait_s, self._may_read_at - now))
            return b""
        if not select.select([self._line], [], [], wait_s)[0]:
            return b""
        size = 65536 if not self.bytes_per_s else max(256, self.bytes_per_s // 50)
        with contextlib.suppress(OSError):
            found = os.read(self._line, size)
            if self.bytes_per_s:
                self._may_read_at = time.perf_counter() + len(found) / self.bytes_per_s
            return found
        return b""

    def until(self, seen: bytes, give_up_s: float) -> float:
        """Return the seconds until a text is written; raises TimeoutError."""
        began = time.perf_counter()
        tail = b""
        while time.perf_counter() - began < give_up_s:
            tail = tail[-256:] + self.read(0.02)
            if seen in tail:
                return time.perf_counter() - began
        raise TimeoutError(f"{seen!r} was not written in {give_up_s:g} s")

    def during(self, seconds: float) -> tuple[int, int, float]:
        """Return the bytes written in so many seconds, the same as a compressing line sends them, and the share of a core used."""
        used, began = self._cpu_s(), time.perf_counter()
        written, packer = 0, zlib.compressobj(6)
        packed = 0
        while time.perf_counter() - began < seconds:
            data = self.read(0.05)
            if data:
                written += len(data)
                packed += len(packer.compress(data)) + len(packer.flush(zlib.Z_SYNC_FLUSH))
        return written, packed, (self._cpu_s() - used) / (time.perf_counter() - began)

    def _cpu_s(self) -> float:
        """Return the seconds that its threads were on a processor, to the nanosecond."""
        return sum(int(file.read_bytes().split()[0]) for file in Path(f"/proc/{self.pid}/task").glob("*/schedstat")) / 1e9
