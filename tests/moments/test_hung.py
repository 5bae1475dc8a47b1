"""5 Hung: the engine stops in the middle of its work. The screen says how old its picture is, and no lever pretends to act."""

import re
import signal

from tests.moments.market import SPX, polled
from tests.moments.scene import Scene, all_held

FEED = "/gexbot/SPX"


def play(scene: Scene) -> None:
    scene.feeds.put(FEED, SPX.gexbot)
    scene.configure(polled("gexbot-spx", scene.feeds.url + FEED, "SPX", 0.3))
    desk = scene.desk()
    desk.until(lambda text: re.search(r"> gexbot-spx .*live", text), "the feed live")
    bright = desk.ink("> gexbot-spx")

    stopped_at = scene.signal(signal.SIGSTOP)
    desk.until(lambda text: re.search(r"engine silent, picture \d", text), "how old the picture is")
    scene.measure("the age of the picture is said", 2.0, stopped_at)
    desk.until(lambda _: desk.ink("> gexbot-spx") != bright, "numbers dimmed")
    scene.measure("numbers are dim", 2.0, stopped_at)
    desk.press("P")
    desk.until(lambda text: re.search(r"! .*(engine|picture)", text.splitlines()[-2]), "the refusal of a lever")

    gone_on_at = scene.signal(signal.SIGCONT)
    desk.until(lambda text: re.search(r"\b[01]\.\d s behind", text) and desk.ink("> gexbot-spx") == bright, "a picture of now")
    scene.measure("normal again", 1.0, gone_on_at)
    desk.press("P")
    desk.until(lambda text: "PAUSE gexbot-spx" in text, "levers that answer again")
    desk.press("\x1b")


def test_a_hung_engine_is_told_by_its_age_and_refuses_levers(scene: Scene) -> None:
    play(scene)
    all_held(scene)
