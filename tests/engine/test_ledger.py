"""What a source's account tells: reliability, response time, order, and silence judged by the market."""

from datetime import UTC, datetime

import pytest

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.standing import Standing
from gexdesk.engine.supply import Supply
from gexdesk.engine.watch.state import state_of
from gexdesk.sources.base import BreakerMoved, Connected, Deliver, Failed, Fetched, Missed, Outcome, OutOfOrder, Report, Unchanged
from tests.virtual_clock import VirtualClock


def at(text: str) -> float:
    """Read a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def account(**options) -> Account:
    given = {"due_s": 15.0, "hours": "regular", "kind": "http"} | options
    return Account(
        name="spx", symbols=("SPX",), format="", standing="auto", configured_delay_s=None, data_type="real_time", **given
    )  # fmt: skip


def test_reliability_is_counted_over_a_lifetime_today_and_five_minutes() -> None:
    one = account()
    noon = at("2026-03-02T17:00:00")
    assert (one.reliability, one.tries.today(noon), one.tries.recent(noon)) == (1.0, 1.0, 1.0)
    one.tries.requests_before, one.tries.successes_before = 100, 50
    for second in range(100):
        one.failed(noon + second, "down")
    one.succeeded(noon + 100, 0.1)
    assert one.reliability == 51 / 201
    assert one.tries.today(noon + 100) == one.tries.recent(noon + 100) == 1 / 101
    one.succeeded(noon + 420, 0.1)
    assert one.tries.recent(noon + 420) == 1.0
    assert one.tries.today(noon + 420) == 2 / 102
    tomorrow = at("2026-03-03T05:00:00")  # midnight in New York
    assert one.tries.today(tomorrow - 1) == 2 / 102
    assert one.tries.today(tomorrow) == 1.0
    one.failed(tomorrow, "down")
    assert one.tries.today(tomorrow) == 0.0
    assert (one.requests, one.successes) == (103, 2)
    assert one.tries.recent(tomorrow + 10_000) == 1.0


def test_the_response_time_moves_a_fifth_of_the_way() -> None:
    one = account()
    assert one.response_s is None
    one.succeeded(0.0, 1.0)
    assert one.response_s == 1.0
    one.succeeded(1.0, 2.0)
    assert one.response_s == pytest.approx(1.2)
    one.failed(2.0, "down")
    assert one.response_s == pytest.approx(1.2)


def test_an_older_stamp_after_a_newer_one_of_the_symbol_is_a_reorder() -> None:
    one = account()
    for symbol, as_of in (("SPX", 10.0), ("SPX", 10.0), ("NDX", 5.0), ("SPX", 9.0), ("SPX", 9.5), ("SPX", 11.0), ("SPX", 10.5)):
        one.stamped(symbol, as_of)
    assert one.reorders == 3


OPEN, CLOSE = "2026-03-02T14:30:00", "2026-03-02T21:00:00"  # a Monday


@pytest.mark.parametrize(
    ("hours", "heard", "now", "state"),
    [
        ("regular", "2026-03-02T15:00:00", "2026-03-02T15:00:45", "live"),
        ("regular", "2026-03-02T15:00:00", "2026-03-02T15:00:46", "late"),
        ("regular", "2026-03-02T20:59:50", "2026-03-03T03:00:00", "live"),  # the market closed: no alarm
        ("regular", "2026-02-27T20:59:50", "2026-03-02T14:30:40", "live"),  # just opened after a weekend
        ("regular", "2026-02-27T20:59:50", "2026-03-02T14:30:46", "late"),
        ("regular", "2026-11-25T20:59:50", "2026-11-26T16:00:00", "live"),  # Thanksgiving
        ("regular", "2026-11-27T17:59:50", "2026-11-27T18:30:00", "live"),  # early close
        ("regular", "2026-11-27T17:00:00", "2026-11-27T17:59:00", "late"),
        ("extended", "2026-03-02T12:00:00", "2026-03-02T12:01:00", "late"),
        ("extended", "2026-02-28T12:00:00", "2026-02-28T18:00:00", "live"),
        ("always", "2026-02-28T12:00:00", "2026-02-28T12:00:46", "late"),
        ("regular", None, "2026-03-02T15:00:46", "late"),  # it never said a word
        ("regular", None, "2026-03-02T15:00:40", "waiting"),
    ],
)
def test_silence_is_judged_by_the_market(hours: str, heard: str | None, now: str, state: str, tmp_path) -> None:
    one = account(hours=hours)
    if heard is not None:
        one.listening_since = 0.0
        one.succeeded(at(heard), 0.1)
    else:
        one.listening_since = at("2026-03-02T15:00:00")
    found = state_of(one, Standing(tmp_path / "standing.json"), at(now))
    assert ("live" if found == "quiet" else found) == state


class Told:
    """A source that reports what a test wrote down, then waits."""

    name = "spx"

    def __init__(self, clock: VirtualClock, *outcomes: Outcome) -> None:
        self._clock = clock
        self._outcomes = outcomes

    async def run(self, deliver: Deliver, report: Report) -> None:
        for outcome in self._outcomes:
            report(outcome)
        await self._clock.sleep(1e9)


async def told(*outcomes: Outcome, **options) -> tuple[Account, Supply, list[str]]:
    clock = VirtualClock()
    one, lines = account(**options), []

    async def deliver(arrival) -> None:
        raise AssertionError

    chronicle = Chronicle(clock, lambda line, _: lines.append(line.text))
    supply = Supply({"spx": Told(clock, *outcomes)}, Ledger([one]), deliver, chronicle, clock)
    supply.start("spx")
    await clock.settle()
    await supply.stop_all()
    return one, supply, lines


async def test_what_a_source_notices_is_in_its_account_and_no_request() -> None:
    one, _, lines = await told(
        Fetched(0.5), Missed(3, "sequence 7 to 9"), Missed(1, "sequence 12"), OutOfOrder("x"), Connected(0.1), Unchanged(0.5)
    )
    assert (one.missed, one.last_missed, one.reorders) == (4, "sequence 12", 1)
    assert (one.requests, one.successes) == (2, 2)
    assert lines == ["spx: 3 missing: sequence 7 to 9", "spx: 1 missing: sequence 12"]


async def test_the_breaker_is_visible() -> None:
    one, _, lines = await told(Failed("down"), BreakerMoved("open", 1_800_000_030.0))
    assert (one.breaker, one.probe_at) == ("open", 1_800_000_030.0)
    assert lines[-1] == "spx is left alone for 30 s, then asked once"
    one, _, _ = await told(BreakerMoved("open", 1.0), BreakerMoved("half_open", None), BreakerMoved("closed", None))
    assert (one.breaker, one.probe_at) == ("closed", None)


async def test_a_connection_alone_answers_and_is_nothing_heard() -> None:
    for kind in ("websocket", "redis_stream"):
        one, supply, _ = await told(Connected(0.1), kind=kind)
        assert supply.finished()
        assert (one.last_heard_at, one.requests) == (None, 0)
        one, supply, _ = await told(kind=kind)
        assert not supply.finished()
