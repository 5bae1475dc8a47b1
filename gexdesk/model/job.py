"""One payload's way through the queue."""

from enum import IntEnum, StrEnum

from msgspec import Struct

from gexdesk.model.level import Level


class JobStatus(StrEnum):
    """Name where a job stands."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    DEAD = "DEAD"


class Place(IntEnum):
    """Say where a job stands among those of its level; the smaller goes first."""

    HEAD = -1
    """At risk of its promise: it goes to the head of its level."""
    OWN = 0
    ESCALATED = 1
    """Raised a level to meet its promise: behind the level's own jobs, never served by a reserved slot."""


class Job(Struct, frozen=True, array_like=True, gc=False):
    """Describe a job as the queue orders it: level, then place, score down, freshness, deadline, arrival.

    Attributes:
        job_id: Equal to the payload's id.
        symbol: Symbol of the payload's newest snapshot.
        as_of: Stamp of that snapshot, never later than its receipt; conflation compares it.
        freshness: ``Freshness`` as int; smaller is stricter.
        deadline_at: received_at + the level's promise; None is best effort and goes last.
        attempt: Times it was claimed so far.
        superseded: A newer snapshot of the same source and symbol was queued behind it.
        note: Why it stands where it stands, where that is not the decision (escalated, conflated, overridden).
        place: Where it stands among the jobs of its level.
        decided, decided_score: What the guidelines said, whatever moved it since; None and 0 where they said nothing.

    Queues keep it as an array of its fields: a new one goes last and has a default.
    """

    job_id: str
    source: str
    symbol: str
    level: Level
    score: float
    freshness: int
    received_at: float
    as_of: float
    deadline_at: float | None
    attempt: int = 0
    superseded: bool = False
    note: str = ""
    place: Place = Place.OWN
    decided: Level | None = None
    decided_score: float = 0.0

    @property
    def promised(self) -> Level:
        """Return the level whose promise it was given and whose capacity it may use: an escalated one keeps the level below."""
        return self.level.lowered if self.place is Place.ESCALATED else self.level


class Claim(Struct, frozen=True, gc=False):
    """Hold a worker's right to a job until ``lease_until``; ``fence`` makes a late ack refusable.

    Attributes:
        fence: Attempt number at claim time; an ack with another one is refused.
        lease_until: In the queue's own clock, monotonic seconds for the embedded queue.
        passed_over: A job of a stricter level could have been claimed at that moment; None where the queue leaves it to its
            ``state``, which is of that moment.
    """

    job: Job
    worker: str
    fence: int
    lease_until: float
    passed_over: bool | None = None


class LevelDepth(Struct, frozen=True):
    """Count one level of the queue.

    Attributes:
        waiting: Eligible jobs.
        paused: Jobs held because their source is paused.
        delayed: Jobs waiting for a retry's time.
        processing: Claimed jobs.
        oldest_received_at: Receipt of the oldest waiting job; None when none waits.
    """

    waiting: int
    paused: int
    delayed: int
    processing: int
    oldest_received_at: float | None
