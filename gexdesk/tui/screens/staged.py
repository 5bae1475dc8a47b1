"""A screen that shows one form at a time at its bottom and gives it every key until it is left."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual.events import Key as KeyEvent
from textual.events import Paste
from textual.screen import Screen
from textual.worker import Worker

from gexdesk.model.lever import Verb
from gexdesk.tui import clipboard
from gexdesk.tui.forms.aim import Aimed
from gexdesk.tui.forms.base import Form, Step
from gexdesk.tui.forms.command import CommandForm
from gexdesk.tui.forms.find import FindForm
from gexdesk.tui.house import House
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.levers import Levers
from gexdesk.tui.screens.pages import PAGES, page_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.dialog import DialogPane
from gexdesk.tui.widgets.foot import NoticePane
from gexdesk.tui.widgets.status import StatusPane
from gexdesk.tui.widgets.table import Table

ROWS_OF = {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}


class Staged(Screen[None]):
    """Be a ``Stage``: whoever inherits gives the panes every screen has, the table its cursor is in, and a way to arrange anew."""

    KEYS: ClassVar[tuple[Key, ...]] = ()
    """Keys of the screen's own, beside those that every page has."""
    house: House
    sight: Sight
    status: StatusPane
    notice: NoticePane
    dialog: DialogPane
    levers: Levers

    def __init__(self) -> None:
        super().__init__()
        self._form_step: Callable[[Step], None] = lambda step: None

    @property
    def is_current(self) -> bool:
        """Tell whether it is seen. Textual counts the screen under the front one in, and each change there sends that one whole."""
        return super().is_current and self.app.screen is self

    def rearrange(self) -> None:
        """Put every pane where it belongs now."""
        raise NotImplementedError

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        raise NotImplementedError

    def action_freeze(self) -> None:
        """Freeze the picture, or let it run again."""
        raise NotImplementedError

    def action_leave(self) -> None:
        """Ask whether the engine goes on."""
        raise NotImplementedError

    def rows(self) -> Table | None:
        """Return the table with the cursor; None where there is none."""
        raise NotImplementedError

    def aim(self, verb: Verb) -> Aimed:
        """Return the lever that a key means on the row under the cursor, and its target; or why there is none."""
        raise NotImplementedError

    def aims(self, verb: Verb) -> list[Aimed]:
        """Return what is meant on each marked row; without marks, on the row under the cursor."""
        table = self.rows()
        if table is None or not table.marked:
            return [self.aim(verb)]
        found: list[Aimed] = []
        for name in table.chosen:
            with table.standing_on(name):
                found.append(self.aim(verb))
        return found

    # ------------------------------------------------------------------ the stage
    def open(self, form: Form, step: Callable[[Step], None]) -> None:
        """Show a form at the bottom; every key goes to it until it is left."""
        self.dialog.form, self._form_step = form, step
        self.dialog.paint()
        self.dialog.refresh()  # all of it: a first frame of the last one's lines would name another target
        self.rearrange()

    def close(self) -> None:
        """Put the form away."""
        self.dialog.form = None
        self.rearrange()

    def shows(self, form: Form) -> bool:
        """Tell whether it is the form that is shown."""
        return self.dialog.form is form

    def redraw(self, form: Form) -> None:
        """Draw a form anew if it is still the one that is shown, with as many lines as it takes now."""
        if self.dialog.form is form:
            self.dialog.paint()
            if self.dialog.size.height != form.rows(self.size.width):
                self.rearrange()

    def acted(self) -> None:
        """Take back the marks of rows once a lever was pulled on them."""
        if (table := self.rows()) is not None and table.marked:
            table.unmark()

    def work(self, job: Coroutine[Any, Any, None], group: str) -> Worker[None]:
        """Run a job beside the screen; an error of its own never ends the desk."""
        return self.run_worker(job, group=group, exit_on_error=False)

    async def take_key(self, event: KeyEvent) -> None:
        """Give a key to the open form; without one, do what it is bound to. What it does is done before the next key is looked at.

        Textual would hand keys on before it looks up what earlier ones are bound to: of two that come at once, the second
        would act on the desk although the first has opened a dialog.
        """
        bound = self.active_bindings.get(event.key)
        form = self.dialog.form
        if form is not None and not (bound is not None and bound.binding.priority):
            if isinstance(form, FindForm) and event.key in ROWS_OF:
                self.action_move(ROWS_OF[event.key])
            else:
                self._step(form.press(event.key, event.character))
        elif bound is not None:
            await self.app.run_action(bound.binding.action, bound.node)

    def take_paste(self, event: Paste) -> None:
        """Give pasted text to the open form."""
        if (form := self.dialog.form) is not None:
            self._step(form.paste(event.text))

    def _step(self, step: Step) -> None:
        self._form_step(step)
        if step is Step.LEAVE:
            self.close()
        else:
            self.dialog.paint()

    # ------------------------------------------------------------------ what every screen can do
    def open_page(self, name: str, *subject: str, engine: str = "") -> None:
        """Open a page over this screen, of another engine's where one is named; Esc comes back."""
        if name in PAGES:
            self.app.push_screen(page_of(name, self.house.at(engine) if engine else self.house, *subject))
        else:
            self.notice.say(f"there is no page {name}")

    def action_page(self, name: str) -> None:
        """Open a page that needs no subject."""
        self.open_page(name)

    def action_lever(self, word: str) -> None:
        """Open the dialog of a lever on the row under the cursor, or on the marked ones."""
        self.levers.open(Verb(word))

    def action_kill(self) -> None:
        """Open the kill switch."""
        self.levers.open_kill()

    def action_command(self) -> None:
        """Type a command."""
        from gexdesk.tui.screens.commanding import run, words

        form = CommandForm(lambda: words(self))

        def step(step: Step) -> None:
            if step is Step.SEND:
                self.close()
                run(self, form.line)

        self.open(form, step)

    def action_mark(self) -> None:
        """Mark the row under the cursor."""
        if (table := self.rows()) is not None:
            table.mark()
            self.notice.paint()

    def action_mark_all(self) -> None:
        """Mark every row that is shown, or take the marks back."""
        if (table := self.rows()) is not None:
            table.mark_all()
            self.notice.paint()

    def action_copy(self) -> None:
        """Copy the row under the cursor to the clipboard of whoever sits at the terminal."""
        table = self.rows()
        name = table.target if table is not None else None
        cells = table.cells(name) if table is not None and name is not None else None
        if not cells:
            self.notice.say("nothing under the cursor to copy")
            return
        self.copy("\t".join(text.strip() for text, _ in cells if text.strip())[: clipboard.MOST_CHARACTERS], str(name))

    def copy(self, text: str, what: str) -> None:
        """Hand text to the clipboard of whoever sits at the terminal, and say where it is lost on the way."""
        self.app.copy_to_clipboard(text)

        async def told() -> None:
            lost = await clipboard.hindrance()
            words = f"{len(text)} characters handed to the terminal's clipboard: {what}"
            self.notice.say(f"{lost}   {words}" if lost else words, grave=bool(lost))

        self.work(told(), "copy")

    def action_theme(self) -> None:
        """Use the next theme."""
        self.app.action_next_theme()  # type: ignore[attr-defined]

    def action_help(self) -> None:
        """Show every key and word."""
        from gexdesk.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.house, self.status, self.KEYS))
