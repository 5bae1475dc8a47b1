"""End jobs, many in one commit: until it is synced, each counts as processing."""

from collections.abc import Callable
from functools import partial

from gexdesk.model.job import JobStatus
from gexdesk.queues.commit import Commit
from gexdesk.queues.leases import Lease
from gexdesk.queues.rows import body_of

_COMPLETED, _DEAD = JobStatus.COMPLETED.value, JobStatus.DEAD.value  # SQLite takes plain text faster
_FULL = 1024


class Endings:
    """Hold the leases that end with one commit.

    Attributes:
        commit: The commit that they share.
    """

    __slots__ = ("_leases", "commit")

    def __init__(self, commit: Commit, ended: Callable[[list[tuple[Lease, bool]]], None]) -> None:
        """Prepare; ``ended`` is called with the jobs that have ended, and whether each is DEAD."""
        self.commit = commit
        self._leases: list[tuple[Lease, bool]] = []
        commit.then(partial(ended, self._leases), self._failed)

    def add(self, lease: Lease, at: float, dead: bool, error: str) -> None:
        """Let a job end: COMPLETED, or DEAD with an error."""
        entry, commit = lease.entry, self.commit
        job_id = entry.job.job_id
        lease.ending = True
        self._leases.append((lease, dead))
        commit.gone.append(entry.seq)
        commit.finish += (job_id, _DEAD if dead else _COMPLETED, at, error)
        if dead:
            commit.die += (job_id, entry.seq, body_of(entry), at)

    def is_full(self) -> bool:
        """Say whether so many end with it that it should go on its way."""
        return len(self._leases) >= _FULL

    def _failed(self) -> None:
        for lease, _ in self._leases:
            lease.ending = False
