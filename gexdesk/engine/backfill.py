"""Fill a gap from a folder of the vendor's history, through the same pipeline as everything: behind all live data, never live."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.gaps import GapLedger
from gexdesk.engine.symbols import Symbols
from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeverRefused, PayloadError, StoreError
from gexdesk.model.market import NEW_YORK
from gexdesk.model.payload import Arrival
from gexdesk.model.text import printable, symbol_of
from gexdesk.stores.base import GapRecord

SOURCE = "gap-fill"
"""The source that history for gaps is counted under; its standing level is LOW, and its data type historical."""

FILES = 500
LOOK_S = 1.0
RETRY_S = 2.0
"""Between two tries to hand over a file that cannot be kept now."""

_SEPARATORS = str.maketrans("-._ ", "    ")


class Backfill:
    """Hand the files that may fill a gap to the pipeline, behind whoever asked for it: at high water they wait for long.

    Args:
        deliver: As for any source; returns once a payload is acknowledged.
        waiting: Says whether anything of ``SOURCE`` is not stored, dead or cancelled yet.
    """

    def __init__(
        self, gaps: GapLedger, symbols: Symbols, *, deliver: Callable[[Arrival], Awaitable[None]], waiting: Callable[[], bool],
        chronicle: Chronicle, clock: Clock, limit_bytes: int,
    ) -> None:  # fmt: skip
        self._gaps = gaps
        self._symbols = symbols
        self._deliver = deliver
        self._waiting = waiting
        self._chronicle = chronicle
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._fillings: dict[str, asyncio.Task[None]] = {}

    @property
    def under_way(self) -> frozenset[str]:
        """Return the names of the gaps whose files are not all handed over and through."""
        return frozenset(self._fillings)

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

    def begin(self, name: str, files: list[Path]) -> None:
        """Begin to hand over the files of a gap, one after the other; returns at once. What becomes of it is told."""
        self._gaps.filling(name)
        self._fillings[name] = asyncio.create_task(self._fill(name, files), name=f"backfill-{name}")

    async def stop(self) -> None:
        """Hand over nothing more; the gap stays open, and can be filled again."""
        fillings = list(self._fillings.values())
        for filling in fillings:
            filling.cancel()
        await asyncio.gather(*fillings, return_exceptions=True)

    async def _fill(self, name: str, files: list[Path]) -> None:
        handed, outcome = 0, "the engine ends"
        try:
            for path in files:
                handed += await self._hand_over(path)
            while self._waiting():
                await self._clock.sleep(LOOK_S)
            outcome = await self._gaps.filled(name)
        except StoreError as error:
            outcome = error.message
        except Exception as error:
            outcome = f"ended by a fault of the desk: {type(error).__name__}: {error}"
        finally:
            del self._fillings[name]
            files_of = "1 file" if len(files) == 1 else f"{len(files)} files"
            words = f"gap {name}: {handed} of {files_of} went through; {outcome}"
            self._chronicle.tell("engine", words, grave=handed < len(files) or not outcome.startswith("filled"))

    async def _hand_over(self, path: Path) -> bool:
        """Return once a file is acknowledged, however long that takes; False where it cannot be used."""
        told = False
        while True:
            try:
                body = await asyncio.to_thread(path.read_bytes)
                await self._deliver(
                    Arrival(source=SOURCE, body=body, received_at=self._clock.now(), name=printable(path.name, 200))
                )
            except StoreError as error:
                if not told:
                    self._chronicle.tell("engine", f"{path.name} waits: {error.message}", grave=True)
                told = True
                await self._clock.sleep(RETRY_S)
            except (OSError, PayloadError) as error:
                words = error.message if isinstance(error, PayloadError) else f"cannot be read: {error.strerror}"
                self._chronicle.tell("engine", f"{path.name} is left out: {words}", grave=True)
                return False
            else:
                return True

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
