"""Run one engine in a process of its own and print what it did: ``python -m tests.bench._flood``, so that its memory is its own."""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import orjson

from gexdesk.assemble import garbage
from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Engine
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.clock import SystemClock
from gexdesk.model.payload import Arrival
from gexdesk.settings.desk import Settings
from gexdesk.stores.cache import EmbeddedCache
from tests.bench._documents import QUOTED, cboe_chain

SOURCES = 10
PRODUCERS = 80
DOCUMENTS = 6_000
CHAIN_ROUNDS = 12
LIVE_IS_CRITICAL = '[[guideline]]\nname = "live"\nlevel = "CRITICAL"\nwhen = "data_type == \'real_time\'"\n'


def classic(symbol: str, at: float, number: int) -> bytes:
    """Return a GEXBot classic document of 95 strikes, 5 KB, unlike any other."""
    strikes = [[5000.0 + 5 * i, round(1.5 * i - 70 + number * 0.01, 3), round(2.0 * i - 90, 3), [1.5] * 5] for i in range(95)]
    head = {"timestamp": at, "ticker": symbol, "min_dte": 0, "sec_min_dte": 1, "spot": 5200.0, "zero_gamma": 5190.0}
    tail = {"major_pos_vol": 1, "major_pos_oi": 1, "sum_gex_vol": 10.0, "sum_gex_oi": 20.0, "delta_risk_reversal": 0.1}
    return json.dumps({**head, "strikes": strikes, **tail}).encode()


def settings(folder: Path) -> Settings:
    """Return a desk of ten quick sources, and one whose every payload is CRITICAL by its guidelines."""
    rules = folder / "rules.toml"
    rules.write_text(DEFAULT_FILE.read_text("utf-8").partition("[[guideline]]")[0] + LIVE_IS_CRITICAL)
    quick = {"kind": "directory", "level": "auto", "format": "gexbot", "data_type": "snapshot"}
    names = [f"quick-{number}" for number in range(SOURCES)]
    for name in (*names, "chain"):
        (folder / name).mkdir()
    sources = [{**quick, "name": name, "path": folder / name} for name in names]
    sources.append({**quick, "name": "chain", "path": folder / "chain", "format": "cboe_json", "data_type": "real_time"})
    return Settings.model_validate({"state": folder / "state", "sources": sources, "guidelines": str(rules)})


async def critical(engine: Engine, cache: EmbeddedCache, bodies: list[bytes]) -> tuple[float, float]:
    """Return the best seconds from receipt to available of a chain on an idle engine, and of a bare parse, run in turns."""
    parts = engine._parts
    best, parse = float("inf"), float("inf")
    with cache.subscribe() as changes:
        for number in range(CHAIN_ROUNDS):
            body = _restamped(bodies[number % len(bodies)], number)
            began = time.perf_counter()
            await parts.receive.deliver(Arrival("chain", body, parts.clock.now(), "application/json", f"{number}.json"))
            value = await anext(changes)
            best = min(best, time.perf_counter() - began)
            assert str(value.level) == "CRITICAL"
            began = time.perf_counter()
            orjson.loads(body)
            parse = min(parse, time.perf_counter() - began)
            while len(parts.flights):
                await asyncio.sleep(0.01)
    return best, parse


def _restamped(body: bytes, number: int) -> bytes:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(QUOTED)).encode()
    later = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(QUOTED + number + 1)).encode()
    assert body.count(stamp) == 1
    return body.replace(stamp, later)


async def flood(engine: Engine, documents: list[list[bytes]]) -> float:
    """Return the seconds until every document is COMPLETED, from the first byte handed over."""
    parts = engine._parts

    async def produce(number: int) -> None:
        source = f"quick-{number % SOURCES}"
        for body in documents[number]:
            await parts.receive.deliver(Arrival(source, body, parts.clock.now(), "application/json", "classic.json"))

    completed = engine.closing().completed
    began = time.perf_counter()
    await asyncio.gather(*(produce(number) for number in range(len(documents))))
    while len(parts.flights):
        await asyncio.sleep(0.005)
    took = time.perf_counter() - began
    assert engine.closing().completed - completed == sum(map(len, documents))
    assert engine.closing().dead == 0
    return took


def peak_mb(process: int | str) -> float:
    """Return the most memory that a process has had resident since its program began.

    ``ru_maxrss`` would not tell: a new process inherits that of whoever started it, however much that one ever held.
    """
    status = Path(f"/proc/{process}/status").read_text("ascii")
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


async def main(folder: Path) -> dict[str, float]:
    """Measure on one engine: chains first, on an idle desk, then the flood."""
    chains = [cboe_chain(22_000, spot_move=move) for move in (0.0, 0.001)]
    engine = assemble(settings(folder), SystemClock())
    await engine.start()
    garbage.rarely()  # as in the engine's own process
    try:
        cache = engine._parts.cache
        assert isinstance(cache, EmbeddedCache)
        available, parse = await critical(engine, cache, chains)
        rates, cpu_s = [], float("inf")
        for turn in range(3):
            each, now = DOCUMENTS // PRODUCERS, time.time()
            documents = [
                [classic(f"SYM{n}", now + turn + i / each, turn * DOCUMENTS + n * each + i) for i in range(each)]
                for n in range(PRODUCERS)
            ]
            cpu_before = time.process_time()
            rates.append(PRODUCERS * each / await flood(engine, documents))
            cpu_s = min(cpu_s, (time.process_time() - cpu_before) / (PRODUCERS * each))
        pool_mb = max(peak_mb(slot.pid) for slot in engine._parts.pool.inside if slot.pid is not None)
    finally:
        garbage.as_before()
        await engine.close()
    return {
        "available_s": available,
        "parse_s": parse,
        "per_s": max(rates),
        "per_s_median": statistics.median(rates),
        "cpu_s": cpu_s,
        "engine_mb": peak_mb("self"),
        "pool_process_mb": pool_mb,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="gexdesk-bench-") as where:
        sys.stdout.write(json.dumps(asyncio.run(main(Path(where)))))
