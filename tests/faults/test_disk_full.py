"""No room to write, in the middle of a burst: the engine says so, waits, loses nothing and goes on when there is room.

The kernel's limit on file size stands in for the full disk: every write beyond it fails, in the payload spool, the journal,
the database, the lake and the engine's own log alike, and it needs no root.
"""

import asyncio
import resource
import time
from pathlib import Path

import pytest

from gexdesk.api.client import Client
from gexdesk.model.errors import StoreError
from gexdesk.model.lever import Lever, Verb
from tests.faults.engine_process import Burst, wait_for
from tests.until import until


async def test_the_engine_outlives_a_full_disk_and_loses_nothing(tmp_path: Path) -> None:
    burst = Burst(tmp_path, 240)
    engine = burst.start("--until-idle", "--json")
    wait_for(engine, lambda: burst.taken() >= 40)
    unlimited = resource.prlimit(engine.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
    client = Client(burst.state)
    await until(lambda: said(client, "could not be kept, will be handed over again"))
    before = burst.taken()
    assert before < burst.payloads
    with pytest.raises(StoreError, match="nothing was changed"):
        await client.pull(Lever(Verb.PAUSE, "drop", "incident 41"))
    began = time.monotonic()
    while time.monotonic() - began < 1.0:  # it goes on saying so, and takes nothing it could not keep
        assert engine.poll() is None, burst.log()
        view = await client.view()
        assert view.completed + view.dead + view.in_flight == view.received
        await asyncio.sleep(0.1)
    assert burst.taken() == before
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, unlimited)
    engine.communicate(timeout=60)
    assert engine.returncode == 0, burst.log()
    await burst.check()


async def said(client: Client, words: str) -> bool:
    return any(words in line.text for line in (await client.view()).log)
