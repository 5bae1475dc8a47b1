"""Pull levers: open the dialog, ask the engine what would happen, send it once."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from uuid import uuid4

from msgspec.structs import replace
from textual.worker import Worker

from gexdesk.desk import Desk
from gexdesk.model.errors import EngineAway, GexdeskError, LeverRefused, UnknownTarget
from gexdesk.model.level import Level
from gexdesk.model.lever import LEVER_LIMIT_S, Lever, LeverOutcome, Verb, together
from gexdesk.tui.forms.aim import Aim, Aimed
from gexdesk.tui.forms.base import NOT_KNOWN, Step
from gexdesk.tui.forms.kill import KillForm
from gexdesk.tui.forms.lever import LeverForm
from gexdesk.tui.house import House
from gexdesk.tui.screens.stage import Stage
from gexdesk.tui.widgets.foot import NoticePane

ANSWER_S = 5.0
"""How long a dialog waits for the engine's answer to a lever; the client gives up, and tells the engine so, before that."""

AT_ONCE = (Verb.TAKE, Verb.SEE)
"""Levers without a dialog: they take nothing from anybody."""

NOT_REACHED_S = 1.0
"""An engine that is away is known at once; what takes longer was sent and had no answer."""


class Levers:
    """Hold what every lever needs.

    Args:
        stage: Shows the dialogs.
        house: Gives the picture, the engine, and who asks.
        notice: Says why there is no dialog, and what was done.
        aimed: Tells what is meant on the row under the cursor, or on each marked row.
        too_small: Tells whether the window shows too little to act.
    """

    def __init__(
        self, stage: Stage, house: House, *, notice: NoticePane, aimed: Callable[[Verb], list[Aimed]],
        too_small: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.stage = stage
        self.house = house
        self.sight = house.sight
        self.notice = notice
        self.aimed = aimed
        self.too_small = too_small
        self._asking: Worker[None] | None = None
        self._hindered: tuple[LeverForm | KillForm, str] | None = None

    def _hindrance(self) -> str:
        """Say why no lever can be pulled now; empty where one can."""
        if self.too_small():
            return "the window is too small to see what a lever acts on"
        if self.sight.newest is None:
            return "no engine answers yet"
        if self.sight.newest.read_only:
            return "read-only: this engine was started so, or your key may only read; nothing can be changed from here"
        if self.sight.wound:
            return "the desk shows history: z returns to now, then levers act"
        if self.sight.frozen_at is not None:
            return "the picture is frozen: z lets it run, then levers act"
        if self.sight.old:
            return "the engine's picture is too old: levers are refused until it answers"
        return ""

    def open(self, verb: Verb) -> None:
        """Open the dialog of a lever on the row under the cursor, or on all marked ones, as they are seen now.

        Rows on which it means nothing are left out and named; where none is left the notice says why.
        """
        if self._hindrance():
            self.notice.say(self._hindrance, grave=True)
            return
        found = self.aimed(verb)
        refused = [each for each in found if isinstance(each, str)]
        aimed = [each for each in found if not isinstance(each, str)]
        if not aimed:
            self.notice.say(refused[0] if refused else "nothing under the cursor")
            return
        meant, first = aimed[0]
        # Of marked rows some may be paused and some not, or be about a symbol and some about a source: what is done to the
        # first is done to those like it.
        refused += [f"{aim.name} would be {other.value}d" for other, aim in aimed if other is not meant]
        refused += [f"{aim.name} is a {aim.kind}" for other, aim in aimed if other is meant and aim.kind != first.kind]
        aims = list({(aim.engine, aim.name): aim for other, aim in aimed if other is meant and aim.kind == first.kind}.values())
        self.open_at(meant, aims[0], others=aims[1:], note="; ".join(refused))

    def open_at(self, verb: Verb, aim: Aim, *, others: Sequence[Aim] = (), note: str = "", to: Level | None = None) -> None:
        """Open the dialog of a lever on a target, or pull it at once where it needs none; ``to`` is the level it begins with."""
        if self._hindrance():
            self.notice.say(self._hindrance, grave=True)
            return
        operator, view = self.house.operator, self.sight.shown
        if verb in AT_ONCE:
            act = uuid4().hex if others else ""
            for each in (aim, *others):
                self.send_now(Lever(
                    verb, each.name, "", target_kind=each.kind, actor=operator, seen_revision=each.revision, together=act,
                    engine=each.engine,
                ))  # fmt: skip
            self.stage.acted()
        elif view is not None:
            ends_at = view.session_ends_at
            now = lambda: self.sight.now  # noqa: E731
            form = LeverForm(verb, aim, now=now, session_ends_at=ends_at, operator=operator, others=others, note=note)
            if to is not None:
                form.choose(to)
            self._show(form)

    def send_now(self, lever: Lever, quiet: bool = False) -> None:
        """Pull a lever that hides and changes nothing, without a dialog; a quiet one tells only of an error."""
        if self._hindrance():
            if not quiet:
                self.notice.say(self._hindrance, grave=True)
            return

        async def send() -> None:
            desk = self.house.desk()
            try:
                if desk is None:
                    raise EngineAway("no engine answers")
                outcome = await self._sent(desk, lever)
            except TimeoutError:
                self.notice.say(f"no answer in {ANSWER_S:.0f} s: whether it was done is not known", grave=True)
            except GexdeskError as error:
                self.notice.say(error.message, grave=True)
            else:
                if not quiet:
                    self.notice.say(outcome.message)

        self.stage.work(send(), "send-now")

    def open_kill(self) -> None:
        """Open the kill switch."""
        if self._hindrance():
            self.notice.say(self._hindrance, grave=True)
            return
        view = self.sight.newest
        if view is not None:
            self._show(KillForm(view.stopped, len(view.sources), self.house.operator))

    def _show(self, form: LeverForm | KillForm) -> None:
        self.stage.open(form, partial(self._step, form))
        self._ask(form)

    def _step(self, form: LeverForm | KillForm, step: Step) -> None:
        if step is Step.ASK:
            self._ask(form)
        elif step is Step.SEND:
            self._send(form)

    async def _sent(self, desk: Desk, lever: Lever) -> LeverOutcome:
        """Send one lever, in time by the engine's clock: this host's may be another. Raises TimeoutError, and as ``pull``."""
        return await asyncio.wait_for(desk.pull(replace(lever, not_after=self.sight.running_now + LEVER_LIMIT_S)), ANSWER_S)

    async def _pull(self, form: LeverForm | KillForm, dry_run: bool) -> LeverOutcome:
        """Pull a form's levers, one after the other; of several, once one is done, tell which were not instead of raising."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        levers = form.levers(dry_run)
        if len(levers) == 1:
            return await self._sent(desk, levers[0])
        done: list[tuple[str, LeverOutcome]] = []
        refused: list[str] = []
        first: LeverRefused | UnknownTarget | None = None
        for index, lever in enumerate(levers):
            try:
                done.append((lever.target, await self._sent(desk, lever)))
            except (LeverRefused, UnknownTarget) as error:
                first = first or error
                refused.append(f"{lever.target}: {error.message}")
            except (GexdeskError, TimeoutError) as error:
                if not done:
                    raise
                why = error.message if isinstance(error, GexdeskError) else f"no answer in {ANSWER_S:.0f} s, not known"
                refused += [f"{lever.target}: {why}", *(f"{left.target}: not sent" for left in levers[index + 1 :])]
                break
        if not done and first is not None:
            raise first
        return together(done, refused)

    def _ask(self, form: LeverForm | KillForm) -> None:
        """Ask what the lever would do; an older question is dropped."""

        async def ask() -> None:
            try:
                form.answer(await self._pull(form, dry_run=True))
            except (LeverRefused, UnknownTarget) as error:
                form.refuse(error.message, for_good=True)
            except TimeoutError:
                form.refuse(f"the engine did not say in {ANSWER_S:.0f} s what this would do", for_good=False)
            except GexdeskError as error:
                form.refuse(error.message, for_good=False)
            except Exception as error:
                form.refuse(f"{type(error).__name__}: {error}", for_good=False)
            self._asking = None
            if form.agreed and self.stage.shows(form):
                self._send(form)
            self.stage.redraw(form)

        self._drop_question()
        form.ask()
        self._asking = self.stage.work(ask(), "ask")

    def _send(self, form: LeverForm | KillForm) -> None:
        """Pull the lever, once."""
        if hindrance := self._hindrance():
            form.refuse(hindrance, for_good=False)
            self._hindered = form, hindrance
            return
        form.send()
        self._drop_question()

        def unanswered(waited_s: float) -> None:
            words = f"no answer in {waited_s:.0f} s: the engine was told not to do it later; see DECISIONS"
            form.refuse(words, for_good=True, state=NOT_KNOWN)

        async def send() -> None:
            began = time.monotonic()
            try:
                outcome = await self._pull(form, dry_run=False)
            except (LeverRefused, UnknownTarget) as error:
                form.refuse(error.message, for_good=True)
            except TimeoutError:
                unanswered(ANSWER_S)
            except EngineAway as error:
                if (waited_s := time.monotonic() - began) < NOT_REACHED_S:
                    form.refuse(error.message, for_good=False)
                else:
                    unanswered(waited_s)
            except GexdeskError as error:
                form.refuse(error.message, for_good=False)
            except Exception as error:
                form.refuse(f"{type(error).__name__}: {error}", for_good=True, state=NOT_KNOWN)
            else:
                if self.stage.shows(form):
                    self.stage.close()
                self.stage.acted()
                # Of several targets some may have been refused: then it is not done.
                words = outcome.message or f"{form.verb.value}: {outcome.before} -> {outcome.after}"
                self.notice.say(words, grave=not outcome.done)
                return
            self.stage.redraw(form)

        self.stage.work(send(), "send")

    def relieve(self) -> None:
        """Take back what hindered a lever once it no longer does."""
        if self._hindered is not None and not self._hindrance():
            (form, words), self._hindered = self._hindered, None
            if form.refused == words:
                form.refused = ""
                self.stage.redraw(form)

    def _drop_question(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
