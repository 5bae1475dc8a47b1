"""One scene: a configured desk in a state folder of its own, scripted feeds, terminals, and what was measured."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.moments.market import Feeds
from tests.terminal import Terminal, engine_pids, stop_engine


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
        return f"{self.what}: {self.value:.2f} of {self.limit:g} s" if self.unit else f"{self.what}: {self.value:g} of {self.limit:g}"


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

    def configure(self, *tables: str) -> None:
        """Write the desk's configuration."""
        self.config.write_text("\n".join(tables))

    def desk(self, columns: int = 80, rows: int = 24) -> Terminal:
        """Open the desk; the first one starts the engine."""
        words = ("-m", "gexdesk", "--config", str(self.config), "--state", str(self.state))
        return Terminal(self.state, columns, rows, arguments=words)

    def second_desk(self, name: str, columns: int = 80, rows: int = 24) -> Terminal:
        """Open the running desk as somebody else."""
        words = ("-m", "gexdesk", "attach", "--name", name, "--state", str(self.state))
        return Terminal(self.state, columns, rows, arguments=words)

    def command(self, *words: str) -> str:
        """Run a verb of the command line on this desk and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "gexdesk", *words, "--state", str(self.state)], capture_output=True, text=True, check=False, timeout=30
        )
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

    def count(self, what: str, limit: float, value: float) -> None:
        """Note a count and the most it may be."""
        self.measured.append(Measured(what, limit, value, ""))

    def __enter__(self) -> "Scene":
        self.feeds.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        Terminal.close_all()
        stop_engine(self.state)
        self.feeds.__exit__(kind, error, trace)


def all_held(scene: Scene) -> None:
    """Fail with every miss of a scene that was played; print the seconds either way."""
    for one in scene.measured:
        print(one)
    missed = [str(one) for one in scene.measured if not one.held]
    assert not missed, "; ".join(missed)
    assert scene.measured, "nothing was measured"


Play = Callable[[Scene], None]
