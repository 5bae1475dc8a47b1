"""Incidents open, join, close, open again, are kept and paged for: under a virtual clock, in a real folder."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gexdesk.engine.incidents.book import JOIN_S, MEMBERS_HELD, PAGE_AGAIN_S, REOPEN_S, RESTART_S
from gexdesk.engine.incidents.incident import FIRST_KEPT, LAST_KEPT, Incident, Snooze
from gexdesk.engine.incidents.incidents import SHOWN_CLOSED_S
from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.errors import StoreError, UnknownTarget
from gexdesk.model.view.incident import MuteView
from tests.engine.incident_setting import Floor, wrong

VENDOR = tuple(wrong(f"cboe-{s}") for s in ("spx", "ndx", "qqq", "spy", "vix", "rut"))


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.REPORTED])
async def test_every_kind_opens_joins_itself_closes_when_gone_for_long_enough_and_opens_again(kind: Kind, floor: Floor) -> None:
    condition = wrong(kind=kind, vendor="")
    await floor.pass_s(5, condition)
    assert floor.shown() == [(1, "open", "SPX")]
    assert floor.view().kind == kind
    opened_at = floor.view().opened_at
    await floor.pass_s(max(0, int(kind.close_after_s)))
    assert floor.shown() == [(1, "open", "SPX")]
    await floor.pass_s(1)
    assert floor.shown() == [(1, "closed", "SPX")]
    await floor.pass_s(300)
    await floor.pass_s(1, condition)
    assert floor.shown() == [(1, "open", "SPX")]
    assert floor.view().opened_at == opened_at
    assert floor.timeline() == ["opened", "paged", "closed", "reopened", "paged"]


async def test_what_opens_again_pages_again_and_what_flaps_does_not(floor: Floor) -> None:
    cause = wrong(kind=Kind.PROMISE_MISSED, vendor="")
    await floor.pass_s(10, cause)
    await floor.pass_s(6)
    for _ in range(5):  # it closes and opens each time, within the time in which that is one trouble
        await floor.pass_s(int(PAGE_AGAIN_S) - 2)
        await floor.pass_s(10, cause)
        await floor.pass_s(6)
    assert [page.what for page in floor.pager.pages] == ["opened"]
    await floor.pass_s(int(PAGE_AGAIN_S))
    await floor.pass_s(10, cause)
    assert [(page.what, page.incident.number) for page in floor.pager.pages] == [("opened", 1), ("opened", 1)]


async def test_somebody_who_took_it_the_last_time_is_not_on_it_when_it_opens_again_and_whoever_is_asleep_is_paged(
    floor: Floor,
) -> None:
    await floor.pass_s(10, wrong())
    await floor.incidents.change(1, lambda i: replace(i, owner="kd"))
    await floor.pass_s(20)
    await floor.pass_s(5, wrong())
    assert (floor.view().state, len(floor.pager.pages)) == ("taken", 1), "it flaps, and kd is on it"
    await floor.pass_s(100)
    await floor.pass_s(5, wrong())
    assert (floor.view().state, floor.view().owner, len(floor.pager.pages)) == ("open", "", 2)


async def test_what_comes_anew_after_somebody_resolved_it_pages_however_soon(floor: Floor) -> None:
    def resolved(incident: Incident) -> Incident:
        return replace(incident, owner="kd", resolved=True, closed_at=floor.clock.now(), seen=True)

    still = replace(wrong(kind=Kind.STOOD_STILL, vendor=""), came_at=1.0)
    await floor.pass_s(5, still)
    await floor.incidents.change(1, resolved)
    await floor.pass_s(5, still)
    assert len(floor.pager.pages) == 1
    await floor.pass_s(1, replace(still, came_at=9.0))
    assert (floor.view().state, len(floor.pager.pages)) == ("open", 2)
    await floor.incidents.change(1, resolved)
    await floor.pass_s(10)
    await floor.pass_s(1, replace(still, came_at=20.0))
    assert (floor.view().state, len(floor.pager.pages)) == ("open", 3)


async def test_a_moment_is_as_far_from_the_last_as_they_are_apart_however_long_each_was_told(tmp_path: Path) -> None:
    start = replace(wrong(kind=Kind.UNCLEAN_START, vendor=""), came_at=100.0)
    for gap_s, open_when_killed, pages in ((76, 0, 1), (76, 8, 1), (40, 0, 0), (40, 30, 0)):
        folder = tmp_path / f"{gap_s} {open_when_killed}"
        floor = Floor(folder)
        await floor.pass_s(5 if open_when_killed else 60, start)
        await floor.pass_s(0 if open_when_killed else 6)
        assert floor.view().state == ("open" if open_when_killed else "closed")
        again = Floor(folder, floor.clock)
        await again.pass_s(30, replace(start, came_at=100.0 + gap_s))
        assert again.view().state == "open"
        assert len(again.pager.pages) == pages, (gap_s, open_when_killed)


async def test_a_page_for_what_opened_again_is_sent_once_also_over_a_kill(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    await floor.pass_s(10, wrong())
    await floor.pass_s(int(PAGE_AGAIN_S) + 10)
    await floor.pass_s(1, wrong())
    assert len(floor.pager.pages) == 1, "a vendor's others are waited for, as when it opened first"
    killed = Floor(tmp_path, floor.clock)
    await killed.pass_s(4, wrong())
    assert [page.what for page in killed.pager.pages] == ["opened"]
    again = Floor(tmp_path, floor.clock)
    await again.pass_s(40, wrong())
    assert again.pager.pages == []


async def test_a_cause_that_comes_back_after_ten_minutes_is_a_new_incident(floor: Floor) -> None:
    await floor.pass_s(10, wrong())
    await floor.pass_s(10)
    closed_at = floor.view().closed_at
    assert closed_at is not None
    await floor.pass_s(int(REOPEN_S) + 1)
    await floor.pass_s(1, wrong())
    assert floor.shown() == [(2, "open", "SPX"), (1, "closed", "SPX")]


async def test_what_comes_and_goes_within_its_time_is_one_incident_without_a_line_for_each_time(floor: Floor) -> None:
    for _ in range(20):
        await floor.pass_s(2, wrong())
        await floor.pass_s(3)
    assert floor.shown() == [(1, "open", "SPX")]
    assert floor.timeline() == ["opened", "paged"]


async def test_six_sources_of_one_vendor_that_die_within_seconds_are_one_incident_and_one_page(floor: Floor) -> None:
    for count in range(1, 7):
        await floor.pass_s(2, *VENDOR[:count])
    assert floor.shown() == [(1, "open", "cboe")]
    view = floor.view()
    assert view.joined == 6
    assert view.text == "6 sources: cboe-spx, cboe-ndx, cboe-qqq +3; cboe-spx fails: 503"
    assert view.readers == ("pit-spx", "pit-ndx", "pit-qqq", "pit-spy", "pit-vix", "pit-rut")
    assert view.source == ""
    assert [(page.what, page.incident.number) for page in floor.pager.pages] == [("opened", 1)]
    assert [line.text for line in floor.chronicle.lines()][:2] == [
        "#1 SPX: cboe-spx fails: 503; hits pit-spx", "#1 cboe: joined: 2 sources: cboe-spx, cboe-ndx; cboe-spx fails: 503",
    ]  # fmt: skip


async def test_forty_causes_of_one_second_are_one_line_of_the_log_and_of_the_timeline(floor: Floor) -> None:
    fields: dict[str, Any] = {"kind": Kind.DISAGREE, "group": "gexbot-names and cboe-burst", "severity": 1}
    apart = [wrong("gexbot-names", key=f"disagree {n}", subject=f"S{n}", **fields) for n in range(40)]
    await floor.pass_s(1, *apart)
    assert floor.shown() == [(1, "open", "gexbot-names and cboe-burst")]
    assert len(floor.chronicle.lines()) == 1
    assert floor.timeline() == ["opened", "joined"]
    assert (floor.view().joined, floor.view().do_first) == (40, "the vendor")
    await floor.pass_s(1, *apart, wrong("gexbot-names", vendor="gexbot"))
    assert len(floor.shown()) == 2, "another group, though the same source"
    await floor.pass_s(1, *apart[:2])
    incident = floor.incidents.get(1)
    assert incident is not None
    assert [(entry.what, entry.text[:7]) for entry in incident.timeline[1:]] == [("joined", "S1, S2,"), ("gone", "S2, S3,")]


async def test_causes_that_come_and_go_for_hours_do_not_pile_up_in_one_incident(floor: Floor) -> None:
    for n in range(3 * MEMBERS_HELD):
        await floor.pass_s(1, wrong(), wrong(key=f"quarantine {n}", subject=f"S{n}"))
    assert floor.view().joined == MEMBERS_HELD
    incident = floor.incidents.get(1)
    assert incident is not None
    assert {"feed cboe-spx", f"quarantine {3 * MEMBERS_HELD - 1}"} <= incident.members.keys()
    await floor.pass_s(1, wrong(), wrong(key="quarantine 0", subject="S0"))
    assert len(floor.shown()) == 1


async def test_what_one_source_does_to_all_its_symbols_is_one_incident_that_counts_them(floor: Floor) -> None:
    frozen = [
        wrong("cboe-all", key=f"FROZEN {symbol}", kind=Kind.SYMBOL_FROZEN, subject=symbol, symbols=(symbol,), text="same numbers")
        for symbol in ("SPX", "NDX", "QQQ", "SPY")
    ]
    await floor.pass_s(3, *frozen)
    assert floor.view().text == "4 symbols of cboe-all: SPX, NDX, QQQ +1; same numbers"
    assert (floor.view().joined, floor.view().source) == (4, "cboe-all")
    await floor.pass_s(1, *frozen, wrong())
    assert floor.view().text == "2 sources: cboe-all, cboe-spx; same numbers"


async def test_what_a_joined_incident_says_of_those_that_are_back_is_understood_without_a_manual(floor: Floor) -> None:
    frozen = [
        wrong("drop", key=f"FROZEN S{n}", kind=Kind.SYMBOL_FROZEN, subject=f"S{n}", symbols=(f"S{n}",), text="same numbers")
        for n in range(21)
    ]
    await floor.pass_s(3, *frozen)
    assert floor.view().text == "21 symbols of drop: S0, S1, S2 +18; same numbers"
    await floor.pass_s(3, *frozen[1:])
    assert floor.view().text == "20 symbols of drop: S1, S2, S3 +17 (1 more is back); same numbers"
    await floor.pass_s(3, frozen[5])
    assert floor.view().text == "1 symbol of drop: S5 (20 more are back); same numbers"
    await floor.pass_s(1)
    assert floor.view().text == "all 21 symbols of drop are back: S0, S1, S2 +18; same numbers"


async def test_causes_of_no_source_that_are_about_the_same_say_each_their_own(floor: Floor) -> None:
    fields: dict[str, Any] = {"kind": Kind.PROMISE_AT_RISK, "subject": "CRITICAL", "group": "CRITICAL", "vendor": "", "symbols": ()}
    bound = wrong("", key="bound CRITICAL", severity=1, text="its 30 s are not proven", **fields)
    risk = wrong("", key="risk CRITICAL", text="the oldest waits 16 s of its 30 s", **fields)
    await floor.pass_s(3, bound)
    await floor.pass_s(3, bound, risk)
    assert floor.shown() == [(1, "open", "CRITICAL")]
    assert floor.view().text == "the oldest waits 16 s of its 30 s; its 30 s are not proven"
    assert (floor.view().severity, floor.view().do_first, len(floor.pager.pages)) == (2, "the vendor", 1)
    await floor.pass_s(3, bound)
    assert floor.view().text == "its 30 s are not proven"


async def test_two_causes_of_one_symbol_count_it_once(floor: Floor) -> None:
    silent = wrong("drop", key="SILENT SPX", kind=Kind.SYMBOL_SILENT, subject="SPX", text="silent for 17 s")
    frozen = wrong("drop", key="FROZEN SPX", kind=Kind.SYMBOL_FROZEN, subject="SPX", text="same numbers")
    await floor.pass_s(3, silent, frozen)
    assert floor.view().text == "1 symbol of drop: SPX; silent for 17 s"
    await floor.pass_s(1)
    assert floor.view().text == "1 symbol of drop is back: SPX; silent for 17 s"


async def test_members_that_recover_one_by_one_and_fail_again_never_split_off(floor: Floor) -> None:
    await floor.pass_s(10, *VENDOR)
    for left in range(5, 0, -1):
        await floor.pass_s(20, *VENDOR[:left])
    assert floor.shown() == [(1, "open", "cboe")]
    assert floor.view().text == "1 source: cboe-spx (5 more are back); cboe-spx fails: 503"
    await floor.pass_s(int(JOIN_S) + 10, *VENDOR[:1])
    await floor.pass_s(2, *VENDOR)
    assert floor.shown() == [(1, "open", "cboe")]
    await floor.pass_s(20)
    await floor.pass_s(100, VENDOR[5])
    assert floor.shown() == [(1, "open", "cboe")]
    assert len(floor.pager.pages) == 1


async def test_a_vendor_s_next_source_joins_a_standing_outage_but_not_one_old_failure(floor: Floor) -> None:
    await floor.pass_s(int(JOIN_S) + 5, VENDOR[0])
    await floor.pass_s(1, *VENDOR[:2])
    assert floor.shown() == [(1, "open", "SPX"), (2, "open", "NDX")]
    await floor.pass_s(1, *VENDOR[:3])
    assert floor.view(2).joined == 2
    await floor.pass_s(int(JOIN_S) + 5, *VENDOR[:3])
    await floor.pass_s(1, *VENDOR[:4])
    assert floor.view(2).joined == 3
    assert len(floor.shown()) == 2


async def test_vendors_and_conditions_without_one_stay_apart(floor: Floor) -> None:
    await floor.pass_s(5, wrong(), wrong("gexbot-spx", vendor="gexbot"), wrong("drop-a", vendor=""), wrong("drop-b", vendor=""))
    assert [subject for _, _, subject in floor.shown()] == ["SPX", "SPX", "A", "B"]


async def test_the_kind_of_one_source_s_trouble_may_change_without_a_new_incident(floor: Floor) -> None:
    await floor.pass_s(3, wrong())
    await floor.pass_s(3, wrong(kind=Kind.BREAKER_OPEN, text="cboe-spx is left alone"))
    assert floor.shown() == [(1, "open", "SPX")]
    assert (floor.view().kind, floor.view().text) == ("breaker_open", "cboe-spx is left alone")
    assert floor.timeline()[-1] == "changed"


async def test_who_closed_unseen_stays_until_seen(floor: Floor) -> None:
    await floor.pass_s(10, wrong())
    await floor.pass_s(3_600)
    assert floor.shown() == [(1, "closed", "SPX")]
    assert not floor.view().seen
    await floor.incidents.change(1, lambda i: replace(i, seen=True))
    await floor.pass_s(1)
    assert floor.shown() == []
    assert (await floor.incidents.find(1)).seen


async def test_one_that_closed_unseen_is_still_shown_for_a_minute_after_somebody_saw_it(floor: Floor) -> None:
    await floor.pass_s(10, wrong())
    await floor.pass_s(2 * int(REOPEN_S))
    await floor.incidents.change(1, lambda i: replace(i, seen=True).told(floor.clock.now(), "jm", "see"))
    await floor.pass_s(int(SHOWN_CLOSED_S) - 1)
    assert floor.shown() == [(1, "closed", "SPX")], "its story is being read"
    assert floor.view().seen
    await floor.pass_s(1)
    assert floor.shown() == []
    await floor.pass_s(int(REOPEN_S))
    assert floor.incidents.get(1) is None, "it is let go of"


async def test_a_page_waits_for_the_vendor_s_others_and_comes_once_more_when_it_gets_worse(floor: Floor) -> None:
    mild = wrong(severity=1)
    await floor.pass_s(10, mild)
    assert floor.pager.pages == []
    await floor.incidents.change(1, lambda i: replace(i, seen=True))
    await floor.pass_s(5, mild)
    assert floor.view().seen
    await floor.pass_s(10, wrong())
    assert not floor.view().seen
    assert [page.what for page in floor.pager.pages] == ["opened"]
    await floor.pass_s(10, mild)
    await floor.pass_s(10, wrong())
    assert len(floor.pager.pages) == 1
    assert "worse" in floor.timeline()


async def test_a_mild_page_is_followed_by_a_grave_one_and_by_the_end_where_that_is_asked_for(tmp_path: Path) -> None:
    floor = Floor(tmp_path, min_severity=1, on_closed=True)
    await floor.pass_s(10, wrong(severity=1))
    await floor.pass_s(5, wrong())
    await floor.pass_s(10)
    assert [(page.what, page.incident.severity) for page in floor.pager.pages] == [("opened", 1), ("worse", 2), ("closed", 2)]
    quiet = Floor(tmp_path / "quiet", min_severity=1, on_worse=False)
    await quiet.pass_s(5, wrong(severity=1))
    await quiet.pass_s(5, wrong())
    assert [page.what for page in quiet.pager.pages] == ["opened"]


async def test_without_a_pager_nobody_is_paged(tmp_path: Path) -> None:
    floor = Floor(tmp_path, command=())
    await floor.pass_s(10, wrong())
    assert floor.pager.pages == []
    assert floor.pager.state == "-"
    assert floor.timeline() == ["opened"]


async def test_what_lies_in_a_maintenance_window_is_shown_muted_and_pages_only_when_the_window_ends(floor: Floor) -> None:
    now = floor.clock.now()
    floor.mutes.begin(MuteView("vendor", "cboe", "jm", "announced", now, now + 60), now)
    await floor.pass_s(59, *VENDOR)
    assert floor.view().muted
    assert floor.pager.pages == []
    await floor.pass_s(2, *VENDOR)
    assert not floor.view().muted
    assert len(floor.pager.pages) == 1


async def test_a_snooze_ends_at_its_time_or_when_it_gets_worse_or_another_source_joins(floor: Floor) -> None:
    async def snoozed(until: float | None) -> None:
        await floor.incidents.change(1, lambda i: replace(i, snooze=Snooze(until)))
        assert floor.view().state == "snoozed"

    mild = wrong(severity=1)
    await floor.pass_s(3, mild)
    await snoozed(floor.clock.now() + 20)
    assert floor.view().snoozed_until == floor.clock.now() + 20
    await floor.pass_s(19, mild)
    assert floor.view().state == "snoozed"
    await floor.pass_s(1, mild)
    assert floor.view().state == "open"
    await snoozed(None)
    await floor.pass_s(10, mild)
    assert floor.pager.pages == []
    await floor.pass_s(1, mild, VENDOR[1])
    assert (floor.view().state, floor.timeline()[-1]) == ("open", "paged")
    await snoozed(None)
    await floor.pass_s(10, mild, VENDOR[1])
    assert floor.view().state == "snoozed"
    await floor.pass_s(30)
    assert floor.view().state == "closed"


async def test_nobody_is_paged_for_what_is_taken_or_snoozed_before_the_page_goes_out(floor: Floor) -> None:
    await floor.pass_s(1, wrong(), wrong("gexbot-ndx", vendor="gexbot"))
    await floor.incidents.change(1, lambda i: replace(i, owner="kd"))
    await floor.incidents.change(2, lambda i: replace(i, snooze=Snooze(floor.clock.now() + 30)))
    await floor.pass_s(29, wrong(), wrong("gexbot-ndx", vendor="gexbot"))
    assert floor.pager.pages == []
    await floor.pass_s(2, wrong(), wrong("gexbot-ndx", vendor="gexbot"))
    assert [page.incident.number for page in floor.pager.pages] == [2]


async def test_what_was_resolved_by_hand_opens_again_when_it_gets_worse_or_comes_anew(floor: Floor) -> None:
    def resolved(incident: Incident) -> Incident:
        return replace(incident, resolved=True, closed_at=floor.clock.now(), seen=True)

    mild = wrong(severity=1)
    await floor.pass_s(10, mild)
    await floor.incidents.change(1, resolved)
    await floor.pass_s(1_000, mild)
    assert floor.shown() == [], "its cause is still there, and nobody wants to hear of it"
    await floor.pass_s(1, wrong())
    assert floor.shown() == [(1, "open", "SPX")]
    await floor.incidents.change(1, resolved)
    await floor.pass_s(3)
    await floor.pass_s(10, wrong())
    assert floor.view().state == "resolved", "a flicker is not a new failure"
    await floor.pass_s(30)
    await floor.pass_s(1, wrong())
    assert floor.shown() == [(1, "open", "SPX")]
    assert floor.timeline()[-1] == "reopened"


async def test_a_cause_that_stays_and_comes_again_opens_what_was_resolved_also_after_a_restart(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    dead = replace(wrong(severity=1), came_at=1_000.1234564)
    await floor.pass_s(1_000, dead)
    assert floor.shown() == [(1, "open", "SPX")], "for as long as it is there"
    await floor.incidents.change(1, lambda i: replace(i, resolved=True, closed_at=floor.clock.now(), seen=True))
    again = Floor(tmp_path, floor.clock)
    await again.pass_s(1_000, replace(dead, came_at=1_000.123457))  # as a store gives it back
    assert again.shown() == [], "it was resolved, and nothing came since"
    await again.pass_s(1, replace(dead, came_at=1_500.0))
    assert again.shown() == [(1, "open", "SPX")]
    assert again.timeline()[-1] == "reopened"


@pytest.mark.parametrize(("target_kind", "target", "covered"), [
    ("source", "cboe-spx", True), ("source", "cboe-ndx", False), ("vendor", "cboe", True), ("vendor", "cbo", False),
    ("symbol", "SPX", True), ("symbol", "NDX", False),
])  # fmt: skip
async def test_a_window_covers_its_own_target_alone(floor: Floor, target_kind: str, target: str, covered: bool) -> None:
    now = floor.clock.now()
    floor.mutes.begin(MuteView(target_kind, target, "jm", "announced", now, now + 60), now)
    await floor.pass_s(5, wrong())
    assert floor.view().muted is covered
    await floor.pass_s(1, wrong(), VENDOR[1])
    assert floor.view().muted is (target == "cboe"), "a cause outside of the window counts"


async def test_what_was_done_survives_a_restart_and_an_open_one_is_given_time_to_be_found_again(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    await floor.pass_s(3, *VENDOR)
    await floor.incidents.change(1, lambda i: replace(i, owner="kd", revision=2).told(9.0, "kd", "note", "vendor called"))
    again = Floor(tmp_path, floor.clock)
    await again.pass_s(int(RESTART_S) - 2)
    assert again.shown() == [(1, "taken", "cboe")]
    assert again.timeline() == floor.timeline()
    await again.pass_s(5, *VENDOR[:1])
    assert again.shown() == [(1, "taken", "cboe")]
    assert again.pager.pages == [], "nobody is paged for it twice"
    await again.pass_s(1, wrong("gexbot-spx", vendor="gexbot"))
    assert [number for number, _, _ in again.shown()] == [1, 2]
    late = Floor(tmp_path, floor.clock)
    await late.pass_s(int(RESTART_S) + 10)
    assert [state for _, state, _ in late.shown()] == ["closed", "closed"]


async def test_what_was_resolved_or_closed_a_moment_ago_is_known_after_a_restart(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    other = wrong("gexbot-ndx", vendor="gexbot")
    await floor.pass_s(5, wrong(), other)
    await floor.incidents.change(1, lambda i: replace(i, resolved=True, closed_at=floor.clock.now(), seen=True))
    await floor.pass_s(10, wrong())
    await floor.incidents.change(2, lambda i: replace(i, seen=True))
    assert floor.view(2).state == "closed"
    again = Floor(tmp_path, floor.clock)
    await again.pass_s(int(RESTART_S) - 1)
    await again.pass_s(300, wrong())
    assert again.shown() == [], "it is still resolved"
    await again.pass_s(1, wrong(), other)
    assert again.shown() == [(2, "open", "NDX")]


async def test_what_is_done_to_an_old_incident_takes_no_cause_from_a_new_one(floor: Floor) -> None:
    cause = wrong(vendor="")
    await floor.pass_s(10, cause)
    await floor.pass_s(int(REOPEN_S) + 30)
    await floor.pass_s(3, cause)
    for _ in range(2):  # while a screen still shows it, and when it is only kept
        await floor.incidents.change(1, lambda i: replace(i, seen=True).told(0.0, "jm", "note", "late thought"))
        await floor.pass_s(3, cause)
        assert [(number, state) for number, state, _ in floor.shown()] == [(2, "open")]
    assert [entry.what for entry in (await floor.incidents.find(1)).timeline][-2:] == ["note", "note"]
    assert floor.incidents.get(1) is None


async def test_a_number_is_never_given_twice_even_where_its_file_is_damaged(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    await floor.pass_s(1, wrong())
    (tmp_path / "incidents" / "1.json").write_text('{"number": ')
    again = Floor(tmp_path, floor.clock)
    await again.pass_s(1, wrong())
    assert [number for number, _, _ in again.shown()] == [2]
    assert "incidents/1.json cannot be read" in again.chronicle.lines()[0].text
    with pytest.raises(StoreError, match=r"1\.json holds an incident and cannot be read"):
        await again.incidents.find(1)
    with pytest.raises(UnknownTarget, match="there is no incident 7"):
        await again.incidents.find(7)


async def test_a_disk_that_takes_nothing_keeps_no_incident_from_being_shown_and_paged(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    (tmp_path / "incidents").rename(tmp_path / "aside")
    (tmp_path / "incidents").touch()
    await floor.pass_s(5, wrong())
    assert floor.shown() == [(1, "open", "SPX")]
    assert len(floor.pager.pages) == 1
    told = [line.text for line in floor.chronicle.lines() if "could not be kept" in line.text]
    assert len(told) == 1, "said once, not each second"
    with pytest.raises(StoreError):
        await floor.incidents.change(1, lambda i: replace(i, owner="kd"))
    assert floor.view().owner == ""
    (tmp_path / "incidents").unlink()
    (tmp_path / "aside").rename(tmp_path / "incidents")
    await floor.pass_s(1, wrong())
    assert [i.number for i in Floor(tmp_path, floor.clock).incidents.all()] == [1]


async def test_every_change_is_recorded_for_sql(floor: Floor) -> None:
    await floor.pass_s(10, *VENDOR[:2])
    await floor.pass_s(10)
    last = floor.recorded[-1]
    assert (last.number, last.kind, last.severity, last.subject) == (1, "feed_failing", 2, "cboe")
    assert last.text == "all 2 sources are back: cboe-spx, cboe-ndx; cboe-spx fails: 503"
    assert last.closed_at is not None
    assert '"what":"closed"' in last.timeline


def test_a_timeline_keeps_its_beginning_and_its_end() -> None:
    incident = Incident(number=1, opened_at=0.0)
    for at in range(1_000):
        incident = incident.told(float(at), "jm", "note", str(at))
    assert len(incident.timeline) == FIRST_KEPT + LAST_KEPT
    assert (incident.timeline[0].text, incident.timeline[FIRST_KEPT].text, incident.timeline[-1].text) == ("0", "820", "999")
