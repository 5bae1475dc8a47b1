"""What is held back and goes on: released by rule where something beside its going on speaks for it, and never else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from clocked_desk import ClockedDesk, clocked, fed
from desk_setting import rows

from gexdesk.model.look.symbol import QuarantineLook
from gexdesk.model.symbol_view import QuarantineCase
from tests.moments.market import Ticker

EVERY_S = 10.0
WIDE = Ticker("SPX", 6_000.0, 100.0, 400.0)
MOVED = replace(WIDE, spot=6_250.0)
"""The market went by four per cent between two snapshots, and the strikes followed."""

SCALED = replace(WIDE, size=4_000.0)
"""The vendor counts ten times as much."""

SYMBOL = {"name": "SPX", "session": "always"}


async def say(desk: ClockedDesk, count: int, **tickers: Ticker) -> None:
    """Let feeds send so many documents each."""
    at = desk.clock.now()
    for _ in range(count):
        await desk.send(*((source, ticker.gexbot(at)) for source, ticker in tickers.items()))
        at += EVERY_S
        await desk.until(at)


async def cases(desk: ClockedDesk, *, settled: bool = False) -> tuple[QuarantineCase, ...]:
    return (await desk.engine.look(QuarantineLook(settled=settled))).cases


def desk_of(state: Path, *names: str) -> Any:
    return clocked(state, sources=[fed(name, "SPX", EVERY_S) for name in names], symbols=[SYMBOL])


async def test_a_move_whose_inputs_are_whole_is_released_after_five_and_half_a_minute(tmp_path: Path) -> None:
    async with desk_of(tmp_path / "state", "feed") as desk:
        await say(desk, 4, feed=WIDE)
        good = desk.live("SPX").exposure
        await say(desk, 4, feed=MOVED)
        assert desk.live("SPX").exposure == good, "the last good value stays"
        assert "newer_held_back" in desk.live("SPX").flags
        (case,) = await cases(desk)
        assert (case.count, case.state) == (4, "held")
        assert case.suspect.spot is not None
        assert case.good is not None
        assert case.suspect.spot > 6_200 > (case.good.spot or 0.0)
        await say(desk, 1, feed=MOVED)
        live = desk.live("SPX")
        assert (live.exposure.spot or 0.0) > 6_200
        assert live.flags[0] == "released_by_rule"
        (case,) = await cases(desk, settled=True)
        assert (case.state, case.settled_by) == ("released", "rule")
        assert "5 snapshots over 40 s agree, and their inputs are whole" in case.settled_reason
        await say(desk, 2, feed=MOVED)
        assert desk.live("SPX").flags == (), "the new level is what the next are judged by"
        await desk.stored()
    stored = rows("SELECT quarantined, count(*) AS n FROM snapshots GROUP BY ALL ORDER BY 1", tmp_path / "state")
    assert [(row["quarantined"], row["n"]) for row in stored] == [(False, 7), (True, 4)]


async def test_a_wrong_spot_over_strikes_that_stay_is_never_released_by_going_on(tmp_path: Path) -> None:
    async with desk_of(tmp_path / "state", "feed") as desk:
        await say(desk, 4, feed=WIDE)
        good = desk.live("SPX").exposure
        at = desk.clock.now()
        for number in range(12):
            await desk.send(("feed", WIDE.gexbot(at, spot=6_250.0 + number)))
            at += EVERY_S
            await desk.until(at)
        assert desk.live("SPX").exposure == good
        (case,) = await cases(desk)
        assert (case.state, case.count) == ("held", 12)


async def test_what_no_market_does_needs_another_source_that_says_the_same(tmp_path: Path) -> None:
    async with desk_of(tmp_path / "state", "feed", "second") as desk:
        await say(desk, 4, feed=WIDE)
        good = desk.live("SPX").exposure
        await say(desk, 8, feed=SCALED)
        assert desk.live("SPX").exposure == good, "a power of ten goes on, and that proves nothing"
        await say(desk, 1, second=SCALED)
        await say(desk, 1, feed=SCALED)
        assert desk.live("SPX").exposure.gross_gex == max(good.gross_gex or 0.0, desk.live("SPX").exposure.gross_gex or 0.0)
        assert "released_by_rule" in desk.live("SPX").flags
        (case,) = await cases(desk, settled=True)
        assert (case.settled_by, case.state) == ("rule", "released")
        assert "second says the same" in case.settled_reason


async def test_what_is_right_again_passes_and_the_case_is_refused_after_a_while(tmp_path: Path) -> None:
    async with desk_of(tmp_path / "state", "feed") as desk:
        await say(desk, 4, feed=WIDE)
        await say(desk, 2, feed=SCALED)
        await say(desk, 3, feed=WIDE)
        assert desk.live("SPX").flags == ()
        assert [case.state for case in await cases(desk)] == ["held"]
        await desk.until(desk.clock.now() + 310.0)
        (case,) = await cases(desk, settled=True)
        assert (case.state, case.settled_by) == ("refused", "rule")
        assert "good again for" in case.settled_reason


async def test_a_payload_of_many_that_are_held_back_is_told_in_one_line(tmp_path: Path) -> None:
    async with desk_of(tmp_path / "state", "feed") as desk:
        await say(desk, 4, feed=WIDE)
        at = desk.clock.now()
        day = [WIDE.gexbot(at - 9.0 + 0.4 * number, spot=6_250.0 + number) for number in range(20)]
        await desk.send(("feed", b"\n".join(day)))
        await desk.until(at + EVERY_S)
        (case,) = await cases(desk)
        assert (case.state, case.count) == ("held", 20)
        told = [line.text for line in (await desk.engine.view()).log if "held back" in line.text and line.kind == "source"]
    [line] = told
    assert line.startswith("SPX of feed held back (20 snapshots of this payload; of the last): ")
