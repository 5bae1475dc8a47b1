"""What somebody else broke under the queue's keys ends in a named fault, never in a silent loss or a stuck queue."""

import math

import pytest

from gexdesk.model.errors import QueueError
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.redis import RedisQueue
from tests.contracts.queue_setting import drain, ids, job, take
from tests.queues.redis_setting import RedisSetting

H = Level.HIGH


async def test_a_job_whose_record_is_gone_becomes_a_dead_letter(setting: RedisSetting, queue: RedisQueue) -> None:
    await queue.put([job("lost", H, 0.8), job("next", H, 0.7)])
    setting.blunt.hdel(f"{setting.keys}jobs", "lost")
    assert await drain(queue) == ["next"]
    assert await queue.status("lost") is JobStatus.DEAD
    assert "job lost" in queue.warning
    assert "its record in Redis is missing" in queue.warning
    assert (await setting.state(queue)).by_source == {}


@pytest.mark.parametrize("record", [b"", b"\0", b"no msgpack", b"\x93\1\2\3", b"\x80\4\x95(cposix\nsystem\n", b"\xc1" * 40])
async def test_a_record_that_cannot_be_read_becomes_a_dead_letter(setting: RedisSetting, queue: RedisQueue, record: bytes) -> None:
    await queue.put([job("bad", H, 0.8), job("next", H, 0.7)])
    setting.blunt.hset(f"{setting.keys}jobs", "bad", record)
    assert await drain(queue) == ["next"]
    assert await queue.status("bad") is JobStatus.DEAD
    assert "cannot be read" in queue.warning
    assert await queue.revive(["bad"]) == 0


@pytest.mark.parametrize("member", [b"", b"\x00\n\x1b[31m", b"x" * 60, b"\xff" * 100])
@pytest.mark.parametrize("score", [0, -1e300, float("-inf"), 2.0**60])
async def test_a_foreign_head_is_removed_and_told(setting: RedisSetting, queue: RedisQueue, member: bytes, score: float) -> None:
    await queue.put([job("mine", H)])
    setting.blunt.zadd(f"{setting.keys}heads:1", {member: score})
    setting.blunt.zadd(f"{setting.keys}lane:1:cboe", {member: score})
    assert await drain(queue) == ["mine"]
    if setting.blunt.zcard(f"{setting.keys}heads:1"):  # it stood behind every job
        assert await queue.claim("w", LEVELS, 5.0) is None
    assert queue.warning
    assert "\x1b" not in queue.warning


async def test_a_key_of_another_type_is_named_and_nothing_is_half_done(setting: RedisSetting, queue: RedisQueue) -> None:
    setting.blunt.set(f"{setting.keys}lane:1:cboe", "another program's")
    with pytest.raises(QueueError, match="Choose another"):
        await queue.put([job("a", H)])
    setting.blunt.delete(f"{setting.keys}lane:1:cboe")
    await queue.put([job("a", H)])
    assert ids(await queue.peek(9)) == ["a"]


@pytest.mark.parametrize("key", ["jobs", "heads:1", "delayed", "done", "sources", "lease:1", "held"])
async def test_every_act_on_a_broken_key_says_so(setting: RedisSetting, queue: RedisQueue, key: str) -> None:
    await queue.put([job("a", H), job("b", H)])
    await queue.retry(await take(queue), 60.0, "x")
    setting.blunt.delete(f"{setting.keys}{key}")
    setting.blunt.lpush(f"{setting.keys}{key}", "another program's")
    said = []
    for act in (lambda: queue.claim("w", LEVELS, 5.0), lambda: queue.put([job("c", H)]), queue.refresh, queue.rescue):
        try:
            await act()
        except QueueError as error:
            said.append(error.message)
    assert said
    assert all("WRONGTYPE" in words and "Choose another [redis] prefix" in words for words in said)


async def test_indexes_that_were_deleted_are_made_again_at_the_next_start(setting: RedisSetting, queue: RedisQueue) -> None:
    at = {"received_at": 1.0}
    await queue.put([job(f"j{n}", level, 0.5, source=f"s{n % 3}", **at) for n, level in enumerate(LEVELS * 3)])
    await queue.put([job("spx1", H, symbol="SPX", as_of=1.0), job("spx2", H, symbol="SPX", as_of=2.0)])
    await queue.retry(await take(queue), 60.0, "x")
    before, state = await queue.peek(99), await setting.state(queue)
    await queue.close()
    for pattern in ("lane:*", "heads:*", "age:*", "chain:*", "delayed", "delays", "sources"):
        for key in setting.blunt.keys(f"{setting.keys}{pattern}"):
            setting.blunt.delete(key)
    again = await setting.open()
    assert await again.peek(99) == before
    assert "places were made again" in again.warning
    found = await setting.state(again)
    assert (found.levels, found.by_source) == (state.levels, state.by_source)
    assert await drain(again) == ids(before)
    await again.close()


async def test_foreign_members_of_a_lane_are_weeded_at_the_next_start(setting: RedisSetting, queue: RedisQueue) -> None:
    await queue.put([job("a", H)])
    await queue.close()
    setting.blunt.zadd(f"{setting.keys}lane:1:cboe", {b"z" * 60: 0, b"\x01short": 0})
    again = await setting.open()
    assert "2 foreign ones removed" in again.warning
    assert (await setting.state(again)).by_source == {"cboe": 1}
    assert await drain(again) == ["a"]
    await again.close()


async def test_a_parcel_that_is_gone_is_told_from_none(setting: RedisSetting, queue: RedisQueue) -> None:
    await queue.put([job("with", H)], [b"\x80\x04pickled"])
    await queue.put([job("without", H)])
    assert await queue.parcel("with") == b"\x80\x04pickled"  # bytes are bytes: nothing looks into them
    assert await queue.parcel("without") is None
    assert await queue.parcel("unknown") is None
    setting.blunt.delete(f"{setting.keys}parcel:with")
    with pytest.raises(QueueError, match="payload of job with is gone"):
        await queue.parcel("with")


async def test_a_parcel_whose_job_never_came_deletes_itself_and_one_with_a_job_does_not(
    setting: RedisSetting, queue: RedisQueue
) -> None:
    await queue._puts._send("orphan", b"x", None)
    assert 0 < setting.blunt.ttl(f"{setting.keys}parcel:orphan") <= 900
    await queue.put([job("orphan", H)], [b"x"])
    assert setting.blunt.ttl(f"{setting.keys}parcel:orphan") == -1
    await queue.put([job("orphan", H)], [b"x"])
    assert setting.blunt.ttl(f"{setting.keys}parcel:orphan") == -1
    await queue.ack(await take(queue))
    assert setting.blunt.exists(f"{setting.keys}parcel:orphan") == 0


async def test_a_number_without_a_place_is_refused_before_anything_is_sent(queue: RedisQueue) -> None:
    for fields in ({"freshness": 99}, {"freshness": -1}, {"deadline_at": float("inf")}, {"received_at": float("nan")}):
        with pytest.raises(QueueError, match="place"):
            await queue.put([job("fine"), job("odd", **fields)])
    assert await queue.peek(9) == []


async def test_scores_apart_by_one_bit_keep_their_order(queue: RedisQueue) -> None:
    up, scores = 0.8, []
    for _ in range(6):
        scores.append(up)
        up = math.nextafter(up, 1.0)
    far = 2.0**53
    await queue.put([job(f"s{n}", H, score) for n, score in enumerate(scores)])
    late = [job(f"d{n}", Level.LOW, 0.0, deadline_at=far + 2 * n) for n in range(4)]
    await queue.put(late[::-1])
    negative = [job("m1", Level.MEDIUM, -0.5), job("m0", Level.MEDIUM, 0.0), job("mz", Level.MEDIUM, -0.0)]
    await queue.put(negative)
    order = ids(await queue.peek(99))
    assert order == ["s5", "s4", "s3", "s2", "s1", "s0", "m0", "mz", "m1", "d0", "d1", "d2", "d3"]


async def test_a_stopped_worker_that_comes_back_late_is_refused(setting: RedisSetting, queue: RedisQueue) -> None:
    await queue.put([job("j", H)])
    other = await setting.open("other")
    late = await other.claim("w", LEVELS, 5.0)
    assert late is not None
    await setting.pass_time(5.5)
    assert ids(await queue.rescue()) == ["j"]
    again = await take(queue)
    with pytest.raises(QueueError, match="drop the result"):
        await other.ack(late)
    await queue.ack(again)
    await other.close()
    assert await queue.status("j") is JobStatus.COMPLETED
