"""8 CPI: a schedule makes SPX CRITICAL while the number comes out, and ten times as much data with it.

The clock goes five times as fast, the minute of the schedule with it; limits are of seconds as they are.
"""

import json
import re
import threading
import time
from datetime import datetime
from pathlib import Path

from gexdesk.model.market import NEW_YORK
from tests.moments.engine_at import OtherClock
from tests.moments.market import SPX, Ticker, polled, table
from tests.moments.scene import Scene, all_held

PACE = 5.0
ARMS_AT = datetime(2026, 11, 23, 8, 25, tzinfo=NEW_YORK).timestamp()
LEAD_S = 75.0
"""The engine's seconds before that, for engine and desk to start in."""

OTHERS = [Ticker(f"B{number:02}", 50.0 + 10 * number, 1.0) for number in range(10)]
BURST, BURST_S = 40, 3.0
"""Documents a second of the burst, ten times what comes before it, and how long it lasts."""


def burst(folder: Path, clock: OtherClock) -> None:
    """Hand the burst over."""
    began = time.monotonic()
    for number in range(round(BURST * BURST_S)):
        time.sleep(max(0.0, began + number / BURST - time.monotonic()))
        aside = folder / f".{number}"
        aside.write_bytes(OTHERS[number % len(OTHERS)].gexbot(clock.now()))
        aside.rename(folder / f"{number}.json")


def play(scene: Scene) -> None:
    folder = scene.folder / "burst"
    folder.mkdir()
    clock = OtherClock(ARMS_AT - LEAD_S, PACE, time.monotonic())
    scene.feeds.put("/SPX", lambda: SPX.gexbot(clock.now()))
    for ticker in OTHERS[:2]:
        scene.feeds.put(f"/{ticker.symbol}", lambda ticker=ticker: ticker.gexbot(clock.now()))
    scene.configure(
        polled("gexbot-spx", scene.feeds.url + "/SPX", "SPX", 2.0),
        *(polled(f"calm-{one.symbol.lower()}", f"{scene.feeds.url}/{one.symbol}", one.symbol, 2.5) for one in OTHERS[:2]),
        table("sources", {"name": "burst", "kind": "directory", "path": str(folder), "level": "auto"}),
        table("schedules", {"name": "cpi", "target": "SPX", "level": "CRITICAL", "from": "08:25", "to": "08:26", "reason": "CPI"}),
    )
    scene.engine_on(clock)
    desk = scene.second_desk("jm", 160, 48)
    desk.until(lambda text: re.search(r'NEXT +SPX CRITICAL "cpi" 08:25', text), "what arms next")

    desk.until(lambda text: re.search(r"IN FORCE +SPX CRITICAL schedule cpi", text), "the schedule in force", 60.0)
    scene.measure("armed", 1.0, _real(clock, ARMS_AT))
    handing = threading.Thread(target=burst, args=(folder, clock))
    handing.start()
    desk.until(lambda text: re.search(r"SPX +gexbot-spx .* CRITICAL", text), "SPX served as CRITICAL")
    handing.join(30.0)
    desk.until(lambda text: "schedule cpi ends at 08:26:00" in text, "the warning")
    assert clock.now() < ARMS_AT + 60, "warned before its end"
    desk.until(lambda text: re.search(r"IN FORCE +nothing", text), "the schedule ended")
    scene.measure("ended", 1.0, _real(clock, ARMS_AT + 60))
    desk.until(lambda text: re.search(r"SPX +gexbot-spx +\S+ +LOW", text), "SPX as the guidelines decide")

    figures = "count(*) AS n, max(epoch(available_at - received_at)) AS worst_s"
    sql = f"SELECT {figures} FROM jobs WHERE source = 'gexbot-spx' AND level = 'CRITICAL'"
    (found,) = json.loads(scene.command("query", "--json", sql))
    assert found["n"] >= 10
    scene.longest("the newest SPX available, at worst", 1.0, found["worst_s"] / PACE)
    acts = [act["act"] for act in json.loads(scene.command("audit", "show", "--json")) if act["actor"] == "schedule"]
    assert sorted(acts) == ["armed", "ended"]


def _real(clock: OtherClock, at: float) -> float:
    """Return when it was that time, by the monotonic clock."""
    return time.monotonic() - (clock.now() - at) / PACE


def test_a_schedule_carries_a_symbol_through_the_news(scene: Scene) -> None:
    play(scene)
    all_held(scene)
