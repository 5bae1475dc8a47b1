"""How long CRITICAL work can wait at the worst, from what was measured."""

from math import ceil


def critical_bound_s(waiting: int, *, reserved: int, slots: int, longest_s: float, longest_other_s: float) -> float:
    """Return the longest time until the last of so many waiting CRITICAL jobs is done, in seconds.

    The lesser of two bounds: what the reserved slots do alone, and what all slots do once each has ended the work it has.
    Queueing of the design, "The bound on CRITICAL": ``min(ceil(s / r) C, B + ceil(s / c) C)``.

    Args:
        waiting: s, CRITICAL jobs that wait.
        reserved, slots: r of c slots serve CRITICAL alone.
        longest_s, longest_other_s: C and B, the longest service of a CRITICAL job and of another.
    """
    shared = longest_other_s + ceil(waiting / slots) * longest_s
    return min(ceil(waiting / reserved) * longest_s, shared) if reserved else shared
