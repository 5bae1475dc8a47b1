"""Fill a gap from a folder of the vendor's history, through the same pipeline as everything: behind all live data, never live."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gexdesk.engine.gaps import GapLedger
from gexdesk.engine.symbols import Symbols
from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeverRefused
from gexdesk.model.market import NEW_YORK
from gexdesk.model.payload import Arrival
from gexdesk.model.text import printable, symbol_of
from gexdesk.stores.base import GapRecord

SOURCE = "gap-fill"
"""The source that history for gaps is counted under; its standing level is LOW, and its data type historical."""

FILES = 500
_SEPARATORS = str.maketrans("-._ ", "    ")


class Backfill:
    """Hand the files that may fill a gap to the pipeline.

    Args:
        deliver: As for any source; returns once a payload is acknowledged.
    """

    def __init__(
        self, gaps: GapLedger, symbols: Symbols, deliver: Callable[[Arrival], Awaitable[None]], clock: Clock, *, limit_bytes: int
    ) -> None:
        self._gaps = gaps
        self._symbols = symbols
        self._deliver = deliver
        self._clock = clock
        self._limit_bytes = limit_bytes

    async def files(self, record: GapRecord) -> list[Path]:
        """Return the files that may fill a gap, by name: they hold its date and no other symbol. Raises LeverRefused."""
        if not record.symbol:
            raise LeverRefused(f"{record.source} carries several symbols; its sender's count does not say which was missing")
        folder = self._symbols.of(record.symbol).history
        if folder is None:
            raise LeverRefused(f"no history folder is configured for {record.symbol}: give its [[symbols]] a `history`")
        found = await asyncio.to_thread(self._matching, folder, record)
        if not found:
            days = " or ".join(day.isoformat() for day in _days(record))
            raise LeverRefused(printable(f"{folder} holds no file of {record.symbol} for {days}; a name must hold both", 300))
        return found

    async def fill(self, name: str, files: list[Path]) -> int:
        """Deliver the files of a gap; returns how many are acknowledged. Raises LeverRefused where one cannot be read."""
        self._gaps.filling(name)
        for path in files:
            try:
                body = await asyncio.to_thread(path.read_bytes)
            except OSError as error:
                raise LeverRefused(printable(f"{path.name} cannot be read: {error.strerror}", 200)) from error
            await self._deliver(
                Arrival(source=SOURCE, body=body, received_at=self._clock.now(), name=printable(path.name, 200))
            )
        return len(files)

    def _matching(self, folder: Path, record: GapRecord) -> list[Path]:
        plan = self._symbols.of(record.symbol)
        names = {record.symbol, *plan.aliases}
        dates = {form for day in _days(record) for form in (day.isoformat(), day.strftime("%Y%m%d"), day.strftime("%Y_%m_%d"))}
        found = []
        for path in sorted(folder.rglob("*")):
            words = {symbol_of(word) for word in path.relative_to(folder).as_posix().replace("/", " ").replace("_", " ").split()}
            words |= {symbol_of(word) for word in path.stem.translate(_SEPARATORS).replace("_", " ").split()}
            dated = any(form in str(path.relative_to(folder)) for form in dates)
            if dated and names & words and path.is_file() and path.stat().st_size <= self._limit_bytes:
                found.append(path)
        return found[:FILES]


def _days(record: GapRecord) -> list[date]:
    """Return the dates of a gap in New York and UTC, by which vendors name files."""
    to_at = record.to_at if record.to_at is not None else record.from_at
    first = min(datetime.fromtimestamp(record.from_at, zone).date() for zone in (NEW_YORK, UTC))
    last = max(datetime.fromtimestamp(to_at, zone).date() for zone in (NEW_YORK, UTC))
    return [first + timedelta(days=n) for n in range((last - first).days + 1)][:31]
