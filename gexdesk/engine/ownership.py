"""Own sources: each is run by one engine of a fleet at a time, under a lease that the server's clock ends.

Sources that carry a symbol in common are one unit, owned together: what is compared, what stands in for what, and the volumes
that one feed lends another are then known where they are needed. A unit is named by its first source.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from gexdesk.fleet.told import Told
from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Arrival
from gexdesk.sources.base import Deliver, DeliverTogether

LEASE_S = 5.0
SETTLED_S = 10.0
"""A surplus is given up only to engines that have been there for so long: one that restarts moves its units once, not twice."""


class Ownership:
    """Know which sources this engine may run.

    Args:
        units: Sources by unit.
        monotonic: The clock that goes on while the process is stopped.
    """

    def __init__(self, units: Mapping[str, tuple[str, ...]], monotonic: Callable[[], float]) -> None:
        self.units = dict(units)
        self._unit_of = {source: unit for unit, sources in units.items() for source in sources}
        self._monotonic = monotonic
        self._own: frozenset[str] = frozenset()
        self._until = 0.0
        self._adrift = False
        self._giving: list[str] = []
        self._company: frozenset[str] = frozenset()
        self._company_since = monotonic()
        self.owners: dict[str, str] = {}

    def runs(self, source: str) -> bool:
        """Say whether this engine may fetch from a source now.

        While the server is away an engine goes on with what it owned: two that fetch the same are better than none, and bytes
        that came twice are told apart when they meet. One whose lease ran out while it stood still owns nothing until it asks.
        """
        unit = self._unit_of.get(source)
        return unit in self._own and (self._adrift or self._monotonic() < self._until)

    def guard(self, deliver: Deliver) -> Deliver:
        """Let a source deliver only while this engine owns it."""

        async def guarded(arrival: Arrival) -> None:
            self._check(arrival.source)
            await deliver(arrival)

        return guarded

    def guard_together(self, deliver: DeliverTogether) -> DeliverTogether:
        """Guard what takes several payloads of one source, too."""

        async def guarded(arrivals: Sequence[Arrival]) -> None:
            self._check(arrivals[0].source)
            await deliver(arrivals)

        return guarded

    def _check(self, source: str) -> None:
        if not self.runs(source):
            owner = self.owner(source) or "nobody yet"
            raise StoreError(f"{source} is run by {owner} now, no longer by this engine")

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the sources this engine owns."""
        return tuple(source for unit, sources in self.units.items() if unit in self._own for source in sources)

    @property
    def own(self) -> frozenset[str]:
        """Return the units this engine owns."""
        return self._own

    def owner(self, source: str) -> str:
        """Return the engine that owns a source; empty where none does."""
        return self.owners.get(self._unit_of.get(source, ""), "")

    def give(self) -> Sequence[str]:
        """Return the units to give up with the next beat, until one is answered; their sources are stopped."""
        return list(self._giving)

    def heard(self, told: Told, asked_at: float) -> tuple[dict[str, str], set[str]]:
        """Take what a beat learned.

        Args:
            asked_at: When the beat was sent, by the monotonic clock: the lease runs from there at the earliest.

        Returns:
            Sources gained, each with the engine that had it before, and sources lost.
        """
        lost, gained = self._own - told.own, told.own - self._own
        self._own, self._until, self._adrift, self._giving = told.own, asked_at + LEASE_S, False, []
        self.owners = dict(told.owners)
        company = frozenset(one.engine for one in told.engines if one.silent_s < LEASE_S)
        if company != self._company:
            self._company, self._company_since = company, self._monotonic()
        return (
            {source: told.took.get(unit, "") for unit in gained for source in self.units.get(unit, ())},
            set(self._sources_of(lost)),
        )

    def surplus(self, most: int) -> list[str]:
        """Return the sources of one unit beyond a fair share, to be stopped and then given up; empty where there is none."""
        if len(self._own) <= most or self._giving or self._monotonic() - self._company_since < SETTLED_S:
            return []
        unit = max(self._own)
        self._giving = [unit]
        self._own -= {unit}
        return list(self.units.get(unit, ()))

    def silence(self, asked_at: float) -> set[str]:
        """Note that a beat was not answered. Returns the sources that this engine may no longer run.

        What was to be given up with it is this engine's again: nobody else can take it while the server is away.
        """
        giving, self._giving = self._giving, []
        stood_still = self._monotonic() - asked_at > LEASE_S  # the server has more patience than that, and so have others
        if self._adrift or (asked_at < self._until and not stood_still):
            self._own, self._adrift = self._own | {*giving}, True
            return set()
        lost, self._own = self._own, frozenset()
        return set(self._sources_of(lost))

    def drift(self, units: Iterable[str]) -> None:
        """Begin without the server: run what this engine owned last."""
        self._own, self._adrift = frozenset(units) & self.units.keys(), True

    def _sources_of(self, units: Iterable[str]) -> Iterable[str]:
        return (source for unit in units for source in self.units.get(unit, ()))


def units_of(carried: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return sources in units, each named by its first source: those that share a symbol belong together.

    Args:
        carried: Symbols by source, in the configuration's order.
    """
    leader: dict[str, str] = {}
    of_symbol: dict[str, str] = {}
    order = list(carried)

    def lead(source: str) -> str:
        while leader[source] != source:
            source = leader[source]
        return source

    for source, symbols in carried.items():
        leader[source] = source
        for symbol in symbols:
            first, second = sorted((lead(of_symbol.setdefault(symbol, source)), lead(source)), key=order.index)
            leader[second] = first
    units: dict[str, tuple[str, ...]] = {}
    for source in carried:
        units[lead(source)] = (*units.get(lead(source), ()), source)
    return units
