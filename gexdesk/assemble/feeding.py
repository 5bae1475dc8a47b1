"""Make what feeds a desk: its sources, what runs them, and the fleet that says which of them run here."""

import platform
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gexdesk.assemble.ground import Ground
from gexdesk.assemble.sources import REPLAY_LEAD_S, source_of
from gexdesk.assemble.way import Way
from gexdesk.engine.fleet import Fleet
from gexdesk.engine.shared import Shared
from gexdesk.engine.supply import Supply
from gexdesk.engine.triage import Triage
from gexdesk.sources.directory import Directory
from gexdesk.sources.replay import Replay
from gexdesk.stores.base import LiveCache


class Feeding(NamedTuple):
    """Hold it.

    Attributes:
        fleet: None for a desk of its own.
    """

    supply: Supply
    fleet: Fleet | None
    replays: list[Replay]


def feeding_of(ground: Ground, way: Way, *, once: bool, replay_speed: float) -> Feeding:
    """Make it; ``once`` and ``replay_speed`` are those of ``assemble``, which it raises as, too."""
    clock, receive, ownership = ground.clock, way.receive, ground.ownership
    make = partial(
        source_of, keys=ground.keys, clock=clock, state=ground.state,
        taken=Path(ground.sharing.shared, "taken") if ground.sharing is not None else ground.state,
        once=once, started_at=clock.now() + (REPLAY_LEAD_S if once else 0.0), speed=replay_speed,
    )  # fmt: skip
    sources = {source.name: make(source) for source in ground.settings.sources}
    alone = ground.board is None
    together = receive.deliver_together if alone else ownership.guard_together(receive.deliver_together)
    for source in sources.values():
        if isinstance(source, Directory):
            source.takes_together(together, ground.settings.engine.gate_bytes)
    supply = Supply(
        sources, ground.ledger, receive.deliver if alone else ownership.guard(receive.deliver), ground.chronicle, clock,
        may_run=(lambda _: True) if alone else ownership.runs, missed=ground.provision.gaps.counted,
    )  # fmt: skip
    return Feeding(supply, _fleet(ground, way, supply), [source for source in sources.values() if isinstance(source, Replay)])


def _fleet(ground: Ground, way: Way, supply: Supply) -> Fleet | None:
    if ground.board is None:
        return None
    shared = Shared(
        ground.board, host=platform.node(), record=ground.record, chronicle=ground.chronicle, clock=ground.clock,
        memory=ground.state / "unshared.msgpack",
    )  # fmt: skip
    return Fleet(
        board=ground.board, ownership=ground.ownership, shared=shared, supply=supply, standing=ground.standing,
        chronicle=ground.chronicle, ledger=ground.ledger, clock=ground.clock, gained=partial(_inherit, ground.cache, way.triage),
        memory=ground.state / "owned.json",
    )  # fmt: skip


def _inherit(cache: LiveCache, triage: Triage, sources: set[str]) -> int:
    """Let triage know the snapshots before of sources that another engine ran; returns of how many symbols."""
    values = [value for value in cache.all() if value.source in sources]
    triage.inherit(values)
    return len(values)
