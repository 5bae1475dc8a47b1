"""One scene: a configured desk in a state folder of its own, scripted feeds, terminals, and what was measured."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from gexdesk.cli import launch
from tests.moments.engine_at import OtherClock
from tests.moments.market import Feeds
from tests.terminal import Terminal, engine_pids, stop_engine

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Measured:
    """Hold one thing that was measured against its limit; ``unit`` is empty for a count."""

    what: str
    limit: float
    value: float
    unit: str = "s"

    @property
    def held(self) -> bool:
        return self.value <= self.limit

    def __str__(self) -> str:
        figures = f"{self.value:.2f} of {self.limit:g} s" if self.unit else f"{self.value:g} of {self.limit:g}"
        return f"{self.what}: {figures}"


@dataclass
class Scene:
    """Play one moment.

    Attributes:
        folder: Everything of it.
        measured: In the order in which it was measured.
    """

    folder: Path
    feeds: Feeds = field(default_factory=Feeds)
    measured: list[Measured] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "state"
        self.config = self.folder / "gexdesk.toml"
        self._engine: subprocess.Popen[bytes] | None = None

    def configure(self, *tables: str) -> None:
        """Write the desk's configuration."""
        self.config.write_text("\n".join(tables))

    def engine_on(self, clock: OtherClock) -> None:
        """Start the engine on another clock than the machine's, before any desk is opened."""
        words = ("-m", "tests.moments.engine_at", str(self.config), str(self.state), *clock.words)
        self.state.mkdir(mode=0o700, exist_ok=True)
        with (self.folder / "engine.log").open("wb") as log:
            self._engine = subprocess.Popen([sys.executable, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)
        give_up_at = time.monotonic() + 30.0
        while not launch.runs(self.state):
            assert self._engine.poll() is None, f"the engine ended while starting: {(self.folder / 'engine.log').read_text()}"
            assert time.monotonic() < give_up_at, "the engine does not answer"
            time.sleep(0.02)

    def stop_engine(self) -> None:
        """End the engine and wait for it."""
        stop_engine(self.state)
        if self._engine is not None:
            self._engine.kill()
            self._engine.wait(10.0)
            self._engine = None

    def desk(self, columns: int = 80, rows: int = 24, environment: Mapping[str, str] | None = None) -> Terminal:
        """Open the desk; the first one starts the engine."""
        words = ("-m", "gexdesk", "--config", str(self.config), "--state", str(self.state))
        return Terminal(self.state, columns, rows, arguments=words, environment=environment)

    def second_desk(self, name: str, columns: int = 80, rows: int = 24) -> Terminal:
        """Open the running desk as somebody else."""
        words = ("-m", "gexdesk", "attach", "--name", name, "--state", str(self.state))
        return Terminal(self.state, columns, rows, arguments=words)

    def command(self, *words: str) -> str:
        """Run a verb of the command line on this desk and return what it prints."""
        line = [sys.executable, "-m", "gexdesk", *words, "--state", str(self.state)]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def engine(self) -> int:
        """Return the engine's process."""
        (pid,) = engine_pids(self.state)
        return pid

    def signal(self, number: signal.Signals) -> float:
        """Send the engine a signal; return when, by the monotonic clock."""
        os.kill(self.engine, number)
        return time.monotonic()

    def measure(self, what: str, limit_s: float, since: float) -> float:
        """Note how long something took that is on the screen now; return the moment."""
        now = time.monotonic()
        self.measured.append(Measured(what, limit_s, now - since))
        return now

    def longest(self, what: str, limit_s: float, took_s: float) -> None:
        """Note the longest of many times that the desk itself measured."""
        self.measured.append(Measured(what, limit_s, took_s))

    def count(self, what: str, limit: float, value: float) -> None:
        """Note a count and the most it may be."""
        self.measured.append(Measured(what, limit, value, ""))

    def __enter__(self) -> "Scene":
        self.feeds.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        Terminal.close_all()
        self.stop_engine()
        self.feeds.__exit__(kind, error, trace)


def all_held(scene: Scene) -> None:
    """Fail with every miss of a scene that was played; print the seconds either way."""
    for one in scene.measured:
        print(one)
    missed = [str(one) for one in scene.measured if not one.held]
    assert not missed, "; ".join(missed)
    assert scene.measured, "nothing was measured"


Play = Callable[[Scene], None]
