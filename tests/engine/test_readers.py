"""What readers really have: what the checks stop never reaches them, and another source serves a symbol when asked to."""

from pathlib import Path

import pytest
from desk_setting import drop, engine_on, folder_source, gexbot_at, parts_of, pull

from gexdesk.engine.engine import Engine
from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.lever import Verb
from gexdesk.model.look.symbol import CompareLook, GapsLook, QuarantineLook, SymbolLook
from gexdesk.model.view.symbol import SymbolView
from gexdesk.settings.desk import Settings
from tests.until import until


def two_feeds(tmp_path: Path) -> Settings:
    """Return a desk on which a delayed feed stands by for SPX, and nothing brings VIX."""
    return Settings.model_validate({
        "state": tmp_path / "state",
        "sources": [
            folder_source("fast", tmp_path / "fast", symbols=["SPX"]),
            folder_source("late", tmp_path / "late", symbols=["SPX"], delay_s=900.0),
        ],
        "symbols": [{"name": "SPX", "readers": ["pit-spx"], "aliases": ["SPXW"]}, {"name": "VIX"}],
    })  # fmt: skip


async def symbol(engine: Engine, name: str = "SPX") -> SymbolView:
    return next(one for one in (await engine.view()).symbols if one.symbol == name)


async def shows(engine: Engine, spot: float) -> bool:
    return (await symbol(engine)).spot == spot


async def twice(engine) -> bool:  # type: ignore[no-untyped-def]
    return (await engine.look(QuarantineLook())).cases[0].count == 2


async def test_a_wrong_spot_is_held_back_shown_beside_the_good_one_and_released(tmp_path: Path) -> None:
    async with engine_on(two_feeds(tmp_path)) as engine:
        drop(tmp_path / "fast", "1.json", gexbot_at(3.0, "SPXW", spot=6000.0))
        await until(lambda: shows(engine, 6000.0))
        drop(tmp_path / "fast", "2.json", gexbot_at(1.0, spot=600.0))

        async def held() -> bool:
            return (await symbol(engine)).check == "QUARANTINE"

        await until(held)
        seen = await engine.look(SymbolLook("SPXW"))
        assert (seen.symbol, seen.exposure.spot if seen.exposure else None) == ("SPX", 6000.0)
        assert "newer_held_back" in seen.flags
        assert [row.strike for row in seen.strikes] == [5990.0, 6010.0]
        (case,) = (await engine.look(QuarantineLook())).cases
        assert (case.suspect.spot, case.good.spot if case.good else None, case.live_source) == (600.0, 6000.0, "fast")
        assert (case.readers, case.state, case.findings[0].found) == (("pit-spx",), "held", 600.0)
        with pytest.raises(LeverRefused, match="changed"):
            await pull(engine, Verb.RELEASE, str(case.number), target_kind="quarantine", seen_revision=case.revision - 1)
        assert (await pull(engine, Verb.RELEASE, str(case.number), target_kind="quarantine", dry_run=True)).done is False
        assert await shows(engine, 6000.0)
        drop(tmp_path / "fast", "3.json", gexbot_at(0.5, spot=6001.0))
        await until(lambda: shows(engine, 6001.0))
        (case,) = (await engine.look(QuarantineLook())).cases
        assert (case.live.spot if case.live else None, case.good.spot if case.good else None) == (6001.0, 6000.0), "now, and then"
        drop(tmp_path / "fast", "4.json", gexbot_at(0.1, spot=600.0))
        await until(lambda: twice(engine))
        (case,) = (await engine.look(QuarantineLook())).cases
        agreed = await pull(engine, Verb.RELEASE, str(case.number), target_kind="quarantine", dry_run=True)
        assert "the newest of 2 snapshots is released, those before it stay apart" in agreed.costs

        async def still() -> list[str]:
            return [i.kind for i in (await engine.view()).incidents if i.closed_at is None]

        await until(still)
        assert await still() == ["quarantine"]
        parts_of(engine).ledger["fast"].runs_on = "desk2"  # as where another engine of the fleet took it over
        agreed = await pull(engine, Verb.RELEASE, str(case.number), target_kind="quarantine", dry_run=True)
        assert "desk2 runs fast now and judges it by its own: what it holds back is released there" in agreed.costs

        async def left_to_that_one() -> bool:
            return not await still()

        await until(left_to_that_one)
        parts_of(engine).ledger["fast"].runs_on = ""
        await pull(engine, Verb.RELEASE, str(case.number), "a split", target_kind="quarantine")
        await until(lambda: shows(engine, 600.0))
        settled = (await engine.look(QuarantineLook(settled=True))).cases[0]
        assert settled.live is not None
        assert settled.live.spot in (600.0, 6001.0)
        assert (await engine.look(QuarantineLook())).cases == ()
        assert (await engine.look(QuarantineLook(settled=True))).cases[0].settled_by == "jm"
        with pytest.raises(LeverRefused, match="already"):
            await pull(engine, Verb.REFUSE, str(case.number), target_kind="quarantine")


async def test_a_case_that_grows_while_it_is_looked_at_can_be_released_and_one_that_changes_is_not(tmp_path: Path) -> None:
    async with engine_on(two_feeds(tmp_path)) as engine:
        drop(tmp_path / "fast", "0.json", gexbot_at(9.0, spot=6000.0))
        await until(lambda: shows(engine, 6000.0))
        seen = []
        for number, spot in enumerate((600.0, 601.0, 60.0, 60.5), 1):
            drop(tmp_path / "fast", f"{number}.json", gexbot_at(8.0 - number, spot=spot))

            async def grown(number: int = number) -> bool:
                cases = (await engine.look(QuarantineLook())).cases
                return bool(cases) and cases[0].count == number

            await until(grown)
            (case,) = (await engine.look(QuarantineLook())).cases
            seen.append(case.revision)
        assert seen[0] == seen[1] < seen[2] == seen[3]
        with pytest.raises(LeverRefused, match="look again"):
            await pull(engine, Verb.RELEASE, str(case.number), target_kind="quarantine", seen_revision=seen[1])
        await pull(engine, Verb.RELEASE, str(case.number), "a split", target_kind="quarantine", seen_revision=seen[2])
        await until(lambda: shows(engine, 60.5))


async def test_what_is_released_behind_newer_good_data_is_no_measure_of_what_comes_next(tmp_path: Path) -> None:
    async with engine_on(two_feeds(tmp_path)) as engine:
        drop(tmp_path / "fast", "1.json", gexbot_at(5.0, spot=6000.0))
        await until(lambda: shows(engine, 6000.0))
        drop(tmp_path / "fast", "2.json", gexbot_at(4.0, spot=600.0))

        async def held() -> bool:
            return bool((await engine.look(QuarantineLook())).cases)

        await until(held)
        drop(tmp_path / "fast", "3.json", gexbot_at(3.0, spot=6001.0))
        await until(lambda: shows(engine, 6001.0))
        (case,) = (await engine.look(QuarantineLook())).cases
        outcome = await pull(engine, Verb.RELEASE, str(case.number), "a test", target_kind="quarantine")
        assert "readers have something newer" in outcome.helps
        drop(tmp_path / "fast", "4.json", gexbot_at(2.0, spot=6002.0))
        await until(lambda: shows(engine, 6002.0))
        assert (await engine.look(QuarantineLook())).cases == ()


async def test_fail_over_serves_the_standby_at_once_and_says_that_its_data_is_older(tmp_path: Path) -> None:
    settings = two_feeds(tmp_path)
    async with engine_on(settings) as engine:
        drop(tmp_path / "late", "1.json", gexbot_at(60.0, spot=5990.0))
        drop(tmp_path / "fast", "1.json", gexbot_at(2.0, spot=6000.0))
        await until(lambda: shows(engine, 6000.0))

        await until(lambda: standing_by(engine))
        view = await symbol(engine)
        assert (view.serving, view.standby, view.standby_delay_s, view.readers) == ("fast", "late", 900.0, ("pit-spx",))
        outcome = await pull(engine, Verb.FAILOVER, "SPX", target_kind="symbol", dry_run=True, seen_revision=view.revision)
        assert (outcome.before, outcome.after) == ("fast", "late")
        assert "goes back" in outcome.costs
        assert "15 minutes" in outcome.costs
        await pull(engine, Verb.FAILOVER, "SPX", "fast is frozen", target_kind="symbol", seen_revision=view.revision)
        await until(lambda: shows(engine, 5990.0), limit_s=5.0)
        after = await symbol(engine)
        assert (after.served_by, after.delay_s, after.flags) == ("late", 900.0, ("older_data",))
        assert "jm: fast is frozen" in after.failed_over
        with pytest.raises(LeverRefused, match="changed by jm"):
            await pull(engine, Verb.FAILOVER, "SPX", target_kind="symbol", to="fast", seen_revision=view.revision)
        with pytest.raises(LeverRefused, match="does not bring"):
            await pull(engine, Verb.FAILOVER, "SPX", target_kind="symbol", to="other")
        assert (await engine.look(CompareLook("SPX"))).left == "late"
    async with engine_on(settings) as engine:
        assert (await symbol(engine)).serving == "late", "a restart changes nothing for readers"


async def test_each_strike_tells_its_change_since_the_snapshot_before_of_the_same_source(tmp_path: Path) -> None:
    async with engine_on(two_feeds(tmp_path)) as engine:
        drop(tmp_path / "fast", "1.json", gexbot_at(4.0, spot=6000.0))
        await until(lambda: shows(engine, 6000.0))
        first = await engine.look(SymbolLook("SPX"))
        assert [row.net_gex_change for row in first.strikes] == [None, None]
        drop(tmp_path / "fast", "2.json", gexbot_at(2.0, spot=6001.0, net=14.75))
        await until(lambda: shows(engine, 6001.0))
        seen = await engine.look(SymbolLook("SPX"))
        assert seen.previous is not None
        assert seen.exposure is not None
        changes = [row.net_gex_change or 0.0 for row in seen.strikes]
        assert changes == pytest.approx([now.net_gex - was.net_gex for now, was in zip(seen.strikes, first.strikes, strict=True)])
        assert sum(changes) == pytest.approx(seen.exposure.net_gex - seen.previous.net_gex)
        assert min(changes) > 0
        drop(tmp_path / "late", "1.json", gexbot_at(3.0, spot=6002.0))
        await until(lambda: standing_by(engine))
        await pull(engine, Verb.FAILOVER, "SPX", "fast is frozen", target_kind="symbol")
        await until(lambda: shows(engine, 6002.0))
        other = await engine.look(SymbolLook("SPX"))
        assert [row.net_gex_change for row in other.strikes] == [None, None], "another source's numbers are no change"


async def standing_by(engine: Engine) -> bool:
    return (await symbol(engine)).standby_as_of is not None


async def test_what_is_expected_is_shown_though_nothing_brings_it(tmp_path: Path) -> None:
    async with engine_on(two_feeds(tmp_path)) as engine:
        vix = await symbol(engine, "VIX")
        assert (vix.check, vix.expected, vix.as_of, vix.served_by) == ("MISSING", True, None, "")
        assert (await engine.look(GapsLook())).gaps == ()
        with pytest.raises(UnknownTarget):
            await engine.look(SymbolLook("NOPE"))
        with pytest.raises(LeverRefused, match="no second source"):
            await pull(engine, Verb.FAILOVER, "VIX", target_kind="symbol")
        with pytest.raises(UnknownTarget):
            await pull(engine, Verb.BACKFILL, "12345678", target_kind="gap")
