"""Know every job of a queue that is not finished, where it stands, and how what changes is kept."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from gexdesk.model.clock import Clock
from gexdesk.model.event import EventKind
from gexdesk.model.job import JobStatus
from gexdesk.queues.backlog import Backlog, Before, Delay
from gexdesk.queues.commit import Commit
from gexdesk.queues.events import Events
from gexdesk.queues.journal import Journal
from gexdesk.queues.leases import Lease, Leases
from gexdesk.queues.order import Entry, Stage
from gexdesk.queues.rows import Kept, body_of
from gexdesk.queues.waiters import Waiters

KILL_SWITCH = ""
"""The source whose pause is the kill switch."""
_QUEUED = (Stage.WAITING, Stage.DELAYED)
_STATUS = {
    Stage.WAITING: JobStatus.QUEUED,
    Stage.DELAYED: JobStatus.QUEUED,
    Stage.CLAIMED: JobStatus.PROCESSING,
    Stage.CANCELLED: JobStatus.DEAD,
}


class Roll:
    """Hold the jobs, those queued in a backlog and those claimed under leases.

    Attributes:
        refused: Arrival numbers of claimed jobs whose put failed.
        stopped: The kill switch.
        next_seq: The next arrival number.
        newest_id: Greatest id ever taken.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.journal = Journal(path, clock, self._journal_again)
        self.backlog = Backlog()
        self.leases = Leases()
        self.events = Events()
        self.waiters = Waiters(clock)
        self.entries: dict[str, Entry] = {}
        self.refused: set[int] = set()
        self.stopped = False
        self.next_seq = 1
        self.newest_id = ""
        self._clock = clock

    def load(self, kept: Kept) -> None:
        """Take in what the journal holds; what was being processed waits again."""
        self.stopped = KILL_SWITCH in kept.held
        self.newest_id = kept.newest_finished
        waiting: list[Entry] = []
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for entry in kept.entries:
            job_id = entry.job.job_id
            self.entries[job_id] = entry
            self.newest_id = max(self.newest_id, job_id)
            if entry.placed:  # beside a job that may be gone: its arrival number must not be given again
                self.next_seq = max(self.next_seq, int(entry.key[5]) + 1)
            eligible_at, after_s = kept.eligible.get(entry.seq, (0.0, 0.0))
            left_s = min(eligible_at - now, after_s)  # a clock that was set back meanwhile must not hold a job for longer
            if left_s > 0:
                self.backlog.put_off(entry, Delay(monotonic + left_s, eligible_at, after_s))
            else:
                waiting.append(entry)
        last = kept.entries[-1].seq if kept.entries else 0
        self.next_seq = max(self.next_seq, last + 1, kept.last_dead + 1)  # a dead job keeps its number for a revival
        self.backlog.load(waiting, kept.held - {KILL_SWITCH})

    async def count_attempts(self, noted: Mapping[int, int]) -> None:
        """Carry over the attempts by arrival number that were noted when the last process ended. Raises StoreError."""
        commit = self.journal.commit()
        for entry in self.entries.values() if noted else ():
            attempt = noted.get(entry.seq, 0)
            if attempt > entry.job.attempt:
                entry.job = replace(entry.job, attempt=attempt)
                self.keep(commit, (entry,))
        await commit

    # ---- to find ----

    def queued(self, job_ids: Iterable[str]) -> list[Entry]:
        """Return those of the jobs that are queued, held and delayed ones included, each once."""
        found = map(self.entries.get, dict.fromkeys(job_ids))
        return [entry for entry in found if entry is not None and entry.stage in _QUEUED]

    def statuses(self, job_ids: Sequence[str]) -> list[JobStatus | None]:
        """Return where each job stands; finished ones are looked up on disk, together."""
        finished = self.finished_among(job_ids)
        entries = [(job_id, self.entries.get(job_id)) for job_id in job_ids]
        return [finished.get(job_id) if entry is None else _STATUS[entry.stage] for job_id, entry in entries]

    def finished_among(self, job_ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """Return the status of those of the jobs that are finished."""
        # Ids grow with arrival, so a new one is beyond all that was ever taken and needs no look at the disk.
        asked = [job_id for job_id in job_ids if job_id <= self.newest_id and job_id not in self.entries]
        return self.journal.statuses(asked) if asked else {}

    def is_live(self, entry: Entry) -> bool:
        """Say whether an entry has a row of its own to keep: it has not ended, nor is it about to."""
        job_id = entry.job.job_id
        is_there = self.entries.get(job_id) is entry and entry.stage is not Stage.CANCELLED
        return is_there and not self.leases.is_ending(job_id)

    # ---- to change ----

    def keep(self, commit: Commit, entries: Iterable[Entry]) -> None:
        """Let a commit hold entries as they are now."""
        for entry in entries:
            commit.keep += row(entry, self.backlog.delay_of(entry))

    def take_back(self, entries: Iterable[Entry]) -> None:
        """Let jobs never have been queued, as that could not be kept."""
        for entry in entries:
            if entry.stage is Stage.CLAIMED:
                self.refused.add(entry.seq)  # it runs already: let it, but do not put it back should its worker die
            else:
                self.backlog.remove(entry)
                del self.entries[entry.job.job_id]

    def move_back(self, before: Sequence[Before]) -> None:
        """Put entries where they were, as their move could not be kept."""
        self.backlog.undo(before)
        self.backlog.settle([was.entry for was in before if was.entry.stage in _QUEUED], [])  # others came meanwhile

    def ended(self, leases: list[tuple[Lease, bool]]) -> None:
        """Let go of jobs whose end is kept; the second says whether one is DEAD."""
        self.leases.end(*[lease for lease, _ in leases])
        for lease, dead in leases:
            entry = lease.entry
            del self.entries[entry.job.job_id]
            if self.refused:
                self.refused.discard(entry.seq)
            if self.events.heard:
                self.tell("dead" if dead else "completed", (entry,))

    # ---- to tell ----

    def tell(self, kind: EventKind, entries: Iterable[Entry]) -> None:
        """Tell listeners what happened to jobs."""
        if self.events.heard:
            for job in [entry.job for entry in entries]:
                self.events.tell(kind, self._clock.now(), job.job_id, job.source, job.level)

    def tell_of(self, kind: EventKind, source: str) -> None:
        """Tell listeners what happened to a source, or without a name to the whole queue."""
        if self.events.heard:
            self.events.tell(kind, self._clock.now(), source=source)

    def _journal_again(self) -> None:
        """Fill an empty journal that took a damaged one's place; finished jobs are forgotten with the damaged one."""
        commit = self.journal.commit()
        commit.hold |= dict.fromkeys(self.backlog.held, True) | {KILL_SWITCH: self.stopped}
        self.keep(commit, filter(self.is_live, self.entries.values()))


def row(entry: Entry, delay: Delay | None) -> tuple[int, bytes]:
    """Return an entry as a commit keeps it."""
    return entry.seq, body_of(entry) if delay is None else body_of(entry, delay.eligible_at, delay.after_s)
