"""A fail-over is to the source that was chosen, by name, also when somebody else was there first."""

from dataclasses import replace

import pytest
from desk_pilot import seated
from fake_desk import AT, FakeDesk, a_source, a_symbol, a_view

from gexdesk.model.lever import LeverOutcome, Verb
from gexdesk.model.view.desk import DeskView
from gexdesk.tui.forms.aim import Aim, at_symbol
from gexdesk.tui.forms.base import Step
from gexdesk.tui.forms.lever import LeverForm


def spx_of(serving: str, standby: str, *others: str, revision: int = 1) -> DeskView:
    """Return a picture in which SPX has so many sources."""
    names = sorted({serving, standby, *others} - {""})
    sources = tuple(a_source(name, carries="SPX") for name in names)
    return a_view(sources=sources, symbols=(a_symbol("SPX", served_by=serving, standby=standby, revision=revision),))


def failover(view: DeskView, to: str = "", *more: Aim) -> LeverForm:
    """Return the dialog on SPX, answered, with a reason."""
    aim = replace(at_symbol(view.symbols[0], Verb.FAILOVER, view), to=to)
    form = LeverForm(Verb.FAILOVER, aim, now=lambda: AT, session_ends_at=AT + 900, operator="jm", others=more)
    form.compare(view)
    answer(form)
    form.at = "reason"
    form.paste("lag")
    return form


def answer(form: LeverForm) -> None:
    form.answer(LeverOutcome(False, "", form.aim.state, form.aim.to, 0, 1))


def drawn(form: LeverForm, width: int = 140) -> str:
    return "\n".join("".join(text for text, _ in form.draw(y, width)) for y in range(form.rows(width)))


def test_a_failover_that_is_looked_at_again_is_still_to_the_source_that_was_chosen() -> None:
    form = failover(spx_of("a", "b", "c"), to="c")
    assert form.levers(False)[0].to == "c"
    form.compare(spx_of("b", "a", "c", revision=2))
    assert form.press("enter", None) is Step.ASK, "what was changed is asked for anew"
    assert [lever.to for lever in form.levers(True)] == ["c"]
    answer(form)
    assert "[3 c]" not in drawn(form)
    assert "[2 c]" in drawn(form)
    assert form.press("enter", None) is Step.SEND
    assert [(lever.to, lever.seen_revision) for lever in form.levers(False)] == [("c", 2)]


def test_a_failover_by_digit_is_held_by_name_too() -> None:
    form = failover(spx_of("a", "b", "c"))
    form.at = "to"
    assert form.press("2", "2") is Step.ASK
    answer(form)
    form.compare(spx_of("b", "c", "a", revision=2))
    form.press("enter", None)
    assert [lever.to for lever in form.levers(False)] == ["c"]


@pytest.mark.parametrize(
    ("now", "why"), [(("c", "a", "b"), "c serves SPX already"), (("b", "a"), "c is no source of SPX any more")]
)
def test_where_the_chosen_source_is_gone_nothing_is_sent_until_another_is_chosen(now: tuple[str, ...], why: str) -> None:
    form = failover(spx_of("a", "b", "c"), to="c")
    form.ask()
    form.compare(spx_of(*now, revision=2))
    assert form.press("enter", None) is Step.STAY
    assert form.at == "to"
    assert why in drawn(form)
    answer(form)  # what the engine was asked before
    assert not form.ready
    form.at = "reason"
    assert form.press("enter", None) is Step.STAY
    assert form.at == "to"
    assert form.press("1", "1") is Step.ASK
    answer(form)
    assert form.press("enter", None) is Step.SEND
    assert [lever.to for lever in form.levers(False)] == ["a"]


def test_where_no_other_source_is_left_nothing_is_sent() -> None:
    form = failover(spx_of("a", "b"))
    form.compare(spx_of("b", "", revision=2))
    for _ in range(3):
        assert form.press("enter", None) is Step.STAY
        assert "b serves SPX already; it has no other source" in drawn(form)
    assert not form.ready


def test_of_several_each_goes_to_its_own_standby_or_is_left_out() -> None:
    def view(spx: str, ndx: str, revision: int) -> DeskView:
        sources = tuple(a_source(f"{symbol}-{name}", carries=symbol) for symbol in ("SPX", "NDX") for name in "abc")
        symbols = [a_symbol(s, served_by=f"{s}-{on}", standby=f"{s}-{'b' if on == 'a' else 'a'}", revision=revision)
                   for s, on in (("SPX", spx), ("NDX", ndx))]  # fmt: skip
        return a_view(sources=sources, symbols=tuple(symbols))

    before = view("a", "a", 1)
    form = failover(before, "", at_symbol(before.symbols[1], Verb.FAILOVER, before))
    assert [lever.to for lever in form.levers(False)] == ["SPX-b", "NDX-b"]
    assert "SPX:SPX-b NDX:NDX-b" in drawn(form)
    form.at = "to"
    assert form.press("2", "2") is Step.STAY, "there is no one source to choose"
    form.at = "reason"
    form.compare(view("c", "b", 2))
    assert form.press("enter", None) is Step.ASK
    assert [lever.to for lever in form.levers(False)] == ["SPX-b"], "as it was shown, and not back to where it came from"
    assert "NDX-b serves NDX already" in drawn(form)
    form.compare(view("b", "b", 3))
    assert form.press("enter", None) is Step.STAY
    assert not form.ready


async def test_failover_by_name_survives_another_hand() -> None:
    async with seated(FakeDesk(spx_of("a", "b", "c"))) as seat:
        await seat.press("colon")
        await seat.type("failover SPX c")
        await seat.press("enter", "enter")
        await seat.type("lag")
        assert "[2 c]" in seat.text("dialog")
        seat.desk.push(spx_of("b", "a", "c", revision=2))
        await seat.beat()
        await seat.press("enter", "enter")
        assert [(lever.to, lever.seen_revision) for lever in seat.desk.pulled] == [("c", 2)]
