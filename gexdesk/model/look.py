"""What a screen asks beyond the picture: one frozen question, one frozen answer, over the socket as in the process.

A new question is a ``Look`` here, a handler registered with the engine's ``Lookout``, and a screen that draws its answer.
"""

from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct

from gexdesk.model.exposure import Exposure
from gexdesk.model.level import Level
from gexdesk.model.record_view import ActView, BeginningView, DecidedView, JobStands, KeptView, PartsView, SlotView
from gexdesk.model.symbol_view import CompareRow, FeedOfSymbol, Figures, GapView, Point, QuarantineCase, StrikeRow
from gexdesk.model.view import DeskView, IncidentView, LogLine, MuteView, SymbolView

Seen = TypeVar("Seen")


class Look(Struct, Generic[Seen], frozen=True, tag=True):
    """Ask for something; ``answer`` is the type of what comes back."""

    answer: ClassVar[Any]


class JobView(Struct, frozen=True):
    """Show one queued job.

    Attributes:
        position: 1 is served next, over all levels; None for a held one.
        starts_in_s: Estimate until it is claimed, at the level's present rate; None where nobody can tell.
        deadline_at: When its level's promise ends; None is best effort.
        place: ``head``, ``own`` or ``escalated``.
        winner: The guideline that decided; empty where an earlier engine decided it.
        reason: The decision in one line.
    """

    job_id: str
    source: str
    symbol: str
    level: Level
    score: float
    position: int | None
    received_at: float
    as_of: float
    deadline_at: float | None
    attempt: int
    superseded: bool
    note: str
    place: str = "own"
    starts_in_s: float | None = None
    winner: str = ""
    reason: str = ""


class JobsSeen(Struct, frozen=True):
    """Hold the next jobs in true order; ``total`` counts all that wait."""

    jobs: tuple[JobView, ...]
    total: int


class JobsLook(Look[JobsSeen], frozen=True):
    """Ask for the queue in true order, at most ``limit`` jobs; of one source where it is named, held ones included."""

    answer: ClassVar[Any] = JobsSeen
    limit: int = 200
    source: str = ""


class EntryView(Struct, frozen=True):
    """Show one line of an incident's timeline.

    Attributes:
        who: ``desk``, or the operator.
        what: ``opened``, ``joined``, ``worse``, ``changed``, ``gone``, ``back``, ``closed``, ``reopened``, ``paged``, or an
            operator's verb.
    """

    at: float
    who: str
    what: str
    text: str


class MemberView(Struct, frozen=True):
    """Show one of the causes that an incident joins; ``present`` while it is there."""

    subject: str
    text: str
    kind: str
    severity: int
    source: str
    symbols: tuple[str, ...]
    first_at: float
    last_at: float
    present: bool


class IncidentSeen(Struct, frozen=True):
    """Tell everything about one incident; ``runbook`` is the section of its kind, Markdown without the heading."""

    incident: IncidentView
    timeline: tuple[EntryView, ...]
    members: tuple[MemberView, ...]
    runbook: str


class IncidentLook(Look[IncidentSeen], frozen=True):
    """Ask for one incident by its number, closed ones of the last weeks included."""

    answer: ClassVar[Any] = IncidentSeen
    number: int


class StandingView(Struct, frozen=True):
    """Show something that stands until somebody ends it: an ``override``, a ``pause`` or a ``fail-over``.

    The kill switch is a pause of ``everything``.

    Attributes:
        until: None has no end.
    """

    what: str
    target: str
    words: str
    author: str
    reason: str
    since: float
    until: float | None


class HandOverSeen(Struct, frozen=True):
    """Sum up what one shift leaves to the next.

    Attributes:
        shift_by, shift_since: Who has the shift, and since when; empty and None before the first hand-over.
        incidents: Open and snoozed ones, and closed ones that nobody saw.
        standing: Overrides and pauses in force, those without an end first.
        gaps: Holes in the data that are not filled, one line each, newest first.
        summary: The whole in one line.
    """

    shift_by: str
    shift_since: float | None
    incidents: tuple[IncidentView, ...]
    standing: tuple[StandingView, ...]
    mutes: tuple[MuteView, ...]
    gaps: tuple[str, ...]
    summary: str


class HandOverLook(Look[HandOverSeen], frozen=True):
    """Ask what the shift that comes has to know."""

    answer: ClassVar[Any] = HandOverSeen


class HistorySeen(Struct, frozen=True):
    """Give recorded pictures, oldest first.

    Attributes:
        pictures: Each as it was drawn then; its ``taken_at`` says when.
        first_at, last_at: What the record spans; None where it is empty.
        fine_from: From here on there is a picture a second, before it one a minute; None where there is none a second.
        more: There were more between the two times than were asked for.
    """

    pictures: tuple[DeskView, ...]
    first_at: float | None
    last_at: float | None
    fine_from: float | None
    more: bool = False


class HistoryLook(Look[HistorySeen], frozen=True):
    """Wind the desk back: the picture at ``at`` (the last one taken by then), or those between two times.

    Attributes:
        from_at, to_at: Both or none; the pictures between them, at most ``limit``, evenly thinned.
    """

    answer: ClassVar[Any] = HistorySeen
    at: float | None = None
    from_at: float | None = None
    to_at: float | None = None
    limit: int = 60


class TrendSeen(Struct, frozen=True):
    """Give recorded figures, oldest first: one row a second for the last minutes, one a minute before.

    Attributes:
        columns: ``at`` (end of the second or minute), then the names of the figures.
        rows: One value a column; None is unknown.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[float | None, ...], ...]


class TrendLook(Look[TrendSeen], frozen=True):
    """Ask for the figures of one level or one source between two times.

    Attributes:
        what: ``level`` or ``source``.
        name: Which one.
    """

    answer: ClassVar[Any] = TrendSeen
    what: str
    name: str
    from_at: float
    to_at: float


class RuleView(Struct, frozen=True):
    """Show one guideline in force and what it did.

    Attributes:
        when: Its condition as written.
        score: The least it gives.
        symbols, sessions: It holds for these alone; empty for all.
        expires: UTC seconds; None has no end.
        last_minute, session: How often it won.
        conflicts: How often it won over data that was decided at another level within a minute.
    """

    name: str
    level: Level
    description: str
    when: str
    active: bool
    score: float
    symbols: tuple[str, ...]
    sessions: tuple[str, ...]
    expires: float | None
    last_minute: int = 0
    session: int = 0
    last_symbol: str = ""
    last_at: float | None = None
    conflicts: int = 0


class VersionView(Struct, frozen=True):
    """Show one version that decided; ``diff`` is against the version before, as ``diff -u`` writes it."""

    version: str
    author: str
    at: float
    reason: str
    diff: str


class MoverView(Struct, frozen=True):
    """Count a symbol's decisions that would change from one level to another."""

    symbol: str
    before: Level
    after: Level
    count: int


class TrialView(Struct, frozen=True):
    """Show what a staged set would have decided of the last ``rows`` decisions.

    Attributes:
        counts: ``counts[level before][level after]``.
        critical_before, critical_after: CRITICAL decisions.
        capacity_ratio: CRITICAL decisions of the busiest minute over what the desk serves in one; None where nobody knows.
        words: All of it in one line.
    """

    rows: int
    changed: int
    counts: dict[Level, dict[Level, int]]
    movers: tuple[MoverView, ...]
    critical_before: int
    critical_after: int
    capacity_ratio: float | None
    words: str


class StagedView(Struct, frozen=True):
    """Show a set that was checked and waits to be applied.

    Attributes:
        diff: Against the text in force.
        trial: None while it is not known; ``trial_note`` then says why.
    """

    version: str
    author: str
    at: float
    text: str
    diff: str
    trial: TrialView | None
    trial_note: str


class FaultView(Struct, frozen=True):
    """Say why the rule file as it stands cannot be used; what is in force stays. None and empty where it cannot be told."""

    message: str
    author: str
    at: float
    file: str
    line: int | None
    column: int | None
    found: str
    allowed: str
    did_you_mean: str


class GuidelinesSeen(Struct, frozen=True):
    """Hold the guidelines: what is in force, what waits, what was.

    Attributes:
        text: In force.
        file: The rule file that is watched; empty where the shipped set was taken.
        history: Every version, the newest first.
        locked_hours: New York, on trading days; ``locked_until`` is when the lock that stands now ends.
        revision: What ``apply`` and ``rollback`` name as seen.
        unmatched, conflicts: Decisions of this session that no guideline held for, and that differ on the same data.
    """

    name: str
    version: str
    author: str
    at: float
    reason: str
    text: str
    file: str
    rules: tuple[RuleView, ...]
    history: tuple[VersionView, ...]
    staged: StagedView | None
    fault: FaultView | None
    apply_on_save: bool
    locked_hours: tuple[str, ...]
    locked_until: float | None
    revision: int
    unmatched: int
    conflicts: int


class GuidelinesLook(Look[GuidelinesSeen], frozen=True):
    """Ask for the guidelines, their history and what waits to be applied."""

    answer: ClassVar[Any] = GuidelinesSeen


class SymbolSeen(Struct, frozen=True):
    """Hold everything about one symbol that readers have.

    Attributes:
        exposure: Of the live value: profile curve, flip with roots and status, walls, expiries, warnings, conventions; None
            while nothing serves it.
        strikes: The ladder of the live value, ascending.
        previous: The live value before this one; None before the second.
        opened: The session's first live value this engine knows; None before the first.
        history: What readers had since the session began, oldest first, evenly thinned to ``SymbolLook.points``.
        feeds: Every source of the symbol, the serving one first.
        flags: What the checks before publishing said of the live value, a word and a line each.
        cases: What is held back of it now.
        job_id: The job that the live value came of; empty while there is none.
    """

    symbol: str
    taken_at: float
    view: SymbolView
    exposure: Exposure | None
    strikes: tuple[StrikeRow, ...]
    previous: Figures | None
    opened: Figures | None
    history: tuple[Point, ...]
    feeds: tuple[FeedOfSymbol, ...]
    flags: tuple[str, ...]
    cases: tuple[QuarantineCase, ...]
    job_id: str = ""


class SymbolLook(Look[SymbolSeen], frozen=True):
    """Ask for one symbol, by its name or an alias; ``points`` bounds the history."""

    answer: ClassVar[Any] = SymbolSeen
    symbol: str
    points: int = 240


class QuarantineSeen(Struct, frozen=True):
    """Hold what the checks held back, newest first."""

    cases: tuple[QuarantineCase, ...]


class QuarantineLook(Look[QuarantineSeen], frozen=True):
    """Ask what is held back, of one symbol where it is named; ``settled`` includes what was released or refused of late."""

    answer: ClassVar[Any] = QuarantineSeen
    symbol: str = ""
    settled: bool = False


class CompareSeen(Struct, frozen=True):
    """Lay two sources of a symbol side by side.

    Attributes:
        left, right: The sources; ``right`` is empty where there is no second one.
        left_as_of, right_as_of: Stamps of the compared snapshots: those nearest in the market's time, each less its source's
            delay. None where there is none.
        rows: One figure each; empty where the two cannot be compared, and ``text`` says why.
        disagree: At least one figure is apart by more than its tolerance, and was in the comparison before.
    """

    symbol: str
    left: str
    right: str
    left_delay_s: float
    right_delay_s: float
    left_as_of: float | None
    right_as_of: float | None
    rows: tuple[CompareRow, ...]
    disagree: bool
    text: str


class CompareLook(Look[CompareSeen], frozen=True):
    """Ask how the serving source of a symbol compares with its standby, or with the one named."""

    answer: ClassVar[Any] = CompareSeen
    symbol: str
    other: str = ""


class GapsSeen(Struct, frozen=True):
    """Hold the gaps, newest first."""

    gaps: tuple[GapView, ...]


class GapsLook(Look[GapsSeen], frozen=True):
    """Ask for the gaps this engine knows, of one symbol where it is named; ``filled`` includes those that are filled."""

    answer: ClassVar[Any] = GapsSeen
    symbol: str = ""
    filled: bool = False


class DeadView(Struct, frozen=True):
    """Show one dead letter that nobody settled.

    Attributes:
        stage: ``receive``, ``triage``, ``queue`` (an operator cancelled it), ``process`` or ``store``.
        kind: In a word, e.g. ``malformed_payload`` or ``cancelled``.
        bytes_kept: It can be tried again.
    """

    job_id: str
    source: str
    payload_name: str
    payload_sha256: str
    size_bytes: int
    received_at: float
    buried_at: float
    stage: str
    kind: str
    reason: str
    attempts: int
    bytes_kept: bool


class DeadSeen(Struct, frozen=True):
    """Give dead letters, the newest first; ``more`` says that there were more than asked for."""

    letters: tuple[DeadView, ...]
    more: bool = False


class DeadLook(Look[DeadSeen], frozen=True):
    """Ask for the dead letters: all, one source's, or one."""

    answer: ClassVar[Any] = DeadSeen
    limit: int = 200
    source: str = ""
    job_id: str = ""


class CarriedView(Struct, frozen=True):
    """Show one symbol of a source, and how the source does with it."""

    symbol: str
    feed: FeedOfSymbol


class SourceSeen(Struct, frozen=True):
    """Tell of one source what the picture does not hold.

    Attributes:
        format: As configured; empty where it is found out from the bytes.
        vendor: Who runs it: what fails with it.
        last_payload_at: Receipt of its last payload; None before the first.
        failing_since: First failure after its last success; None while it is well.
        assumed: Volume and open interest it is given where its format carries none; None without.
        symbols: What it carries.
        decisions: The last ones, the newest first.
        letters: Its dead letters that nobody settled, the newest first.
        last_job: The job of its newest decided payload; empty before the first.
    """

    source: str
    taken_at: float
    format: str
    vendor: str
    data_type: str
    last_payload_at: float | None
    failing_since: float | None
    assumed: tuple[float, float] | None
    symbols: tuple[CarriedView, ...]
    decisions: tuple[DecidedView, ...]
    letters: tuple[DeadView, ...]
    last_job: str


class SourceLook(Look[SourceSeen], frozen=True):
    """Ask for one source by name; ``decisions`` bounds the trail."""

    answer: ClassVar[Any] = SourceSeen
    source: str
    decisions: int = 40


class PayloadSeen(Struct, frozen=True):
    """Tell everything about one payload, from its receipt to what became of it.

    Attributes:
        name: File name or path, for people.
        asked_by: The request that brought it; empty where its source came by itself.
        beginning: Its first bytes; None where they were not asked for.
        decisions: All of it, the newest first: more than one where it was triaged again after a crash.
        letter: Its dead letter, where nobody settled that.
        snapshots: What it made, in its own order.
    """

    job_id: str
    source: str
    name: str
    content_type: str
    received_at: float | None
    size_bytes: int
    sha256: str
    time_shift_s: float
    asked_by: str
    stands: JobStands
    beginning: BeginningView | None
    decisions: tuple[DecidedView, ...]
    letter: DeadView | None
    snapshots: tuple[KeptView, ...]


class PayloadLook(Look[PayloadSeen], frozen=True):
    """Ask for one payload by its job; ``bytes_wanted`` of its beginning, none where it is 0."""

    answer: ClassVar[Any] = PayloadSeen
    job_id: str
    bytes_wanted: int = 0


class LogSeen(Struct, frozen=True):
    """Give lines of the log, oldest first.

    Attributes:
        first_at: From when on it is held; None where there is nothing. Decisions are held for a shorter time than the rest.
        more: There are older ones that were not asked for.
    """

    lines: tuple[LogLine, ...]
    first_at: float | None
    more: bool


class LogLook(Look[LogSeen], frozen=True):
    """Ask for the log: the newest ``limit`` lines, or those up to a time.

    Attributes:
        to_at: The newest line is not later than this; None is now.
        kinds: As ``LogLine.kind``; empty for all.
        text: Lines that hold this text, whatever its case.
    """

    answer: ClassVar[Any] = LogSeen
    limit: int = 400
    to_at: float | None = None
    kinds: tuple[str, ...] = ()
    text: str = ""


class AuditSeen(Struct, frozen=True):
    """Give the last acts, oldest first, and whether the chain that holds them is whole.

    Attributes:
        checked_at: When the chain was last checked; None before that.
        checked_lines: How many lines hold together.
        broken: Which line breaks it and why; empty where none does.
    """

    acts: tuple[ActView, ...]
    checked_at: float | None
    checked_lines: int
    broken: str


class AuditLook(Look[AuditSeen], frozen=True):
    """Ask for the last acts; ``check`` reads the whole chain, link by link, which takes a moment where it is long."""

    answer: ClassVar[Any] = AuditSeen
    limit: int = 400
    check: bool = False


class MachineSeen(Struct, frozen=True):
    """Tell how the engine works inside.

    Attributes:
        load: Runnable processes of the host over the last minute; None where it does not say.
        cpu_share: Share of one core that the engine and its pool took since they were last asked; None the first time.
        memory_bytes: The engine's own, without its pool.
        dispatches, deviating: Dispatches, and those made while something that mattered more was waiting.
        slots: Who works on what; ``pool``: who decodes what.
        pool_backlog: Payloads that wait for a pool process.
        history_bytes, history_from: Pictures a second in memory, and since when; None without one.
        history_disk_bytes: Pictures a minute.
        spool_bytes, spool_open: On disk, and payloads in it that nobody has finished with.
        metadata_bytes, free_bytes: The database, and what is free on its disk.
        parts: By level, of the decisions of the last ``parts_s`` seconds.
    """

    engine_id: str
    host: str
    pid: int
    version: str
    since: float
    state_folder: str
    cores: int
    load: float | None
    cpu_share: float | None
    memory_bytes: int
    dispatches: int
    deviating: int
    slots: tuple[SlotView, ...]
    pool: tuple[SlotView, ...]
    pool_backlog: int
    in_flight: int
    undecided: int
    storing: int
    store_lag_s: float
    history_bytes: int
    history_from: float | None
    history_disk_bytes: int
    spool_bytes: int
    spool_open: int
    metadata_bytes: int
    free_bytes: int
    parts_s: float
    parts: tuple[PartsView, ...]


class MachineLook(Look[MachineSeen], frozen=True):
    """Ask how the engine works inside."""

    answer: ClassVar[Any] = MachineSeen


AnyLook = (
    JobsLook | DeadLook | GuidelinesLook | IncidentLook | HandOverLook | HistoryLook | TrendLook
    | SymbolLook | QuarantineLook | CompareLook | GapsLook | SourceLook | PayloadLook | LogLook | AuditLook | MachineLook
)
"""Every question there is, as one union: what the wire takes."""
