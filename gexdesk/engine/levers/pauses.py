"""Pause and resume a source, and the kill switch over all of them."""

import asyncio

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.levers.record import EVERYTHING, Record, jobs, undone
from gexdesk.engine.levers.targets import source_of
from gexdesk.engine.serving import Serving
from gexdesk.engine.standing import Pause, Standing
from gexdesk.engine.supply import Supply
from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeverRefused
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.text import printable
from gexdesk.queues.base import Queue

NAMED = 2
"""Symbols that are named where a source serves more of them."""


class PauseLevers:
    """Hold and release: the source stops fetching, its queued jobs wait at their places."""

    verbs = frozenset({Verb.PAUSE, Verb.RESUME, Verb.PAUSE_ALL, Verb.RESUME_ALL})

    def __init__(
        self, *, queue: Queue, ledger: Ledger, standing: Standing, supply: Supply, record: Record, chronicle: Chronicle,
        clock: Clock, serving: Serving,
    ) -> None:  # fmt: skip
        self._queue = queue
        self._ledger = ledger
        self._standing = standing
        self._supply = supply
        self._record = record
        self._chronicle = chronicle
        self._clock = clock
        self._serving = serving

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``."""
        if lever.verb in (Verb.PAUSE_ALL, Verb.RESUME_ALL):
            return await self._kill_switch(lever)
        return await self._pause(lever, source_of(lever, self._ledger, self._record))

    async def inverse(self, lever: Lever) -> Lever | None:
        """Return the lever that takes this one back; None for what set everything going: only the kill switch itself stops it."""
        if lever.verb is Verb.RESUME_ALL:
            return None
        back = {Verb.PAUSE: Verb.RESUME, Verb.RESUME: Verb.PAUSE, Verb.PAUSE_ALL: Verb.RESUME_ALL}
        return Lever(back[lever.verb], lever.target, "", target_kind=lever.target_kind)

    async def _pause(self, lever: Lever, account: Account) -> LeverOutcome:
        pausing = lever.verb is Verb.PAUSE
        held = self._standing.pause_of(account.name)
        if pausing == (held is not None):
            raise LeverRefused(f"{account.name} is {'paused already' if held else 'not paused'}")
        before, after = ("paused", "running") if held else ("running", "paused")
        count = self._queue.state().by_source.get(account.name, 0)
        if pausing:
            helps, costs = f"fetching stops, {jobs(count)} held", f"readers keep the last value{self._others(account)}"
        else:
            helps, costs = f"fetching starts, {jobs(count)} back at their places", ""
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, count, account.revision, helps, costs)
        async with self._record.of(lever, account.name, before, after):
            pause = Pause(lever.actor, printable(lever.reason), self._clock.now()) if pausing else None
            there, back = (self._queue.pause, self._queue.resume) if pausing else (self._queue.resume, self._queue.pause)
            moved = await there(account.name)
            async with undone(lambda: back(account.name)):
                await asyncio.to_thread(self._standing.set_pause, account.name, pause)
            if pausing:
                await self._supply.stop(account.name)
            else:
                moved = count  # what was released is claimed before it could be counted
                if self._standing.stopped is None:
                    self._supply.start(account.name)
            account.revision += 1
        words = f"{lever.actor} {lever.verb} {account.name}: {moved} jobs {'held' if pausing else 'released'} ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, after, moved, account.revision, helps, costs)

    def _others(self, account: Account) -> str:
        """Say what a fail-over could do for those who read what it serves."""
        standbys = self._serving.standbys(account.name)
        ready = [f"{symbol} from {standby}" for symbol, standby in standbys.items() if standby]
        if not ready:
            return ", there is no standby" if standbys else ""
        more = f" and {len(ready) - NAMED} more" if len(ready) > NAMED else ""
        return f"; fail-over serves {', '.join(ready[:NAMED])}{more}"

    async def _kill_switch(self, lever: Lever) -> LeverOutcome:
        stopping = lever.verb is Verb.PAUSE_ALL
        if stopping == (self._standing.stopped is not None):
            raise LeverRefused("everything is stopped already" if stopping else "nothing is stopped")
        before, after = ("running", "stopped") if stopping else ("stopped", "running")
        waiting = sum(depth.waiting for depth in self._queue.state().levels.values())
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, waiting, 0, f"{waiting} waiting jobs", "every source")
        async with self._record.of(lever, EVERYTHING, before, after):
            if stopping:
                await self._stop(Pause(lever.actor, printable(lever.reason), self._clock.now()))
            else:
                await self._queue.stop_all(False)
                async with undone(lambda: self._queue.stop_all(True)):
                    await self._release()
        words = f"{lever.actor} {'stopped' if stopping else 'started'} everything ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, after, waiting, 0)

    async def _stop(self, pause: Pause) -> None:
        """Let nothing more come in first, and be known as stopped: that is what ends it again, whatever the queue answers."""
        await asyncio.to_thread(self._standing.set_stopped, pause)
        async with undone(self._release):
            await self._supply.stop_all()
            await self._queue.stop_all(True)

    async def _release(self) -> None:
        await asyncio.to_thread(self._standing.set_stopped, None)
        for account in self._ledger.all():
            if self._standing.pause_of(account.name) is None:
                self._supply.start(account.name)
