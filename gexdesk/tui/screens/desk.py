"""The desk: what needs you, what waits, what readers have - one frozen picture, drawn four times a second."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Key, Paste, Resize
from textual.layout import Layout
from textual.screen import Screen
from textual.worker import Worker

from gexdesk.desk import Desk
from gexdesk.model.errors import EngineAway, GexdeskError, LeverRefused, QueueError
from gexdesk.model.lever import LeverOutcome, Verb
from gexdesk.model.view import SourceView
from gexdesk.tui import figures
from gexdesk.tui.arrange import LEAST, DeskLayout, Wants, arrange
from gexdesk.tui.forms.base import NOT_KNOWN, Form, Step
from gexdesk.tui.forms.find import FindForm
from gexdesk.tui.forms.kill import KillForm
from gexdesk.tui.forms.leave import LeaveForm
from gexdesk.tui.forms.lever import LeverForm
from gexdesk.tui.frugal import FrugalCompositor
from gexdesk.tui.keys import bindings
from gexdesk.tui.sight import Sight
from gexdesk.tui.theme import inks
from gexdesk.tui.widgets.decisions import DecisionsPane
from gexdesk.tui.widgets.details import DetailsPane, Fact, source_facts, symbol_facts
from gexdesk.tui.widgets.dialog import DialogPane
from gexdesk.tui.widgets.foot import KeysPane, NoticePane, SmallPane
from gexdesk.tui.widgets.guidelines import GuidelinesPane
from gexdesk.tui.widgets.levels import BothPane, LatencyPane, WaitingPane
from gexdesk.tui.widgets.needs import NeedsPane
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.sources import SourcesTable
from gexdesk.tui.widgets.status import StatusPane
from gexdesk.tui.widgets.symbols import SymbolsTable
from gexdesk.tui.widgets.table import Table

TICK_S = 0.25
ANSWER_S = 5.0
"""How long a dialog waits for the engine's answer to a lever."""

STOP_S = 60.0
"""How long leaving waits for the engine to finish what it holds."""

STAGGERED = ("waiting", "latency", "both", "symbols", "sources")
"""Panes whose rows take turns, a quarter of them a tick; the others are drawn once a second, each in a tick of its own."""
TURN = {"status": 0, "needs": 0, "notice": 0, "guidelines": 1, "decisions": 2, "details": 3, "dialog": 0}


class DeskScreen(Screen[None]):
    """Draw the desk and take its keys.

    Args:
        sight: What there is to draw.
        desk: Gives the engine that levers go to; None while none answers.
        sample: Whether this is the sample desk.
        operator: Who sits here.
        leave: Called with whether the engine was stopped, when the operator leaves.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    AUTO_FOCUS = ""
    CSS = "DeskScreen { overflow: hidden hidden; }"

    def __init__(
        self,
        sight: Sight,
        desk: Callable[[], Desk | None],
        sample: bool,
        operator: str,
        leave: Callable[[bool], None],
    ) -> None:
        super().__init__()
        self._compositor = FrugalCompositor()
        self.sight = sight
        self.desk = desk
        self.operator = operator
        self.leave = leave
        self.hidden: frozenset[int] = frozenset()
        self.table_name = "sources"
        self.details_open = False
        self.may_connect = asyncio.Event()
        self.may_connect.set()
        self._tick = 0
        self._dimmed = False
        self._arrangement = DeskLayout(self.wants)
        self.status = StatusPane("status", sight, sample, operator)
        self.symbols = SymbolsTable("symbols", sight, lambda: self.table is self.symbols)
        self.sources = SourcesTable("sources", sight, lambda: self.table is self.sources)
        self.notice = NoticePane("notice", sight, self.filter_words, lambda: "decisions" in self.shown)
        self.dialog = DialogPane("dialog", sight)
        self.panes: dict[str, Pane] = {
            str(pane.id): pane
            for pane in (
                self.status,
                NeedsPane("needs", sight),
                WaitingPane("waiting", sight),
                LatencyPane("latency", sight),
                BothPane("both", sight),
                self.symbols,
                self.sources,
                GuidelinesPane("guidelines", sight),
                DecisionsPane("decisions", sight),
                DetailsPane("details", sight, self.facts),
                self.notice,
                KeysPane("keys", sight),
                self.dialog,
                SmallPane("small", sight),
            )
        }

    # ------------------------------------------------------------------ layout
    @property
    def layout(self) -> Layout:
        """Return the desk's own arrangement."""
        return self._arrangement

    def compose(self) -> ComposeResult:
        """Give every pane; those without a region are not drawn."""
        yield from self.panes.values()

    def wants(self) -> Wants:
        """Say what is to be arranged now."""
        form, view = self.dialog.form, self.sight.shown
        return Wants(
            hidden=self.hidden,
            table=self.table_name,
            dialog_rows=form.rows if form is not None else 0,
            details=self.details_open,
            guidelines=len(view.guidelines) if view is not None else 6,
        )

    @property
    def shown(self) -> set[str]:
        """Return the names of the panes that have a region."""
        return set(arrange(self.app.size, self.wants()))

    @property
    def table(self) -> Table:
        """Return the table with the cursor."""
        return self.symbols if self.table_name == "symbols" else self.sources

    def on_mount(self) -> None:
        """Start the beat."""
        self.restyle()
        self.app.theme_changed_signal.subscribe(self, lambda _: self.restyle())
        self.set_interval(TICK_S, self.tick)

    def on_resize(self, event: Resize) -> None:
        """Arrange anew."""
        self.rearrange()

    def rearrange(self) -> None:
        """Put every pane where it belongs now. A child asks for it: a screen's own asking leaves its old arrangement cached."""
        self.status.refresh(layout=True, repaint=False)

    def restyle(self) -> None:
        """Use the inks of the theme, faint ones while the picture is too old."""
        mixed = inks(self.app.current_theme)
        bright = ("dialog", "notice", "status", "keys", "small")
        for name, pane in self.panes.items():
            pane.restyle(mixed, self._dimmed and name not in bright)

    # ------------------------------------------------------------------ the beat
    def begin(self) -> None:
        """Draw the first picture at once."""
        self.adopt()
        self.rearrange()
        self.paint_all()

    def adopt(self) -> None:
        """Let the tables learn new names."""
        for table in (self.symbols, self.sources):
            if table.adopt():
                table.paint()

    def paint_all(self) -> None:
        """Draw everything that is shown."""
        for name in self.shown:
            self.panes[name].paint()

    def tick(self) -> None:
        """Draw this quarter second's share of what is shown; while frozen, only the age of the picture."""
        self._tick += 1
        turn = self._tick % 4
        if self.sight.frozen_at is not None:
            if turn == 0:
                self.status.paint((0,))
                self.notice.paint()
            return
        if self.sight.old is not self._dimmed:
            self._dimmed = self.sight.old
            self.restyle()
            self.status.paint()
        self.adopt()
        form = self.dialog.form
        if isinstance(form, LeverForm) and form.compare(self.sight.source(form.source.name)):
            self.dialog.paint()
        for name in self.shown:
            pane = self.panes[name]
            if name in STAGGERED:
                pane.paint(pane.quarter(self._tick))
            elif TURN.get(name) == turn:
                pane.paint()

    # ------------------------------------------------------------------ looking
    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.table.move(by)
        if self.details_open:
            self.panes["details"].paint()

    def action_other_table(self) -> None:
        """Take the cursor to the other table, if it is not put away."""
        other, number = ("symbols", 3) if self.table_name == "sources" else ("sources", 4)
        if number in self.hidden:
            self.notice.say(f"panel {number} is put away: {number} brings it back")
            return
        before = self.shown
        self.table_name = other
        self.symbols.paint()
        self.sources.paint()
        if self.details_open:
            self.panes["details"].paint()
        if self.shown != before:
            self.rearrange()

    def action_panel(self, number: int) -> None:
        """Put a panel away or bring it back; one table always stays."""
        hidden = self.hidden ^ {number}
        if {3, 4} <= hidden:
            self.notice.say("one table stays: it has the cursor")
            return
        self.hidden = hidden
        if (number, self.table_name) in ((3, "symbols"), (4, "sources")) and number in hidden:
            self.action_other_table()
        self.rearrange()

    def action_details(self) -> None:
        """Open or close the details of the row under the cursor."""
        self.details_open = not self.details_open
        self.panes["details"].paint()
        self.rearrange()

    def action_back(self) -> None:
        """Close the details, else clear the filter."""
        if self.details_open:
            self.action_details()
        elif self.table.wanted or self.table.faults:
            self.table.filter("", False)
            self.notice.paint()

    def action_find(self) -> None:
        """Filter the table by text."""
        self.open(FindForm(self.table.wanted))

    def action_faults(self) -> None:
        """Show faults only, or all again."""
        self.table.filter(self.table.wanted, not self.table.faults)
        self.notice.paint()

    def filter_words(self) -> str:
        """Say which filter is on; empty without one."""
        table = self.table
        parts = [f'rows with "{table.wanted}"'] if table.wanted else []
        parts += ["faults only"] if table.faults else []
        return f"{self.table_name}: {' and '.join(parts)}, {len(table.rows)} shown" if parts else ""

    def action_freeze(self) -> None:
        """Freeze the picture, or let it run again."""
        if self.sight.shown is None:
            return
        if self.sight.frozen_at is None:
            self.sight.freeze()
        else:
            self.sight.thaw()
            self.adopt()
        self.paint_all()

    def action_theme(self) -> None:
        """Use the next theme."""
        self.app.action_next_theme()  # type: ignore[attr-defined]

    def action_help(self) -> None:
        """Show every key and word."""
        from gexdesk.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.status))

    def facts(self) -> tuple[str, list[Fact]] | None:
        """Return what the picture holds of the row under the cursor."""
        name = self.table.target
        if name is None:
            return None
        now = self.sight.now
        if self.table is self.symbols:
            symbol = self.symbols.symbol(name)
            return None if symbol is None else (name, symbol_facts(symbol, now))
        source = self.sight.source(name)
        return None if source is None else (name, source_facts(source, now))

    # ------------------------------------------------------------------ dialogs
    def open(self, form: Form) -> None:
        """Show a form at the bottom; every key goes to it until it is left."""
        self.dialog.form = form
        self.dialog.paint()
        self.rearrange()

    def close(self) -> None:
        """Put the form away."""
        self.dialog.form = None
        self.rearrange()

    def on_key(self, event: Key) -> None:
        """Give keys to the open form; without one the bindings have them."""
        form = self.dialog.form
        if form is None:
            return
        event.stop()
        event.prevent_default()
        if isinstance(form, FindForm) and event.key in ("up", "down", "pageup", "pagedown"):
            self.action_move({"up": -1, "down": 1, "pageup": -10, "pagedown": 10}[event.key])
            return
        self._step(form, form.press(event.key, event.character))

    def on_paste(self, event: Paste) -> None:
        """Give pasted text to the open form."""
        if (form := self.dialog.form) is not None:
            event.stop()
            self._step(form, form.paste(event.text))

    def _step(self, form: Form, step: Step) -> None:
        if isinstance(form, FindForm):
            if step is not Step.STAY:
                self.table.filter("" if step is Step.LEAVE else form.entry.text, self.table.faults)
            if step in (Step.LEAVE, Step.SEND):
                self.close()
                return
        elif step is Step.LEAVE:
            self.close()
            return
        elif isinstance(form, LeaveForm):
            if step is Step.SEND:
                self._leave(form)
        elif isinstance(form, LeverForm | KillForm):
            if step is Step.ASK:
                self._ask(form)
            elif step is Step.SEND:
                self._send(form)
        self.dialog.paint()

    def work(self, job: Coroutine[Any, Any, None], group: str, exclusive: bool = False) -> Worker[None]:
        """Run a job beside the screen; an error of its own never ends the desk."""
        return self.run_worker(job, group=group, exclusive=exclusive, exit_on_error=False)

    # ------------------------------------------------------------------ levers
    def _hindrance(self) -> str:
        """Say why no lever can be pulled now; empty where one can."""
        if self.app.size.width < LEAST.width or self.app.size.height < LEAST.height:
            return "the window is too small to see what a lever acts on"
        if self.sight.newest is None:
            return "no engine answers yet"
        if self.sight.frozen_at is not None:
            return "the picture is frozen: z lets it run, then levers act"
        if self.sight.old:
            return f"engine's picture is {figures.age(self.sight.behind_s)} old: levers wait until it answers"
        return ""

    def _target(self) -> tuple[SourceView, str] | None:
        """Return the source a lever acts on and the symbol it serves, as seen now; says why where there is none."""
        if hindrance := self._hindrance():
            self.notice.say(hindrance, grave=True)
            return None
        name, serves = self.table.target, ""
        if name is not None and self.table is self.symbols:
            symbol = self.symbols.symbol(name)
            name, serves = (symbol.served_by, name) if symbol is not None else (None, name)
        source = self.sight.source(name) if name is not None else None
        if source is None:
            self.notice.say("no source under the cursor: move it to a row first", grave=True)
            return None
        return source, serves

    def action_lever(self, word: str) -> None:
        """Open the dialog of a lever on the row under the cursor."""
        found = self._target()
        if found is None:
            return
        (source, serves), verb = found, Verb(word)
        if verb is Verb.PAUSE and source.paused_by:
            verb = Verb.RESUME
        elif verb is Verb.RESUME and not source.paused_by:
            self.notice.say(f"{source.name} is not paused")
            return
        elif verb is Verb.CLEAR and not source.override_by:
            self.notice.say(f"{source.name} has no override")
            return
        session = self.sight.shown.session if self.sight.shown is not None else ""
        form = LeverForm(
            verb, source, serves=serves, now=lambda: self.sight.now, session=session, operator=self.operator
        )
        self.open(form)
        self._ask(form)

    def action_kill(self) -> None:
        """Open the kill switch."""
        if hindrance := self._hindrance():
            self.notice.say(hindrance, grave=True)
            return
        view = self.sight.newest
        if view is not None:
            form = KillForm(view.stopped, len(view.sources), self.operator)
            self.open(form)
            self._ask(form)

    async def _pull(self, form: LeverForm | KillForm, dry_run: bool) -> LeverOutcome:
        desk = self.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        return await asyncio.wait_for(desk.pull(form.lever(dry_run)), ANSWER_S)

    def _ask(self, form: LeverForm | KillForm) -> None:
        """Ask what the lever would do; an older question is dropped."""

        async def ask() -> None:
            try:
                form.answer(await self._pull(form, dry_run=True))
            except (LeverRefused, QueueError) as error:
                form.refuse(error.message, for_good=True)
            except TimeoutError:
                form.refuse(f"the engine did not say in {ANSWER_S:.0f} s what this would do", for_good=False)
            except GexdeskError as error:
                form.refuse(error.message, for_good=False)
            except Exception as error:
                form.refuse(f"{type(error).__name__}: {error}", for_good=False)
            self._redraw(form)

        self.work(ask(), "ask", exclusive=True)

    def _send(self, form: LeverForm | KillForm) -> None:
        """Pull the lever, once."""
        if hindrance := self._hindrance():
            form.refuse(hindrance, for_good=False)
            return
        form.send()
        self.workers.cancel_group(self, "ask")

        async def send() -> None:
            try:
                outcome = await self._pull(form, dry_run=False)
            except (LeverRefused, QueueError) as error:
                form.refuse(error.message, for_good=True)
            except TimeoutError:
                words = f"no answer in {ANSWER_S:.0f} s: it may still be done, see DECISIONS"
                form.refuse(words, for_good=True, state=NOT_KNOWN)
            except GexdeskError as error:
                form.refuse(error.message, for_good=False)
            except Exception as error:
                form.refuse(f"{type(error).__name__}: {error}", for_good=True, state=NOT_KNOWN)
            else:
                if self.dialog.form is form:
                    self.close()
                self.notice.say(outcome.message or f"{form.verb.value}: {outcome.before} -> {outcome.after}")
                return
            self._redraw(form)

        self.work(send(), "send")

    def _redraw(self, form: Form) -> None:
        if self.dialog.form is form:
            self.dialog.paint()

    # ------------------------------------------------------------------ leaving
    def action_leave(self) -> None:
        """Ask whether the engine goes on; asked again, it does."""
        form = self.dialog.form
        if isinstance(form, LeaveForm):
            self._step(form, form.press("ctrl+c", None))
            return
        view = self.sight.newest
        self.open(LeaveForm(self.desk() is not None, view.in_flight if view is not None else 0))

    def _leave(self, form: LeaveForm) -> None:
        desk = self.desk()
        if not form.stop or desk is None:
            self.leave(False)
            return
        form.sending = True
        self.may_connect.clear()

        async def stop() -> None:
            try:
                await asyncio.wait_for(desk.stop(), STOP_S)
            except Exception as error:
                form.sending = False
                self.may_connect.set()
                form.refused = f"the engine did not stop: {str(error) or type(error).__name__}; l leaves it running"
                self._redraw(form)
            else:
                self.leave(True)

        self.work(stop(), "stop")
