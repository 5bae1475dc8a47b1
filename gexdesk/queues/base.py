"""What a queue owes: strict order across levels, pause by source, re-levelling that keeps a job's age, nothing lost.

Every implementation passes ``tests/contracts/queue_contract.py``. Order: level; then score down, stricter freshness,
earlier deadline (none goes last), arrival. A retry, a rescue and a new level keep the arrival number.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from gexdesk.model.job import Claim, Job, JobStatus, LevelDepth
from gexdesk.model.level import Level


class QueueState(Struct, frozen=True):
    """Report a queue at one moment.

    Attributes:
        levels: One entry a level, all four always there.
        by_source: Waiting and held jobs per source; sources without any are absent.
        paused: Paused sources; ``stopped`` is the kill switch.
        conflated: Jobs superseded so far in this process.
    """

    levels: Mapping[Level, LevelDepth]
    by_source: Mapping[str, int]
    paused: frozenset[str]
    stopped: bool
    conflated: int


class Queue(Protocol):
    """Hold jobs in order. Every coroutine that changes anything returns after the change is durable, unless it says otherwise."""

    @property
    def warning(self) -> str:
        """Say what recovery could not bring back, for an operator; empty when nothing."""
        ...

    async def open(self) -> None:
        """Recover exactly what was there: order, attempts, pauses. A job that was being processed waits again."""
        ...

    async def close(self) -> None:
        """Sync and release everything."""
        ...

    async def put(self, jobs: Sequence[Job]) -> None:
        """Add jobs. A job id that is already known, finished ones included, is ignored: a replay after a crash adds nothing."""
        ...

    async def claim(self, worker: str, levels: Sequence[Level], lease_s: float) -> Claim | None:
        """Take the first eligible job of the strictest of these levels, or None.

        The attempt survives a kill when this returns, so that a job which kills its worker is counted; after a power cut the
        last attempts may be uncounted, which costs one more try and no sync here.
        Eligible: its source is not paused, the queue is not stopped, its retry time has come.
        """
        ...

    async def wait(self, levels: Sequence[Level], timeout_s: float) -> None:
        """Return when a claim may succeed, or after the timeout; spurious returns are fine."""
        ...

    async def heartbeat(self, claim: Claim, lease_s: float) -> Claim:
        """Renew the lease. Raises LeaseLost."""
        ...

    async def ack(self, claim: Claim) -> None:
        """Mark the job COMPLETED; may be batched with others, durable when it returns. Raises LeaseLost."""
        ...

    async def retry(self, claim: Claim, after_s: float, error: str) -> None:
        """Put the job back at its place, eligible after a time. Raises LeaseLost."""
        ...

    async def bury(self, claim: Claim, error: str) -> None:
        """Mark the job DEAD. Raises LeaseLost."""
        ...

    async def rescue(self) -> Sequence[Job]:
        """Put back every job whose lease has run out, at its original place, and return them."""
        ...

    async def relevel(self, job_ids: Sequence[str], level: Level, score: float, deadline_after_s: float | None, note: str) -> int:
        """Give queued jobs another level and score, keeping their age; the deadline becomes received_at + deadline_after_s.

        Returns:
            How many moved; claimed, finished and unknown ones are left alone.
        """
        ...

    async def pause(self, source: str) -> int:
        """Hold a source's jobs; returns how many are held."""
        ...

    async def resume(self, source: str) -> int:
        """Release a source's jobs at their old places; returns how many."""
        ...

    async def stop_all(self, stopped: bool) -> None:
        """Turn the kill switch: nothing is claimed while it is on."""
        ...

    async def prune(self, before: float) -> int:
        """Forget jobs that finished before a time (UTC seconds); returns how many. Their payloads must be gone by then."""
        ...

    def state(self) -> QueueState:
        """Count; cheap enough for four calls a second."""
        ...

    def peek(self, limit: int) -> Sequence[Job]:
        """Return the next jobs in true order over all levels, held ones left out."""
        ...

    def jobs_of(self, source: str) -> Sequence[Job]:
        """Return a source's queued jobs (held ones included, claimed ones not), in true order."""
        ...

    def status(self, job_id: str) -> JobStatus | None:
        """Return where a job stands, finished ones included; None when unknown."""
        ...

    def known(self, job_ids: Sequence[str]) -> Sequence[bool]:
        """Say for each id whether the queue has ever taken it; used to triage what a crash left in the spool."""
        ...
