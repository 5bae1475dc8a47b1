"""The bound that the desk shows: its sum, its words, and the limits of admission that follow from it."""

from math import inf

import pytest
from msgspec.structs import replace

from gexdesk.engine.bound import Measured, Stage, bound, burst_carried
from gexdesk.engine.measure import Measure
from tests.virtual_clock import VirtualClock

POOL = Stage("in the pool", 2, 1, 0.3, 20.0)
WORKERS = Stage("at the workers", 3, 1, 0.4, 20.0)
CALM = Measured(
    burst=3.0, per_s=1.0, stages=(POOL, WORKERS), receive_s=0.01, commit_s=0.02, publish_s=0.03, lease_s=5.0, sweep_s=1.0,
    failover_s=0.0, promise_s=30.0, reserve_share=0.25,
)  # fmt: skip


def test_it_is_the_sum_of_every_step() -> None:
    found = bound(CALM)
    assert found.worst_s == pytest.approx(0.01 + 3 * 0.3 + 0.02 + 3 * 0.4 + 0.03 + (5.0 + 1.0 + 0.4))
    assert (found.promise_s, found.reserve_share) == (30.0, 0.25)
    assert bound(replace(CALM, failover_s=5.0)).worst_s == pytest.approx((found.worst_s or 0) + 5.0)


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (CALM, "6.4 s for a worker that dies: 5 s lease, 1 s sweep, done again"),
        (replace(CALM, burst=19.2), "20 at once, 0.40 s each, on 1 reserved slot at the workers"),
        (replace(CALM, receive_s=9.0), "9.0 s to sync what comes: the disk"),
        (replace(CALM, commit_s=9.0), "9.0 s to sync the queue's journal: the disk"),
        (replace(CALM, publish_s=9.0), "9.0 s to publish"),
        (replace(CALM, failover_s=7.0), "7 s for a queue server that is away"),
        (replace(CALM, stages=(replace(POOL, seen_s=12.0), WORKERS)), "12.0 s were seen in the pool: it was not known to be"),
        (replace(CALM, stages=(POOL, replace(WORKERS, reserved=0))), "3 at once, 0.40 s each, on 3 slots, none reserved at the"),
    ],
)  # fmt: skip
def test_it_says_what_makes_most_of_it(measured: Measured, why: str) -> None:
    assert bound(measured).why.startswith(why)


def test_more_than_can_be_served_has_no_bound_and_says_so() -> None:
    found = bound(replace(CALM, per_s=12.0))
    assert found.worst_s is None
    assert found.why == "12.0 a second, 0.30 s each: more than 1 reserved slot in the pool can do"
    # Short ones among them: what matters then is their work, and that is bounded.
    short = tuple(replace(stage, work_s=2.0) for stage in CALM.stages)
    assert bound(replace(CALM, per_s=12.0, stages=short)).worst_s == pytest.approx(0.01 + 2 + 0.02 + 2 + 0.03 + 6.4)


def test_the_burst_that_is_carried_is_the_largest_within_the_promise() -> None:
    most = burst_carried(CALM)
    assert (bound(replace(CALM, burst=most)).worst_s or inf) <= 30.0
    assert (bound(replace(CALM, burst=most + 1)).worst_s or inf) > 30.0
    assert burst_carried(replace(CALM, lease_s=40.0)) == 0


def test_what_is_measured_becomes_the_bound_and_fades() -> None:
    clock = VirtualClock()
    measure = Measure(
        clock, pool=(2, 1), workers=(3, 1), limit_s=20.0, lease_s=5.0, sweep_s=1.0, failover_s=0.0, promise_s=30.0
    )  # fmt: skip
    idle_s = measure.bound().worst_s
    assert idle_s == pytest.approx(2 * 0.02 + 5.0 + 1.0 + 0.02)  # the floors: one payload, 20 ms a stage, a death
    for _ in range(4):
        measure.came()
        measure.sliced([clock.monotonic()], 0, True, 2.0)
        measure.worked([clock.monotonic()], 0, True, 3.0)
    measure.received(0.1)
    measure.committed(0.2)
    measure.published(0.3)
    busy = measure.bound()
    assert busy.worst_s == pytest.approx(4 * 2.0 + 4 * 3.0 + 0.1 + 0.2 + 0.3 + 5 + 1 + 3.0)
    assert busy.why == "4 at once, 3.00 s each, on 1 reserved slot at the workers"
    assert busy.reserve_share == 1.0
    clock._now += 900.0
    assert idle_s < (measure.bound().worst_s or inf) < (busy.worst_s or 0) * 0.7
    assert measure.bound().reserve_share == 0.0
    clock._now += 90_000.0
    assert measure.bound().worst_s == pytest.approx(idle_s, abs=0.01)
