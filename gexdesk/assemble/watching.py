"""Make what watches a desk: incidents and their causes, who is paged and takes over the shift, and what can be wound back to."""

from typing import NamedTuple

from gexdesk.assemble.feeding import Feeding
from gexdesk.assemble.ground import Ground
from gexdesk.assemble.state_folder import HISTORY_NAME
from gexdesk.assemble.way import Way
from gexdesk.engine.hand_over import HandOver
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.incidents.shelf import Shelf
from gexdesk.engine.lag import Lag
from gexdesk.engine.pager import Pager, Paging
from gexdesk.engine.readers import Readers
from gexdesk.engine.rewind import Rewind
from gexdesk.engine.shift import Shift
from gexdesk.engine.watch.admission import AdmissionBroken
from gexdesk.engine.watch.backlog import Backlog
from gexdesk.engine.watch.bound import BoundBroken
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
from gexdesk.engine.watch.watch import Watch
from gexdesk.engine.watch.water import HighWater
from gexdesk.stores.daybook import Daybook

HISTORY_DAYS, HISTORY_BYTES = 14, 256 * 1024 * 1024
"""A picture a minute is kept for so many days, about 10 MB each on a busy desk; its figures beside it take a tenth."""


class Watching(NamedTuple):
    """Hold it."""

    mutes: Mutes
    pager: Pager
    incidents: Incidents
    shift: Shift
    hand_over: HandOver
    rewind: Rewind
    host: Host
    lag: Lag
    watch: Watch


def watching_of(ground: Ground, way: Way, feeding: Feeding) -> Watching:
    """Make it; nothing runs yet."""
    state, clock, chronicle, provision = ground.state, ground.clock, ground.chronicle, ground.provision
    mutes, pager = Mutes(state / "mutes.json"), Pager(Paging(**ground.settings.pager.model_dump()), chronicle)
    incidents = Incidents(
        chronicle=chronicle, clock=clock, shelf=Shelf(state / "incidents"), mutes=mutes, pager=pager,
        readers=Readers({symbol.name: symbol.readers for symbol in ground.settings.symbols}).of, note=ground.keeper.note,
        fleet=feeding.fleet,
    )  # fmt: skip
    ground.record.tell(incidents.acted)
    shift = Shift(state / "shift.json")
    hand_over = HandOver(
        incidents=incidents, mutes=mutes, standing=ground.standing, shift=shift, failed_over=provision.serving.standing,
        gaps=provision.gaps.lines, clock=clock,
    )  # fmt: skip
    rewind = Rewind(
        Daybook(state / HISTORY_NAME, "pictures", keep_days=HISTORY_DAYS, keep_bytes=HISTORY_BYTES),
        Daybook(state / HISTORY_NAME, "figures", keep_days=HISTORY_DAYS, keep_bytes=HISTORY_BYTES // 4),
        chronicle,
    )
    host = Host(ground.ledger, clock)
    return Watching(mutes, pager, incidents, shift, hand_over, rewind, host, Lag(), _watch(ground, way, feeding, host))


def _watch(ground: Ground, way: Way, feeding: Feeding, host: Host) -> Watch:
    """Name every cause of an incident, in the order in which they are asked."""
    ledger, queue, guidelines = ground.ledger, ground.queue, ground.guidelines
    return Watch((
        host,
        KillSwitch(ground.standing),
        PromisesKept(ground.promises, queue.state),
        Backlog(ground.flow, queue.state),
        BoundBroken(way.measure.bound),
        AdmissionBroken(way.admission),
        HighWater(way.water),
        Feeds(ledger, ground.standing, ground.cache),
        Gaps(ledger),
        SymbolCauses(ground.provision, ledger, ground.standing, ground.cache),
        DeadLetters(ledger, way.letters),
        Stores(ground.keeper),
        SharedQueue(queue),
        *((feeding.fleet,) if feeding.fleet is not None else ()),
        Disk(ground.state, ledger),
        Fault(
            Kind.RULES_INVALID, "guidelines", lambda: fault.message if (fault := guidelines.fault) is not None else "",
            "correct the file; the last good set decides meanwhile", severity=1,
        ),
    ))  # fmt: skip
