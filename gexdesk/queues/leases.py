"""Keep who holds which job until when; the attempt's number is the fence that makes a late word refusable."""

from msgspec import Struct

from gexdesk.model.errors import LeaseLost
from gexdesk.model.job import Claim
from gexdesk.queues.order import Entry


class Lease(Struct, eq=False, gc=False):
    """Hold a claim.

    Attributes:
        until: Monotonic seconds.
        rank: Of the level at which the job counts as processing.
        ending: The worker is through; the sync that finishes the job or puts it back is under way.
    """

    entry: Entry
    fence: int
    until: float
    rank: int
    ending: bool = False


class Leases:
    """Hold every lease of a queue.

    Attributes:
        processing: Claimed jobs by level rank.
    """

    def __init__(self) -> None:
        self.processing = [0, 0, 0, 0]
        self._of: dict[str, Lease] = {}

    def begin(self, entry: Entry, until: float) -> Lease:
        """Lease a job whose attempt is counted already."""
        lease = self._of[entry.job.job_id] = Lease(entry, entry.job.attempt, until, entry.key[0])
        self.processing[lease.rank] += 1
        return lease

    def end(self, *leases: Lease) -> None:
        """Let go of jobs."""
        for lease in leases:
            del self._of[lease.entry.job.job_id]
            self.processing[lease.rank] -= 1

    def of(self, claim: Claim) -> Lease:
        """Return the lease of a claim. Raises LeaseLost where another holds the job, or nobody."""
        lease = self._of.get(claim.job.job_id)
        if lease is None or lease.ending or lease.fence != claim.fence:
            held = f"{claim.worker} no longer holds job {claim.job.job_id} (attempt {claim.fence})"
            raise LeaseLost(f"{held}: it was rescued or finished meanwhile; drop the result")
        return lease

    def is_ending(self, job_id: str) -> bool:
        """Say whether a job is between its worker and the sync that finishes it or puts it back."""
        lease = self._of.get(job_id)
        return lease is not None and lease.ending

    def expired(self, now: float) -> list[Lease]:
        """Return the leases that have run out, monotonic time."""
        return [lease for lease in self._of.values() if lease.until <= now and not lease.ending]

    def attempts(self) -> list[tuple[int, int]]:
        """Return arrival number and attempt of every claimed job."""
        return [(lease.entry.seq, lease.fence) for lease in self._of.values()]
