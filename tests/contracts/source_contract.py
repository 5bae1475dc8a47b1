"""What every source owes whose bytes wait until they are taken.

A test class per source inherits ``SourceContract`` and gives it a rig.
"""

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from gexdesk.model.errors import MalformedPayload, StoreError
from gexdesk.model.payload import Arrival
from gexdesk.sources.base import Failed, Fetched, Outcome, Source

BODIES = (bytes(range(256)), b'{"a": 1}\r\n', b"\n" * 3, "größer".encode() * 50_000)


class Rig(Protocol):
    """A source's far end, under the test's control."""

    def source(self) -> Source:
        """Make the source; call it once a test."""
        ...

    def offer(self, *bodies: bytes) -> None:
        """Have bodies waiting, in this order."""
        ...

    def stumble(self) -> None:
        """Have the next try fail, before anything offered later."""
        ...

    def taken(self, body: bytes) -> None:
        """Hear that a body was acknowledged, or refused for good."""
        ...


class Desk:
    """The receiving side: keeps what it acknowledges, and refuses as told.

    Attributes:
        refusals: Raised by the next deliveries, one each.
    """

    def __init__(self, rig: Rig) -> None:
        self.arrivals: list[Arrival] = []
        self.outcomes: list[Outcome] = []
        self.story: list[str] = []
        self.refusals: list[Exception] = []
        self._rig = rig

    @property
    def bodies(self) -> list[bytes]:
        return [arrival.body for arrival in self.arrivals]

    @property
    def failures(self) -> list[str]:
        return [outcome.reason for outcome in self.outcomes if isinstance(outcome, Failed)]

    async def deliver(self, arrival: Arrival) -> None:
        self.story.append("begin")
        await asyncio.sleep(0)
        if self.refusals:
            refusal = self.refusals.pop(0)
            if isinstance(refusal, MalformedPayload):
                self._rig.taken(arrival.body)
            raise refusal
        self.arrivals.append(arrival)
        self._rig.taken(arrival.body)
        await asyncio.sleep(0)  # it is synced, and a turn of the loop passes until the source hears that
        self.story.append("acknowledged")

    def report(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.story.append(type(outcome).__name__)


async def run_until(run: Coroutine[Any, Any, object], done: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Let a source run until a condition holds, then cancel it; raise what ended it before."""
    task = asyncio.create_task(run)
    try:
        async with asyncio.timeout(limit_s):
            while not done():
                if task.done():
                    raise AssertionError("the source ended") from task.exception()
                await asyncio.sleep(0.001)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@types.coroutine
def cancelled_at(number: int, run: Awaitable[object]) -> Generator[Any, Any, bool]:
    """Cancel a coroutine where it suspends for the n-th time, from 0; False where it ended before."""
    steps = run.__await__()
    seen = 0
    error: BaseException | None = None
    while True:
        try:
            waited_for = steps.throw(error) if error else next(steps)
        except StopIteration:
            return False
        except asyncio.CancelledError:
            return True
        if seen == number:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        seen += 1
        error = None
        try:
            yield waited_for
        except BaseException as thrown:
            error = thrown


class SourceContract:
    """The suite; a subclass opens the rig."""

    def open_rig(self, folder: Path) -> AbstractAsyncContextManager[Rig]:
        """Return a fresh rig."""
        raise NotImplementedError

    @asynccontextmanager
    async def _rig(self, folder: Path) -> AsyncIterator[tuple[Rig, Desk]]:
        folder.mkdir(exist_ok=True)
        async with self.open_rig(folder) as rig:
            yield rig, Desk(rig)

    async def test_bytes_come_unchanged_in_order_and_with_their_provenance(self, tmp_path: Path) -> None:
        async with self._rig(tmp_path) as (rig, desk):
            rig.offer(*BODIES)
            source = rig.source()
            await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) == len(BODIES))
            assert desk.bodies == list(BODIES)
            assert {arrival.source for arrival in desk.arrivals} == {source.name}
            assert all(arrival.name.isprintable() and arrival.name for arrival in desk.arrivals)
            received = [arrival.received_at for arrival in desk.arrivals]
            assert received == sorted(received)
            assert all(arrival.time_shift_s == 0 for arrival in desk.arrivals)

    async def test_fetched_is_reported_after_the_acknowledgement_and_once_each(self, tmp_path: Path) -> None:
        async with self._rig(tmp_path) as (rig, desk):
            rig.offer(*BODIES)
            await run_until(rig.source().run(desk.deliver, desk.report), lambda: desk.story.count("Fetched") == len(BODIES))
            told = [word for word in desk.story if word in ("begin", "acknowledged", "Fetched")]
            assert told == ["begin", "acknowledged", "Fetched"] * len(BODIES)
            assert all(outcome.elapsed_s >= 0 for outcome in desk.outcomes if isinstance(outcome, Fetched))

    @pytest.mark.parametrize("refusal", [StoreError("the disk is full"), RuntimeError("a fault beyond")])
    async def test_what_cannot_be_kept_now_is_reported_and_handed_over_again(self, tmp_path: Path, refusal: Exception) -> None:
        async with self._rig(tmp_path) as (rig, desk):
            rig.offer(*BODIES)
            desk.refusals = [refusal] * 3
            await run_until(rig.source().run(desk.deliver, desk.report), lambda: len(desk.arrivals) == len(BODIES))
            assert desk.bodies == list(BODIES)
            assert len(desk.failures) == 3
            assert all(str(refusal) in reason and reason.isprintable() for reason in desk.failures)

    async def test_what_can_never_be_taken_is_reported_and_not_offered_again(self, tmp_path: Path) -> None:
        async with self._rig(tmp_path) as (rig, desk):
            rig.offer(*BODIES)
            desk.refusals = [MalformedPayload("no \x1b[2Jchain")]
            source = rig.source()
            await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) == len(BODIES) - 1)
            assert desk.bodies == list(BODIES[1:])
            assert len(desk.failures) == 1
            assert "no  [2Jchain" in desk.failures[0]
            # Nor after a pause.
            seen = len(desk.outcomes)
            await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.outcomes) > seen)
            assert desk.bodies == list(BODIES[1:])

    async def test_a_failed_try_is_reported_and_does_not_end_the_run(self, tmp_path: Path) -> None:
        async with self._rig(tmp_path) as (rig, desk):
            rig.stumble()
            rig.offer(*BODIES)
            await run_until(rig.source().run(desk.deliver, desk.report), lambda: len(desk.arrivals) == len(BODIES))
            assert desk.bodies == list(BODIES)
            assert len(desk.failures) == 1
            assert desk.failures[0].isprintable()

    async def test_cancelled_at_any_await_nothing_is_lost_or_repeated(self, tmp_path: Path) -> None:
        wanted = list(BODIES[:2])
        for number in range(400):
            async with self._rig(tmp_path / str(number)) as (rig, desk):
                rig.offer(*wanted)
                source = rig.source()
                all_came = False

                def report(outcome: Outcome, desk: Desk = desk) -> None:
                    desk.report(outcome)
                    if len(desk.arrivals) == len(wanted):
                        raise _Enough

                try:
                    await cancelled_at(number, source.run(desk.deliver, report))
                except _Enough:
                    all_came = True
                if not all_came:
                    await run_until(source.run(desk.deliver, desk.report), lambda desk=desk: len(desk.arrivals) >= len(wanted))  # type: ignore[misc]
                assert desk.bodies == wanted, f"cancelled at await {number}"
                if all_came:
                    assert number > 4, "the run hardly suspended: nothing was tested"
                    return
        raise AssertionError("400 awaits were not enough")


class _Enough(Exception):
    """Leave a run once all has come."""
