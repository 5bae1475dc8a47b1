"""The bound on CRITICAL against a simulation of what it bounds: slots, some reserved, all others just begun with something long."""

import heapq
import random
from math import inf

import pytest

from gexdesk.metrics.bound import critical_bound_s
from gexdesk.metrics.bucket import Bucket
from gexdesk.metrics.peak import Peak


def longest_wait_s(slots: int, reserved: int, other_s: float, came: list[tuple[float, float]]) -> float:
    """Return the longest from arrival to end over CRITICAL jobs (arrival, service), first come first served.

    There is always other work of ``other_s``: a general slot that finds no CRITICAL job takes that, and cannot be interrupted.
    """
    free = [(other_s, number) for number in range(reserved, slots)] + [(0.0, number) for number in range(reserved)]
    heapq.heapify(free)
    waiting, longest_s = sorted(came), 0.0
    while waiting:
        at, number = heapq.heappop(free)
        arrived, service_s = waiting[0]
        if arrived <= at or number < reserved:
            waiting.pop(0)
            end = max(at, arrived) + service_s
            longest_s = max(longest_s, end - arrived)
            heapq.heappush(free, (end, number))
        else:
            heapq.heappush(free, (at + other_s, number))
    return longest_s


@pytest.mark.parametrize(("reserved", "worst_s"), [(0, 62.5), (1, 10.0), (2, 5.0)])
def test_the_designs_three_rows(reserved: int, worst_s: float) -> None:
    bound_s = critical_bound_s(20, reserved=reserved, slots=4, longest_s=0.5, longest_other_s=60.0)
    assert bound_s == worst_s
    assert longest_wait_s(4, reserved, 60.0, [(0.0, 0.5)] * 20) == pytest.approx(worst_s)


def test_nothing_is_bounded_where_more_comes_than_is_served() -> None:
    assert critical_bound_s(1, reserved=1, slots=2, longest_s=0.5, longest_other_s=60.0, per_s=4.1) == inf
    # Beyond the reserve alone, within all slots together: only the second bound is left, and a fifth may begin a third round.
    both_s = critical_bound_s(4, reserved=1, slots=2, longest_s=0.5, longest_other_s=60.0, per_s=2.1)
    assert both_s == pytest.approx(60.0 + 3 * 0.5 - 1 / 2.1)
    came = [(number / 2.1, 0.5) for number in range(300)]
    assert longest_wait_s(2, 1, 60.0, came) > critical_bound_s(1, reserved=1, slots=2, longest_s=0.5, longest_other_s=60.0)


def test_no_run_is_beyond_the_bound_of_what_came() -> None:
    """Any arrivals at all: the two buckets measure them, and the bound made of the highest fills holds for every job."""
    dice = random.Random(20_261_123)
    reached = 0.0
    for _ in range(400):
        slots = dice.randint(1, 6)
        reserved = dice.randint(0, slots)
        other_s, longest_s = dice.choice([0.1, 2.0, 60.0]), dice.choice([0.05, 0.5, 3.0])
        alike = dice.random() < 0.5
        came, at = [], 0.0
        for _ in range(dice.randint(1, 60)):
            at += dice.choice([0.0, 0.0, dice.expovariate(1.0)])
            came.append((at, longest_s if alike else dice.uniform(0.01, longest_s)))
        per_s, work_per_s = dice.choice([0.5, 0.9]) * (reserved or slots) / longest_s, 0.8 * reserved
        numbers, work = Bucket(), Bucket()
        burst = max(numbers.add(at, 1, per_s) for at, _ in came)
        work_s = max(work.add(at, service_s, work_per_s) for at, service_s in came)
        bound_s = critical_bound_s(
            int(burst + 0.999999), reserved=reserved, slots=slots, longest_s=longest_s, longest_other_s=other_s, per_s=per_s,
            work_s=work_s,
        )  # fmt: skip
        worst_s = longest_wait_s(slots, reserved, other_s, came)
        assert worst_s <= bound_s + 1e-9, (slots, reserved, other_s, longest_s, came)
        reached = max(reached, worst_s / bound_s)
    assert reached > 0.99  # it is tight: a smaller one would be broken


def test_a_bucket_drains_and_counts_what_is_told_late_as_come_with_the_last() -> None:
    bucket = Bucket()
    assert [bucket.add(at, 1, 0.5) for at in (10.0, 10.0, 12.0, 11.0)] == [1.0, 2.0, 2.0, 3.0]
    assert bucket.fill(100.0, 0.5) == 0.0


def test_a_peak_fades_to_its_floor() -> None:
    peak = Peak(half_life_s=60.0, floor=0.5)
    assert peak.value(0.0) == 0.5
    peak.add(0.0, 8.0)
    peak.add(60.0, 1.0)
    assert peak.value(60.0) == pytest.approx(4.0)
    assert peak.value(120.0) == pytest.approx(2.0)
    peak.add(120.0, 3.0)
    assert peak.value(120.0) == 3.0
    assert peak.value(9_999.0) == 0.5
