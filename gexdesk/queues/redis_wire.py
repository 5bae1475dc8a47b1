"""Lay out jobs and answers as they travel to Redis and back: msgpack arrays, levels by rank, no null (false stands for it)."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from gexdesk.model.errors import QueueError
from gexdesk.model.event import EventKind
from gexdesk.model.job import Job, Place
from gexdesk.model.level import LEVELS

FRESHEST, STALEST = 0, 98
"""Freshness goes into one byte of a job's place; 99 stands for a superseded one."""


class WireJob(Struct, array_like=True, frozen=True):
    """Lay out a job; the library knows the fields by number.

    Attributes:
        parcel: Of a job that comes: true where its parcel is there already, else its number, from 1, among those of the act.
        ready: Whoever puts it has its results at hand.
    """

    job_id: str
    source: str
    symbol: str
    rank: int
    score: float
    freshness: int
    received_at: float
    as_of: float
    deadline_at: float | Literal[False]
    attempt: int
    superseded: bool
    note: str
    place: int
    decided: int | Literal[False]
    decided_score: float
    parcel: bool | int = False
    ready: bool = False

    def job(self) -> Job:
        """Return the job."""
        return Job(
            self.job_id, self.source, self.symbol, LEVELS[self.rank], self.score, self.freshness, self.received_at, self.as_of,
            None if self.deadline_at is False else self.deadline_at, self.attempt, self.superseded, self.note, Place(self.place),
            None if self.decided is False else LEVELS[self.decided], self.decided_score,
        )  # fmt: skip


class Placed(Struct, array_like=True, frozen=True):
    """Hold a job with its place in hexadecimal, which compares as the order does."""

    rank: int
    key: str
    job: WireJob


class Lane(Struct, array_like=True, frozen=True):
    """Hold one page of a source's jobs of one level; ``count`` is what the page took, readable or not."""

    count: int
    jobs: list[Placed]


class Taken(Struct, array_like=True, frozen=True):
    """Hold a claim; ``until_us`` is in the server's time.

    Attributes:
        passed_over: A job of a stricter level could have been claimed then.
    """

    job: WireJob
    until_us: int
    passed_over: bool


class Depth(Struct, array_like=True, frozen=True):
    """Count one level."""

    waiting: int
    paused: int
    delayed: int
    processing: int
    oldest: float | Literal[False]


class Counted(Struct, array_like=True, frozen=True):
    """Count the queue; ``sources`` alternates names and numbers, as Redis gives a hash."""

    levels: list[Depth]
    sources: list[str]
    held: list[str]
    stopped: int


class Reply(Struct, array_like=True, frozen=True):
    """Answer one act: what it asked for, or a code and what it is about."""

    ok: int
    value: Raw
    about: str | Literal[False] = False


class Answer(Struct, array_like=True, frozen=True):
    """Answer one call.

    Attributes:
        now_us: Microseconds of the server's clock.
        faults: Job id and reason of what somebody else broke under the prefix.
        kept: The server keeps the answer, and so knows for an hour that there was this call.
    """

    now_us: int
    conflated: int
    faults: list[tuple[str, str]]
    replies: list[Reply]
    kept: bool


class Told(Struct, array_like=True, frozen=True):
    """Tell one event; the level is a rank, false where it happened to no single job."""

    kind: EventKind
    job_id: str
    source: str
    rank: int | Literal[False]


class News(Struct, array_like=True, frozen=True):
    """Tell what one call did."""

    now_us: int
    told: list[Told]


encode = msgspec.msgpack.Encoder().encode
answer_of = msgspec.msgpack.Decoder(Answer).decode
news_of = msgspec.msgpack.Decoder(News).decode


def wire_of(job: Job, parcel: bool | int, ready: bool) -> WireJob:
    """Lay out a job.

    Raises:
        QueueError: A number has no place in the order.
    """
    if not FRESHEST <= job.freshness <= STALEST:
        raise QueueError(f"job {job.job_id} has freshness {job.freshness}; {FRESHEST} to {STALEST} have a place")
    return WireJob(
        job.job_id, job.source, job.symbol, job.level.rank, job.score, job.freshness, job.received_at, job.as_of,
        False if job.deadline_at is None else job.deadline_at, job.attempt, job.superseded, job.note, int(job.place),
        False if job.decided is None else job.decided.rank, job.decided_score, parcel, ready,
    )  # fmt: skip


def moved_on(jobs: Sequence[WireJob], by: int) -> Sequence[WireJob]:
    """Return jobs whose parcels stand behind so many others."""
    return [msgspec.structs.replace(job, parcel=job.parcel + by) if job.parcel is not True and job.parcel else job for job in jobs]
