"""What holds up the loop is measured."""

import asyncio
import time

from gexdesk.engine.lag import Lag


async def test_a_stall_is_seen_in_its_length() -> None:
    lag = Lag()
    watching = asyncio.create_task(lag.run())
    await asyncio.sleep(0.1)
    before = lag.longest_s
    time.sleep(0.3)
    await asyncio.sleep(0.05)
    assert before < 0.2
    assert 0.25 < lag.worst_s() < 1.0
    assert lag.longest_s == lag.worst_s()
    watching.cancel()
