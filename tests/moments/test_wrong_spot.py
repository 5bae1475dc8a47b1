"""3 Wrong spot: SPX's document carries SPY's spot. Readers keep the last good value, marked; nobody ever has the wrong one."""

import json
import re
import time

from tests.moments.market import SPX, SPY, polled, table
from tests.moments.scene import Scene, all_held

FEED, OTHER = "/gexbot/SPX", "/gexbot/SPY"
SIZE = {"volume": 600_000, "open_interest": 1_400_000}


def play(scene: Scene) -> None:
    scene.feeds.put(FEED, SPX.gexbot)
    scene.feeds.put(OTHER, SPY.gexbot)
    scene.configure(
        polled("gexbot-spx", scene.feeds.url + FEED, "SPX", 0.3, assume=SIZE),
        polled("gexbot-spy", scene.feeds.url + OTHER, "SPY", 0.3, assume=SIZE),
        table("symbols", {"name": "SPX", "session": "always", "readers": ["pit-spx"]}),
    )
    desk = scene.desk()
    desk.press("\t")
    desk.until(lambda text: re.search(r"SPX +gexbot-spx .* ok", text) and re.search(r"SPY +gexbot-spy .* ok", text), "both well")
    desk.rest(1.5)

    scene.feeds.put(FEED, lambda: SPX.gexbot(spot=SPY.spot_at(0)))
    wrong_at = scene.feeds.injected_at(FEED)
    desk.until(lambda text: re.search(r"> SPX +gexbot-spx .*! QUARANT", text), "SPX marked")
    scene.measure("held back, and the value marked", 1.0, wrong_at)
    desk.until(lambda text: re.search(r"!! \d+ +SPX ", text), "an incident")
    desk.press("\r")
    asked_at = time.monotonic()
    text = desk.until(lambda text: "held back    spot 598" in text, "what is held back beside what readers have")
    scene.measure("Enter shows both", 1.0, asked_at)
    assert re.search(r"readers have spot (5,99\d|6,00\d) ", text), text
    assert "carries SPY's numbers" in text

    scene.feeds.put(FEED, SPX.gexbot)
    right_at = scene.feeds.injected_at(FEED)
    desk.press("\x1b")
    desk.until(lambda text: re.search(r"SPX +gexbot-spx .* ok", text), "SPX well again")
    scene.measure("well again once the feed is", 3.0, right_at)
    apart = "count(*) FILTER (quarantined AND spot < 1000) AS apart, count(*) FILTER (NOT quarantined AND spot < 1000) AS published"
    (found,) = json.loads(scene.command("query", "--json", f"SELECT {apart} FROM snapshots WHERE symbol = 'SPX'"))
    assert found["apart"] > 0
    scene.count("wrong values published", 0, found["published"])


def test_a_wrong_spot_reaches_nobody(scene: Scene) -> None:
    play(scene)
    all_held(scene)
