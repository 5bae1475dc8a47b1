"""Ask for one lever on one target: which, until when, why - and show what it would do before it is sent."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import uuid4

from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.view.desk import DeskView
from gexdesk.tui.forms.aim import LEVEL_VERBS, Aim
from gexdesk.tui.forms.base import NOTHING_SENT, PICKS, SENDING, Entry, Step
from gexdesk.tui.forms.lever_lines import LeverLines
from gexdesk.tui.ink import Run

TIMED_VERBS = (*LEVEL_VERBS, Verb.SNOOZE, Verb.MUTE)
SPANS_S = {"15 m": 900.0, "1 h": 3600.0, "4 h": 14_400.0}


class LeverForm:
    """Hold one lever while it is asked for. Its target and the revision seen are fixed when it is made.

    Args:
        verb: Any lever with one target.
        aim: The target as the operator saw it at the keypress.
        now: Tells the engine's time.
        session_ends_at: When the regular session that is on, or the next one, closes; UTC seconds.
        operator: Who asks.
        others: Further targets, done one after the other once the first is agreed to; each to the first of its own choices.
        note: Why rows that were marked as well are left out.
    """

    def __init__(
        self, verb: Verb, aim: Aim, *, now: Callable[[], float], session_ends_at: float, operator: str,
        others: Sequence[Aim] = (), note: str = "",
    ) -> None:  # fmt: skip
        self.verb = verb
        self.aims = tuple(one if one.to else replace(one, to=next(iter(one.choices), "")) for one in (aim, *others))
        self.several = bool(others)
        self.named = bool(others or note)
        """A line of its own names the targets, and what is left out."""
        self.act = uuid4().hex if others else ""
        self.note = note
        self.now = now
        self.operator = operator
        self.reason = Entry()
        # An override starts one level up, too: the present one is the one it is not for.
        self.level = _level(verb, aim.level or Level.MEDIUM)
        last = ("no end", None) if verb in LEVEL_VERBS else ("4 h", now() + SPANS_S["4 h"])
        self.untils: list[tuple[str, float | None]] = [
            ("15 m", now() + SPANS_S["15 m"]), ("1 h", now() + SPANS_S["1 h"]), ("end of session", session_ends_at), last
        ]  # fmt: skip
        self.until = 0
        first = ["level"] if verb is Verb.OVERRIDE else ["to"] if aim.choices else []
        self.fields = [*first, *(["until"] if verb in TIMED_VERBS else []), "reason"]
        self.at = "level" if verb is Verb.OVERRIDE else "to" if len(aim.choices) > 1 and not others else "reason"
        self.outcome: LeverOutcome | None = None
        self.refused = ""
        self.barred = False
        self.asking = False
        self.agreed = False
        self.sending = False
        self.state = NOTHING_SENT
        self.changed = ""
        self.told = ""
        """What had changed when the operator was asked again."""
        self._seen: DeskView | None = None
        self._given: Level | None = None
        self._lines = LeverLines(self)
        self._pick = -1

    # ------------------------------------------------------------------ what is asked
    @property
    def aim(self) -> Aim:
        """Return the target; of several the first."""
        return self.aims[0]

    def rows(self, width: int) -> int:
        """Return how many lines it takes at a width: more once the engine has said what does not fit into one."""
        return self._lines.rows(width)

    def levers(self, dry_run: bool) -> list[Lever]:
        """Return the levers as they stand, one a target."""
        return [self._lever(aim, dry_run) for aim in self.aims]

    def _lever(self, aim: Aim, dry_run: bool) -> Lever:
        word, end = self.untils[self.until]
        length = SPANS_S.get(word) or (None if end is None else max(60.0, end - self.now()))
        return Lever(
            verb=self.verb,
            target=aim.name,
            target_kind=aim.kind,
            reason=self.reason.text.strip() or ("dry run" if dry_run else ""),
            level=self._agreed(aim),
            for_s=length if self.verb in TIMED_VERBS else None,
            actor=self.operator,
            seen_revision=aim.revision,
            to=aim.to,
            text=aim.text,
            dry_run=dry_run,
            together=self.act,
            engine=aim.engine,
        )

    def _agreed(self, aim: Aim) -> Level | None:
        """Return the level the operator is shown; None where the verb sets none, or cannot move this one further."""
        if self.verb is Verb.OVERRIDE:
            return self.level
        if self.verb not in LEVEL_VERBS:
            return None
        to = self._given or _level(self.verb, aim.level or Level.MEDIUM)
        return to if to is not aim.level else None

    @property
    def ready(self) -> bool:
        """Tell whether Enter would send it: only what was shown can be agreed to."""
        return self.reasoned and self.outcome is not None and not self.asking and not self._unchosen

    @property
    def _unchosen(self) -> bool:
        """Tell whether what it is to be done with went away, and nothing else was chosen yet."""
        return bool(self.aim.choices) and not self.aim.to

    @property
    def reasoned(self) -> bool:
        """Tell whether nothing but the engine's word is missing."""
        return bool(self.reason.text.strip()) and not self.sending and not self.barred

    def choose(self, level: Level) -> None:
        """Begin with a level, and with the reason."""
        self.level, self.at, self._given = level, "reason", level

    def ask(self) -> None:
        """Note that the engine is asked what it would do; what it said of something else is forgotten."""
        self.asking, self.outcome, self.refused, self.barred = True, None, "", False

    def answer(self, outcome: LeverOutcome) -> None:
        """Take what a dry run says; nothing where what it was asked about is no longer to be had."""
        if self._unchosen:
            return
        self.outcome, self.barred, self.asking = outcome, False, False
        self.refused = ""

    def send(self) -> None:
        """Note that it is on its way."""
        self.sending, self.agreed, self.refused, self.state = True, False, "", SENDING

    def refuse(self, message: str, for_good: bool, state: str = NOTHING_SENT) -> None:
        """Take a refusal; ``for_good`` where sending it again as it stands cannot help."""
        self.refused, self.barred, self.sending, self.state = message, for_good, False, state
        self.asking = self.agreed = False

    def compare(self, view: DeskView) -> bool:
        """Notice that the target was changed meanwhile; return whether that is news."""
        self._seen = view
        words = next(filter(None, (self._changed(aim, view) for aim in self.aims)), "")
        news, self.changed = words != self.changed, words
        return news

    def _changed(self, aim: Aim, view: DeskView) -> str:
        words = aim.changed(view)
        return f"{aim.name} {words}" if words and len(self.aims) > 1 else words

    def _aim_again(self) -> Step:
        """Take the targets as they stand now and ask anew: what was changed meanwhile has to be agreed to."""
        if self._seen is None:
            return Step.ASK
        self.told = self.changed
        pairs = [(aim, aim.again(self._seen) or aim) for aim in self.aims]
        lost = [_lost(was, now) for was, now in pairs if was.to and not now.to]
        left = tuple(now for was, now in pairs if now.to or not was.to)
        step = Step.ASK if left else Step.STAY
        if left:
            self.aims = left
            self.note = "; ".join(filter(None, (self.note, *lost)))
        elif not self.several and pairs[0][1].choices:
            self.aims, self.at, self.outcome = (pairs[0][1],), "to", None
            self.refuse(f"{lost[0]}: choose another", for_good=False)
        else:
            self.outcome = None
            self.refuse("; ".join(lost) + ("" if self.several else "; it has no other source"), for_good=True)
        self.compare(self._seen)
        return step

    # ------------------------------------------------------------------ keys
    def press(self, key: str, character: str | None) -> Step:
        """Take one key."""
        if self.sending:
            return Step.STAY
        agreed, self.agreed = self.agreed, False
        if key == "escape":
            return Step.LEAVE
        if key == "enter":
            if self.at == "reason":
                return self._enter(agreed)
            return self._go(1)
        if key in ("tab", "shift+tab"):
            return self._go(1 if key == "tab" else -1)
        if key in ("left", "right"):
            return self._turn(self.at if self.at != "reason" else "until", 1 if key == "right" else -1)
        if self.at != "reason":
            if key in ("down", "up"):
                return self._go(1 if key == "down" else -1)
            return self._digit(int(character)) if character and character in "123456789" else Step.STAY
        if key in ("down", "up"):
            self._pick = (self._pick + (1 if key == "down" else -1)) % len(PICKS) if self._pick >= 0 else 0
            self.reason.text = PICKS[self._pick]
        else:
            self.reason.press(key, character)
        return Step.STAY

    def paste(self, text: str) -> Step:
        """Put pasted text into the reason."""
        if self.at == "reason" and not self.sending:
            self.reason.paste(text)
        return Step.STAY

    def _enter(self, agreed: bool) -> Step:
        """Send what was shown; wait where the engine is still asked; ask again where it did not say, or it changed meanwhile."""
        if self.changed and self.reason.text.strip():
            return self._aim_again()
        if self._unchosen:
            self.at = "to"
            return Step.STAY
        if self.ready:
            return Step.SEND
        if not self.reasoned:
            return Step.STAY
        if self.asking:
            self.agreed = True
            return Step.STAY
        return Step.ASK

    def _go(self, by: int) -> Step:
        self.at = self.fields[(self.fields.index(self.at) + by) % len(self.fields)]
        return Step.STAY

    def _turn(self, field: str, by: int) -> Step:
        if field not in self.fields or (field == "to" and self.several):
            return Step.STAY
        if field == "level":
            self.level = LEVELS[max(0, min(3, self.level.rank + by))]
        elif field == "to":
            at = self.aim.choices.index(self.aim.to) + by if self.aim.to else 0
            self._choose_to(max(0, min(len(self.aim.choices) - 1, at)))
        else:
            self.until = max(0, min(len(self.untils) - 1, self.until + by))
        return Step.ASK

    def _digit(self, digit: int) -> Step:
        if self.at == "level" and digit <= len(LEVELS):
            self.level = LEVELS[digit - 1]
        elif self.at == "to" and not self.several and digit <= len(self.aim.choices):
            self._choose_to(digit - 1)
        elif self.at == "until" and digit <= len(self.untils):
            self.until = digit - 1
        else:
            return Step.STAY
        self.at = "reason"
        return Step.ASK

    def _choose_to(self, at: int) -> None:
        self.aims = (replace(self.aim, to=self.aim.choices[at]),)

    def draw(self, y: int, width: int) -> Iterable[Run]:
        """Return the runs of one line."""
        return self._lines.draw(y, width)


def _lost(was: Aim, now: Aim) -> str:
    """Say why what was chosen can no longer be had."""
    return f"{was.to} serves {was.name} already" if now.state == was.to else f"{was.to} is no source of {was.name} any more"


def _level(verb: Verb, seen: Level) -> Level:
    """Return the level a lever sets, fixed by what the operator saw at the keypress."""
    return seen.lowered if verb is Verb.DEMOTE else seen.raised
