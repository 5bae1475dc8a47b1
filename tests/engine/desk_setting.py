"""A real engine on a temporary folder, fed by real folders."""

import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gexdesk.assemble.desk import assemble
from gexdesk.assemble.offline import ask
from gexdesk.engine.engine import Engine
from gexdesk.engine.parts import Parts
from gexdesk.model.clock import SystemClock
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.payload import Arrival
from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.source import SourceView
from gexdesk.settings.desk import Settings
from tests.formats.format_samples import canonical, cboe_csv, cboe_json, gexbot, leg, strike
from tests.until import until


def folder_source(name: str, folder: Path, **fields: object) -> dict[str, object]:
    """Return the configuration of a source that watches a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"kind": "directory", "name": name, "path": str(folder), "level": "auto"} | fields


def settings_of(state: Path, *sources: dict[str, object], **engine: object) -> Settings:
    """Return settings with these sources."""
    return Settings.model_validate({"state": state, "sources": sources, "engine": engine})


def drop(folder: Path, name: str, body: bytes) -> Path:
    """Move a file into a folder, complete from its first moment there."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{abs(hash(name))}"
    aside.write_bytes(body)
    written_ns = time.time_ns() - 20_000_000
    os.utime(aside, ns=(written_ns, written_ns))  # before the rename also by the kernel's coarse clock: it is taken at once
    return aside.rename(folder / name)


@asynccontextmanager
async def engine_on(settings: Settings, *, once: bool = False, replay_speed: float = 1.0) -> AsyncIterator[Engine]:
    """Run an engine on the machine's own clock for as long as the block lasts."""
    engine = assemble(settings, SystemClock(), once=once, replay_speed=replay_speed)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def rows(sql: str, state: Path) -> list[dict[str, Any]]:
    """Ask what an engine that has ended left."""
    return ask(sql, state, None)


def source_of(view: DeskView, name: str) -> SourceView:
    """Return a source as the screen has it."""
    return next(source for source in view.sources if source.name == name)


async def pull(engine: Engine, verb: Verb, target: str = "", reason: str = "a test", **fields: Any) -> LeverOutcome:
    """Pull a lever as the operator jm."""
    return await engine.pull(Lever(verb, target, reason, actor="jm", **fields))


def gexbot_at(age_s: float, symbol: str = "SPX", *, net: float = 13.75, gross: float = 53.75, **fields: object) -> bytes:
    """Return a GEXBot record whose stamp is so old; net and gross GEX in the vendor's unit."""
    strikes = [[5990, -1.0, (net - gross) / 2, [0] * 5], [6010, 4.0, (net + gross) / 2, [0] * 5]]
    record = {"timestamp": round(time.time() - age_s, 3), "ticker": symbol, "strikes": strikes, "sum_gex_oi": net}
    return gexbot(**(record | fields))


def chain_at(age_s: float, symbol: str = "SPX", *, spot: float = 6000.0, contracts: int = 4) -> bytes:
    """Return a Cboe chain whose stamp is so old, with an expiry a month ahead."""
    now = time.time() - age_s
    expiry = datetime.fromtimestamp(now + 30 * 86_400, UTC)
    legs = [
        leg(f"{symbol}{expiry:%y%m%d}{'CP'[number % 2]}{int((spot + 5 * (number // 2)) * 1000):08d}", open_interest=60_000.0)
        for number in range(contracts)
    ]
    stamp = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}"
    return cboe_json(legs, {"symbol": symbol, "current_price": spot}, timestamp=stamp, symbol=symbol)


def in_house_at(age_s: float, symbol: str = "RUT", *, gex: float = 1e8, **fields: object) -> bytes:
    """Return a canonical snapshot whose stamp is so old."""
    at = datetime.fromtimestamp(time.time() - age_s, UTC)
    strikes = [strike(2000.0, gamma=gex), strike(2010.0, gamma=-gex / 2)]
    record = {"market_symbol": symbol, "snapshot_date": f"{at:%Y-%m-%d}", "snapshot_time": f"{at:%H:%M:%S}Z", "strikes": strikes}
    return canonical(**(record | {"metadata": {"spot": 2005.0}} | fields))


def table_at() -> bytes:
    """Return a Cboe quote table; its stamp is what it is."""
    return cboe_csv()


def as_lines(documents: Sequence[bytes]) -> bytes:
    """Join documents to JSON lines."""
    return b"".join(json.dumps(json.loads(document)).encode() + b"\n" for document in documents)


def parts_of(engine: Engine) -> Parts:
    """Return what the engine joins, to look at its queue and to hand it payloads while its sources are stopped."""
    return engine._parts


async def hand_in(engine: Engine, source: str, *bodies: bytes) -> None:
    """Deliver payloads as a source would, and wait until they are queued."""
    parts = parts_of(engine)
    count = len(await parts.queue.jobs_of(source)) + len(bodies)
    for body in bodies:
        await parts.receive.deliver(Arrival(source, body, parts.clock.now()))

    async def queued() -> bool:
        return len(await parts.queue.jobs_of(source)) == count

    await until(queued)
