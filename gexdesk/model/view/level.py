"""One level: its queue, its latencies and its promise."""

from msgspec import Struct

from gexdesk.model.level import Level

HISTOGRAM_EDGES_S: tuple[float, ...] = tuple(0.001 * 10 ** (i / 4) for i in range(27))
"""Upper edges of a latency histogram's drawn buckets but the last: 1 ms to 56 min, four a decade; one more holds the rest."""

TREND_SECONDS = 120
"""A depth trend holds one sample a second over this long, oldest first."""


class LevelView(Struct, frozen=True):
    """Show one level: its queue and how its promise is kept.

    Attributes:
        depth: Waiting jobs (paused and delayed ones apart).
        trend: Depth, one sample a second, oldest first, at most ``TREND_SECONDS``.
        in_per_s, out_per_s: Over the last 10 s.
        drain_s: Seconds until empty at the present rates; None where it is not draining; 0 when empty.
        histogram: Count per bucket of ``HISTOGRAM_EDGES_S``, receipt to available, since ``DeskView.since``.
        p50_s, p95_s, p99_s, max_s, mean_s: None before the first.
        within_promise: How many of ``count`` kept the promise.
    """

    level: Level
    promise_s: float | None
    depth: int
    paused: int
    delayed: int
    processing: int
    oldest_received_at: float | None
    trend: tuple[int, ...]
    in_per_s: float
    out_per_s: float
    drain_s: float | None
    count: int
    histogram: tuple[int, ...]
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None
    mean_s: float | None
    within_promise: int
