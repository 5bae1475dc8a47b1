"""1 Open: forty symbols begin their session at once, on numbers far from Friday's. It is said, and alarms nobody."""

import json
import time
from dataclasses import replace
from datetime import datetime

from gexdesk.model.market import NEW_YORK
from tests.moments.engine_at import OtherClock
from tests.moments.market import Ticker, polled
from tests.moments.scene import Scene, all_held

LAST_AT = datetime(2026, 11, 20, 15, 59, 30, tzinfo=NEW_YORK).timestamp()
OPENS_AT = datetime(2026, 11, 23, 9, 30, tzinfo=NEW_YORK).timestamp()
LEAD_S, AFTER_S = 8.0, 8.0
"""So long the desk is watched before the open, and after it."""

FRIDAYS = [Ticker(f"S{number:02}", 40.0 + 25 * number, 1.0, 20.0 + 3 * number) for number in range(40)]
MONDAYS = [
    replace(one, spot=round(one.spot * 1.012, 2), size=one.size * (0.4 if number % 2 else 2.2))
    for number, one in enumerate(FRIDAYS)
]
"""Over a weekend prices move by a percent, and what expired on Friday is gone."""


def play(scene: Scene) -> None:
    friday = OtherClock(LAST_AT, 1.0, time.monotonic())
    for one in FRIDAYS:
        scene.feeds.put(f"/{one.symbol}", lambda one=one: one.gexbot(friday.now()))
    # So large that a large change alone makes them CRITICAL.
    large = {"always": False, "assume": {"volume": 500_000, "open_interest": 900_000}}
    names = [one.symbol for one in FRIDAYS]
    scene.configure(*(polled(f"gexbot-{name.lower()}", f"{scene.feeds.url}/{name}", name, 2.0, **large) for name in names))
    scene.engine_on(friday)
    wait_for(scene, "SELECT count(DISTINCT symbol) AS n FROM jobs WHERE status = 'COMPLETED'", len(FRIDAYS))
    scene.stop_engine()

    monday = OtherClock(OPENS_AT - LEAD_S, 1.0, time.monotonic())
    closed = {one.symbol: one.gexbot(LAST_AT + 30) for one in FRIDAYS}
    for before, after in zip(FRIDAYS, MONDAYS, strict=True):
        scene.feeds.put(
            f"/{before.symbol}",
            lambda before=before, after=after: after.gexbot(monday.now()) if monday.now() >= OPENS_AT else closed[before.symbol],
        )
    scene.engine_on(monday)
    desk = scene.desk(160, 48)
    desk.until(lambda text: "session roll" in text, "the session roll", 30.0)
    scene.measure("session roll said", 2.0, time.monotonic() - (monday.now() - OPENS_AT))
    served = {one.symbol: scene.feeds.served[f"/{one.symbol}"] for one in FRIDAYS}
    desk.rest(max(0.0, OPENS_AT + AFTER_S - monday.now()))
    new = f"available_at > to_timestamp({OPENS_AT})"
    wait_for(scene, f"SELECT count(DISTINCT symbol) AS n FROM jobs WHERE status = 'COMPLETED' AND {new}", len(FRIDAYS))
    (found,) = json.loads(scene.command("query", "--json", f"SELECT count(*) AS n FROM jobs WHERE level = 'CRITICAL' AND {new}"))
    scene.count("CRITICAL because of it", 0, found["n"])
    incidents = json.loads(scene.command("incidents", "list", "--json"))["incidents"]
    scene.count("incidents", 1, len(incidents))
    scene.count("snapshots held back", 0, scene.command("quarantine", "list", "--json").count('"symbol"'))
    sql = f"SELECT count(DISTINCT symbol) AS n FROM jobs WHERE level = 'HIGH' AND {new}"
    (high,) = json.loads(scene.command("query", "--json", sql))
    assert high["n"] == len(FRIDAYS), "nothing was at stake"
    assert all(scene.feeds.served[f"/{symbol}"] > count for symbol, count in served.items())


def wait_for(scene: Scene, sql: str, count: int) -> None:
    """Wait until a count is reached."""
    give_up_at = time.monotonic() + 30.0
    while json.loads(scene.command("query", "--json", sql))[0]["n"] < count:
        assert time.monotonic() < give_up_at, f"{sql}: less than {count}"
        time.sleep(0.2)


def test_an_open_is_no_alarm(scene: Scene) -> None:
    play(scene)
    all_held(scene)
