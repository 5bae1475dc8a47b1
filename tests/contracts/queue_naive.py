"""A queue as simple as can be: a list, sorted when asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from msgspec.structs import replace

from gexdesk.model.job import Job, JobStatus, Place
from gexdesk.model.level import Level


@dataclass(eq=False)
class Record:
    """Remember a job; ``stands`` is its place in the order, shared with others of its symbol where conflation says so."""

    job: Job
    arrival: int
    stands: tuple[float, ...] = ()
    lent: bool = False
    delayed_until: float = -inf
    claimed: bool = False
    lease_until: float = 0.0
    end: JobStatus | None = None


def by_itself(record: Record) -> tuple[float, ...]:
    job = record.job
    if job.superseded:
        place = 2 if job.level is Level.LOW else job.place
        return (job.level.rank, place, -job.score, 99, -job.as_of, record.arrival)
    deadline = inf if job.deadline_at is None else job.deadline_at
    return (job.level.rank, job.place, -job.score, job.freshness, deadline, record.arrival)


@dataclass
class NaiveQueue:
    """Do what the contract says in the most obvious way."""

    now: float = 0.0
    records: list[Record] = field(default_factory=list)
    paused: set[str] = field(default_factory=set)
    stopped: bool = False
    conflated: int = 0

    def find(self, job_id: str) -> Record | None:
        return next((r for r in self.records if r.job.job_id == job_id), None)

    def queued(self) -> list[Record]:
        rows = [r for r in self.records if r.end is None and not r.claimed]
        return sorted(rows, key=lambda r: (*r.stands, -r.job.as_of, r.arrival))

    def eligible(self) -> list[Record]:
        return [r for r in self.queued() if r.job.source not in self.paused and r.delayed_until <= self.now]

    def put(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if self.find(job.job_id) is None:
                record = Record(job, len(self.records))
                record.stands = by_itself(record)
                self.records.append(record)
                self.conflate(job.source, job.symbol)

    def conflate(self, source: str, symbol: str) -> None:
        chain = [r for r in self.queued() if (r.job.source, r.job.symbol) == (source, symbol) and symbol]
        if not chain:
            return
        head = max(chain, key=lambda r: (r.job.as_of, r.arrival))
        keep: list[Record] = []
        for r in chain:
            if r.job.as_of >= head.job.as_of or (r.job.superseded and r.job.level is Level.LOW):
                continue
            self.conflated += not r.job.superseded
            critical = r.job.level is Level.CRITICAL and r.job.place is not Place.ESCALATED
            if r.lent or not (r.job.superseded or critical):
                r.job = replace(r.job, level=Level.LOW, place=Place.OWN, score=0.0, deadline_at=None, superseded=True)
                r.lent, r.stands = False, by_itself(r)
            else:
                r.job = replace(r.job, superseded=True)
                keep.append(r)
        if not keep:
            return
        best = min(keep, key=lambda r: (*r.stands, -r.job.as_of, r.arrival))
        if (*best.stands, -best.job.as_of) < (*head.stands, -head.job.as_of):
            lifted = head.job.place is Place.ESCALATED and best.job.place is not Place.ESCALATED
            if head.job.level is not best.job.level or lifted:
                head.lent = True
                head.job = replace(head.job, level=best.job.level, score=best.job.score, deadline_at=best.job.deadline_at)
            head.job = replace(head.job, place=best.job.place)
            head.stands = best.stands
        for r in keep:
            stays = r.job.place is Place.ESCALATED and head.job.place is not Place.ESCALATED
            if r.job.level is head.job.level and not stays:
                r.job = replace(r.job, place=head.job.place)
                r.stands = head.stands

    def claim(self, levels: Sequence[Level], lease_s: float, reserved: bool) -> Record | None:
        if self.stopped:
            return None
        open_to = [r for r in self.eligible() if r.job.level in levels and not (reserved and r.stands[1] >= Place.ESCALATED)]
        if not open_to:
            return None
        record = open_to[0]
        record.claimed = True
        record.lease_until = self.now + lease_s
        record.job = replace(record.job, attempt=record.job.attempt + 1)
        return record

    def relevel(self, job_ids: Sequence[str], level: Level, score: float, after_s: float | None, place: Place) -> int:
        moved = [r for r in self.queued() if r.job.job_id in job_ids]
        for r in moved:
            gone = r.job.superseded and level is Level.LOW
            deadline = None if gone or after_s is None else r.job.received_at + after_s
            place_ = Place.OWN if gone else place
            r.job = replace(r.job, level=level, score=0.0 if gone else score, deadline_at=deadline, place=place_)
            r.lent, r.stands = False, by_itself(r)
        self._conflate_all(moved)
        return len(moved)

    def cancel(self, job_ids: Sequence[str]) -> int:
        gone = [r for r in self.queued() if r.job.job_id in job_ids]
        for r in gone:
            r.end = JobStatus.DEAD
        return len(gone)

    def revive(self, job_ids: Sequence[str]) -> int:
        back = [r for r in self.records if r.end is JobStatus.DEAD and r.job.job_id in job_ids]
        for r in back:
            r.end, r.delayed_until = None, -inf
            r.job = replace(r.job, attempt=0)
        self._conflate_all(back)
        return len(back)

    def restart(self) -> None:
        for r in self.records:
            r.claimed = False

    def _conflate_all(self, records: Sequence[Record]) -> None:
        for source, symbol in {(r.job.source, r.job.symbol) for r in records}:
            self.conflate(source, symbol)
