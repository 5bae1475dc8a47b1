"""All that an engine joins."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from gexdesk.engine.backfill import Backfill
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.elsewhere import Elsewhere
from gexdesk.engine.endings import Endings
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.fleet import Fleet
from gexdesk.engine.flight import Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.keep import Keeper
from gexdesk.engine.lag import Lag
from gexdesk.engine.leases import Leases
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.levels import LevelLevers
from gexdesk.engine.levers.levers import Levers
from gexdesk.engine.lock import StateLock
from gexdesk.engine.lookout import Lookout
from gexdesk.engine.open_letters import OpenLetters
from gexdesk.engine.pager import Pager
from gexdesk.engine.picture import Picture
from gexdesk.engine.pool import Pool
from gexdesk.engine.provision import Provision
from gexdesk.engine.receive import Receive
from gexdesk.engine.relay import Relay
from gexdesk.engine.requests import Requests
from gexdesk.engine.rewind import Rewind
from gexdesk.engine.rulebook import Rulebook
from gexdesk.engine.schedules import Schedules
from gexdesk.engine.shift import Shift
from gexdesk.engine.standing import Standing
from gexdesk.engine.supply import Supply
from gexdesk.engine.triage import Triage
from gexdesk.engine.watch.host import Host
from gexdesk.engine.watch.watch import Watch
from gexdesk.engine.water import Water
from gexdesk.engine.work import Work
from gexdesk.guidelines.tally import Tally
from gexdesk.metrics.deviation import Deviation
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.queues.base import Queue
from gexdesk.stores.audit import Audit
from gexdesk.stores.base import DeskCache
from gexdesk.stores.spool import Spool


@dataclass(frozen=True)
class Parts:
    """Hold everything an engine joins; ``assemble`` alone makes them."""

    clock: Clock
    state: Path
    lock: StateLock
    queue: Queue
    spool: Spool
    pool: Pool
    ledger: Ledger
    flights: Flights
    standing: Standing
    keeper: Keeper
    triage: Triage
    receive: Receive
    requests: Requests
    backfill: Backfill
    leases: Leases
    work: Work
    endings: Endings
    letters: OpenLetters
    elsewhere: Elsewhere
    supply: Supply
    rulebook: Rulebook
    schedules: Schedules
    escalate: Escalate
    water: Water
    audit: Audit
    levers: Levers
    levels: LevelLevers
    lookout: Lookout
    picture: Picture
    cache: DeskCache
    fleet: Fleet | None
    relay: Relay | None
    follow: tuple[Callable[[], Coroutine[None, None, None]], ...]
    provision: Provision
    incidents: Incidents
    pager: Pager
    shift: Shift
    rewind: Rewind
    watch: Watch
    host: Host
    lag: Lag
    flow: Flow
    chronicle: Chronicle
    tally: Tally
    promises: Promises
    deviation: Deviation
    replay_position: Callable[[], str]
    keep_s: float
    keep_bytes: int
    lake_keep_days: float | None
