"""Kill the engine and its processes in the middle of a burst: nothing acknowledged is lost, nothing is done twice."""

import os
import random
import signal
import time
from pathlib import Path

from tests.engine.pool_samples import pool_children
from tests.faults.engine_process import Burst, kill, wait_for


async def test_kill_nine_at_many_moments(tmp_path: Path) -> None:
    burst = Burst(tmp_path, 300)
    chance = random.Random(20261123)
    engine = burst.start()
    wait_for(engine, (burst.state / "engine.lock").exists)  # it has only just begun
    kill(engine)
    moments = sorted(chance.sample(range(1, 250), 4))
    for moment in moments:
        engine = burst.start()
        wait_for(engine, lambda moment=moment: burst.taken() >= moment)  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.05))  # anywhere in what follows the acknowledgement
        kill(engine)
    engine = burst.start()
    wait_for(engine, lambda: burst.taken() == burst.payloads)  # nothing more to take, much still to store
    kill(engine)
    engine = burst.start()
    time.sleep(0.3)  # anywhere in the recovery
    kill(engine)
    closing = burst.finish()
    assert closing["open"] == 0
    await burst.check()


async def test_the_engine_outlives_all_its_pool_processes(tmp_path: Path) -> None:
    burst = Burst(tmp_path, 300)
    engine = burst.start("--until-idle", "--json")
    wait_for(engine, lambda: burst.taken() >= 40)
    children = pool_children(engine.pid)
    assert len(children) == 2
    for child in children:
        os.kill(child, signal.SIGKILL)
    engine.communicate(timeout=60)
    assert engine.returncode == 0, burst.log()
    await burst.check()
