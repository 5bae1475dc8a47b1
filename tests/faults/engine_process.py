"""A real engine as a process of its own, fed by a folder, to be killed in the middle of its work."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gexdesk.model.clock import SystemClock
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.stores.spool import Spool
from tests.engine.desk_setting import drop, gexbot_at, rows

LIMIT_S = 60.0


class Burst:
    """Hold a desk with one folder full of small payloads.

    Args:
        bad_every: Every so many payloads one is no document at all.
    """

    def __init__(self, folder: Path, payloads: int, bad_every: int = 20, **engine: int) -> None:
        self.state = folder / "state"
        self.inbox = folder / "in"
        self.payloads = payloads
        self.bad = len(range(0, payloads, bad_every))
        self.config = folder / "gexdesk.toml"
        sized = "".join(f"{name} = {value}\n" for name, value in engine.items())
        self.config.write_text(
            f'[engine]\n{sized}[[sources]]\nkind = "directory"\nname = "drop"\npath = "in"\nlevel = "auto"\n'
            "assume = { volume = 600000, open_interest = 1400000 }\n"
        )
        for number in range(payloads):
            body = b"{" if number % bad_every == 0 else gexbot_at(2.0, f"S{number % 50}", net=float(number))
            drop(self.inbox, f"{number:05d}.json", body + b" " * number)  # no two are the same bytes

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start an engine on it."""
        with open(self.state.parent / "engine.log", "a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "gexdesk", "run", "--config", self.config, "--state", self.state, *arguments],
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip

    def taken(self) -> int:
        """Return how many payloads the source remembers as acknowledged."""
        try:
            return (self.state / "taken-drop.jsonl").read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    def finish(self, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Run an engine until everything that is there is done, and return its closing document."""
        engine = self.start("--until-idle", "--json")
        try:
            out, _ = engine.communicate(timeout=limit_s)
        finally:
            engine.kill()  # one that does not end stays nowhere
        assert engine.returncode == 0, self.log()
        closing: dict[str, Any] = json.loads(out)
        return closing

    def log(self) -> str:
        """Return the last of what the engines said."""
        return (self.state.parent / "engine.log").read_text()[-2000:]

    async def check(self) -> None:
        """Assert that every payload that was acknowledged ended once, and none is left."""
        spool = Spool(self.state / "spool", clock=SystemClock())
        await spool.open()
        kept = {payload.payload_id: payload.sha256 for payload, _ in spool.scan()}
        await spool.close()
        jobs = rows("SELECT job_id, status, payload_sha256, payload_name FROM jobs", self.state)
        assert len(jobs) == len({job["job_id"] for job in jobs}), "a job has two rows"
        assert {job["job_id"] for job in jobs} == kept.keys()
        # A kill between the acknowledgement and the source's note of it hands a file over again: two payloads, the same bytes.
        ends = {job["payload_name"]: job["status"] for job in jobs}
        assert len(ends) == len(set(kept.values())) == self.payloads
        assert all(job["status"] == ends[job["payload_name"]] for job in jobs)
        assert sum(status == "DEAD" for status in ends.values()) == self.bad
        [snapshots] = rows("SELECT count(*) AS n, count(DISTINCT payload_sha256) AS documents FROM snapshots", self.state)
        assert snapshots == {"n": self.payloads - self.bad, "documents": self.payloads - self.bad}
        [letters] = rows("SELECT count(*) AS n, count(DISTINCT job_id) AS jobs FROM dead_letters", self.state)
        assert letters["n"] == letters["jobs"] == sum(job["status"] == "DEAD" for job in jobs)
        [strikes] = rows("SELECT count(*) AS n FROM strikes", self.state)
        assert strikes["n"] == 2 * snapshots["n"]
        queue = EmbeddedQueue(self.state / "queue.sqlite", clock=SystemClock())
        await queue.open()
        assert await queue.peek(10) == []
        assert all((d.waiting, d.paused, d.delayed, d.processing) == (0, 0, 0, 0) for d in queue.state().levels.values())
        assert all(await queue.known(list(kept)))
        await queue.close()


def wait_for(engine: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    """Return when the condition holds; the engine must live until then."""
    give_up_at = time.monotonic() + LIMIT_S
    while not condition():
        assert engine.poll() is None, "the engine ended"
        assert time.monotonic() < give_up_at, "it does not come"
        time.sleep(0.002)


def kill(engine: "subprocess.Popen[str]") -> None:
    """Kill an engine as the kernel does when memory is short."""
    os.kill(engine.pid, signal.SIGKILL)
    engine.communicate()
