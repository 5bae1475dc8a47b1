"""Let what operators set through one engine act on all: take it over here.

That is overrides, pauses, the kill switch, guidelines, fail-overs, maintenance windows and who has the shift.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.levels import LevelLevers
from gexdesk.engine.levers.shift import ShiftLevers
from gexdesk.engine.rulebook import Rulebook, SharedRules
from gexdesk.engine.serving import Served, Serving
from gexdesk.engine.shared import Kept, Shared
from gexdesk.engine.shift import OnDuty, Shift
from gexdesk.engine.standing import Pause, Standing
from gexdesk.engine.supply import Supply
from gexdesk.fleet.told import Entry
from gexdesk.model.clock import Clock
from gexdesk.model.decision import Override
from gexdesk.model.errors import QueueError
from gexdesk.model.view.incident import MuteView
from gexdesk.queues.base import Queue


class SharedLevers:
    """Do here what was done through another engine. Jobs are not moved: they lie in one queue, and whoever acted moved them."""

    def __init__(
        self, *, standing: Standing, supply: Supply, queue: Queue, ledger: Ledger, levels: LevelLevers, rulebook: Rulebook,
        serving: Serving, mutes: Mutes, shift: Shift, shift_levers: ShiftLevers, clock: Clock,
    ) -> None:  # fmt: skip
        self._standing = standing
        self._supply = supply
        self._queue = queue
        self._ledger = ledger
        self._levels = levels
        self._rulebook = rulebook
        self._serving = serving
        self._mutes = mutes
        self._shift = shift
        self._shift_levers = shift_levers
        self._clock = clock

    def share(self, shared: Shared) -> None:
        """Share all of it, in both directions."""
        takes: dict[str, tuple[Any, Callable[[str, Any, Entry], Awaitable[None]]]] = {
            "override": (Override, self._override), "pause": (Pause, self._pause), "stopped": (Pause, self._stopped),
            "skip": (float, self._skip),
        }  # fmt: skip
        for kind, (type_, take) in takes.items():
            shared.kind(kind, Kept(type_, take, partial(self._standing.standing, kind)))
        shared.kind("guidelines", Kept(SharedRules, self._rules, lambda: {"": self._rulebook.standing()}))
        shared.kind("serving", Kept(Served, self._served, self._serving.standing))
        shared.kind("mute", Kept(MuteView, self._mute, lambda: self._mutes.standing(self._clock.now()), over=self._over))
        shared.kind("shift", Kept(OnDuty, self._on_duty, self._shift.standing))
        self._standing.shares(shared.put_from_thread)
        self._rulebook.shares(lambda rules: shared.put("guidelines", "", rules))
        self._serving.shares(lambda symbol, served: shared.put("serving", symbol, served))
        self._mutes.shares(partial(shared.put_from_thread, "mute"))
        self._shift.shares(partial(shared.put_from_thread, "shift", ""))

    async def _override(self, target: str, override: Override | None, _: Entry) -> None:
        await asyncio.to_thread(self._standing.take, "override", target, override)
        self._levels.touched(target)

    async def _pause(self, source: str, pause: Pause | None, _: Entry) -> None:
        await asyncio.to_thread(self._standing.take, "pause", source, pause)
        if pause is not None:  # after it stands: until then each beat starts what this engine owns
            await self._supply.stop(source)
        self._ledger.adopt(source).revision += 1
        if pause is None and self._standing.stopped is None:
            self._supply.start(source)
        with contextlib.suppress(QueueError):  # Redis has it already; this is for the journal here
            await (self._queue.resume if pause is None else self._queue.pause)(source)

    async def _stopped(self, _: str, pause: Pause | None, __: Entry) -> None:
        await asyncio.to_thread(self._standing.take, "stopped", "", pause)
        if pause is not None:
            await self._supply.stop_all()
        else:
            for account in self._ledger.all():
                if self._standing.pause_of(account.name) is None:
                    self._supply.start(account.name)
        with contextlib.suppress(QueueError):
            await self._queue.stop_all(pause is not None)

    async def _skip(self, schedule: str, ends_at: float | None, _: Entry) -> None:
        await asyncio.to_thread(self._standing.take, "skip", schedule, ends_at)

    async def _rules(self, _: str, rules: SharedRules | None, __: Entry) -> None:
        if rules is not None:
            await self._rulebook.follow(rules)

    async def _served(self, symbol: str, served: Served | None, _: Entry) -> None:
        if served is not None:
            await self._serving.follow(symbol, served)

    async def _mute(self, of: str, mute: MuteView | None, _: Entry) -> None:
        await asyncio.to_thread(self._mutes.take, of, mute, self._clock.now())

    def _over(self, mute: MuteView) -> bool:
        return mute.until <= self._clock.now()

    async def _on_duty(self, _: str, on_duty: OnDuty | None, __: Entry) -> None:
        await self._shift_levers.follow(OnDuty() if on_duty is None else on_duty)
