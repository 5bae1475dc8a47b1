"""What every live cache owes. A suite inherits it and gives a ``cache`` fixture: a new, empty one."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from gexdesk.model.exposure import Conventions, Exposure
from gexdesk.model.level import Level
from gexdesk.stores.base import LiveValue

NOW = 1_772_463_600.0


def value(as_of: float, *, symbol: str = "SPX", source: str = "cboe", ttl_s: float = 300.0, **numbers: Any) -> LiveValue:
    """Return a value that has just become available."""
    exposure = Exposure("cboe_json", symbol, as_of, 5000.0, Conventions(), **numbers)
    now = time.time()
    return LiveValue(symbol, source, f"job-{as_of}", Level.HIGH, "why", as_of + 1, now, -1.0, 0.0, -1, exposure, ttl_s=ttl_s)


def nets(values: Sequence[LiveValue]) -> list[tuple[str, float | None]]:
    return [(one.symbol, one.exposure.net_gex) for one in values]


class CacheContract:
    """Hold a live cache to its word."""

    async def read(self, cache: Any, symbol: str) -> LiveValue | None:
        """Return what a reader has; a suite whose readers are elsewhere asks as they do."""
        found: LiveValue | None = cache.get(symbol)
        return found

    async def test_what_is_published_is_read_whole(self, cache: Any) -> None:
        assert await cache.publish(value(NOW, net_gex=1.5, warnings=("a",), top5_strikes=(5.0, 5.5)))
        read = await self.read(cache, "SPX")
        assert read == cache.get("SPX")
        assert (read.exposure.net_gex, read.exposure.warnings, read.revision) == (1.5, ("a",), 1)
        assert await self.read(cache, "NDX") is None
        assert cache.get("NDX") is None

    async def test_the_newest_stamp_wins_for_every_reader(self, cache: Any) -> None:
        await cache.publish(value(NOW, net_gex=1.0))
        assert await cache.publish(value(NOW + 10, net_gex=2.0))
        assert not await cache.publish(value(NOW + 5, net_gex=3.0))
        assert (await self.read(cache, "SPX")).exposure.net_gex == 2.0
        await cache.publish(value(NOW, symbol="NDX", net_gex=7.0))
        assert nets(cache.all()) == [("NDX", 7.0), ("SPX", 2.0)]

    async def test_the_serving_source_s_value_is_read_whatever_its_stamp(self, cache: Any) -> None:
        await cache.publish(value(NOW, source="a", net_gex=1.0))
        assert not await cache.publish(value(NOW + 5, source="b", net_gex=2.0))
        cache.serve("SPX", "b")
        assert (await self.read(cache, "SPX")).source == "a"
        assert await cache.publish(value(NOW - 900, source="b", net_gex=3.0))
        assert (await self.read(cache, "SPX")).exposure.net_gex == 3.0

    async def test_a_mark_is_read_too(self, cache: Any) -> None:
        await cache.publish(value(NOW, net_gex=1.0))
        await cache.mark("SPX", "held")
        await cache.mark("SPX", "held")
        read = await self.read(cache, "SPX")
        assert (read.flags, read.revision, read.exposure.net_gex) == (("held",), 2, 1.0)

    async def test_subscribers_hear_every_change_in_order(self, cache: Any) -> None:
        with cache.subscribe() as changes:
            for number in range(3):
                await cache.publish(value(NOW + number, net_gex=float(number)))
            heard = [(await asyncio.wait_for(anext(changes), 5)).exposure.net_gex for _ in range(3)]
        assert heard == [0.0, 1.0, 2.0]
