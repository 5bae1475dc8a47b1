"""Every key, every word, every column, on one page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip

from gexdesk.model.view.desk import DeskView
from gexdesk.tui import figures
from gexdesk.tui.commands import COMMANDS
from gexdesk.tui.house import House
from gexdesk.tui.ink import Line, fit, line_of, plain
from gexdesk.tui.keys import KEYS, Key, binding_id, relabelled
from gexdesk.tui.sight import TOO_OLD_S
from gexdesk.tui.theme import inks
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.status import StatusPane

NO_KEYMAP: Mapping[str, str] = {}
WORDS = (
    ("level", "CRITICAL, HIGH, MEDIUM, LOW: what goes first. Promises from receipt to available: 30 s, 5 min, 30 min, none"),
    ("+310 undecided", "acknowledged and safe, but not decided yet: no level's depth has them; their time runs"),
    ("in work", "claimed and not available yet, over all levels: being computed"),
    ("available", "readers can get the new value; storing it follows"),
    ("source", "one feed endpoint. A pause on a symbol's row acts on the source that serves it, a level on the symbol itself"),
    ("override", "an operator's level for a source, a symbol or a job: beats every guideline, has an author, a reason and an end"),
    ("IN FORCE", "pauses, overrides and maintenance windows; those without an end have a !. NEXT is the schedule that arms next"),
    ("bound", "receipt to available of CRITICAL data at the worst, as the engine proves it from what it measures of itself"),
    ("marks, *", "Space marks rows; one dialog then acts on all of them, one after the other, and names those it leaves out"),
    ("changed by", "another operator was there first: nothing was sent, Enter looks again and a second Enter does it all the same"),
    ("at least, ≥", "what + asks for: that level or a higher one, as guidelines decide; - asks for at most (≤), O for exactly one"),
    ("standing", "the level in the source's configuration; auto follows its last decision; without one nothing is processed"),
    ("STOPPED", "by the kill switch: nothing is fetched or computed until K; a source's own pause stays its own"),
    ("store behind", "results that readers have and that are not stored yet, for so long: nothing is lost, history lags"),
    ("dead letter", "a payload given up for good; it is kept, nothing waits for it"),
    ("incident", "something an operator must look at: !! readers are hit, ! worth a look; it stays until somebody saw it"),
    ("READ-ONLY", "the engine was started so, or your key may only read: nothing can be changed from here"),
    ("D15", "quotes delayed 15 minutes; the delay is part of every age that is called data"),
)

COLUMNS = (
    ("1 depth, oldest", "jobs waiting, and how long the oldest has; it turns bold from half its promise, ! past it"),
    ("1 last 2 min", "depth, now at the right; a cell is the largest of its seconds, each level has a scale of its own, · is none"),
    ("1 empty", "when the queue is empty at the present rates; rising: it grows"),
    ("2 histogram", "how long jobs took, 1 ms to an hour, heights by logarithm; | is the promise, right of it is late"),
    ("3 data", "age of what readers have: since the vendor's stamp, with the known delay"),
    ("3 changed", "since when the numbers are the same, whatever the stamps say"),
    ("3 adds", "what the desk itself added: receipt to available"),
    ("3 net GEX, flip", "dealers' gamma exposure, USD a 1% move (mn where gross is below 0.1 bn); the price where it changes sign"),
    ("3 check", "ok, or the first warning on the value: old is a stamp that nobody should trade on"),
    ("3 standby", "what F fails over to, with its delay"),
    ("4 state", "live, waiting (nothing yet), LATE, FAILING, PAUSED, STOPPED, LEFT ALONE (breaker open), UNASSIGNED, ended"),
    ("4 why", "override: who and until when; standing: configured; rules: the guidelines' last decision"),
    ("4 last / due", "since the last payload, and how often one is expected; - where nobody knows"),
    ("4 err5m, ok", "failures in five minutes; share of good requests since the engine started"),
    ("4 missed, again", "messages that never came by the sender's own count; payloads that were the one before again"),
    ("5 unmatched", "decisions that no guideline matched: they are LOW"),
    ("5 conflicts", "the same symbol and stamp decided at different levels by two sources within a minute"),
)


def help_lines(
    width: int, view: DeskView | None = None, keymap: Mapping[str, str] = NO_KEYMAP, here: Sequence[Key] = ()
) -> list[Line]:
    """Return the help at a width: the keys of the page it was asked on first, then everything of the desk.

    Args:
        width: Cells of a line.
        view: The picture; what the desk counts nowhere else is told of it.
        keymap: Keys that were moved.
        here: Keys of the page's own.
    """
    keys = relabelled(KEYS, keymap)

    def section(title: str, rows: Iterator[tuple[str, str]], label: int) -> Iterator[Line]:
        yield line_of([], width)
        yield line_of([(f" {title}", "bold")], width)
        for name, says in rows:
            room = width - label - 4
            words, first = says.split(" "), True
            while words:
                taken = words.pop(0)
                while words and len(taken) + 1 + len(words[0]) <= room:
                    taken += " " + words.pop(0)
                yield line_of([(f"   {fit(name if first else '', label)}", "bold" if first else ""), (taken, "")], width)
                first = False

    lines: list[Line] = []
    if here:
        on_page = relabelled(here, keymap)
        lines += section("ON THIS PAGE", ((k.shown, f"{k.says}{' (acts)' if k.acts else ''}") for k in on_page), 12)
    lines += section("ON THE DESK" if here else "LOOK", ((k.shown, k.says) for k in keys if not k.acts), 12)
    lines += section("ACT - each asks for a reason and shows what it would do", ((k.shown, k.says) for k in keys if k.acts), 12)
    dialog = (
        ("left right", "how long a level stands: 15 m, 1 h, to the session's end, no end"),
        ("1-4", "in an override: the level"),
        ("Tab", "the next question of the dialog"),
        ("down", "picks a reason; or type one. Enter is off until there is one"),
        ("Esc", "leaves, nothing is done"),
    )
    lines += section("IN A DIALOG", iter(dialog), 12)
    old = f"Past {TOO_OLD_S:g} s without an answer of the engine numbers dim and levers refuse."
    safe = "A lever acts on the row that was under the cursor at the keypress; rows never move under it."
    typed = ((command.usage, command.says) for command in COMMANDS)
    lines += section("COMMANDS - typed after : or ctrl+p, completed by Tab", typed, 30)
    lines += section("SAFETY", iter((("", safe), ("", old))), 0)
    lines += section("WORDS", iter(WORDS), 15)
    lines += section("COLUMNS", iter(COLUMNS), 16)
    moved = ", ".join(binding_id(key) for key in KEYS if key.action != "panel")
    own = "keys.toml in $XDG_CONFIG_HOME/gexdesk moves keys, a line each: freeze = \"x\". The names: "
    lines += section("KEYS OF YOUR OWN", iter((("", own + moved),)), 0)
    if view is not None:
        in_work = max(0, sum(level.processing for level in view.levels) - view.storing)
        counts = ((view.undecided, "not decided yet"), (in_work, "in work"), (view.storing, "available and not stored yet"))
        rows = ((figures.count(number), says) for number, says in counts)
        lines += section(f"COUNTED AT {figures.time_of_day(int(view.taken_at))}", rows, 12)
    return [*lines, line_of([], width)]


class HelpPage(ScrollView, can_focus=True):
    """Scroll the page."""

    DEFAULT_CSS = "HelpPage { scrollbar-size-vertical: 1; height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", show=False),
        Binding("up,k", "scroll_up", show=False),
        Binding("pagedown,space", "page_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("home", "scroll_home", show=False),
        Binding("end", "scroll_end", show=False),
    ]

    def __init__(self, house: House, here: Sequence[Key]) -> None:
        super().__init__()
        self._house, self._here = house, here

    def on_resize(self) -> None:
        """Break the lines anew."""
        width = self.scrollable_content_region.width or self.size.width
        lines = help_lines(width, self._house.sight.shown, self._house.keymap, self._here)
        self._lines = [plain(line) for line in lines] if Pane.ascii else lines
        self.virtual_size = Size(0, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Give one line."""
        at = y + self.scroll_offset.y
        mixed = inks(self.app.current_theme)
        lines = getattr(self, "_lines", [])
        width = self.size.width
        if at >= len(lines):
            return Strip([Segment(" " * width, mixed[""])], width)
        return Strip([Segment(text, mixed[ink]) for text, ink in lines[at]])


class HelpScreen(Screen[None]):
    """Show the help; the top lines stay as on the desk."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter,f1", "app.pop_screen", show=False)]
    AUTO_FOCUS = "HelpPage"
    DEFAULT_CSS = "HelpScreen StatusPane { height: 1; } HelpScreen { overflow: hidden hidden; }"

    def __init__(self, house: House, status: StatusPane, here: Sequence[Key] = ()) -> None:
        super().__init__()
        self._house, self._here = house, here
        self._status = StatusPane("help-status", status.sight, status.sample, status.operator)

    def compose(self) -> ComposeResult:
        """Give the clock line and the page."""
        yield self._status
        yield HelpPage(self._house, self._here)

    def on_mount(self) -> None:
        """Keep the clock going."""
        self._status.restyle(inks(self.app.current_theme), False)
        self.set_interval(1.0, lambda: self._status.paint((0,)))
