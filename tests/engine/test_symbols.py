"""Symbols as the configuration names them: their own multiplier and aliases, one live value each, sources never mixed."""

from dataclasses import replace
from pathlib import Path

import pytest
from clocked_desk import clocked, fed

from tests.moments.market import SPX, Ticker

XSP = Ticker("XSP", 600.0, 1.0)


async def test_a_symbol_s_multiplier_and_other_roots_are_its_settings(tmp_path: Path) -> None:
    sources = [fed("mini", "XSP", 5.0, delay_s=0.0), fed("full", "SPX", 5.0, delay_s=0.0)]
    symbols = [{"name": "XSP", "session": "always", "multiplier": 10, "aliases": ["NANX", "OLDX"]}]
    async with clocked(tmp_path / "state", sources=sources, symbols=symbols) as desk:
        at = desk.clock.now()
        await desk.send(("mini", XSP.cboe(at)), ("full", replace(XSP, symbol="SPX").cboe(at)))
        mini, full = desk.live("XSP").exposure, desk.live("SPX").exposure
        assert (mini.conventions.multiplier, full.conventions.multiplier) == (10.0, 100.0)
        assert mini.gross_gex == pytest.approx((full.gross_gex or 0.0) / 10, rel=0.01), "but for the hour at which each expires"
        # The root changes, and so does what the feed calls it: it stays the symbol that readers know.
        for number, root in enumerate(("NANX", "OLDX"), start=1):
            await desk.until(at + 5.0 * number)
            await desk.send(("mini", replace(XSP, symbol=root).cboe(at + 5.0 * number)))
            live = desk.live("XSP")
            assert (live.symbol, live.exposure.as_of, live.exposure.conventions.multiplier) == ("XSP", at + 5.0 * number, 10.0)
        assert {one.symbol for one in (await desk.engine.view()).symbols} == {"XSP", "SPX"}


async def test_the_newest_stamp_of_the_serving_source_is_live_and_no_other_source_is_mixed_in(tmp_path: Path) -> None:
    sources = [fed("first", "SPX", 5.0), fed("second", "SPX", 5.0)]
    async with clocked(tmp_path / "state", sources=sources, symbols=[{"name": "SPX", "session": "always"}]) as desk:
        at = desk.clock.now()
        await desk.send(("first", SPX.gexbot(at)))
        before = desk.live("SPX")
        await desk.until(at + 2.0)
        await desk.send(("second", SPX.gexbot(at + 2.0)))
        await desk.send(("first", SPX.gexbot(at - 5.0)))
        assert desk.live("SPX") == before, "another source's, though newer; and an older one of its own"
        await desk.send(("first", SPX.gexbot(at + 1.0)))
        live = desk.live("SPX")
        assert (live.source, live.exposure.as_of, live.revision) == ("first", at + 1.0, before.revision + 1)
        assert (live.delay_s, live.flags, live.exposure.quality > 0) == (0.0, (), True)
