"""The lines of a lever's dialog: what it acts on and becomes of it, what is asked, what it helps and costs, what a key does now."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gexdesk.model.level import LEVELS
from gexdesk.model.lever import Verb
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import LEVEL_VERBS
from gexdesk.tui.forms.base import PICKS, refusal, title_line
from gexdesk.tui.ink import Run, fit, fit_middle, width_of, wrapped

if TYPE_CHECKING:  # a form has its lines
    from gexdesk.tui.forms.lever import LeverForm


MOST_LINES = 3
"""What a lever helps takes so many lines at most, and so does what it costs."""


class LeverLines:
    """Draw a form as it stands.

    Args:
        form: What is drawn; nothing of it is changed.
    """

    def __init__(self, form: "LeverForm") -> None:
        self._form = form
        self._taken: dict[tuple[str, int], int] = {}

    def rows(self, width: int) -> int:
        """Return how many lines there are."""
        return len(self._all(width))

    def draw(self, y: int, width: int) -> Iterable[Run]:
        """Return the runs of one line."""
        lines = self._all(width)
        return lines[y] if y < len(lines) else ()

    def _all(self, width: int) -> list[list[Run]]:
        lines = [self._title(width)]
        lines += [self._targets(width)] if self._form.named else []
        lines += [self._levels(width)] if "level" in self._form.fields else []
        lines += [self._tos(width)] if "to" in self._form.fields else []
        lines += [self._untils(width)] if "until" in self._form.fields else []
        return [*lines, *self._helps(width), *self._costs(width), self._reason(width), self._hint(width)]

    def _told(self, name: str, words: str, width: int) -> list[list[Run]]:
        """Return what the engine says, over as many lines as it takes; never fewer than before, so that what is below stays."""
        lines = wrapped(words, width, MOST_LINES)
        most = self._taken[name, width] = max(len(lines), self._taken.get((name, width), 1))
        lines += [""] * (most - len(lines))
        return [[(fit(f" {name}" if y == 0 else "", 9), "faint"), (line, "")] for y, line in enumerate(lines)]

    def _title(self, width: int) -> list[Run]:
        change = self._change()
        room = width - len(self._form.state) - 6
        about = self._form.aim.words if len(self._form.aims) == 1 else figures.many(len(self._form.aims), self._form.aim.kind)
        about = (self._form.outcome and self._form.outcome.undoes) or about
        words = f"{self._form.verb.value.upper()} {about}  "
        if width_of(words + change) > room:
            words = f"{self._form.verb.value.upper()} {about.partition(' (')[0]}  "
        # What it acts on is never cut for what becomes of it.
        return title_line(words + fit_middle(change, max(12, room - width_of(words))), width, self._form.state)

    def _targets(self, width: int) -> list[Run]:
        names = " ".join(aim.name for aim in self._form.aims)
        note = f"   left out: {self._form.note}" if self._form.note else ""
        note = fit(note, min(width_of(note), width // 2))
        return [(" ON      ", "faint"), (fit_middle(names, width - 9 - width_of(note)), "bold"), (note, "eye")]

    def _change(self) -> str:
        if self._form.outcome is not None:
            return f"{self._form.outcome.before} -> {self._form.outcome.after}"
        before = self._form.aim.level
        now = str(before) if before and self._form.verb in (*LEVEL_VERBS, Verb.CLEAR) else self._form.aim.state or "unassigned"
        after = {
            Verb.PROMOTE: f"at least {before.raised}" if before else "?",
            Verb.DEMOTE: f"at most {before.lowered}" if before else "?",
            Verb.OVERRIDE: str(self._form.level),
            Verb.CLEAR: "standing level or the guidelines' own",
            Verb.PAUSE: "paused",
            Verb.RESUME: "running",
            Verb.FAILOVER: self._form.aim.to or ("?" if self._form.aim.choices else "no other source"),
            Verb.SNOOZE: "snoozed, unless it gets worse",
            Verb.MUTE: "shown, paging nobody",
            Verb.RESOLVE: "resolved",
            Verb.CANCEL: "a dead letter, to be had back",
            Verb.RETRY: "queued again at its place",
            Verb.DISCARD: "its bytes gone for good",
            Verb.RELEASE: "published, if still the newest",
            Verb.REFUSE: "never published",
        }.get(self._form.verb, "")
        return f"{now} -> {after}" if after else self._form.aim.state

    def _field(self, name: str, word: str) -> list[Run]:
        live = self._form.at == name
        return [((">" if live else " ") + fit(word, 8), "bold" if live else "faint")]

    def _choices(self, words: list[str], chosen: int | None) -> list[Run]:
        runs: list[Run] = []
        for i, word in enumerate(words):
            runs.append((f"[{word}]" if i == chosen else f" {word} ", "bold" if i == chosen else ""))
        return runs

    def _levels(self, width: int) -> list[Run]:
        words = [f"{i} {level}" for i, level in enumerate(LEVELS, 1)]
        return [*self._field("level", "Level"), *self._choices(words, self._form.level.rank), ("   digit, or left right", "faint")]

    def _tos(self, width: int) -> list[Run]:
        if self._form.several:
            each = " ".join(f"{aim.name}:{aim.to}" for aim in self._form.aims)
            return [*self._field("to", "To"), (fit_middle(each, width - 10), "bold")]
        words = [f"{i} {choice}" for i, choice in enumerate(self._form.aim.choices, 1)]
        chosen = self._form.aim.choices.index(self._form.aim.to) if self._form.aim.to else None
        return [*self._field("to", "To"), *self._choices(words, chosen), ("   digit, or left right", "faint")]

    def _untils(self, width: int) -> list[Run]:
        end = self._form.untils[self._form.until][1]
        ends = "stands until cleared" if end is None else f"ends {figures.until(end, self._form.now())}"
        return [
            *self._field("until", "Until"),
            *self._choices([word for word, _ in self._form.untils], self._form.until),
            (f"   {ends}", ""),
            ("   left right", "faint"),
        ]

    def _helps(self, width: int) -> list[list[Run]]:
        words = "asking the engine ..." if self._form.asking else ""
        if self._form.outcome is not None:
            words = self._form.outcome.helps or "nothing"
        names = dict.fromkeys(reader for aim in self._form.aims for reader in aim.readers)
        readers = f"   readers {' '.join(names)}" if names else ""
        readers = fit(readers, min(width_of(readers), width // 2))
        room = width - 9 - width_of(readers)
        (label, (first, ink)), *rest = self._told("HELPS", words, room)
        return [[label, (fit(first, room), ink), (readers, "bold")], *rest]

    def _costs(self, width: int) -> list[list[Run]]:
        words = (self._form.outcome.costs or "nothing") if self._form.outcome is not None else ""
        return self._told("COSTS", words, width - 9)

    def _reason(self, width: int) -> list[Run]:
        picks = f"  down picks: {' / '.join(PICKS)}"
        room = max(24, min(60, width - 9 - len(picks)))
        live = self._form.at == "reason" and not self._form.sending
        return [*self._field("reason", "Reason"), *self._form.reason.draw(room, live), (picks, "faint")]

    def _hint(self, width: int) -> list[Run]:
        if self._form.refused:
            return refusal(self._form.refused, width)
        if self._form.sending:
            return [(" sent to the engine, waiting for its answer", "bold")]
        if self._form.changed:
            return refusal(f"{self._form.changed}; nothing sent, Enter looks again", width)
        if self._form.told and self._form.ready:
            return refusal(f"{self._form.told.replace(': now', ', now')}: Enter does it all the same", width)
        if self._form.at != "reason":
            return [(" Enter or Tab goes on", "faint"), ("     Esc leaves, nothing done", "faint")]
        words = " Enter does it" if self._form.ready else " Enter is off until a reason is given"
        if self._form.reasoned and not self._form.ready:
            words = " Enter is off until the engine says what this does"
        if self._form.agreed:
            words = " done as soon as the engine says what this does"
        return [(words, "bold" if self._form.ready or self._form.agreed else "faint"), ("     Esc leaves, nothing done", "faint")]
