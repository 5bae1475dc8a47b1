"""How long CRITICAL work can wait at the worst, from what was measured."""

from math import ceil, inf


def critical_bound_s(
    waiting: int, *, reserved: int, slots: int, longest_s: float, longest_other_s: float, per_s: float = 0.0, work_s: float = inf
) -> float:  # fmt: skip
    """Return the longest time until any of the CRITICAL jobs that wait, or come, is done, in seconds.

    The lesser of two bounds: what the reserved slots do alone, and what all slots do once each has ended the work it has.
    Queueing of the design, "The bound on CRITICAL": ``min(ceil(s / r) C, B + ceil(s / c) C)``; the first holds while
    ``rho C < r``, the second while ``rho C < c``. Where jobs differ in length, what the reserve does alone is bounded by their
    work as well: ``work / r + (1 - 1 / r) C`` (Graham 1969, list scheduling).

    Args:
        waiting: s, CRITICAL jobs that wait, or come at once.
        reserved, slots: r of c slots serve CRITICAL alone.
        longest_s, longest_other_s: C and B, the longest service of a CRITICAL job and of another.
        per_s: rho, how many more come a second from then on.
        work_s: Seconds of service that come at once, if what comes from then on is less than the reserve can do; else infinity.

    Returns:
        Infinity where more come than are served: nothing bounds the wait then.
    """
    alone = ceil(waiting / reserved) * longest_s if reserved and per_s * longest_s < reserved else inf
    work = work_s / reserved + (1 - 1 / reserved) * longest_s if reserved else inf
    shared = longest_other_s + ceil(waiting / slots) * longest_s if per_s * longest_s < slots else inf
    return min(alone, work, shared)
