"""What an operator asks the engine to do, as one value; and what came of it."""

from enum import StrEnum

from msgspec import Struct

from gexdesk.model.level import Level


class Verb(StrEnum):
    """Name the levers. ``promote`` and ``demote`` move one level; ``override`` names the level."""

    PROMOTE = "promote"
    DEMOTE = "demote"
    OVERRIDE = "override"
    CLEAR = "clear"
    PAUSE = "pause"
    RESUME = "resume"
    PAUSE_ALL = "pause_all"
    RESUME_ALL = "resume_all"


class Lever(Struct, frozen=True):
    """Ask for one change, with a reason.

    Attributes:
        target: Source name, or job id where ``target_kind`` is ``job``; empty for the kill switch.
        level: The level to set. ``override`` needs it; with ``promote`` and ``demote`` it is the one the operator was shown, so
            that what is done is what was agreed to, even where the source's decided level moved meanwhile.
        for_s: How long a level stands; None has no end.
        reason: Required; goes to the audit.
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
