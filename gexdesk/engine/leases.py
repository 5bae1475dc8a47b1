"""Renew the leases of what this engine has in hand, and rescue those that ran out."""

import asyncio
from collections.abc import Callable, Sequence

from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeaseLost, QueueError, StoreError
from gexdesk.model.job import Claim, Job
from gexdesk.queues.base import Queue


class Leases:
    """Hold every claim in hand. A lost lease is dropped here; its worker learns of it when it acks.

    Args:
        on_rescue: Told of jobs that were put back.
    """

    def __init__(
        self, queue: Queue, clock: Clock, *, lease_s: float, sweep_s: float, on_rescue: Callable[[Sequence[Job]], None]
    ) -> None:
        self._queue = queue
        self._clock = clock
        self.lease_s = lease_s
        self._sweep_s = sweep_s
        self._on_rescue = on_rescue
        self._held: dict[str, Claim] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin renewing and sweeping."""
        self._tasks = [
            asyncio.create_task(self._renew(), name="leases-renew"),
            asyncio.create_task(self._sweep(), name="leases-sweep"),
        ]

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return tuple(self._tasks)

    async def stop(self) -> None:
        """Stop both loops; leases still held run out by themselves."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def held(self) -> int:
        """Return how many claims are renewed."""
        return len(self._held)

    def hold(self, claim: Claim) -> None:
        """Renew a claim from now on, and no earlier one of the same job any more."""
        self._held[claim.job.job_id] = claim

    def hold_on(self, claim: Claim) -> None:
        """Renew a claim again that a renewal may have taken for lost, unless another attempt is in hand."""
        self._held.setdefault(claim.job.job_id, claim)

    def latest(self, claim: Claim) -> Claim:
        """Return a claim as last renewed; never that of another attempt, whose fence is not this one's to show."""
        return self._of(claim) or claim

    def release(self, claim: Claim) -> Claim:
        """Stop renewing and return the claim as last renewed; another attempt of the same job is left alone."""
        latest = self.latest(claim)
        if self._of(claim) is not None:
            del self._held[claim.job.job_id]
        return latest

    def _of(self, claim: Claim) -> Claim | None:
        """Return what is held of the same attempt."""
        held = self._held.get(claim.job.job_id)
        return held if held is not None and held.fence == claim.fence else None

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(self.lease_s / 3)
            await asyncio.gather(*map(self._renewed, list(self._held.values())))  # together: thousands may wait for the stores

    async def _renewed(self, claim: Claim) -> None:
        try:
            renewed = await self._queue.heartbeat(claim, self.lease_s)
        except LeaseLost:
            self.release(claim)
        except (QueueError, StoreError):
            pass  # the queue itself is away: the lease runs out, and the job is run again
        else:
            if self._of(claim) is not None:
                self._held[claim.job.job_id] = renewed

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(self._sweep_s)
            try:
                rescued = await self._queue.rescue()
            except (QueueError, StoreError):
                continue  # the next sweep finds the same ones
            if rescued:
                self._on_rescue(rescued)
