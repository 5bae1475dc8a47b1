"""Keep every run's figures outside of the checkout, and say which of them drifted."""

import json
import math
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import Row

COMPARED = 10
"""So many earlier runs on the same machine are looked at."""

FEWEST = 3
DRIFT = 1.25
"""A figure that is so many times the median of the earlier runs, or the other way round, is said to have drifted."""


def default_file() -> Path:
    """Return where the history is kept where nobody says otherwise, after XDG."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "gexdesk" / "bench-history.jsonl"


class History:
    """Hold the earlier runs of a file.

    Args:
        file: JSON lines, one a row and run; what cannot be read in it is left alone.
        machine: Only runs on this one are compared.
    """

    def __init__(self, file: Path, machine: str | None = None) -> None:
        self._file = file
        self._machine = machine or f"{os.uname().nodename}, {len(os.sched_getaffinity(0))} cores"
        self._earlier: dict[str, list[float]] = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
            try:
                kept = json.loads(line)
                name, judged, machine_then = kept["name"], kept["judged"], kept["machine"]
            except (ValueError, KeyError, TypeError):
                continue
            if machine_then == self._machine and isinstance(judged, int | float):
                self._earlier.setdefault(name, []).append(float(judged))

    def drift(self, row: Row) -> float | None:
        """Return a figure over the median of the last runs'; None while there are too few of them."""
        earlier = self._earlier.get(row.name, [])[-COMPARED:]
        if len(earlier) < FEWEST or not math.isfinite(judged(row)):
            return None
        usual = statistics.median(earlier)
        return judged(row) / usual if usual else None

    def add(self, rows: Sequence[Row], at: float | None = None) -> None:
        """Append a run."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        when = time.time() if at is None else at
        with self._file.open("a", encoding="utf-8") as file:
            for row in rows:
                if math.isfinite(judged(row)):
                    kept = {"at": when, "machine": self._machine, "name": row.name, "judged": judged(row), **row._asdict()}
                    file.write(json.dumps(kept) + "\n")


def judged(row: Row) -> float:
    """Return the figure that a target, or a drift, is about: the ratio where there is a reference, else the value."""
    return row.value if row.ratio is None else row.ratio


def drifted(drift: float | None) -> bool:
    """Say whether a drift is worth a word, in either direction."""
    return drift is not None and not 1 / DRIFT < drift < DRIFT
