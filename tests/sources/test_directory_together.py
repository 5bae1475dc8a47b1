"""Small files that are handed over together: in order, all or none, remembered only once they are acknowledged."""

import asyncio
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from gexdesk.model.errors import MalformedPayload, StoreError
from gexdesk.model.payload import Arrival
from gexdesk.sources.backoff import STORE_CAP_S
from gexdesk.sources.base import Ended, Failed, Fetched
from gexdesk.sources.directory import TOGETHER, Directory
from tests.contracts.source_contract import Desk
from tests.running_clock import RunningClock

SMALL = 100
LONG_AGO = 1_700_000_000


class _NoRig:
    def taken(self, body: bytes) -> None:
        pass


class Taker(Desk):
    """Take several at once, too; refuses a whole group with the next of ``refusals``."""

    def __init__(self) -> None:
        super().__init__(_NoRig())
        self.groups: list[int] = []
        self.never = b"never"

    async def together(self, arrivals: Sequence[Arrival]) -> None:
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        if any(arrival.body == self.never for arrival in arrivals):
            raise MalformedPayload("none of these")
        self.groups.append(len(arrivals))
        self.arrivals += arrivals

    async def deliver(self, arrival: Arrival) -> None:
        if arrival.body == self.never:
            raise MalformedPayload("not this one")
        await super().deliver(arrival)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


def fill(folder: Path, bodies: Sequence[bytes]) -> None:
    for number, body in enumerate(bodies):
        written = folder.parent / "outside"
        written.write_bytes(body)
        os.utime(written, (LONG_AGO + number, LONG_AGO + number))
        written.rename(folder / f"{number:03d}.json")


async def run(folder: Path, taker: Taker) -> None:
    source = Directory("drop", folder, clock=RunningClock(), once=True, memory=folder.parent / "m", jitter=lambda: 1.0)
    source.takes_together(taker.together, SMALL)
    async with asyncio.timeout(10):
        await source.run(taker.deliver, taker.report)


async def test_small_files_come_together_and_large_ones_alone_all_in_order(folder: Path) -> None:
    bodies = [b"%d" % n for n in range(150)]
    bodies[80] = bytes(SMALL + 1)
    fill(folder, bodies)
    taker = Taker()
    await run(folder, taker)
    assert taker.bodies == bodies
    assert taker.groups == [TOGETHER, 80 - TOGETHER, TOGETHER, 69 - TOGETHER]
    assert [type(outcome) for outcome in taker.outcomes] == [Fetched] * 150 + [Ended]
    again = Taker()
    await run(folder, again)
    assert again.bodies == []


async def test_a_refused_group_is_not_remembered_and_comes_again_whole(folder: Path) -> None:
    bodies = [b"%d" % n for n in range(10)]
    fill(folder, bodies)
    memory = folder.parent / "m"
    taker = Taker()
    taker.refusals = [StoreError("the disk is full"), RuntimeError("a fault beyond")]
    taker.report = lambda outcome: (Desk.report(taker, outcome), _unremembered(memory, outcome))[0]  # type: ignore[method-assign]
    await run(folder, taker)
    assert taker.bodies == bodies
    assert [failure.partition(":")[0] for failure in taker.failures] == [
        "000.json and 9 more could not be kept, will be handed over again"
    ] * 2
    assert len(memory.read_bytes().splitlines()) == 10


def _unremembered(memory: Path, outcome: object) -> None:
    if isinstance(outcome, Failed):
        assert not memory.exists()


async def test_what_could_not_be_kept_for_long_comes_soon_after_it_can(folder: Path) -> None:
    fill(folder, [b"1", b"2"])
    taker, clock, asked_at = Taker(), RunningClock(), list[float]()
    taker.refusals = [StoreError("the disk is full")] * 30

    async def timed(arrivals: Sequence[Arrival]) -> None:
        asked_at.append(clock.monotonic())
        await taker.together(arrivals)

    source = Directory("drop", folder, clock=clock, once=True, memory=folder.parent / "m", jitter=lambda: 1.0)
    source.takes_together(timed, SMALL)
    async with asyncio.timeout(10):
        await source.run(taker.deliver, taker.report)
    assert taker.bodies == [b"1", b"2"]
    assert max(later - sooner for sooner, later in itertools.pairwise(asked_at)) <= STORE_CAP_S


async def test_one_that_can_never_be_taken_keeps_no_other_back(folder: Path) -> None:
    bodies = [b"%d" % n for n in range(10)]
    bodies[4] = b"never"
    fill(folder, bodies)
    taker = Taker()
    await run(folder, taker)
    assert taker.bodies == bodies[:4] + bodies[5:]
    assert taker.failures == ["004.json: not this one"]
    again = Taker()
    await run(folder, again)
    assert again.bodies == []


async def test_one_that_is_being_written_is_waited_for_and_the_others_are_taken(folder: Path) -> None:
    fill(folder, [b"%d" % n for n in range(5)])
    taker = Taker()
    with open(folder / "002.json", "ab") as writer:
        source = Directory("drop", folder, clock=RunningClock(), once=False, memory=folder.parent / "m")
        source.takes_together(taker.together, SMALL)
        running = asyncio.create_task(source.run(taker.deliver, taker.report))
        async with asyncio.timeout(10):
            while len(taker.arrivals) < 4:
                await asyncio.sleep(0.001)
        assert taker.bodies == [b"0", b"1", b"3", b"4"]
        writer.write(b" whole")
    async with asyncio.timeout(10):
        while len(taker.arrivals) < 5:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert taker.bodies[4] == b"2 whole"
