"""Editing the guidelines: which file is edited on which host, and that no editor and no file ends the desk."""

import dataclasses
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from desk_pilot import WIDE, seated
from msgspec.structs import replace
from page_answers import guidelines
from test_tui_pages import answered, laid, text

from gexdesk.model.lever import Verb
from gexdesk.model.look.guidelines import GuidelinesLook
from gexdesk.tui.screens.pages import page_of

ADDS = "import sys\nwith open(sys.argv[-1], 'a', encoding='utf-8') as file:\n    file.write('\\n# edited\\n')\n"


@pytest.fixture(autouse=True)
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be an editor that adds a line."""
    script = tmp_path / "editor.py"
    script.write_text(ADDS)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    monkeypatch.setenv("VISUAL", "")


@asynccontextmanager
async def pressed_e(monkeypatch: pytest.MonkeyPatch, file: str = "", remote: bool = False) -> AsyncIterator[tuple[Any, Any]]:
    """Press ``e`` on the page of guidelines that come from a file of the engine's."""
    desk = laid()
    desk.answers[GuidelinesLook] = replace(guidelines(staged=False), file=file)
    async with seated(desk, WIDE) as seat:
        monkeypatch.setattr(seat.app, "suspend", nullcontext)
        page = page_of("guidelines", dataclasses.replace(seat.app.house, remote=remote))
        await seat.app.push_screen(page)
        await answered(seat)
        await seat.press("e")
        await seat.rest()
        yield seat, page


async def test_the_file_is_edited_in_place_on_the_engines_own_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("score = 0.3\n")
    async with pressed_e(monkeypatch, str(rules)) as (seat, page):
        assert rules.read_text() == "score = 0.3\n\n# edited\n"
        assert "saved; the engine checks it" in page.notice.text
        assert (seat.desk.asked, page.dialog.form) == ([], None)
        monkeypatch.setenv("EDITOR", "true")
        await seat.press("e")
        assert "nothing was changed" in page.notice.text


async def test_on_another_host_the_engines_text_is_edited_and_no_file_of_this_one(tmp_path: Path, monkeypatch) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("another file of the same name\n")
    async with pressed_e(monkeypatch, str(rules), remote=True) as (seat, page):
        assert rules.read_text() == "another file of the same name\n"
        [lever, *_] = seat.desk.asked
        assert (lever.verb, lever.text) == (Verb.APPLY, 'name = "default"\nscore = 0.3\n# edited\n')
        assert "rules.toml itself stays as it is" in page.dialog.text


@pytest.mark.parametrize("file", ["{0}", "{0}/editor.py/rules.toml", "{0}/gone.toml", "rules.toml"])
async def test_a_file_that_cannot_be_edited_here_is_edited_as_a_draft(file: str, tmp_path: Path, monkeypatch) -> None:
    async with pressed_e(monkeypatch, file.format(tmp_path)) as (seat, page):
        assert seat.desk.asked[0].text.endswith("# edited\n")
        assert page.dialog.text.startswith("── APPLY guidelines as you edited them")


@pytest.mark.parametrize(
    ("editor", "words"),
    [("vim '", "no command: No closing quotation"), ("/nowhere/editor", "/nowhere/editor: No such file or directory; set $EDITOR"),
     ("''", "set $EDITOR"), ("sh -c 'rm \"$0\"'", "No such file or directory")],
)  # fmt: skip
@pytest.mark.parametrize("mine", [True, False], ids=["file", "draft"])
async def test_no_editor_ends_the_desk(editor: str, words: str, mine: bool, tmp_path: Path, monkeypatch) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("score = 0.3\n")
    monkeypatch.setenv("EDITOR", editor)
    async with pressed_e(monkeypatch, str(rules) if mine else "") as (seat, page):
        assert words in page.notice.text
        assert page.dialog.form is None
        assert "high-realtime" in text(page, "rules")
        await seat.press("v")
        assert page.view == "staged", "it lives"


async def test_an_editor_of_spaces_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vi = tmp_path / "vi"
    vi.write_text('#!/bin/sh\necho "# by vi" >> "$1"\n')
    vi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDITOR", "   ")
    async with pressed_e(monkeypatch) as (seat, _):
        assert seat.desk.asked[0].text.endswith("# by vi\n")


async def test_a_disk_that_takes_no_draft_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    async with pressed_e(monkeypatch) as (seat, page):
        assert "the set could not be edited: /nowhere/guidelines-" in page.notice.text
        assert seat.desk.asked == []
