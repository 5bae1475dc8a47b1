"""Fail over and back by rule, where a symbol's settings ask for it."""

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.gatekeeper import Gatekeeper
from gexdesk.engine.levers.record import Record
from gexdesk.engine.serving import FailedOver, Serving
from gexdesk.engine.symbols import Plan, Symbols
from gexdesk.model.errors import GexdeskError

RULE = "rule"
_ILL = ("FROZEN", "SILENT", "REPEATS", "QUARANTINE")


class FailOver:
    """Watch the symbols whose settings say after how long without good data another source is to serve them.

    The time counts from the last that was good, so that it is what readers wait; it begins anew where somebody chose the
    source meanwhile, and after a change that was refused.
    """

    def __init__(
        self, *, symbols: Symbols, serving: Serving, gates: Gatekeeper, record: Record, chronicle: Chronicle
    ) -> None:
        self._symbols = symbols
        self._serving = serving
        self._gates = gates
        self._record = record
        self._chronicle = chronicle
        self._ill_since: dict[str, float] = {}
        self._counts_from: dict[str, float] = {}
        self._served_by: dict[str, str] = {}
        self._well_since: dict[str, float] = {}

    async def look(self, now: float) -> None:
        """Change over what was ill, or is well again, for long enough; what is refused is told, and its time begins anew."""
        for plan in self._symbols.expected():
            if plan.failover_after_s is None:
                continue
            over, source = self._serving.failed_over(plan.name), self._serving.serving(plan.name)
            if self._served_by.setdefault(plan.name, source) != source:
                self._served_by[plan.name], self._counts_from[plan.name] = source, now
                self._ill_since.pop(plan.name, None)
            try:
                if over is None:
                    await self._away(plan, source, plan.failover_after_s, now)
                elif over.author == RULE:
                    await self._back(plan, over, now)
            except GexdeskError as error:
                self._chronicle.tell("engine", f"rule: {plan.name} goes on as it is served: {error.message}", grave=True)

    async def _away(self, plan: Plan, source: str, after_s: float, now: float) -> None:
        standby = self._serving.standby(plan.name)
        word, text = self._gates.feed(plan.name, source, now)
        if word not in _ILL:
            self._ill_since.pop(plan.name, None)
            return
        # One illness may become another, a feed that is frozen falls silent: it counts from the first.
        found = self._gates.lacking_since(plan.name, source, now)
        since = self._ill_since[plan.name] = min(now if found is None else found, self._ill_since.get(plan.name, now))
        if now - max(since, self._counts_from.get(plan.name, since)) < after_s:
            return
        if not standby or self._serving.offered(plan.name, standby) is None:
            return
        if self._gates.feed(plan.name, standby, now)[0] not in ("ok", "closed"):
            return
        self._counts_from[plan.name] = now
        await self._change(plan.name, source, standby, FailedOver(standby, RULE, text, now))

    async def _back(self, plan: Plan, over: FailedOver, now: float) -> None:
        first = self._serving.first(plan.name)
        word, _ = self._gates.feed(plan.name, first, now)
        if word != "ok":
            self._well_since.pop(plan.name, None)
            return
        since = self._well_since.setdefault(plan.name, now)
        if now - since >= plan.fail_back_after_s:
            self._well_since.pop(plan.name)
            await self._change(plan.name, over.source, first, None)

    async def _change(self, symbol: str, source: str, to: str, over: FailedOver | None) -> None:
        reason = over.reason if over is not None else f"{to} has been well again for long enough"
        await self._record.add(actor=RULE, act="failover", target=symbol, reason=reason, before=source, after=to)
        try:
            await self._serving.change(symbol, to, over)
        except GexdeskError as error:  # another engine of the fleet set it since, or the disk refused
            why = error.message
            await self._record.add(actor=RULE, act="failover failed", target=symbol, reason=why, before=to, after=source)
            raise
        self._chronicle.tell("lever", f"rule: {symbol} served by {to} instead of {source}: {reason}", grave=over is not None)
