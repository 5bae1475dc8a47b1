"""The desk wound back: a picture a second for half an hour, a minute for days, figures beside them."""

from pathlib import Path
from typing import Any

import pytest

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.rewind import FINE_BYTES, FINE_S, MOST_PICTURES, Rewind
from gexdesk.model.errors import StoreError, UnknownTarget
from gexdesk.model.level import LEVELS
from gexdesk.model.look.history import HistoryLook, TrendLook
from gexdesk.model.view.desk import DeskView
from gexdesk.stores.daybook import Daybook
from tests.tui.fake_desk import AT, a_level, a_source, a_view
from tests.virtual_clock import VirtualClock

BEGAN = AT - AT % 60


def picture(second: float) -> DeskView:
    """Return a desk on which everything that moves says which second it is."""
    n = int(second)
    return a_view(
        sequence=n, taken_at=BEGAN + second, received=n,
        levels=tuple(a_level(level, depth=n % 100, count=n, within_promise=n - 1) for level in LEVELS),
        sources=(a_source("cboe-spx", received=n, last_at=BEGAN + second - 2.0), a_source("drop", last_at=None, received=0)),
    )  # fmt: skip


class Reel:
    """Hold one rewind on a real folder."""

    def __init__(self, folder: Path) -> None:
        self.chronicle = Chronicle(VirtualClock())
        books = [Daybook(folder / "history", name, keep_days=7, keep_bytes=10**8) for name in ("pictures", "figures")]
        self.rewind = Rewind(books[0], books[1], self.chronicle)

    async def opened(self, seconds: int = 0, every_s: int = 1) -> "Reel":
        await self.rewind.open()
        for second in range(0, seconds, every_s):
            await self.rewind.record(picture(second))
        return self

    async def at(self, second: float) -> DeskView | None:
        seen = await self.rewind.pictures(HistoryLook(at=BEGAN + second))
        return seen.pictures[0] if seen.pictures else None


async def test_the_desk_is_given_back_as_it_was_drawn_that_second(tmp_path: Path) -> None:
    reel = await Reel(tmp_path).opened(200)
    for second in (0, 1, 29, 30, 31, 199):
        assert await reel.at(second + 0.9) == picture(second)
    assert await reel.at(-1) is None
    assert await reel.at(9_999) == picture(199)


async def test_what_is_older_than_half_an_hour_is_given_by_the_minute(tmp_path: Path) -> None:
    reel = await Reel(tmp_path).opened(2_400)
    seen = await reel.rewind.pictures(HistoryLook(at=BEGAN + 300.0))
    assert seen.pictures == (picture(300),)
    assert seen.first_at == BEGAN
    assert seen.last_at == BEGAN + 2_399
    assert seen.fine_from is not None
    assert FINE_S <= BEGAN + 2_399 - seen.fine_from < FINE_S + 60
    assert await reel.at(359) == picture(300)
    assert reel.rewind.size_bytes() < FINE_BYTES


async def test_after_a_restart_the_minutes_are_there_and_the_seconds_begin_anew(tmp_path: Path) -> None:
    await Reel(tmp_path).opened(200)
    again = await Reel(tmp_path).opened()
    assert (await again.rewind.pictures(HistoryLook(at=BEGAN))).fine_from is None
    assert await again.at(150) == picture(120)
    await again.rewind.record(picture(300))
    assert await again.at(299) == picture(180)
    assert await again.at(300) == picture(300)


async def test_a_span_is_given_evenly_thinned_and_says_so(tmp_path: Path) -> None:
    reel = await Reel(tmp_path).opened(100)
    span: dict[str, Any] = {"from_at": BEGAN + 10.0, "to_at": BEGAN + 30.0}
    whole = await reel.rewind.pictures(HistoryLook(**span))
    assert [view.sequence for view in whole.pictures] == list(range(10, 31))
    assert not whole.more
    some = await reel.rewind.pictures(HistoryLook(**span, limit=5))
    assert [view.sequence for view in some.pictures] == [10, 15, 20, 25, 30]
    assert some.more
    assert [v.sequence for v in (await reel.rewind.pictures(HistoryLook(**span, limit=1))).pictures] == [30]
    most = await reel.rewind.pictures(HistoryLook(from_at=BEGAN, to_at=BEGAN + 99, limit=10_000))
    assert len(most.pictures) == 100 < MOST_PICTURES


@pytest.mark.parametrize("fields", [{}, {"from_at": 1.0}, {"at": 1.0, "to_at": 2.0}, {"at": 1.0, "from_at": 1.0, "to_at": 2.0}])
async def test_a_question_without_a_time_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    reel = await Reel(tmp_path).opened(1)
    with pytest.raises(UnknownTarget, match="name one moment"):
        await reel.rewind.pictures(HistoryLook(**fields))


async def test_an_empty_record_answers_with_nothing(tmp_path: Path) -> None:
    seen = await (await Reel(tmp_path).opened()).rewind.pictures(HistoryLook(at=BEGAN))
    assert (seen.pictures, seen.first_at, seen.last_at, seen.fine_from) == ((), None, None, None)


async def test_figures_are_given_by_the_second_and_by_the_minute_before(tmp_path: Path) -> None:
    await Reel(tmp_path).opened(150)
    reel = await Reel(tmp_path).opened()
    for second in range(180, 200):
        await reel.rewind.record(picture(second))
    seen = await reel.rewind.trend(TrendLook("source", "cboe-spx", BEGAN, BEGAN + 1_000))
    received = seen.columns.index("received")
    assert [(row[0] or 0.0) - BEGAN for row in seen.rows] == [60.0, 120.0, *(float(s) for s in range(180, 200))]
    assert [row[received] for row in seen.rows[:3]] == [59.0, 119.0, 180.0]
    assert {row[seen.columns.index("silent_s")] for row in seen.rows} == {2.0}
    levels = await reel.rewind.trend(TrendLook("level", "HIGH", BEGAN, BEGAN + 1_000))
    assert [row[levels.columns.index("depth")] for row in levels.rows[:3]] == [59.0, 99.0, 80.0]
    assert {row[levels.columns.index("missed")] for row in levels.rows} == {1.0}
    low = await reel.rewind.trend(TrendLook("level", "LOW", BEGAN, BEGAN + 1_000))
    assert {row[low.columns.index("missed")] for row in low.rows} == {None}, "best effort misses nothing"
    assert (await reel.rewind.trend(TrendLook("source", "nobody", BEGAN, BEGAN + 1_000))).rows == ()
    with pytest.raises(UnknownTarget, match="figures of a level and of a source; not of 'job'"):
        await reel.rewind.trend(TrendLook("job", "x", BEGAN, BEGAN + 1))


async def test_a_disk_that_takes_nothing_costs_the_minutes_not_the_seconds(tmp_path: Path) -> None:
    (tmp_path / "history").touch()
    reel = await Reel(tmp_path).opened(130)
    assert await reel.at(77) == picture(77)
    told = [line.text for line in reel.chronicle.lines()]
    assert len(told) == 2, "once at the start, once at the first minute"
    assert "history" in told[0]


async def test_a_damaged_minute_is_left_out_of_a_span_and_named_where_it_is_asked_for(tmp_path: Path) -> None:
    await Reel(tmp_path).opened(300, every_s=60)
    again = await Reel(tmp_path).opened()
    [log] = (tmp_path / "history").glob("pictures-*.log")
    data = bytearray(log.read_bytes())
    data[-2] ^= 0xFF
    log.write_bytes(bytes(data))
    seen = await again.rewind.pictures(HistoryLook(from_at=BEGAN, to_at=BEGAN + 999))
    assert [view.sequence for view in seen.pictures] == [0, 60, 120, 180]
    with pytest.raises(StoreError, match="damaged at byte"):
        await again.at(240)


async def test_pictures_are_held_within_their_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexdesk.engine.rewind.FINE_BYTES", 40_000)
    reel = await Reel(tmp_path).opened(600)
    assert 20_000 < reel.rewind.size_bytes() <= 40_000
    assert await reel.at(599) == picture(599)
