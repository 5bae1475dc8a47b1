"""What stands until it is ended, and what is no fault: told to the next shift, and drawn as it is."""

from pathlib import Path

import pytest

from gexdesk.model.errors import LeverRefused
from gexdesk.model.lever import Verb
from gexdesk.model.look.handover import HandOverLook
from tests.engine.desk_setting import parts_of, pull
from tests.engine.test_failover import served
from tests.moments.market import SPX


async def test_a_fail_over_is_handed_over_and_taken_back(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, _):
        await pull(desk.engine, Verb.FAILOVER, "SPX", "feed lag", target_kind="symbol")
        seen = await desk.engine.look(HandOverLook())
        assert "1 fail-over" in seen.summary
        [one] = seen.standing
        assert (one.what, one.target, one.words, one.author, one.reason) == ("fail-over", "SPX", "from second", "jm", "feed lag")
        outcome = await pull(desk.engine, Verb.UNDO, "", "it is back")
        assert outcome.done
        assert parts_of(desk.engine).provision.serving.serving("SPX") == "first"
        assert (await desk.engine.look(HandOverLook())).standing == ()


async def test_the_kill_switch_is_no_undo(tmp_path: Path) -> None:
    """Whoever stops everything types the words for it."""
    async with served(tmp_path) as (desk, _):
        await pull(desk.engine, Verb.PAUSE_ALL)
        await pull(desk.engine, Verb.RESUME_ALL)
        with pytest.raises(LeverRefused, match="cannot be taken back"):
            await pull(desk.engine, Verb.UNDO, "", "oops")
        assert parts_of(desk.engine).standing.stopped is None


async def test_a_document_revised_under_its_stamp_is_no_fault(tmp_path: Path) -> None:
    """Feeds that stamp whole seconds revise themselves all day: said in the value's flags, and the symbol is well."""
    async with served(tmp_path) as (desk, _):
        now = desk.clock.now()
        await desk.send(("first", SPX.gexbot(now, numbers_of=now)))
        await desk.send(("first", SPX.gexbot(now, numbers_of=now + 1.0)))
        await desk.until(now + 1.0)
        assert "revised" in desk.live("SPX").flags
        [symbol] = (await desk.engine.view()).symbols
        assert (symbol.check, symbol.flags) == ("ok", ("revised",))
