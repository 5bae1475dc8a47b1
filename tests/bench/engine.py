"""A whole engine: how soon a large CRITICAL chain is available, how many small documents end durable, and what the lake takes."""

import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import duckdb
import numpy as np

from gexdesk.model.exposure import Conventions, Exposure
from gexdesk.stores.base import KeptSnapshot
from gexdesk.stores.lake import STRIKE_COLUMNS, Lake, visible_files
from tests.bench import Row, rate, row, side_by_side

NOW = 1_772_463_600.0


def rows() -> list[Row]:
    """Measure all."""
    return [*_engine(), _lake_rate(), _many_small_files()]


def _engine() -> list[Row]:
    done = subprocess.run([sys.executable, "-m", "tests.bench._flood"], capture_output=True, check=True, text=True)
    found = json.loads(done.stdout)
    return [
        row("SPX-size CRITICAL chain, receipt to available, idle desk", found["available_s"] * 1e3, "ms",
            reference=found["parse_s"] * 1e3, target=1.5),
        rate("5 KB documents end to end durable, best of 3 floods", found["per_s"], "/s", target=2_000),
        rate("the same, median", found["per_s_median"], "/s"),
        row("the engine's own processor time a document", found["cpu_s"] * 1e3, "ms"),
        row("peak memory of the engine", found["engine_mb"], "MB", target=600),
        row("peak memory of a pool process", found["pool_process_mb"], "MB"),
    ]  # fmt: skip


def _kept(number: int, symbol: str, strikes: int, random: np.random.Generator) -> KeptSnapshot:
    table = random.normal(0, 1e8, (len(STRIKE_COLUMNS), strikes))
    table[0] = 5_000 + 5 * np.arange(strikes)
    exposure = Exposure("cboe_json", symbol, NOW + number, 5_200.0, Conventions(), strikes=strikes)
    return KeptSnapshot(f"job-{number:06d}", 0, "bench", "ab" * 32, NOW + number, 0.0, exposure, table.tobytes())


def _lake_rate() -> Row:
    random, count, strikes = np.random.default_rng(3), 1_000, 400
    kept = [_kept(number, f"SYM{number % 4}", strikes, random) for number in range(count)]
    best = float("inf")
    for _ in range(3):
        with tempfile.TemporaryDirectory(prefix="gexdesk-bench-") as folder:
            began = time.perf_counter()
            Lake(Path(folder)).write(kept)
            best = min(best, time.perf_counter() - began)
    name = f"strikes into the lake, {count:,} snapshots of {strikes} in one synced batch"
    return rate(name, count * strikes / best, "rows/s", target=1e6)


def _many_small_files() -> Row:
    random = np.random.default_rng(4)
    with tempfile.TemporaryDirectory(prefix="gexdesk-bench-") as folder:
        left, right = Path(folder, "left"), Path(folder, "right")
        day, joined = Lake(left), Lake(right)
        kept = [_kept(number, "SPX", 95, random) for number in range(1_000)]
        for snapshot in kept:
            day.write([snapshot])
            day.tidy()
        joined.write(kept)
        scans = [partial(_scan, lake) for lake in (left, right)]
        assert scans[0]() == scans[1]()
        value, reference = side_by_side(*scans, rounds=15)
    name = "a day of 1,000 writes, scanned, by one compacted file"
    return row(name, value * 1e3, "ms", reference=reference * 1e3, target=3.0)


def _scan(folder: Path) -> list[tuple[object, ...]]:
    files = [str(file) for file in visible_files(folder)]
    with duckdb.connect() as connection:
        sums = "count(*), round(sum(abs(net_gex)) / 1e9, 3), count(DISTINCT as_of)"
        return connection.execute(f"SELECT {sums} FROM read_parquet($files)", {"files": files}).fetchall()
