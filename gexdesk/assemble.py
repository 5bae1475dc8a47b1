"""Make the concrete parts of one desk and join them: the only place that names them all."""

import asyncio
import hashlib
import os
import platform
import secrets
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import structs

from gexdesk.engine import inspect
from gexdesk.engine.admission import Admission
from gexdesk.engine.backfill import SOURCE as GAP_FILL
from gexdesk.engine.backfill import Backfill
from gexdesk.engine.came import Came
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.elsewhere import Elsewhere
from gexdesk.engine.engine import COPIES_NAME, Engine, Parts
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
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.levers.guidelines import GuidelineLevers
from gexdesk.engine.levers.incidents import IncidentLevers
from gexdesk.engine.levers.jobs import JobLevers
from gexdesk.engine.levers.levels import LevelLevers
from gexdesk.engine.levers.levers import Levers
from gexdesk.engine.levers.pauses import PauseLevers
from gexdesk.engine.levers.record import Record
from gexdesk.engine.levers.shift import ShiftLevers
from gexdesk.engine.levers.symbols import SymbolLevers
from gexdesk.engine.levers.targets import Target, Targets
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
from gexdesk.engine.measure import Measure
from gexdesk.engine.ownership import Ownership, units_of
from gexdesk.engine.pager import Pager, Paging
from gexdesk.engine.picture import Picture
from gexdesk.engine.pool import Pool
from gexdesk.engine.provision import Provision
from gexdesk.engine.publish import Publish
from gexdesk.engine.readers import Readers
from gexdesk.engine.receive import Receive
from gexdesk.engine.requests import SUBMITTED, Requests
from gexdesk.engine.rewind import Rewind
from gexdesk.engine.rulebook import Rulebook
from gexdesk.engine.schedules import Schedule, Schedules
from gexdesk.engine.shared import Shared
from gexdesk.engine.shared_levers import SharedLevers
from gexdesk.engine.shift import Shift
from gexdesk.engine.standing import Standing
from gexdesk.engine.supply import Supply
from gexdesk.engine.symbols import Plan, Symbols
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
from gexdesk.gates.agree import Tolerances
from gexdesk.gates.facts import Limits
from gexdesk.guidelines.backtest import Backtest, backtest
from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.hours import hours
from gexdesk.guidelines.labelled import Report, check, read_labelled
from gexdesk.guidelines.reload import Guidelines
from gexdesk.guidelines.rules import DEFAULT_FILE, RuleSet, load, load_default, text_of
from gexdesk.guidelines.rules import read as read_rules
from gexdesk.guidelines.tally import Tally
from gexdesk.guidelines.versions import Version, Versions
from gexdesk.metrics.deviation import Deviation
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.model.daytime import WEEKDAYS, DaySpan, days_since_1970, read_span, read_time
from gexdesk.model.decision import Bound, Decision
from gexdesk.model.errors import GexdeskError, GuidelineError, SettingsError
from gexdesk.model.features import Features
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.look import (
    AuditLook,
    CompareLook,
    DeadLook,
    GapsLook,
    GuidelinesLook,
    HandOverLook,
    HistoryLook,
    IncidentLook,
    JobsLook,
    LogLook,
    MachineLook,
    PayloadLook,
    QuarantineLook,
    SourceLook,
    SymbolLook,
    TrendLook,
)
from gexdesk.model.text import printable
from gexdesk.model.view import LogLine
from gexdesk.queues.base import Queue
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.queues.redis_name import engine_name
from gexdesk.sample.story import SOURCES
from gexdesk.settings import (
    LOCK_NAME,
    AnySource,
    DirectorySource,
    HttpSource,
    Rates,
    RedisSettings,
    RedisStreamSource,
    ReplaySource,
    Settings,
    SymbolSettings,
    WebSocketSource,
)
from gexdesk.sources.address import Addresses
from gexdesk.sources.base import Source
from gexdesk.sources.directory import Directory
from gexdesk.sources.fetch_once import FetchOnce, SourceKey
from gexdesk.sources.http import Http
from gexdesk.sources.pace import Pace
from gexdesk.sources.redis_stream import RedisStream
from gexdesk.sources.replay import Replay
from gexdesk.sources.secret import Secret
from gexdesk.sources.websocket import WebSocket
from gexdesk.stores.audit import Audit, BrokenLink, verify
from gexdesk.stores.base import DeskCache, LiveCache
from gexdesk.stores.cache import EmbeddedCache
from gexdesk.stores.daybook import Daybook
from gexdesk.stores.exports import Exports
from gexdesk.stores.lake import Lake
from gexdesk.stores.metadata import Metadata
from gexdesk.stores.query import Rows, run_query
from gexdesk.stores.request_log import RequestLog
from gexdesk.stores.sharing import share
from gexdesk.stores.spool import Spool

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from gexdesk.fleet.board import Board
    from gexdesk.stores.cache_redis import RedisCache

LIVE_SOURCES = (HttpSource, WebSocketSource, RedisStreamSource)
METADATA_NAME = "metadata.duckdb"
AUDIT_NAME = "audit.jsonl"
GUIDELINES_NAME = "guidelines"
"""Folder of the guidelines' versions in a state folder."""

HISTORY_NAME = "history"
HISTORY_DAYS, HISTORY_BYTES = 14, 256 * 1024 * 1024
"""A picture a minute is kept for so many days, about 10 MB each on a busy desk; its figures beside it take a tenth."""

RESERVED = 1
"""Slots that serve CRITICAL alone, in the pool and among the workers: the promise rests on them."""

REDIS_AWAY_S = 5.0
"""How long CRITICAL may wait for a Redis that went away before the journal on this host takes it: a silent connection's timeout."""

REDIS_AWAY_DO = "CRITICAL goes on by the journal on this host; look at the server and the network"

REPLAY_LEAD_S = 2.0
"""A replay that is played once waits so long for the engine to start: what is due before its source runs would be lost."""


def assemble(
    settings: Settings, clock: Clock, *, once: bool = False, replay_speed: float = 1.0,
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
    state = _folder(settings.state)
    limits = settings.engine
    promises_s = {level: settings.promise_s(level) for level in LEVELS}
    promises = Promises(promises_s)
    deviation = Deviation()
    conventions = settings.rates.conventions()

    keys = {source.name: key for source in settings.sources if (key := _key(source)) is not None}
    chronicle = Chronicle(clock, log)
    ledger = Ledger([*(_account(source) for source in settings.sources), *_inner_accounts(settings)])
    flights, flow, tally = Flights(), Flow(clock), Tally()
    guidelines = _guidelines(settings, state, clock)
    standing = Standing(state / "standing.json")
    link = _link(settings.redis, state)
    queue = _queue(link, state, clock)
    spool = Spool(state / "spool", clock=clock, gate_bytes=limits.gate_bytes)
    sharing = share(state, limits.shared, engine_name(state / "redis-name")) if limits.shared is not None else None
    lake = Lake(state / "lake" if sharing is None else sharing.lake)
    exports = Exports(sharing.exports, state / AUDIT_NAME) if sharing is not None else None
    keeper = Keeper(lake, Metadata(state / METADATA_NAME), chronicle, clock, state, exports=exports)
    cache: DeskCache = EmbeddedCache() if link is None else link.cache()
    symbols = _symbols(settings, ledger)
    ownership = Ownership(_units(settings, symbols.aliases), clock.monotonic)
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
        redact=lambda words: _redacted(words, keys.values()),
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
        queue, flights, flow, chronicle, clock, high_jobs=limits.high_jobs, high_bytes=limits.high_gb * 1e9
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
    work = Work(
        requests=requests,
        expectations=expectations,
        queue=queue,
        pool=pool,
        flights=flights,
        leases=leases,
        measure=measure,
        publish=Publish(cache=cache, provision=provision, ledger=ledger, promises=promises, clock=clock),
        names=symbols.aliases,
        keeper=keeper,
        spool=spool,
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
    make = partial(_source, keys=keys, clock=clock, state=state, taken=taken, once=once, started_at=story_at, speed=replay_speed)
    sources = {s.name: make(s) for s in settings.sources}
    supply = Supply(sources, ledger, receive.deliver, chronicle, clock)
    fleet = None
    if board is not None:
        supply = Supply(sources, ledger, ownership.guard(receive.deliver), chronicle, clock, may_run=ownership.runs)
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
        _schedules(settings), standing=standing, levels=levels, record=record, chronicle=chronicle, clock=clock, turn=turn
    )
    on_jobs = JobLevers(
        queue=queue,
        flights=flights,
        spool=spool,
        keeper=keeper,
        work=work,
        receive=receive,
        targets=targets,
        escalate=escalate,
        record=record,
        chronicle=chronicle,
    )
    on_rules = GuidelineLevers(rulebook, record)
    pauses = PauseLevers(
        queue=queue, ledger=ledger, standing=standing, supply=supply, record=record, chronicle=chronicle, clock=clock
    )
    mutes, pager = Mutes(state / "mutes.json"), Pager(Paging(**settings.pager.model_dump()), chronicle)
    incidents = Incidents(
        chronicle=chronicle, clock=clock, shelf=Shelf(state / "incidents"), mutes=mutes, pager=pager,
        readers=Readers({symbol.name: symbol.readers for symbol in settings.symbols}).of, note=keeper.note,
    )  # fmt: skip
    shift = Shift(state / "shift.json")
    hand_over = HandOver(
        incidents=incidents, mutes=mutes, standing=standing, shift=shift,
        gaps=lambda: [*provision.gaps.lines(), *_gaps(ledger)], clock=clock,
    )  # fmt: skip
    on_incidents = IncidentLevers(
        incidents=incidents, mutes=mutes, ledger=ledger, record=record, chronicle=chronicle, clock=clock
    )
    on_shift = ShiftLevers(
        hand_over=hand_over, shift=shift, incidents=incidents, record=record, chronicle=chronicle, clock=clock
    )
    rewind = Rewind(
        Daybook(state / HISTORY_NAME, "pictures", keep_days=HISTORY_DAYS, keep_bytes=HISTORY_BYTES),
        Daybook(state / HISTORY_NAME, "figures", keep_days=HISTORY_DAYS, keep_bytes=HISTORY_BYTES // 4),
        chronicle,
    )
    host, lag = Host(ledger, clock), Lag()
    backfill = Backfill(provision.gaps, symbols, receive.deliver, clock, limit_bytes=limits.payload_limit_bytes)
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
        DeadLetters(ledger),
        Stores(keeper),
        SharedQueue(queue),
        *((fleet,) if fleet is not None else ()),
        Disk(state),
        Fault(
            Kind.RULES_INVALID, "guidelines", lambda: fault.message if (fault := guidelines.fault) is not None else "",
            "correct the file; the last good set decides meanwhile", severity=1,
        ),
        *([Fault(Kind.REDIS_AWAY, "redis", lambda: queue.warning, REDIS_AWAY_DO)] if settings.redis is not None else []),
    )  # fmt: skip
    picture = Picture(
        queue=queue,
        ledger=ledger,
        standing=standing,
        triage=triage,
        work=work,
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
            leases=leases,
            work=work,
            elsewhere=Elsewhere(queue, flights, work, clock),
            supply=supply,
            rulebook=rulebook,
            schedules=schedules,
            escalate=escalate,
            water=water,
            audit=audit,
            levers=Levers(
                (levels, pauses, on_rules, on_jobs, on_incidents, on_shift, on_symbols),
                Undo({verb: family.inverse for family in (levels, pauses, on_rules, on_jobs) for verb in family.verbs}, record),
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
                        work=work, pool=pool, flights=flights, triage=triage, keeper=keeper, spool=spool, rewind=rewind,
                        deviation=deviation, clock=clock, state=state, metadata=state / METADATA_NAME, engine_id=engine_id,
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
            replay_position=lambda: _position(replays),
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


def audit_of(state: Path) -> Audit:
    """Return the audit of a state folder; nothing is opened before it is used."""
    return Audit(state / AUDIT_NAME)


def verify_audit(state: Path) -> int | BrokenLink:
    """Check every link of a state folder's audit: the number of lines, or the first broken one."""
    return verify(state / AUDIT_NAME)


def check_parts(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Try what a configuration names, without an engine.

    Yields:
        Each thing's name, why it cannot be used, and what to know of one that can; empty where there is nothing.
    """

    def tried(use: Callable[[], object]) -> str:
        try:
            use()
        except GexdeskError as error:
            return error.message
        return ""

    yield "guidelines", tried(lambda: rules_of(settings.guidelines.file)), ""
    for source in settings.sources:
        path = getattr(source, "path", None)
        missing = f"{path} is not there" if path is not None and not path.exists() else ""
        yield f"source {source.name}", missing or tried(partial(_key, source)), ""
    if settings.redis is not None:
        yield "redis", *asyncio.run(_check_redis(settings.redis))


async def _check_redis(redis: RedisSettings) -> tuple[str, str]:
    """Return why a server cannot hold the queue, and what to know of one that can."""
    from redis.exceptions import RedisError

    from gexdesk.queues.redis_server import check_server

    try:
        client = _client(redis)
    except GexdeskError as error:
        return error.message, ""
    try:
        async with asyncio.timeout(5):
            return "", await check_server(client, allow_unauthenticated=redis.allow_unauthenticated)
    except GexdeskError as error:
        return error.message, ""
    except (RedisError, OSError, TimeoutError) as error:
        return f"Redis does not answer ({type(error).__name__}): start it, or correct [redis] url", ""
    finally:
        await client.aclose()


def _gaps(ledger: Ledger) -> list[str]:
    """Return what sources missed by their senders' own count, one line each."""
    return [f"{a.name}: {a.missed:,} messages never came, the last of them {a.last_missed}" for a in ledger.all() if a.missed]


def _schedules(settings: Settings) -> list[Schedule]:
    sources = {source.name for source in settings.sources}
    return [
        Schedule(
            name=one.name,
            target=Target("source" if one.target in sources else "symbol", one.target),
            level=one.level,
            bound=Bound(one.bound.replace("_", " ")),
            reason=one.reason,
            span=DaySpan(read_time(one.begins), read_time(one.to)),
            weekdays=frozenset(WEEKDAYS.index(day) for day in one.days if day in WEEKDAYS),
            dates=frozenset(days_since_1970(day) for day in one.days if day not in WEEKDAYS),
            trading_days=one.trading_days,
        )
        for one in settings.schedules
    ]


def _folder(state: Path) -> Path:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return state.resolve()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(f"the state folder {printable(str(state))} cannot be made: {why}; name another one") from error


def _account(source: AnySource) -> Account:
    match source:
        case DirectorySource():
            due_s: float | None = None
        case _:
            due_s = source.every_s
    return Account(
        name=source.name,
        kind=source.kind,
        symbols=source.symbols,
        format=source.format or "",
        standing=source.level,
        configured_delay_s=source.delay_s,
        due_s=due_s,
        data_type=source.data_type,
        assumed=(source.assume.volume, source.assume.open_interest) if source.assume is not None else None,
        delay_s=source.delay_s or 0.0,
        hours=source.hours if isinstance(source, LIVE_SOURCES) else "always",
        base_url=_base_url(source),
        vendor=_vendor(source),
    )


def _base_url(source: AnySource) -> str:
    """Return where a source gets its data, for people: a key that somebody wrote into a query is not in it."""
    address = getattr(source, "url", None) or str(getattr(source, "path", ""))
    return printable(address.partition("?")[0])


def _inner_accounts(settings: Settings) -> list[Account]:
    """Return the accounts of what comes from no configured source: documents of allowed hosts, and files that fill gaps."""
    accounts = []
    if settings.submit.hosts:
        accounts.append((SUBMITTED, "submitted", "auto", "snapshot"))
    if any(symbol.history is not None for symbol in settings.symbols):
        accounts.append((GAP_FILL, "backfill", "LOW", "historical"))
    return [
        Account(
            name=name, kind=kind, symbols=(), format="", standing=standing, configured_delay_s=None, due_s=None, data_type=data_type
        )
        for name, kind, standing, data_type in accounts
    ]


def _vendor(source: AnySource) -> str:
    """Name who runs a source: what the configuration says, else the host of its URL, else its name up to the first ``-``."""
    if source.vendor:
        return source.vendor
    return urlsplit(getattr(source, "url", "")).hostname or source.name.partition("-")[0]


def _symbols(settings: Settings, ledger: Ledger) -> Symbols:
    """Return every symbol that the configuration or a live source names, in that order; the first one stands as configured."""
    named = {symbol.name: symbol for symbol in settings.symbols}
    owner = {alias: symbol.name for symbol in settings.symbols for alias in symbol.aliases}
    live = [source for source in settings.sources if source.level and source.data_type != "historical"]
    carried = dict.fromkeys(owner.get(symbol, symbol) for source in live for symbol in source.symbols)
    plans = []
    for name in dict.fromkeys((*named, *carried)):
        symbol = named.get(name) or SymbolSettings(name=name)
        plans.append(
            Plan(
                name=name,
                expected=True,
                session=symbol.session,
                readers=symbol.readers,
                serving=symbol.serving or "",
                standby=symbol.standby or "",
                aliases=symbol.aliases,
                failover_after_s=symbol.failover_after_s,
                fail_back_after_s=symbol.fail_back_after_s,
                history=symbol.history,
                limits=Limits(**symbol.gates.model_dump(exclude_none=True)),
                tolerances=Tolerances(**symbol.compare.model_dump(exclude_none=True)),
            )
        )
    return Symbols(plans, ledger)


def _key(source: AnySource) -> Secret | None:
    if not isinstance(source, LIVE_SOURCES):
        return None
    if source.key_env is not None:
        return Secret.from_env(source.key_env)
    return Secret.from_file(source.key_file.expanduser()) if source.key_file is not None else None


class _Link:
    """Hold the one client of a desk's Redis, and make what speaks to it."""

    def __init__(self, client: "Redis", settings: RedisSettings, engine: str) -> None:
        self.client = client
        self.settings = settings
        self.engine = engine
        self.live: RedisCache | None = None

    def board(self) -> "Board":
        """Return where the engines of a fleet meet."""
        from gexdesk.fleet.board import Board

        return Board(self.client, prefix=self.settings.prefix, engine=self.engine)

    def cache(self) -> "RedisCache":
        """Return the live values, for readers of any engine."""
        from gexdesk.stores.cache_redis import RedisCache

        self.live = RedisCache(self.client, self.settings.prefix)
        return self.live


def _inherit(cache: LiveCache, triage: Triage, sources: set[str]) -> int:
    """Let triage know the snapshots before of sources that another engine ran; returns of how many symbols."""
    values = [value for value in cache.all() if value.source in sources]
    triage.inherit(values)
    return len(values)


def _units(settings: Settings, aliases: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the sources that one engine has to run together."""
    return units_of({s.name: [aliases.get(symbol, symbol) for symbol in s.symbols] for s in settings.sources if s.level})


def _link(redis: RedisSettings | None, state: Path) -> _Link | None:
    """Return what reaches the configured Redis; nothing is connected yet. Raises SettingsError."""
    if redis is None:
        return None
    return _Link(_client(redis), redis, engine_name(state / "redis-name"))


def _client(redis: RedisSettings) -> "Redis":
    # Loaded where it is configured: a desk without Redis starts without its library.
    from gexdesk.queues.redis_client import redis_client

    key = _password(redis)
    return redis_client(redis.url, username=redis.username, password=key.reveal() if key is not None else None)


def _password(redis: RedisSettings) -> Secret | None:
    if redis.key_env is not None:
        return Secret.from_env(redis.key_env)
    return Secret.from_file(redis.key_file) if redis.key_file is not None else None


def _queue(link: _Link | None, state: Path, clock: Clock) -> Queue:
    """Return the queue of this state folder, or the one in Redis with a journal here for CRITICAL."""
    if link is None:
        return EmbeddedQueue(state / "queue.sqlite", clock=clock)
    from gexdesk.queues.redis import RedisQueue
    from gexdesk.queues.redis_bridge import BridgedQueue
    from gexdesk.queues.redis_parcels import Parcels

    far = RedisQueue(
        link.client, prefix=link.settings.prefix, engine=link.engine, clock=clock,
        allow_unauthenticated=link.settings.allow_unauthenticated,
    )  # fmt: skip
    return BridgedQueue(far, EmbeddedQueue(state / "bridge.sqlite", clock=clock), Parcels(state / "parcels"))


def redactor(settings: Settings) -> Callable[[str], str]:
    """Return what takes every key that a configuration names out of a text. Raises SettingsError."""
    keys = [key for source in settings.sources if (key := _key(source)) is not None]
    if settings.redis is not None and (password := _password(settings.redis)) is not None:
        keys.append(password)
    return lambda words: _redacted(words, keys)


def _redacted(words: str, keys: Iterable[Secret]) -> str:
    for key in keys:
        words = key.redact(words)
    return words


def _source(
    source: AnySource, *, keys: Mapping[str, Secret], clock: Clock, state: Path, taken: Path, once: bool, started_at: float,
    speed: float,
) -> Source:  # fmt: skip
    match source:
        case HttpSource():
            return Http(
                source.name,
                source.url,
                pace=Pace(source.every_s, source.every_outside_s, source.hours),
                timeout_s=source.timeout_s,
                rate_per_s=source.rate_per_s,
                clock=clock,
                key=keys.get(source.name),
                key_header=source.key_header,
                key_param=source.key_param,
            )
        case WebSocketSource():
            return WebSocket(
                source.name,
                source.url,
                clock=clock,
                subscribe=source.subscribe,
                every_s=source.every_s,
                hours=source.hours,
                data=source.data,
                sequence=source.sequence,
                timeout_s=source.timeout_s,
                key=keys.get(source.name),
                key_header=source.key_header,
                key_param=source.key_param,
            )
        case RedisStreamSource():
            return RedisStream(
                source.name,
                source.url,
                clock=clock,
                stream=source.stream,
                group=source.group,
                consumer=_consumer(state),
                field=source.field,
                username=source.username,
                password=keys.get(source.name),
                timeout_s=source.timeout_s,
            )
        case DirectorySource():
            return Directory(source.name, source.path, clock=clock, once=once, memory=taken / f"taken-{source.name}.jsonl")
        case ReplaySource():
            return Replay(source.name, source.path, started_at=started_at, clock=clock, loop=not once, speed=speed)


def _consumer(state: Path) -> str:
    """Name this desk among the consumers of a stream: the same after a restart, another for every other state folder."""
    return f"{platform.node()[:64]}-{hashlib.sha256(os.fsencode(state)).hexdigest()[:8]}"


def _position(replays: list[Replay]) -> str:
    return f"replay {replays[0].position_s:.0f} of {replays[0].length_s:.0f} s" if replays else ""


def sample_settings(state: Path) -> Settings:
    """Return the sample desk: every feed of the sample morning as a replay."""
    folder = _sample_folder()
    sources = []
    for source in SOURCES:
        table: dict[str, Any] = {
            "kind": "replay",
            "name": source.name,
            "path": folder,
            "symbols": source.symbols,
            "format": source.format,
            "level": source.level,
            "delay_s": source.delay_s,
            "every_s": source.every_s,
            "data_type": "historical" if source.name == "backfill" else "real_time",
        }
        if source.assume_volume is not None and source.assume_open_interest is not None:
            table["assume"] = {"volume": source.assume_volume, "open_interest": source.assume_open_interest}
        sources.append(table)
    return Settings.model_validate({"state": state, "sources": sources, "mode": "sample"})


def inspect_file(path: Path, format_name: str | None) -> list[dict[str, Any]]:
    """Decode a file and compute its exposure under the default conventions. Raises PayloadError."""
    return inspect.inspect_file(path, format_name, Rates().conventions())


def ask(sql: str, state: Path, metadata_copy: Path | None) -> Rows:
    """Answer one read-only question over a state folder's stores; errors as in ``run_query``."""
    return run_query(sql, state=state, metadata_copy=metadata_copy or state / METADATA_NAME)


def guidelines_in_force(state: Path, file: Path | None) -> RuleSet:
    """Return the set a desk decides by: the last version its state folder keeps, else the configured file, else the default.

    Raises:
        GuidelineError: It cannot be read.
    """
    versions = Versions(state / GUIDELINES_NAME)
    last = versions.last()
    if last is not None:
        return read_rules(versions.text(last), last.version)
    return rules_of(file)


def rules_of(file: Path | None) -> RuleSet:
    """Read a rule file, or the default set. Raises GuidelineError."""
    return load(file) if file is not None else load_default()


def rule_text(file: Path) -> str:
    """Return the text of a rule file that can be used. Raises GuidelineError."""
    text = text_of(file)
    read_rules(text, str(file))
    return text


def guideline_history(state: Path) -> tuple[Version, ...]:
    """Return every version of the guidelines a state folder keeps, the oldest first. Raises GuidelineError."""
    return Versions(state / GUIDELINES_NAME).history()


def explain(features: Features, rules: RuleSet, at: float) -> Decision:
    """Decide features as the engine would at a moment, in the session of that moment."""
    kind, minutes_to_close = hours(at)
    return decide(structs.replace(features, session=kind, minutes_to_close=minutes_to_close), rules, at=at)


def check_labelled(file: Path, rules: RuleSet) -> Report:
    """Decide the rows of a labelled CSV. Raises GuidelineError naming bad lines."""
    return check(read_labelled(file), rules)


def try_on_record(before: RuleSet, after: RuleSet, state: Path, metadata_copy: Path | None, last: int) -> Backtest:
    """Compare two sets over the last recorded decisions of a state folder; errors as in ``ask``, and GuidelineError."""
    import polars as pl

    if metadata_copy is None and not (state / METADATA_NAME).is_file():
        raise GuidelineError(f"{state} has no recorded decisions: let the desk run, or name its state folder with --state")
    names = ", ".join(f"'{name}'" for name in (*Features.__struct_fields__, "override_level"))
    columns = f"COLUMNS(lambda c: c IN ({names})), epoch_us(decided_at) / 1e6 AS decided_at"
    rows = ask(f"SELECT {columns} FROM decisions ORDER BY decided_at DESC LIMIT {int(last)}", state, metadata_copy)  # noqa: S608
    if not rows:
        raise GuidelineError(f"{state} has no recorded decisions yet: let the desk run")
    service = "SELECT max(epoch(available_at - started_at)) AS longest_s FROM jobs WHERE level = 'CRITICAL'"
    longest_s = ask(service, state, metadata_copy)[0]["longest_s"]
    capacity_per_min = RESERVED * 60 / longest_s if longest_s else None
    return backtest(pl.DataFrame(rows, infer_schema_length=None), before, after, capacity_per_min)


def _sample_folder() -> Path:
    """Return where the sample morning lies: in the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    packaged = here / "sample" / "data"
    return packaged if packaged.is_dir() else here.parent / "sample_data"
