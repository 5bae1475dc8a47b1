"""Make what a payload passes on its way: from the bytes that come to the end of its job."""

from math import inf
from typing import NamedTuple

from gexdesk.assemble.ground import Ground
from gexdesk.assemble.links import REDIS_AWAY_S
from gexdesk.assemble.sources import redacted
from gexdesk.engine.admission import Admission
from gexdesk.engine.came import Came
from gexdesk.engine.endings import Endings
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.expectations import Expectations
from gexdesk.engine.leases import Leases
from gexdesk.engine.measure import RESERVED, Measure
from gexdesk.engine.open_letters import OpenLetters
from gexdesk.engine.pool import Pool
from gexdesk.engine.publish import Publish
from gexdesk.engine.receive import Receive
from gexdesk.engine.requests import Requests
from gexdesk.engine.triage import Triage
from gexdesk.engine.water import Water
from gexdesk.engine.work import Work
from gexdesk.metrics.deviation import Deviation
from gexdesk.model.level import Level
from gexdesk.settings.sources import HttpSource
from gexdesk.sources.address import Addresses
from gexdesk.sources.fetch_once import FetchOnce, SourceKey
from gexdesk.stores.request_log import RequestLog


class Way(NamedTuple):
    """Hold it."""

    measure: Measure
    admission: Admission
    pool: Pool
    leases: Leases
    escalate: Escalate
    water: Water
    triage: Triage
    receive: Receive
    requests: Requests
    expectations: Expectations
    letters: OpenLetters
    endings: Endings
    deviation: Deviation
    work: Work


def way_of(ground: Ground) -> Way:
    """Make it; nothing runs yet."""
    settings, clock, chronicle, queue = ground.settings, ground.clock, ground.chronicle, ground.queue
    ledger, flights, flow, keeper, standing = ground.ledger, ground.flights, ground.flow, ground.keeper, ground.standing
    provision, promises_s, keys = ground.provision, ground.promises_s, ground.keys
    limits, names = settings.engine, ground.symbols.aliases
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
        tally=ground.tally,
        flow=flow,
        chronicle=chronicle,
        clock=clock,
        rules=lambda: ground.guidelines.current,
        promises_s=promises_s,
        conventions=settings.conventions,
        flights=flights,
        gates=provision.gates,
        gaps=provision.gaps,
        names=names,
        came=Came(ground.board, ground.spool, flights, ledger) if ground.board is not None else None,
        measure=measure,
        admission=admission,
        water=water,
    )
    receive = Receive(
        ground.spool, ledger, flights, triage, clock,
        limit_bytes=limits.payload_limit_bytes, gate_bytes=limits.gate_bytes, columns_folder=str(ground.state / "columns"),
    )  # fmt: skip
    polled = [source for source in settings.sources if isinstance(source, HttpSource)]
    addresses = Addresses({source.name: source.base_url or source.url for source in polled}, settings.submit.hosts)
    requests = Requests(
        log=RequestLog(ground.state / "requests.jsonl"),
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
        promises=ground.promises,
        chronicle=chronicle,
        clock=clock,
        names=names,
    )
    expectations, letters, deviation = Expectations(chronicle), OpenLetters(), Deviation()
    publish = Publish(cache=ground.cache, provision=provision, ledger=ledger, promises=ground.promises, clock=clock)
    endings = Endings(
        queue=queue, flights=flights, leases=leases, publish=publish, keeper=keeper, spool=ground.spool, ledger=ledger,
        letters=letters, requests=requests, chronicle=chronicle, clock=clock,
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
        names=names,
        ledger=ledger,
        deviation=deviation,
        flow=flow,
        chronicle=chronicle,
        clock=clock,
        workers=limits.workers,
        reserved=RESERVED,
        parcels=ground.state / "carried",
        conventions=settings.conventions,
    )
    return Way(
        measure, admission, pool, leases, escalate, water, triage, receive, requests, expectations, letters, endings, deviation,
        work,
    )  # fmt: skip
