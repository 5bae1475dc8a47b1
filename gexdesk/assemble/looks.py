"""Name who answers each question that the picture does not."""

from gexdesk.assemble.ground import Ground
from gexdesk.assemble.levers import Hands
from gexdesk.assemble.state_folder import METADATA_NAME
from gexdesk.assemble.watching import Watching
from gexdesk.assemble.way import Way
from gexdesk.engine.incidents.looks import IncidentLooks
from gexdesk.engine.look_audit import AuditLooks
from gexdesk.engine.look_dead import DeadLooks
from gexdesk.engine.look_guidelines import RulebookLook
from gexdesk.engine.look_machine import MachineLooks
from gexdesk.engine.look_payload import PayloadLooks
from gexdesk.engine.look_queue import QueueLook
from gexdesk.engine.look_source import SourceLooks
from gexdesk.engine.look_symbols import SymbolLooks
from gexdesk.engine.lookout import Lookout
from gexdesk.model.look.guidelines import GuidelinesLook
from gexdesk.model.look.handover import HandOverLook
from gexdesk.model.look.history import HistoryLook, TrendLook
from gexdesk.model.look.incident import IncidentLook
from gexdesk.model.look.machine import MachineLook
from gexdesk.model.look.queue import JobsLook
from gexdesk.model.look.record import AuditLook, LogLook
from gexdesk.model.look.source import DeadLook, PayloadLook, SourceLook
from gexdesk.model.look.symbol import CompareLook, GapsLook, QuarantineLook, SymbolLook


def lookout_of(ground: Ground, way: Way, watching: Watching, hands: Hands) -> Lookout:
    """Return the one who hands each question to who answers it."""
    queue, flights, keeper, spool, clock = ground.queue, ground.flights, ground.keeper, ground.spool, ground.clock
    ledger, provision, state = ground.ledger, ground.provision, ground.state
    on_symbols, dead = SymbolLooks(ground.cache, provision, clock), DeadLooks(keeper, spool)
    machine = MachineLooks(
        work=way.work, pool=way.pool, flights=flights, triage=way.triage, keeper=keeper, spool=spool, rewind=watching.rewind,
        deviation=way.deviation, clock=clock, state=state, metadata=state / METADATA_NAME, engine_id=ground.engine_id,
    )  # fmt: skip
    return Lookout({
        JobsLook: QueueLook(queue, flights, ground.flow).jobs,
        DeadLook: dead.dead,
        GuidelinesLook: RulebookLook(hands.rulebook, ground.tally, clock).guidelines,
        IncidentLook: IncidentLooks(watching.incidents).answer,
        HandOverLook: watching.hand_over.answer,
        HistoryLook: watching.rewind.pictures,
        TrendLook: watching.rewind.trend,
        SymbolLook: on_symbols.symbol,
        QuarantineLook: on_symbols.quarantine,
        CompareLook: provision.comparison.answer,
        GapsLook: provision.gaps.answer,
        SourceLook: SourceLooks(ledger, provision, keeper, dead, clock).source,
        PayloadLook: PayloadLooks(flights, queue, spool, keeper, dead).payload,
        LogLook: ground.chronicle.answer,
        AuditLook: AuditLooks(ground.audit, clock).audit,
        MachineLook: machine.machine,
    })  # fmt: skip
