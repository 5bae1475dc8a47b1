"""The operator's minute: from an alarm to a lever in a few keys, and its effect on the screen within a second."""

import re
import time

from tests.feed_server import Answer
from tests.moments.market import NDX, SPX, polled, table
from tests.moments.scene import Scene, all_held
from tests.terminal import Terminal

CUT = Answer(body=SPX.gexbot(1_790_000_000.0)[:700], headers={"Content-Type": "application/json"})


def pressed(desk: Terminal, *keys: str, seen: str) -> int:
    """Press keys one by one, waiting for nothing in between but the screen's own answer; return how many they were."""
    for key in keys:
        desk.press(key)
        desk.rest(0.25)
    desk.until(lambda text: re.search(seen, text), seen)
    return len(keys)


def play(scene: Scene) -> None:
    for ticker in (SPX, NDX):
        scene.feeds.put(f"/{ticker.symbol}", ticker.gexbot)
    scene.configure(
        polled("gexbot-spx", scene.feeds.url + "/SPX", "SPX", 1.0),
        polled("gexbot-ndx", scene.feeds.url + "/NDX", "NDX", 1.0),
        table("symbols", {"name": "NDX", "session": "always", "readers": ["pit-ndx"]}),
    )
    desk = scene.desk()
    desk.until(lambda text: re.search(r"gexbot-spx .*live +LOW", text) and re.search(r"gexbot-ndx .*live +LOW", text), "feeds live")

    # NDX fails: the alarm takes the cursor there, a promotion makes its next document the first.
    scene.feeds.put("/NDX", lambda: CUT)
    desk.until(lambda text: re.search(r"! +\d+ +NDX ", text), "the alarm")
    alarm_at = time.monotonic()
    keys = pressed(desk, "n", seen=r"> (gexbot-ndx|NDX)")
    keys += pressed(desk, "+", seen="PROMOTE")
    keys += pressed(desk, "\x1b[B", seen=r"Reason +feed lag")
    desk.until(lambda text: "is off" not in text, "a dialog that is ready")
    sent_at = time.monotonic()
    keys += pressed(desk, "\r", seen=r"(IN FORCE +|  )(gexbot-ndx|NDX) ≥MEDIUM")
    scene.count("keys from the alarm to a promotion", 4, keys)
    scene.measure("its effect on the screen", 1.0, sent_at)
    print(f"promoted {time.monotonic() - alarm_at:.1f} s after the alarm")

    keys = pressed(desk, "i", seen="DO FIRST")
    keys += pressed(desk, "p", seen=r"PAYLOAD|truncated|ends in the middle")
    scene.count("keys from the incident to its payload", 3, keys)
    print(desk.text)
    desk.press("\x1b")
    desk.rest(0.3)
    desk.press("\x1b")
    desk.until(lambda text: "NEEDS YOU" in text, "the desk")

    keys = pressed(desk, "n", "P", seen=r"PAUSE gexbot-ndx")
    desk.press("vendor call")
    desk.until(lambda text: "is off" not in text, "a dialog that is ready")
    sent_at = time.monotonic()
    keys += pressed(desk, "\r", seen=r"gexbot-ndx .*PAUSED")
    scene.count("keys to a paused source, beside the reason", 3, keys)
    scene.measure("paused on the screen", 1.0, sent_at)


def test_an_operator_acts_within_a_minute(scene: Scene) -> None:
    play(scene)
    all_held(scene)
