"""Admission: how much CRITICAL each source brings, held against what the bound can carry. It tells; nothing is refused."""

from collections.abc import Iterator

from msgspec import Struct

from gexdesk.engine.measure import Measure
from gexdesk.metrics.bucket import Bucket
from gexdesk.model.clock import Clock

TOLD_S = 60.0
"""For so long after the last payload that was too much it is told."""

LEAST_BURST = 4
"""Nobody is told of fewer at once by default: a slow machine is a finding of the bound, not of a source that sends one payload."""


class Excess(Struct, frozen=True):
    """Tell of a source, or of all together, that brought more than is carried.

    Attributes:
        source: Empty for all sources together.
        burst, per_s: What is carried.
        came: How far it went: as many at once.
    """

    source: str
    burst: int
    per_s: float
    came: int


class _Meter:
    def __init__(self) -> None:
        self.bucket = Bucket()
        self.over_at: float | None = None
        self.came = 0.0

    def add(self, now: float, count: int, burst: int, per_s: float) -> None:
        fill = self.bucket.add(now, count, per_s)
        if fill <= burst:
            return
        recent = self.over_at is not None and now - self.over_at < TOLD_S
        self.came = max(self.came, fill) if recent else fill
        self.over_at = now


class Admission:
    """Hold a token bucket a source, and one for all.

    Args:
        burst, per_s: What one source may bring, at once and in the long run; None is as much as the desk can carry at all, by what
            it measures. What all bring together is always held to that.
    """

    def __init__(self, measure: Measure, clock: Clock, *, burst: int | None, per_s: float | None) -> None:
        self._measure = measure
        self._clock = clock
        self._burst = burst
        self._per_s = per_s
        self._all = _Meter()
        self._sources: dict[str, _Meter] = {}
        self._carried = (LEAST_BURST, measure.rate_carried())
        self.look()

    def look(self) -> None:
        """Ask anew what can be carried; once a second is enough."""
        self._carried = max(LEAST_BURST, self._measure.burst_carried()), self._measure.rate_carried()

    def came(self, source: str, count: int = 1) -> None:
        """Note CRITICAL payloads of a source that were decided, or made CRITICAL, just now."""
        now = self._clock.monotonic()
        self._measure.came(count)
        self._all.add(now, count, *self._carried)
        self._sources.setdefault(source, _Meter()).add(now, count, *self._allowed)

    def excess(self) -> Iterator[Excess]:
        """Yield every source that brought too much of late, and all together where that is no single one's doing."""
        now, found = self._clock.monotonic(), False
        for source, meter in self._sources.items():
            if meter.over_at is not None and now - meter.over_at < TOLD_S:
                found = True
                yield Excess(source, *self._allowed, round(meter.came))
        if not found and self._all.over_at is not None and now - self._all.over_at < TOLD_S:
            yield Excess("", *self._carried, round(self._all.came))

    @property
    def _allowed(self) -> tuple[int, float]:
        burst, per_s = self._carried
        return self._burst or burst, self._per_s or per_s
