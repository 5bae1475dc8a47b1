"""One source: how it stands, what is set on it, what it delivered."""

from msgspec import Struct

from gexdesk.model.level import Level


class SourceView(Struct, frozen=True):
    """Show one source.

    Attributes:
        state: ``live``, ``late``, ``failing``, ``paused``, ``stopped`` (by the kill switch), ``unassigned``, ``waiting`` (nothing
            yet), ``quiet`` (nothing comes, and the market is closed), ``ended``, or ``elsewhere`` (another engine runs it and
            has not told of it yet).
        standing: The configured level word: one of the four, ``auto`` or empty (unassigned).
        level: The level in force now: override, else standing, else last decision.
        why: ``override``, ``standing`` or ``decided``.
        override: The override in force in words, e.g. ``at least HIGH``; empty without one.
        override_by, override_reason, override_until: Who, why and until when; empty or None without one.
        paused_by, paused_reason: Of the pause in force.
        queued: Its jobs waiting now, paused ones included.
        last_at: Its last request that succeeded, whether or not it brought anything new.
        due_s: Expected interval between payloads; None where nobody knows.
        delay_s: Known delay of its quotes.
        rate_per_min: Payloads over the last minute.
        errors_5m: Failed fetches and refused payloads in the last five minutes.
        requests, successes: Since the engine started.
        last_error: One line; empty when the last request succeeded.
        last_refusal: Why its last dead letter was refused; empty without one.
        revision: Goes up with each lever; a lever names the one it saw.
        repeats: Payloads of ``received`` that were the one before again, byte for byte; they make no job.
        reorders: Snapshots that came after a newer one of their symbol.
        missed, last_missed: Messages that never came by the sender's own count, and where the last were missing.
        breaker: ``closed``, ``open`` (left alone until ``probe_at``) or ``half_open`` (one request asks whether it is back).
        response_s: Moving average of a successful request; None before the first.
        reliability: Successful over total requests of its lifetime; 1 before the first. Likewise ``_today`` (New York's), ``_5m``.
        hours: ``regular``, ``extended`` or ``always``: when it is expected to send; its silence at other times means nothing.
        base_url: Where it gets its data, without key and query; a path for folders and replays.
        runs_on: The engine of the fleet that fetches from it, as it tells of it; empty where that is this one.
        historical: It brings history, which is stored and never served.
    """

    name: str
    kind: str
    carries: str
    state: str
    standing: str
    level: Level | None
    why: str
    override: str
    override_by: str
    override_reason: str
    override_until: float | None
    paused_by: str
    paused_reason: str
    queued: int
    last_at: float | None
    due_s: float | None
    delay_s: float
    rate_per_min: int
    errors_5m: int
    received: int
    completed: int
    dead: int
    requests: int
    successes: int
    last_error: str
    last_refusal: str
    revision: int
    repeats: int = 0
    reorders: int = 0
    missed: int = 0
    last_missed: str = ""
    breaker: str = "closed"
    probe_at: float | None = None
    response_s: float | None = None
    reliability: float = 1.0
    reliability_today: float = 1.0
    reliability_5m: float = 1.0
    hours: str = "always"
    base_url: str = ""
    runs_on: str = ""
    historical: bool = False
