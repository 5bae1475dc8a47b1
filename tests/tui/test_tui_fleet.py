"""What needs somebody on another engine of a fleet: seen on this desk, read and acted on through it."""

from typing import Any

import pytest
from desk_pilot import NARROW, Seat, seated
from fake_desk import AT, a_view
from test_tui_pages import Asking, answered, in_front, text

from gexdesk.model.lever import Verb
from gexdesk.model.look.incident import IncidentLook, IncidentSeen
from gexdesk.model.look.machine import MachineLook
from gexdesk.model.look.symbol import QuarantineLook
from gexdesk.model.view.engine import EngineView
from gexdesk.model.view.incident import IncidentView
from gexdesk.tui import figures

HERE, THERE = "desk1-0a0a0a0a0a0a", "desk2-0b0b0b0b0b0b"
ENGINES = (
    EngineView(HERE, "desk1", 4711, AT - 690.0, AT - 0.4, 4, 6, (), 4021, 12, 3790, 1, 30),
    EngineView(THERE, "desk2", 99, AT - 9000.0, AT - 0.3, 4, 31, (), 800, 0, 700, 0, 0, this=False),
)


def an_incident(number: int, kind: str = "feed_silent", **changes: Any) -> IncidentView:
    return IncidentView(number, 2, "NDX", "nothing came for 40 s", AT - 40.0, None, "the vendor", kind, **changes)


def a_fleet(*incidents: IncidentView) -> Asking:
    desk = Asking(a_view(incidents=incidents, engines=ENGINES))
    desk.answers[IncidentLook] = IncidentSeen(incidents[-1], (), (), "")
    return desk


async def on_the_foreign_row(seat: Seat) -> None:
    await seat.press("i")
    await answered(seat)
    await seat.press("end")
    await answered(seat)
    assert seat.app.screen.incidents.under_cursor.engine == THERE


@pytest.mark.parametrize("size", [(160, 48), NARROW])
async def test_an_incident_of_another_engine_stands_among_those_of_this_one_and_names_it(size: tuple[int, int]) -> None:
    async with seated(a_fleet(an_incident(4), an_incident(4, engine=THERE)), size) as seat:
        await seat.beat()
        rows = seat.text("needs").splitlines()
        assert "2 open" in rows[0]
        assert "@" not in rows[1]
        assert rows[2].split()[:4] == ["!!", "4", "NDX", "@desk2"]


async def test_it_is_read_seen_taken_and_noted_there() -> None:
    desk = a_fleet(an_incident(4), an_incident(4, engine=THERE))
    async with seated(desk) as seat:
        await on_the_foreign_row(seat)
        assert [q.engine for q in desk.questions if isinstance(q, IncidentLook)][-1] == THERE
        assert [(lever.verb, lever.target, lever.engine) for lever in desk.pulled][-1] == (Verb.SEE, "4", THERE)
        await seat.press("a")
        await seat.press("n")
        await seat.type("vendor called")
        await seat.press("enter")
        await answered(seat)
        sent = [(lever.verb, lever.target, lever.engine, lever.text) for lever in desk.pulled if lever.verb is not Verb.SEE]
        assert sent == [(Verb.TAKE, "4", THERE, ""), (Verb.NOTE, "4", THERE, "vendor called")]
        await seat.press("s")
        assert f"#4 NDX on {THERE}" in seat.app.screen.dialog.text


async def test_enter_asks_the_engine_that_has_it_and_the_page_says_whose_it_is() -> None:
    desk = a_fleet(an_incident(3), an_incident(4, "quarantine", engine=THERE))
    async with seated(desk) as seat:
        await on_the_foreign_row(seat)
        await seat.press("enter")
        await answered(seat)
        assert in_front(seat) == "quarantine"
        assert [(q.symbol, q.engine) for q in desk.questions if isinstance(q, QuarantineLook)][-1] == ("NDX", THERE)
        await seat.beat()
        assert "OF desk2" in seat.app.screen.status.text
        await seat.press("J")
        await seat.type("wrong unit")
        await seat.press("enter")
        await answered(seat)
        assert (desk.pulled[-1].verb, desk.pulled[-1].engine) == (Verb.REFUSE, THERE)
        await seat.press("escape", "escape")
        await answered(seat)
        assert "OF desk2" not in seat.app.screen.status.text


async def test_the_bell_rings_for_each_engines_own_number() -> None:
    desk = a_fleet(an_incident(4))
    rung = 0
    async with seated(desk) as seat:

        def bell() -> None:
            nonlocal rung
            rung += 1

        seat.app.bell = bell  # type: ignore[method-assign]
        desk.push(a_view(sequence=2, incidents=(an_incident(4), an_incident(4, engine=THERE)), engines=ENGINES))
        await seat.beat()
        assert rung == 1


async def test_the_engines_page_counts_what_needs_somebody_and_opens_any_of_them() -> None:
    desk = a_fleet(an_incident(4, engine=THERE), an_incident(5, engine=THERE))
    async with seated(desk) as seat:
        await seat.press("e")
        await answered(seat)
        page = seat.app.screen
        assert [page.engines.cells(name)[4][0] for name in (HERE, THERE)] == ["0", "2"]
        await seat.press("down")
        await answered(seat)
        assert "of a core" in text(page, "about")
        await seat.press("enter")
        await answered(seat)
        assert in_front(seat) == "engineering"
        assert [q.engine for q in desk.questions if isinstance(q, MachineLook)][-1] == THERE


async def test_a_command_takes_one_by_its_name() -> None:
    desk = a_fleet(an_incident(4), an_incident(4, engine=THERE))
    async with seated(desk) as seat:
        await seat.press("colon")
        await seat.type(f"take {THERE}#4")
        await seat.press("enter")
        await answered(seat)
        assert [(lever.target, lever.engine) for lever in desk.pulled] == [("4", THERE)]


@pytest.mark.parametrize(
    ("name", "among", "short"),
    [
        (THERE, (HERE, THERE), "desk2"),
        ("vm-0a0a0a0a0a0a", ("vm-0a0a0a0a0a0a", "vm-0b0b0b0b0b0b"), "vm-0a0a"),
        ("gex-desk-2-0a0a0a0a0a0a", (HERE,), "gex-desk-2"),
        ("e2", ("e1", "e2"), "e2"),
    ],
)
def test_an_engine_is_named_by_its_host_where_that_is_enough(name: str, among: tuple[str, ...], short: str) -> None:
    assert figures.engine(name, among) == short
