"""Cancel a job that waits; put a dead letter back into the queue, or let its bytes go."""

import asyncio
from contextlib import suppress

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.endings import Bury, Endings
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.flight import Flights
from gexdesk.engine.keep import Keeper
from gexdesk.engine.levers.record import Record, undone
from gexdesk.engine.levers.targets import Targets
from gexdesk.engine.receive import Receive
from gexdesk.model.errors import LeverRefused, StoreError, UnknownTarget
from gexdesk.model.job import JobStatus
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.text import printable
from gexdesk.queues.base import Queue
from gexdesk.stores.spool import Spool


class JobLevers:
    """End a job by hand, and take it back. A dead letter's bytes stay until somebody discards it."""

    verbs = frozenset({Verb.CANCEL, Verb.RETRY, Verb.DISCARD})

    def __init__(
        self, *, queue: Queue, flights: Flights, spool: Spool, keeper: Keeper, endings: Endings, receive: Receive, targets: Targets,
        escalate: Escalate, record: Record, chronicle: Chronicle,
    ) -> None:  # fmt: skip
        self._queue = queue
        self._flights = flights
        self._spool = spool
        self._keeper = keeper
        self._endings = endings
        self._receive = receive
        self._targets = targets
        self._escalate = escalate
        self._record = record
        self._chronicle = chronicle

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``."""
        wanted = ("job",) if lever.verb is Verb.CANCEL else ("dead", "job")
        if lever.target_kind not in wanted:
            found = printable(lever.target_kind, 20)
            raise LeverRefused(f"{lever.verb} acts on a {'job' if lever.verb is Verb.CANCEL else 'dead letter'}, not on a {found}")
        match lever.verb:
            case Verb.CANCEL:
                return await self._cancel(lever)
            case Verb.RETRY:
                return await self._retry(lever)
            case _:
                return await self._discard(lever)

    async def inverse(self, lever: Lever) -> Lever | None:
        """Return the lever that takes this one back; None for a discard, whose bytes nobody can promise."""
        match lever.verb:
            case Verb.CANCEL:
                return Lever(Verb.RETRY, lever.target, "", target_kind="dead")
            case Verb.RETRY:
                return Lever(Verb.CANCEL, lever.target, "", target_kind="job")
        return None

    async def _cancel(self, lever: Lever) -> LeverOutcome:
        job = await self._targets.job(lever.target)
        before, after = f"{job.level} waiting", "a dead letter"
        helps = "its bytes stay: a retry puts it back at its place"
        if lever.dry_run:
            costs = f"{job.symbol or job.source} lacks this snapshot"
            return LeverOutcome(False, "nothing sent", before, after, 1, 1, helps, costs)
        words = f"cancelled by {lever.actor}: {lever.reason}"
        async with self._record.of(lever, f"job {job.job_id}", before, after, about=(job.source,)):
            if not await self._queue.cancel([job.job_id], words):
                raise LeverRefused(f"job {job.job_id} was begun just now; nothing was cancelled")
        self._endings.cancelled(job, Bury("queue", "cancelled", words))
        return LeverOutcome(True, f"{lever.actor} cancel job {job.job_id} ({lever.reason})", before, after, 1, 1, helps)

    async def _retry(self, lever: Lever) -> LeverOutcome:
        job_id = await self._dead(lever.target)
        before, after = "a dead letter", "waiting at its place"
        try:
            payload, ref = await asyncio.to_thread(self._spool.find, job_id)
        except StoreError as error:
            raise LeverRefused(f"job {job_id} cannot be tried again: its bytes are gone ({error.message})") from None
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, 1, 1, "it is tried as if it had never been")
        source = await self._letter_of(job_id)
        async with self._record.of(lever, f"job {job_id}", before, after, about=(source,)):
            # The record first: the job may have ended again before its revival returns.
            self._flights.add(self._receive.flight_of(payload, ref))
            await self._keeper.amend(job_id, JobStatus.QUEUED, f"tried again by {lever.actor}")
            async with undone(lambda: self._still_dead(job_id)):
                if not await self._queue.revive([job_id]):
                    raise LeverRefused(f"job {job_id} is no dead letter any more; nothing was done")
        self._endings.revived(job_id, source)
        with suppress(LeverRefused, UnknownTarget):  # it was begun at once
            self._escalate.watch(await self._targets.job(job_id))
        what = payload.name or payload.source
        self._chronicle.tell("lever", f"{lever.actor} retry job {job_id}: {what} waits again ({lever.reason})")
        return LeverOutcome(True, f"{lever.actor} retry job {job_id} ({lever.reason})", before, after, 1, 1)

    async def _discard(self, lever: Lever) -> LeverOutcome:
        job_id = await self._dead(lever.target)
        before, after = "a dead letter", "discarded, its record kept"
        costs = "its bytes go with the next sweep; it can be tried again until then only"
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, 0, 1, "", costs)
        source = await self._letter_of(job_id)
        async with self._record.of(lever, f"job {job_id}", before, after, about=(source,)):
            self._spool.forget(job_id)
        self._endings.discarded(job_id, source)
        await self._keeper.amend(job_id, "DISCARDED", f"discarded by {lever.actor}: {lever.reason}")
        self._chronicle.tell("lever", f"{lever.actor} discard job {job_id} ({lever.reason})")
        return LeverOutcome(True, f"{lever.actor} discard job {job_id} ({lever.reason})", before, after, 0, 1, "", costs)

    async def _dead(self, name: str) -> str:
        """Return the id of a dead letter. Raises UnknownTarget, or LeverRefused where the job is something else."""
        status = await self._queue.status(name)
        if status is None:
            raise UnknownTarget(f"no job {printable(name, 60)!r} is known; `gexdesk dead list` shows the dead letters")
        if status is not JobStatus.DEAD:
            raise LeverRefused(f"job {name} is no dead letter: it is {status}")
        return name

    async def _letter_of(self, job_id: str) -> str:
        """Return whose open letter a dead job is; empty where it is none: somebody cancelled it, or let it go already."""
        found = await self._keeper.reading(lambda metadata: metadata.dead(1, job_id=job_id))
        return found[0].source if found and found[0].kind != "cancelled" else ""

    async def _still_dead(self, job_id: str) -> None:
        self._flights.end(job_id)
        await self._keeper.amend(job_id, JobStatus.DEAD, "")
