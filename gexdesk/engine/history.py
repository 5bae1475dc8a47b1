"""A symbol's own history: is this much for it, how far did it move in five minutes, and when did its numbers last change."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from gexdesk.engine.tasks import Head
from gexdesk.gex.change import gamma_change
from gexdesk.stores.base import SymbolMinute

HORIZON_S = 300.0
"""How far back ``gamma_change_5m`` looks; a snapshot up to twice as old still counts as the one from then."""
MINUTES_KEPT = 2_000
"""One value a minute: about five regular sessions."""
MINUTES_NEEDED = 30
"""A rank among fewer says nothing."""


class Past(Struct, frozen=True):
    """Hold what history adds to the features; units and nulls as there."""

    gamma_change_5m: float | None = None
    volume_percentile: float | None = None
    open_interest_percentile: float | None = None
    change_percentile: float | None = None
    minutes_since_changed: float | None = None


class _Ranks:
    """Hold one value a minute, the last one of it, in order of size as well as of time."""

    def __init__(self) -> None:
        self._by_time: deque[tuple[int, float]] = deque()
        self._by_size: list[float] = []

    def rank(self, value: float | None, minute: int) -> float | None:
        """Return the share of earlier minutes below a value, in per cent, equal ones counted half."""
        if value is None:
            return None
        own = self._by_time[-1][1] if self._by_time and self._by_time[-1][0] == minute else None
        count = len(self._by_size) - (own is not None)
        if count < MINUTES_NEEDED:
            return None
        below, upto = bisect_left(self._by_size, value), bisect_right(self._by_size, value)
        if own is not None:
            below, upto = below - (own < value), upto - (own <= value)
        return 50.0 * (below + upto) / count

    def add(self, value: float | None, minute: int) -> None:
        if value is None or (self._by_time and self._by_time[-1][0] > minute):
            return
        if self._by_time and self._by_time[-1][0] == minute:
            self._drop(self._by_time.pop()[1])
        elif len(self._by_time) >= MINUTES_KEPT:
            self._drop(self._by_time.popleft()[1])
        self._by_time.append((minute, value))
        insort(self._by_size, value)

    def _drop(self, value: float) -> None:
        del self._by_size[bisect_left(self._by_size, value)]


class _Trail:
    """Hold one source's snapshots of a symbol over the last ten minutes, one a second, and when its numbers last changed."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float | None, float | None]] = deque()
        self._session = 0
        self._numbers: tuple[float | None, ...] = ()
        self._changed_at: float | None = None

    def add(self, head: Head, as_of: float, session: int) -> tuple[float | None, float | None]:
        """Return the change over the horizon, and minutes since the numbers changed; a snapshot older than the last has neither."""
        if self._points and as_of < self._points[-1][0]:
            return None, None
        if session != self._session:
            self._points.clear()
            self._session = session
        numbers = (head.net_gex, head.gross_gex, head.volume, head.open_interest, head.spot)
        since = None
        if self._numbers:
            if numbers != self._numbers:
                self._changed_at = as_of
            since = None if self._changed_at is None else (as_of - self._changed_at) / 60
        else:
            self._changed_at = as_of
        self._numbers = numbers
        while len(self._points) > 1 and self._points[1][0] <= as_of - HORIZON_S:
            self._points.popleft()
        then = self._points[0] if self._points else None
        change = None
        if then is not None and HORIZON_S <= as_of - then[0] <= 2 * HORIZON_S:
            change = gamma_change(head.net_gex, then[1], then[2])
        if self._points and int(self._points[-1][0]) == int(as_of):
            self._points.pop()
        self._points.append((as_of, head.net_gex, head.gross_gex))
        return change, since


class History:
    """Judge each snapshot against its symbol's own past; volume and open interest over all sources, the rest by source."""

    def __init__(self) -> None:
        self._volume: dict[str, _Ranks] = {}
        self._open_interest: dict[str, _Ranks] = {}
        self._change: dict[tuple[str, str], _Ranks] = {}
        self._trails: dict[tuple[str, str], _Trail] = {}

    def begin(self, minutes: Iterable[SymbolMinute]) -> None:
        """Take up what earlier engines recorded, oldest first."""
        for past in minutes:
            minute = int(past.minute_at // 60)
            self._of(self._volume, past.symbol).add(past.volume, minute)
            self._of(self._open_interest, past.symbol).add(past.open_interest, minute)
            self._change.setdefault((past.source, past.symbol), _Ranks()).add(past.gamma_change, minute)

    def past(self, source: str, head: Head, as_of: float, session: int, change: float | None) -> Past:
        """Describe a snapshot by its symbol's past and let it be part of the next one's."""
        key, minute = (source, head.symbol), int(as_of // 60)
        volume, open_interest = self._of(self._volume, head.symbol), self._of(self._open_interest, head.symbol)
        changes = self._change.setdefault(key, _Ranks())
        over_5m, since = self._trails.setdefault(key, _Trail()).add(head, as_of, session)
        found = Past(
            gamma_change_5m=over_5m,
            volume_percentile=volume.rank(head.volume, minute),
            open_interest_percentile=open_interest.rank(head.open_interest, minute),
            change_percentile=changes.rank(change, minute),
            minutes_since_changed=since,
        )
        volume.add(head.volume, minute)
        open_interest.add(head.open_interest, minute)
        changes.add(change, minute)
        return found

    def _of(self, held: dict[str, _Ranks], symbol: str) -> _Ranks:
        return held.setdefault(symbol, _Ranks())
