"""The ledger of gaps, end to end: what was missed, whether it can be had, and how it is filled behind all live data."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from clocked_desk import BEGINS_AT, ClockedDesk, clocked, fed
from desk_setting import parts_of, pull, rows

from gexdesk.engine.housekeeping import LIVE_NAME
from gexdesk.model.errors import LeverRefused
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.look.symbol import GapsLook
from gexdesk.model.symbol_view import GapView
from gexdesk.sources.base import Missed
from tests.moments.market import NDX, SPX

EVERY_S = 5.0


async def well(desk: ClockedDesk, seconds: float, source: str = "feed") -> None:
    """Let a feed send for a while."""
    at = began = desk.clock.now()
    while at < began + seconds - 0.5:
        await desk.send((source, SPX.gexbot(at)))
        at += EVERY_S
        await desk.until(at)


async def gaps(desk: ClockedDesk, **asked: Any) -> tuple[GapView, ...]:
    return (await desk.engine.look(GapsLook(**asked))).gaps


def history(folder: Path, name: str, *stamps: float) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\n".join(SPX.gexbot(at) for at in stamps) + b"\n")


def with_history(folder: Path) -> dict[str, Any]:
    """Return a desk of one feed whose symbol has a history folder."""
    symbol = {"name": "SPX", "session": "always", "history": str(folder)}
    return {"sources": [fed("feed", "SPX", EVERY_S)], "symbols": [symbol]}


async def missed_a_minute(desk: ClockedDesk, *, minutes: int = 1) -> tuple[GapView, float]:
    """Miss minutes between twenty and ten good seconds; returns the gap and since when."""
    await well(desk, 20.0)
    silent_from = desk.clock.now()
    await desk.until(silent_from + 60.0 * minutes)
    await well(desk, 10.0)
    (gap,) = await gaps(desk)
    return gap, silent_from


async def ended(desk: ClockedDesk) -> None:
    """Let time go by until no backfill is under way."""
    for _ in range(5_000):
        if not parts_of(desk.engine).backfill.under_way:
            return
        await desk.clock.advance(0.1)
        await asyncio.sleep(0.002)
    raise AssertionError("a backfill never ended")


def said(desk: ClockedDesk) -> list[str]:
    """Return what was said of gaps, the newest last."""
    return [line.text for line in parts_of(desk.engine).chronicle.lines() if line.text.startswith("gap ")]


async def test_what_was_missed_is_filled_at_low_and_readers_keep_what_they_have(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", tmp_path / "history"
    folder.mkdir()
    settings = {
        "sources": [fed("feed", "SPX", EVERY_S, level="HIGH")],
        "symbols": [{"name": "SPX", "session": "always", "history": str(folder)}],
    }
    async with clocked(state, **settings) as desk:
        await well(desk, 20.0)
        silent_from = desk.clock.now()
        assert await gaps(desk) == ()
        await desk.until(silent_from + 60.0)
        (gap,) = await gaps(desk)
        assert (gap.symbol, gap.source, gap.to_at, gap.fillable, gap.missed) == ("SPX", "feed", None, True, None)
        assert abs(gap.from_at - silent_from) < 1.0, "from when the next one was due"
        await well(desk, 10.0)
        (gap,) = await gaps(desk)
        assert gap.to_at is not None
        assert abs(gap.to_at - silent_from - 60.0) < 1.0
        assert gap.missed == 12

        with pytest.raises(LeverRefused, match="no file of SPX for 2026-03-03"):
            await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        stamps = [silent_from + EVERY_S * number for number in range(12)]
        history(folder, "NDX_2026-03-03.jsonl", *stamps)
        with pytest.raises(LeverRefused, match="no file of SPX"):
            await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        history(folder, "SPX_2026-03-03.jsonl", *stamps)
        live = desk.live("SPX")
        assert (await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap", dry_run=True)).done is False
        done = desk.count + 1
        outcome = await pull(desk.engine, Verb.BACKFILL, gap.gap, "the vendor was away", target_kind="gap")
        assert (outcome.done, outcome.moved_jobs) == (True, 1)
        (gap,) = await gaps(desk)
        assert (gap.filling_since is not None, gap.filled_at) == (True, None), "not before it is stored"
        await desk.through(done)
        await desk.stored()
        await ended(desk)
        assert f"gap {gap.gap}: 1 of 1 file went through; filled, 12 of 12 missed are there" in said(desk)
        assert desk.live("SPX") == live, "history is never live"
        assert await gaps(desk) == ()
        (gap,) = await gaps(desk, filled=True)
        assert gap.filled_at is not None
        assert (gap.there, gap.short) == ("12 of 12", False)
        with pytest.raises(LeverRefused, match="filled already: 12 of 12 missed are there"):
            await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        assert next((line["actor"], line["act"]) for line in await desk.engine.audit(5)) == ("jm", "backfill")
    (job,) = rows("SELECT level FROM jobs WHERE source = 'gap-fill'", state)
    assert job["level"] == "LOW"
    stored = rows("SELECT as_of FROM snapshots WHERE source = 'gap-fill' AND NOT quarantined ORDER BY as_of", state)
    assert len(stored) == 12
    (kept,) = rows("SELECT filled_at FROM gaps", state)
    assert kept["filled_at"] is not None
    async with clocked(state, BEGINS_AT + 600.0, **settings) as desk:
        filled = next(one for one in await gaps(desk, filled=True) if one.gap == gap.gap)
        assert (filled.filled_at is not None, filled.there) == (True, "12 of 12"), "a restart forgets nothing"


async def test_a_gap_filled_but_for_a_few_says_how_many_are_there_and_takes_the_rest_also_after_a_restart(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", tmp_path / "history"
    settings = with_history(folder)
    async with clocked(state, **settings) as desk:
        gap, silent_from = await missed_a_minute(desk, minutes=5)
        assert gap.missed == 60
        history(folder, "SPX_20260303.jsonl", *(silent_from + EVERY_S * number for number in range(57)))
        await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        await ended(desk)
        assert f"gap {gap.gap}: 1 of 1 file went through; filled, 57 of 60 missed are there" in said(desk)
        (filled,) = await gaps(desk, filled=True)
        assert (filled.there, filled.short) == ("57 of 60", True)
        filled_at = filled.filled_at
    async with clocked(state, BEGINS_AT + 1_000.0, **settings) as desk:
        filled = next(one for one in await gaps(desk, filled=True) if one.gap == gap.gap)
        assert (filled.there, filled.filled_at) == ("57 of 60", pytest.approx(filled_at, abs=0.001))
        history(folder, "SPX_20260303_rest.jsonl", *(silent_from + EVERY_S * number for number in range(57, 60)))
        asked = await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap", dry_run=True)
        assert (asked.before, asked.after) == ("filled with 57 of 60", "filling")
        await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        await ended(desk)
        assert any("filled, 60 of 60 missed are there" in line for line in said(desk))
        filled = next(one for one in await gaps(desk, filled=True) if one.gap == gap.gap)
        assert (filled.there, filled.short, filled.filled_at) == ("60 of 60", False, pytest.approx(filled_at, abs=0.001))
        with pytest.raises(LeverRefused, match="60 of 60"):
            await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")


async def test_a_lever_on_a_gap_that_an_earlier_engine_filled_counts_before_it_refuses(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", tmp_path / "history"
    settings = with_history(folder)
    async with clocked(state, **settings) as desk:
        gap, silent_from = await missed_a_minute(desk)
        history(folder, "SPX_20260303.jsonl", *(silent_from + EVERY_S * number for number in range(11)))
        await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        await ended(desk)
    async with clocked(state, BEGINS_AT + 600.0, **settings) as desk:
        asked = await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap", dry_run=True)
        assert asked.before == "filled with 11 of 12"


async def test_at_high_water_a_backfill_waits_alone_and_levers_and_the_watch_go_on(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", tmp_path / "history"
    settings = {
        "sources": [fed("feed", "SPX", EVERY_S, level="HIGH")],
        "symbols": [{"name": "SPX", "session": "always", "history": str(folder)}],
        "engine": {"high_jobs": 10},
    }
    async with clocked(state, **settings) as desk:
        gap, silent_from = await missed_a_minute(desk)
        await desk.stored()
        await pull(desk.engine, Verb.PAUSE_ALL)
        await pull(desk.engine, Verb.OVERRIDE, "feed", level=Level.HIGH)
        for number in range(10):
            await desk.feeds["feed"].give(SPX.gexbot(desk.clock.now() - 0.01 * number - 0.5))
        water, endings = parts_of(desk.engine).water, parts_of(desk.engine).endings
        assert water.level == 1.0
        for day in range(3):
            history(folder, f"SPX_2026-03-03_{day}.jsonl", *(silent_from + EVERY_S * number + day for number in range(12)))
        (folder / "SPX_2026-03-03_lost.jsonl").symlink_to(folder / "SPX_2026-03-03_0.jsonl")

        outcome = await asyncio.wait_for(pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap"), 5.0)
        assert (outcome.done, outcome.moved_jobs) == (True, 4)
        (folder / "SPX_2026-03-03_lost.jsonl").unlink()
        await desk.clock.settle()
        assert water.held == ("gap-fill",)
        with pytest.raises(LeverRefused, match="is being filled already"):
            await asyncio.wait_for(pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap"), 5.0)
        await desk.until(desk.clock.now() + 3.0)
        assert desk.incidents("kill_switch"), "the watch goes on"
        await asyncio.wait_for(pull(desk.engine, Verb.RESUME_ALL), 5.0)
        for _ in range(5_000):
            if endings.completed == 6 + 10 + 3 and not parts_of(desk.engine).backfill.under_way:
                break
            await desk.clock.advance(0.05)
            await asyncio.sleep(0.002)
        log = [line.text for line in parts_of(desk.engine).chronicle.lines()]
        assert f"gap {gap.gap}: 3 of 4 files went through; filled, 36 of 12 missed are there" in log
        assert any("SPX_2026-03-03_lost.jsonl is left out: cannot be read: No such file" in line for line in log)
    assert len(rows("SELECT 1 FROM jobs WHERE source = 'gap-fill' AND status = 'COMPLETED'", state)) == 3


async def test_history_that_brings_too_little_leaves_the_gap_open(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    settings = with_history(folder)
    async with clocked(tmp_path / "state", **settings) as desk:
        gap, silent_from = await missed_a_minute(desk)
        # Five of twelve inside, and many outside of it.
        outside = [silent_from - 1000.0 + number for number in range(40)]
        history(folder, "SPX_20260303.jsonl", *outside, *(silent_from + EVERY_S * number for number in range(5)))
        done = desk.count + 1
        await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        await desk.through(done)
        await ended(desk)
        (left,) = await gaps(desk)
        assert (left.gap, left.brought, left.wanted, left.filling_since) == (gap.gap, 5, 12, None)
        assert f"gap {gap.gap}: 1 of 1 file went through; still open, 5 of the 12 snapshots it lacks are there" in said(desk)


async def test_history_that_lies_elsewhere_says_that_it_filled_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    settings = with_history(folder)
    async with clocked(tmp_path / "state", **settings) as desk:
        gap, silent_from = await missed_a_minute(desk)
        history(folder, "SPX_20260303.jsonl", *(silent_from - 1000.0 + number for number in range(40)))
        await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        await ended(desk)
        assert f"gap {gap.gap}: 1 of 1 file went through; still open, none of what they hold lies in it" in said(desk)


async def test_history_by_the_minute_fills_what_a_faster_feed_missed_and_a_second_engine_counts_what_a_first_stored(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "history"
    settings = with_history(folder)
    async with clocked(tmp_path / "state", **settings) as desk:
        gap, silent_from = await missed_a_minute(desk, minutes=10)
        history(folder, "SPX_20260303.jsonl", *(silent_from + 60.0 * number for number in range(-3, 4)))
        await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        await ended(desk)
        (left,) = await gaps(desk)
        assert (left.missed, left.brought, left.wanted) == (120, 4, 10)
    async with clocked(tmp_path / "state", BEGINS_AT + 1_000.0, **settings) as desk:
        history(folder, "SPX_20260303_more.jsonl", *(silent_from + 60.0 * number for number in range(4, 10)))
        await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
        await ended(desk)
        assert gap.gap not in [one.gap for one in await gaps(desk)], "what an earlier engine stored counts"
        assert any("filled as finely as this history is kept: 10 for 120 missed" in line for line in said(desk))


async def test_what_never_came_is_a_gap_and_so_is_what_a_standby_misses(tmp_path: Path) -> None:
    sources = [fed("feed", "SPX", EVERY_S), fed("second", "SPX", EVERY_S)]
    async with clocked(tmp_path / "state", sources=sources, symbols=[{"name": "SPX", "session": "always"}]) as desk:
        await well(desk, 25.0)
        assert await gaps(desk) == ()
        await well(desk, 15.0)
        (gap,) = await gaps(desk)
        assert (gap.source, gap.to_at, gap.reason) == ("second", None, "second has brought nothing yet")
        assert gap.from_at == pytest.approx(BEGINS_AT + EVERY_S, abs=1.0)
        await well(desk, 5.0, "second")
        (gap,) = await gaps(desk)
        assert (gap.to_at is not None, gap.missed, gap.fillable) == (True, 7, False)
        assert "no history folder" in gap.how


async def test_what_a_sender_counts_as_missing_is_in_the_ledger(tmp_path: Path) -> None:
    several = fed("several", "SPX", EVERY_S) | {"symbols": ["SPX", "NDX"]}
    async with clocked(tmp_path / "state", sources=[fed("feed", "SPX", EVERY_S), several]) as desk:
        await well(desk, 10.0)
        last_at = desk.clock.now() - EVERY_S
        desk.feeds["feed"].tell(Missed(3, "sequence 41 to 43"))
        await well(desk, 10.0)
        (gap,) = await gaps(desk)
        assert (gap.symbol, gap.source, gap.missed, gap.reason) == ("SPX", "feed", 3, "the sender's count: sequence 41 to 43")
        assert (gap.from_at, gap.to_at) == (pytest.approx(last_at, abs=0.5), pytest.approx(last_at + EVERY_S, abs=0.5))
        desk.feeds["feed"].tell(Missed(2, "sequence 50 to 51"))
        (gap,) = await gaps(desk)
        assert gap.missed == 5, "a feed that loses all the time is one gap that grows"
        await well(desk, 70.0)
        desk.feeds["feed"].tell(Missed(1, "sequence 77"))
        assert [one.missed for one in await gaps(desk) if one.source == "feed"] == [1, 5]

        await desk.send(("several", NDX.gexbot(desk.clock.now())))
        desk.feeds["several"].tell(Missed(4, "sequence 9 to 12"))
        gap = next(one for one in await gaps(desk) if one.source == "several" and not one.symbol)
        assert (gap.missed, gap.fillable) == (4, False)
        with pytest.raises(LeverRefused, match="several symbols"):
            await pull(desk.engine, Verb.BACKFILL, gap.gap, target_kind="gap")
    counted = "SELECT symbol, source, missed FROM gaps WHERE reason LIKE 'the sender%' ORDER BY source, missed"
    kept = [tuple(row.values()) for row in rows(counted, tmp_path / "state")]
    assert kept == [("SPX", "feed", 1), ("SPX", "feed", 5), ("", "several", 4)]


async def test_a_silent_feed_whose_sender_counts_has_one_gap_with_the_count(tmp_path: Path) -> None:
    async with clocked(tmp_path / "state", sources=[fed("feed", "SPX", EVERY_S)]) as desk:
        await well(desk, 20.0)
        await desk.until(desk.clock.now() + 60.0)
        desk.feeds["feed"].tell(Missed(57, "sequence 5 to 61"))
        await well(desk, 10.0)
        (gap,) = await gaps(desk)
        assert (gap.missed, gap.to_at is not None) == (57, True)


async def test_after_a_kill_the_gap_begins_where_the_store_ends(tmp_path: Path) -> None:
    """Not where the live values were last written down, which is done now and then only."""
    state, older = tmp_path / "state", tmp_path / "live"
    settings = {"sources": [fed("feed", "SPX", EVERY_S)], "symbols": [{"name": "SPX", "session": "always"}]}
    async with clocked(state, **settings) as desk:
        await well(desk, 10.0)
        parts_of(desk.engine).cache.save(older)
        await well(desk, 30.0)
        last_at = desk.clock.now() - EVERY_S
    older.replace(state / LIVE_NAME)
    async with clocked(state, last_at + 60.0, **settings) as desk:
        await well(desk, 10.0)
        (gap,) = await gaps(desk)
        assert gap.from_at == pytest.approx(last_at + EVERY_S, abs=1.0)
        assert (gap.missed, gap.reason) == (12, "no engine ran, or its source was not there")
