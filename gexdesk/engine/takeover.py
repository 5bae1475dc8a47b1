"""Take over: match what the spool keeps with what the queue knows, and let the queue hold what operators paused."""

import asyncio

from gexdesk.engine.parts import Parts
from gexdesk.model.errors import GexdeskError, StoreError
from gexdesk.model.job import JobStatus
from gexdesk.model.payload import Arrival, Payload, PayloadRef
from gexdesk.stores.spool import read_payload

UNNOTED_S = 5.0
"""A source notes what was acknowledged at once; what came in these last seconds a kill may have kept it from noting."""


class TakeOver:
    """Go on with what earlier engines, or a queue that was away, left."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Take up what the spool and the queue hold; called once the queue answers."""
        await self._recover()
        await self._agree_on_pauses()
        await self._watch_promises()

    async def follow(self, taken_over: bool) -> None:
        """Take over once the queue answers at last, and put again what it says it lost; for ever."""
        parts = self._parts
        losses = parts.queue.losses
        while True:
            await parts.clock.sleep(0.5)
            if parts.queue.away or (taken_over and parts.queue.losses == losses):
                continue
            try:
                if taken_over:
                    losses = parts.queue.losses
                    await self._recover()
                else:
                    await self.run()
                    taken_over = True
            except GexdeskError as error:
                losses = -1  # half done: again from the beginning
                parts.chronicle.tell("engine", f"queue: {error.message}; trying again", grave=True)

    async def _recover(self) -> None:
        parts = self._parts
        kept = await asyncio.to_thread(lambda: list(parts.spool.scan(done=False)))
        untriaged = waiting = 0
        ended: list[tuple[Payload, PayloadRef, JobStatus]] = []
        last_at = max((payload.received_at for payload, _ in kept), default=0.0)
        for payload in (payload for payload, _ in kept if payload.received_at > last_at - UNNOTED_S):
            parts.receive.leave(payload)
        statuses = await parts.queue.statuses([payload.payload_id for payload, _ in kept])
        for (payload, ref), status in zip(kept, statuses, strict=True):
            known = parts.flights.get(payload.payload_id)
            if known is not None and (status is not None or known.queued_at is None):
                continue  # it came since, and is on its way
            if status is None and not parts.spool.pins(payload.payload_id):
                continue  # finished with here: the queue has lost its word of that, too
            parts.requests.tie(payload)
            if status is not JobStatus.DEAD:
                parts.receive.remember(payload)
            if status is None:
                parts.receive.take_up(payload, ref)
                untriaged += 1
            elif status in (JobStatus.QUEUED, JobStatus.PROCESSING):
                parts.flights.add(parts.receive.flight_of(payload, ref))
                waiting += 1
            else:
                await parts.requests.settle(payload.payload_id)  # a kill may have come before its end was noted
                ended.append((payload, ref, status))
            if status is JobStatus.COMPLETED:
                parts.spool.forget(payload.payload_id)  # a dead letter's bytes stay
        if parts.queue.warning:
            parts.chronicle.tell("engine", parts.queue.warning, grave=True)
        for gap in parts.spool.gaps:
            words = f"{gap.skipped_bytes:,} damaged bytes skipped at byte {gap.start:,} of {gap.path}"
            parts.chronicle.tell("engine", f"spool: {words}", grave=True)
        if not parts.queue.shared:  # else another host may have the rows
            await self._do_again(ended)
        if untriaged or waiting:
            parts.chronicle.tell("engine", f"recovered {waiting} queued and {untriaged} unsorted payloads of the last run")

    async def _do_again(self, ended: list[tuple[Payload, PayloadRef, JobStatus]]) -> None:
        """Take in anew what the queue knows to be completed and the tables do not: rows are synced first, so they are lost.

        What is dead is not: an operator may have cancelled it a moment before a kill. That letters are lost is said.
        """
        parts = self._parts
        if not ended:
            return
        digests, since = [payload.sha256 for payload, _, _ in ended], min(payload.received_at for payload, _, _ in ended)
        without = await parts.keeper.reading(lambda metadata: metadata.without_rows(digests, since))
        again = letters = 0
        for payload, ref, status in ended:
            if payload.sha256 not in without:
                continue
            if status is JobStatus.DEAD:
                letters += 1
                continue
            try:
                body = await asyncio.to_thread(read_payload, ref)
                arrival = Arrival(
                    source=payload.source, body=body, received_at=payload.received_at, content_type=payload.content_type,
                    name=payload.name, time_shift_s=payload.time_shift_s, asked=payload.asked,
                )  # fmt: skip
                parts.receive.take_up(*await parts.spool.keep(arrival))
            except StoreError as error:
                parts.chronicle.tell("engine", f"{payload.name} was completed and has no rows, and {error.message}", grave=True)
                continue
            parts.spool.forget(payload.payload_id)
            again += 1
        if without:
            words = f"{again} payloads were completed and have no rows, they are done again; {letters} dead letters have none"
            parts.chronicle.tell("engine", f"{words}: the end of metadata.duckdb.wal is lost", grave=True)

    async def _agree_on_pauses(self) -> None:
        """Let the queue hold what operators paused and nothing else: a crash may have come between the two records."""
        parts = self._parts
        wanted = {account.name for account in parts.ledger.all() if parts.standing.pause_of(account.name) is not None}
        held = parts.queue.state().paused
        for source in wanted - held:
            await parts.queue.pause(source)
        for source in held - wanted:
            await parts.queue.resume(source)
        if parts.queue.state().stopped != (parts.standing.stopped is not None):
            await parts.queue.stop_all(parts.standing.stopped is not None)

    async def _watch_promises(self) -> None:
        """Let what an earlier engine queued be watched as what comes is."""
        parts = self._parts
        for source in parts.queue.state().by_source:
            for job in await parts.queue.jobs_of(source):
                parts.escalate.watch(job)
