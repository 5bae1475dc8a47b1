"""Draw counts with block characters, in one ink."""

from collections.abc import Sequence
from math import log

BLOCKS = " ▁▂▃▄▅▆▇█"


def histogram(counts: Sequence[int], cells: int) -> str:
    """Draw a histogram in so many cells.

    Heights grow with the logarithm of the count, so that one straggler beside a million stays visible.

    Args:
        counts: One a bucket; ``len(counts)`` a multiple of ``cells``, or the last cell takes fewer.
        cells: Cells to draw.
    """
    group = -(-len(counts) // cells) if counts else 1
    sums = [sum(counts[i * group : (i + 1) * group]) for i in range(cells)]
    top = log(1 + max(sums, default=0))
    return "".join(BLOCKS[0] if not n else BLOCKS[max(1, round(8 * log(1 + n) / top))] for n in sums)


def trend(samples: Sequence[int], cells: int, newest_at: float, seconds_a_cell: int) -> str:
    """Draw a depth over time, newest on the right, each cell the largest of its seconds.

    Cells are bound to whole multiples of their seconds, so that a past one moves left unchanged while the largest one stays.

    Args:
        samples: One a second, oldest first.
        cells: Cells to draw.
        newest_at: When the last sample was taken, UTC seconds.
        seconds_a_cell: Seconds in one cell.
    """
    peaks = [0] * cells
    last = int(newest_at)
    for back, depth in enumerate(reversed(samples)):
        cell = cells - 1 - (last // seconds_a_cell - (last - back) // seconds_a_cell)
        if cell < 0:
            break
        peaks[cell] = max(peaks[cell], depth)
    top = max(peaks, default=0)
    # An empty queue is a flat line, not a gap: the cell is known to be zero.
    return "".join("·" if not n else BLOCKS[max(1, round(8 * n / top))] for n in peaks)
