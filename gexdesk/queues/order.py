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

    def __lt__(self, other: "Entry") -> bool:
        """Decide nothing: keys do, and two entries share one only where a revived job's former self is still in a heap."""
        return False


def key_of(job: Job, seq: int) -> Key:
    """Return where a job stands by itself: level, place, score down, stricter freshness, earlier deadline, arrival.

    A superseded job goes behind all others of its score, at LOW behind all others; the newest snapshot first.
    """
    if job.superseded:
        place = _BEHIND if job.level is Level.LOW else job.place
        return (job.level.rank, place, -job.score, _OUTDATED, -job.as_of, seq, -job.as_of, seq)
    deadline = inf if job.deadline_at is None else job.deadline_at
    return (job.level.rank, job.place, -job.score, job.freshness, deadline, seq, -job.as_of, seq)


class _Lane:
    """Hold one source's jobs of one level: by place, and by receipt for the age of the oldest."""

    __slots__ = ("ages", "heap", "live", "rank")

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.heap: list[tuple[Key, Entry]] = []
        self.ages: list[tuple[float, int, Entry]] = []
        self.live = 0

    def holds(self, entry: Entry) -> bool:
        return entry.stage is Stage.WAITING and entry.key[0] == self.rank

    def tidy(self) -> bool:
        """Bring a live entry to the head; say whether the head changed."""
        heap, changed = self.heap, False
        while heap and not _alive(*heap[0]):
            heappop(heap)
            changed = True
        if len(heap) > 2 * self.live + 64:
            self.heap = [item for item in heap if _alive(*item)]
            heapify(self.heap)
        if len(self.ages) > 4 * self.live + 64:
            self.ages = [item for item in self.ages if self.holds(item[2])]
            heapify(self.ages)
        return changed

    def oldest(self) -> float | None:
        ages = self.ages
        while ages and not self.holds(ages[0][2]):
            heappop(ages)
        return ages[0][0] if ages else None


def _alive(key: Key, entry: Entry) -> bool:
    # Identity, not equality: a job that moved away and back has a new key and an old item that must not count.
    return entry.key is key and entry.stage is Stage.WAITING


class Order:
    """Answer which job is next, for any set of levels, with any sources held."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self._lanes: dict[str, tuple[_Lane, _Lane, _Lane, _Lane]] = {}
        self._heads: tuple[list[tuple[Key, Entry]], ...] = ([], [], [], [])

    def add(self, entry: Entry) -> None:
        """Let an entry wait at its key."""
        key, job = entry.key, entry.job
        lanes = self._lanes.get(job.source)
        if lanes is None:
            lanes = self._lanes[job.source] = (_Lane(0), _Lane(1), _Lane(2), _Lane(3))
        lane = lanes[key[0]]
        entry.stage = Stage.WAITING
        heappush(lane.heap, (key, entry))
        heappush(lane.ages, (job.received_at, entry.seq, entry))
        lane.live += 1
        if lane.heap[0][1] is entry and job.source not in self.held:
            heappush(self._heads[key[0]], (key, entry))

    def remove(self, entry: Entry, stage: Stage) -> None:
        """Take a waiting entry out."""
        rank, source = entry.key[0], entry.job.source
        lane = self._lanes[source][rank]
        entry.stage = stage
        lane.live -= 1
        if lane.tidy() and lane.heap and source not in self.held:
            heappush(self._heads[rank], lane.heap[0])

    def take(self, entry: Entry) -> None:
        """Take out the entry that ``first`` has just returned, for a worker."""
        rank, source = entry.key[0], entry.job.source
        lane, heads = self._lanes[source][rank], self._heads[rank]
        entry.stage = Stage.CLAIMED
        lane.live -= 1
        lane.tidy()
        if lane.heap:
            heapreplace(heads, lane.heap[0])
        else:
            heappop(heads)

    def load(self, entries: Iterable[Entry]) -> None:
        """Fill an empty order at once; cheaper than adding one by one."""
        for entry in entries:
            lanes = self._lanes.get(entry.job.source)
            if lanes is None:
                lanes = self._lanes[entry.job.source] = (_Lane(0), _Lane(1), _Lane(2), _Lane(3))
            lane = lanes[entry.key[0]]
            entry.stage = Stage.WAITING
            lane.heap.append((entry.key, entry))
            lane.ages.append((entry.job.received_at, entry.seq, entry))
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
                key, entry = heads[0]
                if _alive(key, entry) and entry.job.source not in self.held:
                    if reserved and key[1] >= Place.ESCALATED:
                        break
                    return entry
                heappop(heads)
        return None

    def walk(self) -> Iterator[Entry]:
        """Yield waiting entries in true order, held ones left out; the first k cost O(k log k)."""
        for rank in range(4):
            lanes = [self._lanes[source][rank] for source in self._lanes if source not in self.held]
            frontier = [(lane.heap[0][0], at, 0, lane.heap) for at, lane in enumerate(lanes) if lane.live]
            heapify(frontier)
            last: Entry | None = None
            while frontier:
                _, at, place, heap = heappop(frontier)
                key, entry = heap[place]
                if _alive(key, entry) and entry is not last:
                    last = entry
                    yield entry
                for child in (2 * place + 1, 2 * place + 2):
                    if child < len(heap):
                        heappush(frontier, (heap[child][0], at, child, heap))

    def ahead_of(self, entry: Entry) -> int:
        """Count the entries that go before one, held ones left out; O(jobs ahead of it in its level + sources)."""
        limit, count = entry.key, 0
        for source, lanes in self._lanes.items():
            if source in self.held:
                continue
            count += sum(lane.live for lane in lanes[: limit[0]])
            heap = lanes[limit[0]].heap
            at = [0] if heap else []
            seen: set[int] = set()  # a job that moved away and back may be there twice
            while at:
                key, other = heap[here := at.pop()]
                if not key < limit:
                    continue
                if _alive(key, other):
                    seen.add(other.seq)
                at.extend(child for child in (2 * here + 1, 2 * here + 2) if child < len(heap))
            count += len(seen)
        return count

    def of(self, source: str) -> list[Entry]:
        """Return a source's waiting or held entries, in no order."""
        return list({e.seq: e for lane in self._lanes.get(source, ()) for key, e in lane.heap if _alive(key, e)}.values())

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

    def _surface(self, source: str) -> None:
        for rank, lane in enumerate(self._lanes.get(source, ())):
            lane.tidy()
            if lane.heap:
                heappush(self._heads[rank], lane.heap[0])
