"""The form every dialog is."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Protocol

from gexdesk.model.text import printable
from gexdesk.tui.ink import Run, fit_middle, width_of

NOTHING_SENT, SENDING, NOT_KNOWN = "nothing sent", "sending ...", "not known"
"""What became of a lever, at the right of a dialog's title."""


PICKS = ("feed lag", "desk asked", "event", "vendor outage")
"""Reasons that need no typing."""


class Step(Enum):
    """Say what a key asks of the screen."""

    STAY = auto()
    LEAVE = auto()
    SEND = auto()
    ASK = auto()


class Form(Protocol):
    """Take keys and give lines."""

    def rows(self, width: int) -> int:
        """Return how many lines it takes at a width."""
        ...

    def press(self, key: str, character: str | None) -> Step:
        """Take one key by Textual's name, and the character it types, if any."""
        ...

    def paste(self, text: str) -> Step:
        """Take pasted text."""
        ...

    def draw(self, y: int, width: int) -> Iterable[Run]:
        """Return the runs of one line."""
        ...


class Entry:
    """Hold one line of typed text; the cursor stands at its end.

    Args:
        limit: Longest text in characters.
    """

    def __init__(self, limit: int = 160) -> None:
        self.text = ""
        self.limit = limit

    def press(self, key: str, character: str | None) -> bool:
        """Take a key; return whether it was one of this line's."""
        if key in ("backspace", "ctrl+h"):
            self.text = self.text[:-1]
        elif key == "ctrl+w":
            self.text = self.text.rstrip().rpartition(" ")[0]
        elif key == "ctrl+u":
            self.text = ""
        elif character is not None and character.isprintable():
            self.text = (self.text + character)[: self.limit]
        else:
            return False
        return True

    def paste(self, text: str) -> None:
        """Take pasted text, made safe to show."""
        self.text = (self.text + printable(text, self.limit))[: self.limit]

    def draw(self, width: int, live: bool) -> list[Run]:
        """Show the end of the text, in so many cells, with the cursor behind it while the line is live."""
        room = width - 1
        shown = self.text
        while width_of(shown) > room:
            shown = shown[1:]
        return [(shown, "bold"), (" ", "row" if live else ""), ("_" * (room - width_of(shown)), "faint")]


def refusal(words: str, width: int) -> list[Run]:
    """Draw why nothing is done; the way out stays in sight."""
    leaves = "   Esc leaves"
    return [(f" ! {fit_middle(words, width - 3 - len(leaves))}", "eye"), (leaves, "faint")]


def title_line(words: str, width: int, state: str) -> list[Run]:
    """Draw a dialog's first line: what it is about, a rule, and at the right what became of it."""
    room = width - len(state) - 6
    shown = fit_middle(words, room)
    return [("── ", "faint"), (shown, "bold"), (" " + "─" * (room - width_of(shown)) + " ", "faint"), (state, "faint")]
