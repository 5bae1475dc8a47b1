"""Judge how much of a gap the stored history covers."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from gexdesk.stores.base import GapRecord

ENOUGH = 0.9
"""A gap is filled once history has so much of what was missed, at the pace history is kept at."""

PACE_S = 600.0
"""That pace is read from what history has within the gap and so long before and after."""

_EDGE_S = 1.0


class Cover(NamedTuple):
    """Count the snapshots that history has within a gap, and how many it takes."""

    brought: int
    wanted: int

    @property
    def enough(self) -> bool:
        """Say whether the gap is filled."""
        return self.brought > 0 and self.brought >= ENOUGH * self.wanted


def window(gap: GapRecord, delay_s: float) -> tuple[float, float]:
    """Return from when to when, UTC seconds, the stamps of history tell of a gap whose source's stamps lag behind their receipt."""
    return gap.from_at - delay_s - PACE_S, (gap.to_at or gap.from_at) - delay_s + PACE_S


def touches(gap: GapRecord, first: float, last: float, delay_s: float) -> bool:
    """Say whether stamps from the first to the last may lie in a gap; one that goes on has no end yet."""
    begins_in_time = gap.to_at is None or first + delay_s <= gap.to_at + _EDGE_S
    return begins_in_time and last + delay_s >= gap.from_at - _EDGE_S


def cover(gap: GapRecord, stamps: Sequence[float], every_s: float | None, delay_s: float) -> Cover:
    """Count what lies in a gap that has ended.

    Args:
        stamps: Of what history has in the gap's ``window``, ascending, each once.
        every_s: How often its source sends; None where nobody knows.

    Returns:
        Wanted is what was missed, less where history is kept at a slower pace than the source sent.
    """
    inside = sum(touches(gap, stamp, stamp, delay_s) for stamp in stamps)
    missed = gap.missed or 1
    apart_s = median(later - earlier for earlier, later in pairwise(stamps)) if len(stamps) > 1 else 0.0
    slower = every_s is not None and apart_s > every_s
    return Cover(inside, max(1, round(missed * every_s / apart_s)) if slower and every_s is not None else missed)
