"""Hold every queued job of a process: those in order, those held with their source and those that wait for a retry's time."""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import islice
from math import isfinite

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.model.job import Job
from gexdesk.queues.conflation import Chain, Move
from gexdesk.queues.order import Entry, Key, Order, Stage


class Before(Struct, gc=False):
    """Remember an entry as it was, in case what was done to it cannot be journalled."""

    entry: Entry
    job: Job
    key: Key
    placed: bool
    raised: bool


class Delay(Struct, frozen=True, gc=False):
    """Say when a job is eligible again: monotonic seconds, UTC, and how long it was put off."""

    due: float
    eligible_at: float
    after_s: float


class Backlog:
    """Keep queued entries in order, in their chains and counted.

    Attributes:
        queued_of: Queued jobs per source, held and delayed ones included.
        conflated: Jobs superseded so far.
    """

    def __init__(self) -> None:
        self.queued_of: dict[str, int] = {}
        self.conflated = 0
        self._order = Order()
        self._chains: dict[tuple[str, str], Chain | Entry] = {}  # a chain of one is the one
        self._delayed: list[tuple[float, int, Entry]] = []
        self._delays: dict[int, Delay] = {}
        self._delayed_at = [0, 0, 0, 0]

    @property
    def held(self) -> frozenset[str]:
        """Name the sources whose jobs are held."""
        return frozenset(self._order.held)

    def load(self, entries: Iterable[Entry], held: Iterable[str]) -> None:
        """Fill an empty backlog."""
        self._order.held.update(held)
        waiting = tuple(entries)
        for entry in waiting:
            self._count_in(entry)
        self._order.load(waiting)

    def add(self, entry: Entry) -> bool:
        """Let an entry wait at its key; say whether others of its source and symbol are queued, so that it may have to move."""
        self._order.add(entry)
        return self._count_in(entry)

    def put_off(self, entry: Entry, delay: Delay) -> None:
        """Let an entry wait for a time first."""
        self._count_in(entry)
        entry.stage = Stage.DELAYED
        self._delays[entry.seq] = delay
        self._delayed_at[entry.key[0]] += 1
        heappush(self._delayed, (delay.due, entry.seq, entry))

    def first(self, ranks: Sequence[int], reserved: bool = False) -> Entry | None:
        """Return the next eligible entry of these level ranks, sorted; it stays."""
        return self._order.first(ranks, reserved)

    def take(self, entry: Entry) -> None:
        """Take out what ``first`` has just returned, for a worker."""
        self._order.take(entry)
        self._count_out(entry)

    def remove(self, entry: Entry) -> None:
        """Take a waiting entry out that was never there."""
        self._order.remove(entry, Stage.CANCELLED)
        self._count_out(entry)

    def cancel(self, entry: Entry) -> Delay | None:
        """Take a queued entry out for good; returns what it waited for."""
        delay = self._delays.pop(entry.seq, None)
        if delay is None:
            self._order.remove(entry, Stage.CANCELLED)
        else:
            entry.stage = Stage.CANCELLED  # its place in the heap of delays is passed over once it is due
            self._delayed_at[entry.key[0]] -= 1
        self._count_out(entry)
        return delay

    def wake(self, now: float) -> None:
        """Let those wait in order whose retry time has come; ``now`` is monotonic."""
        while self._delayed and self._delayed[0][0] <= now:
            due, _, entry = heappop(self._delayed)
            if not self._is_due(entry, due):
                continue
            del self._delays[entry.seq]
            self._delayed_at[entry.key[0]] -= 1
            self._order.add(entry)

    def next_due(self) -> float | None:
        """Return when the next delayed entry is eligible, monotonic; None without any."""
        while self._delayed and not self._is_due(self._delayed[0][2], self._delayed[0][0]):
            heappop(self._delayed)
        return self._delayed[0][0] if self._delayed else None

    def delay_of(self, entry: Entry) -> Delay | None:
        """Return what a delayed entry waits for."""
        return self._delays.get(entry.seq)

    def hold(self, source: str) -> None:
        """Hold a source's jobs."""
        self._order.hold(source)

    def release(self, source: str) -> None:
        """Release a source's jobs at their places."""
        self._order.release(source)

    def counts(self, rank: int) -> tuple[int, int, int, float | None]:
        """Return a level's waiting, held and delayed jobs and the receipt of the oldest waiting one."""
        waiting, held, oldest = self._order.counts(rank)
        return waiting, held, self._delayed_at[rank], oldest

    def position(self, entry: Entry) -> int | None:
        """Return an eligible entry's number, from 1, in true order; None for others."""
        eligible = entry.stage is Stage.WAITING and entry.job.source not in self._order.held
        return self._order.ahead_of(entry) + 1 if eligible else None

    def next_jobs(self, limit: int) -> list[Job]:
        """Return the next jobs in true order."""
        return [entry.job for entry in islice(self._order.walk(), max(0, limit))]

    def jobs_of(self, source: str) -> list[Job]:
        """Return all of a source's jobs in true order: held and delayed ones too."""
        mine = {e.seq: e for due, _, e in self._delayed if e.job.source == source and self._is_due(e, due)}
        return [entry.job for entry in sorted([*mine.values(), *self._order.of(source)], key=lambda entry: entry.key)]

    def settle(self, entries: Iterable[Entry], before: list[Before]) -> None:
        """Put what these entries supersede, or what supersedes them, where it belongs; adds to ``before`` what moved."""
        for place in dict.fromkeys((entry.job.source, entry.job.symbol) for entry in entries):
            chain = self._chains.get(place)
            if not isinstance(chain, Chain) or len(chain) < 2:
                continue
            for move in chain.settle():
                self.conflated += move.job.superseded and not move.entry.job.superseded
                self._apply(move, before)

    def move(self, move: Move, before: list[Before] | None) -> None:
        """Give a queued entry another job and place."""
        chain = self._chain(move.entry.job)
        if chain is not None:
            chain.remove(move.entry)
        self._apply(move, before)
        if chain is not None:
            chain.add(move.entry)

    def undo(self, before: Sequence[Before]) -> None:
        """Take moves back, latest first."""
        for was in reversed(before):
            entry = was.entry
            self.conflated -= entry.job.superseded and not was.job.superseded
            # A new key object: the order tells a live item from a stale one by identity.
            move = Move(entry, was.job, (*was.key,), was.placed, was.raised)
            if entry.stage not in (Stage.WAITING, Stage.DELAYED):  # nowhere in the order; it comes back to the place it had
                entry.job, entry.key = replace(was.job, attempt=entry.job.attempt), move.key
                entry.placed, entry.raised = was.placed, was.raised
            else:
                self.move(move, None)

    def _is_due(self, entry: Entry, due: float) -> bool:
        """Say whether an item in the heap of delays still counts."""
        delay = self._delays.get(entry.seq)
        return entry.stage is Stage.DELAYED and delay is not None and delay.due == due

    def _apply(self, move: Move, before: list[Before] | None) -> None:
        entry = move.entry
        waits = entry.stage is Stage.WAITING and move.key is not entry.key  # a key must never be in the order twice
        if before is not None:
            before.append(Before(entry, entry.job, entry.key, entry.placed, entry.raised))
        if waits:
            self._order.remove(entry, Stage.CLAIMED)
        elif entry.stage is Stage.DELAYED:
            self._delayed_at[entry.key[0]] -= 1
            self._delayed_at[move.key[0]] += 1
        entry.job, entry.key, entry.placed, entry.raised = move.job, move.key, move.placed, move.raised
        if waits:
            self._order.add(entry)

    def _count_in(self, entry: Entry) -> bool:
        job = entry.job
        self.queued_of[job.source] = self.queued_of.get(job.source, 0) + 1
        if not job.symbol or not isfinite(job.as_of):
            return False
        of = (job.source, job.symbol)
        chain = self._chains.get(of)
        if chain is None:
            self._chains[of] = entry
            return False
        if not isinstance(chain, Chain):
            alone, self._chains[of] = chain, (chain := Chain())
            chain.add(alone)
        chain.add(entry)
        return len(chain) > 1

    def _count_out(self, entry: Entry) -> None:
        job = entry.job
        self.queued_of[job.source] -= 1
        if not self.queued_of[job.source]:
            del self.queued_of[job.source]
        chain = self._chains.get((job.source, job.symbol))
        if chain is entry:
            del self._chains[job.source, job.symbol]
        elif isinstance(chain, Chain) and isfinite(job.as_of):
            chain.remove(entry)
            if not len(chain):
                del self._chains[job.source, job.symbol]

    def _chain(self, job: Job) -> Chain | None:
        chain = self._chains.get((job.source, job.symbol)) if isfinite(job.as_of) else None
        return chain if isinstance(chain, Chain) else None
