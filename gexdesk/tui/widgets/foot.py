"""The two lines at the bottom: what was just done, and the keys."""

from collections.abc import Callable, Iterable, Sequence

from gexdesk.tui import figures
from gexdesk.tui.arrange import LEAST
from gexdesk.tui.ink import Run, fit_middle
from gexdesk.tui.keys import KEYS, Key
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.decisions import newest_first
from gexdesk.tui.widgets.pane import BLANK, Pane

NOTICE_S = 6.0
GRAVE_NOTICE_S = 15.0
"""How long a grave event stays before a newer harmless one."""


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
    """Draw the keys: those that look, then those that act."""

    def __init__(self, id: str, sight: Sight, keys: Sequence[Key] = KEYS) -> None:
        super().__init__(id, sight)
        self._keys = keys

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the line."""
        wide = self.size.width >= 140
        runs: list[Run] = [(" ", "")]
        for acts in (False, True):
            if acts and any(key.acts for key in self._keys):
                levels = any(key.keys == "plus" for key in self._keys)
                runs += [("ACT ", "faint"), ("+ - " if levels else "", "bold")]
            for key in self._keys:
                if key.acts is not acts or not key.word or not (wide or key.narrow):
                    continue
                bare = acts and not wide
                runs += [(key.shown, "bold"), (" " if bare else f" {key.word}{'  ' if wide else ' '}", "faint")]
        return runs


class SmallPane(Pane):
    """Say kindly that the window is too small."""

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one of three lines."""
        width, height = self.size
        needs = f"This window is {width}x{height}; the desk needs {LEAST.width}x{LEAST.height}."
        lines = (needs, "Make it larger and the desk is back at once.", "q leaves.")
        return ((f" {lines[y]}", "bold" if y == 0 else ""),) if y < len(lines) else BLANK
