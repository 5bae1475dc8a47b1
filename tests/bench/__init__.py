"""Figures against references measured in the same run: ``python -m tests.bench NAME [--json]``."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One figure.

    Attributes:
        reference: The same unit, measured in the same run; None where the target is absolute.
        ratio: value / reference.
        target: Highest allowed ratio, or without a reference the highest value; the lowest for a ``rate``. None only informs.
    """

    name: str
    value: float
    unit: str
    reference: float | None
    ratio: float | None
    target: float | None
    met: bool | None


def row(name: str, value: float, unit: str, *, reference: float | None = None, target: float | None = None) -> Row:
    """Judge a figure where less is better."""
    ratio = None if reference is None else value / reference
    judged = value if ratio is None else ratio
    # A plain bool and plain numbers: figures come from NumPy, too, and are written as JSON.
    return Row(name, float(value), unit, reference, ratio, target, None if target is None else bool(judged <= target))


def rate(name: str, value: float, unit: str, *, reference: float | None = None, target: float | None = None) -> Row:
    """Judge a figure where more is better."""
    ratio = None if reference is None else value / reference
    judged = value if ratio is None else ratio
    return Row(name, float(value), unit, reference, ratio, target, None if target is None else bool(judged >= target))


def side_by_side(first: Callable[[], object], second: Callable[[], object], rounds: int = 15) -> tuple[float, float]:
    """Return the best seconds of two things run in turns, so that a busy machine slows both alike."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for place, run in enumerate((first, second)):
            began = time.perf_counter()
            run()
            best[place] = min(best[place], time.perf_counter() - began)
    return best[0], best[1]
