"""Impact: what a new level would do to a target's next job, to those it overtakes, and to CRITICAL."""

from collections.abc import Mapping, Sequence
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.engine.flow import Flow
from gexdesk.metrics.bound import critical_bound_s
from gexdesk.model.job import Job, Place
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import Queue, QueueState

LOOKED_AT = 2_000
"""How many of the next jobs are compared one by one; behind them only counts are known."""

Moves = Mapping[tuple[Level, float, str], Sequence[Job]]
"""The jobs that move, by level, score and note they get."""

_Key = tuple[int, int, float, float, float, float]


class Foreseen(Struct, frozen=True):
    """Say what would happen.

    Attributes:
        job_id: The target's next job; empty where none waits.
        wait_s: Until it is begun, from now on; None where nobody can tell.
        helps, costs: One line each.
    """

    job_id: str
    wait_s: float | None
    helps: str
    costs: str


class Impact:
    """Estimate from the queue as it stands and the rates of the last ten seconds.

    Args:
        slots, reserved: All slots that work, and those among them that serve CRITICAL alone.
    """

    def __init__(self, queue: Queue, flow: Flow, *, slots: int, reserved: int) -> None:
        self._queue = queue
        self._flow = flow
        self._slots = slots
        self._reserved = reserved

    async def of(self, name: str, waiting: Sequence[Job], moves: Moves, *, level: Level, to: Level, delay_s: float) -> Foreseen:
        """Foresee what moving jobs does.

        Args:
            name: The target, for people.
            waiting: Its queued jobs.
            moves: Those of them that move, and where to.
            level, to: What the target has now, and what it would have.
            delay_s: Known delay of its quotes.
        """
        state, ahead = self._queue.state(), list(await self._queue.peek(LOOKED_AT))
        moved = {job.job_id: (new, score) for (new, score, _), jobs in moves.items() for job in jobs}
        others = [job for job in ahead if job.job_id not in moved]
        count = len(moved)
        if not waiting:
            place = 1 + sum(state.levels[x].waiting for x in LEVELS[: to.rank])
            wait_s = self.wait_s(place, to)
            return Foreseen("", wait_s, f"none of {name} waits now; its next one would be number {place}, {_span(wait_s)}", "")
        eligible = [job for job in waiting if job.source not in state.paused]
        if not count or not eligible:
            why = "is paused: a level moves it only once it is released" if not eligible else "has that level already"
            return Foreseen("", None, f"would not help now: what waits of {name} {why}", "")
        before = min(eligible, key=_key)
        after = min((_moved(job, moved) for job in eligible), key=_key)
        was, now = await self._queue.position(before.job_id), _place(after, others, state, moved)
        was_s, now_s = self.wait_s(was, before.level), self.wait_s(now, after.level)
        words = f"number {was or '?'} -> {now}"
        if was_s is not None or now_s is not None:
            words += f", {_span(was_s)} -> {_span(now_s)}"
        direction = "up" if to.rank < level.rank else "down" if to.rank > level.rank else ""
        helps = f"{_jobs(count)} moved {direction}".rstrip() + f"; the next one: {words}"
        saved_s = was_s - now_s if was_s is not None and now_s is not None else 0.0
        if direction == "up" and delay_s > max(saved_s, 0.0):
            helps += f"; would not help: its quotes are {delay_s:.0f} s old when they come, whatever their level"
        if direction == "down":
            overtaking = _between(before, after, others)
            return Foreseen(after.job_id, now_s, f"up to {overtaking:,} other jobs go before them", helps)
        return Foreseen(after.job_id, now_s, helps, self._costs(after, waiting, others, count, state))

    def wait_s(self, position: int | None, level: Level) -> float | None:
        """Estimate the seconds until a job is begun: those before it, at the rate that what keeps coming above it leaves.

        Returns:
            None where nothing was begun lately, or more comes above it than is served.
        """
        if position is None:
            return None
        rates = {x: self._flow.rates(x) for x in LEVELS}
        left_per_s = sum(out for _, out in rates.values()) - sum(rates[x][0] for x in LEVELS[: level.rank])
        return position / left_per_s if left_per_s > 0 else None

    def _costs(self, after: Job, waiting: Sequence[Job], others: Sequence[Job], count: int, state: QueueState) -> str:
        last = max(waiting, key=_key)
        overtaken = _between(after, last, others)
        words = f"up to {overtaken:,} other jobs wait behind them" if overtaken else "no other job waits longer"
        if overtaken and (longer_s := self.wait_s(count, after.level)) is not None:
            words += f", each about {longer_s:.1f} s longer"
        if after.level is Level.CRITICAL:
            longest = self._flow.longest_s
            critical_s = longest[Level.CRITICAL] or max(longest.values())
            if critical_s:
                waits = state.levels[Level.CRITICAL].waiting
                bound = [self._bound_s(number, critical_s, max(longest.values())) for number in (waits, waits + count)]
                words += f"; the bound on CRITICAL {bound[0]:.1f} s -> {bound[1]:.1f} s"
        return words

    def _bound_s(self, waiting: int, longest_s: float, longest_other_s: float) -> float:
        return critical_bound_s(
            waiting, reserved=self._reserved, slots=self._slots, longest_s=longest_s, longest_other_s=longest_other_s
        )


def _key(job: Job) -> _Key:
    """Order as the queue does, as far as a job tells by itself."""
    return (
        job.level.rank, job.place, -job.score, 99.0 if job.superseded else job.freshness,
        inf if job.deadline_at is None else job.deadline_at, job.received_at,
    )  # fmt: skip


def _moved(job: Job, moved: Mapping[str, tuple[Level, float]]) -> Job:
    if job.job_id not in moved:
        return job
    level, score = moved[job.job_id]
    return replace(job, level=level, score=score, place=Place.OWN)


def _place(job: Job, others: Sequence[Job], state: QueueState, moved: Mapping[str, tuple[Level, float]]) -> int:
    key = _key(job)
    before = sum(_key(other) < key for other in others)
    if before == len(others) >= LOOKED_AT - len(moved):
        return 1 + sum(state.levels[x].waiting for x in LEVELS[: job.level.rank + 1])  # behind all that was looked at
    return 1 + before


def _between(first: Job, last: Job, others: Sequence[Job]) -> int:
    low, high = sorted((_key(first), _key(last)))
    return sum(low < _key(other) < high for other in others)


def _span(wait_s: float | None) -> str:
    return "nobody can tell when" if wait_s is None else f"in about {wait_s:.1f} s"


def _jobs(count: int) -> str:
    return "1 queued job" if count == 1 else f"{count:,} queued jobs"
