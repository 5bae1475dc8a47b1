"""Keep a superseded snapshot behind its successor: the queued jobs of one source and symbol form a chain by ``as_of``.

The newest is the head. Of the older ones, those that are not CRITICAL drop to LOW, behind everything else there. A CRITICAL
one keeps its level, and its promise still counts: head and CRITICAL ones share the best place that any of them has, the head
first, then the newest. So a symbol that changes faster than it is worked off never loses its place in the line, as it would
if each newcomer started at the end. A head of a lower level is raised for as long as that lasts; once superseded itself, it
drops to LOW, as its own level says. A job that an operator moved above LOW although it is superseded counts in the same way.
A job that was escalated to CRITICAL is not CRITICAL in itself and drops; moved there although superseded, it stays behind the
level's own jobs even where its head is one of them.

Jobs that a worker holds, or that come back from one, are left at their places. Equal ``as_of`` supersedes nothing.
"""

from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.model.job import Job, Place
from gexdesk.model.level import Level
from gexdesk.queues.order import Entry, Key, key_of

_SHARED = 6
"""How much of a key those that share a place have in common: all but the snapshot's age and the arrival number."""


class Move(Struct, frozen=True, gc=False):
    """Say what an entry becomes."""

    entry: Entry
    job: Job
    key: Key
    placed: bool
    raised: bool


class Chain:
    """Hold the queued jobs of one source and symbol, oldest snapshot first."""

    __slots__ = ("_members", "_standing")

    def __init__(self) -> None:
        self._members: list[Entry] = []
        self._standing: list[Entry] = []  # those with a place to lose or to keep; a dropped one costs no newcomer anything

    def __len__(self) -> int:
        return len(self._members)

    def add(self, entry: Entry) -> None:
        """Take in a queued entry."""
        members = self._members
        if not members or _age(members[-1]) < _age(entry):
            members.append(entry)
        else:
            members.insert(bisect_left(members, _age(entry), key=_age), entry)
        if not _dropped(entry.job):
            self._standing.append(entry)

    def remove(self, entry: Entry) -> None:
        """Let go of an entry that is no longer queued."""
        del self._members[bisect_left(self._members, _age(entry), key=_age)]
        self._leave_place(entry)

    def settle(self) -> Iterator[Move]:
        """Yield what has to change so that nothing superseded goes ahead of the head. Apply each before taking the next."""
        head = self._members[-1]
        counting: list[Entry] = []
        for entry in tuple(self._standing):
            job = entry.job
            if entry is head or not job.as_of < head.job.as_of:
                continue
            note = f"superseded by {head.job.job_id}"
            if entry.raised or not (job.superseded or (job.level is Level.CRITICAL and job.place is not Place.ESCALATED)):
                dropped = replace(
                    job, level=Level.LOW, place=Place.OWN, score=0.0, deadline_at=None, superseded=True, note=note
                )
                self._leave_place(entry)
                yield Move(entry, dropped, key_of(dropped, entry.seq), False, False)
            else:
                counting.append(entry)
                if not job.superseded:
                    yield Move(entry, replace(job, superseded=True, note=note), entry.key, True, False)
        if counting:
            yield from self._share_place(head, counting)

    def _leave_place(self, entry: Entry) -> None:
        for at in range(len(self._standing) - 1, -1, -1):  # nearly always the newest
            if self._standing[at] is entry:
                del self._standing[at]
                return

    def _share_place(self, head: Entry, counting: list[Entry]) -> Iterator[Move]:
        best = min(counting, key=lambda entry: entry.key)
        if best.key < head.key:
            job, lent = head.job, best.job
            if lent.level is job.level and (job.place is not Place.ESCALATED or lent.place is Place.ESCALATED):
                note = f"in the place of {lent.job_id}, which it supersedes"
                yield Move(head, replace(job, note=note, place=lent.place), _beside(best.key, head), True, head.raised)
            else:
                note = f"raised to {lent.level}: supersedes {lent.job_id}, whose promise counts"
                if _dropped(job):  # an old one again the newest that waits: it stands for something now
                    self._standing.append(head)
                raised = replace(
                    job, level=lent.level, place=lent.place, score=lent.score, deadline_at=lent.deadline_at, note=note
                )
                yield Move(head, raised, _beside(best.key, head), True, True)
        for entry in counting:
            escalated = entry.job.place is Place.ESCALATED and head.job.place is not Place.ESCALATED
            if entry.key[0] == head.key[0] and entry.key[:_SHARED] != head.key[:_SHARED] and not escalated:
                yield Move(entry, replace(entry.job, place=head.job.place), _beside(head.key, entry), True, False)


def _age(entry: Entry) -> tuple[float, int]:
    return entry.job.as_of, entry.seq


def _dropped(job: Job) -> bool:
    return job.superseded and job.level is Level.LOW


def _beside(anchor: Key, entry: Entry) -> Key:
    rank, place, score, freshness, deadline, arrival, _, _ = anchor
    return (rank, place, score, freshness, deadline, arrival, -entry.job.as_of, entry.seq)
