"""The whole picture, and the moment at which nothing of it but the time has changed."""

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.model.view.engine import BoundView, EngineView
from gexdesk.model.view.guideline import GuidelineView
from gexdesk.model.view.incident import IncidentView, MuteView
from gexdesk.model.view.level import LevelView
from gexdesk.model.view.log import LogLine
from gexdesk.model.view.override import OverrideView, ScheduleView
from gexdesk.model.view.source import SourceView
from gexdesk.model.view.symbol import SymbolView


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
        incidents: Of this engine, and of a fleet's others those that name their engine.
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
