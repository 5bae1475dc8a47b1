"""Offer ten times the promised load for a while: CRITICAL must not notice, and nothing is lost.

The load is the one the success criteria are certified with. ``run(full=False)`` has 6 s of peak after 6 s of the promised load,
``run(full=True)`` the promised 30 s. Its figures are of two cores to itself; how much of them others took is one of the figures.
"""

import asyncio
import math
from typing import NamedTuple

import numpy as np

from gexdesk.certify.load import Turn
from gexdesk.certify.plan import Plan
from gexdesk.certify.run import Measured, Run
from gexdesk.model.level import Level

MEAN_S, P99_S, MAX_S = 0.25, 1.0, 5.0
STALL_S = 0.1


class Outcome(NamedTuple):
    """Count what became of the peak's CRITICAL documents, receipt to available.

    Attributes:
        steady_*: The same of the promised load before it.
        lost: Documents offered that are neither completed nor dead letters.
        stall_steady_s, stall_peak_s: The longest stall of the engine's loop.
        bound_s: The worst that the bound was said to be.
        others_cores: What everything else on the machine took meanwhile.
    """

    documents: int
    critical: int
    mean_s: float
    p99_s: float
    max_s: float
    steady_critical: int
    steady_mean_s: float
    steady_max_s: float
    recognised: str
    lost: int
    beyond_bound: int
    bound_s: float
    stall_steady_s: float
    stall_peak_s: float
    behind_s: float
    others_cores: float

    @property
    def sound(self) -> bool:
        """Say whether every promise held."""
        quick = self.mean_s < MEAN_S and self.p99_s < P99_S and self.max_s < MAX_S
        return quick and self.critical > 0 and not self.lost and not self.beyond_bound and self.stall_steady_s < STALL_S


def run(full: bool) -> Outcome:
    """Offer it."""
    steady_s, peak_s = (30.0, 30.0) if full else (6.0, 6.0)
    ends_s = steady_s + peak_s
    plan = Plan(steady_s, peak_s, dispatches=0, counted_by_s=ends_s, drained_by_s=ends_s + 60.0, change_every_s=steady_s / 2)
    return _outcome(asyncio.run(Run(plan, None, lambda _: None).measure()))


def _outcome(m: Measured) -> Outcome:
    steady, peak = (_critical_s(m, part) for part in ("steady", "peak"))
    meant = [digest for digest, offer in m.offered.by_digest.items() if offer.turn is Turn.CRITICAL]
    decided = dict(zip(m.record.sha256, m.record.decided_level, strict=True))
    taken = [digest for digest in meant if digest in decided]
    stall_s = {part: max((s.loop_lag_s for s in m.samples if s.part == part), default=math.nan) for part in ("steady", "peak")}
    bound_s = max((s.bound_s for s in m.samples if s.bound_s is not None), default=math.nan)
    return Outcome(
        documents=len(m.record),
        critical=len(peak),
        mean_s=float(peak.mean()) if len(peak) else math.nan,
        p99_s=float(np.percentile(peak, 99)) if len(peak) else math.nan,
        max_s=float(peak.max()) if len(peak) else math.nan,
        steady_critical=len(steady),
        steady_mean_s=float(steady.mean()) if len(steady) else math.nan,
        steady_max_s=float(steady.max()) if len(steady) else math.nan,
        recognised=f"{sum(decided[digest] == Level.CRITICAL for digest in taken)} of {len(taken)}",
        lost=m.closing["open"],
        beyond_bound=int((np.concatenate([steady, peak]) > bound_s).sum()),
        bound_s=bound_s,
        stall_steady_s=stall_s["steady"],
        stall_peak_s=stall_s["peak"],
        behind_s=m.offered.behind_s,
        others_cores=m.others_cores,
    )


def _critical_s(m: Measured, part: str) -> np.ndarray:
    begins, ends = m.parts[part]
    r = m.record
    wanted = (r.rank == Level.CRITICAL.rank) & (r.received_at >= begins) & (r.received_at < ends) & np.isfinite(r.available_at)
    return (r.available_at - r.received_at)[wanted]
