"""Serve each symbol from one source: keep every source's last good value at hand, and change over from one to another."""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from gexdesk.engine.ledger import Account
from gexdesk.engine.symbols import Symbols
from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError, LeverRefused, StoreError
from gexdesk.model.market import session_id
from gexdesk.model.symbol_view import Figures, Point
from gexdesk.stores.base import LiveCache, LiveValue
from gexdesk.stores.cache import stamp_of
from gexdesk.stores.durable import write_durably

POINT_EVERY_S = 5.0
POINTS = 6_000
"""A point each five seconds of a session with its extended hours needs somewhat less than twice as many."""

OLDER = "older_data"
"""Flag of a value that says less of the market's present than one which readers had of the symbol before it."""


class FailedOver(Struct, frozen=True):
    """Hold why a symbol is served by another source than its first one.

    Attributes:
        author: Who did it, or ``rule``.
        since: UTC seconds.
    """

    source: str
    author: str
    reason: str
    since: float


class Served(Struct, frozen=True):
    """Hold which source a symbol is served from, and why where that is not its first one."""

    source: str
    over: FailedOver | None = None

    @property
    def author(self) -> str:
        """Return who made it so."""
        return self.over.author if self.over is not None else ""


@dataclass(slots=True)
class Offer:
    """Hold the last good value of one source of a symbol, with its rows by strike as ``StrikeTable.to_bytes`` gives them."""

    value: LiveValue
    strikes: bytes


@dataclass(slots=True)
class _Shown:
    """Hold what readers had of a symbol before: the value before the present one, the session's first, and points over time."""

    previous: Figures | None = None
    opened: Figures | None = None
    strikes: bytes = b""
    strikes_before: bytes = b""
    session: int = -1
    points: deque[Point] = field(default_factory=lambda: deque(maxlen=POINTS))
    pointed_at: float = 0.0


class Serving:
    """Decide whose values readers get.

    Args:
        path: Where the symbols that are failed over are written down, so that a restart changes nothing for readers.
    """

    def __init__(self, cache: LiveCache, symbols: Symbols, clock: Clock, path: Path) -> None:
        self._cache = cache
        self._symbols = symbols
        self._clock = clock
        self._path = path
        self._failed_over: dict[str, FailedOver] = {}
        self._source: dict[str, str] = {}
        self._offers: dict[tuple[str, str], Offer] = {}
        self._shown: dict[str, _Shown] = {}
        self._revisions: dict[str, int] = {}
        self._newest: dict[str, float] = {}
        self._share: Callable[[str, Served], Awaitable[None]] = _alone

    def open(self) -> None:
        """Serve as the configuration says, and as an earlier engine left what was failed over.

        Raises:
            StoreError: The file is damaged; it is named, and nothing is assumed in its place.
        """
        try:
            self._failed_over = msgspec.json.decode(self._path.read_bytes(), type=dict[str, FailedOver])
        except FileNotFoundError:
            self._failed_over = {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(f"{self._path} holds who serves which symbol and cannot be read ({error}); look at it") from error
        for plan in self._symbols.expected():
            carried = [account.name for account in self._symbols.sources_of(plan.name)]
            first = plan.serving or (carried[0] if carried else "")
            over = self._failed_over.get(plan.name)
            if over is not None and over.source not in carried:
                del self._failed_over[plan.name]  # the configuration no longer has that source
                over = None
            source = over.source if over is not None else first
            if source:
                self._serve(plan.name, source)
        for value in self._cache.all():
            self._source.setdefault(value.symbol, value.source)
            self._newest[value.symbol] = market_at(value)

    async def offer(self, value: LiveValue, strikes: bytes) -> bool:
        """Take a good value; readers get it where its source serves the symbol and nothing newer of it is there."""
        key = (value.symbol, value.source)
        held = self._offers.get(key)
        if held is None or stamp_of(value) >= stamp_of(held.value):
            self._offers[key] = Offer(value, strikes)
        if value.symbol not in self._source:
            self._serve(value.symbol, value.source)
        return await self._publish(value)

    async def change(self, symbol: str, source: str, over: FailedOver | None) -> LiveValue | None:
        """Serve a symbol from another source from now on, at once with that source's last good value where there is one.

        That value replaces the old source's whatever their stamps. Where it speaks of an earlier moment of the market than
        readers had, its notice says so, and so do those that follow until one does not.

        Args:
            over: Why it is not the first source; None where it is.

        Returns:
            What readers have of it now; None where the source has given nothing yet and they keep the old value.

        Raises:
            StoreError: It cannot be written down; nothing was changed.
            LeverRefused: Another engine set it since; nothing was changed.
        """
        await self._share(symbol, Served(source, over))  # first: what the fleet refuses changes nothing here
        was = Served(self.serving(symbol), self.failed_over(symbol))
        try:
            return await self.follow(symbol, Served(source, over))
        except StoreError:
            if was.source:
                with suppress(GexdeskError):  # the others took it meanwhile, and change back
                    await self._share(symbol, was)
            raise

    def shares(self, share: "Callable[[str, Served], Awaitable[None]]") -> None:
        """Tell somebody of each change over before it is made."""
        self._share = share

    def standing(self) -> "dict[str, Served]":
        """Return what is failed over, for other engines."""
        return {symbol: Served(over.source, over) for symbol, over in self._failed_over.items()}

    async def follow(self, symbol: str, served: "Served") -> LiveValue | None:
        """Serve a symbol as another engine was made to; as ``change``, and nobody is told."""
        source, over = served.source, served.over
        rest = {name: held for name, held in self._failed_over.items() if name != symbol}
        self._keep(rest if over is None else rest | {symbol: over})
        self._serve(symbol, source)
        offer = self._offers.get((symbol, source))
        if offer is None:
            return None
        value = msgspec.structs.replace(offer.value, available_at=self._clock.now())
        await self._publish(value)
        return value

    def serving(self, symbol: str) -> str:
        """Return the source that serves a symbol; empty before any did."""
        return self._source.get(symbol, "")

    def first(self, symbol: str) -> str:
        """Return the source that serves a symbol when nothing is wrong; empty where no source brings it."""
        plan, over = self._symbols.of(symbol), self._failed_over.get(symbol)
        if plan.serving or over is None:
            return plan.serving or self.serving(symbol)
        return next((account.name for account in self._symbols.sources_of(symbol) if account.name != over.source), "")

    def standby(self, symbol: str) -> str:
        """Return the source that a fail-over would serve it from; empty without a second one."""
        now, plan = self.serving(symbol), self._symbols.of(symbol)
        for source in (plan.standby, self.first(symbol)):
            if source and source != now:
                return source
        return next((account.name for account in self._symbols.sources_of(symbol) if account.name != now), "")

    def standbys(self, source: str) -> dict[str, str]:
        """Return the symbols that a source serves now, each with its standby; empty where there is none."""
        return {symbol: self.standby(symbol) for symbol, serving in self._source.items() if serving == source}

    def carries(self, symbol: str, source: str) -> Account:
        """Return the account of a source that may serve a symbol. Raises LeverRefused."""
        accounts = {account.name: account for account in self._symbols.sources_of(symbol)}
        if source not in accounts:
            raise LeverRefused(f"{source} does not bring {symbol} live; {', '.join(accounts) or 'no source'} does")
        return accounts[source]

    def failed_over(self, symbol: str) -> FailedOver | None:
        """Return why a symbol is not served by its first source; None while it is."""
        return self._failed_over.get(symbol)

    def offered(self, symbol: str, source: str) -> Offer | None:
        """Return the last good value of a source."""
        return self._offers.get((symbol, source))

    def revision(self, symbol: str) -> int:
        """Return what goes up when another source is made to serve the symbol."""
        return self._revisions.get(symbol, 1)

    def strikes_before(self, symbol: str) -> bytes:
        """Return the rows by strike of the value before the present one; empty where they are not at hand, or of another source."""
        shown = self._shown.get(symbol)
        return shown.strikes_before if shown is not None else b""

    def shown(self, symbol: str) -> tuple[Figures | None, Figures | None, tuple[Point, ...]]:
        """Return what readers had before the present value, at first in this session, and over it."""
        shown = self._shown.get(symbol, _Shown())
        return shown.previous, shown.opened, tuple(shown.points)

    async def _publish(self, value: LiveValue) -> bool:
        before = self._cache.get(value.symbol)
        if market_at(value) < self._newest.get(value.symbol, -math.inf) and OLDER not in value.flags:
            value = msgspec.structs.replace(value, flags=(*value.flags, OLDER))
        if not await self._cache.publish(value):
            return False
        self.show(before, value)
        return True

    def show(self, before: LiveValue | None, value: LiveValue) -> None:
        """Remember what readers had, also where another engine published it."""
        shown = self._shown.setdefault(value.symbol, _Shown())
        exposure = value.exposure
        session = session_id(market_at(value))
        self._newest[value.symbol] = max(market_at(value), self._newest.get(value.symbol, -math.inf))
        if session != shown.session:
            shown.session, shown.opened, shown.pointed_at = session, figures_of(value), 0.0
            shown.points.clear()
        shown.previous = None if before is None else figures_of(before)
        offer = self._offers.get((value.symbol, value.source))
        strikes = offer.strikes if offer is not None and offer.value.job_id == value.job_id else b""
        same = before is not None and before.source == value.source and shown.session == session
        shown.strikes, shown.strikes_before = strikes, shown.strikes if same else b""
        if stamp_of(value) - shown.pointed_at >= POINT_EVERY_S or OLDER in value.flags:
            shown.pointed_at = stamp_of(value)
            shown.points.append(Point(exposure.as_of, exposure.spot, exposure.net_gex, exposure.zero_gamma.value))

    def _serve(self, symbol: str, source: str) -> None:
        if self._source.get(symbol) not in (None, source):
            self._revisions[symbol] = self.revision(symbol) + 1
        self._source[symbol] = source
        self._cache.serve(symbol, source)

    def _keep(self, failed_over: dict[str, FailedOver]) -> None:
        if failed_over == self._failed_over:
            return
        try:
            write_durably(self._path, msgspec.json.format(msgspec.json.encode(failed_over)))
        except OSError as error:
            raise StoreError(f"{self._path} could not be written ({error.strerror}); nothing was changed") from error
        self._failed_over = failed_over


async def _alone(symbol: str, served: Served) -> None:
    """Share with nobody."""


def market_at(value: LiveValue) -> float:
    """Return the moment of the market a value speaks of: its stamp less the known delay, never later than its receipt."""
    return stamp_of(value) - value.delay_s



def figures_of(value: LiveValue) -> Figures:
    """Return the figures of a value that are compared with another's."""
    exposure = value.exposure
    return Figures(
        as_of=exposure.as_of, spot=exposure.spot, net_gex=exposure.net_gex, gross_gex=exposure.gross_gex,
        zero_gamma=exposure.zero_gamma.value, call_wall=exposure.call_wall, put_wall=exposure.put_wall,
        total_open_interest=exposure.total_open_interest, total_volume=exposure.total_volume, coverage=exposure.coverage,
        contracts=exposure.contracts, strikes=exposure.strikes,
    )  # fmt: skip
