"""Publish: the moment a value is available to readers, measured against its promise; what the checks stopped is held back."""

from gexdesk.engine.flight import Flight
from gexdesk.engine.gatekeeper import Judged
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.provision import Provision
from gexdesk.engine.slices import in_slices
from gexdesk.engine.tasks import Computed
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.model.job import Job
from gexdesk.stores.base import LEAST_TTL_S, LiveCache, LiveValue

HELD_BACK = "newer_held_back"
"""Flag of a value whose source has sent newer ones that the checks stopped."""


class Publish:
    """Put results before readers and record receipt to available."""

    def __init__(self, *, cache: LiveCache, provision: Provision, ledger: Ledger, promises: Promises, clock: Clock) -> None:
        self._cache = cache
        self._serving = provision.serving
        self._gates = provision.gates
        self._quarantine = provision.quarantine
        self._comparison = provision.comparison
        self._gaps = provision.gaps
        self._ledger = ledger
        self._promises = promises
        self._clock = clock

    async def publish(self, job: Job, flight: Flight, results: tuple[Computed, ...]) -> float:
        """Offer the newest good snapshot of each symbol to readers; returns when it was available, UTC seconds.

        What the checks stopped goes to the quarantine instead; history goes nowhere, it counts as available once it is processed.
        """
        account = self._ledger.adopt(job.source)
        judged_all = await self._judged(account, flight, results)
        both = zip(judged_all, results, strict=True)
        flight.judged = tuple([
            self._gates.level_flags(judged, computed.exposure) async for judged, computed in in_slices(both)
        ])  # fmt: skip
        if not flight.historical(account):
            await self._live(account, job, flight, results)
        available_at = flight.now(self._clock)
        self._promises.record(job.promised, max(0.0, available_at - flight.payload.received_at))
        return available_at

    def stored(self, flight: Flight, account: Account) -> None:
        """Note that a payload's rows are durable: history may have filled a gap."""
        if flight.historical(account):
            for symbol in {judged.facts.symbol for judged in flight.judged}:
                self._gaps.brought(symbol, [one.facts.as_of for one in flight.judged if one.facts.symbol == symbol])

    async def _live(self, account: Account, job: Job, flight: Flight, results: tuple[Computed, ...]) -> None:
        newest: dict[str, tuple[Judged, Computed]] = {}
        async for ordinal, (judged, computed) in in_slices(enumerate(zip(flight.judged, results, strict=True))):
            symbol = computed.exposure.symbol
            if judged.verdict.held:
                await self._hold(judged, self._value(account, job, flight, judged, computed), computed.strikes, ordinal)
            elif symbol not in newest or computed.exposure.as_of >= newest[symbol][1].exposure.as_of:
                newest[symbol] = (judged, computed)
        for judged, computed in newest.values():
            value = self._value(account, job, flight, judged, computed)
            await self._serving.offer(value, computed.strikes)
            self._comparison.heard(judged.facts)
            by_rule = next((one.text for one in judged.verdict.findings if one.gate == "release"), "")
            self._quarantine.passed(judged.facts, by_rule)

    async def _hold(self, judged: Judged, value: LiveValue, strikes: bytes, ordinal: int) -> None:
        self._quarantine.hold(judged, value, strikes, ordinal)
        good = self._gates.last_good(value.source, value.symbol)
        if good is not None and good.stamped_at > judged.facts.stamped_at:
            self._quarantine.passed(good, "")
        elif self._serving.serving(value.symbol) == value.source:
            await self._cache.mark(value.symbol, HELD_BACK)

    def _value(self, account: Account, job: Job, flight: Flight, judged: Judged, computed: Computed) -> LiveValue:
        return LiveValue(
            symbol=computed.exposure.symbol,
            source=job.source,
            job_id=job.job_id,
            level=job.promised,
            why=flight.decision.winner if flight.decision is not None else job.note,
            received_at=flight.payload.received_at,
            available_at=self._clock.now(),
            changed_at=computed.exposure.as_of,
            delay_s=account.delay_of(computed.delay_s),
            revision=0,
            exposure=computed.exposure,
            flags=judged.verdict.flags,
            inputs=judged.facts.evidence.inputs if judged.facts.evidence is not None else None,
            ttl_s=max(LEAST_TTL_S, 3 * (account.due_s or 0.0)),
        )

    async def _judged(self, account: Account, flight: Flight, results: tuple[Computed, ...]) -> tuple[Judged, ...]:
        """Return what the checks said at triage; after a restart they are asked now."""
        if len(flight.judged) == len(results):
            return flight.judged
        heads = [computed.head for computed in results]
        return tuple([self._gates.judge(account, head, flight.payload) async for head in in_slices(heads) if head is not None])
