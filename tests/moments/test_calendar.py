"""9 Calendar: days on which the clock or the exchange does what it seldom does. Feeds that keep New York's hours alarm nobody;
one that falls silent in the middle of them alarms by three intervals, on those days too.

It runs on the parts of a real engine, assembled as ever, on times that are given to it: a day goes by in a second.
"""

from datetime import UTC, date, datetime, timedelta

from gexdesk.model.market import NEW_YORK, session, settles_at
from tests.faults.calendar_days import DAYS, TOLD_BY_S, Life
from tests.moments.scene import Scene, all_held


def play(scene: Scene) -> None:
    for day in DAYS:
        alarms = Life(scene.folder / f"{day.date}", day).alarms(dense=False)
        print(f"{day.date} {day.what}: {alarms or 'no alarm'}")
        scene.count(f"false alarms on {day.date}, {day.what}", 0, len(alarms))

    # A feed that dies at noon of the early close, and one in each of the two 01:30s.
    deaths = ((DAYS[0], "spy", "16:00"), (DAYS[2], "all", "05:30"), (DAYS[2], "all", "06:30"), (DAYS[4], "all", "07:30"))
    for number, (day, feed, dies) in enumerate(deaths):
        told_s = Life(scene.folder / f"death-{number}", day).told_after_s(feed, day.at(dies), "silent")
        scene.longest(f"{feed} silent from {dies} UTC on {day.date:%d %b}, told", TOLD_BY_S, told_s)

    noon = datetime(2026, 11, 27, 12, 59, 30, tzinfo=NEW_YORK).timestamp()
    assert session(noon).early_close
    epoch = date(1970, 1, 1)
    wrong = 0
    for root, expiry, at, left in (
        ("SPY", date(2026, 11, 27), noon, timedelta(seconds=30)),
        ("SPX", date(2026, 11, 27), noon - 3 * 3600 - 1770, timedelta(0)),
        ("SPXW", date(2026, 11, 2), datetime(2026, 11, 1, 5, 30, tzinfo=UTC).timestamp(), timedelta(hours=39.5)),
        ("SPXW", date(2026, 11, 2), datetime(2026, 11, 1, 6, 30, tzinfo=UTC).timestamp(), timedelta(hours=38.5)),
        ("SPXW", date(2026, 3, 9), datetime(2026, 3, 8, 6, 59, tzinfo=UTC).timestamp(), timedelta(hours=37, minutes=1)),
    ):
        wrong += settles_at(root, (expiry - epoch).days) - at != left.total_seconds()
    scene.count("wrong times to expiry", 0, wrong)


def test_the_calendar_alarms_nobody_and_hides_nothing(scene: Scene) -> None:
    play(scene)
    all_held(scene)
