"""Put jobs into the server with what travels with them, and fetch that again."""

from collections.abc import Iterator, Sequence
from itertools import count
from math import isfinite

from gexdesk.model.errors import QueueError
from gexdesk.model.job import Job
from gexdesk.queues.redis_calls import PIECE, Calls
from gexdesk.queues.redis_line import Line
from gexdesk.queues.redis_wire import wire_of

INLINE_BYTES = 32 * 1024
"""Parcels up to this size travel in the call of their job; larger ones go before it, on another connection."""

PARCEL_WAITS_S = 900
"""A parcel whose job never came is deleted after this."""

_PARCEL_S = 20.0


class Puts:
    """Send jobs and parcels over a line.

    Args:
        keys: What every key of the queue begins with.
    """

    def __init__(self, line: Line, calls: Calls, keys: str) -> None:
        self._line = line
        self._calls = calls
        self._keys = keys

    async def put(self, jobs: Sequence[Job], parcels: Sequence[bytes], *, ready: bool, patience_s: float | None) -> None:
        """Add jobs in steps; words and errors as ``RedisQueue.put``."""
        if parcels and len(parcels) != len(jobs):
            raise QueueError(f"{len(jobs)} jobs came with {len(parcels)} parcels; one a job or none is allowed")
        for job in jobs:
            _check(job)
        for at, parcel in enumerate(parcels):
            if len(parcel) > INLINE_BYTES:
                await self._send(jobs[at].job_id, parcel, patience_s)
        for piece in _pieces(parcels or [b""] * len(jobs)):
            inline = [parcel for parcel in parcels[piece] if len(parcel) <= INLINE_BYTES]
            if parcels:
                number = count(1)
                wires = [
                    wire_of(job, next(number) if len(parcel) <= INLINE_BYTES else True, ready)
                    for job, parcel in zip(jobs[piece], parcels[piece], strict=True)
                ]
            else:
                wires = [wire_of(job, False, ready) for job in jobs[piece]]
            weight = sum(map(_weight, parcels[piece])) if parcels else len(wires)
            await self._calls.ask("put", int, wires, adds=True, weight=weight, parcels=inline, patience_s=patience_s)

    async def parcel(self, job_id: str) -> bytes | None:
        """Return what travels with a job; errors as ``RedisQueue.parcel``."""
        data = await self._line.aside(lambda client: client.get(self._key(job_id)), _PARCEL_S)
        if data is not None:
            return bytes(data) if isinstance(data, bytes) else str(data).encode()
        if await self._calls.ask("has_parcel", int, job_id):
            raise QueueError(f"the payload of job {job_id} is gone from {self._line.where}: was it deleted or evicted there?")
        return None

    async def _send(self, job_id: str, parcel: bytes, patience_s: float | None) -> None:
        # It goes first and with an end, which the job takes away: a parcel whose job never comes deletes itself.
        key = self._key(job_id)
        await self._line.aside(lambda client: client.set(key, parcel, nx=True, ex=PARCEL_WAITS_S), _PARCEL_S, patience_s)

    def _key(self, job_id: str) -> str:
        return f"{self._keys}parcel:{job_id}"


def _weight(parcel: bytes) -> int:
    """Return what a job with this parcel weighs in a call."""
    return 1 + (len(parcel) // 4096 if len(parcel) <= INLINE_BYTES else 0)


def _pieces(parcels: Sequence[bytes]) -> Iterator[slice]:
    """Yield the steps in which jobs with these parcels are put."""
    begins, weight = 0, 0
    for at, parcel in enumerate(parcels):
        if weight and weight + _weight(parcel) > PIECE:
            yield slice(begins, at)
            begins, weight = at, 0
        weight += _weight(parcel)
    if weight:
        yield slice(begins, len(parcels))


def _check(job: Job) -> None:
    for name, value in (("score", job.score), ("received_at", job.received_at), ("deadline_at", job.deadline_at)):
        if value is not None and not isfinite(value):
            raise QueueError(f"job {job.job_id} has {name} {value}; a job needs a finite number there to have a place")
