"""Fail over by rule and back: a real engine, on a clock that the tests move."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from clocked_desk import BEGINS_AT, ClockedDesk, clocked, fed
from desk_setting import parts_of, pull

from gexdesk.engine.quarantine import GOOD_S
from gexdesk.engine.serving import OLDER, Served, market_at
from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.lever import Verb
from gexdesk.model.look.incident import EntryView, IncidentLook
from gexdesk.stores.base import LiveValue
from tests.moments.market import SPX

AFTER_S, CALM_S, EVERY_S = 20.0, 30.0, 5.0
STILL_AT = BEGINS_AT - 3.0
"""Whose numbers a frozen feed goes on to send."""

SYMBOL = {"name": "SPX", "session": "always", "failover_after_s": AFTER_S, "fail_back_after_s": CALM_S}


def sources() -> list[dict[str, object]]:
    return [fed("first", "SPX", EVERY_S), fed("second", "SPX", EVERY_S)]


async def both(desk: ClockedDesk, seconds: float, *, first: str = "well", second: str = "well") -> None:
    """Let both feeds send for a while: ``well``, ``frozen``, ``wrong`` (another symbol's spot), or ``silent``."""
    at = began = desk.clock.now()
    while at < began + seconds - 0.5:
        documents = []
        for source, how in (("first", first), ("second", second)):
            if how != "silent":
                numbers = STILL_AT if how == "frozen" else at
                documents.append((source, SPX.gexbot(at, numbers_of=numbers, spot=598.0 if how == "wrong" else None)))
        await desk.send(*documents)
        at += EVERY_S
        await desk.until(at)


@asynccontextmanager
async def served(tmp_path: Path, **symbol: object) -> AsyncIterator[tuple[ClockedDesk, list[LiveValue]]]:
    """Run a desk whose two feeds are well, with every notice that readers get."""
    async with clocked(tmp_path / "state", sources=sources(), symbols=[SYMBOL | symbol]) as desk:
        with parts_of(desk.engine).cache.subscribe() as notices:
            seen: list[LiveValue] = []

            async def read() -> None:
                async for value in notices:
                    seen.append(value)

            reading = asyncio.create_task(read())
            await both(desk, 20.0)
            assert desk.live("SPX").source == "first"
            yield desk, seen
            await desk.clock.settle()
            reading.cancel()
    older = [after for before, after in pairwise(seen) if market_at(after) < market_at(before) and OLDER not in after.flags]
    assert not older, "readers were given older data and not told"


async def rule_acts(desk: ClockedDesk) -> list[tuple[str, str]]:
    return [(line["before"], line["after"]) for line in await desk.engine.audit(50) if line["actor"] == "rule"]


async def timeline(desk: ClockedDesk, number: int) -> tuple[EntryView, ...]:
    """Return what is in an incident's timeline; nothing where there is none of that number."""
    try:
        return (await desk.engine.look(IncidentLook(number))).timeline
    except UnknownTarget:
        return ()


@pytest.mark.parametrize(
    ("how", "lacked_s", "word"),
    # The last good one of what falls silent came an interval before; the first with numbers that stand still was new once.
    [("silent", EVERY_S, "silent for"), ("frozen", 0.0, "the same numbers"), ("wrong", 0.0, "held back")],
)
async def test_what_is_ill_for_long_enough_is_served_by_the_standby_and_by_the_first_again_once_that_was_calm(
    tmp_path: Path, how: str, lacked_s: float, word: str
) -> None:
    async with served(tmp_path) as (desk, _):
        began = desk.clock.now()
        await both(desk, AFTER_S - lacked_s - EVERY_S, first=how)
        assert desk.live("SPX").source == "first"
        await both(desk, 4 * EVERY_S, first=how)
        value, view = desk.live("SPX"), await desk.symbol("SPX")
        assert (value.source, view.serving, view.standby) == ("second", "second", "first")
        assert "rule" in view.failed_over
        assert word in view.failed_over
        over = parts_of(desk.engine).provision.serving.failed_over("SPX")
        assert over is not None
        assert AFTER_S <= over.since - began + lacked_s <= AFTER_S + 2.0, "it counts from the last good data"
        assert await rule_acts(desk) == [("first", "second")]
        told = [entry for number in (1, 2) for entry in await timeline(desk, number) if entry.what == "failover"]
        assert [(entry.who, entry.text.partition(" (")[0]) for entry in told][:1] == [("rule", "SPX: first -> second")]

        back = desk.clock.now()
        await both(desk, CALM_S - EVERY_S)
        assert desk.live("SPX").source == "second", "it must be well for a while"
        await both(desk, 3 * EVERY_S)
        value, view = desk.live("SPX"), await desk.symbol("SPX")
        assert (value.source, view.serving, view.failed_over) == ("first", "first", "")
        assert value.available_at - back >= CALM_S
        assert await rule_acts(desk) == [("second", "first"), ("first", "second")]


@pytest.mark.parametrize(("how", "known_after_s"), [("silent", 15.0), ("frozen", 15.0)])
async def test_nothing_is_failed_over_before_it_is_known_to_be_ill(tmp_path: Path, how: str, known_after_s: float) -> None:
    async with served(tmp_path, failover_after_s=2.0) as (desk, _):
        good_at = desk.clock.now() - (EVERY_S if how == "silent" else 0.0)
        await both(desk, 30.0, first=how)
        over = parts_of(desk.engine).provision.serving.failed_over("SPX")
        assert over is not None
        assert known_after_s <= over.since - good_at <= known_after_s + 2.0


async def test_an_illness_that_becomes_another_counts_from_the_first_and_what_is_held_from_its_beginning(tmp_path: Path) -> None:
    async with served(tmp_path, failover_after_s=60.0) as (desk, _):
        began = desk.clock.now()
        await both(desk, 30.0, first="frozen")
        await both(desk, 45.0, first="silent")
        over = parts_of(desk.engine).provision.serving.failed_over("SPX")
        assert over is not None
        assert 60.0 <= over.since - began <= 62.0
    async with served(tmp_path / "held", failover_after_s=400.0) as (desk, _):
        began = desk.clock.now()
        await both(desk, 415.0, first="wrong")
        over = parts_of(desk.engine).provision.serving.failed_over("SPX")
        assert over is not None, "more were held than are remembered one by one"
        assert 400.0 <= over.since - began <= 402.0


async def test_neither_a_pause_nor_what_an_operator_chose_counts_as_time_without_data(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        await pull(desk.engine, Verb.PAUSE, "first", "the vendor works on it")
        await both(desk, 60.0, first="silent")
        await pull(desk.engine, Verb.RESUME, "first")
        resumed = desk.clock.now()
        await both(desk, AFTER_S - EVERY_S, first="silent")
        assert desk.live("SPX").source == "first"
        await both(desk, 2 * EVERY_S, first="silent")
        over = parts_of(desk.engine).provision.serving.failed_over("SPX")
        assert over is not None
        assert AFTER_S <= over.since - resumed <= AFTER_S + 2.0
        await pull(desk.engine, Verb.FAILOVER, "SPX", "its last value is the better one", target_kind="symbol")
        await both(desk, AFTER_S - EVERY_S, first="silent")
        assert desk.live("SPX").source == "first", "the rule leaves an operator the time it has itself"
        await both(desk, 2 * EVERY_S, first="silent")
        assert desk.live("SPX").source == "second"


async def test_what_a_rule_settles_of_what_was_held_back_is_in_the_audit(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        await both(desk, EVERY_S, first="wrong")
        assert len(parts_of(desk.engine).provision.quarantine.cases()) == 1
        await both(desk, GOOD_S + 2 * EVERY_S)
        acts = [line for line in await desk.engine.audit(50) if line["target"] == "quarantine 1"]
        assert [(line["actor"], line["act"], line["after"]) for line in acts] == [("rule", "refuse", "refused")]
        assert "nobody settled it" in acts[0]["reason"]


async def test_a_change_that_the_fleet_refuses_is_told_and_tried_again_and_stops_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        parts, refusing = parts_of(desk.engine), True

        async def share(symbol: str, served: Served) -> None:
            if refusing:
                raise LeverRefused(f"{symbol} was changed by kl on other just now; nothing was done, look again")

        parts.provision.serving.shares(share)
        await both(desk, 10.0 + AFTER_S + 4 * EVERY_S, first="silent")
        assert not desk.engine.stopping.is_set(), desk.engine.fault
        assert desk.live("SPX").source == "first"
        assert any("changed by kl on other" in line.text for line in parts.chronicle.lines())
        tried = [line["act"] for line in await desk.engine.audit(50) if line["actor"] == "rule"]
        assert tried == ["failover failed", "failover"] * 2, "once each time that the settings ask for, not each second"
        refusing = False
        await both(desk, AFTER_S + 4 * EVERY_S, first="silent")
        assert desk.live("SPX").source == "second"


async def test_a_calm_that_is_broken_begins_anew(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        await both(desk, 50.0, first="silent")
        for _ in range(3):
            await both(desk, CALM_S - 4 * EVERY_S)
            await both(desk, 4 * EVERY_S, first="silent")
        assert desk.live("SPX").source == "second"
        assert await rule_acts(desk) == [("first", "second")]


async def test_whoever_pauses_what_serves_is_told_what_else_could(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        asked = await pull(desk.engine, Verb.PAUSE, "first", dry_run=True)
        assert asked.costs == "readers keep the last value; fail-over serves SPX from second"
        asked = await pull(desk.engine, Verb.PAUSE, "second", dry_run=True)
        assert asked.costs == "readers keep the last value", "it serves nothing"


async def test_a_standby_that_is_ill_itself_is_not_failed_over_to(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        await both(desk, 90.0, first="silent", second="silent")
        assert (desk.live("SPX").source, await rule_acts(desk)) == ("first", [])
        await both(desk, 15.0, first="silent")
        assert desk.live("SPX").source == "second", "once it is well again it is"


async def test_what_an_operator_chose_no_rule_takes_back_and_without_the_setting_there_is_no_rule(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        await pull(desk.engine, Verb.FAILOVER, "SPX", "a look at it", target_kind="symbol")
        await both(desk, 2 * CALM_S)
        assert (desk.live("SPX").source, await rule_acts(desk)) == ("second", [])
    async with served(tmp_path / "other", failover_after_s=None) as (desk, _):
        await both(desk, 60.0, first="silent")
        assert (desk.live("SPX").source, await rule_acts(desk)) == ("first", [])


async def test_older_data_says_so_until_readers_have_what_they_had(tmp_path: Path) -> None:
    delayed = fed("second", "SPX", EVERY_S, delay_s=30.0)
    settings = {"sources": [sources()[0], delayed], "symbols": [SYMBOL | {"failover_after_s": 5.0}]}
    async with clocked(tmp_path / "state", **settings) as desk:
        await both(desk, 20.0)
        had, later = market_at(desk.live("SPX")), []
        with parts_of(desk.engine).cache.subscribe() as notices:
            await both(desk, 70.0, first="silent")
            while not notices._waiting.empty():
                later.append(await anext(notices))
        older = [value for value in later if market_at(value) < had]
        assert len(older) >= 2
        assert all(value.source == "second" and OLDER in value.flags for value in older)
        assert all(OLDER not in value.flags for value in later if market_at(value) >= had)
        assert market_at(desk.live("SPX")) > had


async def test_one_stamp_ahead_is_neither_kept_for_a_fail_over_nor_ahead_of_its_successors_in_the_queue(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        parts, at = parts_of(desk.engine), desk.clock.now()
        await desk.send(("second", SPX.gexbot(at + 3_000.0, numbers_of=at)))
        await desk.until(at + EVERY_S)
        await both(desk, 10.0)
        offer = parts.provision.serving.offered("SPX", "second")
        assert offer is not None
        assert offer.value.exposure.as_of == pytest.approx(at + 2 * EVERY_S, abs=1.0), "what a fail-over gives is the newest"
        await parts.queue.stop_all(True)
        at = desk.clock.now()
        await desk.feeds["second"].give(SPX.gexbot(at + 3_000.0, numbers_of=at))
        await desk.until(at + EVERY_S)
        await desk.feeds["second"].give(SPX.gexbot(at + EVERY_S))
        jobs = ()
        for _ in range(5_000):
            await desk.clock.advance(0.01)
            jobs = sorted(await parts.queue.jobs_of("second"), key=lambda job: job.received_at)
            if len(jobs) == 2:
                break
        assert [job.superseded for job in jobs] == [True, False]
        await parts.queue.stop_all(False)


async def test_after_one_stamp_ahead_a_source_that_freezes_is_still_seen_to(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        at = desk.clock.now()
        await desk.send(("first", SPX.gexbot(at + 3_000.0, numbers_of=at)))
        await desk.until(at + EVERY_S)
        await both(desk, 10.0)
        assert desk.live("SPX").source == "first"
        await both(desk, AFTER_S + 30.0, first="frozen")
        assert desk.live("SPX").source == "second"
        assert "the same numbers" in (await desk.symbol("SPX")).failed_over
