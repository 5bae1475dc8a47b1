"""Make what every other part of a desk stands on: its folder, clock and words, its queue and stores, its sources and symbols."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gexdesk.assemble.keys import key_of
from gexdesk.assemble.links import Link, link_of, queue_of
from gexdesk.assemble.offline import rules_of
from gexdesk.assemble.sources import account_of, inner_accounts
from gexdesk.assemble.state_folder import AUDIT_NAME, GUIDELINES_NAME, METADATA_NAME, make_state_folder
from gexdesk.assemble.symbols import source_units, symbols_of
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.flight import Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.record import Record
from gexdesk.engine.ownership import Ownership
from gexdesk.engine.provision import Provision
from gexdesk.engine.standing import Standing
from gexdesk.engine.symbols import Symbols
from gexdesk.guidelines.reload import Guidelines
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.guidelines.tally import Tally
from gexdesk.guidelines.versions import Versions
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.view.log import LogLine
from gexdesk.queues.base import Queue
from gexdesk.queues.redis_name import engine_name
from gexdesk.settings.desk import Settings
from gexdesk.sources.secret import Secret
from gexdesk.stores.audit import Audit
from gexdesk.stores.base import DeskCache
from gexdesk.stores.cache import EmbeddedCache
from gexdesk.stores.exports import Exports
from gexdesk.stores.lake import Lake
from gexdesk.stores.metadata import Metadata
from gexdesk.stores.sharing import Sharing, share
from gexdesk.stores.spool import Spool

if TYPE_CHECKING:
    from gexdesk.fleet.board import Board

Log = Callable[[LogLine, Mapping[str, str]], None]


class Ground(NamedTuple):
    """Hold it.

    Attributes:
        engine_id: Of this life of the engine.
        keys: Of the sources that have one.
        link, board, ownership: Of a fleet; a desk without Redis has neither link nor board, and owns all its sources.
        sharing: Where the hosts of a fleet keep what all of them may ask for.
        turn: Held by whatever changes what operators set.
    """

    settings: Settings
    clock: Clock
    state: Path
    engine_id: str
    keys: dict[str, Secret]
    chronicle: Chronicle
    promises_s: dict[Level, float | None]
    promises: Promises
    ledger: Ledger
    flights: Flights
    flow: Flow
    tally: Tally
    guidelines: Guidelines
    standing: Standing
    link: Link | None
    queue: Queue
    spool: Spool
    sharing: Sharing | None
    keeper: Keeper
    cache: DeskCache
    symbols: Symbols
    ownership: Ownership
    board: "Board | None"
    audit: Audit
    record: Record
    turn: asyncio.Lock
    provision: Provision


def ground_of(settings: Settings, clock: Clock, log: Log | None) -> Ground:
    """Make it; the state folder is made, nothing is opened yet. Raises as ``assemble``."""
    state = make_state_folder(settings.state)
    promises_s = {level: settings.promise_s(level) for level in LEVELS}
    keys = {source.name: key for source in settings.sources if (key := key_of(source, settings)) is not None}
    chronicle = Chronicle(clock, log)
    ledger = Ledger([*(account_of(source) for source in settings.sources), *inner_accounts(settings)])
    guidelines = _guidelines(settings, state, clock)
    standing = Standing(state / "standing.json")
    link = link_of(settings, state)
    shared = settings.engine.shared
    sharing = share(state, shared, engine_name(state / "redis-name")) if shared is not None else None
    keeper = Keeper(
        Lake(state / "lake" if sharing is None else sharing.lake),
        Metadata(state / METADATA_NAME), chronicle, clock, state,
        exports=Exports(sharing.exports, state / AUDIT_NAME) if sharing is not None else None,
    )  # fmt: skip
    cache: DeskCache = EmbeddedCache() if link is None else link.cache()
    symbols = symbols_of(settings, ledger)
    audit = Audit(state / AUDIT_NAME)
    record = Record(audit, clock)
    return Ground(
        settings=settings,
        clock=clock,
        state=state,
        engine_id=secrets.token_hex(4),
        keys=keys,
        chronicle=chronicle,
        promises_s=promises_s,
        promises=Promises(promises_s),
        ledger=ledger,
        flights=Flights(),
        flow=Flow(clock),
        tally=Tally(),
        guidelines=guidelines,
        standing=standing,
        link=link,
        queue=queue_of(link, state, clock),
        spool=Spool(state / "spool", clock=clock, gate_bytes=settings.engine.gate_bytes),
        sharing=sharing,
        keeper=keeper,
        cache=cache,
        symbols=symbols,
        ownership=Ownership(source_units(settings, symbols.aliases), clock.monotonic),
        board=link.board() if link is not None else None,
        audit=audit,
        record=record,
        turn=asyncio.Lock(),
        provision=Provision(
            symbols=symbols, ledger=ledger, standing=standing, cache=cache, keeper=keeper, record=record, chronicle=chronicle,
            clock=clock, state=state,
        ),
    )  # fmt: skip


def _guidelines(settings: Settings, state: Path, clock: Clock) -> Guidelines:
    """Return the guidelines of a desk, not yet in force. Raises GuidelineError where nothing could ever come into force."""
    file, versions = settings.guidelines.file, Versions(state / GUIDELINES_NAME)
    if versions.last() is None:
        rules_of(file)
    return Guidelines(versions, clock, str(file or DEFAULT_FILE.name))
