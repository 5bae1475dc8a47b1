"""Label data by the firm's guidelines as they are written for people, without any of the engine's code."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

COLUMNS = ("symbol", "data_type", "volume", "open_interest", "gamma_change", "data_age_s", "expected_level")
_VOLUMES = (None, 0, 1, 9_999, 10_000, 10_001, 30_000, 49_999, 50_000, 50_001, 2_000_000)
_INTERESTS = (None, 0, 24_999, 25_000, 60_000, 99_999, 100_000, 100_001, 9_000_000)
_CHANGES = (None, 0.0, 0.049, 0.05, 0.051, 0.0999, 0.1, 0.1001, 0.5, 3.0)
_AGES_S = (-3.0, -1.0, 0.0, 4.999, 5.0, 5.001, 60.0, 299.999, 300.0, 300.001, 901.0, 86_400.0)
_TYPES = ("real_time", "snapshot", "historical")


def label(volume: float | None, open_interest: float | None, change: float | None, age_s: float) -> str:
    """Return the level of the firm's table.

    Args:
        volume, open_interest: Contracts; None is not known, and no reason for anything.
        change: abs(net - previous net) / previous gross; None is the first of a session, which counts as medium.
        age_s: Of the data, its known delay included; a stamp more than 2 s ahead is a skewed clock, and fresh at best.
    """
    high = (volume or 0) > 50_000 or (open_interest or 0) > 100_000
    medium = high or (volume or 0) >= 10_000 or (open_interest or 0) >= 25_000
    large = change is not None and change > 0.10
    real_time, fresh = -2.0 <= age_s < 5.0, age_s < 300.0
    if not fresh:
        return "LOW"
    if high and large and real_time:
        return "CRITICAL"
    if (high and real_time) or (medium and large):
        return "HIGH"
    if medium or (large and real_time):
        return "MEDIUM"
    return "LOW"


def grid() -> Iterator[tuple[object, ...]]:
    """Yield every combination on and around every border, labelled, in the order of ``COLUMNS``; types of data take turns."""
    combinations = itertools.product(_VOLUMES, _INTERESTS, _CHANGES, _AGES_S)
    for place, (volume, interest, change, age_s) in enumerate(combinations):
        cells = ["" if value is None else value for value in (volume, interest, change)]
        yield (f"G{place % 41}", _TYPES[place % 3], *cells, age_s, label(volume, interest, change, age_s))


def write(path: Path) -> int:
    """Write the grid as a labelled file and return its number of rows."""
    rows = list(grid())
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)
