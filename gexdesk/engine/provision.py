"""Join what decides over readers' values: checks, serving, quarantine, comparison, gaps, fail-over."""

import asyncio
import math
from pathlib import Path

from gexdesk.engine.beats import Beats
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.comparison import Comparison
from gexdesk.engine.failover import FailOver
from gexdesk.engine.gaps import GapLedger
from gexdesk.engine.gatekeeper import Gatekeeper
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.record import Record
from gexdesk.engine.picture_symbols import PictureSymbols
from gexdesk.engine.quarantine import RULE, Quarantine
from gexdesk.engine.serving import Serving
from gexdesk.engine.standing import Standing
from gexdesk.engine.symbols import Symbols
from gexdesk.model.clock import Clock
from gexdesk.model.errors import StoreError
from gexdesk.stores.base import LiveCache
from gexdesk.stores.newest import Wanted

GAPS_KEPT = 500


class Provision:
    """Hold the parts; they are opened, looked at once a second and saved together."""

    def __init__(
        self, *, symbols: Symbols, ledger: Ledger, standing: Standing, cache: LiveCache, keeper: Keeper, record: Record,
        chronicle: Chronicle, clock: Clock, state: Path,
    ) -> None:  # fmt: skip
        self._cache = cache
        self._chronicle = chronicle
        self._keeper = keeper
        self._record = record
        self.symbols = symbols
        self.beats = Beats(symbols, standing)
        self.gates = Gatekeeper(symbols, ledger, self.beats)
        self.serving = Serving(cache, symbols, clock, state / "serving.json")
        self.comparison = Comparison(symbols, self.serving, clock)
        self.gates.sees(self.comparison.sighting)
        self.quarantine = Quarantine(cache, clock, state / "quarantine.msgpack", lambda symbol: symbols.of(symbol).readers)
        self.gaps = GapLedger(symbols, self.beats, keeper, clock)
        self.failover = FailOver(symbols=symbols, serving=self.serving, gates=self.gates, record=record, chronicle=chronicle)
        self.picture = PictureSymbols(
            cache=cache, symbols=symbols, serving=self.serving, gates=self.gates, quarantine=self.quarantine,
            comparison=self.comparison,
        )  # fmt: skip

    async def open(self) -> None:
        """Take over what an earlier engine left; the live values are there, the stores are open.

        Raises:
            StoreError: Who serves which symbol, or the gaps, cannot be read.
        """
        self.serving.open()
        try:
            await asyncio.to_thread(self.quarantine.open)
        except StoreError as error:
            self._chronicle.tell("engine", error.message, grave=True)
        live = self._cache.all()
        for value in live:
            self.gates.begin(value)
        rows = await self._keeper.reading(lambda metadata: metadata.newest(Wanted("gaps", GAPS_KEPT)))
        since = min((value.received_at for value in live), default=math.inf)
        received = await self._keeper.reading(lambda metadata: metadata.last_received(since)) if live else {}
        self.gaps.begin(rows, live, received)

    async def look(self, now: float) -> None:
        """Compare, find gaps, fail over by rule; called once a second."""
        self.comparison.look(now)
        self.gaps.look(now)
        self.quarantine.tidy(now)
        for case in self.quarantine.settled_by_rule():
            await self._record.add(
                actor=RULE, act="release" if case.state == "released" else "refuse", target=f"quarantine {case.number}",
                reason=case.settled_reason, before="held", after=case.state, about=(case.symbol, case.source),
            )  # fmt: skip
        try:
            await self.gaps.count()
        except StoreError as error:
            self._chronicle.tell("engine", error.message, grave=True)
        await self.failover.look(now)

    async def save(self) -> None:
        """Write down what is held back. Raises StoreError."""
        await self.quarantine.save()
