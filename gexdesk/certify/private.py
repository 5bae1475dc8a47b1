"""Run a private engine: a process of its own on a state folder of its own, driven through its socket as any other."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gexdesk.api.client import Client
from gexdesk.certify.load import Feed
from gexdesk.model.errors import EngineAway
from gexdesk.model.view.desk import DeskView

START_LIMIT_S = 30.0
STOP_LIMIT_S = 60.0
KEEP_GB = 200
"""Nothing of a run is dropped before its figures are read."""


class PrivateEngine:
    """Hold one engine; it lives in our process group and ends with us.

    Args:
        folder: Of its own, empty.
        limit_s: It ends after so long whatever becomes of us.

    Attributes:
        client: Of its socket.
        state: Its state folder.
    """

    def __init__(self, folder: Path, limit_s: float) -> None:
        self._limit_s = limit_s
        self.state = folder / "state"
        self.config = folder / "gexdesk.toml"
        self.client = Client(self.state)
        self._log = folder / "engine.log"
        self._process: subprocess.Popen[str] | None = None

    def configure(self, feeds: tuple[Feed, ...], *, url: str, folders: Path, story: Path, redis: tuple[str, str] | None) -> None:
        """Write its configuration.

        Args:
            url: Prefix of what is polled; a feed's name follows.
            folders: Holds a folder for each feed that is pushed.
            redis: URL and prefix of keys, where the queue is to be in Redis.
        """
        lines = [f"engine.keep_gb = {KEEP_GB}"]
        if redis is not None:
            lines += ["[redis]", f"url = {_toml(redis[0])}", f"prefix = {_toml(redis[1])}"]
        for feed in feeds:
            places: dict[str, dict[str, object]] = {
                "http": {"url": url + feed.name, "every_s": feed.every_s, "always": True},
                "directory": {"path": str(folders / feed.name)},
                "replay": {"path": str(story)},
            }
            table: dict[str, object] = {"name": feed.name, "kind": feed.kind, "level": "auto", "symbols": list(feed.symbols)}
            table |= {"delay_s": feed.delay_s, **places[feed.kind]}
            if feed.volume or feed.open_interest:
                table["assume"] = {"volume": feed.volume, "open_interest": feed.open_interest}
            lines += ["[[sources]]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def start(self) -> DeskView:
        """Start it and return its first picture.

        Raises:
            EngineAway: It ended while starting, or does not answer in time.
        """
        self._process = await asyncio.to_thread(self._spawn)
        give_up_at = time.monotonic() + START_LIMIT_S
        while time.monotonic() < give_up_at:
            try:
                return await self.client.view()
            except EngineAway:
                if self._process.poll() is not None:
                    raise EngineAway(f"the private engine ended while starting: {self.last_words()}") from None
                await asyncio.sleep(0.05)
        raise EngineAway(f"the private engine does not answer after {START_LIMIT_S:g} s: {self.last_words()}")

    async def stop(self) -> dict[str, Any]:
        """End it as an operator does and return its closing document. Raises EngineAway."""
        process = self._process
        assert process is not None
        await self.client.stop()
        try:
            out, _ = await asyncio.to_thread(process.communicate, timeout=STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise EngineAway(f"the private engine was told to end and did not in {STOP_LIMIT_S:g} s") from None
        if process.returncode != 0:
            raise EngineAway(f"the private engine ended with {process.returncode}: {self.last_words()}")
        closing: dict[str, Any] = json.loads(out)
        return closing

    def _spawn(self) -> "subprocess.Popen[str]":
        with open(self._log, "a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "gexdesk", "run", "--config", str(self.config), "--state", str(self.state), "--json",
                 "--for", f"{self._limit_s:.0f}s"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip

    def kill(self) -> None:
        """End it at once, where it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def kill_a_decoder(self) -> bool:
        """Kill one of its pool processes, as the kernel does when memory is short; says whether there was one."""
        assert self._process is not None
        try:
            for pid in _children(self._process.pid):
                if b"pool_child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    return True
        except OSError:
            pass
        return False

    def usage(self) -> tuple[float, int]:
        """Return the processor seconds it and its live children used so far, and its resident bytes."""
        assert self._process is not None
        ticks = os.sysconf("SC_CLK_TCK")
        pid = self._process.pid
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            used = sum(int(field) for field in fields[11:15])
            for child in _children(pid):
                used += sum(int(f) for f in Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13])
        except OSError:
            return 0.0, 0
        return used / ticks, resident

    def last_words(self) -> str:
        """Return the last line of what it said."""
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it said nothing"


def _children(pid: int) -> list[int]:
    """Return the processes that any thread of a process started and that still live."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)
