"""The two lines at the bottom: what was just done, and the keys."""

from collections.abc import Callable, Iterable, Sequence

from gexdesk.tui import figures
from gexdesk.tui.arrange import LEAST
from gexdesk.tui.ink import Run, fit_middle, width_of
from gexdesk.tui.keys import KEYS, Key
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.decisions import newest_first
from gexdesk.tui.widgets.pane import BLANK, Pane

NOTICE_S = 6.0
GRAVE_NOTICE_S = 15.0
"""How long a grave event stays before a newer harmless one."""

WORDS_FROM_CELLS = 140
"""Width from which keys that act have their words beside them."""


class NoticePane(Pane):
    """Draw the last notice for some seconds; else why the engine is away, the filter in force, a grave event, or the newest one."""

    def __init__(self, id: str, sight: Sight, filter_words: Callable[[], str], log_shown: Callable[[], bool]) -> None:
        super().__init__(id, sight)
        self.filter_words = filter_words
        self.log_shown = log_shown
        self._notice: Callable[[], str] = str
        self._grave = False
        self._until = 0.0

    def say(self, text: str | Callable[[], str], grave: bool = False) -> None:
        """Show a line for some seconds; one that is asked for again at every paint goes once it is empty."""
        self._notice = text if callable(text) else lambda: text
        self._grave, self._until = grave, self.sight.clock() + NOTICE_S
        self.paint()

    def draw(self, y: int) -> Iterable[Run]:
        """Draw what matters most."""
        width = self.size.width
        notice = self._notice() if self.sight.clock() < self._until else ""
        if notice:
            return ((" ! " if self._grave else " ", "eye"), (fit_middle(notice, width - 4), "eye" if self._grave else "bold"))
        # What was over once is not said again should it come back.
        self._until = 0.0
        if self.sight.away:
            return ((f" ! {self.sight.away}", "eye"),)
        if words := self.filter_words():
            return ((f" {words}", "bold"), ("   Esc clears", "faint"))
        view = self.sight.shown
        if view is None or not view.log or self.log_shown():
            return BLANK
        event = next(iter(self.sight.graves(GRAVE_NOTICE_S)), newest_first(view.log)[0])
        mark = "! " if event.grave else ""
        words = fit_middle(mark + event.text, width - 10)
        return ((f" {figures.time_of_day(int(event.at))} ", "faint"), (words, "eye" if event.grave else ""))


class KeysPane(Pane):
    """Draw the keys: those that look, as many as there is room for, then those that act, all of them."""

    def __init__(self, id: str, sight: Sight, keys: Sequence[Key] = KEYS) -> None:
        super().__init__(id, sight)
        self._keys = keys

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the line."""
        width = self.size.width
        gap = "  " if width >= WORDS_FROM_CELLS else " "
        acts = self._acts(width >= WORDS_FROM_CELLS)
        room = width - 1 - sum(width_of(text) for text, _ in acts)
        chosen = self._chosen([key for key in self._keys if key.word and not key.acts], room, len(gap) + 1)
        runs: list[Run] = [(" ", "")]
        for key in chosen:
            runs += [(key.shown, "bold"), (f" {key.word}{gap}", "faint")]
        return [*runs, *acts]

    def _acts(self, words: bool) -> list[Run]:
        """Draw the keys that act: without their words where those would take more than half of the line."""
        acting = [key for key in self._keys if key.acts and key.word]
        signs = ["+ - "] if any(key.keys == "plus" for key in self._keys) else []
        if not acting and not signs:
            return []
        runs: list[Run] = [("ACT ", "faint"), *((sign, "bold") for sign in signs)]
        worded = sum(width_of(f"{key.shown} {key.word}  ") for key in acting)
        for key in acting:
            named = words and worded <= self.size.width // 2
            runs += [(key.shown, "bold"), (f" {key.word}  " if named else " ", "faint")]
        return runs

    def _chosen(self, keys: Sequence[Key], room: int, gap: int) -> list[Key]:
        """Choose what fits, the way to the help first, then what even a narrow line should have; in their usual order."""
        kept: list[Key] = []
        for key in sorted(keys, key=lambda key: (key.action != "help", not key.narrow)):
            cells = width_of(key.shown) + width_of(key.word) + gap
            if cells <= room:
                kept.append(key)
                room -= cells
        return [key for key in keys if key in kept]


class SmallPane(Pane):
    """Say kindly that the window is too small."""

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one of three lines."""
        width, height = self.size
        needs = f"This window is {width}x{height}; the desk needs {LEAST.width}x{LEAST.height}."
        lines = (needs, "Make it larger and the desk is back at once.", "q leaves.")
        return ((f" {lines[y]}", "bold" if y == 0 else ""),) if y < len(lines) else BLANK
