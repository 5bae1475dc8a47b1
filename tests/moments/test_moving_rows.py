"""4 Moving rows: rows come and change 20 times a second while P is pressed 500 times; the dialog names what the cursor was on."""

import random
import re
import threading
import time
from pathlib import Path

import pytest

from tests.moments.market import Ticker, table
from tests.moments.scene import Scene, all_held

PRESSES, EACH, SOURCES, A_SECOND = 500, 5, 9, 20
"""Presses, one move of the cursor to so many, sources, and documents a second."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Flood:
    """Hand over a document of another symbol twenty times a second: every eighth one is new, the others change as they like."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders, self._random = folders, random.Random(4)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(max(0.0, began + self.sent / A_SECOND - time.monotonic())):
            known = self.sent // 8
            number = self._random.randrange(known + 1) if self.sent % 8 else known
            symbol = "".join(LETTERS[number // 26**place % 26] for place in range(3))
            folder = self._folders[number * 7 % len(self._folders)]
            aside = folder / f".{self.sent}"
            aside.write_bytes(Ticker(symbol, 100.0 + number, 1.0).gexbot())
            aside.rename(folder / f"{self.sent:05}.json")
            self.sent += 1

    def __enter__(self) -> "Flood":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(5.0)


def play(scene: Scene, presses: int = PRESSES) -> None:
    folders = [scene.folder / f"in-{number}" for number in range(SOURCES)]
    for folder in folders:
        folder.mkdir()
    drops = [{"name": f"drop-{n}", "kind": "directory", "path": str(path), "level": "auto"} for n, path in enumerate(folders)]
    scene.configure(*(table("sources", drop) for drop in drops))
    desk = scene.desk(environment={"ESCDELAY": "2"})
    wrong, began = 0, time.monotonic()
    with Flood(folders) as flood:
        desk.press("\t")
        desk.until(lambda text: len(re.findall(r" drop-\d ", text)) > 6, "some symbols")
        row = _row(desk.text)
        for number in range(presses):
            if number % EACH == 0:
                desk.press("j" if number % (40 * EACH) < 20 * EACH else "k")
                desk.until(lambda text, before=row: _row(text) != before, "the cursor on another row", 5.0)
            row = _row(desk.text)
            desk.press("P")
            text = desk.until(lambda text: "nothing sent" in text, "the dialog", 5.0)
            aimed = re.search(r"PAUSE (\S+) \(source serving (\w+)\)", text)
            assert aimed, text
            if (aimed[2], aimed[1]) != row or _row(text) != row:
                wrong += 1
                print(f"{row} was under the cursor:\n{text}")
            desk.press("\x1b")
            desk.until(lambda text: "nothing sent" not in text, "the desk without a dialog", 5.0)
        seconds = time.monotonic() - began
    assert flood.sent > A_SECOND * 0.8 * seconds, "the rows did not change as often as they should"
    print(f"{presses} presses in {seconds:.0f} s, {flood.sent} documents")
    scene.count(f"wrong targets of {presses}", 0, wrong)
    scene.count("sources that were paused", 0, scene.command("sources", "--json").count('"state": "paused"'))


def _row(text: str) -> tuple[str, str]:
    """Return symbol and source of the row under the cursor."""
    found = re.search(r"^> (\w+) +(drop-\d) ", text, re.MULTILINE)
    assert found, text
    return found[1], found[2]


@pytest.mark.timeout(240)
def test_a_lever_meets_the_row_that_was_under_the_cursor(scene: Scene) -> None:
    play(scene, presses=120)
    all_held(scene)
