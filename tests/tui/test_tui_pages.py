"""The pages beside the desk: what each shows of its answer, where its keys lead, what its levers send; and how all of them look."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from desk_pilot import NARROW, WIDE, Hand, Seat, seated
from fake_desk import AT, FakeDesk, a_view
from msgspec.structs import replace
from page_answers import (
    HOSTILE,
    JOB,
    a_case,
    a_decision,
    a_letter,
    a_payload,
    answers,
    gaps,
    guidelines,
)
from textual.pilot import Pilot

from gexdesk.api.refusals import NotAllowed
from gexdesk.model.errors import LeverRefused
from gexdesk.model.incident_report import as_markdown
from gexdesk.model.lever import Verb
from gexdesk.model.look.guidelines import GuidelinesLook
from gexdesk.model.look.handover import HandOverLook
from gexdesk.model.look.history import HistoryLook, HistorySeen
from gexdesk.model.look.incident import IncidentLook
from gexdesk.model.look.record import AuditLook, AuditSeen, LogLook
from gexdesk.model.look.source import DeadLook, DeadSeen, PayloadLook, SourceLook
from gexdesk.model.look.symbol import GapsLook, GapsSeen, QuarantineLook, SymbolLook
from gexdesk.model.record_view import BeginningView
from gexdesk.model.view.engine import EngineView
from gexdesk.tui.app import DeskApp
from gexdesk.tui.screens.log import moment_of
from gexdesk.tui.screens.page import Page
from gexdesk.tui.screens.pages import PAGES, page_of
from tests.until import until

SUBJECTS = {"source": ("gexbot-spx",), "payload": (JOB,), "symbol": ("SPX",), "compare": ("SPX",)}


def laid(*views: Any, **changes: Any) -> FakeDesk:
    """Return a desk that answers every question."""
    desk = FakeDesk(*(views or (a_view(**changes),)))
    desk.answers |= answers()
    return desk


class Asking(FakeDesk):
    """A desk that also keeps what it was asked."""

    def __init__(self, *views: Any) -> None:
        super().__init__(*views)
        self.answers |= answers()
        self.questions: list[Any] = []

    async def look(self, question: Any) -> Any:
        self.questions.append(question)
        return await super().look(question)


@asynccontextmanager
async def opened(name: str, desk: FakeDesk | None = None, size: tuple[int, int] = WIDE) -> AsyncIterator[tuple[Seat, Any]]:
    """Open the desk with a page in front of it, answered."""
    async with seated(desk or laid(), size) as seat:
        page = page_of(name, seat.app.house, *SUBJECTS.get(name, ()))
        await seat.app.push_screen(page)
        await answered(seat)
        yield seat, page


async def answered(seat: Seat) -> None:
    """Let the page in front have its answer."""
    await seat.rest()
    while isinstance(seat.app.screen, Page) and not seat.app.screen.answered:
        await asyncio.sleep(0.001)
    await seat.rest()


def text(page: Page, pane: str = "") -> str:
    """Return what the page shows: all of its panes, or one."""
    return "\n".join(p.text for p in page.body if not pane or p.id == pane)


def in_front(seat: Seat) -> str:
    """Return the name of the page in front; empty on the desk."""
    kind = type(seat.app.screen).__name__
    return next((name for name, path in PAGES.items() if path.partition(".")[2] == kind), "")


# ------------------------------------------------------------------ every page
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["160x48", "80x24"])
@pytest.mark.parametrize("name", list(PAGES))
async def test_every_page_shows_its_answer_and_lives_without_an_engine(name: str, size: tuple[int, int]) -> None:
    async with opened(name, size=size) as (seat, page):
        assert "asking the engine" not in text(page)
        assert page.answered
        assert all(len(line) <= size[0] for pane in page.body for line in pane.text.splitlines())
        hostile = [line for line in text(page).splitlines() if "@click" in line]
        assert all("[@click" in line for line in hostile), "what looks like markup is text"
        seat.desk.answers.clear()
        page.ask()
        await answered(seat)
        assert "no answer for" in page.notice.text
        await seat.press("escape")
        assert in_front(seat) == ""


@pytest.mark.parametrize("name", list(PAGES))
async def test_a_page_that_nothing_changed_on_sends_nothing(name: str) -> None:
    async with opened(name) as (seat, page):
        page.ask()
        await answered(seat)
        sent: list[Any] = []
        for pane in page.body:
            pane.refresh = lambda *regions, **_: sent.append(regions)
        page.ask()
        await answered(seat)
        assert not sent


async def test_a_page_that_is_covered_asks_nobody_and_asks_at_once_when_it_is_looked_at_again() -> None:
    desk = Asking(a_view())
    async with opened("source", desk) as (seat, page):
        await seat.press("p")
        await answered(seat)
        desk.questions.clear()
        for _ in range(40):
            page.tick()
        await seat.rest()
        assert not [question for question in desk.questions if isinstance(question, SourceLook)]
        await seat.press("escape")
        await answered(seat)
        assert [question for question in desk.questions if isinstance(question, SourceLook)]


async def test_what_is_asked_while_an_answer_is_awaited_is_asked_after_it() -> None:
    async with opened("incidents") as (seat, page):
        page.ask()
        page.moved()  # the cursor came to another row meanwhile
        assert page._again
        await answered(seat)
        assert page.seen is not None


# ------------------------------------------------------------------ one source
async def test_a_source_tells_what_is_wrong_first_and_all_of_the_decision_under_the_cursor() -> None:
    failing = replace(
        a_view().sources[0], last_error="503 Service Unavailable", breaker="open", probe_at=AT + 18.0, missed=3,
        last_missed="41 to 43", reliability=0.9996, errors_5m=6, response_s=0.041,
    )  # fmt: skip
    desk = laid(sources=(failing, *a_view().sources[1:]))
    seen = desk.answers[SourceLook]
    desk.answers[SourceLook] = replace(seen, failing_since=AT - 42.0)
    async with opened("source", desk) as (seat, page):
        shown = text(page, "facts")
        lines = shown.splitlines()
        assert "503 Service Unavailable, failing for 42 s" in lines[2]
        assert "open, asked again in 18 s" in lines[3]
        assert "at least CRITICAL by jm, 09:56: event" in shown
        assert "3 messages; 41 to 43" in shown
        assert "99.9 % ever" in shown, "cut, never rounded up to a hundred"
        assert "41 ms, moving average" in shown
        assert "60 a minute" not in shown
        assert "80 a minute at most" in shown
        assert "! QUARANTINE" in text(page, "carried")
        decision = text(page, "decision")
        assert "impact 0.28  change 0.07  freshness 0.19  reliability 0.10  urgency 0.03  = 0.67 of the way up" in decision
        assert "535,551" in decision
        assert "3.3 %" in decision
        await seat.press("down")
        over = text(page, "decision")
        assert "CRITICAL by jm, 09:56: event" in over
        assert "HIGH 0.830" in over, "what the guidelines said without it"
        await seat.press("down")
        assert "no guideline: LOW" in text(page, "decision")


async def test_from_a_source_to_its_queue_its_dead_letters_a_payload_a_symbol_and_back() -> None:
    async with opened("source") as (seat, page):
        for key, name in (("w", "queue"), ("x", "dead"), ("p", "payload"), ("enter", "symbol")):
            await seat.press(key)
            await answered(seat)
            assert in_front(seat) == name
            await seat.press("escape")
            assert seat.app.screen is page


async def test_levers_of_a_source_name_what_was_seen() -> None:
    async with opened("source") as (seat, _):
        await seat.press("P")
        await seat.type("vendor call")
        await seat.press("enter")
        [lever] = seat.desk.pulled
        assert (lever.verb, lever.target, lever.seen_revision, lever.reason) == (Verb.PAUSE, "gexbot-spx", 4, "vendor call")


async def test_symbols_take_the_place_of_figures_where_there_is_no_room() -> None:
    async with opened("source", size=NARROW) as (seat, page):
        assert page.facts.size.height
        assert not page.carried.size.height
        await seat.press("v")
        assert page.carried.size.height
        assert "SPY" in text(page, "carried")


# ------------------------------------------------------------------ dead letters and payloads
async def test_a_dead_letter_is_tried_again_or_let_go_with_a_reason() -> None:
    async with opened("dead") as (seat, page):
        await seat.press("T")
        await seat.press("enter")
        assert seat.desk.pulled == [], "not without a reason"
        await seat.type("format mended")
        await seat.press("enter")
        [lever] = seat.desk.pulled
        assert (lever.verb, lever.target, lever.target_kind, lever.reason) == (Verb.RETRY, JOB, "dead", "format mended")
        await seat.press("down", "T")
        assert "its bytes" not in page.notice.text
        assert "the bytes of gone are gone: it cannot be tried again" in page.notice.text
        await seat.press("D")
        await seat.type("test feed")
        await seat.press("enter")
        assert (seat.desk.pulled[-1].verb, seat.desk.pulled[-1].target) == (Verb.DISCARD, "gone")


async def test_a_settled_letter_stays_where_it_is_and_says_so() -> None:
    async with opened("dead") as (seat, page):
        await seat.press("down")
        seat.desk.answers[DeadLook] = DeadSeen((a_letter("new"), a_letter()))
        page.ask()
        await answered(seat)
        rows = text(page, "letters").splitlines()
        assert rows[2].startswith("> gone  settled: tried again or discarded")
        assert "new" not in rows[1]


async def test_a_payload_shows_its_bytes_its_decisions_and_what_became_of_it() -> None:
    async with opened("payload") as (_, page):
        about, shown = text(page, "about"), text(page, "bytes")
        assert "COMPLETED" in about
        assert "decided after 10 ms, begun after 20 ms, available after 100 ms, stored after 200 ms" in " ".join(about.split())
        assert "high-realtime HIGH 0.83" in about
        assert "revision 2" in about
        assert "27ff0ddcda792802a8a5290846d1aa1ed58d10a56c12eaa89984319d869d4557"[:30] in about
        assert HOSTILE in shown.replace("\n ", "")
        assert "inside gzip" in shown


async def test_the_bytes_of_a_payload_are_asked_for_once_and_more_of_them_on_demand() -> None:
    desk = Asking(a_view())
    async with opened("payload", desk) as (seat, page):
        page.ask()
        await answered(seat)
        wanted = [q.bytes_wanted for q in desk.questions if isinstance(q, PayloadLook)]
        assert wanted == [8192, 0]
        await seat.press("m")
        await answered(seat)
        assert [q.bytes_wanted for q in desk.questions if isinstance(q, PayloadLook)][-1] == 65536


async def test_the_cursor_keys_scroll_the_side_that_tab_chose() -> None:
    desk = laid()
    many = BeginningView("hex", "", tuple(f"{16 * n:08x}  00" for n in range(200)), 3200, False)
    desk.answers[PayloadLook] = a_payload(beginning=many, decisions=tuple(a_decision(str(n)) for n in range(9)))
    async with opened("payload", desk, NARROW) as (seat, page):
        assert "more lines" in text(page, "bytes")
        await seat.press("pagedown", "down")
        assert "000000a0  00" in text(page, "bytes").splitlines()[0], "the eleventh line of the answer, under its own heading"
        about = text(page, "about")
        await seat.press("tab", "pagedown")
        assert text(page, "about") != about
        await seat.press("end")
        assert "job" in text(page, "about").splitlines()[-1]


async def test_a_dead_payload_says_why_and_can_be_settled_there() -> None:
    desk = laid()
    desk.answers[PayloadLook] = a_payload(letter=a_letter(), decisions=(), snapshots=())
    async with opened("payload", desk) as (seat, page):
        assert "malformed payload at triage" in text(page, "about")
        await seat.press("D")
        await seat.type("broken")
        await seat.press("enter")
        assert seat.desk.pulled[0].verb is Verb.DISCARD
        desk.answers[PayloadLook] = a_payload()
        page.ask()
        await answered(seat)
        await seat.press("D")
        assert "it is no dead letter" in page.notice.text


@pytest.mark.parametrize("keys", [("i", "p"), ("i", "enter")])
async def test_from_the_desk_through_an_incident_to_the_payload_that_caused_it(keys: Sequence[str]) -> None:
    async with seated(laid(incidents=tuple(replace(incident, job_id=JOB) for incident in a_view().incidents))) as seat:
        for key in keys:
            await seat.press(key)
            await answered(seat)
        assert in_front(seat) == "payload"
        assert seat.app.screen.job_id == JOB  # type: ignore[attr-defined]


@pytest.mark.parametrize(("page", "key"), [("queue", "p"), ("dead", "p"), ("quarantine", "p"), ("symbol", "p"), ("source", "p")])
async def test_a_payload_is_one_key_from_whatever_names_one(page: str, key: str) -> None:
    async with opened(page) as (seat, _):
        await seat.press(key)
        await answered(seat)
        assert in_front(seat) == "payload"


# ------------------------------------------------------------------ the shift
async def test_a_shift_is_handed_over_on_one_page_with_one_key() -> None:
    async with seated(laid()) as seat:
        await seat.press("H")
        await answered(seat)
        page: Any = seat.app.screen
        shown = text(page)
        assert "kd" in text(page, "sum")
        assert "2 open, 1 unseen" in text(page, "sum")
        for words in ("#41", "NOT SEEN", "backfill", "no end", "at least CRITICAL", "09:56", "cboe-qqq", "maintenance", "goes on"):
            assert words in shown
        assert "NDX from cboe-ndx" not in shown, "what is over and lost is one row, not many"
        assert "all gaps" in shown
        await seat.press("T")
        [lever] = seat.desk.pulled
        assert (lever.verb, lever.actor, lever.reason) == (Verb.HAND_OVER, "jm", "")


@pytest.mark.parametrize(("row", "name"), [("#41", "incidents"), ("override gexbot-spx", "source"), ("gaps", "gaps")])
async def test_what_is_handed_over_opens_what_it_is_about(row: str, name: str) -> None:
    async with opened("handover") as (seat, page):
        page.left.cursor = row
        await seat.press("enter")
        await answered(seat)
        assert in_front(seat) == name


@pytest.mark.parametrize(
    ("shift_by", "mine"),
    [
        ("jm", True), ("jm as desk", True), ("jm (key 1f00ba12)", True), ("kd", False), ("jmx (key 1f00ba12)", False),
        ("kd as jm", False), ("", False),
    ],
)  # fmt: skip
async def test_whose_the_shift_is_is_told_however_they_came_in(shift_by: str, mine: bool) -> None:
    desk = laid()
    desk.answers[HandOverLook] = replace(desk.answers[HandOverLook], shift_by=shift_by)
    async with opened("handover", desk) as (_, page):
        assert ("the shift is yours" in text(page)) is mine


# ------------------------------------------------------------------ gaps, audit, log, engine
async def test_a_gap_is_filled_where_it_can_be_and_says_why_where_not() -> None:
    async with opened("gaps") as (seat, page):
        await seat.press("B")
        assert "it cannot be filled: no history folder is configured for QQQ" in page.notice.text
        await seat.press("down", "B")
        await seat.type("outage")
        await seat.press("enter")
        [lever] = seat.desk.pulled
        assert (lever.verb, lever.target, lever.target_kind) == (Verb.BACKFILL, "7c1423ec", "gap")
        seat.desk.answers[GapsLook] = GapsSeen((gaps()[0], replace(gaps()[1], filled_at=AT - 1.0), gaps()[2]))
        await seat.press("h")
        await answered(seat)
        assert "filled" in text(page, "gaps")
        await seat.press("down", "B")
        assert "it was filled at 09:41:16" in page.notice.text
        short = replace(gaps()[1], filled_at=AT - 1.0, brought=570, wanted=600)
        seat.desk.answers[GapsLook] = GapsSeen((gaps()[0], short, gaps()[2]))
        page.ask()
        await answered(seat)
        assert "10 m    600    570 filled" in text(page, "gaps")
        assert "570 of 600 snapshots that it lacked are there; B fills in what else history has" in text(page, "gap")
        await seat.press("B")
        assert page.dialog.text.startswith("── BACKFILL SPX of gexbot-spx (gap of 10 m)  ")
        await seat.press("escape")
        whole = replace(short, brought=600)
        seat.desk.answers[GapsLook] = GapsSeen((gaps()[0], whole, gaps()[2]))
        page.ask()
        await answered(seat)
        await seat.press("B")
        assert "it was filled at 09:41:16, 600 of 600 are there" in page.notice.text


async def test_the_audit_says_whether_its_chain_holds_and_checks_again_when_asked() -> None:
    desk = Asking(a_view())
    async with opened("audit", desk) as (seat, page):
        assert "3 lines, every link holds" in text(page, "chain")
        assert text(page, "acts").splitlines()[1].split()[:4] == [">", "09:41:12", "kd", "pause"], "the newest first"
        assert "the disk is full" in text(page, "act")
        desk.answers[AuditLook] = AuditSeen((), AT, 1, "line 2: its content does not match its hash: it was changed")
        await seat.press("v")
        await answered(seat)
        assert "BROKEN  line 2" in text(page, "chain")
        assert [q.check for q in desk.questions if isinstance(q, AuditLook)][-1]


async def test_who_may_not_see_the_audit_is_told_once_what_is_missing_and_asked_for_no_more() -> None:
    class Closed(Asking):
        async def look(self, question: Any) -> Any:
            if isinstance(question, AuditLook):
                self.questions.append(question)
                raise NotAllowed("loader (key 1f00ba12) may read; this needs operate", needs="operate")
            return await super().look(question)

    desk = Closed(a_view())
    async with opened("audit", desk, size=NARROW) as (seat, page):
        assert "not shown: your key lacks operate" in text(page, "chain")
        assert "loader" not in page.notice.text
        for _ in range(40):
            page.tick()
        await answered(seat)
        assert len([q for q in desk.questions if isinstance(q, AuditLook)]) == 1
        await seat.press("v")
        await answered(seat)
        assert len([q for q in desk.questions if isinstance(q, AuditLook)]) == 2


async def test_the_log_follows_holds_still_and_jumps_to_a_time() -> None:
    desk = Asking(a_view())
    async with opened("log", desk) as (seat, page):
        assert "follows" in text(page, "head")
        await seat.press("f")
        desk.questions.clear()
        page.ask()
        await answered(seat)
        assert not desk.questions, "held still"
        await seat.press("v")
        await answered(seat)
        assert [q.kinds for q in desk.questions] == [("lever", "dead", "source", "incident", "engine")]
        await seat.strike("at")
        await seat.type("9:40:30")
        await seat.press("enter")
        await answered(seat)
        asked = [q for q in desk.questions if isinstance(q, LogLook)][-1]
        assert asked.to_at == pytest.approx(AT - 46.0, abs=0.001)
        assert "up to Mon 23 Nov 09:40:30" in text(page, "head")
        await seat.press("f")
        await answered(seat)
        assert desk.questions[-1].to_at is None


def test_a_time_is_the_last_one_of_that_name() -> None:
    assert moment_of("09:41", AT) == pytest.approx(AT - 17 + 60, abs=0.001), "the minute that runs, to its end"
    assert moment_of("9:40", AT) == pytest.approx(AT - 17, abs=0.001)
    assert moment_of("16:00:00", AT) == pytest.approx(AT + 22_723 - 86_400 + 1, abs=0.001), "yesterday's"
    assert moment_of("25:00", AT) is None
    assert moment_of("soon", AT) is None


async def test_a_fleet_shows_every_engine_its_load_and_when_it_was_heard() -> None:
    first = EngineView("e1", "desk1", 4711, AT - 690.0, AT - 0.4, 4, 6, ("gexbot-spx",), 4021, 12, 3790, 1, 30, 0.012)
    lost = EngineView("e2", "desk2", 99, AT - 9000.0, AT - 42.0, 4, 31, (), 800, 0, 700, 0, 0, 0.9, silent=True, this=False)
    async with seated(laid(engines=(first, lost))) as seat:
        await seat.press("e")
        await answered(seat)
        page = seat.app.screen
        assert in_front(seat) == "engines"
        rows = [line.split() for line in text(page, "engines").splitlines()[1:3]]
        assert rows[0][:3] == [">", "e1", "0.4"]
        assert rows[1][:5] == ["e2", "!", "SILENT", "42", "s"]
        assert {"3,790", "1:", "gexbot-spx"} <= set(rows[0])
        assert "31 % of a core, 211.0 MB; host load 1.4 on 2 cores" in text(page, "about")
        await seat.press("down")
        assert "last heard 09:40:35" in text(page, "about")
        assert "of a core" not in text(page, "about"), "who is silent cannot be asked"
        await seat.press("enter")
        assert "e2 is silent" in page.notice.text
        await seat.press("up", "enter")
        await answered(seat)
        assert in_front(seat) == "engineering"
    async with seated(laid()) as seat:
        await seat.press("e")
        await answered(seat)
        assert in_front(seat) == "engineering"


async def test_the_engine_shows_order_slots_pool_stores_and_scores() -> None:
    async with opened("engineering") as (_, page):
        shown = text(page)
        for words in ("0.049% of 4,105", "NDX cboe-ndx HIGH for 200 ms", "CRITICAL only idle", "processes 2,512,040 bytes at HIGH",
                      "1 of 2 at work, 3 wait", "310 undecided, 12 being stored", "80.0 MB, 322 payloads", "0.970"):  # fmt: skip
            assert words in shown, words


# ------------------------------------------------------------------ symbols, guidelines, quarantine
async def test_the_drawing_of_a_symbol_turns_and_the_session_stands_in_where_there_is_no_profile() -> None:
    desk = laid()
    async with opened("symbol", desk) as (seat, page):
        assert "if spot were" in text(page, "curve")
        for words in ("NET GEX over the session", "SPOT over its FLIP", "SPOT since the first value", "if spot were"):
            await seat.press("h")
            assert words in text(page, "curve")
        seen = desk.answers[SymbolLook]
        bare = replace(seen.exposure, profile_spot=(), profile_net_gex=(), max_pain=None, absolute_gamma_strike=None)
        desk.answers[SymbolLook] = replace(seen, exposure=bare)
        page.ask()
        await answered(seat)
        assert "NET GEX over the session" in text(page, "curve")
        assert "abs gamma" not in text(page, "facts"), "a line of nothing but dashes is left out"


async def test_a_version_is_picked_with_the_cursor_and_gone_back_to() -> None:
    async with opened("guidelines", laid(guidelines_revision=5)) as (seat, page):
        await seat.press("B")
        assert text(page, "versions").splitlines()[2].startswith("> v-2"), "the newest that is not in force"
        assert "score = 0.2" in text(page, "lines")
        await seat.press("down", "B")
        await seat.type("back")
        await seat.press("enter")
        [lever] = seat.desk.pulled
        assert (lever.verb, lever.to, lever.seen_revision) == (Verb.ROLLBACK, "v-1", 5)
        page.versions.cursor = page.versions.rows[0]
        await seat.press("B")
        assert "in force" in page.notice.text


async def test_what_is_staged_stands_beside_what_is_in_force() -> None:
    async with opened("guidelines") as (seat, page):
        await seat.press("v")
        shown = text(page, "lines")
        assert "HIGH 410 -> 398" in shown
        assert "CRITICAL 61 -> 73" in shown
        row = next(line for line in shown.splitlines() if line.startswith("   HIGH"))
        assert row.split() == ["HIGH", "12", "398", ".", ".", "NDX", "HIGH", "->", "CRITICAL", "3"]
        seat.desk.answers[GuidelinesLook] = guidelines(staged=False)
        page.ask()
        await answered(seat)
        await seat.press("A")
        assert "nothing is staged" in page.notice.text


async def test_a_held_snapshot_shows_what_is_known_of_all_three_sides() -> None:
    async with opened("quarantine") as (seat, page):
        both = text(page, "both")
        spot = next(line for line in both.splitlines() if line.startswith(" spot"))
        assert spot.split() == ["spot", "647.20", "6,471", "6,471"]
        nothing = a_case()
        unknown = replace(nothing.suspect, coverage=None)
        seat.desk.answers[QuarantineLook] = replace(
            seat.desk.answers[QuarantineLook],
            cases=(replace(nothing, suspect=unknown, good=unknown, live=unknown),),
        )
        page.ask()
        await answered(seat)
        assert "coverage" not in text(page, "both")


async def test_the_story_of_an_incident_can_be_read_to_its_end() -> None:
    async with opened("incidents", size=NARROW) as (seat, page):
        await seat.press("tab", "end")
        story = text(page, "story")
        assert "QQQ6" in story
        assert "more lines" not in story
        await seat.press("tab", "b")
        assert "the vendor refuses" in text(page, "story").casefold()
        assert "**" not in text(page, "story")


@pytest.mark.parametrize(("kept_s", "asked"), [(60.0, [-60.0]), (97.0, [-60.0, -1.0])])
async def test_the_desk_before_an_incident_is_of_a_minute_before_or_else_the_last_one(kept_s: float, asked: list[float]) -> None:
    desk = Asking(a_view())
    async with opened("incidents", desk) as (seat, page):
        opened_at = page.incidents.under_cursor.opened_at
        desk.answers[HistoryLook] = HistorySeen((a_view(taken_at=opened_at - kept_s),), AT - 9000.0, AT, None)
        await seat.press("left_square_bracket")
        await seat.rest()

        def times() -> list[float]:
            return [question.at - opened_at for question in desk.questions if isinstance(question, HistoryLook)]

        await until(lambda: len(times()) >= len(asked))
        await seat.rest()
        assert times() == pytest.approx(asked)


async def test_an_incident_is_copied_as_markdown_with_one_key_and_a_long_one_written(tmp_path: Path, monkeypatch) -> None:
    sent: list[str] = []
    monkeypatch.chdir(tmp_path)
    async with opened("incidents") as (seat, page):
        monkeypatch.setattr(type(seat.app), "copy_to_clipboard", lambda self, text: sent.append(text))
        seen = seat.desk.answers[IncidentLook]
        await seat.press("c")
        assert sent == [as_markdown(seen)]
        assert sent[0].startswith("# Incident 41: ")
        assert "## Timeline" in sent[0]
        assert "#41 as Markdown" in page.notice.text
        seat.desk.answers[IncidentLook] = replace(seen, timeline=seen.timeline * 40)
        page.ask()
        await answered(seat)
        await seat.press("c")
        [path] = tmp_path.glob("gexdesk-incident-41-*.md")
        assert path.read_text() == as_markdown(seat.desk.answers[IncidentLook])
        assert len(sent) == 1
        await seat.press("c")
        assert "was not written: File exists" in page.notice.text


# ------------------------------------------------------------------ every lever of every page
DEEDS = [
    ("incidents", ["s"], Verb.SNOOZE, "incident"),
    ("incidents", ["M"], Verb.MUTE, "incident"),
    ("incidents", ["E"], Verb.RESOLVE, "incident"),
    ("quarantine", ["L"], Verb.RELEASE, "quarantine"),
    ("quarantine", ["J"], Verb.REFUSE, "quarantine"),
    ("queue", ["down", "X"], Verb.CANCEL, "job"),
    ("dead", ["T"], Verb.RETRY, "dead"),
    ("dead", ["D"], Verb.DISCARD, "dead"),
    ("gaps", ["down", "B"], Verb.BACKFILL, "gap"),
    ("symbol", ["plus"], Verb.PROMOTE, "symbol"),
    ("symbol", ["minus"], Verb.DEMOTE, "symbol"),
    ("symbol", ["P"], Verb.PAUSE, "source"),
    ("source", ["O", "2"], Verb.OVERRIDE, "source"),
    ("source", ["C"], Verb.CLEAR, "source"),
    ("source", ["P"], Verb.PAUSE, "source"),
]


@pytest.mark.parametrize(("name", "keys", "verb", "kind"), DEEDS)
async def test_every_lever_of_a_page_wants_a_reason_and_a_refusal_stays_in_sight_unsent(name, keys, verb, kind) -> None:
    async with opened(name, size=NARROW) as (seat, page):
        looked = len(seat.desk.pulled)
        await seat.press(*keys, "enter")
        assert page.dialog.text.startswith(f"── {verb.value.upper()} ")
        assert seat.desk.pulled[looked:] == [], "no reason, no lever"
        seat.desk.refusal = lambda lever: None if lever.dry_run else LeverRefused("it was changed by kd 1 s ago")
        await seat.type("why not")
        await seat.press("enter", "enter", "enter")
        [lever] = seat.desk.pulled[looked:]
        assert (lever.verb, lever.target_kind, lever.reason, lever.actor) == (verb, kind, "why not", "jm")
        assert "it was changed by kd 1 s ago" in page.dialog.text
        assert page.dialog.form is not None
        await seat.press("escape")
        assert page.dialog.form is None
        seat.desk.refusal = lambda lever: None
        await seat.press(*(key for key in keys if key != "down"))
        await seat.type("why not")
        await seat.press("enter")
        assert len(seat.desk.pulled) == looked + 2
        assert page.dialog.form is None, "what was done closes the dialog"


async def test_a_reader_who_may_only_read_looks_at_an_incident_without_being_told_so_each_second() -> None:
    async with opened("incidents", laid(read_only=True)) as (seat, page):
        assert seat.desk.pulled == []
        assert "read-only" not in page.notice.text
        await seat.press("a")
        assert "read-only" in page.notice.text, "who asks for it is told"


async def test_looking_at_an_incident_is_told_taking_needs_no_dialog_and_a_note_its_words() -> None:
    async with opened("incidents") as (seat, page):
        assert [(lever.verb, lever.target) for lever in seat.desk.pulled] == [(Verb.SEE, page.incidents.cursor.removeprefix("#"))]
        await seat.press("a")
        assert (seat.desk.pulled[-1].verb, seat.desk.pulled[-1].target_kind) == (Verb.TAKE, "incident")
        await seat.press("n", "enter")
        assert seat.desk.pulled[-1].verb is Verb.TAKE, "a note without words is none"
        await seat.type("called them")
        await seat.press("enter")
        assert (seat.desk.pulled[-1].verb, seat.desk.pulled[-1].text) == (Verb.NOTE, "called them")


# ------------------------------------------------------------------ looks
LOOKS = [
    pytest.param(NARROW, "desk-dark", id="80x24"),
    pytest.param(WIDE, "desk-dark", id="160x48"),
    pytest.param(WIDE, "desk-light", id="160x48-light"),
]


@pytest.mark.parametrize(("size", "theme"), LOOKS)
@pytest.mark.parametrize("name", list(PAGES))
def test_the_pages_look_as_they_did(snap_compare: Any, name: str, size: tuple[int, int], theme: str) -> None:
    desk = laid()

    async def connect() -> FakeDesk:
        return desk

    app = DeskApp(connect, sample=False, operator="jm", clock=Hand(), theme=theme)

    async def ready(pilot: Pilot[int]) -> None:
        while app.sight.newest is None:
            await pilot.pause(0.005)
        page = page_of(name, app.house, *SUBJECTS.get(name, ()))
        await app.push_screen(page)
        while not page.answered:
            await pilot.pause(0.005)
        page.paint_body()
        page.status.paint()
        page.notice.say("")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=ready)
