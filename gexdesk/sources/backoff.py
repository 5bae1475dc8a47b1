"""How long to wait after failures."""

from collections.abc import Callable

CAP_S = 60.0
RETRY_FIRST_S = 1.0
"""Shortest wait after a failure that may pass; how often it is tried so soon, the breaker bounds."""

STORE_FIRST_S, STORE_CAP_S = 1.0, 4.0
"""Shortest and longest wait where the store refused: the bytes are here already, so nobody's server is pressed, and once there is
room what waited longest must still have most of CRITICAL's promise."""


def backoff_s(failures: int, first_s: float, jitter: Callable[[], float], cap_s: float = CAP_S) -> float:
    """Return a wait between ``first_s`` and a ceiling that doubles with each failure, up to ``cap_s``.

    Full jitter over that span: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, but never
    under ``first_s``.

    Args:
        failures: In a row, from 1.
        jitter: Gives a float in [0, 1).
    """
    ceiling_s = max(first_s, min(cap_s, first_s * 2.0 ** min(failures, 16)))
    return first_s + jitter() * (ceiling_s - first_s)
