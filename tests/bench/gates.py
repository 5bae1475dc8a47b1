"""What the checks before publishing cost of a snapshot's whole way through an engine, from receipt to durable rows."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import msgpack, structs

from gexdesk.assemble import garbage
from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Engine
from gexdesk.engine.pool_child import head_of
from gexdesk.engine.tasks import ENCODER, Head
from gexdesk.formats.detect import decode
from gexdesk.gates.evidence import evidence
from gexdesk.gates.facts import Evidence
from gexdesk.gex.summary import analyse
from gexdesk.model.clock import SystemClock
from gexdesk.model.exposure import Conventions
from gexdesk.model.payload import Arrival, Payload
from gexdesk.settings.desk import Settings
from tests.bench import Row, row
from tests.bench._documents import QUOTED, cboe_chain
from tests.bench._flood import classic
from tests.gates.trial import Desk

SHARE = 0.02
ROUNDS = 4
JUDGED = 64
OTHERS = 40
"""Other symbols that the desk knows: what is compared with each of them would show."""

IDLE_S = 1.0
MEASURED_S = 0.2
USUAL = Conventions()
SENT = msgpack.Decoder(Evidence)
SIZES = (
    ("GEXBot document of 95 strikes", 0, 1_200),
    ("chain of 900 contracts", 900, 120),
    ("chain of 22,000 contracts", 22_000, 8),
)
"""What it is called, its contracts (0 for a table by strike), and how many go through the engine a round."""


def rows() -> list[Row]:
    """Measure all, in a process whose only children are the pool's."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.gates"], capture_output=True, check=True, text=True)
    return [
        row(f"{name}: the checks, by its whole way", found["checks_us"], "us", reference=found["whole_us"], target=SHARE)
        for name, found in json.loads(done.stdout).items()
    ]


async def _measured(folder: Path) -> dict[str, dict[str, float]]:
    engine = assemble(_settings(folder), SystemClock())
    await engine.start()
    garbage.rarely()  # as in the engine's own process
    try:
        return {name: await _share(engine, contracts, count) for name, contracts, count in SIZES}
    finally:
        garbage.as_before()
        await engine.close()


async def _share(engine: Engine, contracts: int, count: int) -> dict[str, float]:
    """Return the least processor time of the checks and of everything, microseconds a snapshot, measured in turns."""
    checks_s, whole_s = float("inf"), float("inf")
    source, base = ("chain", cboe_chain(contracts)) if contracts else ("table", b"")
    for turn in range(ROUNDS):
        sent = [_document(base, turn * count + number) for number in range(count)]
        idle_s, at = await _idle_s(), time.monotonic()
        began = _spent_s()
        for body in sent:
            await engine._parts.receive.deliver(Arrival(source, body, engine._parts.clock.now(), "application/json", "x.json"))
        while len(engine._parts.flights):
            await asyncio.sleep(0.005)
        # What an engine does in any case, and this many seconds of it, is no snapshot's.
        whole_s = min(whole_s, (_spent_s() - began - idle_s * (time.monotonic() - at)) / count)
        checks_s = min(checks_s, _checks_s(sent[0]))
    return {"checks_us": checks_s * 1e6, "whole_us": whole_s * 1e6}


async def _idle_s() -> float:
    """Return the processor time that an engine without work takes a second."""
    began = _spent_s()
    await asyncio.sleep(IDLE_S)
    return (_spent_s() - began) / IDLE_S


def _document(base: bytes, number: int) -> bytes:
    if not base:
        return classic("SPX", QUOTED + number, number)
    stamp, later = (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(QUOTED + s)).encode() for s in (0, number + 1))
    assert base.count(stamp) == 1
    return base.replace(stamp, later)


def _spent_s() -> float:
    """Return the processor time of this process and of those it started that still run."""
    spent = time.process_time()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text("utf-8").rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                spent += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def _checks_s(body: bytes) -> float:
    """Return what the checks take of one snapshot: in the pool, on the pipe, judged by the engine, and again with its levels."""
    snapshot = decode(body)[1][0]
    head, exposure = head_of(snapshot, USUAL), analyse(snapshot, USUAL)[0]
    found = head.evidence
    assert found is not None
    heads = [_unlike(head, number) for number in range(JUDGED)]
    payloads = [Payload("p", "feed", one.as_of + 0.2, "", 0) for one in heads]
    desk = Desk((head.symbol, *(f"S{number}" for number in range(OTHERS))))
    for number, name in enumerate(desk.account.symbols[1:]):
        other = structs.replace(_unlike(head, -1 - number), symbol=name, spot=20.0 * 1.2**number)
        desk.gates.judge(desk.account, other, Payload("p", "feed", other.as_of, "", 0))

    def judge() -> None:
        for one, payload in zip(heads, payloads, strict=True):
            desk.gates.level_flags(desk.gates.judge(desk.account, one, payload), exposure)

    measured_s = _mean_s(lambda: evidence(snapshot, USUAL.rate, USUAL.dividend_yield))
    return measured_s + _mean_s(lambda: SENT.decode(ENCODER.encode(found))) + _mean_s(judge) / JUDGED


def _unlike(head: Head, number: int) -> Head:
    """Return the head of the next snapshot, as it comes second by second while the market is open."""
    assert head.evidence is not None
    net, spot = (head.net_gex or 0.0) * (1 + 1e-4 * number), (head.spot or 0.0) * (1 + 1e-6 * number)
    inputs = structs.replace(head.evidence, inputs=number)
    return structs.replace(head, as_of=QUOTED + number, net_gex=net, spot=spot, evidence=inputs)


def _mean_s(run: Callable[[], object]) -> float:
    """Return the processor time of a thing as it comes out over a while: on a busy machine the whole way is no best case either."""
    began, turns = time.process_time(), 0
    while (spent := time.process_time() - began) < MEASURED_S:
        for _ in range(4):
            run()
        turns += 4
    return spent / turns


def _settings(folder: Path) -> Settings:
    names = {"chain": "cboe_json", "table": "gexbot"}
    for name in names:
        (folder / name).mkdir()
    sources = [
        {"kind": "directory", "level": "auto", "name": name, "path": folder / name, "format": layout, "data_type": "snapshot"}
        for name, layout in names.items()
    ]
    return Settings.model_validate({"state": folder / "state", "sources": sources})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="gexdesk-bench-") as where:
        sys.stdout.write(json.dumps(asyncio.run(_measured(Path(where)))))
