"""Housekeeping: retention, counts, live values and exports, now and then."""

import asyncio

from gexdesk.engine.parts import Parts
from gexdesk.model.errors import GexdeskError, StoreError
from gexdesk.stores.audit import BrokenLink, verify
from gexdesk.stores.base import SourceRecord

RETENTION_EVERY_S = 600.0
LIVE_EVERY_S = 10.0
COUNTS_EVERY_S = 60.0
EXPORT_EVERY_S = 15.0
LIVE_NAME = "live.msgpack"


class Housekeeping:
    """Run what is done now and then, each by itself and for ever."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def save(self) -> None:
        """Save the live values and what is held back. Raises StoreError."""
        await asyncio.to_thread(self._parts.cache.save, self._parts.state / LIVE_NAME)
        await self._parts.provision.save()

    async def retain(self) -> None:
        """Let go of what is past its time; what fails is tried again."""
        parts = self._parts
        while True:
            await parts.clock.sleep(RETENTION_EVERY_S)
            try:
                await self._sweep()
                await parts.incidents.prune()
            except GexdeskError as error:
                parts.chronicle.tell("engine", f"{error.message}; trying again later", grave=True)

    async def keep_counts(self) -> None:
        """Write the sources' lifetime counts down now and then: an engine that is killed loses no more than the last of them."""
        while True:
            await self._parts.clock.sleep(COUNTS_EVERY_S)
            self._parts.keeper.sources(self.source_records())

    async def export(self) -> None:
        """Let other hosts of a fleet ask what this one has stored."""
        while True:
            await self._parts.clock.sleep(EXPORT_EVERY_S)
            await self._parts.keeper.export()

    async def keep_live(self) -> None:
        """Save the live values now and then, so that readers of a restarted engine have the last ones, with their age."""
        parts = self._parts
        while True:
            await parts.clock.sleep(LIVE_EVERY_S)
            try:
                await self.save()
            except StoreError as error:
                parts.chronicle.tell("engine", f"{error.message}; trying again", grave=True)

    async def check_audit(self) -> None:
        """Say once, where the chain of the audit does not hold: nobody looks at it before it is needed."""
        parts = self._parts
        try:
            found = await asyncio.to_thread(verify, parts.audit.path)
        except StoreError as error:
            parts.chronicle.tell("engine", error.message, grave=True)
            return
        if isinstance(found, BrokenLink):
            words = f"{parts.audit.path.name} does not hold together at line {found.line}: {found.why}"
            parts.chronicle.tell("engine", f"{words}; compare it with a copy, `gexdesk audit verify` checks it again", grave=True)

    def source_records(self) -> list[SourceRecord]:
        """Return the sources as they are counted now."""
        now = self._parts.clock.now()
        return [
            SourceRecord(
                name=a.name, kind=a.kind, symbols=a.symbols or tuple(sorted(a.seen_symbols)), format=a.format, standing=a.standing,
                delay_s=a.delay_s, paused=self._parts.standing.pause_of(a.name) is not None,
                requests=a.tries.requests_before + a.requests, successes=a.tries.successes_before + a.successes,
                last_success_at=a.last_heard_at, last_error=a.last_error, updated_at=now,
            )
            for a in self._parts.ledger.all()
        ]

    async def _sweep(self) -> None:
        """Drop payloads past their time, then what the journal knows of them; what is open or dead was never forgotten."""
        parts = self._parts
        await parts.spool.retain(max_age_s=parts.keep_s, max_bytes=parts.keep_bytes)
        oldest = await asyncio.to_thread(lambda: next(iter(parts.spool.scan()), None))
        oldest_at = oldest[0].received_at if oldest is not None else parts.clock.now()
        await parts.queue.prune(before=min(oldest_at, parts.clock.now() - parts.keep_s))
        await parts.keeper.sweep(parts.lake_keep_days)
