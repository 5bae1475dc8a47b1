"""Pictures of the desk: SVG snapshots, and the one that the README shows."""

import pytest
from desk_pilot import Hand
from fake_desk import FakeDesk, a_view
from textual.pilot import Pilot

from gexdesk.tui.app import DeskApp
from gexdesk.tui.picture import picture


@pytest.mark.parametrize(
    ("size", "keys", "theme"),
    [
        pytest.param((80, 24), (), "desk-dark", id="80x24"),
        pytest.param((160, 48), (), "desk-dark", id="160x48"),
        pytest.param((120, 40), (), "desk-light", id="120x40-light"),
        pytest.param((80, 24), ("down", "plus", "down"), "desk-dark", id="80x24-promote"),
        pytest.param((160, 48), ("down", "space", "space", "plus"), "desk-contrast", id="160x48-marked-contrast"),
        pytest.param((80, 24), ("colon", "f", "a"), "desk-safe", id="80x24-command-safe"),
        pytest.param((80, 24), ("question_mark",), "desk-dark", id="80x24-help"),
    ],
)
def test_the_desk_looks_as_it_did(snap_compare, size: tuple[int, int], keys: tuple[str, ...], theme: str) -> None:
    desk = FakeDesk(a_view(mode="sample", replay_position="replay 4x"))

    async def connect() -> FakeDesk:
        return desk

    app = DeskApp(connect, sample=True, operator="jm", clock=Hand(), theme=theme)

    async def ready(pilot: Pilot[int]) -> None:
        while app.sight.newest is None:
            await pilot.pause(0.005)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        app.main.paint_all()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=ready)


async def test_a_picture_is_svg_of_the_view_at_the_size() -> None:
    svg = await picture(a_view(), 120, 40)
    assert svg.startswith("<svg")
    assert "cboe-qqq" in svg
    assert "NEEDS" in svg
    small = await picture(a_view(), 80, 24)
    assert svg.count("<text") > small.count("<text")
