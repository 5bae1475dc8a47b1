"""Payloads to keep, and a spool that is open for the length of a block."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gexdesk.model.payload import Arrival
from gexdesk.stores.spool import Spool, read_payload

NOON = 1_790_000_000.0
DAY = 86_400.0


class StillClock:
    def __init__(self, now: float = NOON) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def arrival(body: bytes, received_at: float = NOON, **fields: object) -> Arrival:
    return Arrival(source="cboe", body=body, received_at=received_at, **fields)  # type: ignore[arg-type]


def text(at: int, length: int = 200) -> bytes:
    return (f'{{"payload": {at}, "gex": [' + "0.125, " * length).encode()[:length]


@asynccontextmanager
async def opened(folder: Path, clock: StillClock | None = None, **sizes: int) -> AsyncIterator[Spool]:
    spool = Spool(folder / "spool", clock=clock or StillClock(), **sizes)
    await spool.open()
    yield spool
    await spool.close()


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "spool" / "segments").glob("*.seg"))


def bodies(spool: Spool, *, done: bool = True) -> list[bytes]:
    return [read_payload(ref) for _, ref in spool.scan(done=done)]
