"""A supervisor is told when the engine is ready, that it lives, and when it ends; one that hangs falls silent."""

import asyncio
import contextlib
import signal
import socket
import time
from pathlib import Path

import pytest

from gexdesk.cli.notify import Supervisor
from tests.cli.program import started
from tests.until import until


def test_an_engine_tells_its_supervisor_and_falls_silent_when_it_hangs(tmp_path: Path) -> None:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(60)
    engine = started(
        tmp_path, "run", "--state", "state", NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="600000"
    )
    try:
        assert heard.recv(100) == b"READY=1"
        assert (tmp_path / "state" / "engine.sock").exists()
        for _ in range(3):
            assert heard.recv(100) == b"WATCHDOG=1"
        engine.send_signal(signal.SIGSTOP)
        heard.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while heard.recv(100):
                pass
        time.sleep(0.8)  # longer than the watchdog's interval: what would be said in it is not
        with pytest.raises(BlockingIOError):
            heard.recv(100)
        engine.send_signal(signal.SIGCONT)
        heard.settimeout(60)
        assert heard.recv(100) == b"WATCHDOG=1"
        engine.terminate()
        words = b""
        while words != b"STOPPING=1":
            words = heard.recv(100)
        engine.communicate(timeout=60)
        assert engine.returncode == 0
    finally:
        engine.kill()
        engine.communicate()
        heard.close()


async def test_pictures_that_stand_still_keep_it_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop may turn while the engine takes no pictures: that is no life to tell of."""
    name = f"\0gexdesk-test-{tmp_path}"
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    heard.bind(name)
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:])
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    taken = [1000.0]

    class View:
        @property
        def taken_at(self) -> float:
            return taken[0]

    async def view():  # type: ignore[no-untyped-def]
        return View()

    alive = asyncio.create_task(Supervisor().keep_alive(view, lambda: 1004.0))

    def said() -> bool:
        try:
            return heard.recv(100) == b"WATCHDOG=1"
        except BlockingIOError:
            return False

    await until(said)
    taken[0] = 998.0
    await asyncio.sleep(0.05)
    while said():
        pass
    await asyncio.sleep(0.1)
    assert not said()
    alive.cancel()
    heard.close()


def test_without_a_supervisor_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Supervisor().tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    Supervisor().tell("READY=1")
