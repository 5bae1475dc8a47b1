"""A screen that shows one form at a time at its bottom and gives it every key until it is left."""

from collections.abc import Callable, Coroutine
from typing import Any

from textual.events import Key, Paste
from textual.screen import Screen
from textual.worker import Worker

from gexdesk.tui.forms.base import Form, Step
from gexdesk.tui.forms.find import FindForm
from gexdesk.tui.widgets.dialog import DialogPane

ROWS_OF = {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}


class Staged(Screen[None]):
    """Be a ``Stage``: whoever inherits gives the dialog's pane, a table to move in and a way to arrange anew."""

    dialog: DialogPane

    def __init__(self) -> None:
        super().__init__()
        self._form_step: Callable[[Step], None] = lambda step: None

    def rearrange(self) -> None:
        """Put every pane where it belongs now."""
        raise NotImplementedError

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        raise NotImplementedError

    def open(self, form: Form, step: Callable[[Step], None]) -> None:
        """Show a form at the bottom; every key goes to it until it is left."""
        self.dialog.form, self._form_step = form, step
        self.dialog.paint()
        self.rearrange()

    def close(self) -> None:
        """Put the form away."""
        self.dialog.form = None
        self.rearrange()

    def shows(self, form: Form) -> bool:
        """Tell whether it is the form that is shown."""
        return self.dialog.form is form

    def redraw(self, form: Form) -> None:
        """Draw a form anew if it is still the one that is shown."""
        if self.dialog.form is form:
            self.dialog.paint()

    def work(self, job: Coroutine[Any, Any, None], group: str) -> Worker[None]:
        """Run a job beside the screen; an error of its own never ends the desk."""
        return self.run_worker(job, group=group, exit_on_error=False)

    def on_key(self, event: Key) -> None:
        """Give keys to the open form; without one the bindings have them."""
        form = self.dialog.form
        if form is None:
            return
        event.stop()
        event.prevent_default()
        if isinstance(form, FindForm) and event.key in ROWS_OF:
            self.action_move(ROWS_OF[event.key])
            return
        self._step(form.press(event.key, event.character))

    def on_paste(self, event: Paste) -> None:
        """Give pasted text to the open form."""
        if (form := self.dialog.form) is not None:
            event.stop()
            self._step(form.paste(event.text))

    def _step(self, step: Step) -> None:
        self._form_step(step)
        if step is Step.LEAVE:
            self.close()
        else:
            self.dialog.paint()
