"""Know New York's clock: which date it is there, when an option settles, and whether the exchange is open.

Imports only the standard library; the NYSE calendar (``holidays``) is loaded by the first call that needs it.
Dates are days since 1970-01-01, as in ``Chain.expiry``. A wall-clock time of New York becomes UTC by the zone's rules of
that very date, so that the two weekends a year on which the offset changes need no care elsewhere.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
DERIBIT = "@DERIBIT"
"""Ends the roots of Deribit's options (``BTC@DERIBIT``), which settle at 08:00 UTC: plain ``BTC`` is a root of the OCC's."""
AM_SETTLED_ROOTS = frozenset({"SPX", "NDX", "RUT", "DJX", "VIX", "VIXW"})
"""Roots that settle on the opening prints; SPXW, NDXP, RUTW and every other root settle at the close.

By the exchanges' specifications of each: Cboe for SPX, RUT, DJX (the opening prices of its thirty shares) and for VIX, whose
weeklies settle on the same special opening quotation as its monthlies; Nasdaq for NDX. XSP, MRUT, XND, OEX and XEO are theirs, too,
and settle at the close.
"""

Hours = Literal["regular", "extended", "always"]
"""When a feed has something to say: in regular hours, from pre-market to post-market, or around the clock."""

_EPOCH = date(1970, 1, 1).toordinal()
_DERIBIT_SETTLES = time(8, 0)
_PRE_OPEN = time(4, 0)
_OPEN = time(9, 30)
_CLOSE = time(16, 0)
_EARLY_CLOSE = time(13, 0)
_POST_HOURS = 4
_NEXT_SESSION = time(18, 0)


@dataclass(frozen=True, slots=True)
class Session:
    """Say where New York's trading day stands. Times are UTC seconds.

    Attributes:
        kind: ``pre`` (from 04:00), ``regular`` (09:30 to the close), ``post`` (four hours after it) or ``closed``.
        day: The trading day of ``opens_at``, days since 1970-01-01.
        changes_at: When ``kind`` changes next.
        opens_at, closes_at: Regular hours of the session that runs now, else of the next one.
        early_close: ``closes_at`` is at 13:00.
        words: For an operator, e.g. ``regular, closes in 6 h 18 m``.
    """

    kind: str
    day: int
    changes_at: float
    opens_at: float
    closes_at: float
    early_close: bool
    words: str


def new_york_date(at: float) -> int:
    """Return the date in New York at a moment, as days since 1970-01-01.

    Raises:
        ValueError, OverflowError, OSError: ``at`` is not a time of the years 1 to 9999 (NaN, say).
    """
    return datetime.fromtimestamp(at, NEW_YORK).toordinal() - _EPOCH


@lru_cache(maxsize=4096)
def settles_at(root: str, expiry: int) -> float:
    """Return when the contracts of a root and expiry stop existing, in UTC seconds.

    09:30 New York for ``AM_SETTLED_ROOTS``; for all others 16:00, or 13:00 on a day with an early
    close. 08:00 UTC for Deribit's. A date without trading is taken as written.

    Args:
        root: OSI root, e.g. ``SPXW``.
        expiry: Days since 1970-01-01.

    Raises:
        ValueError, OverflowError: ``expiry`` lies outside the years 1 to 9999.
    """
    day = _date(expiry)
    if root.endswith(DERIBIT):
        return datetime.combine(day, _DERIBIT_SETTLES, UTC).timestamp()
    return _moment(day, _OPEN if root in AM_SETTLED_ROOTS else _close_of(day))


def is_trading_day(day: int) -> bool:
    """Say whether the NYSE trades on a date (days since 1970-01-01), early closes included."""
    return _trades(_date(day))


def session(at: float) -> Session:
    """Return the session at a moment; a boundary belongs to what begins there."""
    today = datetime.fromtimestamp(at, NEW_YORK).date()
    if _trades(today):
        close = _moment(today, _close_of(today))
        post_end = close + _POST_HOURS * 3600
        if at < _moment(today, _PRE_OPEN):
            return _closed(at, today, today)
        if at < _moment(today, _OPEN):
            return _session("pre", today, _moment(today, _OPEN), f"pre-market, opens in {_span(_moment(today, _OPEN) - at)}")
        if at < close:
            early = _close_of(today) == _EARLY_CLOSE
            return _session("regular", today, close, f"regular, closes {'early ' if early else ''}in {_span(close - at)}")
        if at < post_end:
            return _session("post", _next_trading_day(today), post_end, f"post-market, ends in {_span(post_end - at)}")
    return _closed(at, today, _next_trading_day(today))


def session_id(at: float) -> int:
    """Return the trading day a moment belongs to, days since 1970-01-01: it changes once a session.

    A session runs from 18:00 New York of the evening before, so that the closing snapshots, which delayed feeds bring well
    after 16:00, are still compared with their own day, and the next morning starts afresh. Weekends and holidays belong to
    the next trading day.
    """
    local = datetime.fromtimestamp(at, NEW_YORK)
    day = local.date() + timedelta(days=1) if local.time() >= _NEXT_SESSION else local.date()
    while not _trades(day):
        day += timedelta(days=1)
    return day.toordinal() - _EPOCH


def open_since(at: float, hours: Hours) -> float | None:
    """Return since when a feed of these hours is on, in UTC seconds; None while it is not, 0 where it always is."""
    if hours == "always":
        return 0.0
    now = session(at)
    if now.kind == "regular":
        return now.opens_at if hours == "regular" else _pre_open(at)
    return _pre_open(at) if hours == "extended" and now.kind != "closed" else None


def opens_next(at: float, hours: Hours) -> float:
    """Return when a feed of these hours begins again, in UTC seconds, for a moment at which it is not on."""
    if hours == "always":
        return at
    now = session(at)
    return now.opens_at if hours == "regular" else now.changes_at


def _pre_open(at: float) -> float:
    return _moment(datetime.fromtimestamp(at, NEW_YORK).date(), _PRE_OPEN)


def _closed(at: float, today: date, upcoming: date) -> Session:
    why = _closures(today.year)[0].get(today)
    words = f"closed{f' ({why})' if why else ''}, opens in {_span(_moment(upcoming, _OPEN) - at)}"
    return _session("closed", upcoming, _moment(upcoming, _PRE_OPEN), words)


def _session(kind: str, day: date, changes_at: float, words: str) -> Session:
    close = _close_of(day)
    return Session(
        kind=kind,
        day=day.toordinal() - _EPOCH,
        changes_at=changes_at,
        opens_at=_moment(day, _OPEN),
        closes_at=_moment(day, close),
        early_close=close == _EARLY_CLOSE,
        words=words,
    )


def _next_trading_day(day: date) -> date:
    day += timedelta(days=1)
    while not _trades(day):
        day += timedelta(days=1)
    return day


def _trades(day: date) -> bool:
    return day.weekday() < 5 and day not in _closures(day.year)[0]


def _close_of(day: date) -> time:
    return _EARLY_CLOSE if day in _closures(day.year)[1] else _CLOSE


@lru_cache(maxsize=64)
def _closures(year: int) -> tuple[dict[date, str], frozenset[date]]:
    """Return the NYSE's closed weekdays with their names, and its early closes."""
    import holidays  # 70 ms that neither a screen nor --help needs to pay

    closed = holidays.financial_holidays("NYSE", years=year)
    early = holidays.financial_holidays("NYSE", years=year, categories=("half_day",))
    return dict(closed.items()), frozenset(early)


def _date(day: int) -> date:
    return date.fromordinal(int(day) + _EPOCH)


@lru_cache(maxsize=1024)
def _moment(day: date, wall: time) -> float:
    return datetime.combine(day, wall, NEW_YORK).timestamp()


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} m" if hours else f"{minutes} m"
