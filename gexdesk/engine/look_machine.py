"""Look at the engine from inside: order, slots, pool, stores, history, and what makes the scores."""

import asyncio
import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

from gexdesk.engine.flight import Flights
from gexdesk.engine.keep import Keeper
from gexdesk.engine.pool import Pool
from gexdesk.engine.rewind import Rewind
from gexdesk.engine.triage import Triage
from gexdesk.engine.work import Work
from gexdesk.metrics.deviation import Deviation
from gexdesk.model.clock import Clock
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.look.machine import MachineLook, MachineSeen
from gexdesk.model.record_view import PartsView
from gexdesk.model.text import printable
from gexdesk.stores.spool import Spool

PARTS_S = 300.0
SIZES_EVERY_S = 5.0


class MachineLooks:
    """Answer ``MachineLook``."""

    def __init__(
        self, *, work: Work, pool: Pool, flights: Flights, triage: Triage, keeper: Keeper, spool: Spool, rewind: Rewind,
        deviation: Deviation, clock: Clock, state: Path, metadata: Path, engine_id: str,
    ) -> None:  # fmt: skip
        self._work = work
        self._pool = pool
        self._flights = flights
        self._triage = triage
        self._keeper = keeper
        self._spool = spool
        self._rewind = rewind
        self._deviation = deviation
        self._clock = clock
        self._state = state
        self._metadata = metadata
        self._engine_id = engine_id
        self._since = clock.now()
        self._sizes = (-SIZES_EVERY_S, (0, 0, 0, 0))
        self._worked = (clock.monotonic(), _processor_s())

    async def machine(self, _question: MachineLook) -> MachineSeen:
        """Return how the engine works inside. Raises StoreError."""
        now = self._clock.now()
        parts = await self._keeper.reading(lambda metadata: metadata.score_parts(now - PARTS_S))
        spool_bytes, history_disk, metadata_bytes, free = await self._disk()
        return MachineSeen(
            engine_id=self._engine_id,
            host=printable(platform.node(), 64),
            pid=os.getpid(),
            version=version("gexdesk"),
            since=self._since,
            state_folder=printable(str(self._state), 300),
            cores=os.cpu_count() or 1,
            load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            cpu_share=self._cpu_share(),
            memory_bytes=_memory_bytes(),
            dispatches=self._deviation.dispatches,
            deviating=self._deviation.deviating,
            slots=self._work.inside,
            pool=self._pool.inside,
            pool_backlog=self._pool.backlog,
            in_flight=len(self._flights),
            undecided=self._triage.undecided,
            storing=self._keeper.waiting,
            store_lag_s=self._keeper.lag_s(),
            history_bytes=self._rewind.size_bytes(),
            history_from=self._rewind.fine_from(),
            history_disk_bytes=history_disk,
            spool_bytes=spool_bytes,
            spool_open=self._spool.unfinished,
            metadata_bytes=metadata_bytes,
            free_bytes=free,
            parts_s=PARTS_S,
            parts=_in_order(tuple(PartsView(Level(row[0]), row[1], *(part or 0.0 for part in row[2:])) for row in parts)),
        )

    async def _disk(self) -> tuple[int, int, int, int]:
        """Return what the spool, the history and the database take and what is free, measured every few seconds at most."""
        at, sizes = self._sizes
        if self._clock.monotonic() - at >= SIZES_EVERY_S:
            sizes = await asyncio.to_thread(self._measured)
            self._sizes = self._clock.monotonic(), sizes
        return sizes

    def _measured(self) -> tuple[int, int, int, int]:
        database = self._metadata.stat().st_size if self._metadata.exists() else 0
        return self._spool.size_bytes(), self._rewind.disk_bytes(), database, shutil.disk_usage(self._state).free

    def _cpu_share(self) -> float | None:
        """Return the share of a core that was used since the last question; None where that was just now."""
        (at, used_s), now, total_s = self._worked, self._clock.monotonic(), _processor_s()
        if now - at < 0.2:
            return None
        self._worked = now, total_s
        return (total_s - used_s) / (now - at)


def _processor_s() -> float:
    return sum(os.times()[:4])


def _memory_bytes() -> int:
    """Return the resident memory of this process; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _in_order(parts: tuple[PartsView, ...]) -> tuple[PartsView, ...]:
    return tuple(sorted(parts, key=lambda part: LEVELS.index(part.level)))
