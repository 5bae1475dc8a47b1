"""The desk: what needs you, what waits, what readers have - one frozen picture, drawn four times a second."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.layout import Layout

from gexdesk.model.lever import Verb
from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.source import SourceView
from gexdesk.tui.arrange import DeskLayout, Wants, arrange
from gexdesk.tui.forms.aim import ABOUT_SYMBOLS, Aim, Aimed, compared
from gexdesk.tui.forms.base import Step
from gexdesk.tui.forms.find import FindForm
from gexdesk.tui.forms.lever import LeverForm
from gexdesk.tui.frugal import FrugalCompositor
from gexdesk.tui.house import House
from gexdesk.tui.keys import KEYS, bindings, relabelled
from gexdesk.tui.saved import Arrangement
from gexdesk.tui.screens.beat import TICK_S, Beat, same_but_for_time
from gexdesk.tui.screens.cursor import Cursor
from gexdesk.tui.screens.leaving import Leaving
from gexdesk.tui.screens.levers import Levers
from gexdesk.tui.screens.staged import Staged
from gexdesk.tui.theme import inks
from gexdesk.tui.widgets.decisions import DecisionsPane
from gexdesk.tui.widgets.dialog import DialogPane
from gexdesk.tui.widgets.foot import KeysPane, NoticePane, SmallPane
from gexdesk.tui.widgets.guidelines import GuidelinesPane, note_runs
from gexdesk.tui.widgets.levels import BothPane, LatencyPane, WaitingPane
from gexdesk.tui.widgets.needs import NeedsPane, about, needing
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.status import StatusPane
from gexdesk.tui.widgets.table import Table


class DeskScreen(Staged):
    """Draw the desk and take its keys.

    Args:
        house: What every screen shares.
        leave: Called when the operator leaves.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    AUTO_FOCUS = ""
    CSS = "DeskScreen { overflow: hidden hidden; }"

    def __init__(
        self,
        house: House,
        leave: Callable[[], None],
    ) -> None:
        super().__init__()
        self.house = house
        sight, desk, sample, operator = house.sight, house.desk, house.sample, house.operator
        self._compositor = FrugalCompositor()
        self.sight = sight
        self.hidden: frozenset[int] = frozenset()
        self._need = ""
        self._arrangement = DeskLayout(self.wants)
        self._arranged = Wants()
        self._followed: DeskView | None = None
        self._carried: tuple[tuple[SourceView, ...], int] = ((), 0)
        self.status = StatusPane("status", sight, sample, operator)
        self.cursor = Cursor(sight)
        self.notice = NoticePane("notice", sight, self.cursor.filter_words, lambda: "decisions" in self.shown)
        self.dialog = DialogPane("dialog", sight)
        self.levers = Levers(
            self, house, notice=self.notice, aimed=self.aims, too_small=lambda: "small" in self.shown
        )
        self.leaving = Leaving(self, sight, desk, leave)
        self.panes: dict[str, Pane] = {
            str(pane.id): pane
            for pane in (
                self.status,
                NeedsPane("needs", sight),
                WaitingPane("waiting", sight),
                LatencyPane("latency", sight),
                BothPane("both", sight),
                self.cursor.symbols,
                self.cursor.sources,
                GuidelinesPane("guidelines", sight),
                DecisionsPane("decisions", sight),
                self.notice,
                KeysPane("keys", sight, relabelled(KEYS, house.keymap)),
                self.dialog,
                SmallPane("small", sight),
            )
        }
        self.beat = Beat(sight, self.panes, lambda: self.shown, lambda: inks(self.app.current_theme))

    def rows(self) -> Table:
        """Return the table with the cursor."""
        return self.cursor.table

    def aim(self, verb: Verb) -> Aimed:
        """Aim at the row under the cursor."""
        return self.cursor.aim(verb)

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
            table=self.cursor.name,
            dialog_rows=form.rows(self.app.size.width) if form is not None else 0,
            guidelines=len(view.guidelines) + bool(note_runs(view)) if view is not None else 6,
            sources=len(view.sources) if view is not None else 12,
            # By the configuration, so that tables do not move while the first symbols come.
            symbols=max(self._configured(view), len(view.symbols)) if view is not None else 12,
        )

    def _configured(self, view: DeskView) -> int:
        """Count the symbols that sources carry; once for each answer that has the sources anew."""
        if view.sources is not self._carried[0]:
            self._carried = view.sources, len({c for s in view.sources for c in s.carries.split()})
        return self._carried[1]

    @property
    def shown(self) -> set[str]:
        """Return the names of the panes that have a region."""
        return set(arrange(self.app.size, self.wants()))

    def on_mount(self) -> None:
        """Start the beat."""
        self.beat.restyle()
        self.app.theme_changed_signal.subscribe(self, lambda _: self.beat.restyle())
        self.set_interval(TICK_S, self.tick)

    def on_resize(self, event: Resize) -> None:
        """Arrange anew."""
        self.rearrange()

    def rearrange(self) -> None:
        """Put every pane where it belongs now. A child asks for it: a screen's own asking leaves its old arrangement cached."""
        self._arranged = self.wants()
        self.status.refresh(layout=True, repaint=False)

    # ------------------------------------------------------------------ the beat
    def begin(self) -> None:
        """Draw the first picture at once."""
        self.cursor.adopt()
        self.rearrange()
        self.paint_all()

    def paint_all(self) -> None:
        """Draw everything that is shown."""
        self.beat.paint_all()

    def acted(self) -> None:
        """Show at once what came of a lever."""
        super().acted()
        self.beat.hasten()

    def tick(self) -> None:
        """Take what is new, and draw this quarter second's share of it."""
        self.levers.relieve()
        if self.sight.frozen_at is None:
            before, view, form = self._followed, self.sight.shown, self.dialog.form
            self._followed = view
            # Of a picture that is the one before in all but its time there is nothing new to take or to arrange.
            if not same_but_for_time(before, view):
                self.cursor.adopt()
            if isinstance(form, LeverForm) and view is not None and form.compare(view):
                self.dialog.paint()
            if (form is not None or not same_but_for_time(before, view)) and self.wants() != self._arranged:
                self.rearrange()
        if self.is_current:
            self.beat.tick()

    def on_screen_resume(self) -> None:
        """Draw what changed while another screen covered it."""
        if self.sight.shown is not None:
            self.paint_all()

    # ------------------------------------------------------------------ looking
    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.cursor.table.move(by)

    def action_other_table(self) -> None:
        """Take the cursor to the other table, if it is not put away."""
        number = 3 if self.cursor.name == "sources" else 4
        if number in self.hidden:
            self.notice.say(f"panel {number} is put away: {number} brings it back")
            return
        before = self.shown
        self.cursor.cross()
        if self.shown != before:
            self.rearrange()

    def arrangement(self) -> Arrangement:
        """Return how the desk is arranged and filtered now."""
        tables = (self.cursor.sources, self.cursor.symbols)
        filters = {str(table.id): table.wanted for table in tables if table.wanted}
        return Arrangement(self.hidden, self.cursor.name, filters, frozenset(str(table.id) for table in tables if table.faults))

    def use(self, kept: Arrangement) -> None:
        """Arrange and filter the desk as it was kept."""
        self.hidden = kept.hidden
        if self.cursor.name != kept.table:
            self.cursor.cross()
        for table in (self.cursor.sources, self.cursor.symbols):
            table.filter(kept.filters.get(str(table.id), ""), str(table.id) in kept.faults)
        self.rearrange()
        self.paint_all()

    def action_panel(self, number: int) -> None:
        """Put a panel away or bring it back; one table always stays."""
        hidden = self.hidden ^ {number}
        if {3, 4} <= hidden:
            self.notice.say("one table stays: it has the cursor")
            return
        self.hidden = hidden
        if (number, self.cursor.name) in ((3, "symbols"), (4, "sources")) and number in hidden:
            self.action_other_table()
        self.rearrange()

    def action_open(self) -> None:
        """Open the page of what is under the cursor."""
        if (name := self.cursor.table.target) is not None:
            self.open_page("symbol" if self.cursor.name == "symbols" else "source", name)

    def action_compare(self) -> None:
        """Lay two sources side by side: of the symbol under the cursor, or of the only one that the source there carries."""
        name, view = self.cursor.table.target, self.sight.shown
        if name is None or view is None:
            self.notice.say("nothing under the cursor: move it to a row first")
        elif symbol := compared(name, view):
            self.open_page("compare", symbol)
        else:
            self.notice.say(f"{name} carries no single symbol: Tab takes the cursor to the symbols, / {name} finds them")

    def action_back(self) -> None:
        """Clear the filter, then the marks."""
        self.cursor.table.clear()
        self.notice.paint()

    def action_next_need(self) -> None:
        """Take the cursor to what the gravest incident is about; pressed again, to what the next one is about."""
        view = self.sight.shown
        needs = [i for i in needing(view, self.sight.now) if i.closed_at is None] if view is not None else []
        if not needs:
            self.notice.say("nothing needs you")
            return
        names = [i.name for i in needs]
        at = names.index(self._need) + 1 if self._need in names else 0
        incident = needs[at % len(needs)]
        self._need = incident.name
        words = f"#{incident.number} {about(incident, view)}: {incident.do_first or incident.text}"
        rows = (incident.source, incident.subject)
        if not self.cursor.go_to(*(reversed(rows) if incident.kind in ABOUT_SYMBOLS else rows)):
            self.notice.say(f"{words}; about no single row: i opens it")
            return
        self.notice.say(words)
        self.rearrange()
        self.paint_all()

    def action_page(self, name: str) -> None:
        """Open a page beside the desk; of the incidents with the gravest one under the cursor."""
        needs = needing(self.sight.shown, self.sight.now) if name == "incidents" and self.sight.shown is not None else []
        self.open_page(name, *([needs[0].name] if needs else []))

    def action_engines(self) -> None:
        """Open the engines where there are several, else the one engine's inside."""
        view = self.sight.shown
        self.open_page("engines" if view is not None and len(view.engines) > 1 else "engineering")

    def action_find(self) -> None:
        """Filter the table by text."""
        table = self.cursor.table
        form = FindForm(table.wanted, self.cursor.name)

        def step(step: Step) -> None:
            if step is not Step.STAY:
                table.filter("" if step is Step.LEAVE else form.entry.text, table.faults)
            if step is Step.SEND:
                self.close()

        self.open(form, step)

    def action_faults(self) -> None:
        """Show faults only, or all again."""
        self.cursor.table.filter(self.cursor.table.wanted, not self.cursor.table.faults)
        self.notice.paint()

    def action_freeze(self) -> None:
        """Freeze the picture, or let it run again."""
        if self.sight.shown is None:
            return
        if self.sight.frozen_at is None:
            self.sight.freeze()
        else:
            self.sight.thaw()
            self.cursor.adopt()
        self.paint_all()

    # ------------------------------------------------------------------ acting
    def action_undo(self) -> None:
        """Open the dialog that takes the operator's own last lever back."""
        self.levers.open_at(Verb.UNDO, Aim("", "", "your own last lever"))

    def action_leave(self) -> None:
        """Ask whether the engine goes on; asked again, it does."""
        self.leaving.ask()
