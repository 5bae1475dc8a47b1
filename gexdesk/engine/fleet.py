"""One engine among several: it says that it lives, runs the sources it owns, and follows what is set through the others."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.ownership import LEASE_S, Ownership
from gexdesk.engine.shared import Shared, follow
from gexdesk.engine.standing import Standing
from gexdesk.engine.supply import Supply
from gexdesk.fleet.told import Told
from gexdesk.model.clock import Clock
from gexdesk.model.errors import QueueAway, UnknownTarget
from gexdesk.model.text import printable
from gexdesk.model.view.engine import EngineView
from gexdesk.model.view.incident import IncidentView
from gexdesk.model.view.source import SourceView
from gexdesk.stores.durable import write_durably

if TYPE_CHECKING:
    from gexdesk.fleet.board import Board

BEAT_S = 1.0


class Beat(Struct, frozen=True, array_like=True):
    """Say what others are to know of an engine.

    Attributes:
        sources: Those it runs, as it shows them itself.
        incidents: What needs somebody there, the gravest first; not all of them where it is very much.
    """

    engine: EngineView
    sources: tuple[SourceView, ...] = ()
    incidents: tuple[IncidentView, ...] = ()


class Fleet:
    """Beat, own, follow.

    Args:
        gained: Told of the sources this engine runs from now on, before they start.
        memory: File with the units owned last, for a start without the server.
    """

    def __init__(
        self, *, board: "Board", ownership: Ownership, shared: Shared, supply: Supply, standing: Standing, chronicle: Chronicle,
        ledger: Ledger, clock: Clock, gained: Callable[[set[str]], int], memory: Path,
    ) -> None:  # fmt: skip
        self._board = board
        self._ownership = ownership
        self.shared = shared
        self._supply = supply
        self._standing = standing
        self._chronicle = chronicle
        self._clock = clock
        self._ledger = ledger
        self._describe: Callable[[], Beat] | None = None
        self._gained = gained
        self._memory = memory
        self._told: Told | None = None
        self._server_ahead_s = 0.0
        self._others: dict[str, Beat] = {}
        self._silent: dict[str, float] = {}
        self._soon = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def describes(self, describe: Callable[[], Beat]) -> None:
        """Take what says of this engine what its beat tells; set once that is built."""
        self._describe = describe

    async def start(self) -> None:
        """Meet the others: agree on what operators set, own what is free. Without the server, go on where this engine left off."""
        self.shared.begin()
        try:
            await self.shared.look()
            await self._beat()
        except QueueAway:
            owned = await asyncio.to_thread(self._remembered)
            self._ownership.drift(self._ownership.units if owned is None else owned)

    def run(self) -> None:
        """Beat and follow from now on."""
        loops = {"fleet": self._beats(), "fleet news": self._news(), "shared": follow(self.shared, self._board)}
        self._tasks = [asyncio.create_task(loop, name=name) for name, loop in loops.items()]

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return tuple(self._tasks)

    async def stop(self) -> None:
        """Stop; the sources are stopped already, and whoever is there takes them over at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(QueueAway):
            await self._board.leave()

    def may_run(self, source: str) -> bool:
        """Say whether this engine may fetch from a source now."""
        return self._ownership.runs(source)

    def engines(self) -> tuple[EngineView, ...]:
        """Return every engine of the fleet, this one first."""
        own = self._portrait().engine
        others = [
            replace(beat.engine, heartbeat_at=self._clock.now() - self._silent.get(name, 0.0), this=False,
                    silent=self._silent.get(name, 0.0) > LEASE_S)
            for name, beat in sorted(self._others.items())
        ]  # fmt: skip
        return (own, *others)

    def server_now(self) -> float:
        """Return the server's time, which means the same to every engine; it goes on while one stands still."""
        return self._clock.monotonic() + self._server_ahead_s

    def named(self, engine: str) -> str:
        """Return the whole name of an engine by its beginning, e.g. its host's; its own name, too. Raises UnknownTarget."""
        known = sorted({self._board.engine, *self._others})
        found = [name for name in known if name == engine] or [name for name in known if name.startswith(engine)]
        if len(found) == 1:
            return found[0]
        what = "several engines are" if found else "no engine is"
        raise UnknownTarget(f"{what} named {printable(engine, 60)!r}; there are {', '.join(known[:8])}")

    def before(self, engine: str) -> bool:
        """Say whether this engine does what one of two has to do for both."""
        return self._board.engine < engine

    def incidents(self) -> tuple[IncidentView, ...]:
        """Return what needs somebody on the other engines; of one that is silent nothing is known but that."""
        return tuple(
            replace(incident, engine=name)
            for name, beat in sorted(self._others.items()) if self._silent.get(name, 0.0) <= LEASE_S
            for incident in beat.incidents
        )  # fmt: skip

    def elsewhere(self, source: str) -> SourceView | None:
        """Return a source as the engine that runs it shows it; None where that is this engine, or nobody knows."""
        owner = self._ownership.owner(source)
        if owner in ("", self._board.engine) or owner not in self._others:
            return None
        return next((view for view in self._others[owner].sources if view.name == source), None)

    def runs_on(self, source: str) -> str:
        """Return the engine that runs a source, where it is another one."""
        owner = self._ownership.owner(source)
        return "" if owner == self._board.engine or self._ownership.runs(source) else owner

    @property
    def leads(self) -> bool:
        """Say whether this engine does what one of them has to do for all: the first of those that live."""
        alive = [name for name, silent_s in self._silent.items() if silent_s <= LEASE_S]
        return self._told is None or self._board.engine <= min(alive, default=self._board.engine)

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition for each other engine that fell silent without a word."""
        for view in self.engines():
            if view.silent:
                took = "its sources were taken over; " if self._told is not None else ""
                yield Condition(
                    kind=Kind.ENGINE_SILENT, key=f"engine {view.engine_id}", severity=2, subject=view.host,
                    text=printable(
                        f"engine {view.engine_id} (pid {view.pid}) of host {view.host} is silent; {took}"
                        "what it acknowledged and had not queued waits on its disk"
                    ),
                    do_first="look at that host; its own acknowledged payloads go on when it is back",
                )  # fmt: skip

    async def _beats(self) -> None:
        while True:
            self._soon.clear()
            try:
                await self._beat()
                if self._told is not None and self.shared.behind(self._told):
                    await self.shared.look()
                for source in self._surplus():
                    self._chronicle.tell("source", f"{source} is handed to another engine: the fleet has a fairer share")
                    await self._supply.stop(source)
                    self._soon.set()
            except QueueAway:
                pass  # nobody could take what is given up now
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._soon.wait()

    async def _news(self) -> None:
        async for _ in self._board.news():
            self._soon.set()

    def _portrait(self) -> Beat:
        if self._describe is None:
            raise AssertionError("a fleet that nobody described this engine to")
        return self._describe()

    def _surplus(self) -> list[str]:
        return self._ownership.surplus(self._told.most) if self._told is not None else []

    async def _beat(self) -> None:
        """Beat once. Raises QueueAway; what this engine may no longer run is stopped, what it still may is run either way."""
        asked_at = self._clock.monotonic()
        body = msgspec.msgpack.encode(self._portrait())
        try:
            told = await self._board.beat(body, list(self._ownership.units), self._ownership.give(), LEASE_S)
        except QueueAway:
            lost = self._ownership.silence(asked_at)
            for source in lost:
                await self._supply.stop(source)
            self._run_own()
            raise
        before = self._ownership.own
        gained, lost = self._ownership.heard(told, asked_at)
        self._hear(told)
        for source in lost:
            owner = self._ownership.owner(source) or "nobody"
            self._chronicle.tell("source", f"{source} is run by {owner} now", grave=True)
            await self._supply.stop(source)
            account = self._ledger.adopt(source)
            account.failing_since, account.last_error = None, ""  # whoever runs it says how it is
        for account in self._ledger.all():
            account.runs_on = self.runs_on(account.name)
        if gained:
            self._take_over(gained)
        self._run_own()
        if before != self._ownership.own:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(write_durably, self._memory, msgspec.json.encode(sorted(self._ownership.own)))

    def _take_over(self, gained: dict[str, str]) -> None:
        known = self._gained(set(gained))
        for former in sorted(set(gained.values())):
            sources = ", ".join(sorted(source for source, owner in gained.items() if owner == former))
            if former and former != self._board.engine:
                words = f"took over {sources} from {former}; the snapshots before are known from the live values of {known} symbols"
                self._chronicle.tell("source", f"{words}, of others the first change counts as medium", grave=True)

    def _run_own(self) -> None:
        """Start what this engine owns and does not run yet: a source gained by an answer that came too late to begin on, too."""
        if self._tasks and self._standing.stopped is None:  # before that the engine starts them itself
            for source in self._ownership.sources:
                if self._standing.pause_of(source) is None:
                    self._supply.start(source)

    def _hear(self, told: Told) -> None:
        self._told = told
        self._server_ahead_s = told.now - self._clock.monotonic()
        self._silent = {one.engine: one.silent_s for one in told.engines}
        self._others = {name: beat for name, beat in self._others.items() if name in self._silent}
        for one in told.engines:
            if one.engine != self._board.engine:
                with contextlib.suppress(msgspec.MsgspecError):  # an engine of another version: it is there, that is all we know
                    self._others[one.engine] = msgspec.msgpack.decode(one.body, type=Beat)

    def _remembered(self) -> list[str] | None:
        try:
            return msgspec.json.decode(self._memory.read_bytes(), type=list[str])
        except (OSError, msgspec.MsgspecError):
            return None

