"""The kinds of incidents: what sort of thing is wrong. Each has a section in ``gexdesk/runbook.md``, held by a test."""

from enum import StrEnum


class Kind(StrEnum):
    """Name a sort of incident; the word is its heading in the runbook and ``kind`` in SQL."""

    PROMISE_MISSED = "promise_missed"
    PROMISE_AT_RISK = "promise_at_risk"
    BACKLOG_GROWING = "backlog_growing"
    ADMISSION_BROKEN = "admission_broken"
    SHEDDING = "shedding"
    FEED_FAILING = "feed_failing"
    FEED_SILENT = "feed_silent"
    FEED_REPEATING = "feed_repeating"
    BREAKER_OPEN = "breaker_open"
    SEQUENCE_GAP = "sequence_gap"
    SOURCE_UNASSIGNED = "source_unassigned"
    SYMBOL_FROZEN = "symbol_frozen"
    SYMBOL_SILENT = "symbol_silent"
    SYMBOL_MISSING = "symbol_missing"
    QUARANTINE = "quarantine"
    DISAGREE = "disagree"
    DEAD_LETTERS = "dead_letters"
    STORE_LAG = "store_lag"
    DISK_LOW = "disk_low"
    RULES_INVALID = "rules_invalid"
    REDIS_AWAY = "redis_away"
    ENGINE_SILENT = "engine_silent"
    CLOCK_JUMP = "clock_jump"
    STOOD_STILL = "stood_still"
    UNCLEAN_START = "unclean_start"
    KILL_SWITCH = "kill_switch"
    REPORTED = "reported"

    @property
    def close_after_s(self) -> float:
        """Return how long the cause must be gone before the incident closes itself."""
        return _CLOSE_AFTER_S.get(self, 5.0)


_CLOSE_AFTER_S = {
    # What comes and goes with the load, or with a vendor's good moments, must be gone for longer before it is over.
    Kind.PROMISE_AT_RISK: 15.0,
    Kind.BACKLOG_GROWING: 15.0,
    Kind.SHEDDING: 15.0,
    Kind.SYMBOL_FROZEN: 10.0,
    Kind.SYMBOL_SILENT: 10.0,
    Kind.DISAGREE: 30.0,
    Kind.SEQUENCE_GAP: 10.0,
    Kind.STORE_LAG: 10.0,
    Kind.DISK_LOW: 60.0,
    Kind.REDIS_AWAY: 10.0,
    Kind.KILL_SWITCH: 0.0,
}

OF_THE_FLEET = frozenset({
    Kind.KILL_SWITCH, Kind.BACKLOG_GROWING, Kind.PROMISE_AT_RISK, Kind.ENGINE_SILENT, Kind.REDIS_AWAY, Kind.RULES_INVALID,
    Kind.SOURCE_UNASSIGNED, Kind.SYMBOL_MISSING,
})  # fmt: skip
"""Kinds that every engine of a fleet finds alike: what they are about is shared."""
