"""7 Two hands: kd promotes a source while jm's dialog for it is open. Nothing is sent on what is no longer so."""

import getpass
import json
import re
import time

from tests.moments.market import SPX, polled
from tests.moments.scene import Scene, all_held

FEED = "/gexbot/SPX"
ME = getpass.getuser()


def play(scene: Scene) -> None:
    scene.feeds.put(FEED, SPX.gexbot)
    scene.configure(polled("gexbot-spx", scene.feeds.url + FEED, "SPX", 0.5))
    first = scene.desk()
    first.until(lambda text: re.search(r"> gexbot-spx .*live +LOW", text), "the feed live and decided")
    second = scene.second_desk("kd")
    second.until(lambda text: re.search(r"> gexbot-spx .*live", text), "the second desk")

    first.press("+")
    first.until(lambda text: re.search(r"PROMOTE gexbot-spx .*nothing sent", text), "the first one's dialog")
    first.press("desk asked")
    first.until(lambda text: "HELPS   asking" not in text and "desk asked" in text, "a dialog that is ready")
    second.press("+")
    second.until(lambda text: "PROMOTE gexbot-spx" in text, "the second one's dialog")
    second.press("event")
    second.until(lambda text: "is off" not in text, "a dialog that is ready")
    second.press("\r")
    second.until(lambda text: re.search(r"IN FORCE +gexbot-spx ≥MEDIUM kd", text), "the second one's promotion")

    asked_at = time.monotonic()
    first.press("\r")
    text = first.until(lambda text: re.search(r"changed by kd", text), "who changed it", 5.0)
    scene.measure("the first one's Enter says who changed it", 1.0, asked_at)
    assert "nothing sent" in text
    assert [act["actor"] for act in _acts(scene)] == [f"kd as {ME}"], "nothing was sent"

    # Where the picture with the other's act was quicker than Enter, that Enter has aimed again already, and another would send.
    time.sleep(1.0)
    as_it_stands = rf"least HIGH by {ME} +nothing sent"
    if not re.search(as_it_stands, first.text):
        first.press("\r")
    first.until(lambda text: re.search(as_it_stands, text), "the dialog as it stands now")
    first.press("\r")
    first.until(lambda text: re.search(rf"IN FORCE +gexbot-spx ≥HIGH {ME}", text), "what the first one agreed to")
    acts = [(act["actor"], act["before"]) for act in _acts(scene)]
    assert acts == [(f"kd as {ME}", "LOW"), (ME, f"at least MEDIUM by kd as {ME}")]


def _acts(scene: Scene) -> list[dict[str, str]]:
    acts: list[dict[str, str]] = json.loads(scene.command("audit", "show", "--json"))
    return sorted((act for act in acts if act["act"] == "promote"), key=lambda act: act["sequence"])


def test_of_two_hands_the_later_one_is_told(scene: Scene) -> None:
    play(scene)
    all_held(scene)
