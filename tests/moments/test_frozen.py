"""2 Frozen: the stamps go on, the numbers stand still. The operator serves the symbol from its standby."""

import re
import time

from tests.moments.market import SPX, polled, table
from tests.moments.scene import Scene, all_held

FEED, STANDBY = "/gexbot/SPX", "/cboe/SPX"


def play(scene: Scene) -> None:
    scene.feeds.put(FEED, SPX.gexbot)
    scene.feeds.put(STANDBY, SPX.cboe)
    scene.configure(
        polled("gexbot-spx", scene.feeds.url + FEED, "SPX", assume={"volume": 600_000, "open_interest": 1_400_000}),
        polled("cboe-spx", scene.feeds.url + STANDBY, "SPX", 1.0, delay_s=900),
        table("symbols", {"name": "SPX", "session": "always", "readers": ["pit-spx", "risk"]}),
    )
    desk = scene.desk()
    desk.press("\t")
    desk.until(lambda text: re.search(r"> SPX +gexbot-spx .* ok", text), "SPX served and well")
    desk.rest(2.5)

    still = time.time()
    scene.feeds.put(FEED, lambda: SPX.gexbot(numbers_of=still))
    frozen_at = scene.feeds.injected_at(FEED)
    desk.until(lambda text: "! FROZEN" in text and re.search(r"!! .*SPX .*F serves it from cboe-spx", text), "FROZEN")
    scene.measure("FROZEN at the symbol, and an incident", 15.0, frozen_at)
    desk.until(lambda text: re.search(r"! #1 SPX: .*pit-spx, risk", text), "the readers")
    scene.measure("its readers named", 15.0, frozen_at)

    desk.press("F")
    desk.until(lambda text: re.search(r"FAILOVER SPX +gexbot-spx -> cboe-spx.*nothing sent", text), "the dialog")
    desk.press("1feed frozen")
    text = desk.until(lambda text: "Enter" in text.splitlines()[-1] and "is off" not in text, "a dialog that is ready")
    assert "pit-spx risk" in text
    done_at = time.monotonic()
    desk.press("\r")
    desk.until(lambda text: re.search(r"> SPX +cboe-spx D15", text), "SPX served by the standby with its delay")
    scene.measure("served by the standby, D15 shown", 1.0, done_at)
    desk.until(lambda text: re.search(r"^ ok .*SPX", text, re.MULTILINE), "the incident over", 15.0)


def test_a_feed_that_stands_still_is_said_and_served_from_its_standby(scene: Scene) -> None:
    play(scene)
    all_held(scene)
