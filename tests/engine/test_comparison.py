"""Two sources of a symbol side by side at the same moment of the market: when they disagree, by which figures, and when no more."""

from pathlib import Path
from typing import Any

from clocked_desk import ClockedDesk, clocked, fed

from gexdesk.model.look.symbol import CompareLook
from gexdesk.model.symbol_view import CompareRow
from tests.moments.market import SPX

EVERY_S = 5.0
CLOSES_S = 30.0


def settings(**compare: float) -> dict[str, Any]:
    sources = [fed("first", "SPX", EVERY_S), fed("second", "SPX", EVERY_S), fed("third", "SPX", EVERY_S)]
    return {"sources": sources, "symbols": [{"name": "SPX", "session": "always", "compare": compare}]}


async def say(desk: ClockedDesk, seconds: float, *, spot: float = 1.0, tilt: float = 0.0, lag_s: float = 0.0) -> None:
    """Let all feeds send for a while; the second one's spot is so many times the true one, its net tilted, its stamps late."""
    at = began = desk.clock.now()
    while at < began + seconds - 0.5:
        second = SPX.gexbot(at - lag_s, numbers_of=at - lag_s, spot=round(SPX.spot_at(at - lag_s) * spot, 2), tilt=tilt)
        await desk.send(("first", SPX.gexbot(at)), ("second", second), ("third", SPX.gexbot(at)))
        at += EVERY_S
        await desk.until(at)


async def row(desk: ClockedDesk, name: str, other: str = "") -> CompareRow:
    seen = await desk.engine.look(CompareLook("SPX", other))
    return next(one for one in seen.rows if one.name == name)


async def test_a_spot_that_is_off_opens_disagree_with_its_figures_and_closes_when_it_is_right_again(tmp_path: Path) -> None:
    async with clocked(tmp_path / "state", **settings()) as desk:
        await say(desk, 20.0)
        seen = await desk.engine.look(CompareLook("SPX"))
        assert (seen.left, seen.right, seen.disagree, seen.text) == ("first", "second", False, "")
        assert [one.agrees for one in seen.rows if one.difference is not None] == [True] * 7
        assert desk.incidents("disagree") == []

        await say(desk, EVERY_S, spot=1.005)
        assert desk.incidents("disagree") == [], "one snapshot is no disagreement yet"
        await say(desk, 2 * EVERY_S, spot=1.005)
        (incident,) = desk.incidents("disagree")
        spot = await row(desk, "spot")
        assert spot.agrees is False
        assert spot.difference is not None
        assert abs(spot.difference - 0.005) < 0.0002
        assert incident.subject == "SPX"
        assert incident.text.startswith("first and second disagree: spot ")
        assert f"{spot.left:,.0f} / {spot.right:,.0f}, " in incident.text
        assert "net" not in incident.text, "what agrees is not named"
        shown = await desk.symbol("SPX")
        assert (shown.check, shown.check_text) == ("DISAGREE", incident.text)
        assert (await desk.engine.look(CompareLook("SPX"))).disagree
        assert (await row(desk, "spot", "third")).agrees, "it is those two"

        await say(desk, 2 * EVERY_S)
        assert (await desk.symbol("SPX")).check != "DISAGREE"
        assert (await row(desk, "spot")).agrees
        assert len(desk.incidents("disagree")) == 1, "not at the first agreement: it must stay so"
        await say(desk, CLOSES_S)
        assert desk.incidents("disagree") == []


async def test_net_disagrees_by_the_share_of_gross_that_the_settings_allow(tmp_path: Path) -> None:
    async with clocked(tmp_path / "usual", **settings()) as desk:
        await say(desk, 20.0, tilt=0.1)
        assert (await row(desk, "net_gex")).agrees
        assert desk.incidents("disagree") == []
    async with clocked(tmp_path / "strict", **settings(net=0.05)) as desk:
        await say(desk, 20.0, tilt=0.1)
        net = await row(desk, "net_gex")
        assert (net.agrees, net.tolerance) == (False, 0.05)
        (incident,) = desk.incidents("disagree")
        assert "net " in incident.text


async def test_the_same_moment_is_compared_and_age_is_a_row_not_a_disagreement(tmp_path: Path) -> None:
    async with clocked(tmp_path / "state", **settings(age_s=10.0, spot=0.0001)) as desk:
        # A spot moves by more in half a minute than it may be off: only the same moment can agree.
        await say(desk, 60.0, lag_s=30.0)
        assert (await row(desk, "spot")).agrees
        age = await row(desk, "age_s")
        assert (age.difference, age.agrees) == (-30.0, True)
        assert desk.incidents("disagree") == []
        await desk.until(desk.clock.now() + 301.0)
        seen = await desk.engine.look(CompareLook("SPX"))
        assert seen.rows == ()
        assert "given nothing for" in seen.text
