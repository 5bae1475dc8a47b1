"""The bound on CRITICAL: from receipt to available at the worst, out of what the desk measures of itself. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, inf, isfinite

from msgspec import Struct, structs

from gexdesk.metrics.bound import critical_bound_s
from gexdesk.model.view.engine import BoundView

DEATHS = 1
"""k: so many workers may die under one payload, one after the other, within its promise."""

MOST_AT_ONCE = 100_000
WORK_SHARE = 0.8
"""Of what the reserve can do, what CRITICAL may bring in the long run: the rest works off what came at once."""


class Stage(Struct, frozen=True):
    """Describe slots that CRITICAL passes.

    Attributes:
        name: For people, as in ``13 at once in the pool``.
        slots, reserved: c, and r of them.
        longest_s: C, the longest CRITICAL service seen of late.
        longest_other_s: B, the longest other slice; the pool enforces its own by killing.
        work_s: The most CRITICAL work that came at once, seconds of service, beyond ``WORK_SHARE`` of what the reserve does.
        seen_s: The longest that CRITICAL took here of late, waiting included; what was seen is never denied by what follows.
    """

    name: str
    slots: int
    reserved: int
    longest_s: float
    longest_other_s: float
    work_s: float = inf
    seen_s: float = 0.0


class Measured(Struct, frozen=True):
    """Hold what the bound is made of, seconds.

    Attributes:
        burst, per_s: sigma and rho: no more than ``burst + per_s * t`` CRITICAL payloads come in any t seconds.
        stages: What a payload passes one after the other, its publication being the end of the last.
        receive_s: Receipt to synced.
        commit_s: Decided to queued, the journal synced.
        publish_s: Computed to available.
        lease_s, sweep_s: L and S.
        failover_s: P, how long the queue's server may be away before it is given up; 0 where the queue is in the engine.
        promise_s: Of CRITICAL.
        reserve_share: Of the reserved slots' last seconds that they worked, 0 to 1, of the busier stage.
    """

    burst: float
    per_s: float
    stages: Sequence[Stage]
    receive_s: float
    commit_s: float
    publish_s: float
    lease_s: float
    sweep_s: float
    failover_s: float
    promise_s: float
    reserve_share: float


def bound(measured: Measured) -> BoundView:
    """Return the bound and the term that makes it what it is.

    ``T_receive + W_pool + T_commit + W_work + T_publish + k (L + S + C) + P``; W of each stage as ``critical_bound_s``.
    """
    deaths_s = DEATHS * (measured.lease_s + measured.sweep_s + max(stage.longest_s for stage in measured.stages))
    terms = {
        "receive": measured.receive_s,
        "commit": measured.commit_s,
        "publish": measured.publish_s,
        "death": deaths_s,
        "failover": measured.failover_s,
    } | {stage.name: _stage_s(stage, measured) for stage in measured.stages}
    worst_s = sum(terms.values())
    largest = max(terms, key=lambda name: terms[name])
    return BoundView(
        worst_s=worst_s if isfinite(worst_s) else None,
        promise_s=measured.promise_s,
        reserve_share=measured.reserve_share,
        why=_words(largest, terms[largest], measured),
        term=largest,
    )


def burst_carried(measured: Measured) -> int:
    """Return the largest sigma for which the bound by numbers is within the promise; 0 where not even one payload's is."""
    stages = [structs.replace(stage, work_s=inf, seen_s=0.0) for stage in measured.stages]

    def holds(burst: int) -> bool:
        worst_s = bound(structs.replace(measured, burst=burst, per_s=0.0, stages=stages)).worst_s
        return worst_s is not None and worst_s <= measured.promise_s

    return bisect_left(range(1, 1 + MOST_AT_ONCE), True, key=lambda burst: not holds(burst))


def _stage_s(stage: Stage, measured: Measured) -> float:
    return max(stage.seen_s, _wait_s(stage, ceil(measured.burst), measured.per_s))


def _wait_s(stage: Stage, burst: int, per_s: float) -> float:
    return critical_bound_s(
        burst, reserved=stage.reserved, slots=stage.slots, longest_s=stage.longest_s, longest_other_s=stage.longest_other_s,
        per_s=per_s, work_s=stage.work_s,
    )  # fmt: skip


def _words(name: str, seconds: float, measured: Measured) -> str:
    stage = next((stage for stage in measured.stages if stage.name == name), None)
    if stage is None:
        return {
            "receive": f"{seconds:.1f} s to sync what comes: the disk",
            "commit": f"{seconds:.1f} s to sync the queue's journal: the disk",
            "publish": f"{seconds:.1f} s to publish",
            "death": (
                f"{seconds:.1f} s for a worker that dies: {measured.lease_s:g} s lease, {measured.sweep_s:g} s sweep, done again"
            ),
            "failover": f"{seconds:g} s for a queue server that is away",
        }[name]
    if seconds == inf:
        return f"{measured.per_s:.1f} a second, {stage.longest_s:.2f} s each: more than {_slots(stage)} {stage.name} can do"
    if seconds > _wait_s(stage, ceil(measured.burst), measured.per_s):
        return f"{seconds:.1f} s were seen {stage.name}: it was not known to be CRITICAL, or the machine was busy"
    return f"{ceil(measured.burst)} at once, {stage.longest_s:.2f} s each, on {_slots(stage)} {stage.name}"


def _slots(stage: Stage) -> str:
    if stage.reserved:
        return f"{stage.reserved} reserved slot{'' if stage.reserved == 1 else 's'}"
    return f"{stage.slots} slots, none reserved"
