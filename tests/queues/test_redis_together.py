"""What travels together stays apart where it matters: order, parcels, faults, leases, and who is woken."""

import asyncio
from collections.abc import Sequence

from gexdesk.model.errors import LeaseLost, QueueError
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.redis import RedisQueue
from gexdesk.queues.redis_puts import INLINE_BYTES
from tests.contracts.queue_setting import drain, ids, job, take
from tests.queues.redis_setting import RedisSetting
from tests.until import until

C, H, L = Level.CRITICAL, Level.HIGH, Level.LOW


async def taken(queue: RedisQueue, most: int, levels: Sequence[Level] = LEVELS) -> list[str]:
    return [claim.job.job_id for claim in await queue.claims("w", levels, 5.0, most=most)]


def calls(queue: RedisQueue) -> int:
    return queue._line._number


async def test_ready_jobs_are_taken_in_order_up_to_the_first_that_is_not(queue: RedisQueue) -> None:
    await queue.put([job("low", L, 0.1), job("high", H, 0.8)], [b"1", b"2"], ready=True)
    await queue.put([job("heavy", H, 0.7)], [b"3"])
    await queue.put([job("critical", C, 0.9)], [b"4"], ready=True)
    assert await taken(queue, 9) == ["critical", "high", "heavy"]
    assert await taken(queue, 9) == ["low"]


async def test_no_more_are_taken_than_asked_for(queue: RedisQueue) -> None:
    await queue.put([job(name, H, 0.8) for name in "abc"], [b"x"] * 3, ready=True)
    assert await taken(queue, 2) == ["a", "b"]
    assert await taken(queue, 2) == ["c"]


async def test_what_is_ready_for_one_engine_is_not_for_another_nor_twice(setting: RedisSetting, queue: RedisQueue) -> None:
    other = await setting.open("two")
    await queue.put([job(name, H, 0.8) for name in "abc"], [b"x"] * 3, ready=True)
    assert await taken(other, 9) == ["a"]
    first = (await queue.claims("w", LEVELS, 5.0, most=1))[0]
    await queue.retry(first, 0.0, "again")  # its results were used up
    assert await taken(queue, 9) == ["b"]
    assert await taken(queue, 9) == ["c"]
    await other.close()


async def test_a_claim_says_whether_a_stricter_job_was_passed_over(queue: RedisQueue) -> None:
    await queue.put([job("critical", C, 0.9), job("low", L, 0.1), job("held", H, 0.8, source="held")])
    passed = (await queue.claims("w", (L,), 5.0))[0]
    assert (passed.job.job_id, passed.passed_over) == ("low", True)
    assert (await take(queue)).passed_over is False
    await queue.pause("held")
    await queue.put([job("low-2", L, 0.1)])
    assert (await take(queue)).passed_over is False  # what is held could not have been claimed


async def test_a_job_that_cannot_be_read_does_not_take_those_before_it_along(setting: RedisSetting, queue: RedisQueue) -> None:
    await queue.put([job("a", H, 0.9), job("b", H, 0.8, source="other")], [b"x", b"y"], ready=True)
    setting.blunt.delete(f"{setting.keys}age:1:other")
    setting.blunt.set(f"{setting.keys}age:1:other", "of another type")
    assert await taken(queue, 9) == ["a"]
    assert (await setting.state(queue)).levels[H].processing == 1


async def test_what_is_put_at_once_travels_in_one_step_with_its_own_parcels(queue: RedisQueue) -> None:
    large = b"l" * (INLINE_BYTES + 1)
    parcels = {"a": b"of a", "b": large, "c": b"", "d": b"of d"}
    before = calls(queue)
    await asyncio.gather(*(queue.put([job(name, H, 0.8)], [parcels[name]]) for name in "acd"), queue.put([job("none", L)]))
    await queue.put([job("e", H, 0.8), job("b", H, 0.8)], [b"of e", large])
    assert calls(queue) - before <= 3
    for name in "abcd":
        assert await queue.parcel(name) == parcels[name]
    assert await queue.parcel("e") == b"of e"
    assert await queue.parcel("none") is None


async def test_a_put_that_fails_in_company_fails_alone(setting: RedisSetting, queue: RedisQueue) -> None:
    setting.blunt.set(f"{setting.keys}lane:1:spoiled", "of another type")
    found = await asyncio.gather(
        queue.put([job("a", H, 0.9)], [b"of a"]), queue.put([job("bad", H, 0.8, source="spoiled")], [b"x"]),
        queue.put([job("c", H, 0.7)], [b"of c"]), return_exceptions=True,
    )  # fmt: skip
    assert [type(one) for one in found] == [type(None), QueueError, type(None)]
    assert await drain(queue) == ["a", "c"]
    assert await queue.status("bad") is None


async def test_a_parcel_that_was_lost_is_back_when_its_job_is_put_again(setting: RedisSetting, queue: RedisQueue) -> None:
    await queue.put([job("a", H, 0.9)], [b"of a"])
    setting.blunt.delete(f"{setting.keys}parcel:a")
    await queue.put([job("a", H, 0.9)], [b"of a"])
    assert await queue.parcel("a") == b"of a"
    assert ids(await queue.peek(9)) == ["a"]


async def test_ends_and_renewals_go_in_one_step_and_a_lost_claim_is_told_to_its_holder_alone(
    setting: RedisSetting, queue: RedisQueue
) -> None:
    await queue.put([job(str(number), H, 0.8) for number in range(300)])
    claims = await asyncio.gather(*(take(queue) for _ in range(300)))
    before = calls(queue)
    renewed = await asyncio.gather(*(queue.heartbeat(claim, 60.0) for claim in claims))
    assert calls(queue) - before <= 3
    assert {one.lease_until for one in renewed} == {setting.now() + 60.0}
    await queue.retry(claims[7], 0.0, "x")
    before = calls(queue)
    told = await asyncio.gather(*(queue.ack(claim) for claim in claims), return_exceptions=True)
    assert calls(queue) - before <= 3
    assert [at for at, one in enumerate(told) if one is not None] == [7]
    assert isinstance(told[7], LeaseLost)
    assert await queue.statuses(["6", "7", "8"]) == [JobStatus.COMPLETED, JobStatus.QUEUED, JobStatus.COMPLETED]


async def test_the_reserve_sleeps_on_when_a_job_comes_that_it_may_not_take(queue: RedisQueue) -> None:
    sleeper = asyncio.create_task(queue.wait((C,), 60.0, reserved=True))
    await until(lambda: len(queue._waiters) == 1)
    anybody = asyncio.create_task(queue.wait(LEVELS, 60.0))
    await until(lambda: len(queue._waiters) == 2)
    await queue.refresh()
    await queue.put([job("low", L)])
    await asyncio.wait_for(anybody, 5.0)
    await queue.refresh()
    assert not sleeper.done()
    await queue.put([job("critical", C)])
    await asyncio.wait_for(sleeper, 5.0)


async def test_the_reserve_of_another_engine_hears_of_critical(setting: RedisSetting, queue: RedisQueue) -> None:
    other = await setting.open("two")
    sleeper = asyncio.create_task(other.wait((C,), 60.0, reserved=True))
    await until(lambda: len(other._waiters) == 1)
    await other.refresh()
    await queue.put([job("critical", C)])
    await asyncio.wait_for(sleeper, 5.0)
    await other.close()


async def test_a_call_that_only_looked_writes_nothing(setting: RedisSetting, queue: RedisQueue) -> None:
    await queue.put([job("a", L)])
    before = setting.blunt.info("persistence")["rdb_changes_since_last_save"]
    assert await queue.claims("w", (C,), 5.0) == []
    await queue.peek(3)
    await queue.statuses(["a"])
    assert setting.blunt.info("persistence")["rdb_changes_since_last_save"] == before
