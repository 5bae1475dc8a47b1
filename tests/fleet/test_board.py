"""Engines meet on a real server: each unit has one owner, what is set is set against what was seen, and bytes come first once."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from gexdesk.fleet.board import Board
from gexdesk.fleet.told import Entry
from gexdesk.model.errors import QueueAway
from gexdesk.queues.redis_client import redis_client
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

UNITS = ["u1", "u2", "u3", "u4"]
LEASE_S = 0.4


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.close()


@pytest.fixture
async def boards(server: ValkeyServer) -> AsyncIterator[list[Board]]:
    prefix, client = secrets.token_hex(4), server.client()
    yield [Board(client, prefix=prefix, engine=name) for name in ("a", "b", "c")]
    await client.aclose()


async def beat(board: Board, *given: str, wanted: list[str] = UNITS) -> frozenset[str]:
    return (await board.beat(board.engine.encode(), wanted, given, LEASE_S)).own


def entry(value: object, actor: str = "jm") -> Entry:
    return Entry(msgspec.Raw(msgspec.msgpack.encode(value)), actor, "host", 1.0)


async def test_no_unit_has_two_owners_and_a_newcomer_takes_nothing_away(boards: list[Board]) -> None:
    a, b, _ = boards
    assert await beat(a) == set(UNITS)
    assert await beat(b) == frozenset()
    assert await beat(a) == set(UNITS)
    told = await b.beat(b"", UNITS, (), LEASE_S)
    assert (told.most, set(told.owners.values())) == (2, {"a"})


async def test_what_is_given_up_goes_to_the_others_and_not_back(boards: list[Board]) -> None:
    a, b, _ = boards
    await beat(a)
    await beat(b)
    assert await beat(a, "u3", "u4") == {"u1", "u2"}
    assert await beat(b) == {"u3", "u4"}
    assert await beat(a) == {"u1", "u2"}


async def test_a_silent_engine_loses_its_units_within_a_lease_and_learns_so(boards: list[Board]) -> None:
    a, b, _ = boards
    await beat(a)
    await beat(b)

    async def b_has_all() -> bool:
        return await beat(b) == set(UNITS)

    began = asyncio.get_running_loop().time()
    await until(b_has_all)
    assert LEASE_S / 2 < asyncio.get_running_loop().time() - began < 4 * LEASE_S
    told = await a.beat(b"", UNITS, (), LEASE_S)
    assert (told.own, set(told.owners.values())) == (frozenset(), {"b"})


async def test_who_had_a_unit_before_is_told(boards: list[Board]) -> None:
    a, b, _ = boards
    await beat(a)
    await asyncio.sleep(LEASE_S * 1.5)
    told = await b.beat(b"", UNITS, (), LEASE_S)
    assert dict(told.took) == dict.fromkeys(UNITS, "a")
    assert {one.engine: one.silent_s > LEASE_S for one in told.engines} == {"a": True, "b": False}


async def test_an_engine_that_ends_as_asked_is_missed_by_nobody(boards: list[Board]) -> None:
    a, b, _ = boards
    await beat(a)
    await a.leave()
    told = await b.beat(b"", UNITS, (), LEASE_S)
    assert told.own == set(UNITS)
    assert [one.engine for one in told.engines] == ["b"]


async def test_a_unit_that_only_one_can_run_is_not_left_to_a_fair_share(boards: list[Board]) -> None:
    a, b, _ = boards
    await beat(b, wanted=["u1"])
    assert "u4" not in (first := await beat(a, wanted=["u2", "u3", "u4"])) or len(first) == 2

    async def a_has_all() -> bool:
        await beat(b, wanted=["u1"])
        return await beat(a, wanted=["u2", "u3", "u4"]) == {"u2", "u3", "u4"}

    await until(a_has_all)


async def test_of_two_who_act_on_what_they_saw_the_second_is_refused(boards: list[Board]) -> None:
    a, b, _ = boards
    version, other = await a.put("pause x", entry({"by": "a"}), 0)
    assert other is None
    refused = await b.put("pause x", entry({"by": "b"}, "kl"), 0)
    assert refused[0] == version
    assert refused[1] is not None
    assert refused[1].actor == "jm"
    again, other = await b.put("pause x", entry(None, "kl"), version)
    assert (again > version, other) == (True, None)
    posted = await a.read()
    there = posted.entries["pause x"]
    assert (posted.version, there.actor, there.version) == (again, "kl", again)


async def test_what_was_ended_is_forgotten_unless_somebody_set_it_since(boards: list[Board]) -> None:
    a, b, _ = boards
    known = {name: (await a.put(name, entry(None), 0))[0] for name in ("pause x", "pause y")}
    await b.put("pause y", entry({"by": "b"}), known["pause y"])
    await a.forget(known)
    await a.forget({})
    assert set((await a.read()).entries) == {"pause y"}


async def test_a_board_keeps_its_mark_until_it_is_wiped_or_marked_anew(boards: list[Board], server: ValkeyServer) -> None:
    a, b, _ = boards
    birth = (await a.read()).birth
    await a.put("pause x", entry(1), 0)
    assert birth
    assert (await b.read()).birth == (await b.beat(b"", UNITS, (), LEASE_S)).birth == birth
    renewed = await a.renew(birth)
    assert renewed != birth
    assert await b.renew(birth) == (await b.read()).birth == renewed, "of two who found the same loss the second changes nothing"
    server.blunt().flushall()
    assert (await b.beat(b"", UNITS, (), LEASE_S)).birth == ""
    assert (await b.read()).birth not in ("", birth, renewed)


async def test_whoever_sets_something_is_heard_by_the_others(boards: list[Board]) -> None:
    a, b, _ = boards
    news = b.news()
    await anext(news)  # the subscription stands
    hearing = asyncio.ensure_future(anext(news))
    await a.put("stopped ", entry(1), 0)
    async with asyncio.timeout(1.0):
        await hearing
    await news.aclose()  # type: ignore[attr-defined]


async def test_bytes_are_the_job_of_whoever_brings_them_first(boards: list[Board]) -> None:
    a, b, _ = boards
    assert await a.first("d1", "job-a") == "job-a"
    assert await b.first("d1", "job-b") == "job-a"
    assert await a.first("d1", "job-a") == "job-a"
    assert await b.first("d2", "job-b") == "job-b"


async def test_a_server_that_is_gone_is_said_to_be_away() -> None:
    server = ValkeyServer()
    client = server.client()
    server.close()
    with pytest.raises(QueueAway, match="does not answer"):
        await Board(client, prefix="x", engine="a").beat(b"", UNITS, (), LEASE_S)
    await client.aclose()


async def test_a_server_that_hangs_is_waited_for_once_and_then_shortly_until_it_answers() -> None:
    server = ValkeyServer()
    client = server.client()
    board = Board(client, prefix="x", engine="a")
    try:
        await board.read()
        server.freeze()
        took = []
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(QueueAway):
                await board.read()
            took.append(time.monotonic() - began)
        assert took[0] > 1.5
        assert took[1] < 1.0
        server.thaw()
        await board.beat(b"", (), (), LEASE_S)
        asyncio.get_running_loop().call_later(0.8, server.thaw)
        server.freeze()
        await board.read()
    finally:
        server.close()
        await client.aclose()


async def test_a_loop_that_is_told_to_end_ends_at_whatever_moment_it_is_told(server: ValkeyServer) -> None:
    """Python 3.11 loses a cancellation that comes as ``asyncio.wait_for`` has its answer, which redis-py uses for a timeout."""
    client = redis_client(server.url)
    board = Board(client, prefix=secrets.token_hex(4), engine="a")
    await beat(board)

    async def beats() -> None:
        while True:
            await beat(board)

    try:
        for turns in range(120):
            loop = asyncio.create_task(beats())
            for _ in range(turns):
                await asyncio.sleep(0)
            loop.cancel()
            await asyncio.wait([loop], timeout=1.0)
            assert loop.cancelled(), f"told after {turns} turns of the loop, it went on"
    finally:
        await client.aclose()
