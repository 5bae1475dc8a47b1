"""Levers on what readers have: fail a symbol over, release or refuse what was held back, fill a gap."""

from msgspec import structs

from gexdesk.engine.backfill import Backfill
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.keep import Keeper
from gexdesk.engine.levers.record import Record
from gexdesk.engine.provision import Provision
from gexdesk.engine.serving import FailedOver
from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.symbol_view import QuarantineCase
from gexdesk.model.text import printable, symbol_of
from gexdesk.stores.cache import stamp_of

RELEASED = "released"


class SymbolLevers:
    """Do what operators ask about symbols, quarantine cases and gaps."""

    verbs = frozenset({Verb.FAILOVER, Verb.RELEASE, Verb.REFUSE, Verb.BACKFILL})

    def __init__(
        self, *, provision: Provision, backfill: Backfill, keeper: Keeper, record: Record, chronicle: Chronicle, clock: Clock
    ) -> None:
        self._symbols = provision.symbols
        self._serving = provision.serving
        self._gates = provision.gates
        self._quarantine = provision.quarantine
        self._gaps = provision.gaps
        self._backfill = backfill
        self._keeper = keeper
        self._record = record
        self._chronicle = chronicle
        self._clock = clock

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``."""
        match lever.verb:
            case Verb.FAILOVER:
                return await self._fail_over(lever)
            case Verb.RELEASE:
                return await self._release(lever)
            case Verb.REFUSE:
                return await self._refuse(lever)
            case _:
                return await self._fill(lever)

    async def inverse(self, lever: Lever) -> Lever | None:
        """Return the lever that takes this one back: another fail-over; what was released, refused or filled stays so."""
        if lever.verb is not Verb.FAILOVER:
            return None
        symbol = self._symbol(lever)
        source = self._serving.serving(symbol)
        return Lever(Verb.FAILOVER, symbol, "", target_kind="symbol", to=source) if source else None

    async def _fail_over(self, lever: Lever) -> LeverOutcome:
        symbol = self._symbol(lever)
        now, source = self._clock.now(), self._serving.serving(symbol)
        to = lever.to or self._serving.standby(symbol)
        if not to:
            raise LeverRefused(f"{symbol} has no second source to fail over to")
        account = self._serving.carries(symbol, to)
        self._record.unchanged(lever, symbol, self._serving.revision(symbol))
        if to == source:
            raise LeverRefused(f"{symbol} is served by {to} already")
        offer, before = self._serving.offered(symbol, to), self._serving.offered(symbol, source)
        helps = f"{to} has given nothing good yet: readers keep the last value until it does"
        if offer is not None:
            helps = f"readers have {to}'s data of {now - offer.value.exposure.as_of + offer.value.delay_s:.0f} s ago at once"
        costs = f"its quotes are delayed by {account.delay_s / 60:.0f} minutes" if account.delay_s else ""
        if offer is not None and before is not None and offer.value.exposure.as_of < before.value.exposure.as_of:
            older_s = before.value.exposure.as_of - offer.value.exposure.as_of
            costs = f"{costs}; " if costs else ""
            costs += f"the value goes back by {older_s:.0f} s, and its notice says so"
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", source, to, 0, self._serving.revision(symbol), helps, costs)
        first = self._serving.first(symbol)
        over = None if to == first else FailedOver(to, lever.actor, lever.reason, now)
        async with self._record.of(lever, symbol, source or "nothing", to):
            await self._serving.change(symbol, to, over)
        delayed = f" D{account.delay_s / 60:.0f}" if account.delay_s else ""
        words = f"{lever.actor} failover {symbol}: {source or 'nothing'} -> {to}{delayed} ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, source, to, 0, self._serving.revision(symbol), helps, costs)

    async def _release(self, lever: Lever) -> LeverOutcome:
        case = self._held(lever)
        value, strikes, facts, ordinal = self._quarantine.value_of(case.number)
        serves = self._serving.serving(case.symbol) in ("", case.source)
        held = self._serving.offered(case.symbol, case.source)
        newest = held is None or stamp_of(value) >= stamp_of(held.value)
        helps = "readers get it at once" if serves and newest else "it is stored as good; readers have something newer"
        if not serves:
            helps = f"it is stored as good; {self._serving.serving(case.symbol)} serves {case.symbol}"
        costs = f"what the checks said: {case.findings[0].text}" if case.findings else ""
        if case.count > 1:
            costs += f"; the newest of {case.count:,} snapshots is released, those before it stay apart"
        if runs_on := next((a.runs_on for a in self._symbols.sources_of(case.symbol) if a.name == case.source), ""):
            costs += f"; {runs_on} runs {case.source} now and judges it by its own: what it holds back is released there"
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", "held", RELEASED, 0, case.revision, helps, costs)
        about = case.symbol, case.source
        async with self._record.of(lever, f"quarantine {case.number}", "held", RELEASED, about=about):
            flags = (*value.flags, RELEASED)
            await self._serving.offer(structs.replace(value, flags=flags, available_at=self._clock.now()), strikes)
            self._gates.accept(facts)
            case = self._quarantine.settle(case.number, RELEASED, lever.actor, lever.reason)
            await self._keeper.release(value.job_id, ordinal, flags, value.received_at)
        return self._told(lever, case, helps, costs)

    async def _refuse(self, lever: Lever) -> LeverOutcome:
        case = self._held(lever)
        helps = "it stays apart for good; the last good value stays until its source sends a better one"
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", "held", "refused", 0, case.revision, helps, "")
        about = case.symbol, case.source
        async with self._record.of(lever, f"quarantine {case.number}", "held", "refused", about=about):
            case = self._quarantine.settle(case.number, "refused", lever.actor, lever.reason)
        return self._told(lever, case, helps, "")

    async def _fill(self, lever: Lever) -> LeverOutcome:
        if lever.target_kind != "gap":
            raise LeverRefused(f"{lever.verb} acts on gaps, not on a {printable(lever.target_kind, 20)}")
        record = self._gaps.find(lever.target)
        before = "open"
        if record.filled_at is not None:
            brought, missed = (await self._gaps.there(lever.target)).brought, record.missed or 1
            if brought >= missed:
                raise LeverRefused(f"gap {lever.target} is filled already: {brought:,} of {missed:,} missed are there")
            before = f"filled with {brought:,} of {missed:,}"
        if lever.target in self._backfill.under_way:
            raise LeverRefused(f"gap {lever.target} is being filled already")
        files = await self._backfill.files(record)
        count = len(files)
        some = "1 file goes" if count == 1 else f"{count} files go"
        helps, costs = f"{some} through the pipeline behind all live data", ""
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, "filling", 0, 0, helps, costs)
        about = record.symbol, record.source
        async with self._record.of(lever, f"gap {lever.target}", before, "filling", about=about):
            self._backfill.begin(lever.target, files)
        words = f"{lever.actor} backfill {record.symbol} from {record.source}: {some.rpartition(' ')[0]} ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, "filling", count, 0, helps, costs)

    def _symbol(self, lever: Lever) -> str:
        if lever.target_kind != "symbol":
            raise LeverRefused(f"{lever.verb} acts on symbols, not on a {printable(lever.target_kind, 20)}")
        symbol = self._symbols.of(symbol_of(lever.target) or "").name
        if symbol not in self._symbols and not self._symbols.sources_of(symbol):
            known = ", ".join(plan.name for plan in self._symbols.expected()[:8])
            raise UnknownTarget(f"no symbol is named {printable(lever.target, 20)!r}; there are {known or 'none yet'}")
        return symbol

    def _held(self, lever: Lever) -> QuarantineCase:
        if lever.target_kind != "quarantine":
            raise LeverRefused(f"{lever.verb} acts on quarantine cases, not on a {printable(lever.target_kind, 20)}")
        case = self._quarantine.find(lever.target)
        self._record.unchanged(lever, f"quarantine {case.number}", case.revision)
        if case.state != "held":
            raise LeverRefused(f"case {case.number} was {case.state} by {case.settled_by} already")
        return case

    def _told(self, lever: Lever, case: QuarantineCase, helps: str, costs: str) -> LeverOutcome:
        words = f"{lever.actor} {lever.verb} {case.symbol} of {case.source}, case {case.number}: {case.state} ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, "held", case.state, 0, case.revision, helps, costs)
