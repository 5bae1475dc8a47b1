"""Look at the queue: jobs in true order, with their place, estimate and the decision that put them there."""

from gexdesk.engine.flight import Flights
from gexdesk.engine.flow import Flow
from gexdesk.model.job import Job
from gexdesk.model.level import Level
from gexdesk.model.look.queue import JobsLook, JobsSeen, JobView
from gexdesk.queues.base import Queue

LIMIT = 2_000


class QueueLook:
    """Answer ``JobsLook``."""

    def __init__(self, queue: Queue, flights: Flights, flow: Flow) -> None:
        self._queue = queue
        self._flights = flights
        self._flow = flow

    async def jobs(self, question: JobsLook) -> JobsSeen:
        """Return the next jobs, or one source's with its held ones."""
        state = self._queue.state()
        ahead = {job.job_id: place for place, job in enumerate(await self._queue.peek(LIMIT), 1)}
        limit = min(max(question.limit, 1), LIMIT)
        if question.source:
            wanted = list(await self._queue.jobs_of(question.source))
            total = len(wanted)
        else:
            wanted = list(await self._queue.peek(limit))
            total = sum(depth.waiting for depth in state.levels.values())
        rates = {level: self._flow.rates(level)[1] for level in Level}
        return JobsSeen(tuple(self._view(job, ahead.get(job.job_id), rates) for job in wanted[:limit]), total)

    def _view(self, job: Job, position: int | None, rates: dict[Level, float]) -> JobView:
        flight = self._flights.get(job.job_id)
        decision = flight.decision if flight is not None else None
        served_per_s = sum(rates.values())
        return JobView(
            job_id=job.job_id,
            source=job.source,
            symbol=job.symbol,
            level=job.level,
            score=job.score,
            position=position,
            received_at=job.received_at,
            as_of=job.as_of,
            deadline_at=job.deadline_at,
            attempt=job.attempt,
            superseded=job.superseded,
            note=job.note,
            place=job.place.name.lower(),
            starts_in_s=position / served_per_s if position is not None and served_per_s else None,
            winner=decision.winner if decision is not None else "",
            reason=decision.reason if decision is not None else "",
        )
