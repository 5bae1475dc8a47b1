"""Leave the desk: with its engine stopped, or going on."""

import asyncio
from collections.abc import Callable
from functools import partial

from gexdesk.desk import Desk
from gexdesk.tui.forms.base import Step
from gexdesk.tui.forms.leave import LeaveForm
from gexdesk.tui.screens.stage import Stage
from gexdesk.tui.sight import Sight

STOP_S = 60.0
"""How long leaving waits for the engine to finish what it holds."""


class Leaving:
    """Ask about the engine, stop it where asked, and leave.

    Args:
        stage: Shows the question.
        sight: Knows how many jobs are in work.
        desk: Gives the engine; None while none answers.
        leave: Called when the operator leaves.
    """

    def __init__(self, stage: Stage, sight: Sight, desk: Callable[[], Desk | None], leave: Callable[[], None]) -> None:
        self.stage = stage
        self.sight = sight
        self.desk = desk
        self.leave = leave
        self.may_connect = asyncio.Event()
        """Not set while the engine is being stopped: to look for one then would start another."""
        self.may_connect.set()
        self._form: LeaveForm | None = None

    def ask(self) -> None:
        """Ask whether the engine goes on; asked again, it does."""
        if self._form is not None and self.stage.shows(self._form):
            self._step(self._form, self._form.press("ctrl+c", None))
            return
        view = self.sight.newest
        attached = self.desk() is not None and not self.sight.away
        self._form = LeaveForm(attached, view.in_flight if view is not None else 0, self.sight.old)
        self.stage.open(self._form, partial(self._step, self._form))

    def _step(self, form: LeaveForm, step: Step) -> None:
        if step is not Step.SEND:
            return
        if not form.stop:
            self.leave()
            return
        desk = self.desk()
        if desk is None:
            form.refused = "no engine answers: it was not stopped, and may go on; l leaves"
            self.stage.redraw(form)
            return
        form.sending, form.refused = True, ""
        self.may_connect.clear()

        async def stop() -> None:
            try:
                await asyncio.wait_for(desk.stop(), STOP_S)
            except Exception as error:
                form.sending = False
                self.may_connect.set()
                form.refused = f"the engine did not stop: {str(error) or type(error).__name__}; l leaves it running"
                self.stage.redraw(form)
            else:
                self.leave()

        self.stage.work(stop(), "stop")
