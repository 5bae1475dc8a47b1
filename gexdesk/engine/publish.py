"""Publish: the moment a value is available to readers, measured against its promise."""

from gexdesk.engine.flight import Flight
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.tasks import Computed
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.model.job import Job
from gexdesk.stores.base import LiveCache, LiveValue


class Publish:
    """Put results into the live cache and record receipt to available."""

    def __init__(self, cache: LiveCache, ledger: Ledger, promises: Promises, clock: Clock) -> None:
        self._cache = cache
        self._ledger = ledger
        self._promises = promises
        self._clock = clock

    async def publish(self, job: Job, flight: Flight, results: tuple[Computed, ...]) -> float:
        """Offer the newest snapshot of each symbol to the cache; returns when it was available, UTC seconds.

        History is never published as live; it counts as available once it is processed.
        """
        account = self._ledger.adopt(job.source)
        newest: dict[str, Computed] = {}
        for computed in results:
            held = newest.get(computed.exposure.symbol)
            if held is None or computed.exposure.as_of >= held.exposure.as_of:
                newest[computed.exposure.symbol] = computed
        now = self._clock.now()
        if account.data_type != "historical":
            for symbol, computed in newest.items():
                await self._cache.publish(
                    LiveValue(
                        symbol=symbol,
                        source=job.source,
                        job_id=job.job_id,
                        level=job.level,
                        why=flight.decision.winner if flight.decision is not None else job.note,
                        received_at=flight.payload.received_at,
                        available_at=now,
                        changed_at=computed.exposure.as_of,
                        delay_s=account.delay_of(computed.delay_s),
                        revision=0,
                        exposure=computed.exposure,
                    )
                )
        available_at = self._clock.now()
        self._promises.record(job.promised, max(0.0, available_at - flight.payload.received_at))
        return available_at
