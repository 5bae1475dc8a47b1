"""A page beside the desk: the same two lines on top, one subject, its keys; Esc goes back to where it was opened."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from gexdesk.model.errors import GexdeskError
from gexdesk.model.lever import Verb
from gexdesk.tui.arrange import LEAST
from gexdesk.tui.forms.aim import Aim
from gexdesk.tui.forms.base import Step
from gexdesk.tui.forms.find import FindForm
from gexdesk.tui.forms.lever import LeverForm
from gexdesk.tui.frugal import FrugalCompositor
from gexdesk.tui.house import House
from gexdesk.tui.keys import PAGE_KEYS, Key, bindings, relabelled
from gexdesk.tui.page_sight import PageSight
from gexdesk.tui.screens.beat import TICK_S
from gexdesk.tui.screens.levers import Levers
from gexdesk.tui.screens.staged import Staged
from gexdesk.tui.theme import inks
from gexdesk.tui.widgets.dialog import DialogPane
from gexdesk.tui.widgets.foot import KeysPane, NoticePane, SmallPane
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.status import StatusPane
from gexdesk.tui.widgets.table import Table

TICKS_A_SECOND = round(1 / TICK_S)


class PageLayout(Layout):
    """Place a page's panes where ``regions`` says."""

    name = "page"

    def __init__(self, regions: Callable[[Size], dict[str, Region]]) -> None:
        self._regions = regions

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        """Place the children that have a region; the others are not shown."""
        found = self._regions(size)
        return [WidgetPlacement(found[c.id], NULL_OFFSET, NULL_SPACING, c) for c in children if c.id is not None and c.id in found]


class Page(Staged):
    """Draw one subject, asked of the engine anew while it is looked at.

    Whoever inherits gives ``panes`` and ``place``, and what ``fetch`` asks. ``KEYS`` are the page's own, beside those that
    every page has.

    Args:
        house: What every screen shares.
    """

    AUTO_FOCUS = ""
    CSS = "Page { overflow: hidden hidden; }"
    KEYS: ClassVar[tuple[Key, ...]] = ()
    sight: PageSight
    EVERY_S: ClassVar[float] = 1.0
    """How often the engine is asked while the page is looked at; a whole number of seconds, or 0 for once."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self._compositor = FrugalCompositor()
        self.house = house
        # Its own panes see what it asked for; the lines that every screen has are the desk's.
        desk = house.sight
        self.sight = sight = PageSight(desk)
        self.status = StatusPane("status", desk, house.sample, house.operator, page_at=lambda: sight.held_at, engine=house.engine)
        self.notice = NoticePane("notice", desk, self.filter_words, lambda: True)
        self.dialog = DialogPane("dialog", desk)
        self.table: Table | None = None
        self.body = tuple(self.panes())
        self._fixed = (
            self.status, self.notice, KeysPane("keys", desk, relabelled((*self.KEYS, *PAGE_KEYS), house.keymap)), self.dialog,
            SmallPane("small", desk),
        )  # fmt: skip
        self.levers = Levers(self, house, notice=self.notice, aimed=self.aims, too_small=lambda: _too_small(self.app.size))
        self._layout = PageLayout(self.regions)
        self._tick = 0
        self._asking = self._again = False
        self.answered = False
        """It shows what the engine said, or why it said nothing."""

    def __init_subclass__(cls) -> None:
        """Bind the page's own keys beside those of every page."""
        cls.BINDINGS = [*bindings((*cls.KEYS, *PAGE_KEYS))]
        super().__init_subclass__()

    BINDINGS: ClassVar[list[BindingType]] = []

    # ------------------------------------------------------------- to be given
    def panes(self) -> Sequence[Pane]:
        """Return the page's own panes; a table among them is set as ``self.table``, and the keys that move are its."""
        raise NotImplementedError

    def place(self, space: Region) -> dict[str, Region]:
        """Say where each of them stands in the space between the status lines and the notice; 80 columns at least."""
        raise NotImplementedError

    async def fetch(self) -> None:
        """Ask the engine and keep what it answers; what it raises is shown as a notice."""

    def aim(self, verb: Verb) -> "tuple[Verb, Aim] | str":
        """Return the lever that a key means here and its target, or why there is none."""
        return "no lever acts on what this page shows"

    def rows(self) -> Table | None:
        """Return the table with the cursor; None where there is none."""
        return self.table

    # ------------------------------------------------------------------ layout
    @property
    def layout(self) -> Layout:
        """Return the page's own arrangement."""
        return self._layout

    def compose(self) -> ComposeResult:
        """Give every pane; those without a region are not drawn."""
        yield from (*self._fixed, *self.body)

    def regions(self, size: Size) -> dict[str, Region]:
        """Return a region for every pane that is shown; a dialog takes from the page's space."""
        width, height = size
        rows = min(self.dialog.form.rows(width), height - 1) if self.dialog.form is not None else 0
        if _too_small(size):
            found = {"small": Region(0, 0, width, height - rows)}
        else:
            foot = rows or 2
            found = {"status": Region(0, 0, width, 2)}
            gap = 1 if height >= 30 else 0
            found |= self.place(Region(0, 2 + gap, width, height - 2 - gap - foot))
            if not rows:
                found |= {"notice": Region(0, height - 2, width, 1), "keys": Region(0, height - 1, width, 1)}
        if rows:
            found["dialog"] = Region(0, height - rows, width, rows)
        return {name: region for name, region in found.items() if region.width > 0 and region.height > 0}

    def on_resize(self, event: Resize) -> None:
        """Arrange anew."""
        self.rearrange()

    def rearrange(self) -> None:
        """Put every pane where it belongs now."""
        self.status.refresh(layout=True, repaint=False)

    # ------------------------------------------------------------------ the beat
    def on_mount(self) -> None:
        """Start the beat and ask for the first time."""
        self.restyle()
        self.app.theme_changed_signal.subscribe(self, lambda _: self.restyle())
        self.set_interval(TICK_S, self.tick)
        self.ask()

    def restyle(self) -> None:
        """Use the inks of the theme, faint ones while the picture is too old."""
        mixed = inks(self.app.current_theme)
        for pane in (*self._fixed, *self.body):
            pane.restyle(mixed, self.sight.old and pane in self.body)

    def tick(self) -> None:
        """Ask when it is time, and keep the two lines on top going."""
        self._tick += 1
        self.levers.relieve()
        form, desk = self.dialog.form, self.house.sight
        stands = desk.frozen_at is not None
        if not stands:
            self.sight.release()
        if isinstance(form, LeverForm) and desk.shown is not None and not stands and form.compare(desk.shown):
            self.dialog.paint()
        if self._tick % TICKS_A_SECOND == 0:
            self.status.paint((0,) if stands else None)
            self.notice.paint()
            self.restyle()
            seconds = self._tick // TICKS_A_SECOND
            # One that another page covers asks nobody; it asks when it is looked at again.
            due = self.EVERY_S and seconds % round(self.EVERY_S) == 0
            if due and self.app.screen is self and not stands:
                self.ask()

    def on_screen_resume(self) -> None:
        """Ask at once when what covered it is gone."""
        if self._tick and self.house.sight.frozen_at is None:
            self.ask()

    def ask(self) -> None:
        """Ask the engine; while the last question has no answer yet, once more after it."""
        if self._asking:
            self._again = True
        else:
            self._asking = True
            self.work(self._ask(), "fetch")

    async def _ask(self) -> None:
        self.sight.hold()
        try:
            await self.fetch()
        except GexdeskError as error:
            self.notice.say(error.message, grave=True)
        except Exception as error:
            self.notice.say(f"{type(error).__name__}: {error}", grave=True)
        finally:
            self._asking = False
        self.sight.hold()
        if self.sight.held_at is not None:
            self.status.paint((0,))
        self.paint_body()
        self.answered = not self._again
        if self._again:
            self._again = False
            self.ask()

    def paint_body(self) -> None:
        """Draw the page's own panes."""
        for pane in self.body:
            pane.paint()

    # ------------------------------------------------------------------ looking
    def filter_words(self) -> str:
        """Say which filter is on; empty without one."""
        table = self.table
        return table.said_of_rows() if table is not None else ""

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        if self.table is not None:
            self.table.move(by)
            self.moved()

    def moved(self) -> None:
        """Draw what hangs on the row under the cursor."""

    def action_back(self) -> None:
        """Clear the filter, then the marks, else go back to where the page was opened."""
        if self.table is not None and (self.table.wanted or self.table.marked):
            self.table.clear()
            self.notice.paint()
        else:
            self.app.pop_screen()

    def action_find(self) -> None:
        """Filter the table by text."""
        table = self.table
        if table is None:
            return
        form = FindForm(table.wanted, str(table.id))

        def step(step: Step) -> None:
            if step is not Step.STAY:
                table.filter("" if step is Step.LEAVE else form.entry.text, False)
            if step is Step.SEND:
                self.close()

        self.open(form, step)

    def action_freeze(self) -> None:
        """Freeze the picture, or let it run again."""
        desk = self.house.sight
        if desk.shown is None:
            return
        if desk.frozen_at is None:
            desk.freeze()
        else:
            desk.thaw()
            self.sight.release()
        self.status.paint()
        self.paint_body()

    def action_leave(self) -> None:
        """Ask on the desk whether the engine goes on."""
        self.app.action_leave()  # type: ignore[attr-defined]


def _too_small(size: Size) -> bool:
    """Tell whether a window shows none of the page."""
    return size.width < LEAST.width or size.height < LEAST.height
