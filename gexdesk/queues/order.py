"""Keep waiting jobs in strict order, in memory: one heap a source and level, and one heap of their heads a level.

Pausing a source costs nothing and resuming it O(log sources), whatever its backlog: a held source's heads are dropped when
they surface and put back on release. Entries are removed lazily; a heap with more dead items than live ones is rebuilt.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from heapq import heapify, heappop, heappush, heapreplace
from math import inf

from msgspec import Struct

from gexdesk.model.job import Job, Place
from gexdesk.model.level import Level

Key = tuple[int, int, float, float, float, float, float, int]
"""Level rank, place, score down, freshness, deadline, arrival; between those that share all that, newest ``as_of`` and arrival."""

_OUTDATED = 99.0
"""Freshness of a superseded job in the order: behind every other job of the same score."""
_BEHIND = 2
"""Place of one that dropped to LOW: behind every other, escalated ones included, as its successor may be one of them."""


class Stage(IntEnum):
    """Say where an entry is: in the heaps, waiting for a retry's time, with a worker, or cancelled and soon gone."""

    WAITING = 0
    DELAYED = 1
    CLAIMED = 2
    CANCELLED = 3


_WAITING = Stage.WAITING


class Entry(Struct, gc=False, eq=False):
    """Hold a job that is not finished.

    Attributes:
        seq: Arrival number; a retry, a rescue and a new level keep it.
        placed: The key is not the job's own: conflation put it beside a job of the same source and symbol.
        raised: The level is not the job's own: conflation lent it the level of a job that it supersedes.
    """

    seq: int
    job: Job
    key: Key
    placed: bool = False
    raised: bool = False
    stage: Stage = Stage.CLAIMED


def key_of(job: Job, seq: int) -> Key:
    """Return where a job stands by itself: level, place, score down, stricter freshness, earlier deadline, arrival.

    A superseded job goes behind all others of its score, at LOW behind all others; the newest snapshot first.
    """
    if job.superseded:
        place = _BEHIND if job.level is Level.LOW else +job.place
        return (job.level.rank, place, -job.score, _OUTDATED, -job.as_of, seq, -job.as_of, seq)
    deadline = inf if job.deadline_at is None else job.deadline_at
    # Plain numbers: the collector stops looking at a tuple of those, and with an enum's member in it never.
    return (job.level.rank, +job.place, -job.score, job.freshness, deadline, seq, -job.as_of, seq)


class _Lane:
    """Hold one source's jobs of one level: by place, and by receipt for the age of the oldest.

    Keys stand for their entries: flat tuples of numbers compare fast, and a million of them cost the collector nothing.
    """

    __slots__ = ("ages", "heap", "live", "rank", "waiting")

    def __init__(self, rank: int, waiting: dict[int, Entry]) -> None:
        self.rank = rank
        self.waiting = waiting
        self.heap: list[Key] = []
        self.ages: list[tuple[float, int]] = []
        self.live = 0

    def alive(self, key: Key) -> bool:
        """Say whether a key is that of a waiting entry."""
        # Identity, not equality: a job that moved away and back has a new key and an old one that must not count.
        entry = self.waiting.get(key[7])
        return entry is not None and entry.key is key

    def tidy(self) -> bool:
        """Bring a live key to the head; say whether the head changed."""
        heap, changed = self.heap, False
        while heap and not self.alive(heap[0]):
            heappop(heap)
            changed = True
        if len(heap) > 2 * self.live + 64:
            self.heap = [key for key in heap if self.alive(key)]
            heapify(self.heap)
        if len(self.ages) > 4 * self.live + 64:
            self.forget_ages()
        return changed

    def forget_ages(self) -> None:
        """Forget the receipts of who is no longer here."""
        self.ages = [age for age in self.ages if self.is_here(age[1])]
        heapify(self.ages)

    def is_here(self, seq: int) -> bool:
        """Say whether an entry waits in this lane."""
        entry = self.waiting.get(seq)
        return entry is not None and entry.key[0] == self.rank

    def oldest(self) -> float | None:
        """Return the first receipt of those that wait."""
        ages = self.ages
        while ages and not self.is_here(ages[0][1]):
            heappop(ages)
        return ages[0][0] if ages else None


class Order:
    """Answer which job is next, for any set of levels, with any sources held."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self._waiting: dict[int, Entry] = {}  # by arrival number
        self._lanes: dict[str, tuple[_Lane, _Lane, _Lane, _Lane]] = {}
        self._heads: tuple[list[Key], ...] = ([], [], [], [])

    def add(self, entry: Entry) -> None:
        """Let an entry wait at its key."""
        key, job, seq = entry.key, entry.job, entry.seq
        lanes = self._lanes.get(job.source)
        if lanes is None:
            lanes = self._new_lanes(job.source)
        lane = lanes[key[0]]
        entry.stage = _WAITING
        self._waiting[seq] = entry
        heappush(lane.heap, key)
        heappush(lane.ages, (job.received_at, seq))
        lane.live += 1
        if lane.heap[0] is key and job.source not in self.held:
            heappush(self._heads[key[0]], key)

    def remove(self, entry: Entry, stage: Stage) -> None:
        """Take a waiting entry out."""
        rank, source = entry.key[0], entry.job.source
        lane = self._lanes[source][rank]
        entry.stage = stage
        del self._waiting[entry.seq]
        lane.live -= 1
        if lane.tidy() and lane.heap and source not in self.held:
            heappush(self._heads[rank], lane.heap[0])

    def take(self, entry: Entry) -> None:
        """Take out the entry that ``first`` has just returned, for a worker."""
        rank, source = entry.key[0], entry.job.source
        lane, heads, waiting = self._lanes[source][rank], self._heads[rank], self._waiting
        heap = lane.heap
        entry.stage = Stage.CLAIMED
        del waiting[entry.seq]
        lane.live -= 1
        heappop(heap)
        while heap and ((head := waiting.get(heap[0][7])) is None or head.key is not heap[0]):
            heappop(heap)
        if heap:
            heapreplace(heads, heap[0])
        else:
            heappop(heads)
        if len(lane.ages) > 4 * lane.live + 64:
            lane.forget_ages()

    def load(self, entries: Iterable[Entry]) -> None:
        """Fill an empty order at once; cheaper than adding one by one."""
        for entry in entries:
            lanes = self._lanes.get(entry.job.source)
            if lanes is None:
                lanes = self._new_lanes(entry.job.source)
            lane = lanes[entry.key[0]]
            entry.stage = _WAITING
            self._waiting[entry.seq] = entry
            lane.heap.append(entry.key)
            lane.ages.append((entry.job.received_at, entry.seq))
            lane.live += 1
        for source, lanes in self._lanes.items():
            for lane in lanes:
                heapify(lane.heap)
                heapify(lane.ages)
            if source not in self.held:
                self._surface(source)

    def hold(self, source: str) -> None:
        """Leave a source's jobs out from now on."""
        self.held.add(source)

    def release(self, source: str) -> None:
        """Let a source's jobs back in at their places."""
        self.held.discard(source)
        self._surface(source)

    def first(self, ranks: Sequence[int], reserved: bool) -> Entry | None:
        """Return the next entry of the strictest of these level ranks, which must be sorted; it stays where it is.

        A reserved slot is shown no escalated one and none that dropped: those are the last of their level, so one at the head
        means that there are no others.
        """
        for rank in ranks:
            heads = self._heads[rank]
            while heads:
                key = heads[0]
                entry = self._waiting.get(key[7])
                if entry is not None and entry.key is key and entry.job.source not in self.held:
                    if reserved and key[1] >= Place.ESCALATED:
                        break
                    return entry
                heappop(heads)
        return None

    def walk(self) -> Iterator[Entry]:
        """Yield waiting entries in true order, held ones left out; the first k cost O(k log k)."""
        for rank in range(4):
            lanes = [self._lanes[source][rank] for source in self._lanes if source not in self.held]
            frontier = [(lane.heap[0], at, 0, lane.heap) for at, lane in enumerate(lanes) if lane.live]
            heapify(frontier)
            while frontier:
                key, at, here, heap = heappop(frontier)
                entry = self._waiting.get(key[7])
                if entry is not None and entry.key is key:
                    yield entry
                for child in (2 * here + 1, 2 * here + 2):
                    if child < len(heap):
                        heappush(frontier, (heap[child], at, child, heap))

    def ahead_of(self, entry: Entry) -> int:
        """Count the entries that go before one, held ones left out; O(jobs ahead of it in its level + sources)."""
        limit, count = entry.key, 0
        for source, lanes in self._lanes.items():
            if source in self.held:
                continue
            count += sum(lane.live for lane in lanes[: limit[0]])
            lane = lanes[limit[0]]
            heap = lane.heap
            at = [0] if heap else []
            while at:
                here = at.pop()
                if heap[here] < limit:
                    count += lane.alive(heap[here])
                    at.extend(child for child in (2 * here + 1, 2 * here + 2) if child < len(heap))
        return count

    def of(self, source: str) -> list[Entry]:
        """Return a source's waiting or held entries, in no order."""
        return [self._waiting[key[7]] for lane in self._lanes.get(source, ()) for key in lane.heap if lane.alive(key)]

    def counts(self, rank: int) -> tuple[int, int, float | None]:
        """Return how many wait and how many are held at a level, and the receipt of the oldest that waits."""
        waiting = held = 0
        oldest: float | None = None
        for source, lanes in self._lanes.items():
            lane = lanes[rank]
            if source in self.held:
                held += lane.live
            elif lane.live:
                waiting += lane.live
                receipt = lane.oldest()
                if receipt is not None and (oldest is None or receipt < oldest):
                    oldest = receipt
        return waiting, held, oldest

    def _new_lanes(self, source: str) -> tuple[_Lane, _Lane, _Lane, _Lane]:
        at = self._waiting
        lanes = self._lanes[source] = (_Lane(0, at), _Lane(1, at), _Lane(2, at), _Lane(3, at))
        return lanes

    def _surface(self, source: str) -> None:
        for rank, lane in enumerate(self._lanes.get(source, ())):
            lane.tidy()
            if lane.heap:
                heappush(self._heads[rank], lane.heap[0])
