"""Measure what the bound on CRITICAL is made of, where it happens."""

from collections.abc import Sequence

from gexdesk.engine.bound import WORK_SHARE, Measured, Stage, bound, burst_carried
from gexdesk.metrics.bucket import Bucket
from gexdesk.metrics.peak import Peak
from gexdesk.metrics.rate import Rate
from gexdesk.model.clock import Clock
from gexdesk.model.view.engine import BoundView

RESERVED = 1
"""Slots that serve CRITICAL alone, in the pool and among the workers: the promise rests on them."""

HALF_LIFE_S = 900.0
"""What was slow a quarter of an hour ago counts for half."""

LEAST_SERVICE_S = 0.02
"""No service counts as shorter at the worst: a desk that has served nothing yet has proven nothing."""

MEAN_WEIGHT = 0.05
"""Of the newest service in the moving average."""

LEAST_MEAN_S = 0.005
BUSY_WINDOW_S = 10


class _Slots:
    """Measure one stage.

    Args:
        limit_s: What no slice of it outlasts, since it is killed.
    """

    def __init__(self, name: str, slots: int, reserved: int, limit_s: float) -> None:
        self.name, self.slots, self.reserved, self._limit_s = name, slots, reserved, limit_s
        self._longest = Peak(HALF_LIFE_S, LEAST_SERVICE_S)
        self._longest_other = Peak(HALF_LIFE_S)
        self._most_work = Peak(HALF_LIFE_S)
        self._work = Bucket()
        self._seen = Peak(HALF_LIFE_S)
        self._busy_ms = Rate(BUSY_WINDOW_S)
        self.mean_s = LEAST_MEAN_S

    def critical(self, now: float, asked_at: float, seconds: float, of: int) -> None:
        """Note a CRITICAL service, one of so many done together in these seconds, which was asked for at a time."""
        self._longest.add(now, seconds)
        own_s = seconds / of
        self.mean_s += MEAN_WEIGHT * (max(LEAST_MEAN_S, own_s) - self.mean_s)
        self._most_work.add(now, self._work.add(asked_at, own_s, WORK_SHARE * max(1, self.reserved)))

    def other(self, now: float, seconds: float) -> None:
        """Note another service."""
        self._longest_other.add(now, seconds)

    def busy(self, now: float, seconds: float) -> None:
        """Note that a reserved slot worked."""
        self._busy_ms.add(now, round(seconds * 1e3))

    def seen(self, now: float, seconds: float) -> None:
        """Note what CRITICAL took here, its wait included."""
        self._seen.add(now, seconds)

    def share(self, now: float) -> float:
        """Return how busy the reserved slots are, 0 to 1."""
        return min(1.0, self._busy_ms.per_s(now) / 1e3 / self.reserved) if self.reserved else 0.0

    def stage(self, now: float) -> Stage:
        """Return the stage as it stands."""
        longest_s, work_s = self._longest.value(now), self._most_work.value(now)
        return Stage(
            self.name, self.slots, self.reserved, longest_s, max(self._limit_s, self._longest_other.value(now)),
            max(longest_s, work_s), self._seen.value(now),
        )  # fmt: skip


class Measure:
    """Take what each stage tells of CRITICAL, and say what follows.

    Args:
        pool, workers: Slots, and how many of them are reserved.
        limit_s: After which a pool process is killed.
        lease_s, sweep_s, failover_s: Of the queue.
        promise_s: Of CRITICAL.
    """

    def __init__(
        self, clock: Clock, *, pool: tuple[int, int], workers: tuple[int, int], limit_s: float, lease_s: float, sweep_s: float,
        failover_s: float, promise_s: float,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._pool = _Slots("in the pool", *pool, limit_s)
        self._workers = _Slots("at the workers", *workers, limit_s)
        self._lease_s, self._sweep_s, self._failover_s, self._promise_s = lease_s, sweep_s, failover_s, promise_s
        self._receive, self._commit, self._publish = Peak(HALF_LIFE_S), Peak(HALF_LIFE_S), Peak(HALF_LIFE_S)
        self._burst = Peak(HALF_LIFE_S, 1.0)
        self._came = Bucket()

    def came(self, count: int = 1) -> None:
        """Note CRITICAL payloads that were decided, or made CRITICAL, just now."""
        now = self._clock.monotonic()
        self._burst.add(now, self._came.add(now, count, self.rate_carried()))

    def received(self, seconds: float) -> None:
        """Note what receiving a CRITICAL payload took, from its receipt until it was synced."""
        self._receive.add(self._clock.monotonic(), seconds)

    def committed(self, seconds: float) -> None:
        """Note what queueing a CRITICAL job took."""
        self._commit.add(self._clock.monotonic(), seconds)

    def published(self, seconds: float) -> None:
        """Note what publishing a CRITICAL result took."""
        self._publish.add(self._clock.monotonic(), seconds)

    def sorted_out(self, seconds: float) -> None:
        """Note what it took to find out that a payload is CRITICAL, from synced to decided."""
        self._pool.seen(self._clock.monotonic(), seconds)

    def sliced(self, critical_asked_at: Sequence[float], others: int, reserved: bool, seconds: float) -> None:
        """Note what a pool process did in one go.

        Args:
            critical_asked_at: When each CRITICAL task in it was asked for, seconds of the monotonic clock.
            others: How many more tasks were in it.
            reserved: It was a reserved one.
        """
        self._note(self._pool, critical_asked_at, others, reserved, seconds)

    def worked(self, critical_asked_at: Sequence[float], others: int, reserved: bool, seconds: float) -> None:
        """Note what a worker's slot did; likewise."""
        self._note(self._workers, critical_asked_at, others, reserved, seconds)

    def rate_carried(self) -> float:
        """Return how many CRITICAL payloads a second the reserve carries in the long run, by what one takes on average."""
        return min(WORK_SHARE * max(1, stage.reserved) / stage.mean_s for stage in (self._pool, self._workers))

    def burst_carried(self) -> int:
        """Return how many CRITICAL payloads may come at once for the promise to be proven, even if each were the longest one."""
        return burst_carried(self._measured())

    def bound(self) -> BoundView:
        """Return the bound of this moment."""
        return bound(self._measured())

    def _measured(self) -> Measured:
        now = self._clock.monotonic()
        return Measured(
            burst=self._burst.value(now),
            per_s=self.rate_carried(),
            stages=(self._pool.stage(now), self._workers.stage(now)),
            receive_s=self._receive.value(now),
            commit_s=self._commit.value(now),
            publish_s=self._publish.value(now),
            lease_s=self._lease_s,
            sweep_s=self._sweep_s,
            failover_s=self._failover_s,
            promise_s=self._promise_s,
            reserve_share=max(self._pool.share(now), self._workers.share(now)),
        )

    def _note(self, slots: _Slots, asked_at: Sequence[float], others: int, reserved: bool, seconds: float) -> None:
        now = self._clock.monotonic()
        for at in asked_at:
            slots.critical(now, at, seconds, len(asked_at) + others)
        if others:
            slots.other(now, seconds)
        if reserved:
            slots.busy(now, seconds)
