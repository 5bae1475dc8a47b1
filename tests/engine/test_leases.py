"""Two attempts of one job in one engine: what the first one says late is its own word, not the second one's."""

from pathlib import Path

import pytest

from gexdesk.engine.leases import Leases
from gexdesk.model.decision import Freshness
from gexdesk.model.errors import LeaseLost
from gexdesk.model.job import Claim, Job, JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.embedded import EmbeddedQueue
from tests.virtual_clock import VirtualClock

LEASE_S = 5.0


@pytest.fixture
async def queue(tmp_path: Path):
    clock = VirtualClock()
    queue = EmbeddedQueue(tmp_path / "queue.sqlite", clock=clock)
    await queue.open()
    await queue.put([Job("j", "s", "SPX", Level.LOW, 0.1, Freshness.FRESH, clock.now(), clock.now(), None)])
    yield queue
    await queue.close()


async def claimed(queue: EmbeddedQueue, leases: Leases, worker: str) -> Claim:
    claim = await queue.claim(worker, LEVELS, LEASE_S)
    assert claim is not None
    leases.hold(claim)
    return claim


async def test_after_a_standstill_the_first_attempt_cannot_end_the_second_ones_job(queue: EmbeddedQueue) -> None:
    leases = Leases(queue, queue._clock, lease_s=LEASE_S, sweep_s=1.0, on_rescue=lambda _: None)
    first = await claimed(queue, leases, "slot-0")
    queue._clock._now += LEASE_S + 1.0  # the process stood still: nothing was renewed
    assert [job.job_id for job in await queue.rescue()] == ["j"]
    second = await claimed(queue, leases, "slot-1")

    with pytest.raises(LeaseLost):
        await queue.ack(leases.latest(first))
    leases.release(first)
    await leases._renewed(first)
    assert leases.held == 1, "the second attempt is renewed on"
    queue._clock._now += LEASE_S - 1.0
    await leases._renewed(leases.latest(second))
    queue._clock._now += LEASE_S - 1.0
    assert await queue.rescue() == []
    leases.hold_on(first)
    await queue.ack(leases.latest(second))
    leases.release(second)
    assert (await queue.status("j"), leases.held) == (JobStatus.COMPLETED, 0)
