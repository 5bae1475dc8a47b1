"""Whatever happens to the server or the way to it, a queue goes on by itself, and nothing is lost, done twice or left unsaid."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest

from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import QueueAway, QueueError
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.redis import RedisQueue
from tests.contracts.queue_setting import ids, job
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

H = Level.HIGH


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.close()


@pytest.fixture
async def queue(server: ValkeyServer) -> AsyncIterator[RedisQueue]:
    client = server.client()
    queue = RedisQueue(client, prefix="p", engine="e", clock=SystemClock(), patience_s=8.0)
    await queue.open()
    yield queue
    await queue.close()
    await client.aclose()


async def test_a_restart_of_the_server_is_survived(server: ValkeyServer, queue: RedisQueue) -> None:
    await queue.put([job("a")])
    server.kill()
    putting = asyncio.ensure_future(queue.put([job("b")]))
    await until(lambda: queue.away)
    assert "does not answer since" in queue.warning
    server.start()
    await putting
    assert "does not answer" not in queue.warning
    assert ids(await queue.peek(9)) == ["a", "b"]
    assert queue.losses == 0


async def test_a_lost_library_is_loaded_again(server: ValkeyServer, queue: RedisQueue) -> None:
    await queue.put([job("a")])
    server.blunt().function_flush()
    await queue.put([job("b")])
    assert ids(await queue.peek(9)) == ["a", "b"]


async def test_killed_connections_are_made_again(server: ValkeyServer, queue: RedisQueue) -> None:
    blunt = server.blunt()
    for at in range(5):
        blunt.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        blunt.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await queue.put([job(f"j{at}", H, 0.8)])
    assert ids(await queue.peek(9)) == [f"j{at}" for at in range(5)]


async def test_a_call_whose_answer_was_lost_is_answered_not_done_again(server: ValkeyServer, queue: RedisQueue) -> None:
    await queue.put([job("a"), job("b")])
    exchange, lost = queue._line._exchange, 0

    async def deaf(function: str, body: Sequence[bytes]) -> bytes:
        nonlocal lost
        answer = await exchange(function, body)
        if b"claim" in body[0] and not lost:
            lost += 1
            raise ConnectionResetError("the answer was lost")
        return answer

    queue._line._exchange = deaf  # type: ignore[method-assign]
    claim = await queue.claim("w", LEVELS, 30.0)
    assert lost == 1
    assert claim is not None
    assert (claim.job.job_id, claim.job.attempt) == ("a", 1)
    await queue.refresh()
    assert sum(depth.processing for depth in queue.state().levels.values()) == 1


async def test_a_claim_that_was_given_up_unanswered_comes_back_at_once(queue: RedisQueue) -> None:
    await queue.put([job("a")])
    exchange, cut = queue._line._exchange, True

    async def deaf(function: str, body: Sequence[bytes]) -> bytes:
        answer = await exchange(function, body)
        if cut:
            raise ConnectionResetError("the answer was lost")
        return answer

    queue._line._exchange = deaf  # type: ignore[method-assign]
    with pytest.raises(QueueAway):
        await queue.claim("w", LEVELS, 3600.0, patience_s=0)
    cut = False
    await until(lambda: not queue.away)
    await until(lambda: _is_claimed_first(queue))


async def _is_claimed_first(queue: RedisQueue) -> bool:
    claim = await queue.claim("w", LEVELS, 3600.0)
    return claim is not None and claim.job.attempt == 1


async def test_a_server_that_hangs_is_taken_for_away_and_its_late_work_counts_once(server: ValkeyServer, queue: RedisQueue) -> None:
    server.freeze()
    began = time.monotonic()
    with pytest.raises(QueueAway, match="no answer in time"):
        await queue.put([job("a")], patience_s=0)
    assert time.monotonic() - began < 4.0
    server.thaw()
    await queue.put([job("a"), job("b")])
    assert ids(await queue.peek(9)) == ["a", "b"]


async def test_an_operator_waits_for_a_server_that_hangs_three_seconds_at_most_and_then_not_at_all(
    server: ValkeyServer, queue: RedisQueue
) -> None:
    await queue.put([job("a"), job("b")])
    server.freeze()
    acts = [
        queue.relevel(["a"], H, 0.8, None, "n"), queue.cancel(["b"], "n"), queue.revive(["b"]), queue.peek(1), queue.position("a"),
        queue.jobs_of("cboe"), queue.status("a"),
    ]  # fmt: skip
    began = time.monotonic()
    answers = await asyncio.gather(*acts, return_exceptions=True)
    assert [type(answer) for answer in answers] == [QueueAway] * len(acts)
    assert time.monotonic() - began < 3.0
    began = time.monotonic()
    with pytest.raises(QueueAway):
        await queue.jobs_of("cboe")
    assert time.monotonic() - began < 0.5
    server.thaw()
    await until(lambda: not queue.away)
    assert len(await queue.jobs_of("cboe")) in (1, 2)


async def test_an_operator_who_comes_just_before_a_hang_is_noticed_waits_no_longer(
    server: ValkeyServer, queue: RedisQueue
) -> None:
    server.freeze()
    looking = asyncio.ensure_future(queue.refresh())
    await asyncio.sleep(1.7)
    assert not queue.away
    began = time.monotonic()
    with pytest.raises(QueueAway):
        await queue.jobs_of("cboe")
    assert time.monotonic() - began < 2.7
    server.thaw()
    await looking


async def test_an_operator_is_not_refused_for_a_connection_that_is_made_anew(server: ValkeyServer, queue: RedisQueue) -> None:
    await queue.put([job("a")])
    for _ in range(5):
        server.blunt().execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert ids(await queue.jobs_of("cboe")) == ["a"]


async def test_a_replica_takes_no_jobs_until_it_is_master_again(server: ValkeyServer, queue: RedisQueue) -> None:
    blunt = server.blunt()
    blunt.execute_command("REPLICAOF", "127.0.0.1", "1")
    putting = asyncio.ensure_future(queue.put([job("a")]))
    await until(lambda: queue.away)
    assert "read only replica" in queue.warning
    blunt.execute_command("REPLICAOF", "NO", "ONE")
    await putting
    assert ids(await queue.peek(9)) == ["a"]


async def _full(server: ValkeyServer) -> Callable[[], object]:
    blunt = server.blunt()
    blunt.config_set("maxmemory", "1mb")
    return lambda: blunt.config_set("maxmemory", "0")


async def test_a_full_server_takes_no_jobs_but_gives_and_ends_them(server: ValkeyServer, queue: RedisQueue) -> None:
    await queue.put([job("a")])
    relieve = await _full(server)
    with pytest.raises(QueueAway, match="OutOfMemory"):
        await queue.put([job("b")], patience_s=0)
    claim = await queue.claim("w", LEVELS, 30.0)
    assert claim is not None
    await queue.ack(claim)
    relieve()
    await queue.put([job("b")])
    assert ids(await queue.peek(9)) == ["b"]


async def test_a_flushed_server_is_told_and_a_pause_is_kept(server: ValkeyServer, queue: RedisQueue) -> None:
    await queue.put([job("a"), job("b")])
    await queue.pause("yahoo")
    await queue.refresh()
    server.blunt().flushall()
    await queue.put([job("c"), job("held", source="yahoo")])
    assert "lost the whole queue" in queue.warning
    assert "about 2 jobs" in queue.warning
    assert ids(await queue.peek(9)) == ["c"]


async def test_a_server_that_comes_back_empty_is_told(server: ValkeyServer, queue: RedisQueue) -> None:
    await queue.put([job("a")])
    server.kill()
    for path in (server.folder / "appendonlydir").iterdir():
        path.unlink()
    server.start()
    await queue.put([job("b")])
    assert "lost the whole queue" in queue.warning


async def test_a_server_that_comes_back_with_an_older_file_is_told_once_and_holds_what_was_held_last(
    server: ValkeyServer, queue: RedisQueue
) -> None:
    await queue.put([job("a", source="cboe"), job("b", source="yahoo"), job("c", source="vendor")])
    await queue.pause("yahoo")
    await queue.stop_all(True)
    copy = server.keep()
    await queue.put([job("lost", source="cboe")])
    await queue.resume("yahoo")
    await queue.pause("cboe")
    await queue.stop_all(False)
    await queue.refresh()
    server.start_from(copy)
    await until(lambda: queue.losses)
    assert "older" in queue.warning
    assert await queue.statuses(["a", "lost"]) == [JobStatus.QUEUED, None]
    await queue.refresh()
    assert (queue.state().paused, queue.state().stopped) == (frozenset({"cboe"}), False)
    assert {one.job_id for one in await queue.peek(9)} == {"b", "c"}
    server.start_from(server.keep())
    await queue.put([job("d")])
    assert queue.losses == 1


async def test_a_client_that_only_listens_notices_an_older_file(server: ValkeyServer, queue: RedisQueue) -> None:
    copy, blunt = server.keep(), server.blunt()
    [name] = blunt.keys("*said*")
    said = blunt.get(name)
    queue.events()
    await until(lambda: blunt.get(name) != said)
    server.start_from(copy)
    await until(lambda: queue.losses == 1)


async def test_a_busy_server_is_waited_for(server: ValkeyServer, queue: RedisQueue) -> None:
    blunt = server.blunt()
    blunt.config_set("busy-reply-threshold", 20)
    busy = asyncio.to_thread(_spin, server)
    spinning = asyncio.ensure_future(busy)
    await asyncio.sleep(0.1)
    await queue.put([job("a")])
    await spinning
    assert ids(await queue.peek(9)) == ["a"]


def _spin(server: ValkeyServer) -> None:
    server.blunt().eval("local t=redis.call('TIME') local e=t[1]+0.6+t[2]/1e6 repeat t=redis.call('TIME') until t[1]+t[2]/1e6>e", 0)


async def test_two_engines_never_get_one_job(server: ValkeyServer, queue: RedisQueue) -> None:
    client = server.client()
    other = RedisQueue(client, prefix="p", engine="other", clock=SystemClock())
    await other.open()
    await queue.put([job(f"j{at:03d}", H, 0.8) for at in range(200)])

    async def drain(mine: RedisQueue) -> list[str]:
        got: list[str] = []
        while claim := await mine.claim("w", LEVELS, 30.0):
            got.append(claim.job.job_id)
            await mine.ack(claim)
        return got

    first, second = await asyncio.gather(drain(queue), drain(other))
    assert sorted(first + second) == [f"j{at:03d}" for at in range(200)]
    assert first
    assert second
    waiting = asyncio.ensure_future(other.wait(LEVELS, 5.0))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await queue.put([job("late")])
    await waiting
    assert time.monotonic() - began < 1.0
    await other.close()
    await client.aclose()


async def test_an_engine_leaves_alone_what_another_one_holds(server: ValkeyServer, queue: RedisQueue) -> None:
    await queue.put([job("a")])
    claim = await queue.claim("w", LEVELS, 30.0)
    assert claim is not None
    client = server.client()
    other = RedisQueue(client, prefix="p", engine="other", clock=SystemClock())
    await other.open()
    assert await other.claim("w", LEVELS, 30.0) is None
    await other.close()
    await client.aclose()
    await queue.ack(claim)


async def test_a_closed_queue_refuses(server: ValkeyServer) -> None:
    client = server.client()
    queue = RedisQueue(client, prefix="p", engine="e", clock=SystemClock())
    await queue.open()
    await queue.close()
    with pytest.raises(QueueError, match="closed"):
        await queue.put([job("a")])
    await client.aclose()


