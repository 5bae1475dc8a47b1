"""The rows of a page: which of them a key acts on, in which order they stand, and how many are kept."""

from typing import Any

import pytest
from desk_pilot import WIDE
from fake_desk import AT, FakeDesk
from msgspec.structs import replace
from page_answers import a_letter, answers
from test_tui_pages import answered, laid, opened, text

from gexdesk.model.look.queue import JobsLook, JobsSeen
from gexdesk.model.look.record import LogLook, LogSeen
from gexdesk.model.look.source import DeadLook, DeadSeen
from gexdesk.model.look.symbol import QuarantineLook, QuarantineSeen
from gexdesk.model.view.log import LogLine
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.listing import MOST_ROWS


async def ask(seat: Any, page: Page) -> None:
    """Ask once more and wait for the answer."""
    page.ask()
    await answered(seat)


def jobs(desk: FakeDesk, *names: str) -> None:
    """Lay jobs ready in this order."""
    one = desk.answers[JobsLook].jobs[0]
    desk.answers[JobsLook] = JobsSeen(tuple(replace(one, job_id=name) for name in names), len(names))


# ------------------------------------------------------------------ what a key acts on
@pytest.mark.parametrize("size", [(100, 20), (70, 40)])
async def test_no_lever_of_a_page_acts_in_a_window_too_small_to_show_its_rows(size: tuple[int, int]) -> None:
    async with opened("incidents", size=size) as (seat, page):
        before = len(seat.desk.pulled)
        await seat.press("a", "s")
        assert seat.desk.pulled[before:] == []
        assert page.dialog.form is None
        await seat.pilot.resize_terminal(*WIDE)
        await seat.press("a")
        assert len(seat.desk.pulled) == before + 1


async def test_marked_rows_that_a_filter_hides_are_acted_on_as_the_heading_says() -> None:
    async with opened("dead") as (seat, page):
        letters = tuple(a_letter(f"letter-{n}", source="left" if n < 2 else "right") for n in range(4))
        seat.desk.answers[DeadLook] = DeadSeen(letters)
        page.letters.cursor = None
        await ask(seat, page)
        await seat.press("space", "space", "slash")
        await seat.type("right")
        await seat.press("enter")
        assert "2 marked" in page.notice.text
        assert page.letters.target == "letter-2"
        assert page.letters.chosen == ["letter-0", "letter-1"], "never the row under the cursor while others are marked"
        await seat.press("space")
        assert page.letters.chosen == ["letter-0", "letter-1", "letter-2"]
        await seat.press("D")
        assert "DISCARD 3 " in page.dialog.text


async def test_the_story_that_is_read_stays_while_the_cursor_is_on_it_though_the_engine_shows_the_incident_no_more() -> None:
    async with opened("incidents") as (seat, page):
        story, row = text(page, "story"), page.incidents.cursor
        assert "DO FIRST" in story
        others = tuple(one for one in seat.desk.held[0].incidents if f"#{one.name}" != row)
        seat.desk.push(replace(seat.desk.held[0], sequence=9, incidents=others))
        await seat.beat()
        await ask(seat, page)
        assert "closed, and no longer shown" in text(page, "incidents")
        assert text(page, "story") == story
        await seat.press("j")
        assert page.incidents.cursor != row
        assert page.seen is not None, "the next one's"
        await seat.press("k")
        assert text(page, "story").strip() == ""


# ------------------------------------------------------------------ order
async def test_the_queue_follows_the_true_order_until_a_row_is_taken() -> None:
    async with opened("queue") as (seat, page):
        assert page.jobs.cursor is None
        assert "the rows follow the true order; j takes one" in text(page, "why")
        jobs(seat.desk, "late", "job-1", "job-0")
        await ask(seat, page)
        assert page.jobs.rows == ["late", "job-1", "job-0"]
        await seat.press("j", "j")
        assert page.jobs.cursor == "job-1"
        jobs(seat.desk, "new", "job-1", "late", "job-0")
        await ask(seat, page)
        assert page.jobs.rows == ["late", "job-1", "job-0"], "they stand still while a row is taken"
        await seat.press("k", "k")
        assert page.jobs.cursor is None
        assert page.jobs.rows == ["new", "job-1", "late", "job-0"]


async def test_what_is_new_in_the_log_never_stands_below_what_is_older() -> None:
    async with opened("log") as (seat, page):
        def lines(*numbers: int) -> None:
            seat.desk.answers[LogLook] = LogSeen(tuple(LogLine(n, AT + n, "engine", f"line {n}") for n in numbers), AT, False)

        lines(1, 2, 3)
        await ask(seat, page)
        assert page.log_lines.rows == ["3", "2", "1"]
        await seat.press("down")
        lines(1, 2, 3, 4, 5)
        await ask(seat, page)
        assert page.log_lines.rows == ["3", "2", "1"], "what is read does not move"
        await seat.press("up")
        await ask(seat, page)
        assert page.log_lines.rows == ["5", "4", "3", "2", "1"]
        assert page.log_lines.cursor == "5"


async def test_a_filter_set_anew_keeps_the_rows_that_stand_still() -> None:
    async with opened("queue") as (seat, page):
        await seat.press("j")
        jobs(seat.desk, "new", "job-1", "job-0")
        await ask(seat, page)
        await seat.press("slash")
        await seat.type("spx")
        await seat.press("enter")
        assert "new" not in page.jobs.rows
        await seat.press("s")
        assert page.jobs.rows == ["new", "job-1", "job-0"]


# ------------------------------------------------------------------ how many
@pytest.mark.parametrize("name", ["log", "dead"])
async def test_a_page_left_open_keeps_a_bounded_number_of_rows_and_none_that_is_looked_at_goes(name: str) -> None:
    desk = laid()
    async with opened(name, desk) as (seat, page):
        def lay(begin: int) -> None:
            numbers = range(begin, begin + 500)
            desk.answers[LogLook] = LogSeen(tuple(LogLine(n, AT + n, "engine", f"line {n}") for n in numbers), AT, True)
            desk.answers[DeadLook] = DeadSeen(tuple(a_letter(str(n)) for n in numbers), True)

        lay(0)
        page.table.cursor = None
        await ask(seat, page)
        table = page.table
        table.cursor = table.rows[3]
        table.marked[table.rows[7]] = None
        kept = {table.cursor, table.rows[7]}
        for turn in range(1, 12):
            lay(500 * turn)
            await ask(seat, page)
        assert len(table.rows) <= MOST_ROWS + len(kept) + 500
        assert len(table._came) <= MOST_ROWS + len(kept) + 500
        assert kept <= set(table.rows)
        assert table.cursor in kept


async def test_with_a_filter_on_no_row_is_kept_twice_and_none_is_lost() -> None:
    async with opened("dead") as (seat, page):
        await seat.press("slash")
        await seat.type("decoder")
        await seat.press("enter")
        seat.desk.answers[DeadLook] = DeadSeen((*answers()[DeadLook].letters, a_letter("x", kind="decoder_died"), a_letter("y")))
        await ask(seat, page)
        assert page.letters.rows == ["gone", "x"]
        await seat.press("escape")
        assert len(page.letters.rows) == len(set(page.letters.rows)) == 4


async def test_rows_that_are_gone_say_so_and_stay_while_they_are_few() -> None:
    async with opened("dead") as (seat, page):
        seat.desk.answers[DeadLook] = DeadSeen((a_letter("x"),))
        await ask(seat, page)
        assert len(page.letters.rows) == 3
        assert "settled: tried again or discarded" in text(page, "letters")


# ------------------------------------------------------------------ what is said of rows that left
async def test_what_fell_out_of_a_cut_answer_is_not_called_settled() -> None:
    async with opened("dead") as (seat, page):
        seat.desk.answers[DeadLook] = DeadSeen((a_letter("x"),), True)
        await ask(seat, page)
        assert "beyond the newest 500, or settled" in text(page, "letters")
        seat.desk.answers[DeadLook] = DeadSeen((a_letter("x"),), False)
        await ask(seat, page)
        assert "beyond" not in text(page, "letters")
        assert "settled: tried again or discarded" in text(page, "letters")


async def test_what_went_further_back_in_the_queue_is_not_called_taken() -> None:
    async with opened("queue") as (seat, page):
        await seat.press("j")
        jobs(seat.desk, "new")
        await ask(seat, page)
        assert "has been taken" in text(page, "jobs")
        seat.desk.answers[JobsLook] = replace(seat.desk.answers[JobsLook], total=9_000)
        await ask(seat, page)
        assert "has been taken" not in text(page, "jobs")
        assert "further back now, or taken" in text(page, "jobs")


async def test_settled_cases_leave_the_list_when_they_are_hidden_again() -> None:
    async with opened("quarantine") as (seat, page):
        everything = seat.desk.answers[QuarantineLook]
        await seat.press("h")
        await answered(seat)
        assert page.cases.rows == ["#7", "#6"]
        await seat.press("down")
        seat.desk.answers[QuarantineLook] = QuarantineSeen(everything.cases[:1])
        await seat.press("h")
        await answered(seat)
        assert page.cases.rows == ["#7"]
        assert page.cases.cursor == "#7"
        assert "without those that are settled" in page.notice.text
        seat.desk.answers[QuarantineLook] = QuarantineSeen(())
        await ask(seat, page)
        assert "released or refused meanwhile" in text(page, "cases")
