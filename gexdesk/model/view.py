"""A frozen picture of the running desk: all that a screen draws. Texts in it are printable already.

Ages are not in it: a screen computes them from ``*_at`` and its estimate of the engine's clock, so that they go on
counting between two views.
"""

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.model.level import Level

HISTOGRAM_EDGES_S: tuple[float, ...] = tuple(0.001 * 10 ** (i / 4) for i in range(27))
"""Upper edges of a latency histogram's drawn buckets but the last: 1 ms to 56 min, four a decade; one more holds the rest."""

TREND_SECONDS = 120
"""A depth trend holds one sample a second over this long, oldest first."""


class LevelView(Struct, frozen=True):
    """Show one level: its queue and how its promise is kept.

    Attributes:
        depth: Waiting jobs (paused and delayed ones apart).
        trend: Depth, one sample a second, oldest first, at most ``TREND_SECONDS``.
        in_per_s, out_per_s: Over the last 10 s.
        drain_s: Seconds until empty at the present rates; None where it is not draining; 0 when empty.
        histogram: Count per bucket of ``HISTOGRAM_EDGES_S``, receipt to available, since ``DeskView.since``.
        p50_s, p95_s, p99_s, max_s, mean_s: None before the first.
        within_promise: How many of ``count`` kept the promise.
    """

    level: Level
    promise_s: float | None
    depth: int
    paused: int
    delayed: int
    processing: int
    oldest_received_at: float | None
    trend: tuple[int, ...]
    in_per_s: float
    out_per_s: float
    drain_s: float | None
    count: int
    histogram: tuple[int, ...]
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None
    mean_s: float | None
    within_promise: int


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


class SymbolView(Struct, frozen=True):
    """Show what readers have of one symbol.

    Attributes:
        served_by: Source of the live value; empty while there is none.
        level, why: Of the live value; None and empty without one, as all that belongs to it.
        as_of: Stamp of the live value.
        delay_s: Known delay of the serving source's quotes, to be added to the age.
        changed_at: When the numbers last changed; later stamps with the same numbers do not move it.
        added_s: Receipt to available of the live value: what the desk itself added.
        net_gex: USD per 1% move; None where unknown.
        check: What is worst about it, in a word: ``MISSING`` (expected, and no value), ``QUARANTINE``, ``FROZEN``, ``SILENT``,
            ``REPEATS`` (the same document again and again), ``DISAGREE``, ``PAUSED``, ``old``, ``qual 71%``, ``D15`` (delayed by
            15 minutes, and nothing else), ``flagged`` (the checks said something), ``waiting`` (nothing yet, and none is due),
            ``closed`` (nothing yet, and its market is), ``ok``.
        check_text: The same in one line, with its figures; empty where it is ok.
        expected: Somebody is to be served with it, so that no value is a fault.
        serving: Source that is to serve it; ``served_by`` follows with its next value.
        standby, standby_delay_s, standby_as_of: What ``failover`` would serve it from, and its last good stamp; empty and None
            where there is none.
        readers: Who reads it.
        flags: What the checks before publishing said of the live value, one word each.
        quarantined: Snapshots of any of its sources that are held back now.
        failed_over: Who made another source than the first one serve it, why and since when; empty while that serves.
        revision: Goes up when its serving source changes; a lever names the one it saw.
    """

    symbol: str
    served_by: str
    level: Level | None
    why: str
    as_of: float | None
    delay_s: float
    changed_at: float | None
    available_at: float | None
    added_s: float | None
    spot: float | None
    net_gex: float | None
    gross_gex: float | None
    zero_gamma: float | None
    call_wall: float | None
    put_wall: float | None
    coverage: float | None
    check: str
    check_text: str = ""
    expected: bool = False
    serving: str = ""
    standby: str = ""
    standby_delay_s: float | None = None
    standby_as_of: float | None = None
    readers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    quarantined: int = 0
    failed_over: str = ""
    revision: int = 1


class GuidelineView(Struct, frozen=True):
    """Count the wins of one guideline, and those over data that was decided at another level within a minute."""

    name: str
    level: Level
    last_minute: int
    session: int
    last_symbol: str
    last_at: float | None
    conflicts: int = 0


class LogLine(Struct, frozen=True):
    """Show one event as it happened.

    Attributes:
        sequence: Goes up by one a line, so that a screen can tell what is new.
        kind: ``decision``, ``lever``, ``dead``, ``source``, ``incident`` or ``engine``.
        grave: Whether it wants an eye.
    """

    sequence: int
    at: float
    kind: str
    text: str
    grave: bool = False


class IncidentView(Struct, frozen=True):
    """Show something an operator must look at.

    Attributes:
        number: Counted from 1 per state folder, across restarts.
        severity: 2 readers are hit, 1 worth a look.
        closed_at: None while it is open.
        do_first: The one line of advice.
        kind: Its section in the runbook, e.g. ``feed_failing``.
        owner: Who took it; empty while nobody has.
        state: ``open``, ``taken``, ``snoozed``, ``resolved`` (by hand; its cause may still be there) or ``closed`` (by itself).
        seen: An operator saw it, since it last opened or got worse; a closed one that nobody saw stays until somebody does.
        readers: Names of the readers it hits, as the configuration has them.
        snoozed_until: None where it is not snoozed, or until it gets worse.
        muted: By a maintenance window: it pages nobody.
        revision: Goes up with what operators do to it; a lever names the one it saw.
        joined: How many causes it holds, those that have gone included.
        source: The source it is about, to jump to; empty where it is about none, or about several.
        job_id: The job of the payload that caused it; empty without one.
    """

    number: int
    severity: int
    subject: str
    text: str
    opened_at: float
    closed_at: float | None
    do_first: str
    kind: str = ""
    owner: str = ""
    state: str = "open"
    seen: bool = False
    readers: tuple[str, ...] = ()
    snoozed_until: float | None = None
    muted: bool = False
    revision: int = 1
    joined: int = 1
    source: str = ""
    job_id: str = ""


class MuteView(Struct, frozen=True):
    """Show a maintenance window: what fails in it pages nobody.

    Attributes:
        target_kind: ``source``, ``vendor`` or ``symbol``.
    """

    target_kind: str
    target: str
    author: str
    reason: str
    since: float
    until: float


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


class BoundView(Struct, frozen=True):
    """Show the bound on CRITICAL: receipt to available at the worst, proven from what the desk measures of itself.

    Attributes:
        worst_s: None where nothing bounds it: more comes than its reserve can do.
        reserve_share: Of the reserved slots' last ten seconds that they worked, 0 to 1.
        why: What makes most of it, in words: why it is not better.
    """

    worst_s: float | None
    promise_s: float
    reserve_share: float
    why: str


class EngineView(Struct, frozen=True):
    """Show one engine of a fleet. Counts are of what it did itself, since ``since``.

    Attributes:
        engine_id: Its name, the same in its next life.
        heartbeat_at: When it was last heard.
        silent: It was not heard for longer than its sources wait for it.
        this: It is the one that answers.
        in_flight: Payloads it acknowledged, or works on for others, that have not ended.
        sources: Those it fetches from.
        received, repeats, completed, dead: Payloads it acknowledged, and jobs it ended, for whomever.
        elsewhere: Payloads it acknowledged that others completed or buried.
        loop_lag_s: As ``DeskView.loop_lag_s``.
    """

    engine_id: str
    host: str
    pid: int
    since: float
    heartbeat_at: float
    slots: int
    in_flight: int
    sources: tuple[str, ...]
    received: int
    repeats: int
    completed: int
    dead: int
    elsewhere: int
    loop_lag_s: float = 0.0
    silent: bool = False
    this: bool = True


class DeskView(Struct, frozen=True):
    """Hold one picture, taken at ``taken_at`` by the engine's clock.

    Attributes:
        sequence: Goes up with every picture of one engine.
        engine_id: Changes when another engine answers.
        mode: ``sample`` or ``live``.
        since: Start of every total in it.
        session: The New York session in words, e.g. ``regular, closes in 6 h 18 m``.
        session_ends_at: When the regular session that is on, or the next one, closes.
        promises_kept, promises_total: Jobs with a promise that are available, and how many of them in time.
        worst_critical_s: Largest CRITICAL latency since ``since``; None before the first.
        undecided: Payloads that are acknowledged and not decided yet: no level's queue has them.
        storing: Results that are available and not stored yet.
        stopped, stopped_by: The kill switch is on, and who turned it; empty while it is off.
        slots: Jobs the engine can process at once, CRITICAL's reserve included.
        pager: ``-`` (none is configured), ``ok``, or ``failing: `` and why the last page was not sent.
        mutes: Maintenance windows in force.
        read_only: Who is shown this can change nothing: the engine was started so, or their key may only read.
        shift_by, shift_since: Who took the shift over, and when; empty and None before the first.
        bound: None from an engine before this version.
        engines: Every engine of the fleet, this one first; empty where there is none. Levels and their queues are the fleet's;
            counts and latencies (``received`` to ``worst_critical_s``) are this engine's own, a fleet's the sums over ``engines``.
        elsewhere, for_others: Payloads of ``received`` that other engines ended, and ends of ``completed`` and ``dead`` for
            payloads that others had received.
        shed, aside: LOW payloads set aside at high water since ``since``, and those that still are; they are in ``in_flight``.
        loop_lag_s: The longest that the engine's own loop stood still in the last ten seconds.
    """

    sequence: int
    engine_id: str
    taken_at: float
    since: float
    mode: str
    session: str
    session_ends_at: float
    levels: tuple[LevelView, ...]
    sources: tuple[SourceView, ...]
    symbols: tuple[SymbolView, ...]
    guidelines: tuple[GuidelineView, ...]
    guidelines_version: str
    unmatched: int
    conflicts: int
    log: tuple[LogLine, ...]
    incidents: tuple[IncidentView, ...]
    received: int
    completed: int
    dead: int
    in_flight: int
    undecided: int
    storing: int
    bytes_received: int
    promises_kept: int
    promises_total: int
    worst_critical_s: float | None
    stopped: bool
    store_lag_s: float
    replay_position: str = ""
    pager: str = "-"
    mutes: tuple[MuteView, ...] = ()
    shift_by: str = ""
    shift_since: float | None = None
    repeats: int = 0
    guidelines_author: str = ""
    guidelines_at: float | None = None
    guidelines_fault: str = ""
    guidelines_staged: str = ""
    guidelines_revision: int = 0
    slots: int = 0
    overrides: tuple[OverrideView, ...] = ()
    schedules: tuple[ScheduleView, ...] = ()
    escalated: int = 0
    bound: BoundView | None = None
    engines: tuple[EngineView, ...] = ()
    elsewhere: int = 0
    for_others: int = 0
    loop_lag_s: float = 0.0
    shed: int = 0
    aside: int = 0
    read_only: bool = False
    stopped_by: str = ""


class Moment(Struct, frozen=True):
    """Say that a picture is the one before in all but its time."""

    sequence: int
    taken_at: float

    def of(self, before: DeskView) -> DeskView:
        """Return that picture."""
        return replace(before, sequence=self.sequence, taken_at=self.taken_at)
