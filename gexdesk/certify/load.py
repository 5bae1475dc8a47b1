"""The promised load, as a pure generator: which feed brings which document when. No clock, no I/O, no chance.

30 sources; every 15 s one chain of 13 MB, two of 6 MB, four of 2.5 MB and forty of 0.4 MB; 20 GEXBot documents a second; 5% of it
CRITICAL. The peak brings ten times the documents and the small chains.
"""

import heapq
from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

from msgspec import Struct

ROUND_S = 15.0
PEAK_S = 30.0
CRITICAL_EVERY = 10
"""Every tenth document of a symbol that matters moves its gamma by more than a tenth of gross: that is 5% of all."""

Kind = Literal["http", "directory", "replay"]


class Size(StrEnum):
    """Name what a document is, and about how large; ``DOCUMENT`` is one of GEXBot classic, 5 KB."""

    LARGE = "13 MB"
    MIDDLE = "6 MB"
    SMALLER = "2.5 MB"
    SMALL = "0.4 MB"
    DOCUMENT = "5 KB"


class Turn(StrEnum):
    """Name what is special about one document.

    ``CRITICAL`` moves gamma by more than a tenth of gross; ``BROKEN`` ends in the middle and becomes a dead letter; ``AGAIN`` is
    the one before, byte for byte; ``REFUSED`` is an answer 503 and ``CUT`` one that breaks off, without any document.
    """

    PLAIN = "plain"
    CRITICAL = "critical"
    BROKEN = "broken"
    AGAIN = "again"
    REFUSED = "refused"
    CUT = "cut"


class Feed(Struct, frozen=True):
    """Describe one source of the load.

    Attributes:
        symbols: Its documents carry them in turn.
        every_s: From one document to the next.
        delay_s: Known delay of its quotes.
        volume, open_interest: What it is to assume where its format carries neither; the impact class follows.
        peak: It brings so many times as much in the peak. Feeds that are polled or played keep their pace, so that the others bring
            their share, too: ten times of the whole.
    """

    name: str
    kind: Kind
    size: Size
    symbols: tuple[str, ...]
    every_s: float
    delay_s: float = 0.0
    volume: float = 0.0
    open_interest: float = 0.0
    peak: float = 1.0

    @property
    def matters(self) -> bool:
        """Say whether its documents can be CRITICAL: impact high, and stamped as it happens."""
        large = self.size in (Size.LARGE, Size.MIDDLE, Size.SMALLER)
        return self.kind != "replay" and self.delay_s == 0 and (large or self.open_interest > 100_000)

    def symbol(self, number: int) -> str:
        """Return the symbol of its nth document, from 0."""
        return self.symbols[number % len(self.symbols)]

    def turn(self, number: int) -> Turn:
        """Say what its nth document is.

        What is refused or broken takes the place of a plain one, so that a symbol's CRITICAL ones stay where they are.
        """
        place, lap = number % len(self.symbols), number // len(self.symbols)
        if self.matters and lap >= 1 and (lap + place) % CRITICAL_EVERY == 1:
            return Turn.CRITICAL
        if self.size is Size.DOCUMENT and lap >= 1:
            if self.kind == "http":
                return {17: Turn.REFUSED, 29: Turn.CUT, 7: Turn.AGAIN}.get(number % 41, Turn.PLAIN)
            if number % 61 == 23:
                return Turn.BROKEN
        return Turn.PLAIN

    def moved(self, number: int) -> bool:
        """Say which of its two shapes the nth document has: each CRITICAL one of a symbol goes over to the other."""
        place, lap = number % len(self.symbols), number // len(self.symbols)
        if not self.matters:
            return False
        first = (1 - place) % CRITICAL_EVERY or CRITICAL_EVERY
        moves = 0 if lap < first else (lap - first) // CRITICAL_EVERY + 1
        return moves % 2 == 1


class Due(Struct, frozen=True):
    """Say that a feed's nth document is due, seconds from the beginning."""

    at_s: float
    feed: Feed
    number: int


_MATTERS = {"volume": 600_000.0, "open_interest": 1_400_000.0}
_MIDDLING = {"volume": 20_000.0, "open_interest": 50_000.0}
_MINOR = {"volume": 500.0, "open_interest": 2_000.0}


def _feeds() -> tuple[Feed, ...]:
    impacts = [_MATTERS] * 6 + [_MIDDLING] * 2 + [_MINOR] * 2
    polled = [
        Feed(f"poll-{number}", "http", Size.DOCUMENT, ("P" + "ABCDEFGHIJ"[number],), 1.0, **impact)
        for number, impact in enumerate(impacts)
    ]
    impacts = [_MATTERS] * 3 + [_MIDDLING, _MINOR]
    pushed = [
        Feed(f"push-{number}", "directory", Size.DOCUMENT, _names("D" + "KLMNO"[number], 8), 0.5, peak=19.0, **impact)
        for number, impact in enumerate(impacts)
    ]
    small = [
        Feed(f"names-{number}", "directory", Size.SMALL, _names("N" + letter, 6), ROUND_S / 6, number % 2 * 900.0, peak=13.0)
        for number, letter in enumerate("VWXYZ")
    ]
    played = [
        Feed(f"tape-{number}", "replay", Size.SMALL, _names("T" + "UVW"[number], count), ROUND_S / count, delay_s=900.0)
        for number, count in enumerate((4, 3, 3))
    ]
    return (
        Feed("index", "http", Size.LARGE, ("SPX",), ROUND_S),
        Feed("middle-0", "http", Size.MIDDLE, ("NDX",), ROUND_S),
        Feed("middle-1", "http", Size.MIDDLE, ("SPY",), ROUND_S),
        *(Feed(f"folder-{n}", "directory", Size.SMALLER, (s,), ROUND_S) for n, s in enumerate(("RUT", "QQQ", "IWM", "DIA"))),
        *polled, *pushed, *small, *played,
    )  # fmt: skip


def _names(stem: str, count: int) -> tuple[str, ...]:
    return tuple(stem + "ABCDEFGH"[number] for number in range(count))


FEEDS = _feeds()


def schedule(seconds: float, peak: tuple[float, float] | None = None, feeds: tuple[Feed, ...] = FEEDS) -> Iterator[Due]:
    """Yield what is due in so many seconds, in order of time.

    A feed's chains of one round come together, as vendors write them; its first document is due within the first second.

    Args:
        peak: From and to, in seconds from the beginning: the documents and the small chains come ten times as often in between.
    """
    heap = [(_first_s(number), number, 0) for number in range(len(feeds))]
    heapq.heapify(heap)
    while heap:
        at_s, place, number = heapq.heappop(heap)
        if at_s >= seconds:
            continue
        feed = feeds[place]
        yield Due(at_s, feed, number)
        heapq.heappush(heap, (_next_s(feed, number, at_s, peak), place, number + 1))


def _first_s(place: int) -> float:
    return place * 0.618034 % 1.0  # spread evenly, whatever the interval


def _next_s(feed: Feed, number: int, at_s: float, peak: tuple[float, float] | None) -> float:
    count = len(feed.symbols)
    together = feed.size is Size.SMALL and feed.kind == "directory"
    if together and (number + 1) % count:
        return at_s  # the rest of the round
    pace_s = feed.every_s * (count if together else 1)
    if peak is not None and feed.peak > 1:
        begins, ends = peak
        if begins <= at_s < ends:
            return at_s + pace_s / feed.peak
        if at_s < begins < at_s + pace_s:
            return begins + (at_s % 1.0) * pace_s / feed.peak
    return at_s + pace_s
