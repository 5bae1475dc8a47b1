"""What a queue owes: strict order across levels, pause by source, re-levelling that keeps a job's age, nothing lost.

Every implementation passes ``tests/contracts/queue_contract.py``. Order: level; then place (``Place``), score down, stricter
freshness, earlier deadline (none goes last), arrival; what was superseded and dropped to LOW is the last of all. A retry,
a rescue, a new level and a revival keep the arrival number.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from gexdesk.model.event import QueueEvent
from gexdesk.model.job import Claim, Job, JobStatus, LevelDepth, Place
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

    @property
    def shared(self) -> bool:
        """Say whether other hosts work on the same queue, so that payloads have to travel with their jobs."""
        ...

    @property
    def away(self) -> bool:
        """Say whether the queue cannot be asked at present; never so where it lies on this host."""
        ...

    @property
    def losses(self) -> int:
        """Return how often the whole queue was lost since it was opened: what is acknowledged has to be put again then."""
        ...

    async def open(self) -> None:
        """Recover exactly what was there: order, attempts, pauses. A job that was being processed waits again."""
        ...

    async def close(self) -> None:
        """Sync and release everything."""
        ...

    async def put(self, jobs: Sequence[Job], parcels: Sequence[bytes] = (), *, ready: bool = False) -> None:
        """Add jobs. A job id that is already known, finished ones included, is ignored: a replay after a crash adds nothing.

        Args:
            parcels: One a job or none: bytes that travel to whoever claims the job on another host, and go when it completes or
                is pruned. A queue that is not shared does not keep them.
            ready: Their results are at hand here, so that beginning one is ending it: ``claims`` may give several at once.
        """
        ...

    async def parcel(self, job_id: str) -> bytes | None:
        """Return what travels with a job; None without, for an unknown job, and from a queue that is not shared."""
        ...

    async def claim(self, worker: str, levels: Sequence[Level], lease_s: float, *, reserved: bool = False) -> Claim | None:
        """Take the first eligible job of the strictest of these levels, or None.

        A reserved slot never takes an escalated one, nor one that was superseded and dropped to LOW.

        The attempt survives a kill when this returns, so that a job which kills its worker is counted; after a power cut the
        last attempts may be uncounted, which costs one more try and no sync here.
        Eligible: its source is not paused, the queue is not stopped, its retry time has come.
        """
        ...

    async def claims(
        self, worker: str, levels: Sequence[Level], lease_s: float, *, reserved: bool = False, most: int = 1
    ) -> Sequence[Claim]:
        """Take the next jobs in order: those that are ready here and the first that is not, ``most`` at most; as ``claim``.

        A queue in which a claim costs no way to a server gives one.
        """
        ...

    async def wait(self, levels: Sequence[Level], timeout_s: float, *, reserved: bool = False) -> None:
        """Return when such a claim may succeed, or after the timeout; spurious returns are fine."""
        ...

    async def heartbeat(self, claim: Claim, lease_s: float) -> Claim:
        """Renew the lease. Raises LeaseLost."""
        ...

    def ack(self, claim: Claim) -> Awaitable[None]:
        """Mark the job COMPLETED; durable when the answer has been awaited. Awaiting raises LeaseLost.

        Whoever has many to complete calls for all of them first and awaits them then: they may share a commit.
        """
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

    async def relevel(
        self, job_ids: Sequence[str], level: Level, score: float, deadline_after_s: float | None, note: str,
        *, place: Place = Place.OWN,
    ) -> int:  # fmt: skip
        """Give queued jobs another level, place and score, keeping their age; the deadline becomes received_at + deadline_after_s.

        Returns:
            How many moved; claimed, finished and unknown ones are left alone.
        """
        ...

    async def cancel(self, job_ids: Sequence[str], note: str) -> int:
        """Let queued jobs, held and delayed ones included, become DEAD with this error.

        Returns:
            How many; claimed, finished and unknown ones are left alone.
        """
        ...

    async def revive(self, job_ids: Sequence[str]) -> int:
        """Let DEAD jobs wait again at their original place, as if never attempted; conflation judges them as if they had come back.

        Returns:
            How many; those that are not DEAD, or were pruned, are left alone.
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
        """Count; cheap enough for four calls a second. A shared queue answers with its last look, at most a second old."""
        ...

    async def peek(self, limit: int) -> Sequence[Job]:
        """Return the next jobs in true order over all levels, held ones left out."""
        ...

    async def position(self, job_id: str) -> int | None:
        """Return a job's number, from 1, in the true order of ``peek``; None where it is not eligible."""
        ...

    async def jobs_of(self, source: str) -> Sequence[Job]:
        """Return a source's queued jobs (held ones included, claimed ones not), in true order."""
        ...

    async def status(self, job_id: str) -> JobStatus | None:
        """Return where a job stands, finished ones included; None when unknown."""
        ...

    async def statuses(self, job_ids: Sequence[str]) -> Sequence[JobStatus | None]:
        """Return where each of many jobs stands; as ``status``. What it does not know of a spool was never queued, or lost."""
        ...

    def events(self) -> AsyncIterator[QueueEvent]:
        """Return what happens from this call on, to the queue's end.

        Each reader has room for a thousand events or more; one that is slower loses the oldest, and the next event it gets
        says how many. A change is told when others can see it, which may be before it is durable.
        """
        ...
