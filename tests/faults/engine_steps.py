"""Kill a whole engine before and after each step of a payload's way, life after life on one folder, and look at what is left.

``run(full=False)`` kills five times at each step, ``run(full=True)`` 200 times.
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.engine.desk_setting import drop, gexbot_at
from tests.faults.engine_process import Burst
from tests.faults.engine_victim import AT_ONCE, POINTS, Case

KILLS = 5
FULL_KILLS = 200
A_LIFE = 6
"""New payloads for each life, one of them no document."""

BETWEEN = 6
"""Kills from one life that ends by itself to the next: a job that was in hand at eight is buried, and these come within seconds."""

_KILLED = 9
_SEED = 20_261_123


class Outcome(NamedTuple):
    """Count what was left.

    Attributes:
        kills: By step.
        broken: What ``Burst.check`` found: an acknowledged payload without an end, two ends, rows that are missing or twice.
        failed: Lives that ended in another way than they should.
        recovery_s: From the start of an engine to its sources' start, the 95th percentile over all lives.
    """

    kills: dict[str, int]
    payloads: int
    broken: tuple[str, ...]
    failed: int
    recovery_s: float

    @property
    def sound(self) -> bool:
        """Say whether nothing was lost or done twice."""
        return not self.broken and not self.failed and self.recovery_s < 10.0


def run(full: bool) -> Outcome:
    """Kill."""
    return kill_each(FULL_KILLS if full else KILLS)


def kill_each(kills: int) -> Outcome:
    """Kill so many times at each step."""
    victims = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.engine_victim"],
        cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _kill(Path(folder), victims, kills)
    finally:
        assert victims.stdin is not None
        victims.stdin.close()
        victims.wait()


def _kill(folder: Path, victims: "subprocess.Popen[str]", kills: int) -> Outcome:
    dice = random.Random(_SEED)
    burst, broken, failed = Burst(folder, 0), list[str](), 0
    killed = dict.fromkeys(POINTS, 0)
    through = Case(str(burst.config), str(burst.state), f"{folder}/said", "", False, 0)
    for point in POINTS:
        for number in range(kills):
            drop_some(burst)
            call = 1 if point in AT_ONCE else dice.randint(1, 3)
            case = Case(str(burst.config), str(burst.state), f"{folder}/said", point, number % 2 == 1, call)
            status = _live(victims, case)
            killed[point] += status == _KILLED
            failed += status not in (0, _KILLED)
            if number % BETWEEN == BETWEEN - 1:
                failed += _live(victims, through) != 0
        failed += _live(victims, through) != 0
        try:
            asyncio.run(burst.check())
        except AssertionError as error:
            broken.append(f"after {point}: {str(error).splitlines()[0] if str(error) else error!r}")
    words = [line.split() for line in (folder / "said").read_text(encoding="utf-8").splitlines()]
    served = [float(word[1]) for word in words if word[0] == "served"]
    p95_s = statistics.quantiles(served, n=20)[-1]
    return Outcome(killed, burst.payloads, tuple(broken), failed, p95_s)


def drop_some(burst: Burst) -> None:
    """Give a desk some more payloads, one of them no document."""
    for _ in range(A_LIFE):
        number = burst.payloads
        bad = number % A_LIFE == 0
        body = b"{" if bad else gexbot_at(2.0, f"S{number % 50}", net=float(number))
        drop(burst.inbox, f"{number:05d}.json", body + b" " * number)
        burst.payloads += 1
        burst.bad += bad


def _live(victims: "subprocess.Popen[str]", case: Case) -> int:
    assert victims.stdin is not None
    assert victims.stdout is not None
    victims.stdin.write(json.dumps(case._asdict()) + "\n")
    victims.stdin.flush()
    return int(victims.stdout.readline())
