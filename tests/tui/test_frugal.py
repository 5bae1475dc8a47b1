"""What is written to the terminal for a small change, which rests on private names of Textual."""

from desk_pilot import WIDE, seated
from fake_desk import FakeDesk, a_view
from textual.geometry import Region

from gexdesk.tui.frugal import FrugalCompositor, SpansUpdate


async def test_a_change_at_the_right_edge_sends_only_itself() -> None:
    async with seated(FakeDesk(a_view()), WIDE) as seat:
        compositor = seat.app.main._compositor
        assert isinstance(compositor, FrugalCompositor)
        compositor._dirty_regions.clear()
        compositor._dirty_regions.add(Region(146, 0, 4, 1))
        update = compositor.render_partial_update()
        assert isinstance(update, SpansUpdate)
        sent = update.render_segments(seat.app.console)
        shown = seat.text("status").splitlines()[0][146:150]
        assert sent == f"\x1b[1;147H{shown}"


async def test_a_span_over_two_panes_sends_its_part_of_each() -> None:
    async with seated(FakeDesk(a_view()), WIDE) as seat:
        regions = {name: seat.app.main.panes[name].region for name in ("waiting", "latency")}
        y, x = regions["waiting"].y, regions["latency"].x
        compositor = seat.app.main._compositor
        compositor._dirty_regions.clear()
        compositor._dirty_regions.add(Region(x - 10, y, 20, 1))
        update = compositor.render_partial_update()
        assert update is not None
        sent = update.render_segments(seat.app.console)
        assert "2 RECEIPT " in sent
        assert "2 RECEIPT T" not in sent
        assert "WAITING" not in sent
