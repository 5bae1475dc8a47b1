"""Hold the queue in this process: order in memory, every change journalled to SQLite.

A job is visible to claims as soon as ``put`` is called, and a claim waits for no sync (see ``attempts``): a CRITICAL job runs
at once, while ``put`` returns only after the group commit that holds it (the cost of one sync: 0.2 to 5 ms). Should the process
die in between, the job was never acknowledged and the spool supplies it again. ``ack``, ``retry`` and ``bury`` take effect once
they are synced; until then the job counts as processing. Where a change cannot be written, the caller gets StoreError and
memory goes back to what it was.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Sequence
from functools import partial
from math import isfinite
from pathlib import Path

from msgspec.structs import replace

from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeaseLost, QueueError, StoreError
from gexdesk.model.event import QueueEvent
from gexdesk.model.job import Claim, Job, JobStatus, LevelDepth, Place
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.text import printable
from gexdesk.queues.attempts import AttemptNotes
from gexdesk.queues.backlog import Before, Delay
from gexdesk.queues.base import QueueState
from gexdesk.queues.commit import Refused
from gexdesk.queues.conflation import Move
from gexdesk.queues.dead import Dead
from gexdesk.queues.ending import Endings
from gexdesk.queues.order import Entry, Stage, key_of
from gexdesk.queues.roll import KILL_SWITCH, Roll, row
from gexdesk.queues.rows import body_of

_ALL_RANKS = (0, 1, 2, 3)
_SLICE = 500  # jobs moved at once: some 5 ms


class EmbeddedQueue:
    """Satisfy ``Queue`` within one process.

    A delayed job of a paused source counts as delayed; ``by_source`` and the answers of ``pause`` and ``resume`` count every
    job that is queued: waiting, held and delayed.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        """Prepare a queue whose journal is the SQLite file ``path``."""
        self._path = path
        self._clock = clock
        self._roll = Roll(path, clock)
        self._journal = self._roll.journal
        self._backlog = self._roll.backlog
        self._entries = self._roll.entries
        self._leases = self._roll.leases
        self._waiters = self._roll.waiters
        self._notes = AttemptNotes(path.with_name(path.name + "-claims"), self._leases.attempts)
        self._dead = Dead(self._roll, self._notes, clock)
        self._endings: Endings | None = None  # of the newest commit that ends any

    @property
    def warning(self) -> str:
        """Say what was wrong with the journal and where the damaged file lies; empty when nothing was."""
        return self._journal.warning

    @property
    def shared(self) -> bool:
        """Say no: this process alone works on it."""
        return False

    @property
    def away(self) -> bool:
        """Say no."""
        return False

    @property
    def losses(self) -> int:
        """Return 0: a journal that was lost is told by ``warning``, and rebuilt at the start."""
        return 0

    async def open(self) -> None:
        """Recover order, attempts, retry times and pauses; what was being processed waits again, its attempt counted.

        A damaged journal is put aside and an empty one started; ``warning`` says so.

        Raises:
            StoreError: The journal cannot be opened, or another process has it open.
        """
        noted = self._open_notes()
        collecting = gc.isenabled()
        gc.disable()  # 100,000 jobs are loaded in 0.35 s instead of 0.5: nothing of them is garbage
        try:
            self._roll.load(await self._journal.open())
        except StoreError:
            self._notes.release()
            raise
        finally:
            if collecting:
                gc.enable()
        try:
            await self._roll.count_attempts(noted)
            self._notes.clear()
        except (OSError, StoreError) as error:
            await self.close()
            raise StoreError(f"the notes on claims beside the queue journal cannot be used: {error}") from error

    async def close(self) -> None:
        """Write what waits and let go of the file; waiting workers return."""
        self._waiters.wake()
        self._notes.close()
        await self._journal.close()
        self._notes.release()
        self._roll.events.end()

    async def put(self, jobs: Sequence[Job], parcels: Sequence[bytes] = (), *, ready: bool = False) -> None:
        """Add jobs, all or none; a known id is ignored. Older queued snapshots of the same source and symbol are superseded.

        Parcels are not kept: the payloads lie in this host's spool. A claim costs next to nothing, so that ``ready`` is of no use.

        Raises:
            QueueError: A score, receipt or deadline is not a finite number, so that the job has no place.
            StoreError: They cannot be made durable; none was added.
        """
        for job in jobs:
            if not isfinite(job.score + job.received_at + (job.deadline_at or 0.0)):  # finite only where each of them is
                raise _no_place(job)
        while self._roll.refused and any(self._is_ending_refused(job.job_id) for job in jobs):
            await self._journal.flush()  # whether it has ended is being written; if not, it needs a row like any other
        finished = self._roll.finished_among([job.job_id for job in jobs])
        commit = self._journal.commit()
        entries, backlog, keep, seq = self._entries, self._backlog, commit.keep, self._roll.next_seq
        added: list[Entry] = []
        before: list[Before] = []
        for job in jobs:
            job_id = job.job_id
            known = entries.get(job_id)
            if known is None and job_id not in finished:
                entries[job_id] = entry = Entry(seq, job, key_of(job, seq))
                self._roll.newest_id = max(self._roll.newest_id, job_id)
                if backlog.add(entry):
                    backlog.settle((entry,), before)
                keep += (seq, body_of(entry))
                added.append(entry)
                seq += 1
            elif known is not None and known.stage is not Stage.CANCELLED and not self._leases.is_ending(job_id):
                # Its first put may still be on its way to the disk, or have failed: this one answers for itself.
                self._roll.keep(commit, (known,))
                if known.seq in self._roll.refused:
                    commit.then(partial(self._roll.refused.discard, known.seq), None)
        self._roll.next_seq = seq
        self._roll.keep(commit, (was.entry for was in before))

        def undo() -> None:
            self._backlog.undo(before)
            self._roll.take_back(reversed(added))

        if added:
            commit.then(None, undo)
            self._waiters.wake()
            self._roll.tell("queued", added)
            self._roll.tell("moved", (was.entry for was in before))
        await commit

    async def parcel(self, job_id: str) -> bytes | None:
        """Return None: none are kept."""
        return None

    async def claim(self, worker: str, levels: Sequence[Level], lease_s: float, *, reserved: bool = False) -> Claim | None:
        """Take the next job of the strictest of these levels; its attempt is noted before this returns.

        A reserved slot is given no escalated job.

        Raises:
            StoreError: The attempt cannot be noted; the job stays at its place.
        """
        if self._roll.stopped:
            return None
        now = self._clock.monotonic()
        self._backlog.wake(now)
        entry = self._backlog.first(_ALL_RANKS if levels is LEVELS else _ranks(levels), reserved)
        if entry is None:
            return None
        attempt = entry.job.attempt + 1
        try:
            self._notes.note(entry.seq, attempt)
        except OSError as error:
            raise StoreError(f"job {entry.job.job_id} cannot be claimed, as its attempt cannot be noted: {error}") from error
        self._backlog.take(entry)
        entry.job = job = replace(entry.job, attempt=attempt)
        until = now + lease_s
        self._leases.begin(entry, until)
        if self._roll.events.heard:
            self._roll.tell("claimed", (entry,))
        return Claim(job, worker, attempt, until)

    async def claims(
        self, worker: str, levels: Sequence[Level], lease_s: float, *, reserved: bool = False, most: int = 1
    ) -> Sequence[Claim]:
        """Take one job, as ``claim``: the next one costs no way to anywhere."""
        claim = await self.claim(worker, levels, lease_s, reserved=reserved)
        return [] if claim is None else [claim]

    async def wait(self, levels: Sequence[Level], timeout_s: float, *, reserved: bool = False) -> None:
        """Return when a job of these levels may be eligible, or after the timeout."""
        now = self._clock.monotonic()
        self._backlog.wake(now)
        due = self._backlog.next_due()
        if not self._roll.stopped:
            if self._backlog.first(_ranks(levels), reserved) is not None:
                return
            timeout_s = timeout_s if due is None else min(timeout_s, due - now)
        await self._waiters.sleep(timeout_s)

    async def heartbeat(self, claim: Claim, lease_s: float) -> Claim:
        """Renew the lease; in memory only, as leases end with the process.

        Raises:
            LeaseLost: The job was rescued or finished.
        """
        lease = self._leases.of(claim)
        lease.until = self._clock.monotonic() + lease_s
        return replace(claim, lease_until=lease.until)

    def ack(self, claim: Claim) -> Awaitable[None]:
        """Mark the job COMPLETED, together with whatever else ends in this turn of the event loop; await it for the sync.

        Awaiting raises:
            LeaseLost: The job was rescued or finished.
            StoreError: It cannot be journalled; the lease still stands.
        """
        return self._end(claim, False, "")

    async def bury(self, claim: Claim, error: str) -> None:
        """Mark the job DEAD. Raises as ``ack``."""
        await self._end(claim, True, printable(error))

    async def retry(self, claim: Claim, after_s: float, error: str) -> None:
        """Put the job back at its place, eligible after a time; its note says what went wrong. Raises as ``ack``."""
        lease, commit = self._leases.of(claim), self._journal.commit()
        entry, job = lease.entry, lease.entry.job
        delay = Delay(self._clock.monotonic() + after_s, self._clock.now() + after_s, after_s) if after_s > 0 else None
        lease.ending = True
        entry.job = replace(job, note=printable(f"attempt {job.attempt} failed: {error}"))

        def done() -> None:
            self._leases.end(lease)
            self._roll.refused.discard(entry.seq)  # it is journalled now
            if delay is None:
                self._backlog.add(entry)
            else:
                self._backlog.put_off(entry, delay)
            self._waiters.wake()
            self._roll.tell("retried", (entry,))

        def undo() -> None:
            entry.job = job
            lease.ending = False

        commit.keep += row(entry, delay)
        commit.then(done, undo)
        await commit

    async def rescue(self) -> Sequence[Job]:
        """Put back every job whose lease has run out, and return them; waits for no sync, as their attempts are noted already."""
        back: list[Entry] = []
        expired = self._leases.expired(self._clock.monotonic())
        if not expired:
            return []
        commit = self._journal.commit()
        for lease in expired:
            entry = lease.entry
            self._leases.end(lease)
            if entry.seq in self._roll.refused:
                self._roll.refused.discard(entry.seq)
                del self._entries[entry.job.job_id]
            else:
                self._backlog.add(entry)
                self._roll.keep(commit, (entry,))
                back.append(entry)
        self._waiters.wake()
        self._roll.tell("rescued", back)
        return [entry.job for entry in back]

    async def relevel(
        self, job_ids: Sequence[str], level: Level, score: float, deadline_after_s: float | None, note: str,
        *, place: Place = Place.OWN,
    ) -> int:  # fmt: skip
        """Give queued jobs another level, place and score, keeping their age.

        A superseded job still does not go ahead of its successor: moved above LOW, it takes the successor with it. Many jobs
        are moved a slice at a time, so that claims go on meanwhile.

        Raises:
            QueueError: The score is not a finite number.
            StoreError: It cannot be journalled; nothing was changed.
        """
        if not isfinite(score):
            raise QueueError(f"score {score} is not a finite number; a job needs one to have a place")
        before: list[Before] = []
        moved, names = 0, list(dict.fromkeys(job_ids))
        for at in range(0, len(names), _SLICE):
            if at:
                await asyncio.sleep(0)
            queued = self._roll.queued(names[at : at + _SLICE])
            for entry in queued:
                old = entry.job
                outdated = old.superseded and level is Level.LOW
                deadline_at = None if outdated or deadline_after_s is None else old.received_at + deadline_after_s
                job = replace(
                    old, level=level, score=0.0 if outdated else score, deadline_at=deadline_at, note=note,
                    place=Place.OWN if outdated else place,
                )  # fmt: skip
                self._backlog.move(Move(entry, job, key_of(job, entry.seq), False, False), before)
            self._backlog.settle(queued, before)
            self._waiters.wake()
            self._roll.tell("moved", queued)
            moved += len(queued)
        if moved:
            commit = self._journal.commit()
            # One commit for all slices, so that all or none is durable. What ended meanwhile must not be written again.
            self._roll.keep(commit, (was.entry for was in before if self._roll.is_live(was.entry)))
            commit.then(None, partial(self._roll.move_back, before))
            await commit
        return moved

    async def cancel(self, job_ids: Sequence[str], note: str) -> int:
        """Let queued jobs become DEAD with this error; see ``Dead``."""
        return await self._dead.cancel(job_ids, note)

    def queued(self, job_ids: Sequence[str]) -> list[Job]:
        """Return those of the jobs that are queued, held and delayed ones included, as they are now."""
        return [entry.job for entry in self._roll.queued(job_ids)]

    async def withdraw(self, job_ids: Sequence[str]) -> int:
        """Forget queued jobs that another queue holds now; see ``Dead``."""
        return await self._dead.withdraw(job_ids)

    async def revive(self, job_ids: Sequence[str]) -> int:
        """Let DEAD jobs wait again at their places; see ``Dead``."""
        return await self._dead.revive(job_ids)

    async def pause(self, source: str) -> int:
        """Hold a source's jobs; returns how many are queued."""
        commit, was_held = self._journal.commit(), source in self._backlog.held
        self._backlog.hold(source)
        self._roll.tell_of("paused", source)
        commit.hold[source] = True
        commit.then(None, None if was_held else partial(self._backlog.release, source))
        await commit
        return self._backlog.queued_of.get(source, 0)

    async def resume(self, source: str) -> int:
        """Release a source's jobs at their places; returns how many are queued."""
        commit, was_held = self._journal.commit(), source in self._backlog.held
        self._backlog.release(source)
        self._waiters.wake()
        self._roll.tell_of("resumed", source)
        commit.hold[source] = False
        commit.then(None, partial(self._backlog.hold, source) if was_held else None)
        await commit
        return self._backlog.queued_of.get(source, 0)

    async def stop_all(self, stopped: bool) -> None:
        """Turn the kill switch."""
        commit, was, self._roll.stopped = self._journal.commit(), self._roll.stopped, stopped

        def undo() -> None:
            self._roll.stopped = was

        self._waiters.wake()
        self._roll.tell_of("paused" if stopped else "resumed", KILL_SWITCH)
        commit.hold[KILL_SWITCH] = stopped
        commit.then(None, undo)
        await commit

    async def prune(self, before: float) -> int:
        """Forget jobs that finished before a time (UTC seconds), a slice a commit; returns how many. A replay of one runs again."""
        total = 0
        while True:
            pruned, commit = self._journal.pruned, self._journal.commit()
            commit.prune_before = max(before, commit.prune_before or before)
            await commit
            if self._journal.pruned == pruned:
                return total
            total += self._journal.pruned - pruned

    def state(self) -> QueueState:
        """Count: O(sources)."""
        self._backlog.wake(self._clock.monotonic())
        levels: dict[Level, LevelDepth] = {}
        for rank, level in enumerate(LEVELS):
            waiting, held, delayed, oldest = self._backlog.counts(rank)
            levels[level] = LevelDepth(waiting, held, delayed, self._leases.processing[rank], oldest)
        return QueueState(levels, dict(self._backlog.queued_of), self._backlog.held, self._roll.stopped, self._backlog.conflated)

    async def peek(self, limit: int) -> Sequence[Job]:
        """Return the next jobs in true order over all levels, held and delayed ones left out: O(limit log limit)."""
        self._backlog.wake(self._clock.monotonic())
        return self._backlog.next_jobs(limit)

    async def position(self, job_id: str) -> int | None:
        """Return an eligible job's number in the true order, from 1: O(jobs ahead of it in its level + sources)."""
        self._backlog.wake(self._clock.monotonic())
        entry = self._entries.get(job_id)
        return None if entry is None else self._backlog.position(entry)

    async def jobs_of(self, source: str) -> Sequence[Job]:
        """Return a source's queued jobs in true order, held and delayed ones included."""
        self._backlog.wake(self._clock.monotonic())
        return self._backlog.jobs_of(source)

    async def status(self, job_id: str) -> JobStatus | None:
        """Return where a job stands; a finished one is looked up on disk."""
        return self._roll.statuses([job_id])[0]

    async def statuses(self, job_ids: Sequence[str]) -> Sequence[JobStatus | None]:
        """Return where each of many jobs stands, a slice at a time, so that claims go on meanwhile."""
        found: list[JobStatus | None] = []
        for at in range(0, len(job_ids), _SLICE):
            if at:
                await asyncio.sleep(0)
            found += self._roll.statuses(job_ids[at : at + _SLICE])
        return found

    async def known(self, job_ids: Sequence[str]) -> Sequence[bool]:
        """Say for each id whether the queue has it or has finished it."""
        finished = self._roll.finished_among(job_ids)
        return [job_id in self._entries or job_id in finished for job_id in job_ids]

    def events(self) -> AsyncIterator[QueueEvent]:
        """Return what happens from this call on, to the queue's end; a slow reader loses the oldest."""
        return self._roll.events.listen()

    def _is_ending_refused(self, job_id: str) -> bool:
        """Say whether a job whose put failed ran all the same and is about to end."""
        known = self._entries.get(job_id)
        return known is not None and known.seq in self._roll.refused and self._leases.is_ending(job_id)

    def _open_notes(self) -> dict[int, int]:
        try:
            return self._notes.open()
        except BlockingIOError:
            raise StoreError(f"the queue journal {self._path} is open in another process; one at a time may work on it") from None
        except OSError as error:
            raise StoreError(f"the queue journal {self._path} cannot be opened: {error}") from error

    def _end(self, claim: Claim, dead: bool, error: str) -> Awaitable[None]:
        try:
            lease, endings = self._leases.of(claim), self._endings
            if endings is None or not endings.commit.is_open:
                endings = self._endings = Endings(self._journal.commit(), self._roll.ended)
        except (LeaseLost, StoreError) as refused:
            return Refused(refused)
        endings.add(lease, self._clock.now(), dead, error)
        if endings.is_full():
            self._journal.send()  # let its thread begin while this turn of the loop goes on
        return endings.commit


def _ranks(levels: Sequence[Level]) -> Sequence[int]:
    return _ALL_RANKS if levels is LEVELS else sorted([level.rank for level in levels])


def _no_place(job: Job) -> QueueError:
    values = (("score", job.score), ("received_at", job.received_at), ("deadline_at", job.deadline_at))
    name, value = next((name, value) for name, value in values if value is not None and not isfinite(value))
    return QueueError(f"job {job.job_id} has {name} {value}; a job needs a finite number there to have a place")
