"""What is called wrong, and what is not: every cause with its threshold, under a clock that a test moves."""

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gexdesk.engine.flow import Flow
from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.measure import Measure
from gexdesk.engine.open_letters import OpenLetters
from gexdesk.engine.standing import Pause, Standing
from gexdesk.engine.watch.backlog import Backlog
from gexdesk.engine.watch.bound import BoundBroken
from gexdesk.engine.watch.dead import DeadLetters
from gexdesk.engine.watch.fault import Fault
from gexdesk.engine.watch.feeds import Feeds
from gexdesk.engine.watch.gaps import Gaps
from gexdesk.engine.watch.host import Host
from gexdesk.engine.watch.promises import PromisesKept
from gexdesk.engine.watch.queue import SharedQueue
from gexdesk.engine.watch.state import state_of
from gexdesk.engine.watch.stores import Disk, Stores
from gexdesk.engine.watch.switch import KillSwitch
from gexdesk.engine.watch.watch import Watch
from gexdesk.metrics.slo import Promises
from gexdesk.model.job import LevelDepth
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.view.engine import BoundView
from gexdesk.queues.base import QueueState
from gexdesk.stores.base import OpenLetter
from gexdesk.stores.cache import EmbeddedCache
from tests.virtual_clock import VirtualClock

MONDAY_0941 = 1_795_444_877.0
"""23 November 2026, 09:41:17 in New York: a regular session."""
FRIDAY_1300 = 1_795_802_400.0
"""27 November 2026, 13:00 in New York: the early close."""


def an_account(name: str = "cboe-spx", **fields: Any) -> Account:
    values: dict[str, Any] = {
        "name": name, "kind": "http", "symbols": ("SPX",), "format": "", "standing": "auto", "configured_delay_s": None,
        "due_s": 15.0, "data_type": "real_time", "hours": "regular", "vendor": "cboe", "listening_since": 0.0,
    }  # fmt: skip
    return Account(**(values | fields))


class Sources:
    """Watch some accounts from Monday morning on."""

    def __init__(self, folder: Path, *accounts: Account, at: float = MONDAY_0941) -> None:
        self.now = at
        self.standing = Standing(folder / "standing.json")
        self.ledger = Ledger(list(accounts))
        self.feeds = Feeds(self.ledger, self.standing, EmbeddedCache())

    def after(self, seconds: float) -> list[Condition]:
        self.now += seconds
        return list(self.feeds.conditions(self.now))


@pytest.fixture
def account() -> Account:
    return an_account()


@pytest.fixture
def sources(tmp_path: Path, account: Account) -> Sources:
    account.succeeded(MONDAY_0941, 0.1)
    return Sources(tmp_path, account)


def kinds(found: list[Condition]) -> list[str]:
    return [str(condition.kind) for condition in found]


def test_a_feed_is_silent_after_three_intervals_and_not_before(sources: Sources, account: Account) -> None:
    assert sources.after(45.0) == []
    [found] = sources.after(0.9)
    assert (found.kind, found.severity, found.subject, found.source, found.vendor, found.symbols) == (
        Kind.FEED_SILENT, 2, "SPX", "cboe-spx", "cboe", ("SPX",),
    )  # fmt: skip
    assert found.text == "cboe-spx silent for 46 s: due each 15 s"
    account.succeeded(sources.now, 0.1)
    assert sources.after(1.0) == []


def test_a_closed_market_is_no_alarm_and_the_opening_starts_the_count(tmp_path: Path) -> None:
    account = an_account()
    account.succeeded(FRIDAY_1300 - 5, 0.1)
    sources = Sources(tmp_path, account, at=FRIDAY_1300 - 5)
    for _ in range(273):  # to Monday 09:10, every quarter of an hour
        assert sources.after(900.0) == []
    sources.now = FRIDAY_1300 + (2 * 24 + 20.5) * 3600
    assert sources.after(44.0) == []
    assert state_of(account, sources.standing, FRIDAY_1300 + 3600) == "quiet"
    assert kinds(sources.after(3.0)) == ["feed_silent"]


def test_one_failed_request_is_nobody_s_business_and_three_seconds_of_them_are(sources: Sources, account: Account) -> None:
    account.failed(sources.now, "503 Service Unavailable")
    assert sources.after(3.0) == []
    [found] = sources.after(0.5)
    assert (found.kind, found.text) == (Kind.FEED_FAILING, "cboe-spx fails: 503 Service Unavailable")
    account.breaker, account.probe_at = "open", sources.now + 18.0
    [left_alone] = sources.after(0.0)
    assert (left_alone.kind, left_alone.key) == (Kind.BREAKER_OPEN, found.key)
    assert left_alone.text == "cboe-spx is left alone, probe in 18 s: 503 Service Unavailable"
    account.breaker = "half_open"
    assert kinds(sources.after(0.0)) == ["breaker_open"]
    account.breaker = "closed"
    account.succeeded(sources.now, 0.1)
    assert sources.after(0.0) == []


def test_what_the_disk_refuses_is_the_disks_fault_and_no_feeds(sources: Sources, account: Account, tmp_path: Path) -> None:
    disk = Disk(tmp_path, sources.ledger)
    for _ in range(4):
        sources.now += 4.0
        account.store_refused(sources.now, "the spool could not be written: No space left on device")
        account.failed(sources.now, "could not be kept, will be handed over again")
    assert sources.after(1.0) == []
    [found] = disk.conditions(sources.now)
    assert (found.kind, found.severity, found.subject) == (Kind.DISK_LOW, 2, "disk")
    assert found.text.startswith("what cboe-spx brings cannot be kept and is asked for again: the spool could not be written")
    assert account.reliability == 1.0
    account.failed(sources.now + 10.0, "503 Service Unavailable")  # the disk has room again: now it is the vendor's
    assert kinds(sources.after(10.0)) == ["feed_failing"]
    assert list(disk.conditions(sources.now)) == []
    assert account.reliability < 1.0


def test_three_unusable_payloads_in_a_row_are_a_failing_feed(sources: Sources, account: Account) -> None:
    for count in range(3):
        assert sources.after(0.0) == [], count
        account.refused(sources.now, "truncated at byte 8")
    [found] = sources.after(0.0)
    assert (found.kind, found.text) == (Kind.FEED_FAILING, "cboe-spx sends nothing usable: truncated at byte 8")
    account.stored()
    assert sources.after(0.0) == []


def test_a_source_that_repeats_itself_for_a_minute_is_found_unless_the_market_is_closed(tmp_path: Path) -> None:
    for at, expected in ((MONDAY_0941, ["feed_repeating"]), (FRIDAY_1300 + 60, [])):
        account = an_account(listening_since=at)
        sources = Sources(tmp_path, account, at=at)
        for second in range(0, 61, 5):
            assert sources.after(5.0 if second else 0.0) == [], second
            account.succeeded(sources.now, 0.1)
            account.repeated(sources.now)
        assert kinds(sources.after(1.0)) == expected
    account = an_account(listening_since=MONDAY_0941)
    sources = Sources(tmp_path, account)
    for _ in range(30):
        account.succeeded(sources.now, 0.1)
        account.repeated(sources.now)
        account.arrived(sources.now)
        assert sources.after(5.0) == [], "something new came in between"


def test_paused_stopped_and_ended_sources_are_no_trouble(sources: Sources, account: Account) -> None:
    account.failed(sources.now, "refused")
    assert len(sources.after(10.0)) == 1
    sources.standing.set_pause("cboe-spx", Pause("jm", "vendor call", 0.0))
    assert sources.after(1000.0) == []
    sources.standing.set_pause("cboe-spx", None)
    assert len(sources.after(0.0)) == 1
    account.ended = True
    assert sources.after(0.0) == []


def test_a_source_without_a_level_is_named_and_hits_no_reader(tmp_path: Path) -> None:
    [found] = Sources(tmp_path, an_account(standing="")).after(0.0)
    assert (found.kind, found.severity, found.vendor) == (Kind.SOURCE_UNASSIGNED, 1, "")


@pytest.mark.parametrize(
    ("fields", "severity", "symbols"),
    [
        ({}, 2, ("SPX",)),
        ({"data_type": "historical"}, 1, ()),
        ({"symbols": ()}, 2, ()),
        ({"symbols": ("SPX", "NDX")}, 2, ("SPX", "NDX")),
    ],
)
def test_a_failure_is_grave_where_readers_may_be_hit(
    tmp_path: Path, fields: dict[str, Any], severity: int, symbols: tuple[str, ...]
) -> None:
    account = an_account(**fields)
    sources = Sources(tmp_path, account)
    account.failed(sources.now, "503")
    [found] = sources.after(4.0)
    assert (found.severity, found.symbols) == (severity, symbols)


def test_missed_messages_and_what_was_refused_without_a_letter_are_told_for_a_minute_after_the_last(account: Account) -> None:
    ledger = Ledger([account])
    gaps, dead = Gaps(ledger), DeadLetters(ledger, OpenLetters())
    assert [*gaps.conditions(0.0), *dead.conditions(0.0)] == []
    account.missed_some(3, "after 1,204")
    account.refused(100.0, "truncated")
    assert [c.text for c in (*gaps.conditions(100.0), *dead.conditions(100.0))] == [
        "cboe-spx: 3 messages never came; after 1,204", "cboe-spx: 1 payload refused: truncated",
    ]  # fmt: skip
    account.refused(130.0, "truncated")
    assert [c.text for c in dead.conditions(130.0)] == ["cboe-spx: 2 payloads refused: truncated"]
    assert list(gaps.conditions(160.0)) == []
    assert kinds(list(dead.conditions(189.0))) == ["dead_letters"]
    assert list(dead.conditions(190.0)) == []


def test_a_dead_letter_is_told_until_somebody_settles_it_under_its_own_symbol_else_its_source(account: Account) -> None:
    letters = OpenLetters()
    dead = DeadLetters(Ledger([account]), letters)
    letters.load([OpenLetter("1", "cboe-spx", "SPX", "crossed", 50.0)])
    [found] = dead.conditions(1e6)
    assert (found.subject, found.text, found.job_id) == ("SPX", "cboe-spx: 1 payload refused: crossed", "1")
    account.refused(100.0, "truncated", "2")
    letters.buried(OpenLetter("2", "cboe-spx", "", "truncated", 100.0))
    [found] = dead.conditions(2e6)
    assert (found.subject, found.text, found.job_id) == ("cboe-spx", "cboe-spx: 2 payloads refused: truncated", "2")
    assert found.came_at == 100.0
    letters.settled("2", "cboe-spx")
    assert [(c.job_id, c.came_at) for c in dead.conditions(3e6)] == [("1", 50.0)]
    letters.settled("1", "cboe-spx")
    assert list(dead.conditions(3e6)) == []


class Line:
    """Hold a queue's state that a test sets."""

    def __init__(self) -> None:
        self.depths: dict[Level, int] = dict.fromkeys(LEVELS, 0)
        self.oldest: dict[Level, float] = {}
        self.stopped = False

    def state(self) -> QueueState:
        levels = {
            level: LevelDepth(waiting=depth, paused=0, delayed=0, processing=0, oldest_received_at=self.oldest.get(level))
            for level, depth in self.depths.items()
        }
        return QueueState(levels=levels, by_source={}, paused=frozenset(), stopped=self.stopped, conflated=0)


def test_a_promise_is_at_risk_at_half_of_it_and_missed_for_a_minute() -> None:
    line, promises = Line(), Promises()
    cause = PromisesKept(promises, line.state)
    line.oldest = {Level.CRITICAL: 0.0, Level.HIGH: 0.0, Level.LOW: 0.0}
    assert list(cause.conditions(15.0)) == []
    [risk] = cause.conditions(15.5)
    assert (risk.kind, risk.severity, risk.subject, risk.text) == (
        Kind.PROMISE_AT_RISK, 2, "CRITICAL", "the oldest waits 16 s of its 30 s",
    )  # fmt: skip
    assert risk.like == "CRITICAL", "it joins the bound that is above its promise"
    assert [(c.subject, c.severity) for c in cause.conditions(151.0)] == [("CRITICAL", 2), ("HIGH", 1)]
    line.stopped = True
    assert list(cause.conditions(151.0)) == [], "the kill switch is an incident of its own"
    promises.record(Level.CRITICAL, 31.0)
    promises.record(Level.CRITICAL, 1.0)
    promises.record(Level.LOW, 90_000.0)
    [missed] = cause.conditions(200.0)
    assert (missed.kind, missed.severity, missed.text) == (Kind.PROMISE_MISSED, 2, "1 promise missed, the worst 31.0 s")
    assert missed.came_at == 200.0
    assert [(c.kind, c.came_at) for c in cause.conditions(259.0)] == [(Kind.PROMISE_MISSED, 200.0)]
    assert list(cause.conditions(260.0)) == []


def test_a_bound_above_its_promise_is_told_after_five_seconds_until_it_is_below() -> None:
    held = [BoundView(53.0, 30.0, 0.0, "46.9 s to sync what comes: the disk", "receive")]
    cause = BoundBroken(lambda: held[0])
    assert [list(cause.conditions(at)) for at in (0.0, 1.0, 5.0)] == [[], [], []]
    [found] = cause.conditions(5.5)
    assert (found.kind, found.severity, found.subject) == (Kind.PROMISE_AT_RISK, 1, "CRITICAL")
    assert found.text == "its 30 s are not proven: 53 s at the worst; 46.9 s to sync what comes: the disk"
    assert found.do_first.startswith("look at the disk")
    assert found.like == "CRITICAL"
    held[0] = BoundView(None, 30.0, 1.0, "9.0 a second, 0.50 s each: more than 1 slot can do", "at the workers")
    [none] = cause.conditions(6.0)
    assert none.text.startswith("its 30 s are not proven: nothing bounds it; 9.0 a second")
    assert (none.key, none.do_first.partition(";")[0]) == (found.key, "P pauses what floods")
    held[0] = BoundView(30.0, 30.0, 0.0, "the pool", "in the pool")
    assert list(cause.conditions(7.0)) == []
    held[0] = BoundView(30.1, 30.0, 0.0, "the pool", "in the pool")
    assert list(cause.conditions(8.0)) == [], "it begins anew"
    assert kinds(list(cause.conditions(13.1))) == ["promise_at_risk"]


@pytest.mark.parametrize("term", ["receive", "commit", "publish"])
def test_each_term_of_the_bound_that_is_measured_names_itself(term: str) -> None:
    clock = VirtualClock()
    measure = Measure(
        clock, pool=(2, 1), workers=(2, 1), limit_s=1.0, lease_s=5.0, sweep_s=1.0, failover_s=0.0, promise_s=30.0
    )
    cause = BoundBroken(measure.bound)
    assert [list(cause.conditions(at)) for at in (0.0, 10.0)] == [[], []], "a desk that has just started"
    {"receive": measure.received, "commit": measure.committed, "publish": measure.published}[term](40.0)
    assert list(cause.conditions(20.0)) == []
    [found] = cause.conditions(26.0)
    assert "40.0 s to" in found.text
    assert ("disk" in found.do_first) is (term != "publish")
    clock._now += 900.0  # what was slow a quarter of an hour ago counts for half
    assert list(cause.conditions(930.0)) == []


def test_a_backlog_that_grows_for_half_a_minute_is_told_and_a_burst_is_not() -> None:
    clock, line = VirtualClock(), Line()
    flow = Flow(clock)
    cause = Backlog(flow, line.state)

    def passing(seconds: int, enter: int, leave: int) -> list[list[Condition]]:
        found = []
        for _ in range(seconds):
            clock._now += 1.0
            for _ in range(enter):
                flow.entered(Level.MEDIUM)
            for _ in range(leave):
                flow.left(Level.MEDIUM)
            line.depths[Level.MEDIUM] = max(0, line.depths[Level.MEDIUM] + enter - leave)
            found.append(list(cause.conditions(clock.now())))
        return found

    assert not any(passing(40, 5, 5))
    burst = passing(10, 60, 10) + passing(60, 5, 15)
    assert not any(burst)
    line.depths[Level.MEDIUM] = 0
    passing(35, 0, 0)
    growing = passing(60, 20, 5)
    assert not any(growing[:28])
    [found] = growing[-1]
    assert (found.kind, found.severity, found.subject) == (Kind.BACKLOG_GROWING, 1, "MEDIUM")
    assert found.text.startswith("900 wait and more come: ")
    assert not any(passing(3, 5, 200)), "it drains"


class Lag:
    """Stand for the keeper, of which nothing but its lag is asked."""

    seconds = 0.0

    def lag_s(self) -> float:
        return self.seconds


def test_results_that_wait_to_be_stored_are_told_after_ten_seconds() -> None:
    keeper = Lag()
    cause = Stores(keeper)  # type: ignore[arg-type]
    keeper.seconds = 10.0
    assert list(cause.conditions(0.0)) == []
    keeper.seconds = 10.5
    assert kinds(list(cause.conditions(0.0))) == ["store_lag"]


def test_a_disk_is_low_below_a_share_and_full_below_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    room = [100_000_000_000, 0]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(room[0], room[0] - room[1], room[1]))

    def asked(total: float, free: float) -> list[tuple[int, str]]:
        room[:] = [int(total), int(free)]
        return [(c.severity, c.text) for c in Disk(tmp_path, Ledger([])).conditions(0.0)]

    assert asked(100e9, 2.1e9) == []
    assert asked(100e9, 1.9e9) == [(1, "1.9 GB free where the state folder lies: clear up")]
    assert asked(100e9, 0.4e9)[0][0] == 2
    assert asked(10e9, 0.6e9) == [], "a small disk is judged by its share"
    assert asked(10e9, 0.4e9)[0][0] == 1
    room[:] = [int(100e9), int(50e9)]
    cause = Disk(tmp_path, Ledger([]))
    assert list(cause.conditions(0.0)) == []
    room[1] = 0
    assert list(cause.conditions(4.0)) == [], "it is asked every five seconds"
    assert kinds(list(cause.conditions(5.0))) == ["disk_low"]


class TwoClocks(VirtualClock):
    """Let a test move the wall clock apart from the monotonic one."""

    set_by = 0.0

    def now(self) -> float:
        return super().now() + self.set_by


@pytest.fixture
def clocks() -> TwoClocks:
    return TwoClocks()


def beat(host: Host, clock: TwoClocks, seconds: float) -> list[Condition]:
    clock._now += seconds
    return list(host.conditions(clock.now()))


def test_a_pause_of_the_engine_is_told_for_a_minute_and_no_feed_is_blamed(clocks: TwoClocks, account: Account) -> None:
    host = Host(Ledger([account]), clocks)
    assert beat(host, clocks, 0.0) == []
    assert beat(host, clocks, 5.0) == []
    [found] = beat(host, clocks, 6.0)
    assert (found.kind, found.severity, found.text) == (Kind.STOOD_STILL, 2, "the engine itself stood still for 6 s")
    assert account.listening_since == clocks.now()
    for _ in range(59):
        assert [later.came_at for later in beat(host, clocks, 1.0)] == [found.came_at]
    assert beat(host, clocks, 1.0) == []
    [again] = beat(host, clocks, 6.0)
    assert again.came_at == pytest.approx(found.came_at + 66.0)


async def test_it_beats_by_itself_so_that_a_look_that_waits_is_no_pause(clocks: TwoClocks, account: Account) -> None:
    import asyncio

    host = Host(Ledger([account]), clocks)
    task = asyncio.create_task(host.run())
    await clocks.advance(60.0)
    assert list(host.conditions(clocks.now())) == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    clocks._now += 60.0
    assert kinds(list(host.conditions(clocks.now()))) == ["stood_still"]


@pytest.mark.parametrize(
    ("set_by", "words"), [(3600.0, "forward by 3600.0 s"), (-3600.0, "back by 3600.0 s"), (-2.5, "back by 2.5 s")]
)
def test_a_clock_that_was_set_is_told_for_a_minute(clocks: TwoClocks, account: Account, set_by: float, words: str) -> None:
    host = Host(Ledger([account]), clocks)
    beat(host, clocks, 1.0)
    clocks.set_by = 1.5
    assert beat(host, clocks, 1.0) == []
    clocks.set_by = 1.5 + set_by
    [found] = beat(host, clocks, 1.0)
    assert (found.kind, found.subject) == (Kind.CLOCK_JUMP, "clock")
    assert words in found.text
    for _ in range(59):
        assert len(beat(host, clocks, 1.0)) == 1
    assert beat(host, clocks, 1.0) == []


def test_the_kill_switch_says_who_and_why(tmp_path: Path) -> None:
    standing = Standing(tmp_path / "standing.json")
    cause = KillSwitch(standing)
    assert list(cause.conditions(0.0)) == []
    standing.set_stopped(Pause("jm", "drill", 0.0))
    [found] = cause.conditions(0.0)
    assert (found.kind, found.severity, found.text) == (Kind.KILL_SWITCH, 2, "is stopped by the kill switch: jm, drill")


def test_a_part_that_says_what_is_wrong_with_it_is_heard() -> None:
    words = [""]
    cause = Fault(Kind.RULES_INVALID, "guidelines", lambda: words[0], "correct the file", severity=1)
    assert list(cause.conditions(0.0)) == []
    words[0] = "guidelines.toml:3:9: no such field"
    [found] = cause.conditions(0.0)
    assert (found.kind, found.severity, found.text) == (Kind.RULES_INVALID, 1, words[0])


class Told:
    """A shared queue of which a test says how it is."""

    shared, away, warning, losses = True, False, "", 0


def test_one_trouble_of_redis_is_one_condition_after_a_grace_and_a_loss_is_as_grave_as_an_outage() -> None:
    queue = Told()
    cause = SharedQueue(queue)  # type: ignore[arg-type]

    def found(now: float) -> list[tuple[str, int, str]]:
        return [(one.key, one.severity, one.text) for one in cause.conditions(now)]

    assert found(0.0) == []
    queue.warning = "no password"
    assert found(1.0) == [("redis warns", 1, "no password")]
    queue.away, queue.warning = True, "away; no password"
    assert found(2.0) == found(4.9) == []
    assert found(5.0) == [("redis away", 2, "away; no password")]
    queue.away, queue.warning = False, "2 CRITICAL jobs are kept here"
    assert found(6.0) == found(8.9) == []
    queue.warning = ""
    assert found(9.0) == []
    queue.losses, queue.warning = 1, "lost everything"
    assert found(10.0) == [("redis warns", 2, "lost everything")]
    queue.warning = ""
    assert found(11.0) == []
    queue.warning = "no password"
    assert found(12.0) == [("redis warns", 1, "no password")]


def test_every_cause_is_asked() -> None:
    class One:
        def conditions(self, now: float) -> Iterator[Condition]:
            yield from Fault(Kind.REDIS_AWAY, "redis", lambda: f"away at {now}", "wait").conditions(now)

    assert [c.text for c in Watch([One(), One()]).conditions(7.0)] == ["away at 7.0", "away at 7.0"]
