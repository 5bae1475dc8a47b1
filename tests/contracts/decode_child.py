"""Decode in a process of its own, for formats whose reader can abort the process it runs in.

``python -m tests.contracts.decode_child NAME`` reads length-prefixed documents on stdin and answers each with one line:
``sound``, ``refused``, or ``fault`` and what broke. ``Apart`` is the other end.
"""

import contextlib
import os
import resource
import select
import struct
import subprocess
import sys

from gexdesk.formats.detect import FORMATS

LIMIT_S = 10.0
"""Far above what a small document takes: a loaded machine is no hang."""
_LENGTH = struct.Struct("<I")
_MEMORY = 2048 * 1024 * 1024


class Apart:
    """Hold one child that decodes with a format, and start another when it dies."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._child: subprocess.Popen[bytes] | None = None

    def outcome(self, body: bytes) -> str:
        """Return ``sound``, ``refused``, ``died``, ``hung`` or ``fault: ...``."""
        child = self._child or self._spawn()
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(_LENGTH.pack(len(body)) + body)
            child.stdin.flush()
        if not select.select([child.stdout], [], [], LIMIT_S)[0]:
            self.close()
            return "hung"
        line = child.stdout.readline().decode().strip()
        if not line:
            self.close()
        return line or "died"

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.contracts.decode_child", self._name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        return self._child


def main() -> None:
    """Serve until stdin ends."""
    from tests.contracts.format_contract import decode_or_refuse

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    part = FORMATS[sys.argv[1]]
    while len(head := sys.stdin.buffer.read(_LENGTH.size)) == _LENGTH.size:
        body = sys.stdin.buffer.read(_LENGTH.unpack(head)[0])
        try:
            line = "refused" if decode_or_refuse(part, body) is None else "sound"
        except Exception as error:  # the contract is broken: the parent says so
            line = f"fault: {type(error).__name__}: {error}".replace("\n", " ")[:500]
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
