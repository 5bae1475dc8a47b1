"""Take the frozen picture of the desk that screens draw."""

import os
import socket

from msgspec import structs

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.endings import Endings
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.fleet import Beat, Fleet
from gexdesk.engine.flight import Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.keep import Keeper
from gexdesk.engine.lag import Lag
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.levers.levels import LevelLevers
from gexdesk.engine.measure import Measure
from gexdesk.engine.pager import Pager
from gexdesk.engine.picture_symbols import PictureSymbols
from gexdesk.engine.receive import Receive
from gexdesk.engine.rulebook import Rulebook
from gexdesk.engine.schedules import Schedules
from gexdesk.engine.shift import Shift
from gexdesk.engine.standing import Standing
from gexdesk.engine.triage import Triage
from gexdesk.engine.watch.state import state_of
from gexdesk.engine.water import Water
from gexdesk.engine.work import Work
from gexdesk.guidelines.tally import Tally
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.market import session
from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.engine import EngineView
from gexdesk.model.view.level import HISTOGRAM_EDGES_S, LevelView
from gexdesk.model.view.source import SourceView
from gexdesk.queues.base import Queue, QueueState

ROLL_SHOWN_S = 60.0
"""So long after regular hours began the clock says that they just did: every figure is young, and first snapshots are no alarm."""

INCIDENTS_TOLD = 30
"""So many incidents the other engines of a fleet are told of, the gravest first."""


class Picture:
    """Build one ``DeskView`` after another."""

    def __init__(
        self, *, queue: Queue, ledger: Ledger, standing: Standing, triage: Triage, work: Work, endings: Endings, receive: Receive,
        keeper: Keeper, symbols: PictureSymbols, flights: Flights, flow: Flow, tally: Tally, incidents: Incidents, mutes: Mutes,
        pager: Pager, shift: Shift, chronicle: Chronicle,
        promises: Promises, rulebook: Rulebook, levels: LevelLevers, schedules: Schedules,
        escalate: Escalate, measure: Measure, water: Water, lag: Lag, clock: Clock, engine_id: str, mode: str, read_only: bool,
        fleet: Fleet | None, name: str,
    ) -> None:  # fmt: skip
        self._queue = queue
        self._ledger = ledger
        self._standing = standing
        self._triage = triage
        self._work = work
        self._endings = endings
        self._receive = receive
        self._keeper = keeper
        self._symbols = symbols
        self._flights = flights
        self._flow = flow
        self._tally = tally
        self._incidents = incidents
        self._mutes = mutes
        self._pager = pager
        self._shift = shift
        self._chronicle = chronicle
        self._promises = promises
        self._rulebook = rulebook
        self._levels = levels
        self._schedules = schedules
        self._escalate = escalate
        self._measure = measure
        self._water = water
        self._lag = lag
        self._clock = clock
        self._engine_id = engine_id
        self._mode = mode
        self._read_only = read_only
        self._fleet = fleet
        self._name = name
        self._own: tuple[SourceView, ...] = ()
        self._since = clock.now()
        self._sequence = 0

    def take(self, replay_position: str = "") -> DeskView:
        """Return the picture of this moment."""
        now = self._clock.now()
        state = self._queue.state()
        self._sequence += 1
        rules, open_hours = self._rulebook.rules, session(now)
        rolled = open_hours.kind == "regular" and now - open_hours.opens_at < ROLL_SHOWN_S
        self._own = tuple(self._source(account, state, now) for account in self._ledger.all())
        return DeskView(
            sequence=self._sequence,
            engine_id=self._engine_id,
            taken_at=now,
            since=self._since,
            mode=self._mode,
            session=f"session roll: {open_hours.words}" if rolled else open_hours.words,
            session_ends_at=open_hours.closes_at,
            levels=tuple(self._level(level, state) for level in LEVELS),
            sources=self._own if self._fleet is None else tuple(self._as_its_engine_says(view) for view in self._own),
            engines=self._fleet.engines() if self._fleet is not None else (),
            elsewhere=self._endings.elsewhere,
            for_others=self._endings.for_others,
            symbols=self._symbols.take(now),
            guidelines=self._tally.views(rules, now),
            guidelines_version=rules.version,
            unmatched=self._tally.unmatched,
            conflicts=self._tally.conflicts,
            log=self._chronicle.lines(),
            incidents=self._incidents.views(),
            received=sum(account.received for account in self._ledger.all()),
            repeats=sum(account.repeats for account in self._ledger.all()),
            completed=self._endings.completed,
            dead=self._endings.dead,
            in_flight=len(self._flights) + self._water.aside,
            undecided=self._triage.undecided,
            storing=self._keeper.waiting,
            bytes_received=self._receive.bytes_received,
            promises_kept=self._promises.kept,
            promises_total=self._promises.total,
            worst_critical_s=self._promises[Level.CRITICAL].latency.max_s,
            stopped=state.stopped,
            stopped_by=stop.author if state.stopped and (stop := self._standing.stopped) is not None else "",
            slots=self._work.slots,
            store_lag_s=self._keeper.lag_s(),
            replay_position=replay_position,
            pager=self._pager.state,
            shift_by=self._shift.on_duty.operator,
            shift_since=self._shift.on_duty.since,
            mutes=self._mutes.in_force(now),
            guidelines_author=self._rulebook.guidelines.version.author,
            guidelines_at=self._rulebook.guidelines.version.at,
            guidelines_fault=fault.message if (fault := self._rulebook.guidelines.fault) is not None else "",
            guidelines_staged=self._rulebook.staged_words,
            guidelines_revision=self._rulebook.revision,
            overrides=self._levels.views(now),
            schedules=self._schedules.views(now),
            escalated=self._escalate.count,
            bound=self._measure.bound(),
            loop_lag_s=self._lag.worst_s(),
            shed=self._water.shed,
            aside=self._water.aside,
            read_only=self._read_only,
        )

    def beat(self) -> Beat:
        """Say of this engine what the others of its fleet are to know."""
        running = [view for view in self._own if self._fleet is not None and self._fleet.may_run(view.name)]
        engine = EngineView(
            engine_id=self._name,
            host=socket.gethostname(),
            pid=os.getpid(),
            since=self._since,
            heartbeat_at=self._clock.now(),
            slots=self._work.slots,
            in_flight=len(self._flights),
            sources=tuple(view.name for view in running),
            received=sum(account.received for account in self._ledger.all()),
            repeats=sum(account.repeats for account in self._ledger.all()),
            completed=self._endings.completed,
            dead=self._endings.dead,
            elsewhere=self._endings.elsewhere,
            loop_lag_s=self._lag.worst_s(),
        )
        return Beat(engine, tuple(running), self._incidents.own_views()[:INCIDENTS_TOLD])

    def _as_its_engine_says(self, view: SourceView) -> SourceView:
        """Return a source that another engine runs as that one shows it, with what is the same on all of them as it is here."""
        there = self._fleet.elsewhere(view.name) if self._fleet is not None else None
        runs_on = self._fleet.runs_on(view.name) if self._fleet is not None else ""
        if there is None:
            return structs.replace(view, runs_on=runs_on)
        return structs.replace(
            there, state=view.state if view.state in ("paused", "stopped") else there.state, override=view.override,
            override_by=view.override_by, override_reason=view.override_reason, override_until=view.override_until,
            paused_by=view.paused_by, paused_reason=view.paused_reason, queued=view.queued, revision=view.revision, runs_on=runs_on,
        )  # fmt: skip

    def _level(self, level: Level, state: QueueState) -> LevelView:
        depth, promise = state.levels[level], self._promises[level]
        entering, leaving = self._flow.rates(level)
        latency = promise.latency
        return LevelView(
            level=level,
            promise_s=promise.promise_s,
            depth=depth.waiting,
            paused=depth.paused,
            delayed=depth.delayed,
            processing=depth.processing,
            oldest_received_at=depth.oldest_received_at,
            trend=self._flow.trend(level),
            in_per_s=entering,
            out_per_s=leaving,
            drain_s=self._flow.drain_s(level, depth.waiting),
            count=latency.count,
            histogram=latency.drawn(HISTOGRAM_EDGES_S),
            p50_s=latency.percentile(50),
            p95_s=latency.percentile(95),
            p99_s=latency.percentile(99),
            max_s=latency.max_s,
            mean_s=latency.mean_s,
            within_promise=promise.within,
        )

    def _source(self, account: Account, state: QueueState, now: float) -> SourceView:
        override = self._standing.override(account.name, now)
        pause = self._standing.pause_of(account.name)
        why = "override" if override else "standing" if account.standing in Level.__members__ else "decided"
        return SourceView(
            name=account.name,
            kind=account.kind,
            carries=account.carries,
            state=state_of(account, self._standing, now),
            standing=account.standing,
            level=self._triage.level_of(account, now) if account.assigned else None,
            why=why if account.assigned else "",
            override=override.words if override else "",
            override_by=override.author if override else "",
            override_reason=override.reason if override else "",
            override_until=override.until if override else None,
            paused_by=pause.author if pause else "",
            paused_reason=pause.reason if pause else "",
            queued=state.by_source.get(account.name, 0),
            last_at=account.last_heard_at,
            due_s=account.due_s,
            delay_s=account.delay_s,
            rate_per_min=account.rate_per_min(now),
            errors_5m=account.errors_5m(now),
            received=account.received,
            completed=account.completed,
            dead=account.dead,
            requests=account.requests,
            successes=account.successes,
            last_error=account.last_error,
            last_refusal=account.last_refusal,
            revision=account.revision,
            repeats=account.repeats,
            reorders=account.reorders,
            missed=account.missed,
            last_missed=account.last_missed,
            breaker=account.breaker,
            probe_at=account.probe_at,
            response_s=account.response_s,
            reliability=account.reliability,
            reliability_today=account.tries.today(now),
            reliability_5m=account.tries.recent(now),
            hours=account.hours,
            base_url=account.base_url,
            historical=account.data_type == "historical",
        )
