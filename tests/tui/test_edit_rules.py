"""Edit the guidelines from the real program, with an editor of the test's own in the operator's place."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import Terminal

EDITOR = """import sys
path = sys.argv[1]
text = open(path, encoding="utf-8").read()
{change}
open(path, "w", encoding="utf-8").write(text)
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run([sys.executable, "-m", "gexdesk", "stop", "--state", str(tmp_path)], capture_output=True, check=False)


def seat(state: Path, change: str) -> Terminal:
    """Open the sample desk with an editor that makes one change and ends."""
    script = state / "editor.py"
    script.write_text(EDITOR.format(change=change), encoding="utf-8")
    return Terminal(state, 120, 40, environment={"EDITOR": f"{sys.executable} {script}", "VISUAL": ""})


def test_what_is_edited_is_checked_and_comes_into_force_with_a_reason(state: Path) -> None:
    desk = seat(state, 'text = text.replace("A large move", "A very large move") + "\\n# tried at nine\\n"')
    desk.until(lambda text: re.search(r"PROMISES [1-9]", text), "a kept promise")
    desk.press("g")
    before = desk.until(lambda text: "GUIDELINES  default v-" in text, "the guidelines")
    version = re.search(r"default (v-\w+)", before)
    assert version is not None
    desk.press("e")
    desk.until(lambda text: "APPLY guidelines" in text, "the dialog, after the editor gave the terminal back")
    desk.press("\r")  # without a reason: must not be sent
    desk.press("larger moves")
    desk.until(lambda text: "Enter does it" in text, "that the engine said what it would do")
    desk.press("\r")
    in_force = r"GUIDELINES  default (v-\w+).*larger moves"
    desk.until(lambda text: (now := re.search(in_force, text)) and now[1] != version[1], "the new set in force")
    desk.until(lambda text: "A very large move" in text, "the rule as it was edited")

    desk.press("B")
    desk.until(lambda text: "B again goes back" in text, "the history")
    desk.press("B")
    desk.until(lambda text: "ROLLBACK guidelines" in text, "the dialog that goes back")
    desk.press("too many")
    desk.until(lambda text: "Enter does it" in text, "what going back would do")
    desk.press("\r")
    desk.until(lambda text: re.search(rf"default {version[1]}.*too many", text), "the first version in force again")
    desk.press("q")
    desk.until(lambda text: "stop the engine" in text, "the question on leaving")
    desk.press("s")
    assert desk.wait() == 0


def test_an_edit_that_cannot_be_used_is_refused_with_its_line_and_nothing_changes(state: Path) -> None:
    desk = seat(state, 'text = text.replace("impact >= high", "impakt >= high", 1)')
    desk.until(lambda text: re.search(r"PROMISES [1-9]", text), "a kept promise")
    desk.press("g")
    desk.until(lambda text: "GUIDELINES  default v-" in text, "the guidelines")
    desk.press("e")
    refused = desk.until(lambda text: "impakt" in text, "what is wrong with the edit")
    assert "YOUR EDIT CANNOT BE USED" in refused
    assert re.search(r"line \d+, column \d+", refused)
    assert "in force at the start" in refused
    mended = state / "editor.py"
    mended.write_text(EDITOR.format(change='text = text.replace("impakt", "impact") + "\\n# mended\\n"'), encoding="utf-8")
    desk.press("e")
    desk.until(lambda text: "APPLY guidelines" in text, "the dialog: the edit was kept, and is mended now")
    desk.press("\x1b")
    desk.until(lambda text: "APPLY guidelines" not in text and "CANNOT BE USED" not in text, "the page again")
    desk.press("q")
    desk.until(lambda text: "stop the engine" in text, "the question on leaving")
    desk.press("s")
    assert desk.wait() == 0
