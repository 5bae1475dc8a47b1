"""What waits: jobs in their true order."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.level import Level
from gexdesk.model.look.base import Look


class JobView(Struct, frozen=True):
    """Show one queued job.

    Attributes:
        position: 1 is served next, over all levels; None for a held one.
        starts_in_s: Estimate until it is claimed, at the level's present rate; None where nobody can tell.
        deadline_at: When its level's promise ends; None is best effort.
        place: ``head``, ``own`` or ``escalated``.
        winner: The guideline that decided; empty where an earlier engine decided it.
        reason: The decision in one line.
    """

    job_id: str
    source: str
    symbol: str
    level: Level
    score: float
    position: int | None
    received_at: float
    as_of: float
    deadline_at: float | None
    attempt: int
    superseded: bool
    note: str
    place: str = "own"
    starts_in_s: float | None = None
    winner: str = ""
    reason: str = ""


class JobsSeen(Struct, frozen=True):
    """Hold the next jobs in true order; ``total`` counts all that wait."""

    jobs: tuple[JobView, ...]
    total: int


class JobsLook(Look[JobsSeen], frozen=True):
    """Ask for the queue in true order, at most ``limit`` jobs; of one source where it is named, held ones included."""

    answer: ClassVar[Any] = JobsSeen
    limit: int = 200
    source: str = ""
