"""Spans of New York's wall clock, as people write them: ``09:25-09:45``.

A span begins and ends by the zone's rules of its own date, so that it stands at the same wall-clock time on the two weekends a
year on which the offset changes. A time that a spring morning skips is taken an hour later; of a time that an autumn night
has twice, the first is meant.
"""

import re
from datetime import date, datetime, time

from msgspec import Struct

from gexdesk.model.market import NEW_YORK, new_york_date

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH = date(1970, 1, 1).toordinal()
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class DaySpan(Struct, frozen=True):
    """Hold a span of the day; one that ends before it begins runs past midnight."""

    begins: time
    ends: time

    def on(self, day: int) -> tuple[float, float]:
        """Return begin and end, in UTC seconds, of the span that begins on a date in New York (days since 1970-01-01)."""
        last = day + 1 if self.ends < self.begins else day
        return _moment(day, self.begins), _moment(last, self.ends)

    def around(self, at: float) -> tuple[int, float] | None:
        """Return the date on which the span that holds a moment began, and when it ends; None where none holds it."""
        today = new_york_date(at)
        for day in (today - 1, today):
            begins_at, ends_at = self.on(day)
            if begins_at <= at < ends_at:
                return day, ends_at
        return None

    def __str__(self) -> str:
        """Write it as people do."""
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"


def read_time(text: str) -> time:
    """Read ``HH:MM``. Raises ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time of day; write it as in 09:30, New York")
    return time(int(found[1]), int(found[2]))


def days_since_1970(text: str) -> int:
    """Read ``YYYY-MM-DD`` as days since 1970-01-01. Raises ValueError."""
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError:
        raise ValueError(f"{text!r} is no day; write one of {', '.join(WEEKDAYS)}, or a date as in 2026-11-27") from None


def read_span(text: str) -> DaySpan:
    """Read ``HH:MM-HH:MM``. Raises ValueError."""
    first, _, last = text.partition("-")
    span = DaySpan(read_time(first.strip()), read_time(last.strip()))
    if span.begins == span.ends:
        raise ValueError(f"{text!r} begins and ends at the same time")
    return span


def _moment(day: int, wall: time) -> float:
    return datetime.combine(date.fromordinal(day + _EPOCH), wall, NEW_YORK).timestamp()
