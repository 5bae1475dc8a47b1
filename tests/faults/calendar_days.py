"""Let the days go by on which the clock or the exchange does what it seldom does: both changes of the clock, holidays.

Feeds of every sort of hours keep their schedules, written down by hand in UTC: none may ever be called silent, frozen or missing.
One that falls silent inside of them must be told by three intervals. ``run(full=True)`` asks at each message and lets every feed
die at many moments; ``run(full=False)`` asks near the edges of the hours, and every five minutes.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from gexdesk.assemble.desk import assemble
from gexdesk.assemble.sources import source_of
from gexdesk.engine.parts import Parts
from gexdesk.settings.desk import Settings
from gexdesk.sources.http import Http
from tests.virtual_clock import VirtualClock

EVERY_S = 15.0
NEAR_S = 240.0
"""So long around an edge of anybody's hours every message is looked after."""

SELDOM_S = 300.0
QUARTER_S = 900.0
TOLD_BY_S = 3 * EVERY_S + 1.0
"""Three intervals, and the second in which the engine looks."""


@dataclass(frozen=True)
class Feed:
    """Describe a feed, which brings something each ``EVERY_S``.

    Attributes:
        symbol: The one it brings.
        hours: What its source is configured with.
        keeps: The hours of ``Day`` in which it has something new.
        late_s: So much later it begins and ends: its delay.
        more_s: So much longer it goes on: options on indices do.
        pushed: It is no answer to a poll.
    """

    symbol: str
    hours: Mapping[str, object]
    keeps: str = "regular"
    late_s: float = 0.0
    more_s: float = 0.0
    pushed: bool = False

    @property
    def fields(self) -> dict[str, object]:
        """Return what its source is configured with."""
        kind, url = ("websocket", "ws://127.0.0.1:9/") if self.pushed else ("http", "http://127.0.0.1:9/")
        fixed = {"kind": kind, "url": url, "every_s": EVERY_S, "level": "auto", "symbols": [self.symbol]}
        return fixed | {"delay_s": self.late_s} | dict(self.hours)


FEEDS = {
    "spy": Feed("SPY", {}),
    "ext": Feed("QQQ", {"extended": True}, keeps="extended"),
    "all": Feed("BTC", {"always": True}, keeps="always"),
    "index": Feed("SPX", {}, more_s=QUARTER_S),
    "late": Feed("IWM", {}, late_s=QUARTER_S),
    "late-index": Feed("RUT", {}, late_s=QUARTER_S, more_s=QUARTER_S),
    "pushed": Feed("AAPL", {}, pushed=True),
    "pushed-index": Feed("NDX", {}, more_s=QUARTER_S, pushed=True),
}


@dataclass(frozen=True)
class Day:
    """Say what a day is like, in UTC, by hand: from when to when the market is on in each sort of hours; None is never."""

    date: date
    what: str
    regular: tuple[str, str] | None = None
    extended: tuple[str, str] | None = None

    def span(self, feed: Feed) -> tuple[float, float] | None:
        """Return from when to when a feed has something new."""
        hours = {"regular": self.regular, "extended": self.extended, "always": ("00:00", "24:00")}[feed.keeps]
        if hours is None:
            return None
        return self.at(hours[0]) + feed.late_s, self.at(hours[1]) + feed.late_s + feed.more_s

    def at(self, text: str) -> float:
        """Return a time of the day, UTC seconds."""
        hour, minute = text.split(":")
        midnight = datetime(self.date.year, self.date.month, self.date.day, tzinfo=UTC)
        return midnight.timestamp() + int(hour) * 3600 + int(minute) * 60


DAYS = (  # an evening of extended hours ends at 01:00 UTC of the next day in winter, at midnight in summer
    Day(date(2026, 11, 27), "early close", ("14:30", "18:00"), ("09:00", "22:00")),
    Day(date(2026, 11, 26), "Thanksgiving", extended=("00:00", "01:00")),
    Day(date(2026, 11, 1), "01:30 comes twice"),
    Day(date(2026, 11, 2), "the first winter session", ("14:30", "21:00"), ("09:00", "25:00")),
    Day(date(2026, 3, 8), "02:30 does not come"),
    Day(date(2026, 3, 9), "the first summer session", ("13:30", "20:00"), ("08:00", "24:00")),
    Day(date(2026, 7, 3), "Independence Day, a day early"),
    Day(date(2026, 11, 21), "a Saturday", extended=("00:00", "01:00")),
)


class Outcome(NamedTuple):
    """Count what was said.

    Attributes:
        false: Alarms about feeds that kept their schedule, and which; 0 wanted.
        silences: Feeds that fell silent inside their hours; ``told`` of them in time.
        slowest_s: From a feed's last message to the alarm, the longest.
        untold: Those that were not, and when they died.
    """

    days: int
    messages: int
    false: int
    which: tuple[str, ...]
    silences: int
    told: int
    slowest_s: float
    untold: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Say whether nobody was called silent who was not, and everybody who was."""
        return not self.false and self.silences == self.told > len(FEEDS) and self.messages > 10_000


def run(full: bool) -> Outcome:
    """Live through the days, then let feeds die in them."""
    with tempfile.TemporaryDirectory() as folder:
        days = DAYS if full else DAYS[:4]
        lives = [Life(Path(folder) / f"{day.date}", day) for day in days]
        which = [f"{life.day.date} {alarm}" for life in lives for alarm in life.alarms(dense=full)]
        slow = [(told_s, f"{name} {how} {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}")
                for number, (day, name, at, how) in enumerate(_deaths(full))
                for told_s in [Life(Path(folder) / f"death-{number}", day).told_after_s(name, at, how)]]  # fmt: skip
    untold = [words for told_s, words in slow if told_s > TOLD_BY_S]
    return Outcome(
        len(days), sum(life.messages for life in lives), len(which), tuple(which[:5]), len(slow), len(slow) - len(untold),
        max(told_s for told_s, _ in slow), tuple(untold[:5]),
    )  # fmt: skip


def _deaths(full: bool) -> Iterator[tuple[Day, str, float, str]]:
    """Yield when which feed falls silent: soon after it begins, in the middle, and where an alarm is just due before it ends."""
    days = DAYS if full else DAYS[:1] + DAYS[4:5]
    for day in days:
        for name, feed in FEEDS.items():
            span = day.span(feed)
            if span is None:
                continue
            begins, ends = span
            shares = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9) if full else (0.5,)
            moments = [begins + round((ends - begins) * share / EVERY_S) * EVERY_S for share in shares]
            for at in (*moments, ends - 6 * EVERY_S):
                for how in ("silent",) if feed.pushed else ("silent", "same"):
                    yield day, name, at, how


class Life:
    """Hold the parts of a real engine, assembled as ever, on times that are given to it: a day goes by in seconds.

    Polled feeds are asked when their own pace says so.
    """

    def __init__(self, folder: Path, day: Day) -> None:
        self.day = day
        self.messages = 0
        clock = VirtualClock(day.at("00:00"))
        settings = Settings.model_validate({"state": folder, "sources": [{"name": name} | f.fields for name, f in FEEDS.items()]})
        self._parts: Parts = assemble(settings, clock)._parts
        self._parts.provision.serving.open()  # who is not said to serve a symbol is never called silent
        self._paces = {
            s.name: made._pace
            for s in settings.sources
            if isinstance(
                made := source_of(s, keys={}, clock=clock, state=folder, taken=folder, once=False, started_at=0.0, speed=1.0), Http
            )
        }

    def alarms(self, *, dense: bool) -> list[str]:
        """Live through the day; return the first alarm about each feed, with its time."""
        found: dict[str, str] = {}
        spans = [span for feed in FEEDS.values() if (span := self.day.span(feed)) is not None]
        edges = [edge + later for span in spans for edge in span for later in (0.0, QUARTER_S)]
        begins_at, ends_at = self.day.at("00:00"), self.day.at("24:00")
        for at in self._goes_by(begins_at, ends_at):
            near = any(abs(edge - at) < NEAR_S for edge in edges)
            if dense or near or (at - begins_at) % SELDOM_S == 0:
                for late in (1.0, EVERY_S - 1.0):
                    for name, words in self._said(at + late):
                        found.setdefault(name, f"{datetime.fromtimestamp(at + late, UTC):%H:%M:%S} {words}")
        return list(found.values())

    def told_after_s(self, name: str, dies_at: float, how: str) -> float:
        """Return how long after its last message a feed's silence is told, or 10 intervals where it is not.

        Args:
            how: ``silent``: nothing comes at all. ``same``: polls are answered, with nothing new.
        """
        begins_at = dies_at - 30 * EVERY_S
        last_at = begins_at
        for at in self._goes_by(begins_at, dies_at + 10 * EVERY_S, {name: (dies_at, how)}):
            if at < dies_at:
                last_at = at
                continue
            for second in range(1, int(EVERY_S) + 1):
                if any(said == name for said, _ in self._said(at + second)):
                    return at + second - last_at
        return 10 * EVERY_S

    def _goes_by(self, begins_at: float, ends_at: float, dead: Mapping[str, tuple[float, str]] | None = None) -> Iterator[float]:
        """Let messages come; yields after each moment at which some may have."""
        due = dict.fromkeys(FEEDS, begins_at)
        for name in FEEDS:
            self._parts.ledger[name].listening_since = begins_at
        at = begins_at
        while at < ends_at:
            for name, feed in FEEDS.items():
                if due[name] > at:
                    continue
                pace = self._paces.get(name)
                due[name] += EVERY_S if pace is None else pace.interval_s(at)
                died_at, how = (dead or {}).get(name, (ends_at, ""))
                span = self.day.span(feed)
                new = span is not None and span[0] <= at < span[1] and at < died_at
                if new or (pace is not None and (at < died_at or how == "same")):
                    self._comes(name, feed, at, new=new)
            yield at
            at += EVERY_S

    def _comes(self, name: str, feed: Feed, at: float, *, new: bool) -> None:
        account = self._parts.ledger[name]
        account.succeeded(at, 0.05)
        if new:
            self.messages += 1
            account.arrived(at)
            self._parts.provision.beats.heard(name, feed.symbol, at, at - feed.late_s, self.messages)

    def _said(self, at: float) -> Sequence[tuple[str, str]]:
        """Return which sources something is said of, and what; but that readers have nothing yet: no document is made here."""
        return [
            (one.source, one.text) for one in self._parts.watch.conditions(at)
            if one.source in FEEDS and one.kind != "symbol_missing"
        ]  # fmt: skip
