"""Leaving a failing server alone, and one question at a time whether it is back."""

import asyncio

import pytest

from gexdesk.sources.base import BreakerMoved
from gexdesk.sources.breaker import FAILURES_TO_OPEN, Breaker, BreakerOpen
from tests.virtual_clock import VirtualClock


class Server:
    """Count what comes through, and answer when a test says so."""

    def __init__(self, clock: VirtualClock) -> None:
        self.breaker = Breaker(clock, lambda: 0.0)
        self.told: list[BreakerMoved] = []
        self.breaker.tell(self.told.append)
        self.inside = 0
        self.asked = 0
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask(self) -> None:
        with self.breaker.attempt():
            self.asked += 1
            self.inside += 1
            try:
                await asyncio.shield(self.answer)
            finally:
                self.inside -= 1

    async def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(OSError, match="down"), self.breaker.attempt():
                raise OSError("down")


    async def breaker_rests(self, clock: VirtualClock, seconds: float) -> None:
        resting = asyncio.create_task(self.breaker.rest(0.0))
        await clock.advance(seconds)
        assert await resting == 0.0


@pytest.fixture
async def clock() -> VirtualClock:
    return VirtualClock()


async def test_opens_at_the_fifth_failure_in_a_row_only(clock: VirtualClock) -> None:
    server = Server(clock)
    await server.fail(FAILURES_TO_OPEN - 1)
    with server.breaker.attempt():
        pass
    await server.fail(FAILURES_TO_OPEN - 1)
    assert server.breaker.state == "closed"
    assert server.told == []
    await server.fail(1)
    assert server.told == [BreakerMoved("open", clock.now() + 30.0)]
    assert server.breaker.wait_s == 30.0
    with pytest.raises(BreakerOpen) as turned_away, server.breaker.attempt():
        raise AssertionError("let through")
    assert turned_away.value.wait_s == 30.0


async def test_exactly_one_of_many_is_the_probe(clock: VirtualClock) -> None:
    server = Server(clock)
    await server.fail(5)
    await clock.advance(30.0)
    results = asyncio.gather(*(server.ask() for _ in range(50)), return_exceptions=True)
    await clock.settle()
    assert (server.asked, server.inside) == (1, 1)
    assert server.breaker.state == "half_open"
    assert server.breaker.probe_at is None
    server.answer.set_result(None)
    found = await results
    assert sum(isinstance(result, BreakerOpen) for result in found) == 49
    assert server.breaker.state == "closed"
    await asyncio.gather(*(server.ask() for _ in range(50)))
    assert server.asked == 51


async def test_a_cancelled_probe_leaves_the_next_one_free_at_once(clock: VirtualClock) -> None:
    server = Server(clock)
    await server.fail(5)
    await clock.advance(30.0)
    for number in range(1, 4):
        probe = asyncio.create_task(server.ask())
        await clock.settle()
        assert (server.asked, server.inside) == (number, 1)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert server.breaker.state == "open"
        assert server.breaker.wait_s == 0.0
    server.answer.set_result(None)
    await server.ask()
    assert server.breaker.state == "closed"


async def test_a_failed_probe_waits_twice_as_long_up_to_five_minutes_and_success_begins_anew(clock: VirtualClock) -> None:
    server = Server(clock)
    await server.fail(5)
    waits = []
    for _ in range(6):
        waits.append(server.breaker.wait_s)
        await clock.advance(server.breaker.wait_s)
        await server.fail(1)
    assert waits == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]
    await clock.advance(300.0)
    server.answer.set_result(None)
    await server.ask()
    await server.fail(5)
    assert server.breaker.wait_s == 30.0


async def test_a_try_from_before_the_opening_neither_closes_nor_reopens_it(clock: VirtualClock) -> None:
    server = Server(clock)
    early, late = asyncio.create_task(server.ask()), asyncio.create_task(server.ask())
    await clock.settle()
    await server.fail(5)
    server.answer.set_result(None)
    await early
    assert server.breaker.state == "open"
    await late
    probe_at = server.breaker.probe_at
    await clock.advance(10.0)
    assert server.breaker.probe_at == probe_at
    assert [moved.state for moved in server.told] == ["open"]


async def test_a_new_listener_hears_where_it_stands(clock: VirtualClock) -> None:
    server = Server(clock)
    await server.fail(5)
    told: list[BreakerMoved] = []
    server.breaker.tell(told.append)
    assert told == [BreakerMoved("open", server.breaker.probe_at)]


async def test_a_rest_is_cut_short_by_a_hint_but_not_where_the_server_asked_for_it(clock: VirtualClock) -> None:
    server = Server(clock)
    await server.fail(FAILURES_TO_OPEN)
    resting = asyncio.create_task(server.breaker.rest(1.0))
    await clock.advance(29.0)
    assert not resting.done()
    server.breaker.hasten()
    await clock.settle()
    assert resting.done()
    assert resting.result() == 1.0
    await server.fail(1)  # early, it is no reason to wait for longer than it would have been
    assert (server.breaker.state, server.breaker.wait_s) == ("open", 1.0)
    await server.breaker_rests(clock, 1.0)
    await server.fail(1)
    assert server.breaker.wait_s == 60.0, "the probe that was due is the first that failed"
    resting = asyncio.create_task(server.breaker.rest(1.0, asked=True))
    await clock.settle()
    server.breaker.hasten()
    await clock.advance(59.0)
    assert not resting.done()
    await clock.advance(1.0)
    assert resting.done()


async def test_a_hint_during_a_try_ends_the_rest_after_it_and_is_forgotten_by_one_that_works(clock: VirtualClock) -> None:
    server = Server(clock)
    await server.fail(FAILURES_TO_OPEN - 1)
    trying = asyncio.create_task(server.ask())
    await clock.settle()
    server.breaker.hasten()
    server.answer.set_exception(OSError("down"))
    with pytest.raises(OSError, match="down"):
        await trying
    assert server.breaker.state == "open"
    await asyncio.wait_for(server.breaker.rest(1.0), 1.0)
    with server.breaker.attempt():
        server.breaker.hasten()
    resting = asyncio.create_task(server.breaker.rest(1.0))
    await clock.settle()
    assert not resting.done()
    await clock.advance(1.0)
    assert resting.done()
