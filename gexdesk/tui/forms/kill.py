"""Ask for the kill switch: typed in full, with a reason."""

from collections.abc import Iterable

from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.tui import figures
from gexdesk.tui.forms.base import NOTHING_SENT, PICKS, SENDING, Entry, Step, refusal, title_line
from gexdesk.tui.ink import Run


class KillForm:
    """Pause every source, or resume them all where the switch is on.

    Args:
        stopped: Whether the switch is on.
        sources: How many sources there are.
        operator: Who asks.
    """

    def __init__(self, stopped: bool, sources: int, operator: str) -> None:
        self.verb = Verb.RESUME_ALL if stopped else Verb.PAUSE_ALL
        self.word = "resume all" if stopped else "pause all"
        self.sources = sources
        self.operator = operator
        self.typed = Entry(limit=20)
        self.reason = Entry()
        self.at = "typed"
        self.sending = False
        self.state = NOTHING_SENT
        self.refused = ""
        self.barred = False
        self.outcome: LeverOutcome | None = None
        self.agreed = False
        """Never: what it does is said before the engine is asked, and nobody waits for a kill switch."""
        self._pick = -1

    def rows(self, width: int) -> int:
        """Return how many lines it takes at a width."""
        return 5

    def levers(self, dry_run: bool) -> list[Lever]:
        """Return the lever as it stands."""
        reason = self.reason.text.strip() or ("dry run" if dry_run else "")
        return [Lever(verb=self.verb, target="", reason=reason, actor=self.operator, dry_run=dry_run)]

    @property
    def confirmed(self) -> bool:
        """Tell whether the words were typed."""
        return self.typed.text.strip().casefold() == self.word

    @property
    def ready(self) -> bool:
        """Tell whether Enter would send it."""
        return self.confirmed and bool(self.reason.text.strip()) and not self.sending and not self.barred

    def ask(self) -> None:
        """Note that the engine was asked; what it would do is known without it."""

    def answer(self, outcome: LeverOutcome) -> None:
        """Take what a dry run says."""
        self.outcome, self.barred, self.refused = outcome, False, ""

    def send(self) -> None:
        """Note that it is on its way."""
        self.sending, self.refused, self.state = True, "", SENDING

    def refuse(self, message: str, for_good: bool, state: str = NOTHING_SENT) -> None:
        """Take a refusal; ``for_good`` where sending it again as it stands cannot help."""
        self.refused, self.barred, self.sending, self.state = message, for_good, False, state

    def press(self, key: str, character: str | None) -> Step:
        """Take one key."""
        if self.sending:
            return Step.STAY
        if key == "escape":
            return Step.LEAVE
        if key in ("tab", "shift+tab"):
            self.at = "reason" if self.at == "typed" else "typed"
        elif key == "enter":
            if self.ready:
                return Step.SEND
            self.at = "reason" if self.confirmed else "typed"
        elif self.at == "reason" and key in ("down", "up"):
            self._pick = (self._pick + 1) % len(PICKS)
            self.reason.text = PICKS[self._pick]
        else:
            (self.reason if self.at == "reason" else self.typed).press(key, character)
        return Step.STAY

    def paste(self, text: str) -> Step:
        """Take pasted text for the reason only: the words are to be typed."""
        if self.at == "reason" and not self.sending:
            self.reason.paste(text)
        return Step.STAY

    def draw(self, y: int, width: int) -> Iterable[Run]:
        """Return the runs of one line."""
        pausing = self.verb is Verb.PAUSE_ALL
        what = f"{'PAUSE' if pausing else 'RESUME'} ALL {figures.many(self.sources, 'source').upper()}"
        if y == 0:
            return title_line(f"KILL SWITCH  {what}", width, self.state)
        if y == 1:
            jobs = figures.many(self.outcome.moved_jobs, "job") if self.outcome is not None else "queued jobs"
            stops = f"fetching stops, held: {jobs}; readers keep the last values"
            return ((f" {stops if pausing else f'fetching starts, held until now: {jobs}'}", ""),)
        if y in (2, 3):
            entry, name = (self.typed, "typed") if y == 2 else (self.reason, "reason")
            label = f'Type "{self.word}"' if y == 2 else "Reason"
            live = self.at == name
            after = ("  ok" if self.confirmed else "") if y == 2 else f"  down picks: {' / '.join(PICKS)}"
            ink = "bold" if live else "faint"
            return (((">" if live else " ") + f"{label:<18}", ink), *entry.draw(14 if y == 2 else 30, live), (after, "faint"))
        if self.refused:
            return refusal(self.refused, width)
        words = " Enter does it" if self.ready else " Enter is off until words and reason are given"
        return ((words, "bold" if self.ready else "faint"), ("     Esc leaves, nothing done", "faint"))
