"""Answer what screens ask of one symbol: everything readers have of it, and what is held back."""

import math

import numpy as np

from gexdesk.engine.provision import Provision
from gexdesk.model.clock import Clock
from gexdesk.model.errors import UnknownTarget
from gexdesk.model.look.symbol import QuarantineLook, QuarantineSeen, SymbolLook, SymbolSeen
from gexdesk.model.snapshot import StrikeTable
from gexdesk.model.symbol_view import FeedOfSymbol, Point, StrikeRow
from gexdesk.model.text import printable, symbol_of
from gexdesk.stores.base import LiveCache

POINTS_LIMIT = 2_000
_COLUMNS = StrikeTable.__slots__


class SymbolLooks:
    """Answer ``SymbolLook`` and ``QuarantineLook``."""

    def __init__(self, cache: LiveCache, provision: Provision, clock: Clock) -> None:
        self._cache = cache
        self._symbols = provision.symbols
        self._serving = provision.serving
        self._quarantine = provision.quarantine
        self._picture = provision.picture
        self._clock = clock

    async def symbol(self, question: SymbolLook) -> SymbolSeen:
        """Return everything readers have of a symbol. Raises UnknownTarget."""
        now, symbol = self._clock.now(), self._symbols.of(symbol_of(question.symbol) or "").name
        value = self._cache.get(symbol)
        if value is None and symbol not in self._symbols:
            raise UnknownTarget(f"no symbol is named {printable(question.symbol, 20)!r}")
        offer = self._serving.offered(symbol, value.source) if value is not None else None
        same = value is not None and offer is not None and offer.value.job_id == value.job_id
        previous, opened, points = self._serving.shown(symbol)
        return SymbolSeen(
            symbol=symbol,
            taken_at=now,
            view=self._picture.view(symbol, now),
            exposure=value.exposure if value is not None else None,
            strikes=rows_of(offer.strikes, self._serving.strikes_before(symbol)) if offer is not None and same else (),
            previous=previous,
            opened=opened,
            history=_thinned(points, max(2, min(question.points, POINTS_LIMIT))),
            feeds=self._feeds(symbol, now),
            flags=value.flags if value is not None else (),
            cases=self._quarantine.cases(symbol),
            job_id=value.job_id if value is not None else "",
        )

    async def quarantine(self, question: QuarantineLook) -> QuarantineSeen:
        """Return what is held back."""
        symbol = self._symbols.of(symbol_of(question.symbol) or "").name if question.symbol else ""
        return QuarantineSeen(self._quarantine.cases(symbol, settled=question.settled))

    def _feeds(self, symbol: str, now: float) -> tuple[FeedOfSymbol, ...]:
        serving, standby = self._serving.serving(symbol), self._serving.standby(symbol)
        names = dict.fromkeys(
            name for name in (serving, standby, *(account.name for account in self._symbols.sources_of(symbol))) if name
        )
        roles = {serving: "serving", standby: "standby"}
        return tuple(self._picture.feed(symbol, name, now, role=roles.get(name, "other")) for name in names)


def rows_of(strikes: bytes, before: bytes = b"") -> tuple[StrikeRow, ...]:
    """Return the rows of a table by strike, as ``StrikeTable.to_bytes`` wrote it; NaN becomes None.

    Args:
        before: The table before, which changes are counted from; empty where there is none.
    """
    columns = np.frombuffer(strikes, dtype=np.float64).reshape(len(_COLUMNS), -1)
    cells = [[None if math.isnan(cell) else cell for cell in column.tolist()] for column in columns]
    named = dict(zip(_COLUMNS, cells, strict=True))
    was = np.frombuffer(before, dtype=np.float64).reshape(len(_COLUMNS), -1)
    at, net = _COLUMNS.index("strike"), _COLUMNS.index("net_gex")
    held = dict(zip(was[at].tolist(), was[net].tolist(), strict=True))
    changes = [now - held.get(strike, math.nan) for strike, now in zip(columns[at].tolist(), columns[net].tolist(), strict=True)]
    named["net_gex_change"] = [None if math.isnan(change) else change for change in changes]
    fields = StrikeRow.__struct_fields__
    return tuple(StrikeRow(*row) for row in zip(*(named[name] for name in fields), strict=True))


def _thinned(points: tuple[Point, ...], limit: int) -> tuple[Point, ...]:
    """Return at most so many points, evenly spread, the first and the last among them."""
    if len(points) <= limit:
        return points
    return tuple(points[round(place * (len(points) - 1) / (limit - 1))] for place in range(limit))
