"""Keep the ledger of gaps: times in which an expected symbol's source gave nothing, and whether that can be filled."""

import contextlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from gexdesk.engine.beats import Beats
from gexdesk.engine.cover import Cover, cover, touches, window
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Account
from gexdesk.engine.symbols import Symbols
from gexdesk.gates.pulse import INTERVALS
from gexdesk.model.clock import Clock
from gexdesk.model.errors import StoreError, UnknownTarget
from gexdesk.model.look.symbol import GapsLook, GapsSeen
from gexdesk.model.symbol_view import GapView
from gexdesk.model.text import printable
from gexdesk.stores.base import GapRecord, LiveValue

KEPT = 1000
JOINED_S = 60.0
"""What a sender counts as missing so soon after the last is one gap with it."""

COUNTED_AT_ONCE = 100
"""Of so many gaps that an earlier engine filled a question has counted what is there, the newest first; the next one of more."""

_STEP_S = 300.0


@dataclass(slots=True)
class _Gap:
    """Hold one gap; ``counted`` is what its sender says is missing, ``cover`` what history has of it, once that was asked."""

    record: GapRecord
    counted: int = 0
    filling_since: float | None = None
    cover: Cover | None = None


class GapLedger:
    """Open, close and fill gaps, each written down as it changes."""

    def __init__(self, symbols: Symbols, beats: Beats, keeper: Keeper, clock: Clock) -> None:
        self._symbols = symbols
        self._beats = beats
        self._keeper = keeper
        self._clock = clock
        self._gaps: dict[str, _Gap] = {}
        self._open: dict[tuple[str, str], str] = {}
        self._before: dict[tuple[str, str], float] = {}
        self._counted: dict[str, str] = {}
        self._touched: set[str] = set()

    def begin(
        self, rows: Iterable[dict[str, Any]], live: Sequence[LiveValue], received: Mapping[tuple[str, str], float]
    ) -> None:
        """Take over the gaps an earlier engine wrote down, and when it last had each symbol: what it missed since is a gap.

        Args:
            rows: Of the relation ``gaps``, newest first, times in ISO 8601.
            received: When each source last brought each symbol, by both names: live values are written down now and then only.
        """
        for row in reversed(list(rows)):
            record = GapRecord(
                symbol=row["symbol"], source=row["source"], from_at=_utc(row["from_at"]) or 0.0, to_at=_utc(row["to_at"]),
                missed=row["missed"], fillable=row["fillable"], filled_at=_utc(row["filled_at"]), reason=row["reason"],
            )  # fmt: skip
            self._gaps[name_of(record)] = _Gap(record)
            if record.to_at is None:
                self._open[record.source, record.symbol] = name_of(record)
        for value in live:
            key = value.source, value.symbol
            self._before.setdefault(key, max(value.received_at, received.get(key, 0.0)))

    def heard(self, account: Account, symbol: str, at: float) -> None:
        """Note a snapshot: it ends the gap of its source and symbol, and the one that no engine was there to see."""
        key = (account.name, symbol)
        name = self._open.pop(key, None)
        if name is not None:
            self._end(self._gaps[name], account, at)
        last_at = self._before.pop(key, None)
        if name is None and last_at is not None and account.due_s is not None and self._symbols.of(symbol).expected:
            missed = self._missed(account, symbol, last_at, at)
            if missed is not None and missed >= INTERVALS:
                reason = "no engine ran, or its source was not there"
                self._add(account, symbol, last_at + account.due_s, reason, to_at=at, missed=missed)

    def counted(self, account: Account, count: int, words: str, at: float) -> None:
        """Note messages that never came by their sender's own count: they were due after the last payload and before ``at``.

        A source of several symbols counts them all in one row: which of them is missing, nobody knows.
        """
        symbol = self._symbols.of(account.symbols[0]).name if len(account.symbols) == 1 else ""
        silent = self._open.get((account.name, symbol))
        if silent is not None:
            self._gaps[silent].counted += count  # that it is silent is known; now also how much it missed
            return
        reason, last = f"the sender's count: {words}", self._gaps.get(self._counted.get(account.name, ""))
        if last is not None and last.record.to_at is not None and at - last.record.to_at <= JOINED_S:
            self._write(last, to_at=at, missed=(last.record.missed or 0) + count, reason=printable(reason, 200))
            return
        from_at = min(at, account.last_at or account.listening_since or at)
        self._counted[account.name] = self._add(account, symbol, from_at, reason, to_at=at, missed=count)

    def look(self, now: float) -> None:
        """Open a gap where an expected symbol's source is overdue, and end those whose market closed; called once a second."""
        for plan in self._symbols.expected():
            for account in self._symbols.sources_of(plan.name):
                key = (account.name, plan.name)
                word, text = self._beats.state(account, plan.name, now)
                if key not in self._open and word in ("SILENT", "REPEATS"):
                    self._overdue(account, plan.name, now, text)
                elif key not in self._open and word == "waiting" and self._symbols.overdue(plan.name, account, now):
                    self._never(account, plan.name, now)
                elif key in self._open and word in ("closed", "ended", "paused", "elsewhere"):
                    self._end(self._gaps[self._open.pop(key)], account, now)

    def find(self, name: str) -> GapRecord:
        """Return a gap by its name. Raises UnknownTarget."""
        gap = self._gaps.get(name)
        if gap is None:
            raise UnknownTarget(f"no gap is named {printable(name, 20)!r}; `gexdesk gaps` shows them")
        return gap.record

    async def there(self, name: str) -> Cover:
        """Return what history has of a filled gap. Raises UnknownTarget, and StoreError where it cannot be read."""
        self.find(name)
        gap = self._gaps[name]
        if gap.cover is None:
            await self._count(gap)
        return gap.cover or Cover(0, gap.record.missed or 1)

    def filling(self, name: str) -> None:
        """Note that a backfill of a gap was begun."""
        self._gaps[name].filling_since = self._clock.now()

    async def filled(self, name: str) -> str:
        """Note that a backfill of a gap has ended; count what is there now, and return it in words.

        Raises:
            StoreError: It cannot be read.
        """
        gap = self._gaps.get(name)
        if gap is None:
            return "no longer in the ledger"
        gap.filling_since = None
        await self._count(gap)
        if gap.cover is None:
            return "it still goes on"
        brought, wanted, missed = gap.cover.brought, gap.cover.wanted, gap.record.missed or 1
        if gap.record.filled_at is None:
            some = f"{brought:,} of the {wanted:,} snapshots it lacks are there"
            return f"still open, {some}" if brought else "still open, none of what they hold lies in it"
        if wanted < missed:
            return f"filled as finely as this history is kept: {brought:,} for {missed:,} missed"
        return f"filled, {brought:,} of {missed:,} missed are there"

    def brought(self, symbol: str, stamps: Sequence[float]) -> None:
        """Note that history of a symbol was stored: the gaps it lies in are counted again by ``count``."""
        if not stamps:
            return
        first, last = min(stamps), max(stamps)
        for name, gap in self._gaps.items():
            if gap.record.symbol == symbol and touches(gap.record, first, last, self._delay_s(gap.record)):
                self._touched.add(name)

    async def count(self) -> None:
        """Count what history has of the gaps it was stored in, and note which it has enough of; called once a second.

        Raises:
            StoreError: It cannot be read; it is counted the next time.
        """
        touched = [name for name in self._touched if name not in self._gaps or self._gaps[name].record.to_at is not None]
        self._touched.difference_update(touched)
        try:
            while touched:
                if (gap := self._gaps.get(touched[-1])) is not None:
                    await self._count(gap)
                touched.pop()
        finally:
            self._touched.update(touched)

    async def _count(self, gap: _Gap) -> None:
        record, delay_s = gap.record, self._delay_s(gap.record)
        if record.to_at is None:
            return
        accounts = {account.name: account for account in self._symbols.sources_of(record.symbol)}
        from_at, to_at = window(record, delay_s)
        stamps = await self._keeper.reading(lambda metadata: metadata.stamps(record.symbol, from_at, to_at, list(accounts)))
        account = accounts.get(record.source)
        every_s = None if account is None else self._beats.interval_s(account, record.symbol)
        gap.cover = cover(record, stamps, every_s, delay_s)
        if gap.cover.enough and gap.record.filled_at is None:
            self._write(gap, filled_at=self._clock.now())

    def _delay_s(self, record: GapRecord) -> float:
        """Return by how much the stamps of a source lag behind their receipt, by which a gap is measured."""
        return next((a.delay_s for a in self._symbols.sources_of(record.symbol) if a.name == record.source), 0.0)

    def views(self, symbol: str = "", *, filled: bool = False) -> tuple[GapView, ...]:
        """Return the gaps, newest first."""
        found = sorted(self._gaps.items(), key=lambda item: -item[1].record.from_at)
        return tuple(
            self._view(name, gap) for name, gap in found
            if symbol in ("", gap.record.symbol) and (filled or gap.record.filled_at is None)
        )  # fmt: skip

    def lines(self) -> list[str]:
        """Return the gaps that are not filled, newest first, one line each."""
        return [f"{view.symbol or 'all'} from {view.source}: {_words(view)}" for view in self.views()]

    async def answer(self, question: GapsLook) -> GapsSeen:
        """Answer ``GapsLook``."""
        symbol = self._symbols.of(question.symbol).name if question.symbol else ""
        if question.filled:
            with contextlib.suppress(StoreError):  # the gaps themselves are at hand all the same
                await self._count_filled(symbol)
        return GapsSeen(self.views(symbol, filled=question.filled))

    async def _count_filled(self, symbol: str) -> None:
        """Count what is there of gaps that an earlier engine filled: it wrote down when, not with how much."""
        uncounted = (
            gap for gap in self._gaps.values()
            if gap.record.filled_at is not None and gap.cover is None and symbol in ("", gap.record.symbol)
        )  # fmt: skip
        for gap in sorted(uncounted, key=lambda gap: -gap.record.from_at)[:COUNTED_AT_ONCE]:
            await self._count(gap)

    def _overdue(self, account: Account, symbol: str, now: float, text: str) -> None:
        beat, every_s = self._beats.beat(account, symbol), self._beats.interval_s(account, symbol)
        since = self._symbols.on_since(symbol, account, now)
        if beat.last_at is None or every_s is None or since is None:
            return
        self._before.pop((account.name, symbol), None)
        self._add(account, symbol, max(beat.last_at, since) + every_s, text)

    def _never(self, account: Account, symbol: str, now: float) -> None:
        """Open the gap of a source that has brought nothing of a symbol since it runs, or since the last engine had it."""
        since = self._symbols.on_since(symbol, account, now)
        if since is None or account.listening_since is None or account.due_s is None:
            return
        had_at = self._before.pop((account.name, symbol), account.listening_since)
        self._add(account, symbol, max(since, had_at) + account.due_s, f"{account.name} has brought nothing yet")

    def _end(self, gap: _Gap, account: Account, at: float) -> None:
        missed = gap.counted or self._missed(account, gap.record.symbol, gap.record.from_at, at)
        self._write(gap, to_at=at, missed=missed)

    def _add(
        self, account: Account, symbol: str, from_at: float, reason: str, *, to_at: float | None = None, missed: int | None = None
    ) -> str:
        fillable, _ = self._how(symbol)
        record = GapRecord(symbol, account.name, from_at, to_at, missed, fillable, None, printable(reason, 200))
        gap = self._gaps[name_of(record)] = _Gap(record)
        if to_at is None:
            self._open[account.name, symbol] = name_of(record)
        while len(self._gaps) > KEPT:
            gone = self._gaps.pop(next(iter(self._gaps))).record
            self._open.pop((gone.source, gone.symbol), None)
        self._keeper.note(gap.record)
        return name_of(record)

    def _write(self, gap: _Gap, **changed: Any) -> None:
        gap.record = structs.replace(gap.record, **changed)
        self._keeper.note(gap.record)

    def _missed(self, account: Account, symbol: str, from_at: float, to_at: float) -> int | None:
        """Return how many snapshots should have come while the market was on; None where nobody knows."""
        every_s = self._beats.interval_s(account, symbol)
        if every_s is None:
            return None
        on_s, at = 0.0, from_at
        while at < to_at:
            step_s = min(_STEP_S, to_at - at)
            on_s += step_s if self._symbols.on_since(symbol, account, at + step_s / 2) is not None else 0.0
            at += step_s
        return max(0, round(on_s / every_s))

    def _how(self, symbol: str) -> tuple[bool, str]:
        if not symbol:
            return False, "its sender's count does not say which of its symbols was missing"
        folder = self._symbols.of(symbol).history
        if folder is None:
            return False, f"no history folder is configured for {symbol}"
        return True, f"files in {folder}"

    def _view(self, name: str, gap: _Gap) -> GapView:
        record = gap.record
        return GapView(
            gap=name, symbol=record.symbol, source=record.source, from_at=record.from_at, to_at=record.to_at, missed=record.missed,
            fillable=record.fillable, how=printable(self._how(record.symbol)[1], 200), filled_at=record.filled_at,
            reason=record.reason, filling_since=gap.filling_since, brought=gap.cover.brought if gap.cover is not None else 0,
            wanted=gap.cover.wanted if gap.cover is not None else None,
        )  # fmt: skip


def name_of(record: GapRecord) -> str:
    """Return a gap's name: the same after a restart."""
    key = f"{record.symbol}\n{record.source}\n{record.from_at:.3f}"
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:8]


def _words(view: GapView) -> str:
    missed = "" if view.missed is None else f", {view.missed:,} missed"
    length = "goes on" if view.to_at is None else f"{view.to_at - view.from_at:.0f} s"
    return f"{length}{missed}; {'can be filled' if view.fillable else view.how}"


def _utc(text: str | None) -> float | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
