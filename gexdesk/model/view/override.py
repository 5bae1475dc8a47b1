"""What operators and schedules have set in the guidelines' place."""

from msgspec import Struct


class OverrideView(Struct, frozen=True):
    """Show one override in force.

    Attributes:
        kind: ``source``, ``symbol`` or ``job``.
        words: Its level, e.g. ``at least HIGH``.
        author: An operator, or ``schedule`` and its name.
        until: None has no end.
        revision: What a lever on the target names as seen.
    """

    kind: str
    target: str
    words: str
    author: str
    reason: str
    since: float
    until: float | None
    revision: int


class ScheduleView(Struct, frozen=True):
    """Show one schedule: the occurrence that is on, else the next one.

    Attributes:
        kind: ``source`` or ``symbol``.
        words: Its level, e.g. ``CRITICAL`` or ``at least HIGH``.
        arms_at, ends_at: None where no further day is named.
        in_force: It governs its target now; an operator's override of the same target goes before.
        skipped: An operator ended this occurrence early.
    """

    name: str
    kind: str
    target: str
    words: str
    reason: str
    arms_at: float | None
    ends_at: float | None
    in_force: bool
    skipped: bool
