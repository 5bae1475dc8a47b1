"""Make every lever that an operator may pull, and what pulls some of them by itself."""

from typing import NamedTuple

from gexdesk.assemble.feeding import Feeding
from gexdesk.assemble.ground import Ground
from gexdesk.assemble.state_folder import GUIDELINES_NAME
from gexdesk.assemble.symbols import schedules_of
from gexdesk.assemble.watching import Watching
from gexdesk.assemble.way import Way
from gexdesk.engine.backfill import SOURCE as GAP_FILL
from gexdesk.engine.backfill import Backfill
from gexdesk.engine.engine import COPIES_NAME
from gexdesk.engine.impact import Impact
from gexdesk.engine.levers.guidelines import GuidelineLevers
from gexdesk.engine.levers.incidents import IncidentLevers
from gexdesk.engine.levers.jobs import JobLevers
from gexdesk.engine.levers.levels import LevelLevers
from gexdesk.engine.levers.levers import Levers
from gexdesk.engine.levers.pauses import PauseLevers
from gexdesk.engine.levers.shift import ShiftLevers
from gexdesk.engine.levers.symbols import SymbolLevers
from gexdesk.engine.levers.targets import Targets
from gexdesk.engine.levers.undo import Undo
from gexdesk.engine.measure import RESERVED
from gexdesk.engine.rulebook import Rulebook
from gexdesk.engine.schedules import Schedules
from gexdesk.engine.shared_levers import SharedLevers
from gexdesk.engine.trial import Trial
from gexdesk.model.daytime import read_span


class Hands(NamedTuple):
    """Hold it."""

    levers: Levers
    levels: LevelLevers
    rulebook: Rulebook
    schedules: Schedules
    backfill: Backfill


def hands_of(ground: Ground, way: Way, feeding: Feeding, watching: Watching) -> Hands:
    """Make it; in a fleet what is set here is shared from now on."""
    queue, ledger, flights, standing, keeper = ground.queue, ground.ledger, ground.flights, ground.standing, ground.keeper
    record, chronicle, clock, provision = ground.record, ground.chronicle, ground.clock, ground.provision
    fleet, incidents = feeding.fleet, watching.incidents
    targets = Targets(ledger, flights, queue, standing)
    levels = LevelLevers(
        queue=queue,
        ledger=ledger,
        standing=standing,
        triage=way.triage,
        flights=flights,
        keeper=keeper,
        targets=targets,
        escalate=way.escalate,
        admission=way.admission,
        impact=Impact(queue, ground.flow, slots=way.work.slots, reserved=RESERVED),
        expectations=way.expectations,
        record=record,
        chronicle=chronicle,
        clock=clock,
        promises_s=ground.promises_s,
        turn=ground.turn,
        leads=lambda: fleet is None or fleet.leads,
    )
    rulebook = _rulebook(ground)
    schedules = Schedules(
        schedules_of(ground.settings), standing=standing, levels=levels, keeper=keeper, record=record, chronicle=chronicle,
        clock=clock, turn=ground.turn,
    )  # fmt: skip
    on_jobs = JobLevers(
        queue=queue, flights=flights, spool=ground.spool, keeper=keeper, endings=way.endings, receive=way.receive, targets=targets,
        escalate=way.escalate, record=record, chronicle=chronicle,
    )  # fmt: skip
    on_rules = GuidelineLevers(rulebook, record)
    pauses = PauseLevers(
        queue=queue, ledger=ledger, standing=standing, supply=feeding.supply, record=record, chronicle=chronicle, clock=clock,
        serving=provision.serving,
    )  # fmt: skip
    on_incidents = IncidentLevers(
        incidents=incidents, mutes=watching.mutes, ledger=ledger, record=record, chronicle=chronicle, clock=clock
    )
    on_shift = ShiftLevers(
        hand_over=watching.hand_over, shift=watching.shift, incidents=incidents, record=record, chronicle=chronicle, clock=clock
    )
    backfill = Backfill(
        provision.gaps, ground.symbols, deliver=way.receive.deliver,
        waiting=lambda: way.water.aside > 0 or any(flight.payload.source == GAP_FILL for flight in flights.own()),
        chronicle=chronicle, clock=clock, limit_bytes=ground.settings.engine.payload_limit_bytes,
    )  # fmt: skip
    on_symbols = SymbolLevers(
        provision=provision, backfill=backfill, keeper=keeper, record=record, chronicle=chronicle, clock=clock
    )
    if fleet is not None:
        SharedLevers(
            standing=standing, supply=feeding.supply, queue=queue, ledger=ledger, levels=levels, rulebook=rulebook,
            serving=provision.serving, mutes=watching.mutes, shift=watching.shift, shift_levers=on_shift, clock=clock,
        ).share(fleet.shared)  # fmt: skip
    undo = Undo({verb: one.inverse for one in (levels, pauses, on_rules, on_jobs, on_symbols) for verb in one.verbs}, record)
    families = levels, pauses, on_rules, on_jobs, on_incidents, on_shift, on_symbols
    return Hands(Levers(families, undo, ground.turn, record), levels, rulebook, schedules, backfill)


def _rulebook(ground: Ground) -> Rulebook:
    chosen = ground.settings.guidelines
    return Rulebook(
        guidelines=ground.guidelines,
        trial=Trial(
            ground.guidelines, ground.keeper, ground.chronicle,
            last=chosen.backtest_last, folder=ground.state / COPIES_NAME, reserved=RESERVED,
        ),
        file=chosen.file,
        seen=ground.state / GUIDELINES_NAME / "file-seen",
        apply_on_save=chosen.apply_on_save,
        locked=[read_span(span) for span in chosen.locked_hours],
        keeper=ground.keeper,
        record=ground.record,
        chronicle=ground.chronicle,
        clock=ground.clock,
        turn=ground.turn,
    )  # fmt: skip
