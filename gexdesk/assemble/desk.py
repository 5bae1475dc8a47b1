"""Make the concrete parts of one desk and join them."""

import asyncio
import platform
import secrets
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from math import inf
from pathlib import Path

from gexdesk.assemble.keys import key_of
from gexdesk.assemble.links import REDIS_AWAY_S, link_of, queue_of
from gexdesk.assemble.offline import rules_of
from gexdesk.assemble.sources import REPLAY_LEAD_S, account_of, inner_accounts, position_of, redacted, source_of
from gexdesk.assemble.state_folder import AUDIT_NAME, GUIDELINES_NAME, HISTORY_NAME, METADATA_NAME, make_state_folder
from gexdesk.assemble.symbols import schedules_of, source_units, symbols_of
from gexdesk.engine.admission import Admission
from gexdesk.engine.backfill import Backfill
from gexdesk.engine.came import Came
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.elsewhere import Elsewhere
from gexdesk.engine.endings import Endings
from gexdesk.engine.engine import COPIES_NAME, Engine
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.expectations import Expectations
from gexdesk.engine.fleet import Fleet
from gexdesk.engine.flight import Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.hand_over import HandOver
from gexdesk.engine.impact import Impact
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.incidents.looks import IncidentLooks
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.incidents.shelf import Shelf
from gexdesk.engine.keep import Keeper
from gexdesk.engine.lag import Lag
from gexdesk.engine.leases import Leases
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.guidelines import GuidelineLevers
from gexdesk.engine.levers.incidents import IncidentLevers
from gexdesk.engine.levers.jobs import JobLevers
from gexdesk.engine.levers.levels import LevelLevers
from gexdesk.engine.levers.levers import Levers
from gexdesk.engine.levers.pauses import PauseLevers
from gexdesk.engine.levers.record import Record
from gexdesk.engine.levers.shift import ShiftLevers
from gexdesk.engine.levers.symbols import SymbolLevers
from gexdesk.engine.levers.targets import Targets
from gexdesk.engine.levers.undo import Undo
from gexdesk.engine.lock import StateLock
from gexdesk.engine.look_audit import AuditLooks
from gexdesk.engine.look_dead import DeadLooks
from gexdesk.engine.look_guidelines import RulebookLook
from gexdesk.engine.look_machine import MachineLooks
from gexdesk.engine.look_payload import PayloadLooks
from gexdesk.engine.look_queue import QueueLook
from gexdesk.engine.look_source import SourceLooks
from gexdesk.engine.look_symbols import SymbolLooks
from gexdesk.engine.lookout import Lookout
from gexdesk.engine.measure import RESERVED, Measure
from gexdesk.engine.open_letters import OpenLetters
from gexdesk.engine.ownership import Ownership
from gexdesk.engine.pager import Pager, Paging
from gexdesk.engine.parts import Parts
from gexdesk.engine.picture import Picture
from gexdesk.engine.pool import Pool
from gexdesk.engine.provision import Provision
from gexdesk.engine.publish import Publish
from gexdesk.engine.readers import Readers
from gexdesk.engine.receive import Receive
from gexdesk.engine.requests import Requests
from gexdesk.engine.rewind import Rewind
from gexdesk.engine.rulebook import Rulebook
from gexdesk.engine.schedules import Schedules
from gexdesk.engine.shared import Shared
from gexdesk.engine.shared_levers import SharedLevers
from gexdesk.engine.shift import Shift
from gexdesk.engine.standing import Standing
from gexdesk.engine.supply import Supply
from gexdesk.engine.triage import Triage
from gexdesk.engine.trial import Trial
from gexdesk.engine.watch.admission import AdmissionBroken
from gexdesk.engine.watch.backlog import Backlog
from gexdesk.engine.watch.dead import DeadLetters
from gexdesk.engine.watch.fault import Fault
from gexdesk.engine.watch.feeds import Feeds
from gexdesk.engine.watch.gaps import Gaps
from gexdesk.engine.watch.host import Host
from gexdesk.engine.watch.promises import PromisesKept
from gexdesk.engine.watch.queue import SharedQueue
from gexdesk.engine.watch.stores import Disk, Stores
from gexdesk.engine.watch.switch import KillSwitch
from gexdesk.engine.watch.symbols import SymbolCauses
from gexdesk.engine.watch.watch import Cause, Watch
from gexdesk.engine.watch.water import HighWater
from gexdesk.engine.water import Water
from gexdesk.engine.work import Work
from gexdesk.guidelines.reload import Guidelines
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.guidelines.tally import Tally
from gexdesk.guidelines.versions import Versions
from gexdesk.metrics.deviation import Deviation
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.model.daytime import read_span
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.look.guidelines import GuidelinesLook
from gexdesk.model.look.handover import HandOverLook
from gexdesk.model.look.history import HistoryLook, TrendLook
from gexdesk.model.look.incident import IncidentLook
from gexdesk.model.look.machine import MachineLook
from gexdesk.model.look.queue import JobsLook
from gexdesk.model.look.record import AuditLook, LogLook
from gexdesk.model.look.source import DeadLook, PayloadLook, SourceLook
from gexdesk.model.look.symbol import CompareLook, GapsLook, QuarantineLook, SymbolLook
from gexdesk.model.view import LogLine
from gexdesk.queues.redis_name import engine_name
from gexdesk.settings.desk import Settings
from gexdesk.settings.places import LOCK_NAME
from gexdesk.settings.sources import HttpSource
from gexdesk.sources.address import Addresses
from gexdesk.sources.directory import Directory
from gexdesk.sources.fetch_once import FetchOnce, SourceKey
from gexdesk.sources.replay import Replay
from gexdesk.stores.audit import Audit
from gexdesk.stores.base import DeskCache, LiveCache
from gexdesk.stores.cache import EmbeddedCache
from gexdesk.stores.daybook import Daybook
from gexdesk.stores.exports import Exports
from gexdesk.stores.lake import Lake
from gexdesk.stores.metadata import Metadata
from gexdesk.stores.request_log import RequestLog
from gexdesk.stores.sharing import share
from gexdesk.stores.spool import Spool

HISTORY_DAYS, HISTORY_BYTES = 14, 256 * 1024 * 1024
"""A picture a minute is kept for so many days, about 10 MB each on a busy desk; its figures beside it take a tenth."""


def assemble(
    settings: Settings,
    clock: Clock,
    *,
    once: bool = False,
    replay_speed: float = 1.0,
    log: Callable[[LogLine, Mapping[str, str]], None] | None = None,
) -> Engine:
    """Join one engine; nothing runs before its ``start``.

    Args:
        once: Sources that can end do so when they have given everything: directories when quiet, replays at their end.
        replay_speed: Story seconds a replay plays in one second.
        log: Given every line of the chronicle, and the ids it is about.

    Raises:
        SettingsError: A key file, a replay folder or the like cannot be used.
        GuidelineError: The rule file cannot be used.
    """
    state = make_state_folder(settings.state)
    limits = settings.engine
    promises_s = {level: settings.promise_s(level) for level in LEVELS}
    promises = Promises(promises_s)
    deviation = Deviation()
    conventions = settings.conventions

    keys = {source.name: key for source in settings.sources if (key := key_of(source, settings)) is not None}
    chronicle = Chronicle(clock, log)
    ledger = Ledger([*(account_of(source) for source in settings.sources), *inner_accounts(settings)])
    flights, flow, tally = Flights(), Flow(clock), Tally()
    guidelines = _guidelines(settings, state, clock)
    standing = Standing(state / "standing.json")
    link = link_of(settings, state)
    queue = queue_of(link, state, clock)
    spool = Spool(state / "spool", clock=clock, gate_bytes=limits.gate_bytes)
    sharing = share(state, limits.shared, engine_name(state / "redis-name")) if limits.shared is not None else None
    lake = Lake(state / "lake" if sharing is None else sharing.lake)
    exports = Exports(sharing.exports, state / AUDIT_NAME) if sharing is not None else None
    keeper = Keeper(lake, Metadata(state / METADATA_NAME), chronicle, clock, state, exports=exports)
    cache: DeskCache = EmbeddedCache() if link is None else link.cache()
    symbols = symbols_of(settings, ledger)
    ownership = Ownership(source_units(settings, symbols.aliases), clock.monotonic)
    board = link.board() if link is not None else None
    audit = Audit(state / AUDIT_NAME)
    record, turn = Record(audit, clock), asyncio.Lock()
    provision = Provision(
        symbols=symbols, ledger=ledger, standing=standing, cache=cache, keeper=keeper, record=record, chronicle=chronicle,
        clock=clock, state=state,
    )  # fmt: skip
    measure = Measure(
        clock,
        pool=(limits.pool_processes + RESERVED, RESERVED),
        workers=(limits.workers + RESERVED, RESERVED),
        limit_s=limits.task_limit_s,
        lease_s=limits.lease_s,
        sweep_s=limits.sweep_s,
        failover_s=REDIS_AWAY_S if settings.redis is not None else 0.0,
        promise_s=promises_s[Level.CRITICAL] or inf,
    )
    admission = Admission(measure, clock, burst=limits.critical_burst, per_s=limits.critical_per_s)
    pool = Pool(
        limits.pool_processes,
        RESERVED,
        task_limit_s=limits.task_limit_s,
        memory_limit_mb=limits.memory_limit_mb,
        on_death=lambda words: chronicle.tell("engine", words, grave=True),
        redact=lambda words: redacted(words, keys.values()),
        on_slice=measure.sliced,
    )
    leases = Leases(
        queue,
        clock,
        lease_s=limits.lease_s,
        sweep_s=limits.sweep_s,
        on_rescue=lambda jobs: chronicle.tell("engine", f"{len(jobs)} jobs rescued from a silent worker", grave=True),
    )
    escalate = Escalate(
        queue=queue, flights=flights, flow=flow, standing=standing, chronicle=chronicle, clock=clock, promises_s=promises_s
    )
    water = Water(
        queue, flights, flow, chronicle, clock, standing=standing, escalate=escalate, admission=admission, promises_s=promises_s,
        high_jobs=limits.high_jobs, high_bytes=limits.high_gb * 1e9,
    )  # fmt: skip
    triage = Triage(
        escalate=escalate,
        pool=pool,
        queue=queue,
        ledger=ledger,
        standing=standing,
        keeper=keeper,
        tally=tally,
        flow=flow,
        chronicle=chronicle,
        clock=clock,
        rules=lambda: guidelines.current,
        promises_s=promises_s,
        conventions=conventions,
        flights=flights,
        gates=provision.gates,
        gaps=provision.gaps,
        names=symbols.aliases,
        came=Came(board, spool, flights, ledger) if board is not None else None,
        measure=measure,
        admission=admission,
        water=water,
    )
    receive = Receive(
        spool, ledger, flights, triage, clock,
        limit_bytes=limits.payload_limit_bytes, gate_bytes=limits.gate_bytes, columns_folder=str(state / "columns"),
    )  # fmt: skip
    polled = [source for source in settings.sources if isinstance(source, HttpSource)]
    addresses = Addresses({source.name: source.base_url or source.url for source in polled}, settings.submit.hosts)
    requests = Requests(
        log=RequestLog(state / "requests.jsonl"),
        addresses=addresses,
        fetch=FetchOnce(
            addresses,
            {s.name: SourceKey(keys[s.name], s.key_header, s.key_param) for s in polled if s.name in keys},
            timeout_s=settings.submit.timeout_s,
            cap_bytes=limits.payload_limit_bytes,
        ),
        receive=receive,
        ledger=ledger,
        triage=triage,
        queue=queue,
        keeper=keeper,
        standing=standing,
        promises=promises,
        chronicle=chronicle,
        clock=clock,
        names=symbols.aliases,
    )
    expectations = Expectations(chronicle)
    letters = OpenLetters()
    publish = Publish(cache=cache, provision=provision, ledger=ledger, promises=promises, clock=clock)
    endings = Endings(
        queue=queue, flights=flights, leases=leases, publish=publish, keeper=keeper, spool=spool, ledger=ledger, letters=letters,
        requests=requests, chronicle=chronicle, clock=clock,
    )  # fmt: skip
    work = Work(
        requests=requests,
        expectations=expectations,
        queue=queue,
        pool=pool,
        flights=flights,
        leases=leases,
        measure=measure,
        publish=publish,
        endings=endings,
        names=symbols.aliases,
        ledger=ledger,
        deviation=deviation,
        flow=flow,
        chronicle=chronicle,
        clock=clock,
        workers=limits.workers,
        reserved=RESERVED,
        parcels=state / "carried",
        conventions=conventions,
    )
    story_at = clock.now() + (REPLAY_LEAD_S if once else 0.0)
    taken = Path(sharing.shared, "taken") if sharing is not None else state
    make = partial(source_of, keys=keys, clock=clock, state=state, taken=taken, once=once, started_at=story_at, speed=replay_speed)
    sources = {s.name: make(s) for s in settings.sources}
    together = receive.deliver_together if board is None else ownership.guard_together(receive.deliver_together)
    for source in sources.values():
        if isinstance(source, Directory):
            source.takes_together(together, limits.gate_bytes)
    supply = Supply(sources, ledger, receive.deliver, chronicle, clock, missed=provision.gaps.counted)
    fleet = None
    if board is not None:
        supply = Supply(
            sources, ledger, ownership.guard(receive.deliver), chronicle, clock, may_run=ownership.runs,
            missed=provision.gaps.counted,
        )  # fmt: skip
        shared = Shared(board, host=platform.node(), record=record, chronicle=chronicle, clock=clock)
        fleet = Fleet(
            board=board, ownership=ownership, shared=shared, supply=supply, standing=standing, chronicle=chronicle, ledger=ledger,
            clock=clock, gained=partial(_inherit, cache, triage), memory=state / "owned.json",
        )  # fmt: skip
    targets = Targets(ledger, flights, queue, standing)
    levels = LevelLevers(
        queue=queue,
        ledger=ledger,
        standing=standing,
        triage=triage,
        flights=flights,
        keeper=keeper,
        targets=targets,
        escalate=escalate,
        admission=admission,
        impact=Impact(queue, flow, slots=work.slots, reserved=RESERVED),
        expectations=expectations,
        record=record,
        chronicle=chronicle,
        clock=clock,
        promises_s=promises_s,
        turn=turn,
        leads=lambda: fleet is None or fleet.leads,
    )
    rulebook = Rulebook(
        guidelines=guidelines,
        trial=Trial(
            guidelines,
            keeper,
            chronicle,
            last=settings.guidelines.backtest_last,
            folder=state / COPIES_NAME,
            reserved=RESERVED,
        ),
        file=settings.guidelines.file,
        seen=state / GUIDELINES_NAME / "file-seen",
        apply_on_save=settings.guidelines.apply_on_save,
        locked=[read_span(span) for span in settings.guidelines.locked_hours],
        keeper=keeper,
        record=record,
        chronicle=chronicle,
        clock=clock,
        turn=turn,
    )
    schedules = Schedules(
        schedules_of(settings), standing=standing, levels=levels, keeper=keeper, record=record, chronicle=chronicle, clock=clock,
        turn=turn,
    )  # fmt: skip
    on_jobs = JobLevers(
        queue=queue,
        flights=flights,
        spool=spool,
        keeper=keeper,
        endings=endings,
        receive=receive,
        targets=targets,
        escalate=escalate,
        record=record,
        chronicle=chronicle,
    )
    on_rules = GuidelineLevers(rulebook, record)
    pauses = PauseLevers(
        queue=queue, ledger=ledger, standing=standing, supply=supply, record=record, chronicle=chronicle, clock=clock,
        serving=provision.serving,
    )  # fmt: skip
    mutes, pager = Mutes(state / "mutes.json"), Pager(Paging(**settings.pager.model_dump()), chronicle)
    incidents = Incidents(
        chronicle=chronicle, clock=clock, shelf=Shelf(state / "incidents"), mutes=mutes, pager=pager,
        readers=Readers({symbol.name: symbol.readers for symbol in settings.symbols}).of, note=keeper.note,
    )  # fmt: skip
    shift = Shift(state / "shift.json")
    hand_over = HandOver(
        incidents=incidents, mutes=mutes, standing=standing, shift=shift, failed_over=provision.serving.standing,
        gaps=provision.gaps.lines, clock=clock,
    )  # fmt: skip
    on_incidents = IncidentLevers(incidents=incidents, mutes=mutes, ledger=ledger, record=record, chronicle=chronicle, clock=clock)
    on_shift = ShiftLevers(hand_over=hand_over, shift=shift, incidents=incidents, record=record, chronicle=chronicle, clock=clock)
    rewind = Rewind(
        Daybook(state / HISTORY_NAME, "pictures", keep_days=HISTORY_DAYS, keep_bytes=HISTORY_BYTES),
        Daybook(state / HISTORY_NAME, "figures", keep_days=HISTORY_DAYS, keep_bytes=HISTORY_BYTES // 4),
        chronicle,
    )
    host, lag = Host(ledger, clock), Lag()
    backfill = Backfill(provision.gaps, symbols, receive.deliver, chronicle, clock, limit_bytes=limits.payload_limit_bytes)
    on_symbols = SymbolLevers(
        provision=provision, backfill=backfill, keeper=keeper, record=record, chronicle=chronicle, clock=clock
    )
    looks, dead, engine_id = SymbolLooks(cache, provision, clock), DeadLooks(keeper, spool), secrets.token_hex(4)
    causes: tuple[Cause, ...] = (
        host,
        KillSwitch(standing),
        PromisesKept(promises, queue.state),
        Backlog(flow, queue.state),
        AdmissionBroken(admission),
        HighWater(water),
        Feeds(ledger, standing, cache),
        Gaps(ledger),
        SymbolCauses(provision, ledger, standing, cache),
        DeadLetters(ledger, letters),
        Stores(keeper),
        SharedQueue(queue),
        *((fleet,) if fleet is not None else ()),
        Disk(state),
        Fault(
            Kind.RULES_INVALID, "guidelines", lambda: fault.message if (fault := guidelines.fault) is not None else "",
            "correct the file; the last good set decides meanwhile", severity=1,
        ),
    )  # fmt: skip
    picture = Picture(
        queue=queue,
        ledger=ledger,
        standing=standing,
        triage=triage,
        work=work,
        endings=endings,
        receive=receive,
        keeper=keeper,
        symbols=provision.picture,
        flights=flights,
        flow=flow,
        tally=tally,
        incidents=incidents,
        mutes=mutes,
        pager=pager,
        shift=shift,
        chronicle=chronicle,
        promises=promises,
        rulebook=rulebook,
        levels=levels,
        schedules=schedules,
        escalate=escalate,
        measure=measure,
        water=water,
        lag=lag,
        clock=clock,
        engine_id=engine_id,
        mode=settings.mode,
        read_only=settings.read_only,
        fleet=fleet,
        name=link.engine if link is not None else engine_id,
    )
    follow: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()
    if fleet is not None:
        fleet.describes(picture.beat)
        SharedLevers(
            standing=standing, supply=supply, queue=queue, ledger=ledger, levels=levels, rulebook=rulebook,
            serving=provision.serving,
        ).share(fleet.shared)  # fmt: skip
        if link is not None and link.live is not None:
            follow = (partial(link.live.follow, provision.serving.show),)
    replays = [source for source in sources.values() if isinstance(source, Replay)]
    return Engine(
        Parts(
            clock=clock,
            state=state,
            lock=StateLock(state / LOCK_NAME),
            queue=queue,
            spool=spool,
            pool=pool,
            ledger=ledger,
            flights=flights,
            standing=standing,
            keeper=keeper,
            triage=triage,
            receive=receive,
            requests=requests,
            backfill=backfill,
            leases=leases,
            work=work,
            endings=endings,
            letters=letters,
            elsewhere=Elsewhere(queue, flights, endings, clock),
            supply=supply,
            rulebook=rulebook,
            schedules=schedules,
            escalate=escalate,
            water=water,
            audit=audit,
            levers=Levers(
                (levels, pauses, on_rules, on_jobs, on_incidents, on_shift, on_symbols),
                Undo(
                    {verb: one.inverse for one in (levels, pauses, on_rules, on_jobs, on_symbols) for verb in one.verbs}, record
                ),
                turn,
                clock,
            ),
            levels=levels,
            lookout=Lookout(
                {
                    JobsLook: QueueLook(queue, flights, flow).jobs,
                    DeadLook: dead.dead,
                    GuidelinesLook: RulebookLook(rulebook, tally, clock).guidelines,
                    IncidentLook: IncidentLooks(incidents).answer,
                    HandOverLook: hand_over.answer,
                    HistoryLook: rewind.pictures,
                    TrendLook: rewind.trend,
                    SymbolLook: looks.symbol,
                    QuarantineLook: looks.quarantine,
                    CompareLook: provision.comparison.answer,
                    GapsLook: provision.gaps.answer,
                    SourceLook: SourceLooks(ledger, provision, keeper, dead, clock).source,
                    PayloadLook: PayloadLooks(flights, queue, spool, keeper, dead).payload,
                    LogLook: chronicle.answer,
                    AuditLook: AuditLooks(audit, clock).audit,
                    MachineLook: MachineLooks(
                        work=work,
                        pool=pool,
                        flights=flights,
                        triage=triage,
                        keeper=keeper,
                        spool=spool,
                        rewind=rewind,
                        deviation=deviation,
                        clock=clock,
                        state=state,
                        metadata=state / METADATA_NAME,
                        engine_id=engine_id,
                    ).machine,
                }
            ),
            picture=picture,
            cache=cache,
            fleet=fleet,
            follow=follow,
            provision=provision,
            incidents=incidents,
            pager=pager,
            shift=shift,
            rewind=rewind,
            watch=Watch(causes),
            host=host,
            lag=lag,
            flow=flow,
            chronicle=chronicle,
            tally=tally,
            promises=promises,
            deviation=deviation,
            replay_position=lambda: position_of(replays),
            keep_s=limits.keep_days * 86_400,
            keep_bytes=int(limits.keep_gb * 1e9),
            lake_keep_days=limits.lake_keep_days,
        )
    )


def _guidelines(settings: Settings, state: Path, clock: Clock) -> Guidelines:
    """Return the guidelines of a desk, not yet in force. Raises GuidelineError where nothing could ever come into force."""
    file, versions = settings.guidelines.file, Versions(state / GUIDELINES_NAME)
    if versions.last() is None:
        rules_of(file)
    return Guidelines(versions, clock, str(file or DEFAULT_FILE.name))


def _inherit(cache: LiveCache, triage: Triage, sources: set[str]) -> int:
    """Let triage know the snapshots before of sources that another engine ran; returns of how many symbols."""
    values = [value for value in cache.all() if value.source in sources]
    triage.inherit(values)
    return len(values)
