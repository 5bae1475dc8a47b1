"""What happens in the queue, told as it happens."""

from typing import Literal

from msgspec import Struct

from gexdesk.model.level import Level

EventKind = Literal["queued", "claimed", "completed", "retried", "dead", "moved", "paused", "resumed", "rescued"]


class QueueEvent(Struct, frozen=True):
    """Tell one thing that happened; a reader that is too slow loses the oldest and learns how many.

    Attributes:
        kind: ``queued`` also for a dead job that was revived, ``dead`` also for one that was cancelled; ``moved`` for a new
            level or place.
        job_id: Empty where it happened to a source or to the whole queue.
        source: Empty where it happened to the whole queue (the kill switch).
        level: The job's level from now on; None where it happened to no single job.
        at: UTC seconds.
        missed: How many events were lost to this reader directly before this one.
    """

    kind: EventKind
    job_id: str
    source: str
    level: Level | None
    at: float
    missed: int = 0
