"""What an operator asks the engine to do, as one value; and what came of it."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from gexdesk.model.level import Level

LEVER_LIMIT_S = 4.0
"""How long whoever sends a lever waits for it; after that the engine refuses it."""


class Verb(StrEnum):
    """Name the levers. ``promote`` and ``demote`` move one level; ``override`` names the level.

    ``apply`` and ``rollback`` change the guidelines; ``failover`` serves a symbol from another source; ``release`` and ``refuse``
    settle a quarantined snapshot; ``backfill`` fills a gap; ``cancel`` ends a queued job; ``retry`` and ``discard`` settle a dead
    letter; ``take``, ``snooze``, ``mute``, ``note``, ``resolve`` and ``see`` act on an incident, ``report`` opens one by hand;
    ``hand_over`` takes the shift;
    ``undo`` takes the operator's own last lever back.
    """

    PROMOTE = "promote"
    DEMOTE = "demote"
    OVERRIDE = "override"
    CLEAR = "clear"
    PAUSE = "pause"
    RESUME = "resume"
    PAUSE_ALL = "pause_all"
    RESUME_ALL = "resume_all"
    APPLY = "apply"
    ROLLBACK = "rollback"
    FAILOVER = "failover"
    RELEASE = "release"
    REFUSE = "refuse"
    BACKFILL = "backfill"
    CANCEL = "cancel"
    RETRY = "retry"
    DISCARD = "discard"
    TAKE = "take"
    SNOOZE = "snooze"
    MUTE = "mute"
    NOTE = "note"
    RESOLVE = "resolve"
    SEE = "see"
    REPORT = "report"
    HAND_OVER = "hand_over"
    UNDO = "undo"

    @property
    def needs_reason(self) -> bool:
        """Say whether it is refused without a reason: all but what hides and changes nothing."""
        return self not in (Verb.TAKE, Verb.NOTE, Verb.SEE, Verb.REPORT, Verb.HAND_OVER)


class Lever(Struct, frozen=True):
    """Ask for one change, with a reason.

    Attributes:
        target: Name, id or number of what it acts on, as ``target_kind`` says; empty for the kill switch, undo and hand-over.
        target_kind: ``source``, ``vendor``, ``symbol``, ``job``, ``dead``, ``incident``, ``gap``, ``quarantine`` or ``guidelines``.
        to: The source to fail over to (empty: the standby), the version to roll back to.
        text: What is handed in: the rule file to apply, the note to an incident, what a reported one is about.
        forced: Do it although it is locked now (guidelines in locked hours); said so in the audit.
        level: The level to set. ``override`` needs it; with ``promote`` and ``demote`` it is the one the operator was shown, so
            that what is done is what was agreed to, even where the source's decided level moved meanwhile.
        for_s: How long a level stands, an incident is snoozed or a maintenance window lasts; None has no end, 0 ends a snooze
            or a window.
        reason: Required where ``Verb.needs_reason``; goes to the audit.
        actor: Who asks; the engine replaces it by who the kernel or the key says.
        seen_revision: The target's revision the operator was looking at; when it has changed, the lever is refused.
        dry_run: Only say what would happen.
        engine: Whose incident, held case or gap it is, of the engines of a fleet; empty is the one that is asked.
        together: The same word on each lever of one act on several targets: undo takes all of them back. Empty for an act on one.
        not_after: When whoever sent it stopped waiting and was told that nothing was done: the engine refuses it later. By the
            engine's clock, which the sender's need not agree with; None lets the client find out.
    """

    verb: Verb
    target: str
    reason: str
    target_kind: str = "source"
    level: Level | None = None
    for_s: float | None = None
    actor: str = ""
    seen_revision: int | None = None
    dry_run: bool = False
    not_after: float | None = None
    to: str = ""
    text: str = ""
    forced: bool = False
    together: str = ""
    engine: str = ""


class LeverOutcome(Struct, frozen=True):
    """Say what a lever did, or would do.

    Attributes:
        done: False for a dry run.
        before, after: The target's level or state in words, e.g. ``HIGH`` -> ``CRITICAL jm until 09:56``.
        moved_jobs: Queued jobs that changed level or were held or released.
        helps, costs: One line each on the effect; may be empty.
        revision: The target's revision afterwards.
        undoes: Of an undo: the act that it takes back, e.g. ``pause of spx-chain``.
    """

    done: bool
    message: str
    before: str
    after: str
    moved_jobs: int
    revision: int
    helps: str = ""
    costs: str = ""
    undoes: str = ""


def together(done: Sequence[tuple[str, LeverOutcome]], refused: Sequence[str]) -> LeverOutcome:
    """Sum up what levers on several targets did, or would do: what is the same once, what differs by name."""

    def said(of: Callable[[LeverOutcome], str]) -> str:
        texts = dict.fromkeys(filter(None, (of(outcome) for _, outcome in done)))
        return next(iter(texts), "") if len(texts) < 2 else "; ".join(f"{name} {of(outcome)}" for name, outcome in done)

    def states(of: Callable[[LeverOutcome], str]) -> str:
        return ", ".join(dict.fromkeys(of(outcome) for _, outcome in done))

    count = f"{len(done)} of {len(done) + len(refused)} done" if refused else f"{len(done)} done"
    return LeverOutcome(
        done=not refused and all(outcome.done for _, outcome in done),
        message=f"{count}: {' '.join(name for name, _ in done)}{'; not ' if refused else ''}{'; '.join(refused)}",
        before=states(lambda outcome: outcome.before),
        after=states(lambda outcome: outcome.after),
        moved_jobs=sum(outcome.moved_jobs for _, outcome in done),
        revision=0,
        helps=said(lambda outcome: outcome.helps),
        costs="; ".join(filter(None, (f"refused {'; '.join(refused)}" if refused else "", said(lambda outcome: outcome.costs)))),
    )
