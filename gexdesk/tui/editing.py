"""Edit the guidelines in the operator's own editor: the file they come from where that is here, else their text as a draft."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from gexdesk.model.errors import EngineAway, GexdeskError
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.guidelines import GuidelinesSeen
from gexdesk.tui.forms.aim import Aim
from gexdesk.tui.house import House
from gexdesk.tui.screens.levers import Levers
from gexdesk.tui.widgets.foot import NoticePane

GO_TO_LINE = ("vi", "vim", "nvim", "nano", "emacs", "micro", "joe")
"""Editors that take a line to begin at as +LINE."""


class Editing:
    """Hold an edit from the editor to the lever that applies it.

    Args:
        house: Gives the engine and who asks.
        notice: Says what came of it.
        levers: Open the dialog that applies it.
        aim: Returns the aim at the guidelines as they are seen now.
        suspend: Gives the terminal away for as long as it is entered.
        show: Shows a view of the page by its name.
        paint: Draws the page anew.
    """

    def __init__(
        self, house: House, notice: NoticePane, levers: Levers, *, aim: Callable[[], Aim],
        suspend: Callable[[], AbstractContextManager[None]], show: Callable[[str], None], paint: Callable[[], None],
    ) -> None:  # fmt: skip
        self._house = house
        self._notice = notice
        self._levers = levers
        self._aim = aim
        self._suspend = suspend
        self._show = show
        self._paint = paint
        self.draft = ""
        """An edit that was refused: to edit again goes on with it."""
        self.refusal: GexdeskError | None = None

    def edit(self, seen: GuidelinesSeen) -> None:
        """Edit the set and hand what was saved to the engine, which checks it; nothing is applied by that."""
        try:
            file = self._file(seen)
            if file is not None:
                self._edit_file(file, seen)
            else:
                self._edit_draft(seen)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self._notice.say(f"the set could not be edited: {where}{error.strerror or error}", grave=True)
        except ValueError as error:
            self._notice.say(f"$VISUAL or $EDITOR is no command: {error}", grave=True)

    def _file(self, seen: GuidelinesSeen) -> Path | None:
        """Return the rule file where it is this host's and the operator's to write; on another host the path means another file."""
        file = Path(seen.file)
        mine = bool(seen.file) and not self._house.remote and file.is_absolute() and file.is_file()
        return file if mine and os.access(file, os.R_OK | os.W_OK) else None

    def _edit_file(self, file: Path, seen: GuidelinesSeen) -> None:
        """Edit the file that the engine watches."""
        before = file.read_bytes()
        if self._edited(file) == before:
            self._notice.say("nothing was changed")
            return
        self._notice.say("saved; the engine checks it, and what it finds is shown here")
        self._show("rules" if seen.fault is not None else "staged")

    def _edit_draft(self, seen: GuidelinesSeen) -> None:
        """Edit the engine's text: what is saved is handed in with the lever that applies it, which asks for the reason."""
        text = self.draft or (seen.staged.text if seen.staged is not None else seen.text)
        handle, name = tempfile.mkstemp(suffix=".toml", prefix="guidelines-")
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
            after = self._edited(path)
        finally:
            path.unlink(missing_ok=True)
        if after == text.encode():
            self._notice.say("nothing was changed")
            return
        self.draft = after.decode("utf-8", "replace")
        self._levers.stage.work(self._check(self.draft, Path(seen.file).name), "check")

    def _edited(self, path: Path) -> bytes:
        """Give the terminal to the editor; return what the file holds afterwards. Raises OSError, and ValueError for its name."""
        words = os.environ.get("VISUAL", "").strip() or os.environ.get("EDITOR", "").strip() or "vi"
        editor = shlex.split(words)
        line = self.refusal.details.get("line") if self.refusal is not None else None
        at = [f"+{line}"] if line and Path(editor[0]).name in GO_TO_LINE else []
        failed: OSError | None = None
        with self._suspend():
            # Nothing may be raised in here: Textual would not take the terminal back, and the screen would hang for good.
            try:
                subprocess.run([*editor, *at, str(path)], check=False)
            except OSError as error:
                failed = error
        if failed is not None:
            raise OSError(failed.errno, f"{failed.strerror}; set $EDITOR", editor[0]) from failed
        return path.read_bytes()

    async def _check(self, text: str, file: str) -> None:
        """Ask the engine what applying a text would do; one that cannot be used stays at hand, with what is wrong with it."""
        lever = Lever(Verb.APPLY, "", "dry run", target_kind="guidelines", text=text, actor=self._house.operator, dry_run=True)
        desk = self._house.desk()
        try:
            if desk is None:
                raise EngineAway("no engine answers; the edit is kept, e goes on with it")
            await desk.pull(lever)
        except GexdeskError as error:
            self.refusal = error
            self._show("rules")
        else:
            self.refusal = None
            words = f"guidelines as you edited them{f'; {file} itself stays as it is' if file else ''}"
            self._levers.open_at(Verb.APPLY, replace(self._aim(), words=words, text=text))
            self._paint()
