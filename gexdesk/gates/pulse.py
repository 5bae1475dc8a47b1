"""Tell from when messages came and what was in them whether one source of a symbol is alive: frozen, silent, repeating."""

from collections.abc import Sequence
from enum import StrEnum
from statistics import median

from msgspec import Struct

INTERVALS = 3.0
"""So many intervals without what is due are a fault."""

FROZEN_FAST_S = 12.0
"""A feed that brings something every three seconds or faster is frozen after this long with the same numbers."""

SAME_AT_LEAST = 4
"""So many snapshots with the same numbers, or they say nothing: the first, and one in each of three intervals."""

LEARNED_FROM = 4


class Beat(Struct, frozen=True):
    """Hold what is known of one source of a symbol. Times are UTC seconds of receipt, None before the first.

    Attributes:
        due_s: Interval of its source; None where nobody knows one: its silence means nothing then.
        gaps: Seconds between the last snapshots, oldest first.
        last_at: Of its last snapshot.
        changed_at: Of the first snapshot with its present numbers.
        same: How many snapshots in a row have those numbers.
        heard_at: When its source last answered at all, with or without something new.
    """

    due_s: float | None = None
    gaps: tuple[float, ...] = ()
    last_at: float | None = None
    changed_at: float | None = None
    same: int = 0
    heard_at: float | None = None


class Pulse(StrEnum):
    """Name how one source of a symbol does."""

    OK = "ok"
    WAITING = "waiting"
    CLOSED = "closed"
    FROZEN = "FROZEN"
    SILENT = "SILENT"
    REPEATS = "REPEATS"


def interval_s(beat: Beat) -> float | None:
    """Return how far apart its snapshots are expected: as configured or as they came, whichever is longer; None if unknown."""
    came = median(beat.gaps) if len(beat.gaps) >= LEARNED_FROM else None
    known = [one for one in (beat.due_s, came) if one is not None]
    return max(known) if known else None


def pulse(beat: Beat, now: float, open_since: float | None) -> tuple[Pulse, str]:
    """Judge it, with one line why.

    Args:
        open_since: Since when it has had something to say, its delay included; None while its market is closed, when nothing
            that it does or does not do means anything.
    """
    if open_since is None:
        return Pulse.CLOSED, ""
    every_s = interval_s(beat)
    if beat.last_at is None:
        # What never came is somebody's who watches what is expected; here nothing is known of its rhythm.
        return Pulse.WAITING, "nothing came yet"
    if every_s is None:
        return Pulse.OK, ""
    quiet_s = now - living_until(Pulse.SILENT, beat, open_since)
    if beat.due_s is not None and quiet_s > INTERVALS * every_s:
        answers = beat.heard_at is not None and now - beat.heard_at <= INTERVALS * beat.due_s
        if answers:
            return Pulse.REPEATS, f"answers, but with nothing new for {quiet_s:.0f} s; due each {every_s:.3g} s"
        return Pulse.SILENT, f"silent for {quiet_s:.0f} s; due each {every_s:.3g} s"
    if beat.changed_at is None or beat.same < SAME_AT_LEAST:
        return Pulse.OK, ""
    still_s = now - living_until(Pulse.FROZEN, beat, open_since)
    if still_s >= max(FROZEN_FAST_S, INTERVALS * every_s):
        return Pulse.FROZEN, f"new stamps, the same numbers for {still_s:.0f} s: {beat.same} snapshots"
    return Pulse.OK, ""


def living_until(found: Pulse, beat: Beat, open_since: float) -> float:
    """Return until when it gave what was new: its last change where it is frozen, else its last snapshot, or the opening."""
    last_at = beat.changed_at if found is Pulse.FROZEN else beat.last_at
    return open_since if last_at is None else max(last_at, open_since)


def learned(gaps: Sequence[float], gap_s: float, kept: int = 20) -> tuple[float, ...]:
    """Return the gaps with one more, the oldest dropped."""
    return (*gaps[-kept + 1 :], gap_s)
