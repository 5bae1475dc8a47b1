"""Ask for one line of text: a note, a reason on its own, a command."""

from collections.abc import Iterable

from gexdesk.tui.forms.base import NOTHING_SENT, Entry, Step, title_line
from gexdesk.tui.ink import Run


class TextForm:
    """Hold one line while it is typed.

    Args:
        title: What it is for.
        label: What stands before the line.
        limit: Longest text in characters.
    """

    def __init__(self, title: str, label: str, limit: int = 300) -> None:
        self.title, self.label = title, label
        self.entry = Entry(limit=limit)

    def rows(self, width: int) -> int:
        """Return how many lines it takes at a width."""
        return 3

    def press(self, key: str, character: str | None) -> Step:
        """Take one key: Enter gives the text, Esc leaves."""
        if key == "escape":
            return Step.LEAVE
        if key == "enter":
            return Step.SEND if self.entry.text.strip() else Step.STAY
        self.entry.press(key, character)
        return Step.STAY

    def paste(self, text: str) -> Step:
        """Take pasted text."""
        self.entry.paste(text)
        return Step.STAY

    def draw(self, y: int, width: int) -> Iterable[Run]:
        """Return the runs of one line."""
        if y == 0:
            return title_line(self.title, width, NOTHING_SENT)
        if y == 1:
            return ((f" {self.label}  ", "bold"), *self.entry.draw(max(20, width - len(self.label) - 6), True))
        words = " Enter does it" if self.entry.text.strip() else " Enter is off until there is a text"
        return ((words, "faint"), ("     Esc leaves, nothing done", "faint"))
