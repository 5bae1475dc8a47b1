"""Rewind: keep the pictures of the desk, a second each for half an hour and a minute each for days, and wind it back."""

import asyncio
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import msgspec

from gexdesk.engine.chronicle import Chronicle
from gexdesk.metrics.recorder import Columns, Fold, Minute, Recorder
from gexdesk.model.errors import StoreError, UnknownTarget
from gexdesk.model.look.history import HistoryLook, HistorySeen, TrendLook, TrendSeen
from gexdesk.model.view.desk import DeskView
from gexdesk.stores.daybook import Daybook
from gexdesk.stores.deltas import Delta, Deltas, restored

FINE_S = 1_800.0
FINE_BYTES = 32 * 1024 * 1024
"""The pictures of the last half hour are held in memory, fewer where they would take more than this."""

WHOLE_EVERY = 30
MOST_PICTURES = 120
"""What one question is answered with at most."""

LEVEL_FIGURES: Columns = {
    "depth": Fold.WORST, "processing": Fold.MEAN, "in_per_s": Fold.MEAN, "out_per_s": Fold.MEAN, "p50_s": Fold.LAST,
    "p99_s": Fold.LAST, "available": Fold.LAST, "missed": Fold.LAST,
}  # fmt: skip
SOURCE_FIGURES: Columns = {
    "silent_s": Fold.WORST, "rate_per_min": Fold.MEAN, "queued": Fold.WORST, "errors_5m": Fold.WORST, "received": Fold.LAST,
    "completed": Fold.LAST, "dead": Fold.LAST, "requests": Fold.LAST, "successes": Fold.LAST,
}  # fmt: skip


@dataclass(slots=True)
class _Group:
    """Hold pictures that need the same whole one, which is the first."""

    times: list[float]
    deltas: list[Delta]

    def size_bytes(self) -> int:
        return sum(len(delta.data) for delta in self.deltas)


class Rewind:
    """Record one picture a second, and answer with those of the past.

    Args:
        pictures, figures: Where a minute's picture, and a minute's rows of figures, are kept.
    """

    def __init__(self, pictures: Daybook, figures: Daybook, chronicle: Chronicle) -> None:
        self._pictures = pictures
        self._figures = figures
        self._chronicle = chronicle
        self._deltas = Deltas(WHOLE_EVERY)
        self._groups: deque[_Group] = deque()
        self._fine_bytes = 0
        self._recorders = {"level": Recorder(LEVEL_FIGURES), "source": Recorder(SOURCE_FIGURES)}
        self._minute: int | None = None
        self._turn = asyncio.Lock()
        self._fails = False

    async def open(self) -> None:
        """Find what earlier engines kept; where it cannot be used the desk goes on without, and says so."""
        try:
            await asyncio.to_thread(self._pictures.open)
            await asyncio.to_thread(self._figures.open)
        except StoreError as error:
            self._chronicle.tell("engine", error.message, grave=True)

    async def record(self, view: DeskView) -> None:
        """Keep a picture: in memory, and once a minute on disk, synced."""
        document = msgspec.msgpack.encode(view)
        self._hold(view.taken_at, document)
        folded = {
            "level": self._recorders["level"].record(view.taken_at, _level_rows(view)),
            "source": self._recorders["source"].record(view.taken_at, _source_rows(view)),
        }
        minute = int(view.taken_at // 60)
        if minute == self._minute:
            return
        self._minute = minute
        try:
            async with self._turn:
                await asyncio.to_thread(self._pictures.add, view.taken_at, document)
                minutes = {what: rows for what, rows in folded.items() if rows is not None}
                if minutes:
                    at = max(rows.at for rows in minutes.values())
                    await asyncio.to_thread(self._figures.add, at, msgspec.msgpack.encode(minutes))
            self._fails = False
        except StoreError as error:
            if not self._fails:
                self._chronicle.tell("engine", f"{error.message}; trying again each minute", grave=True)
            self._fails = True

    async def pictures(self, question: HistoryLook) -> HistorySeen:
        """Wind back; errors as in ``Observe.look``.

        What is damaged is left out of a span.

        Raises:
            UnknownTarget: The question names no time, or half a span.
            StoreError: The one picture asked for is damaged.
        """
        spanned = question.from_at is not None and question.to_at is not None
        if (question.at is None) == (not spanned) or (question.from_at is None) != (question.to_at is None):
            raise UnknownTarget("name one moment (at), or two (from_at and to_at)")
        groups = [_Group(list(group.times), list(group.deltas)) for group in self._groups]  # the thread must not see them grow
        async with self._turn:
            return await asyncio.to_thread(self._answer, question, groups)

    async def trend(self, question: TrendLook) -> TrendSeen:
        """Give the figures of one level or source. Raises UnknownTarget where neither the name nor its kind is known."""
        recorder = self._recorders.get(question.what)
        if recorder is None:
            raise UnknownTarget(f"there are figures of a {' and of a '.join(self._recorders)}; not of {question.what!r}")
        fine_from = recorder.since()
        fine = recorder.seconds(question.name, question.from_at, question.to_at)
        coarse_until = question.to_at if fine_from is None else min(fine_from, question.to_at)
        async with self._turn:
            minutes = await asyncio.to_thread(self._minutes, question.from_at, coarse_until)
        rows = [
            (minute.at, *minute.rows[question.name])
            for minute in (m[question.what] for m in minutes if question.what in m)
            if question.name in minute.rows
        ]
        return TrendSeen(("at", *recorder.columns), (*rows, *fine))

    def size_bytes(self) -> int:
        """Return what the pictures in memory take."""
        return self._fine_bytes

    def fine_from(self) -> float | None:
        """Return since when there is a picture a second; None before the first."""
        return self._groups[0].times[0] if self._groups else None

    def disk_bytes(self) -> int:
        """Return what pictures and figures take on disk: for a thread."""
        return self._pictures.size_bytes() + self._figures.size_bytes()

    def _hold(self, at: float, document: bytes) -> None:
        delta = self._deltas.add(document)
        if delta.whole or not self._groups:
            self._groups.append(_Group([], []))
        group = self._groups[-1]
        group.times.append(max(at, group.times[-1]) if group.times else at)
        group.deltas.append(delta)
        self._fine_bytes += len(delta.data)
        while len(self._groups) > 1 and (at - self._groups[0].times[-1] > FINE_S or self._fine_bytes > FINE_BYTES):
            self._fine_bytes -= self._groups.popleft().size_bytes()

    def _answer(self, question: HistoryLook, groups: list[_Group]) -> HistorySeen:
        fine = [at for group in groups for at in group.times]
        fine_from = fine[0] if fine else None
        coarse = [at for at in self._pictures.times() if fine_from is None or at < fine_from]
        times = [*coarse, *fine]
        more = False
        if question.at is not None:
            last = bisect_right(times, question.at)
            chosen = times[max(0, last - 1) : last]
        else:
            assert question.from_at is not None
            assert question.to_at is not None
            between = times[bisect_left(times, question.from_at) : bisect_right(times, question.to_at)]
            limit = max(1, min(question.limit, MOST_PICTURES))
            more = len(between) > limit
            chosen = _thinned(between, limit)
        views = []
        for at in chosen:
            try:
                views.append(self._picture(at, groups, fine_from))
            except StoreError:
                if question.at is not None:
                    raise
        found = tuple(view for view in views if view is not None)
        return HistorySeen(found, times[0] if times else None, times[-1] if times else None, fine_from, more)

    def _picture(self, at: float, groups: Iterable[_Group], fine_from: float | None) -> DeskView | None:
        document: bytes | None = None
        if fine_from is None or at < fine_from:
            document = self._pictures.read(at)
        else:
            group = next(g for g in groups if g.times[0] <= at <= g.times[-1])
            document = restored(group.deltas[bisect_right(group.times, at) - 1], group.deltas[0])
        if document is None:
            return None
        try:
            return msgspec.msgpack.decode(document, type=DeskView)
        except msgspec.DecodeError:
            return None  # of a version whose pictures had other fields

    def _minutes(self, from_at: float, to_at: float) -> list[dict[str, Minute]]:
        found = []
        for at in self._figures.times():
            if from_at <= at <= to_at and (document := self._figures.read(at)) is not None:
                found.append(msgspec.msgpack.decode(document, type=dict[str, Minute]))
        return found


def _thinned(times: list[float], limit: int) -> list[float]:
    """Return at most so many of them, evenly spread, first and last among them."""
    if len(times) <= limit:
        return times
    if limit == 1:
        return times[-1:]
    step = (len(times) - 1) / (limit - 1)
    return list(islice((times[round(n * step)] for n in range(limit)), limit))


def _level_rows(view: DeskView) -> dict[str, tuple[float | None, ...]]:
    return {
        str(v.level): (
            v.depth, v.processing, v.in_per_s, v.out_per_s, v.p50_s, v.p99_s, v.count,
            v.count - v.within_promise if v.promise_s is not None else None,
        )
        for v in view.levels
    }  # fmt: skip


def _source_rows(view: DeskView) -> dict[str, tuple[float | None, ...]]:
    return {
        s.name: (
            view.taken_at - s.last_at if s.last_at is not None else None,
            s.rate_per_min, s.queued, s.errors_5m, s.received, s.completed, s.dead, s.requests, s.successes,
        )
        for s in view.sources
    }  # fmt: skip
