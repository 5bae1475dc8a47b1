"""9 Calendar: days on which the clock or the exchange does what it seldom does. Feeds that keep New York's hours alarm nobody;
one that falls silent in the middle of them alarms by three intervals, on those days too.

It runs on the parts of a real engine, assembled as ever, on times that the test gives: a day goes by in a second.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Engine
from gexdesk.model.market import NEW_YORK, session, settles_at
from gexdesk.settings.desk import Settings
from tests.moments.scene import Scene, all_held
from tests.virtual_clock import VirtualClock

EVERY_S, STEP_S = 15.0, 15.0
FEEDS = {"spy": ("SPY", {}), "ext": ("QQQ", {"extended": True}), "all": ("BTC", {"always": True})}


@dataclass(frozen=True)
class Day:
    """Say what a day is like, in UTC, by hand: from when to when a feed of regular and of extended hours sends; None is never."""

    date: date
    what: str
    regular: tuple[str, str] | None = None
    extended: tuple[str, str] | None = None

    def on(self, feed: str, at: float) -> bool:
        """Say whether a feed sends at a moment."""
        hours = {"spy": self.regular, "ext": self.extended, "all": ("00:00", "24:00")}[feed]
        return hours is not None and self._at(hours[0]) <= at < self._at(hours[1])

    def _at(self, text: str) -> float:
        hour, minute = text.split(":")
        midnight = datetime(self.date.year, self.date.month, self.date.day, tzinfo=UTC).timestamp()
        return midnight + int(hour) * 3600 + int(minute) * 60


DAYS = (  # an evening of extended hours ends at 01:00 UTC of the next day
    Day(date(2026, 11, 27), "early close", ("14:30", "18:00"), ("09:00", "22:00")),
    Day(date(2026, 11, 26), "Thanksgiving", extended=("00:00", "01:00")),
    Day(date(2026, 11, 1), "01:30 comes twice"),
    Day(date(2026, 11, 2), "the first winter session", ("14:30", "21:00"), ("09:00", "25:00")),
    Day(date(2026, 3, 8), "02:30 does not come"),
    Day(date(2026, 3, 9), "the first summer session", ("13:30", "20:00"), ("08:00", "24:00")),
    Day(date(2026, 11, 21), "a Saturday", extended=("00:00", "01:00")),
)


def _engine(scene: Scene, day: Day) -> Engine:
    polled = {"kind": "http", "url": "http://127.0.0.1:9/", "every_s": EVERY_S, "level": "auto"}
    sources = [{"name": name, "symbols": [symbol]} | polled | hours for name, (symbol, hours) in FEEDS.items()]
    settings = Settings.model_validate({"state": scene.folder / f"{day.date}", "sources": sources})
    return assemble(settings, VirtualClock(day._at("00:00")))


def _lived(scene: Scene, day: Day, *, dead: str = "", dies_at: float = 0.0, until: float = 0.0) -> dict[str, float]:
    """Let a day go by in an engine; return each alarm with when it came first."""
    parts = _engine(scene, day)._parts
    begins_at, ends_at = day._at("00:00"), until or day._at("24:00")
    alarms: dict[str, float] = {}
    at, number = begins_at, 0
    for name in FEEDS:
        parts.ledger[name].listening_since = begins_at
    while at < ends_at:
        for name, (symbol, _) in FEEDS.items():
            if day.on(name, at) and not (name == dead and at >= dies_at):
                number += 1
                account = parts.ledger[name]
                account.succeeded(at, 0.05)
                account.arrived(at)
                parts.provision.beats.heard(name, symbol, at, at, number)
        for late in (1.0, STEP_S - 1.0):
            for condition in parts.watch.conditions(at + late):
                if condition.source in FEEDS and condition.kind != "symbol_missing":
                    alarms.setdefault(f"{condition.source}: {condition.text}", at + late)
        at += STEP_S
    return alarms


def play(scene: Scene) -> None:
    for day in DAYS:
        alarms = _lived(scene, day)
        print(f"{day.date} {day.what}: {alarms or 'no alarm'}")
        scene.count(f"false alarms on {day.date}, {day.what}", 0, len(alarms))

    # A feed that dies at noon of the early close, and one in each of the two 01:30s.
    deaths = ((DAYS[0], "spy", "16:00"), (DAYS[2], "all", "05:30"), (DAYS[2], "all", "06:30"), (DAYS[4], "all", "07:30"))
    for day, feed, dies in deaths:
        dies_at = day._at(dies)
        alarms = _lived(scene, day, dead=feed, dies_at=dies_at, until=dies_at + 600)
        first = min(alarms.values(), default=dies_at + 600)
        scene.longest(f"{feed} silent from {dies} UTC on {day.date:%d %b}, told", 3 * EVERY_S, first - (dies_at - EVERY_S) - STEP_S)

    noon = datetime(2026, 11, 27, 12, 59, 30, tzinfo=NEW_YORK).timestamp()
    assert session(noon).early_close
    epoch = date(1970, 1, 1)
    wrong = 0
    for root, day, at, left in (
        ("SPY", date(2026, 11, 27), noon, timedelta(seconds=30)),
        ("SPX", date(2026, 11, 27), noon - 3 * 3600 - 1770, timedelta(0)),
        ("SPXW", date(2026, 11, 2), datetime(2026, 11, 1, 5, 30, tzinfo=UTC).timestamp(), timedelta(hours=39.5)),
        ("SPXW", date(2026, 11, 2), datetime(2026, 11, 1, 6, 30, tzinfo=UTC).timestamp(), timedelta(hours=38.5)),
        ("SPXW", date(2026, 3, 9), datetime(2026, 3, 8, 6, 59, tzinfo=UTC).timestamp(), timedelta(hours=37, minutes=1)),
    ):
        wrong += settles_at(root, (day - epoch).days) - at != left.total_seconds()
    scene.count("wrong times to expiry", 0, wrong)


def test_the_calendar_alarms_nobody_and_hides_nothing(scene: Scene) -> None:
    play(scene)
    all_held(scene)
