"""End jobs, many in one commit: until it is synced, each counts as processing."""

from collections.abc import Callable

from gexdesk.model.job import JobStatus
from gexdesk.queues.commit import Commit
from gexdesk.queues.leases import Lease
from gexdesk.queues.rows import body_of

_COMPLETED, _DEAD = JobStatus.COMPLETED.value, JobStatus.DEAD.value  # SQLite takes plain text faster


class Endings:
    """Hold the leases that end with one commit.

    Attributes:
        commit: The commit that they share.
    """

    __slots__ = ("_leases", "_told", "commit")

    def __init__(self, commit: Commit, told: Callable[[Lease, bool], None]) -> None:
        """Prepare; ``told`` is called for each job once it has ended, with whether it is DEAD."""
        self.commit = commit
        self._told = told
        self._leases: list[tuple[Lease, bool]] = []
        commit.then(self._done, self._failed)

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

    def _done(self) -> None:
        for lease, dead in self._leases:
            self._told(lease, dead)

    def _failed(self) -> None:
        for lease, _ in self._leases:
            lease.ending = False
