"""kill -9 while payloads are being kept: every acknowledged one is there, with its bytes."""

import subprocess
import sys
from pathlib import Path

import pytest

from gexdesk.model.clock import SystemClock
from gexdesk.stores.spool import Spool, read_payload

WRITER = """
import asyncio, hashlib, random, sys, time
from pathlib import Path
from gexdesk.model.clock import SystemClock
from gexdesk.model.payload import Arrival
from gexdesk.stores.spool import Spool

async def produce(spool, rnd):
    while True:
        size = 40_000 if rnd.random() < 0.1 else rnd.randrange(3000)
        body = rnd.randbytes(size // 2) + bytes(size // 2)
        payload, _ = await spool.keep(Arrival("s", body, time.time()))
        print(payload.payload_id, hashlib.sha256(body).hexdigest(), flush=True)

async def main():
    spool = Spool(Path(sys.argv[1]), clock=SystemClock(), gate_bytes=10_000, segment_bytes=100_000)
    await spool.open()
    await asyncio.gather(*(produce(spool, random.Random(n)) for n in range(16)))

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [1, 40, 300])
async def test_every_acknowledged_payload_is_found(tmp_path: Path, after: int) -> None:
    folder = tmp_path / "spool"
    acknowledged: dict[str, str] = {}
    for _ in range(2):  # the second process finds what the first one's death left
        writer = subprocess.Popen([sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(after)]
        writer.kill()
        lines += writer.stdout.read().splitlines()
        writer.wait()
        acknowledged.update(line.split() for line in lines if len(line.split()) == 2 and len(line.split()[1]) == 64)
    assert len(acknowledged) >= 2 * after
    spool = Spool(folder, clock=SystemClock())
    await spool.open()
    found = {payload.payload_id: (payload, ref) for payload, ref in spool.scan()}
    for payload_id, sha256 in acknowledged.items():
        payload, ref = found[payload_id]
        assert payload.sha256 == sha256
        body = read_payload(ref)
        assert len(body) == payload.size_bytes
    assert list(found) == sorted(found)
    assert not [path for path in (folder / "large").iterdir() if path.suffix == ".tmp"]
    await spool.close()
