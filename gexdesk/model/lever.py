"""What an operator asks the engine to do, as one value; and what came of it."""

from enum import StrEnum

from msgspec import Struct

from gexdesk.model.level import Level


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
        not_after: When whoever sent it stopped waiting and was told that nothing was done: the engine refuses it later.
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


class LeverOutcome(Struct, frozen=True):
    """Say what a lever did, or would do.

    Attributes:
        done: False for a dry run.
        before, after: The target's level or state in words, e.g. ``HIGH`` -> ``CRITICAL jm until 09:56``.
        moved_jobs: Queued jobs that changed level or were held or released.
        helps, costs: One line each on the effect; may be empty.
        revision: The target's revision afterwards.
    """

    done: bool
    message: str
    before: str
    after: str
    moved_jobs: int
    revision: int
    helps: str = ""
    costs: str = ""
