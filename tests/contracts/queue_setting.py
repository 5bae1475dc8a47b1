"""What the tests of every queue share: how they get queues, how time passes, and small words for jobs."""

from typing import Protocol

from gexdesk.model.job import Claim, Job
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level
from gexdesk.queues.base import Queue, QueueState

M = Level.MEDIUM
NOON = 1_790_000_000.0


class Setting(Protocol):
    """Give queues over one and the same storage, one after the other."""

    async def open(self) -> Queue:
        """Return a new queue, opened, over what the last one left behind."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for leases and retries."""
        ...

    def now(self) -> float:
        """Return what the queue's own clock says, UTC seconds."""
        ...

    async def state(self, queue: Queue) -> QueueState:
        """Return what a queue's ``state`` says once it has looked again."""
        ...


_made = 0


def job(name: str, level: Level = M, score: float | None = None, **fields: object) -> Job:
    """Return a job with a symbol of its own, received a second after the last one made."""
    global _made  # noqa: PLW0603
    _made += 1
    received_at = fields.pop("received_at", NOON + _made)
    promise = DEFAULT_PROMISE_S[level]
    values: dict[str, object] = {
        "score": level.band[1] if score is None else score,
        "source": "cboe",
        "symbol": "",
        "freshness": 1,
        "as_of": received_at,
        "deadline_at": None if promise is None else received_at + promise,
    }
    return Job(job_id=name, level=level, received_at=received_at, **{**values, **fields})


def ids(jobs: object) -> list[str]:
    return [j.job_id for j in jobs]  # type: ignore[attr-defined]


async def drain(queue: Queue, levels: tuple[Level, ...] = LEVELS) -> list[str]:
    """Claim and ack until nothing is eligible; the order in which it came."""
    order: list[str] = []
    while claim := await queue.claim("w1", levels, 5.0):
        order.append(claim.job.job_id)
        await queue.ack(claim)
    return order


async def take(queue: Queue, lease_s: float = 5.0, worker: str = "w1") -> Claim:
    claim = await queue.claim(worker, LEVELS, lease_s)
    assert claim is not None
    return claim
