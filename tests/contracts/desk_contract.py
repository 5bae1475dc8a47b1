"""What every desk owes a screen: the engine itself, and the client that speaks to one elsewhere.

A test class per desk inherits ``DeskContract`` and says how to open one.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from gexdesk.desk import Desk
from gexdesk.model.errors import EngineAway, LeverRefused, StoreError, UnknownTarget
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.handover import HandOverLook
from gexdesk.model.look.history import HistoryLook
from gexdesk.model.look.incident import IncidentLook
from gexdesk.model.view.desk import DeskView
from tests.until import until


async def first(views: AsyncIterator[DeskView], count: int) -> list[DeskView]:
    """Return the next views of a stream, and leave it."""
    found = []
    async with asyncio.timeout(10), aclosing(views) as stream:  # type: ignore[type-var]
        async for view in stream:
            found.append(view)
            if len(found) == count:
                break
    return found


class DeskContract:
    """Hold one kind of desk to the protocol."""

    def opened(self, folder: Path) -> AbstractAsyncContextManager[Desk]:
        """Open a desk of a running engine that keeps its state in ``folder / "state"`` and has one source, ``drop``."""
        raise NotImplementedError

    async def test_a_view_shows_the_whole_desk(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            view = await desk.view()
            assert abs(view.taken_at - time.time()) < 5
            assert [level.level for level in view.levels] == list(LEVELS)
            assert [source.name for source in view.sources] == ["drop"]
            assert view.mode == "live"
            assert not view.stopped

    async def test_the_newest_view_is_given_each_time(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            earlier = await desk.view()

            async def newer() -> bool:
                return (await desk.view()).sequence > earlier.sequence

            await until(newer)
            assert (await desk.view()).engine_id == earlier.engine_id

    async def test_views_come_about_four_a_second_each_later_than_the_one_before(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            views = await first(desk.views(), 5)
            assert [view.sequence for view in views] == sorted({view.sequence for view in views})
            gaps_s = [later.taken_at - earlier.taken_at for earlier, later in pairwise(views[1:])]
            assert all(0.1 < gap_s < 3 for gap_s in gaps_s)

    async def test_a_slow_reader_gets_the_newest_next_not_what_it_missed(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk, aclosing(desk.views()) as stream:  # type: ignore[type-var]
            await anext(stream)
            await asyncio.sleep(2.0)  # eight pictures
            await anext(stream)  # may have been at hand already
            view = await anext(stream)
            assert time.time() - view.taken_at < 1.0

    async def test_two_readers_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            both = await asyncio.gather(first(desk.views(), 3), first(desk.views(), 3))
            assert [len(views) for views in both] == [3, 3]

    async def test_a_lever_is_pulled_and_the_next_views_show_it(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            outcome = await desk.pull(Lever(Verb.OVERRIDE, "drop", "CPI", level=Level.HIGH, for_s=900, seen_revision=1))
            assert (outcome.done, outcome.before, outcome.revision) == (True, "MEDIUM", 2)
            assert outcome.after.startswith("HIGH by ")

            async def shown() -> bool:
                [source] = (await desk.view()).sources
                return (source.level, source.why, source.override_reason, source.revision) == (Level.HIGH, "override", "CPI", 2)

            await until(shown)

    async def test_a_dry_run_is_answered_and_nothing_else(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            outcome = await desk.pull(Lever(Verb.PAUSE, "drop", "", dry_run=True))
            assert (outcome.done, outcome.before, outcome.after) == (False, "running", "paused")
            assert outcome.costs.startswith("readers keep the last value")
            with pytest.raises(LeverRefused):  # it is not paused
                await desk.pull(Lever(Verb.RESUME, "drop", "x"))

    async def test_refusals_are_what_they_are(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            with pytest.raises(LeverRefused, match="pause needs a reason; it goes to the audit"):
                await desk.pull(Lever(Verb.PAUSE, "drop", ""))
            with pytest.raises(UnknownTarget, match="no source is named 'nobody'; there are drop"):
                await desk.pull(Lever(Verb.PAUSE, "nobody", "x"))
            await desk.pull(Lever(Verb.PROMOTE, "drop", "x", seen_revision=1))
            with pytest.raises(LeverRefused, match=r"drop was changed by .* nothing was sent, look again") as refused:
                await desk.pull(Lever(Verb.PROMOTE, "drop", "x", seen_revision=1))
            assert refused.value.details == {"revision": 2}
            (tmp_path / "state" / "audit.jsonl").unlink()
            (tmp_path / "state" / "audit.jsonl").mkdir()
            with pytest.raises(StoreError, match="audit"):
                await desk.pull(Lever(Verb.PROMOTE, "drop", "x"))

    async def test_the_past_and_the_hand_over_are_answered(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:

            async def recorded() -> bool:
                return (await desk.look(HistoryLook(at=time.time()))).pictures != ()

            await until(recorded)
            seen = await desk.look(HistoryLook(at=time.time()))
            assert [source.name for source in seen.pictures[0].sources] == ["drop"]
            assert seen.pictures[0].taken_at <= time.time()
            with pytest.raises(UnknownTarget, match="name one moment"):
                await desk.look(HistoryLook())
            with pytest.raises(UnknownTarget, match="there is no incident 99"):
                await desk.look(IncidentLook(99))
            await desk.pull(Lever(Verb.REPORT, "", "", text="the line is slow"))
            assert (await desk.look(HandOverLook())).summary == "1 open"

    async def test_stop_ends_the_views(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as desk:
            stream = desk.views()
            await anext(stream)
            await desk.stop()
            async with asyncio.timeout(10):
                with suppress(EngineAway):
                    async for _ in stream:
                        pass
