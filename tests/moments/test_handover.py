"""10 Handover: one page with everything the next shift has to know; taking it over is in the audit."""

import getpass
import json
import re
import time

from tests.feed_server import Answer
from tests.moments.market import NDX, SPX, SPY, polled, table
from tests.moments.scene import Scene, all_held

NAMES = ("alpha-spx", "beta-spy", "gamma-ndx")
GONE = Answer(status=503)
ROWS = (
    r"#\d+ open +!! SPX",
    r"#\d+ snooz\S* .*SPY",
    r"override +gamma-ndx .*event",
    r"pause +! +gamma-ndx .*maintenance",
    r"gap .*SPX",
)
"""An open and a snoozed incident, an override, a pause without an end, a gap."""


def play(scene: Scene) -> None:
    tickers = {"SPX": SPX, "SPY": SPY, "NDX": NDX}
    for symbol, ticker in tickers.items():
        scene.feeds.put(f"/{symbol}", ticker.gexbot)
    scene.configure(
        *(polled(name, f"{scene.feeds.url}/{name[-3:].upper()}", name[-3:].upper(), 0.5, vendor=name[:-4]) for name in NAMES),
        *(table("symbols", {"name": symbol, "session": "always", "readers": [f"pit-{symbol.lower()}"]}) for symbol in tickers),
    )
    desk = scene.desk()
    desk.until(lambda text: all(re.search(rf"{name} .*live", text) for name in NAMES), "feeds live")
    scene.feeds.put("/SPX", lambda: GONE)
    scene.feeds.put("/SPY", lambda: GONE)
    scene.command("override", "gamma-ndx", "--to", "HIGH", "--reason", "event risk")
    scene.command("pause", "gamma-ndx", "--reason", "vendor maintenance")
    desk.until(lambda text: re.search(r"!! +\d+ +SPX ", text) and re.search(r"!! +\d+ +SPY ", text), "two incidents")
    incidents = json.loads(scene.command("incidents", "list", "--json"))["incidents"]
    (number,) = [str(one["number"]) for one in incidents if one["subject"] == "SPY"]
    scene.command("incidents", "snooze", number, "--for", "4h", "--reason", "vendor knows")

    asked_at = time.monotonic()
    desk.press("H")
    desk.until(lambda text: "ON DUTY" in text and "LEAVES" in text and "HAND-OVER" in text, "the page")
    text = desk.until(lambda text: all(re.search(row, text) for row in ROWS), "all that is left")
    scene.measure("all that is left, on one page", 2.0, asked_at)
    assert re.search(r"LEAVES +1 open, 1 snoozed.* 1 override, 1 pause, 2 gaps", text), text

    incoming = scene.second_desk("kd")
    incoming.until(lambda text: "gamma-ndx" in text, "the incoming operator's desk")
    incoming.press("H")
    incoming.until(lambda text: "T takes it for kd" in text, "the page")
    taken_at = time.monotonic()
    incoming.press("T")
    incoming.until(lambda text: "the shift is yours" in text, "the shift taken")
    scene.measure("the shift is the incoming operator's", 2.0, taken_at)
    desk.until(lambda text: re.search(r"ON DUTY +kd", text), "who is on duty, on the other desk")
    acts = json.loads(scene.command("audit", "show", "--json"))
    assert [act["actor"] for act in acts if act["act"] == "hand_over"] == [f"kd as {getpass.getuser()}"], acts
    assert "NOT SEEN" not in incoming.text


def test_a_shift_is_handed_over_with_all_that_outlives_it(scene: Scene) -> None:
    play(scene)
    all_held(scene)
