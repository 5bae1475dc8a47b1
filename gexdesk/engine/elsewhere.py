"""Let go of what other engines have done: a payload acknowledged here stays in the spool until the queue says its job has ended."""

import asyncio

from gexdesk.engine.endings import Endings
from gexdesk.engine.flight import Flights
from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError
from gexdesk.model.job import JobStatus
from gexdesk.queues.base import Queue

SWEEP_S = 5.0
PIECE = 500
A_SWEEP = 20
"""Pieces a sweep: it asks for the jobs that have waited longest, and in turns for all of them."""

_ENDS = (JobStatus.COMPLETED, JobStatus.DEAD)


class Elsewhere:
    """Follow the queue's news, and ask now and then for what they left out."""

    def __init__(self, queue: Queue, flights: Flights, endings: Endings, clock: Clock) -> None:
        self._queue = queue
        self._flights = flights
        self._endings = endings
        self._clock = clock
        self._asked_from = 0

    async def listen(self) -> None:
        """Take the queue's news for ever."""
        async for event in self._queue.events():
            if event.kind in ("completed", "dead") and self._flights.get(event.job_id) is not None:
                status = JobStatus.COMPLETED if event.kind == "completed" else JobStatus.DEAD
                await self._endings.ended_elsewhere(event.job_id, status)

    async def sweep(self) -> None:
        """Ask for ever: a reader of news that is slow loses some, and none are told while the connection is cut."""
        while True:
            await self._clock.sleep(SWEEP_S)
            try:
                await self.look()
            except GexdeskError:
                continue  # the queue is away, which is an incident of its own

    async def look(self) -> None:
        """Ask once, for a bounded number of jobs. Raises QueueError."""
        queued = [flight for flight in self._flights.own() if flight.queued_at is not None or flight.kept_at is None]
        own = [flight.payload.payload_id for flight in queued]
        if self._asked_from >= len(own):
            self._asked_from = 0
        turn = own[self._asked_from : self._asked_from + PIECE * A_SWEEP]
        self._asked_from += len(turn)
        for at in range(0, len(turn), PIECE):
            piece = turn[at : at + PIECE]
            for job_id, status in zip(piece, await self._queue.statuses(piece), strict=True):
                if status in _ENDS:
                    await self._endings.ended_elsewhere(job_id, status)
            await asyncio.sleep(0)
