"""Ask whether the engine goes on when the desk is left."""

from collections.abc import Iterable

from gexdesk.tui import figures
from gexdesk.tui.forms.base import Step, title_line
from gexdesk.tui.ink import Run, fit_middle


class LeaveForm:
    """Stop the engine, leave it running (the default), or stay.

    Args:
        attached: Whether an engine answers.
        in_flight: Jobs it is at work on.
        silent: Whether its last answer is too old to say what it does.
    """

    def __init__(self, attached: bool, in_flight: int, silent: bool = False) -> None:
        self.attached = attached
        self.in_flight = in_flight
        self.silent = silent
        self.stop = False
        self.sending = False
        self.refused = ""

    def rows(self, width: int) -> int:
        """Return how many lines it takes at a width."""
        return 3

    def press(self, key: str, character: str | None) -> Step:
        """Take one key; the key that opened it, again, is the default."""
        if key == "escape" and not self.sending:
            return Step.LEAVE
        if self.sending and key not in ("l", "ctrl+c", "ctrl+q"):
            return Step.STAY
        if key in ("enter", "l", "q", "ctrl+c", "ctrl+q"):
            self.stop = False
            return Step.SEND
        if key == "s" and self.attached:
            self.stop = True
            return Step.SEND
        return Step.STAY

    def paste(self, text: str) -> Step:
        """Ignore pasted text."""
        return Step.STAY

    def draw(self, y: int, width: int) -> Iterable[Run]:
        """Return the runs of one line."""
        if y == 0:
            return title_line("LEAVE THE DESK", width, "stopping ..." if self.sending else "still here")
        if y == 1:
            stop: list[Run] = [("s", "bold"), (" stop the engine     ", "")]
            leave: list[Run] = [("l", "bold"), (" or ", "faint"), ("Enter", "bold"), (" leave it running     ", "")]
            if not self.attached:
                return [(" no engine answers; ", "faint"), ("Enter", "bold"), (" leaves     ", ""), ("Esc", "bold"), (" stay", "")]
            return [(" ", ""), *stop, *leave, ("Esc", "bold"), (" stay", "")]
        if self.refused:
            return ((f" ! {fit_middle(self.refused, width - 3)}", "eye"),)
        if self.sending:
            return ((" the engine finishes what it holds; l leaves without waiting", "bold"),)
        if not self.attached:
            return ()
        if self.silent:
            return ((" the engine does not answer now: whether it goes on is not known", "faint"),)
        jobs = figures.many(self.in_flight, "job")
        words = f" left running, it goes on ingesting and the next gexdesk attaches again; {jobs} in work"
        return ((fit_middle(words, width), "faint"),)
