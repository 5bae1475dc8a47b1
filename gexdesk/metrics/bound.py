"""How long CRITICAL work can wait at the worst, from what was measured."""

from math import ceil, inf


def critical_bound_s(
    waiting: int, *, reserved: int, slots: int, longest_s: float, longest_other_s: float, per_s: float = 0.0, work_s: float = inf
) -> float:  # fmt: skip
    """Return the longest time until any of the CRITICAL jobs that wait, or come, is done, in seconds.

    The lesser of two bounds: what the reserved slots do alone, and what all slots do once each has ended the work it has.
    Queueing of the design, "The bound on CRITICAL": ``min(ceil(s / r) C, B + ceil(s / c) C)``; the first holds while
    ``rho C < r``, the second while ``rho C < c``. It is exact for what comes at once. Where more comes meanwhile the last of the
    burst may fill all slots, and the next one begins a further round: ``(ceil(s / r) + 1) C`` less the time in which it came.
    Where jobs differ in length, what the reserve does alone is bounded by their work as well: ``work / r + (1 - 1 / r) C``
    (Graham 1969, list scheduling).

    Args:
        waiting: s, CRITICAL jobs that wait, or come at once.
        reserved, slots: r of c slots serve CRITICAL alone.
        longest_s, longest_other_s: C and B, the longest service of a CRITICAL job and of another.
        per_s: rho, how many more come a second from then on.
        work_s: Seconds of service that come at once, if what comes from then on is less than the reserve can do; else infinity.

    Returns:
        Infinity where more come than are served: nothing bounds the wait then.
    """
    alone = _rounds_s(waiting, reserved, longest_s, per_s) if reserved else inf
    work = work_s / reserved + (1 - 1 / reserved) * longest_s if reserved else inf
    return min(alone, work, longest_other_s + _rounds_s(waiting, slots, longest_s, per_s))


def _rounds_s(waiting: int, slots: int, longest_s: float, per_s: float) -> float:
    """Return the longest time to serve any of ``waiting`` jobs and of what follows; infinity where the slots do not keep up."""
    if per_s * longest_s >= slots:
        return inf
    rounds = ceil(waiting / slots)
    if per_s == 0.0:
        return rounds * longest_s
    one_more_came_s = (rounds * slots + 1 - waiting) / per_s
    return max(rounds * longest_s, (rounds + 1) * longest_s - one_more_came_s)
