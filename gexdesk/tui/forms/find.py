"""Ask for the text that rows must hold."""

from collections.abc import Iterable

from gexdesk.tui.filter import fault_of
from gexdesk.tui.forms.base import Entry, Step
from gexdesk.tui.ink import Run


class FindForm:
    """Filter the table while the text is typed.

    Args:
        text: What it is filtered by so far.
        table: Its name, ``sources`` or ``symbols``.
    """

    def __init__(self, text: str, table: str) -> None:
        self.table = table
        self.entry = Entry(limit=40)
        self.entry.text = text

    def rows(self, width: int) -> int:
        """Return how many lines it takes at a width."""
        return 1

    def press(self, key: str, character: str | None) -> Step:
        """Take one key: Enter keeps the filter, Esc clears it, arrows belong to the table."""
        if key == "enter":
            return Step.STAY if fault_of(self.entry.text) else Step.SEND
        if key == "escape":
            return Step.LEAVE
        return Step.ASK if self.entry.press(key, character) else Step.STAY

    def paste(self, text: str) -> Step:
        """Take pasted text."""
        self.entry.paste(text)
        return Step.ASK

    def draw(self, y: int, width: int) -> Iterable[Run]:
        """Return the runs of its one line."""
        fault = fault_of(self.entry.text)
        hint = "  Enter keeps, Esc clears   !without ~regex"
        said: Run = (f"  ! {fault}", "eye") if fault else (hint, "faint")
        return ((f" / in {self.table.upper()}  ", "bold"), *self.entry.draw(26, True), said)
