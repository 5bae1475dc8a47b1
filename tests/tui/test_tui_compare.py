"""The compare page: which second source it asks for, and what it says where it cannot."""

from typing import Any

from fake_desk import FakeDesk, a_view
from msgspec.structs import replace
from page_answers import FEEDS, answers
from test_tui_pages import answered, opened, text

from gexdesk.model.errors import EngineAway, GexdeskError, UnknownTarget
from gexdesk.model.look.symbol import CompareLook, SymbolLook


class Failing(FakeDesk):
    """A desk whose answer to one kind of question is an error, where one is laid ready."""

    def __init__(self) -> None:
        super().__init__(a_view())
        self.answers |= answers()
        self.errors: dict[type, GexdeskError] = {}
        self.others: list[str] = []

    async def look(self, question: Any) -> Any:
        if isinstance(question, CompareLook):
            self.others.append(question.other)
        if (error := self.errors.get(type(question))) is not None:
            raise error
        return await super().look(question)


async def test_o_asks_for_the_next_source_of_the_symbol() -> None:
    desk = Failing()
    third = replace(FEEDS[1], source="third")
    desk.answers[SymbolLook] = replace(desk.answers[SymbolLook], feeds=(*FEEDS, third))
    async with opened("compare", desk) as (seat, page):
        await seat.press("o")
        await answered(seat)
        assert desk.others[-1] == "third"
        desk.answers[CompareLook] = replace(desk.answers[CompareLook], right="third")
        page.ask()
        await answered(seat)
        assert "third" in text(page)
        await seat.press("o")
        await answered(seat)
        assert desk.others[-1] == "cboe-spx"


async def test_o_says_why_there_is_no_other_source_to_compare_with() -> None:
    desk = Failing()
    async with opened("compare", desk) as (seat, page):
        desk.errors[SymbolLook] = UnknownTarget("no symbol is named SPX")
        await seat.press("o")
        await answered(seat)
        assert "no symbol is named SPX" in page.notice.text
        desk.errors = {CompareLook: EngineAway("the engine is away")}
        desk.answers[SymbolLook] = replace(desk.answers[SymbolLook], feeds=(*FEEDS, replace(FEEDS[1], source="third")))
        await seat.press("o")
        await answered(seat)
        assert "the engine is away" in page.notice.text
        desk.errors = {}
        desk.answers[SymbolLook] = replace(desk.answers[SymbolLook], feeds=FEEDS[:1])
        await seat.press("o")
        await answered(seat)
        assert "SPX has no further source" in page.notice.text
        seat.app.desk = None
        await seat.press("o")
        await answered(seat)
        assert "no engine answers" in page.notice.text


async def test_one_moment_that_is_apart_is_neither_agreement_nor_a_disagreement_yet() -> None:
    desk = Failing()
    async with opened("compare", desk) as (seat, page):
        assert "DISAGREE   net GEX 12% apart" in text(page)
        desk.answers[CompareLook] = replace(desk.answers[CompareLook], disagree=False, text="")
        page.ask()
        await answered(seat)
        assert "APART   at this one moment" in text(page)
        rows = tuple(replace(row, agrees=True) for row in desk.answers[CompareLook].rows)
        desk.answers[CompareLook] = replace(desk.answers[CompareLook], rows=rows)
        page.ask()
        await answered(seat)
        assert "COMPARE SPX  agree" in text(page)
