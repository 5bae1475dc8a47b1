"""Sum up a run: what ``gexdesk run --json`` prints at its end."""

from msgspec import Struct

from gexdesk.metrics.slo import Promise
from gexdesk.model.level import Level


class LevelClosing(Struct, frozen=True):
    """Sum up one level, receipt to available; None before the first.

    Attributes:
        within_promise: How many of ``count`` kept the promise; all of them where there is none.
    """

    count: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None
    promise_s: float | None
    within_promise: int

    @classmethod
    def of(cls, promise: Promise) -> "LevelClosing":
        """Return the sum of one level."""
        latency = promise.latency
        return cls(
            count=latency.count,
            mean_s=latency.mean_s,
            p50_s=latency.percentile(50),
            p95_s=latency.percentile(95),
            p99_s=latency.percentile(99),
            max_s=latency.max_s,
            promise_s=promise.promise_s,
            within_promise=promise.within,
        )


class SourceClosing(Struct, frozen=True):
    """Sum up one source."""

    received: int
    completed: int
    dead: int
    requests: int
    successes: int
    repeats: int


class Closing(Struct, frozen=True):
    """Sum up a run: received = completed + dead + repeats + open.

    Attributes:
        repeats: Acknowledged payloads that were their source's last one again, byte for byte; they make no job.
        failed: Attempts that failed and were tried again.
        open: Acknowledged payloads neither completed nor dead; the journal has them for the next start.
        deviation: Share of dispatches made while a strictly higher eligible job waited.
        shed: Payloads set aside at high water; those that still are are among ``open``.
        escalated: Jobs raised a level, or put at CRITICAL's head, to keep their promise.
    """

    received: int
    completed: int
    failed: int
    dead: int
    repeats: int
    open: int
    conflated: int
    deviation: float
    dispatches: int
    levels: dict[Level, LevelClosing]
    sources: dict[str, SourceClosing]
    escalated: int
    shed: int
