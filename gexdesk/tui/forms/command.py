"""Ask for a command, and offer what it may become."""

from collections.abc import Callable, Iterable

from gexdesk.tui.commands import Suggestion, Words, find, read, split, suggest
from gexdesk.tui.forms.base import Entry, Step, refusal, title_line
from gexdesk.tui.ink import Run, fit

OFFERED = 6


class CommandForm:
    """Hold the line while it is typed.

    Args:
        words: Gives what arguments can be at this moment.
    """

    def __init__(self, words: Callable[[], Words]) -> None:
        self.words = words
        self.entry = Entry(limit=200)
        self.fault = ""
        self._chosen: int | None = None
        self._offers()

    @property
    def line(self) -> str:
        """Return what is typed."""
        return self.entry.text

    def rows(self, width: int) -> int:
        """Return how many lines it takes at a width."""
        return 2 + OFFERED

    def press(self, key: str, character: str | None) -> Step:
        """Take one key: Tab completes, up and down choose, Enter takes what is offered and runs the line once it is whole."""
        if key == "escape":
            return Step.LEAVE
        if key in ("down", "up"):
            count = len(self.offers)
            if count:
                at = self._chosen if self._chosen is not None else -1 if key == "down" else count
                self._chosen = (at + (1 if key == "down" else -1)) % count
            return Step.STAY
        if key in ("tab", "enter"):
            return self._enter() if key == "enter" else self._take()
        if key == "backspace" and not self.entry.text:
            return Step.LEAVE
        if self.entry.press(key, character):
            self._offers()
        return Step.STAY

    def paste(self, text: str) -> Step:
        """Take pasted text."""
        self.entry.paste(text)
        self._offers()
        return Step.STAY

    def _offers(self) -> None:
        self.fault, self._chosen = "", None
        self.offers: list[Suggestion] = suggest(self.line, self.words())

    def _take(self) -> Step:
        """Put what is chosen, or offered first, in the place of the last word."""
        if self.offers:
            before, _, _ = split(self.line)
            self.entry.text = f"{before}{self.offers[self._chosen or 0].word} "
            self._offers()
        return Step.STAY

    def _enter(self) -> Step:
        _, before, typed = split(self.line)
        whole = {offer.word.casefold() for offer in self.offers} | ({typed.casefold()} if not before and find(typed) else set())
        if self._chosen is not None or (typed and self.offers and typed.casefold() not in whole):
            self._take()
        try:
            read(self.line)
        except ValueError as error:
            if self.line.strip() and not self.line.endswith(" "):
                self.entry.text += " "
                self._offers()
            self.fault = str(error)
            return Step.STAY
        return Step.SEND

    def draw(self, y: int, width: int) -> Iterable[Run]:
        """Return the runs of one line."""
        if y == 0:
            return title_line("COMMAND", width, "Tab completes, down chooses, Esc leaves")
        if y == 1:
            return ((" :", "bold"), *self.entry.draw(max(20, width - 4), True))
        if y == 2 and self.fault:
            return refusal(self.fault, width)
        return self._offer(y - 2 - (1 if self.fault else 0), width)

    def _offer(self, row: int, width: int) -> list[Run]:
        # The chosen one stays in sight.
        first = max(0, (self._chosen or 0) - OFFERED + 1)
        at = first + row
        if at >= len(self.offers):
            return []
        offer, chosen = self.offers[at], at == (self._chosen or 0)
        command = find(offer.word) if offer.says else None
        more = f"   {len(self.offers) - at - 1} more" if row == OFFERED - 1 and at + 1 < len(self.offers) else ""
        label = command.usage if command is not None else offer.word
        asks = "; asks for a reason" if command is not None and command.acts else ""
        return [
            (" > " if chosen else "   ", "bold"),
            (fit(label, 30), "bold" if chosen else ""),
            (fit(f" {offer.says}{asks}", max(1, width - 33 - len(more))), "faint"),
            (more, "faint"),
        ]
