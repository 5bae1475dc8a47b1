"""New York's clock: settlement, sessions and the days on which the offset or the closing time is another one."""

import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from gexdesk.model.market import is_trading_day, new_york_date, session, session_id, settles_at

EPOCH = date(1970, 1, 1)


def at(text: str) -> float:
    """Read a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-05T04:59:59", "2026-01-04"),  # winter: midnight is 05:00 UTC
        ("2026-01-05T05:00:00", "2026-01-05"),
        ("2026-07-06T03:59:59", "2026-07-05"),  # summer: 04:00 UTC
        ("2026-07-06T04:00:00", "2026-07-06"),
        ("2026-03-08T04:59:59", "2026-03-07"),  # the morning before the clocks go forward is still winter time
        ("2026-11-01T03:59:59", "2026-10-31"),  # and the one before they go back still summer time
        ("1969-12-31T12:00:00", "1969-12-31"),
    ],
)
def test_date_in_new_york_turns_at_its_own_midnight(moment: str, expected: str) -> None:
    assert new_york_date(at(moment)) == day(expected)


@pytest.mark.parametrize(
    ("root", "expiry", "expected"),
    [
        ("SPX", "2026-01-16", "2026-01-16T14:30:00"),
        ("SPXW", "2026-01-16", "2026-01-16T21:00:00"),
        ("NDX", "2026-01-16", "2026-01-16T14:30:00"),
        ("NDXP", "2026-01-16", "2026-01-16T21:00:00"),
        ("RUT", "2026-01-16", "2026-01-16T14:30:00"),
        ("RUTW", "2026-01-16", "2026-01-16T21:00:00"),
        ("DJX", "2026-01-16", "2026-01-16T14:30:00"),
        ("VIX", "2026-01-21", "2026-01-21T14:30:00"),
        ("VIXW", "2026-01-28", "2026-01-28T14:30:00"),
        ("XSP", "2026-01-16", "2026-01-16T21:00:00"),
        ("QQQ", "2026-01-16", "2026-01-16T21:00:00"),
        ("SPXW", "2026-03-06", "2026-03-06T21:00:00"),  # Friday before 8 March: winter time
        ("SPXW", "2026-03-09", "2026-03-09T20:00:00"),  # Monday after it: summer time
        ("SPX", "2026-03-20", "2026-03-20T13:30:00"),
        ("SPXW", "2026-10-30", "2026-10-30T20:00:00"),  # Friday before 1 November
        ("SPXW", "2026-11-02", "2026-11-02T21:00:00"),
        ("SPXW", "2026-11-27", "2026-11-27T18:00:00"),  # the day after Thanksgiving closes at 13:00
        ("SPX", "2026-11-27", "2026-11-27T14:30:00"),  # which moves no opening
        ("SPY", "2026-12-24", "2026-12-24T18:00:00"),
    ],
)
def test_settlement_by_root_and_date(root: str, expiry: str, expected: str) -> None:
    assert settles_at(root, day(expiry)) == at(expected)


def test_settlement_refuses_a_date_beyond_the_calendar() -> None:
    with pytest.raises((ValueError, OverflowError)):
        settles_at("SPXW", 2**31 - 1)


@pytest.mark.parametrize(
    ("text", "trades"),
    [
        ("2026-04-02", True),
        ("2026-04-03", False),  # Good Friday, no federal holiday
        ("2026-07-03", False),  # Independence Day, observed
        ("2026-10-12", True),  # Columbus Day, a federal holiday
        ("2026-11-26", False),
        ("2026-11-27", True),
        ("2026-11-28", False),
        ("2025-01-09", False),  # day of mourning
    ],
)
def test_trading_days_are_the_exchange_s(text: str, trades: bool) -> None:
    assert is_trading_day(day(text)) is trades


@pytest.mark.parametrize(
    ("moment", "kind", "words", "trading_day", "changes"),
    [
        # Wednesday 25 February 2026, winter time: 04:00 = 09:00 UTC.
        ("2026-02-25T08:59:00", "closed", "closed, opens in 5 h 31 m", "2026-02-25", "2026-02-25T09:00:00"),
        ("2026-02-25T09:00:00", "pre", "pre-market, opens in 5 h 30 m", "2026-02-25", "2026-02-25T14:30:00"),
        ("2026-02-25T14:29:30", "pre", "pre-market, opens in 0 m", "2026-02-25", "2026-02-25T14:30:00"),
        ("2026-02-25T14:30:00", "regular", "regular, closes in 6 h 30 m", "2026-02-25", "2026-02-25T21:00:00"),
        ("2026-02-25T14:42:00", "regular", "regular, closes in 6 h 18 m", "2026-02-25", "2026-02-25T21:00:00"),
        ("2026-02-25T21:00:00", "post", "post-market, ends in 4 h 0 m", "2026-02-26", "2026-02-26T01:00:00"),
        ("2026-02-26T01:00:00", "closed", "closed, opens in 13 h 30 m", "2026-02-26", "2026-02-26T09:00:00"),
        # Friday evening before the clocks go forward: Monday opens at 13:30 UTC, one hour sooner than a week has.
        ("2026-03-07T13:30:00", "closed", "closed, opens in 2 d 0 h", "2026-03-09", "2026-03-09T08:00:00"),
        # Friday evening before they go back.
        ("2026-10-31T13:30:00", "closed", "closed, opens in 2 d 1 h", "2026-11-02", "2026-11-02T09:00:00"),
        ("2026-11-26T15:00:00", "closed", "closed (Thanksgiving Day), opens in 23 h 30 m", "2026-11-27", "2026-11-27T09:00:00"),
        ("2026-11-27T17:00:00", "regular", "regular, closes early in 1 h 0 m", "2026-11-27", "2026-11-27T18:00:00"),
        ("2026-11-27T18:00:00", "post", "post-market, ends in 4 h 0 m", "2026-11-30", "2026-11-27T22:00:00"),
        ("2025-12-31T23:00:00", "post", "post-market, ends in 2 h 0 m", "2026-01-02", "2026-01-01T01:00:00"),
    ],
)
def test_session_in_kind_words_and_bounds(moment: str, kind: str, words: str, trading_day: str, changes: str) -> None:
    now = session(at(moment))
    assert (now.kind, now.words, now.day, now.changes_at) == (kind, words, day(trading_day), at(changes))


def test_session_bounds_are_those_of_the_present_or_next_regular_hours() -> None:
    early = session(at("2026-11-27T12:00:00"))
    assert (early.opens_at, early.closes_at, early.early_close) == (at("2026-11-27T14:30:00"), at("2026-11-27T18:00:00"), True)
    after = session(at("2026-11-27T19:00:00"))
    assert (after.opens_at, after.closes_at, after.early_close) == (at("2026-11-30T14:30:00"), at("2026-11-30T21:00:00"), False)


@pytest.mark.parametrize("start", ["2026-03-05T00:00:00", "2026-10-29T00:00:00", "2026-11-25T00:00:00", "2026-12-30T00:00:00"])
def test_every_session_lasts_until_it_says_it_changes(start: str) -> None:
    moment, end = at(start), at(start) + 7 * 86400
    while moment < end:
        now = session(moment)
        assert moment < now.changes_at <= now.opens_at or now.kind in ("regular", "post")
        assert session(now.changes_at - 1).kind == now.kind
        assert session(now.changes_at).kind != now.kind
        moment = now.changes_at


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-02-25T14:30:00", "2026-02-25"),
        ("2026-02-25T21:20:00", "2026-02-25"),  # the closing quotes, 15 minutes late: still their own day's
        ("2026-02-25T22:59:59", "2026-02-25"),
        ("2026-02-25T23:00:00", "2026-02-26"),  # 18:00 in New York
        ("2026-02-27T23:00:00", "2026-03-02"),  # Friday evening is Monday's
        ("2026-02-28T17:00:00", "2026-03-02"),
        ("2026-03-08T21:59:59", "2026-03-09"),
        ("2026-11-26T17:00:00", "2026-11-27"),  # Thanksgiving
        ("2026-11-27T18:30:00", "2026-11-27"),  # after the early close
        ("2026-12-31T23:30:00", "2027-01-04"),  # over New Year's Day and a weekend
    ],
)
def test_session_id_is_the_trading_day(moment: str, expected: str) -> None:
    assert session_id(at(moment)) == day(expected)


def test_importing_costs_no_calendar_and_no_numpy() -> None:
    code = "import sys, gexdesk.model.market; print([m for m in ('holidays', 'numpy', 'msgspec') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
